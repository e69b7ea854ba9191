"""Comparing what the model did with what a row of a recording says, column by column."""

from __future__ import annotations

from collections import deque
from typing import Any

from ..model.compressors import RecordedPage
from ..model.machine import Machine
from ..model.steps import Kernel
from ..model.swap import Frame
from ..model.zpool import Handle
from .placement import Placement, ZbudPlacement
from .read import Recording, Row
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
PLACED = {"store", "load", "invalidate", "swapin", "diskwrite", "slot_free", "free"}  # rows that say whose page it is
LABEL = ("mm", "page", "version")


class Thread:
    """One thread of the recording: what it is doing, and what the model did that the recording has yet to show."""

    def __init__(self, tid: int) -> None:
        self.tid = tid
        self.operation: Kernel | None = None
        self.offset: int | None = None  # the slot it writes or reads
        self.observed_steps = self.steps = 0  # since it last began or was interrupted; begins and ends do not count
        self.standing = ""  # the kind of step that it has come to
        self.at_step = True  # where it stands: not where a function begins or ends
        self.paused = False  # its operation was interrupted and has not ended since
        self.interruptions = 0
        self.done: deque[tuple[str, Any]] = deque()
        self.rows: list[Row] = []  # the operations it is in, outermost first
        self.interrupted = False  # another thread ran since its last point
        self.held = 0  # locks
        self.granting = False  # it has come to an acquire
        self.lost = False  # after a disagreement in the order of points: until its next operation
        self.frame = Frame()
        self.handle: Handle | int | None = None  # what the backend gave it
        self.had = 0  # whether its last search of the tree found an entry


class Comparison:
    """What has been found so far: each row's class, and every value that was not as recorded.

    `found` maps a row's line to its class (see `conform`), `reasons` says why a class is not "agrees",
    `problems` lists (row, what, recorded, model). A cell that is empty is not compared.
    """

    def __init__(self, recording: Recording, machine: Machine) -> None:
        self.recording = recording
        self.machine = machine
        self.found: dict[int, str] = {}
        self.reasons: dict[int, str] = {}
        self.problems: list[tuple[Row, str, Any, Any]] = []
        self.placement = PLACEMENTS[machine.zswap.pool.zpool.name](self)
        self.pages: dict[int, RecordedPage] = {}  # slot -> what was last swapped out there
        self.owners: dict[int, tuple[int, int]] = {}  # slot -> (mm, page) of the program
        self.versions: dict[tuple[int, int], int] = {}  # (mm, page) -> which contents the program last wrote there

    def compare(self, row: Row, what: str, recorded: Any, model: Any) -> None:
        if recorded is not None and recorded != model:
            self.disagree(row, what, recorded, model)

    def classify(self, row: Row, kind: str, reason: str) -> None:
        if self.found.get(row.line, "agrees") == "agrees":
            self.found[row.line], self.reasons[row.line] = kind, reason

    def disagree(self, row: Row, what: str, recorded: Any = None, model: Any = None) -> None:
        self.found[row.line] = "disagrees"
        self.reasons.setdefault(row.line, what)
        self.problems.append((row, what, recorded, model))

    def compare_counters(self, row: Row, when: str) -> None:
        """zswap's own counters, as the recording's settings have them for that moment."""
        recorded = self.recording.settings.get(when, {})
        for name, value in self.machine.zswap.counters:
            self.compare(row, f"{name} in {when}", recorded.get(f"zswap.{name}"), value)

    # -- an operation begins and ends ----------------------------------------------------------

    def compare_begin(self, thread: Thread, row: Row, arguments: Any) -> None:
        cells, zswap = row.cells, self.machine.zswap
        if row.op == "z3fold_compact":
            self.placement.compare_row(row, arguments)
            return
        self.compare(row, "full_before", cells.get("full_before"), int(zswap.reached_full))
        self.compare(row, "pool_pages_before", cells.get("pool_pages_before"), zswap.size)
        self.compare(row, "true_before", cells.get("true_before"), zswap.pool.zpool.pages)
        if row.op in ("store", "load", "invalidate"):
            self.compare(row, "offset", cells["offset"], arguments[1])
        if row.op == "writeback":
            self.compare_writeback(thread, row, *arguments)

    def compare_writeback(
        self, thread: Thread, row: Row, pool: Any, handle: Handle, entry: Any = None, slot: Any = None
    ) -> None:
        if "handle" in row.cells:
            self.placement.written_back(row, handle)
        thread.offset = (slot or handle.header)[1]
        self.compare(row, "offset", row.cells.get("offset"), thread.offset)

    def compare_end(self, thread: Thread, row: Row, result: Any) -> None:
        cells, zswap = row.cells, self.machine.zswap
        if row.op == "z3fold_compact":
            self.placement.compare_row(row, result)
            return
        if row.op == "invalidate":
            self.compare(row, "ok", cells.get("ok"), thread.had)
        elif row.op != "worker":
            self.compare(row, "ret", cells.get("ret"), result)
        self.compare(row, "pool_pages", cells.get("pool_pages"), zswap.size)
        self.compare(row, "reached_full", cells.get("reached_full"), int(zswap.reached_full))
        self.compare(row, "true_pages", cells.get("true_pages"), zswap.pool.zpool.pages)
        for column, counter in COUNTERS.items():
            self.compare(row, column, cells.get(column), getattr(zswap.counters, counter))
        if row.op == "store":
            self.compare_store(thread, row)
        if row.op == "load" and result == 0 and isinstance(thread.frame.data, RecordedPage):
            if thread.frame.data is not self.pages.get(cells["offset"]):
                self.disagree(row, "the model loads another page than was last stored in this slot")

    def compare_store(self, thread: Thread, row: Row) -> None:
        handle, recorded = thread.handle, row.cells.get("handle")
        if "alloc_size" in row.cells:
            asked = None if handle is None else self.machine.zswap.pool.header_bytes + len(thread.frame.data)
            self.compare(row, "alloc_size", row.cells["alloc_size"], asked)
        if (recorded is not None) != isinstance(handle, Handle):
            self.disagree(row, "handle", recorded, handle)
        elif isinstance(handle, Handle):
            self.placement.stored(row, handle)
        thread.handle = None

    # -- objects in the backend ----------------------------------------------------------------

    def compare_free(self, row: Row, length: int, handle: int | None, offset: int, pages: int) -> None:
        self.compare(row, "offset", row.cells["offset"], offset)
        self.compare(row, "length", row.cells.get("length"), length)
        self.compare(row, "true_before", row.cells.get("true_before"), pages)
        if length and "handle" in row.cells:
            self.compare(row, "handle", int(row.cells["handle"], 16), handle)

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
            self.versions[owner] = cells.get("version", 0)
        elif row.op in PLACED or row.op == "swapout":
            self.compare_label(row)

    def compare_label(self, row: Row) -> None:
        owner = self.owners.get(row.cells.get("offset", -1))
        expected = (*owner, self.versions.get(owner)) if owner else (None, None, None)
        for column, value in zip(LABEL, expected, strict=True):
            self.compare(row, column, row.cells.get(column), value)
