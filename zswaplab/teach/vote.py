"""`vote`: a vote of a whole class as a board for the projector. Its logic is in `voting.py`, and needs no widget."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from ..model.errors import BadInput
from .predict import asked
from .voting import SECONDS, Vote

if TYPE_CHECKING:
    from ..show.vote import Board


class Voting(Vote):
    """A vote that a notebook shows as a board; everything else is as in `Vote`.

    >>> voting = vote("01.2", seed=3)
    >>> voting
    <vote on 01.2 seed 3: not begun>
    """

    def board(self) -> Board:
        """The widget. It needs ipywidgets; `start`, `close` and `tell` do not."""
        from ..show.vote import Board

        return Board(asked(self.prediction), told(self), heard=self._heard, played=self._played)

    def _heard(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """What the board shows after something was pressed."""
        try:
            if "start" in message:
                self.start()
            elif "close" in message:
                self.close(message["close"], message.get("hands"))
            elif "tell" in message:
                self.tell()
        except BadInput as problem:
            return {**told(self), "problem": str(problem)}
        return told(self)

    def _played(self) -> list[tuple[str, Any, int]]:
        """The run to be played beside the board; none before the answer was told."""
        return [("The kernel", self.prediction.drawn.kernel.history, self.prediction.step)] if self.told else []

    def _ipython_display_(self) -> None:
        from ..show.kept import shown

        words = f'<div class="zswaplab-asked"><p>{escape(repr(self))}</p></div>'
        shown(self.board(), words, repr(self))


def told(voting: Vote) -> dict[str, Any]:
    """What the board shows of the votes, as data: while a round is open, nothing but that it is."""
    closed = [number for number, one in enumerate(voting.rounds) if one.closed]
    found: dict[str, Any] = {
        "open": voting.is_open, "round": len(voting.rounds), "may start": voting.may_start, "seconds": voting.seconds,
    }  # fmt: skip
    if voting.is_open:
        return found | {"left": max(0.0, voting.rounds[-1].ends - voting.now())}
    if closed:
        last = voting.rounds[-1]
        found |= {"counts": [list(voting.counts(number).items()) for number in closed], "late": last.late,
                  "elsewhere": last.elsewhere, "advice": voting.advice}  # fmt: skip
    if voting.told:
        found |= {"right": voting.prediction.right.label, "why": voting.prediction.drawn.question.why}
    return found


def vote(id: str, seed: int = 0, seconds: int = SECONDS) -> Voting:
    """A vote of a whole class on a prediction, like "01.2": two rounds of so many seconds, and talk in pairs between.

    All of the class answer `predict(id, seed)` with the class's seed and hand over the line that *copy my line* gives,
    in a chat or on a shared page; paste all of these into the board, or count hands. Nothing is shown before a round is
    closed. Raises BadInput for a question that is not there, and for what is no seed or no number of seconds.

    >>> vote("03.1", seed=2026).prediction.options[-1]
    It never happens.
    """
    return Voting(id, seed, seconds)
