"""Comparing what the model did with what a row of a recording says, column by column."""

from __future__ import annotations

from typing import Any

from ..model.compressors import RecordedPage
from ..model.machine import Machine
from ..model.zpool import Handle
from .columns import FORMATS, TABLE, columns_of
from .findings import Findings
from .owners import LABEL, Owners
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
_LABELLED = {"swapout", "store", "load", "invalidate", "swapin", "diskwrite", "slot_free", "free"}  # as they begin


_ALWAYS_COUNTED = ("stored_pages", "same_filled")
_BEGIN = {"store", "shrink", "lru_shrink", "worker"}  # rows that say what zswap thought as they began
_COUNTING = {"store", "writeback", "worker"}  # rows that have every counter


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
        self.owners = Owners(findings.disagree, bool(recording.parameters.get("vm.page-cluster", 0)))
        self._columns = {kind: _due(kind, recording) for kind in TABLE}
        self._recording = recording
        self._machine = machine
        self._by_changes = by_changes

    def counters(self, row: Row, when: str) -> None:
        """zswap's own counters, as the recording's settings have them for that moment."""
        recorded = self._recording.settings.get(when, {})
        for name, value in self._machine.zswap.counters:
            self.findings.compare(row, f"{name} in {when}", recorded.get(f"zswap.{name}"), value)

    def _cell(self, row: Row, column: str, model: Any) -> None:
        """A cell must be what the model has, and empty where that is None."""
        recorded = row.cells.get(column)
        if recorded != model and (recorded is not None or column in self._columns[row.op]):
            self.findings.disagree(row, column, recorded, model)

    def _count(self, row: Row, column: str, model: int) -> None:
        """A counter or the pool's size."""
        name = column.removesuffix("_before")
        self._cell(row, column, model + self.apart.get(name, 0))
        if self._by_changes and column in row.cells:
            self.apart[name] = row.cells[column] - model

    # -- an operation begins and ends ----------------------------------------------------------

    def see(self, row: Row) -> None:
        """A row begins, and what came from outside is not fed yet."""
        self.owners.see(row)
        if row.op in _LABELLED:
            self.label(row)

    def begin(self, thread: Thread, row: Row, arguments: Any) -> None:
        """A function of the model has begun with these arguments."""
        op, zswap = row.op, self._machine.zswap
        if op == "z3fold_compact":
            self.placement.compare_row(row, arguments)
            return
        if op in ("store", "load", "invalidate"):
            self._cell(row, "offset", arguments[1])
        if op in _BEGIN:
            self._cell(row, "full_before", int(zswap.reached_full))
            self._count(row, "pool_pages_before", zswap.size)
        self._cell(row, "true_before", zswap.pool.zpool.pages)
        if op == "writeback":
            self._writeback(thread, row, *arguments)

    def _writeback(
        self, thread: Thread, row: Row, pool: Any, handle: Handle, entry: Any = None, slot: Any = None
    ) -> None:
        given = self._machine.stage.writeback_finds
        for column in ("handle", "hval"):
            if (column in row.cells) is not given:
                self._cell(row, column, handle if given else None)
        if given and "handle" in row.cells:
            self.placement.written_back(row, handle)
        thread.offset = (slot or handle.header)[1]
        self._cell(row, "offset", thread.offset)
        if not any(name == "lookup" for _, name, _ in row.points):
            self.label(row)

    def end(self, thread: Thread, row: Row, result: Any) -> None:
        """A function of the model has ended with that result."""
        op, zswap = row.op, self._machine.zswap
        if op == "z3fold_compact":
            self.placement.compare_row(row, result)
            return
        if op == "invalidate":
            self._cell(row, "ok", thread.had)
        elif op != "worker":
            self._cell(row, "ret", result)
        self._count(row, "pool_pages", zswap.size)
        self._cell(row, "reached_full", int(zswap.reached_full))
        self._cell(row, "true_pages", zswap.pool.zpool.pages)
        for column in COUNTERS if op in _COUNTING else _ALWAYS_COUNTED:
            self._count(row, column, getattr(zswap.counters, COUNTERS[column]))
        if op == "store":
            self._store(thread, row, result)
        if op == "load" and result == 0 and isinstance(thread.frame.data, RecordedPage):
            if thread.frame.data is not self.pages.get(row.cells["offset"]):
                self.findings.disagree(row, "the model loads another page than was last stored in this slot")

    def _store(self, thread: Thread, row: Row, result: int) -> None:
        handle, thread.handle = thread.handle, None
        asked = None if handle is None else len(thread.frame.data)
        self._cell(row, "length", 0 if asked is None and result == 0 else asked)
        self._cell(row, "alloc_size", None if asked is None else self._machine.zswap.pool.header_bytes + asked)
        if not isinstance(handle, Handle):
            self._cell(row, "handle", None)
            self._cell(row, "hval", None)
        elif "handle" in row.cells:
            self.placement.stored(row, handle)
        else:
            self._cell(row, "handle", handle)

    # -- objects in the backend ----------------------------------------------------------------

    def free(self, row: Row, length: int, handle: int | None, offset: int, pages: int) -> None:
        """An entry is freed whose object lies at `handle`, while the backend has that many pages."""
        self._cell(row, "offset", offset)
        self._cell(row, "length", length)
        self._cell(row, "true_before", pages)
        if length:
            self._cell(row, "handle", handle)

    # -- whose page it is ----------------------------------------------------------------------

    def label(self, row: Row) -> None:
        """Whose page has the row's slot now."""
        for column, value in zip(LABEL, self.owners.expected(row.cells["offset"]), strict=True):
            self._cell(row, column, value)


def _due(kind: str, recording: Recording) -> set[str]:
    """The columns of a kind of row in which empty means that there is nothing to say."""
    return {
        name for name, column in columns_of(kind).items()
        if name in recording.columns and (recording.format in column.formats or column.formats == tuple(FORMATS))
    }  # fmt: skip
