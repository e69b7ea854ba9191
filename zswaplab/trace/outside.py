"""What came to the recorded kernel from outside the model, row by row: it is fed to the model as it happened.

Which pages were swapped out and in, their compressed lengths, slots given up, what the program's own faults did to the
swap cache, and when the worker ran. Which slots the kernel sets aside is not recorded: so when a small device is nearly
full, the recording decides too whether slots that are given up still wait.
"""

from __future__ import annotations

from collections.abc import Callable

from ..model.compressors import RecordedPage
from ..model.errors import EEXIST
from ..model.swap import ACTIVATE, DEACTIVATE, SLOT_CACHE
from .compare import Comparison
from .drive import Drive
from .older import SwapLayer
from .program import OUTSIDE, is_new
from .read import Recording, Row
from .thread import Thread

_OWN = {"slot_free": "slot free", "z3fold_compact": "begin compact_page"}  # may be part of what a thread is doing


class Outside:
    """Feeds a drive's machine with what a recording's rows say came from outside."""

    def __init__(self, recording: Recording, drive: Drive, comparison: Comparison) -> None:
        self._drive = drive
        self._machine = drive.machine
        self._swap = drive.machine.swap
        self._comparison = comparison
        self._disagree = comparison.findings.disagree
        self._classify = comparison.findings.classify
        self._kinds = {row.op for row in recording.rows}
        self._older = None if "swapcache_add" in self._kinds else SwapLayer(self._swap, self._change)
        self._lengths = _page_lengths(recording)
        self._freed_at_once = _freed_at_once(recording)
        self._latest = recording.rows[0]
        self._swapoff = False  # it has begun
        self._set_aside: set[int] = set()  # slots that the kernel had set aside, and took back unused
        self._draining = False  # the slot cache is being emptied, because few slots are free
        self._unsure = False  # it was, or was not: that depends on how many slots are set aside
        self._starts: dict[str, Callable[[Thread, Row], None]] = {
            "swapout": self._swapout, "swapin": self._swapin, "slot_give": self._slot_give,
            "slot_free": self._slot_free, "worker": self._worker, "invalidate_area": self._invalidate_area,
            "swapcache_add": self._swapcache_add, "swapcache_del": self._swapcache_del,
            "swapoff": self._begin_swapoff, "z3fold_compact": self._compaction,
        }  # fmt: skip

    def begin(self, thread: Thread, row: Row) -> None:
        """A row begins: feed what it brings, unless the model does it by itself."""
        self._latest = row
        if self._older:
            for offset in self._older.see(row):
                if "slot_give" not in self._kinds:
                    self._drive.feed(thread, row, "free_slot", offset)
        start = self._starts.get(row.op)
        if start and (row.parent is None or row.op == "worker"):
            if row.op not in _OWN or not self._drive.expects(thread, _OWN[row.op]):
                start(thread, row)

    def finish(self, row: Row) -> None:
        """After the last row, nothing that was asked for may be left undone."""
        if any(pool.work_pending for pool in self._machine.zswap.pools):
            self._disagree(row, "the model has queued the worker, which never ran")
        if self._swapoff and self._machine.zswap.trees:
            self._disagree(row, "swapoff has begun, and the tree is never given up")

    def _change(self, name: str, offset: int) -> None:
        """What the program's own faults and page-outs did to the swap cache and the slots in use."""
        if name in ("cache", "own") and is_new(self._swap, offset):
            self._slot_taken(offset)
        OUTSIDE[name](self._swap, offset)
        self._drive.program.append((name, 0, (offset,)))

    # -- pages ---------------------------------------------------------------------------------

    def _swapout(self, thread: Thread, row: Row) -> None:
        page, offset = RecordedPage(self._lengths[row.line]), row.cells["offset"]
        if not self._older and offset not in self._swap.cache:
            self._disagree(row, "a page is written whose slot is not in the swap cache")
        self._comparison.pages[offset] = page
        thread.offset = offset
        self._drive.feed(thread, row, "writepage", offset, page)

    def _swapin(self, thread: Thread, row: Row) -> None:
        thread.offset = offset = row.cells["offset"]
        cached = self._swap.synchronous or self._older or offset in self._swap.cache
        if offset not in self._swap.in_use or not cached:
            self._disagree(row, "a slot is read that nobody has, or that is not in the swap cache")
        self._drive.feed(thread, row, "readpage", offset)

    def _swapcache_add(self, thread: Thread, row: Row) -> None:
        offset = row.cells["offset"]
        self._comparison.findings.compare(row, "ret", row.cells["ret"], -EEXIST if offset in self._swap.cache else 0)
        if row.cells["ok"]:
            if offset in self._swap.given:
                self._disagree(row, "the slot is given up already")
            self._change("cache", offset)

    def _swapcache_del(self, thread: Thread, row: Row) -> None:
        if row.cells["offset"] not in self._swap.cache:
            self._disagree(row, "the slot is not in the swap cache")
        self._change("uncache", row.cells["offset"])

    # -- slots ---------------------------------------------------------------------------------

    def _slot_give(self, thread: Thread, row: Row) -> None:
        offset = row.cells["offset"]
        if not self._older and (offset not in self._swap.in_use or offset in self._swap.cache):
            self._disagree(row, "a slot is given up that nobody has, or that is in the swap cache")
        if self._unsure and row.line in self._freed_at_once:
            self._use_slot_cache(False)
        self._drive.feed(thread, row, "free_slot", offset)

    def _slot_taken(self, offset: int) -> None:
        """A new slot: by now the kernel has decided whether to use the slot cache (`check_cache_active`)."""
        swap = self._swap
        self._set_aside.discard(offset)
        self._draining = self._unsure = False
        if "slot_give" not in self._kinds:
            return
        if not swap.slot_cache_active:
            self._use_slot_cache(swap.free_slots > ACTIVATE)
        elif swap.free_slots < DEACTIVATE:
            if swap.given:
                self._disagree(self._latest, "few slots are free, and those given up still wait", 0, len(swap.given))
            self._use_slot_cache(False)
        else:
            self._unsure = self._few_slots

    def _use_slot_cache(self, active: bool) -> None:
        if active != self._swap.slot_cache_active:
            self._unsure = False
            self._change("slot_cache", int(active))

    @property
    def _few_slots(self) -> bool:
        """Whether the kernel may find too few slots free to use the slot cache; up to 63 more are set aside."""
        return self._swap.free_slots - (SLOT_CACHE - 1) < DEACTIVATE

    def _slot_free(self, thread: Thread, row: Row) -> None:
        """A slot is freed that the model did not free by itself: at swapoff, or no slot_give was recorded."""
        swap, offset = self._swap, row.cells["offset"]
        if "slot_give" in self._kinds and swap.slot_cache_active and self._few_slots and not self._swapoff:
            self._draining = True
            self._use_slot_cache(False)
        drained = self._swapoff or self._draining
        if swap.given and swap.given[0] == offset and drained:
            self._drive.feed(thread, row, "flush_slots")
            return
        if "slot_give" not in self._kinds:
            self._classify(row, "not determined", "when slots are given up was not recorded")
        elif drained and not (offset in swap.in_use or offset in swap.given or offset in self._set_aside):
            self._set_aside.add(offset)
            self._classify(row, "not determined", "a slot set aside, never used")
        else:
            self._disagree(row, "a slot is freed that was not given up, or not in this order")
        self._drive.feed(thread, row, "frontswap_invalidate_page", offset)

    # -- kworkers, and swapoff -----------------------------------------------------------------

    def _worker(self, thread: Thread, row: Row) -> None:
        pool = self._machine.zswap.pools[-1]
        if not pool.work_pending:
            self._disagree(row, "the worker runs, but the model has not queued it")
            self._machine.zswap.pool_get(pool)  # which its end will drop
        self._drive.feed(thread, row, "shrink_worker")

    def _compaction(self, thread: Thread, row: Row) -> None:
        """A kworker does what the backend left to it; when is not decided by the model."""
        if self._machine.zswap.pool.zpool.pending:
            self._drive.feed(thread, row, "kworker")

    def _begin_swapoff(self, thread: Thread, row: Row) -> None:
        self._swapoff = True
        self._comparison.counters(row, "counters_workload_exit")

    def _invalidate_area(self, thread: Thread, row: Row) -> None:
        """The end of swapoff: by now nobody has a slot, and nothing is in the swap cache."""
        swap, type = self._swap, row.cells["type"]
        for what, left in (("slots in use", swap.in_use), ("swap cache", swap.cache), ("slots given up", swap.given)):
            if left and not self._older:
                self._disagree(row, f"{what} at the end of swapoff", 0, len(left))
        if type in self._machine.zswap.trees:
            self._drive.feed(thread, row, "invalidate_area", type)
        else:
            self._disagree(row, "a tree is given up that does not exist", type, None)
            thread.lost = True


def _page_lengths(recording: Recording) -> dict[int, int | None]:
    """Line of each swapout -> the compressed length of its page: that of the store which follows in its thread."""
    waiting: dict[int, Row] = {}
    lengths: dict[int, int | None] = {}
    for row in recording.rows:
        if row.op == "swapout":
            waiting[row.tid] = row
            lengths[row.line] = None
        elif row.op == "store" and row.tid in waiting:
            lengths[waiting.pop(row.tid).line] = row.cells.get("length")
    return lengths


def _freed_at_once(recording: Recording) -> set[int]:
    """Lines of the slots given up that are freed next in their thread, not later with others."""
    given: dict[int, Row] = {}
    found = set()
    for row in recording.rows:
        before = given.pop(row.tid, None)
        if before and row.op == "slot_free" and row.cells.get("offset") == before.cells.get("offset"):
            found.add(before.line)
        if row.op == "slot_give":
            given[row.tid] = row
    return found
