"""Whose page a row is about, and which contents it has: they follow from the program's own rows and the slot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .read import Row

Owner = tuple[int, int]  # (mm, page)
LABEL = ("mm", "page", "version")
_FAULTS = ("w:write", "w:read")


class Owners:
    """Keeps who has each slot, and what each page of the program's holds.

    `slots`: slot -> (mm, page) of the program; of other programs' pages nothing is known. `disagree(row, column,
    recorded, model)` is told what a row says and cannot be.
    """

    def __init__(self, disagree: Callable[[Row, str, Any, Any], None], reads_ahead: bool) -> None:
        self.slots: dict[int, Owner] = {}
        self._disagree = disagree
        self._reads_ahead = reads_ahead
        self._versions: dict[Owner, int] = {}  # which contents the program last wrote there
        self._programs: dict[int, int] = {}  # thread -> its mm
        self._freed: set[Owner] = set()  # and given up since: it reads as zeros, version 0
        self._samples: dict[int, int] = {}  # thread -> how many
        self._doing: dict[int, tuple[str, Owner]] = {}  # thread -> the program's last row, and the page it names

    def see(self, row: Row) -> None:
        """A row begins: learn from the program's own, and compare what each says."""
        if row.op.startswith("w:"):
            self._see_program(row)
            return
        cells = row.cells
        if row.op == "swapout":
            owner = (cells["mm"], cells["page"]) if "mm" in cells and "page" in cells else None
            self.slots.pop(cells["offset"], None)
            if owner:
                self.slots[cells["offset"]] = owner
        if row.op in ("swapout", "swapin", "slot_give") and row.tid in self._doing and row.parent is None:
            self._compare_asked(row, self.slots.get(cells["offset"]))

    def _see_program(self, row: Row) -> None:
        cells = row.cells
        if row.op == "w:start":
            self._programs[row.tid], self._samples[row.tid] = cells["mm"], 0
        elif row.op == "w:sample":
            count = self._samples.get(row.tid, 0)
            self._compare(row, "length", count)
            self._samples[row.tid] = count + 1
        elif row.op == "w:end":
            self._doing.pop(row.tid, None)
        else:
            page = cells["mm"], cells["page"]
            self._compare(row, "mm", self._programs.get(row.tid))
            if row.op == "w:write":
                self._versions[page] = cells["version"]
                self._freed.discard(page)
            elif row.op == "w:free":
                self._freed.add(page)
            elif row.op == "w:read":
                self._compare(row, "version", 0 if page in self._freed else self._versions.get(page, 0))
            self._doing[row.tid] = row.op, page

    def _compare_asked(self, row: Row, owner: Owner | None) -> None:
        """What the kernel does for the program is about the page that it named."""
        asked, page = self._doing[row.tid]
        about = {"swapout": ("w:pageout",), "swapin": () if self._reads_ahead else _FAULTS, "slot_give": ("w:free",)}
        if asked in about[row.op] and owner != page:
            self._disagree(row, f"{asked} names another page", owner, page)

    def expected(self, offset: int) -> tuple[int | None, ...]:
        """What the columns of LABEL must say of a slot now."""
        owner = self.slots.get(offset)
        return (*owner, self._versions.get(owner)) if owner else (None, None, None)

    def _compare(self, row: Row, column: str, model: int | None) -> None:
        if row.cells[column] != model:
            self._disagree(row, column, row.cells[column], model)
