"""What a replay finds: the class of each row, and every value that is not as recorded."""

from __future__ import annotations

from typing import Any

from .read import Row

Problem = tuple[Row, str, Any, Any]  # (row, what, recorded, model)


class Findings:
    """What has been found so far.

    `found` maps a row's line to its class (see `conform`), `reasons` says why a class is not "agrees",
    `problems` lists (row, what, recorded, model), `found_at` where in the recording each showed; `position` is that of
    the event being taken.
    """

    def __init__(self) -> None:
        self.found: dict[int, str] = {}
        self.reasons: dict[int, str] = {}
        self.problems: list[Problem] = []
        self.found_at: list[int] = []
        self.position = 0

    def agree(self, row: Row) -> None:
        """The model does this operation too; what it does in it is compared later."""
        self.found.setdefault(row.line, "agrees")

    def compare(self, row: Row, what: str, recorded: Any, model: Any) -> None:
        """A value that is empty in the recording is not compared."""
        if recorded is not None and recorded != model:
            self.disagree(row, what, recorded, model)

    def classify(self, row: Row, kind: str, reason: str) -> None:
        """Give a row that agreed so far another class."""
        if self.found.get(row.line, "agrees") == "agrees":
            self.found[row.line], self.reasons[row.line] = kind, reason

    def disagree(self, row: Row, what: str, recorded: Any = None, model: Any = None) -> None:
        """A problem: the name of a column with both its values, or a sentence."""
        self.found[row.line] = "disagrees"
        self.reasons.setdefault(row.line, what)
        self.problems.append((row, what, recorded, model))
        self.found_at.append(self.position)
