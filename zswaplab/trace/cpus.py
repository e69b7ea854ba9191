"""Replay of a recording of several CPUs: whose step came first inside operations that overlap.

The order of rows is known, that of the steps inside two operations which overlap on two CPUs is not. Where what was
recorded of one (its place in the backend, the counters at its beginning and end) shows that the other had
gone further by then, the other is driven that far first: the order is inferred, and kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..model.zpool import Handle
from .compare import COUNTERS, Thread
from .placement import ZbudPlacement
from .read import Row
from .replay import Replay

WHY = "overlaps an operation of another CPU; the order of their steps was not recorded"


class SeveralCpus(Replay):
    """A replay in which operations of several CPUs overlap."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.apart: dict[str, int] = {}  # column -> by how much the kernel's counter is above the model's
        self.cpus: dict[int, str] = {}  # thread -> the CPU it was last seen on

    def take(self, thread: Thread, row: Row, name: str, value: str) -> None:
        self.cpus[thread.tid] = row.cells.get("cpu", "")
        super().take(thread, row, name, value)

    def interrupt(self, thread: Thread) -> None:
        """Only a thread of the same CPU interrupts; one of another runs at the same time."""
        if self.cpus.get(thread.tid) == self.cpus.get(self.latest.tid, self.latest.cells.get("cpu")):
            super().interrupt(thread)

    def advance(self, thread: Thread) -> None:
        asks = thread.standing == "malloc" and bool(thread.rows)
        if asks and not self.explained(thread):
            self.others_first(thread, lambda: self.explained(thread))
        super().advance(thread)
        if asks and isinstance(thread.handle, Handle):
            self.learn(int(thread.rows[-1].cells.get("handle", "0"), 16), thread.handle.page.number)

    def compare_begin(self, thread: Thread, row: Row, arguments: tuple[Any, ...]) -> None:
        self.others_first(thread, lambda: self.counted(row, {"full_before": "full", "pool_pages_before": "size"}))
        super().compare_begin(thread, row, arguments)

    def compare_end(self, thread: Thread, row: Row, result: Any) -> None:
        self.others_first(thread, lambda: self.counted(row, {"reached_full": "full", "pool_pages": "size", **COUNTERS}))
        super().compare_end(thread, row, result)

    def others_first(self, thread: Thread, explained: Any) -> None:
        """Drive the operations that overlap, one after the other, until `explained()`."""
        for other in self.overlapping(thread):
            row = other.rows[-1]
            while other.operation is not None and not explained():
                if other.standing == "malloc" and not self.explained(other):
                    break
                self.advance(other)
                for both in (row, *thread.rows[-1:]):
                    self.classify(both, "order inferred", WHY)

    def overlapping(self, thread: Thread) -> Iterator[Thread]:
        """Threads of other CPUs in the middle of an operation."""
        cpu = self.cpus.get(thread.tid)
        for other in list(self.threads.values()):
            if other is not thread and other.rows and other.operation is not None and not other.lost:
                if self.cpus.get(other.tid) != cpu:
                    yield other

    def counted(self, row: Row, names: dict[str, str]) -> bool:
        """Whether zswap's variables are as the row has them."""
        zswap = self.machine.zswap
        now = {"full": int(zswap.reached_full), "size": zswap.size, **dict(zswap.counters)}
        return all(
            row.cells.get(column, now[name]) == now[name] + self.apart.get(column.removesuffix("_before"), 0)
            for column, name in names.items()
        )

    def learn(self, recorded: int, number: int) -> None:
        """The address of a new page, before its store has ended: others may be put there meanwhile."""
        if not isinstance(self.placement, ZbudPlacement):
            return
        addresses = self.placement.addresses
        if recorded & 4095 == 64 and number not in addresses and recorded & ~4095 not in addresses.values():
            addresses[number] = recorded & ~4095

    def compare(self, row: Row, what: str, recorded: Any, model: Any) -> None:
        """A counter, or the pool's size, that has gone apart once is judged by its changes from there on."""
        name = what.removesuffix("_before")
        if (what in COUNTERS or name == "pool_pages") and recorded is not None:
            apart = self.apart.get(name, 0)
            if recorded != model + apart:
                self.apart[name] = recorded - model
                self.disagree(row, what, recorded, model + apart)
        else:
            super().compare(row, what, recorded, model)

    def explained(self, thread: Thread) -> bool:
        """Whether the backend, asked now, would give the place that was recorded."""
        row = thread.rows[-1]
        recorded = row.cells.get("handle")
        if row.op != "store" or recorded is None or not isinstance(self.placement, ZbudPlacement):
            return True
        address, zpool = int(recorded, 16), self.machine.zswap.pool.zpool
        addresses = self.placement.addresses
        chunks = (int(row.cells["alloc_size"]) + 63) // 64
        page = next((next(reversed(pages)) for pages in zpool.unbuddied[chunks:] if pages), None)
        first = address & 4095 == 64
        if page is None:
            return first and address & ~4095 not in addresses.values()
        return addresses.get(page.number) == address & ~4095 and first == (page.first is None)
