"""Several CPUs: whose step came first inside operations that overlap.

The order of rows is known, that of the steps inside two operations which overlap on two CPUs is not. Where what was
recorded of one (its place in the backend, the counters at its beginning and end) shows that the other had
gone further by then, the other is driven that far first: the order is inferred, and kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..model.zpool import Handle
from ..model.zpool.zbud import Zbud
from .compare import COUNTERS, Comparison
from .drive import Drive
from .placement import ZbudPlacement
from .read import Row
from .thread import Thread

_WHY = "overlaps an operation of another CPU; the order of their steps was not recorded"
_AT_BEGIN = {"full_before": "full", "pool_pages_before": "size"}
_AT_END = {"reached_full": "full", "pool_pages": "size", **COUNTERS}


class OneCpu:
    """Nothing overlaps: a thread that runs has interrupted the one before."""

    def sees(self, thread: Thread, row: Row) -> None:
        """The next event is of this thread and row."""

    def interrupts(self, thread: Thread, row: Row) -> bool:
        """Whether an event of this row, of another thread, means that `thread` was interrupted."""
        return True

    def before_begin(self, thread: Thread, row: Row) -> None:
        """What was recorded at the beginning of the row will be compared next."""

    def before_end(self, thread: Thread, row: Row) -> None:
        """What was recorded at the end of the row will be compared next."""


class SeveralCpus(OneCpu):
    """Operations of several CPUs overlap."""

    def __init__(self, drive: Drive, comparison: Comparison) -> None:
        self._drive = drive
        self._comparison = comparison
        self._cpus: dict[int, str] = {}  # thread -> the CPU it was last seen on
        drive.at_malloc = self

    def sees(self, thread: Thread, row: Row) -> None:
        self._cpus[thread.tid] = row.cells.get("cpu", "")

    def interrupts(self, thread: Thread, row: Row) -> bool:
        return self._cpus.get(thread.tid) == self._cpus.get(row.tid, row.cells.get("cpu"))

    def before_begin(self, thread: Thread, row: Row) -> None:
        self._others_first(thread, lambda: self._counted(row, _AT_BEGIN))

    def before_end(self, thread: Thread, row: Row) -> None:
        self._others_first(thread, lambda: self._counted(row, _AT_END))

    def before_malloc(self, thread: Thread) -> None:
        """Others may have to ask the backend first."""
        if not self._explained(thread):
            self._others_first(thread, lambda: self._explained(thread))

    def after_malloc(self, thread: Thread) -> None:
        """The address of a new page is learned before its store has ended: others may be put there meanwhile."""
        placement = self._comparison.placement
        if isinstance(thread.handle, Handle) and isinstance(placement, ZbudPlacement):
            recorded, number = thread.rows[-1].cells.get("handle", 0), thread.handle.page.number
            known = number in placement.addresses or recorded & ~4095 in placement.addresses.values()
            if recorded & 4095 == 64 and not known:
                placement.addresses[number] = recorded & ~4095

    def _others_first(self, thread: Thread, explained: Callable[[], bool]) -> None:
        """Drive the operations that overlap, one after the other, until `explained()`."""
        for other in self._overlapping(thread):
            row = other.rows[-1]
            while other.operation is not None and not explained():
                if other.standing == "malloc" and not self._explained(other):
                    break
                self._drive.advance(other)
                for both in (row, *thread.rows[-1:]):
                    self._comparison.findings.classify(both, "order inferred", _WHY)

    def _overlapping(self, thread: Thread) -> Iterator[Thread]:
        """Threads of other CPUs in the middle of an operation."""
        cpu = self._cpus.get(thread.tid)
        for other in list(self._drive.threads.values()):
            if other is not thread and other.rows and other.operation is not None and not other.lost:
                if self._cpus.get(other.tid) != cpu:
                    yield other

    def _counted(self, row: Row, names: dict[str, str]) -> bool:
        """Whether zswap's variables are as the row has them."""
        zswap, apart = self._drive.machine.zswap, self._comparison.apart
        now = {"full": int(zswap.reached_full), "size": zswap.size, **dict(zswap.counters)}
        return all(
            row.cells.get(column, now[name]) == now[name] + apart.get(column.removesuffix("_before"), 0)
            for column, name in names.items()
        )

    def _explained(self, thread: Thread) -> bool:
        """Whether the backend, asked now, would give the place that was recorded."""
        placement, zpool = self._comparison.placement, self._drive.machine.zswap.pool.zpool
        if not (isinstance(placement, ZbudPlacement) and isinstance(zpool, Zbud)):
            return True
        row = thread.rows[-1]
        address = row.cells.get("handle")
        if row.op != "store" or address is None:
            return True
        chunks = (row.cells["alloc_size"] + 63) // 64
        page = next((next(reversed(pages)) for pages in zpool.unbuddied[chunks:] if pages), None)
        first = bool(address & 4095 == 64)
        if page is None:
            return first and address & ~4095 not in placement.addresses.values()
        return placement.addresses.get(page.number) == address & ~4095 and first == (page.first is None)
