"""Comparing what the model did with what a row of a recording says, column by column."""

from __future__ import annotations

from typing import Any

from ..model.compressors import RecordedPage
from ..model.machine import Machine
from ..model.zpool import Handle
from .findings import Findings
from .placement import Placement, ZbudPlacement
from .read import Recording, Row
from .thread import Thread
from .z3fold import Z3foldPlacement
from .zsmalloc import ZsmallocPlacement

PLACEMENTS: dict[str, type[Placement]] = {
    "zbud": ZbudPlacement, "z3fold": Z3foldPlacement, "zsmalloc": ZsmallocPlacement,
}  # fmt: skip

COUNTERS = {
    "stored_pages": "stored_pages", "same_filled": "same_filled_pages", "limit_hit": "pool_limit_hit",
    "written_back": "written_back_pages", "reject_reclaim_fail": "reject_reclaim_fail",
    "reject_compress_poor": "reject_compress_poor", "reject_alloc_fail": "reject_alloc_fail",
    "reject_kmemcache_fail": "reject_kmemcache_fail", "duplicate_entry": "duplicate_entry",
}  # fmt: skip
_PLACED = {"store", "load", "invalidate", "swapin", "diskwrite", "slot_free", "free"}  # rows that say whose page it is
_LABEL = ("mm", "page", "version")


class Comparison:
    """Compares rows with the model, and tells `findings` what is not as recorded.

    `by_changes`: a counter, or the pool's size, that has gone apart once is judged by its changes from there on;
    `apart` says by how much the kernel's is above the model's.
    """

    def __init__(self, recording: Recording, machine: Machine, findings: Findings, by_changes: bool) -> None:
        self.findings = findings
        self.placement = PLACEMENTS[machine.zswap.pool.zpool.name](findings, machine, recording.columns)
        self.apart: dict[str, int] = {}
        self.pages: dict[int, RecordedPage] = {}  # slot -> what was last swapped out there
        self.owners: dict[int, tuple[int, int]] = {}  # slot -> (mm, page) of the program
        self._recording = recording
        self._machine = machine
        self._by_changes = by_changes
        self._versions: dict[tuple[int, int], int] = {}  # (mm, page) -> which contents the program last wrote there

    def counters(self, row: Row, when: str) -> None:
        """zswap's own counters, as the recording's settings have them for that moment."""
        recorded = self._recording.settings.get(when, {})
        for name, value in self._machine.zswap.counters:
            self.findings.compare(row, f"{name} in {when}", recorded.get(f"zswap.{name}"), value)

    # -- an operation begins and ends ----------------------------------------------------------

    def begin(self, thread: Thread, row: Row, arguments: Any) -> None:
        """A function of the model has begun with these arguments."""
        cells, zswap, compare = row.cells, self._machine.zswap, self.findings.compare
        if row.op == "z3fold_compact":
            self.placement.compare_row(row, arguments)
            return
        compare(row, "full_before", cells.get("full_before"), int(zswap.reached_full))
        self._count(row, "pool_pages_before", cells.get("pool_pages_before"), zswap.size)
        compare(row, "true_before", cells.get("true_before"), zswap.pool.zpool.pages)
        if row.op in ("store", "load", "invalidate"):
            compare(row, "offset", cells["offset"], arguments[1])
        if row.op == "writeback":
            self._writeback(thread, row, *arguments)

    def _writeback(
        self, thread: Thread, row: Row, pool: Any, handle: Handle, entry: Any = None, slot: Any = None
    ) -> None:
        if "handle" in row.cells:
            self.placement.written_back(row, handle)
        thread.offset = (slot or handle.header)[1]
        self.findings.compare(row, "offset", row.cells.get("offset"), thread.offset)

    def end(self, thread: Thread, row: Row, result: Any) -> None:
        """A function of the model has ended with that result."""
        cells, zswap, compare = row.cells, self._machine.zswap, self.findings.compare
        if row.op == "z3fold_compact":
            self.placement.compare_row(row, result)
            return
        if row.op == "invalidate":
            compare(row, "ok", cells.get("ok"), thread.had)
        elif row.op != "worker":
            compare(row, "ret", cells.get("ret"), result)
        self._count(row, "pool_pages", cells.get("pool_pages"), zswap.size)
        compare(row, "reached_full", cells.get("reached_full"), int(zswap.reached_full))
        compare(row, "true_pages", cells.get("true_pages"), zswap.pool.zpool.pages)
        for column, counter in COUNTERS.items():
            self._count(row, column, cells.get(column), getattr(zswap.counters, counter))
        if row.op == "store":
            self._store(thread, row)
        if row.op == "load" and result == 0 and isinstance(thread.frame.data, RecordedPage):
            if thread.frame.data is not self.pages.get(cells["offset"]):
                self.findings.disagree(row, "the model loads another page than was last stored in this slot")

    def _store(self, thread: Thread, row: Row) -> None:
        handle, recorded = thread.handle, row.cells.get("handle")
        if "alloc_size" in row.cells:
            asked = None if handle is None else self._machine.zswap.pool.header_bytes + len(thread.frame.data)
            self.findings.compare(row, "alloc_size", row.cells["alloc_size"], asked)
        if (recorded is not None) != isinstance(handle, Handle):
            self.findings.disagree(row, "handle", recorded, handle)
        elif isinstance(handle, Handle):
            self.placement.stored(row, handle)
        thread.handle = None

    def _count(self, row: Row, column: str, recorded: int | None, model: int) -> None:
        """A counter or the pool's size."""
        name = column.removesuffix("_before")
        expected = model + self.apart.get(name, 0)
        if recorded is not None and recorded != expected:
            self.findings.disagree(row, column, recorded, expected)
            if self._by_changes:
                self.apart[name] = recorded - model

    # -- objects in the backend ----------------------------------------------------------------

    def free(self, row: Row, length: int, handle: int | None, offset: int, pages: int) -> None:
        """An entry is freed whose object lies at `handle`, while the backend has that many pages."""
        compare = self.findings.compare
        compare(row, "offset", row.cells["offset"], offset)
        compare(row, "length", row.cells.get("length"), length)
        compare(row, "true_before", row.cells.get("true_before"), pages)
        if length and "handle" in row.cells:
            compare(row, "handle", row.cells["handle"], handle)

    # -- whose page it is ----------------------------------------------------------------------

    def label(self, row: Row) -> None:
        """Whose page a row is about, and which contents it has, follow from the program's rows and the slot."""
        cells = row.cells
        owner = (cells["mm"], cells["page"]) if "mm" in cells and "page" in cells else None
        if row.op == "swapout":
            self.owners.pop(cells["offset"], None)
            if owner:
                self.owners[cells["offset"]] = owner
        if row.op == "w:write" and owner:
            self._versions[owner] = cells.get("version", 0)
        elif row.op in _PLACED or row.op == "swapout":
            self.compare_label(row)

    def compare_label(self, row: Row) -> None:
        """Whose page has the row's slot now."""
        owner = self.owners.get(row.cells.get("offset", -1))
        expected = (*owner, self._versions.get(owner)) if owner else (None, None, None)
        for column, value in zip(_LABEL, expected, strict=True):
            self.findings.compare(row, column, row.cells.get(column), value)
