"""One thread of a recording, as a replay drives it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

from ..model.steps import Kernel
from ..model.swap import Frame
from ..model.zpool import Handle
from .read import Row


@dataclass
class Interruption:
    """Other threads run inside a row's operation, from position `at` to `until`."""

    row: Row
    at: int
    until: int


class Thread:
    """One thread of the recording: what it is doing, and what the model did that the recording has yet to show."""

    def __init__(self, tid: int) -> None:
        self.tid = tid
        self.operation: Kernel | None = None
        self.origin = 0  # position of the row for which it began
        self.offset: int | None = None  # the slot it writes or reads
        self.observed_steps = self.steps = 0  # since it last began or was interrupted; begins and ends do not count
        self.standing = ""  # the kind of step that it has come to
        self.at_step = True  # where it stands: not where a function begins or ends
        self.paused = False  # its operation was interrupted and has not ended since
        self.done: deque[tuple[str, Any]] = deque()
        self.rows: list[Row] = []  # the operations it is in, outermost first
        self.interrupted: Interruption | None = None  # another thread ran since its last point
        self.held = 0  # locks
        self.granting = False  # it has come to an acquire
        self.lost = False  # after a disagreement in the order of points: until its next operation
        self.frame = Frame()
        self.submits: int | None = None  # position at which it submits a page to the device
        self.handle: Handle | int | None = None  # what the backend gave it
        self.had = 0  # whether its last search of the tree found an entry

    def begins(self, row: Row, operation: Kernel | None) -> None:
        """Something new; what it did before is over."""
        self.done.clear()
        self.rows.clear()
        self.lost = self.paused = False
        self.interrupted = self.submits = None
        self.observed_steps = self.steps = 0
        self.at_step, self.standing = True, ""
        self.operation, self.origin = operation, row.seq

    def ended(self) -> None:
        """Its operation has gone to its end."""
        self.operation, self.standing = None, ""
        self.held, self.granting = 0, False
