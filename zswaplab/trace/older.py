"""Recordings of the older format: the swap layer's own rows, which they lack, worked out from the program's.

They do not say what is in the swap cache, nor, some of them, when a slot is given up. Both follow from
what the program did to the slot's page: a write that faults it in, or freeing it, gives the slot up;
a read leaves it in the swap cache until it is paged out again, and a write to it then changes neither.
"""

from __future__ import annotations

from collections.abc import Callable

from ..model.swap import Swap
from .read import Row


class SwapLayer:
    """Keeps a Swap's slots in use and swap cache up to date from the program's rows, through `feed(what, slot)`."""

    def __init__(self, swap: Swap, feed: Callable[[str, int], None]) -> None:
        self.swap = swap
        self.feed = feed
        self.slots: dict[tuple[int, int], int] = {}  # (mm, page) -> its slot
        self.owners: dict[int, tuple[int, int]] = {}  # slot -> (mm, page); pages of other programs share one name
        self.present: set[tuple[int, int]] = set()  # pages in RAM
        self.written: tuple[int, int] | None = None  # a page being written to: its slot goes after the fault

    def see(self, row: Row) -> list[int]:
        """Take in one row, before it is replayed; returns the slots that are given up with it."""
        page = (row.cells.get("mm", -1), row.cells.get("page", -1))
        given: list[int] = []
        if row.op.startswith("w:"):
            given = self.faulted() + self.program(row.op, page)
        elif row.op == "slot_free":
            given = self.faulted()
        elif row.op == "swapout":
            offset = row.cells["offset"]
            self.slots[page] = offset
            self.owners[offset] = page
            self.feed("own", offset)
        elif row.op == "slot_give":  # also of a page that was only read, when swap is more than half full
            self.gone(row.cells["offset"])
        elif row.op == "swapin":
            self.feed("cache", row.cells["offset"])
        return given

    def faulted(self) -> list[int]:
        """The write fault under way, if there is one, is over: its page's slot goes."""
        page, self.written = self.written, None
        return self.give(page)

    def program(self, op: str, page: tuple[int, int]) -> list[int]:
        if op == "w:write" and page not in self.present:
            self.written = page
        if op in ("w:write", "w:read"):
            self.present.add(page)
        elif op in ("w:pageout", "w:free"):
            self.present.discard(page)
        if op == "w:pageout" and page in self.slots:
            self.feed("uncache", self.slots[page])
        return self.give(page) if op == "w:free" else []

    def give(self, page: tuple[int, int] | None) -> list[int]:
        if page not in self.slots:
            return []
        offset = self.slots[page]
        self.gone(offset)
        return [offset]

    def gone(self, offset: int) -> None:
        """A slot has no owner any more and is not in the swap cache."""
        page = self.owners.pop(offset, None)
        if page is not None:
            if self.slots.get(page) == offset:
                del self.slots[page]
            self.feed("disown", offset)
