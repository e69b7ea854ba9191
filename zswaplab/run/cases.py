"""The named cases: what a search must find, each as operations of a machine, never as the bug itself.

`looks_for` is the kind of failure that the case is about; whatever else its search finds is told too. `known` says
what is known from elsewhere: "measured" on real kernels, or "read" where it was only concluded from their source.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from ..model.compressors import Deflate
from ..model.errors import Fault
from ..model.machine import Machine
from ..model.zpool import ZPOOLS
from .cpus import packed
from .search import Case, Explored, Found, explore

_UAF, _LOST, _BUG, _LEAK = "UseAfterFree", "DataLost", "Bug", "Leak"
_ANYTHING = (_UAF, _LOST, _BUG, _LEAK, "Deadlock", "Livelock", "CircularLocking", "ListCorruption")
_SYNCHRONOUS: dict[str, Any] = {"device": "synchronous"}
_NOISE = random.Random(0).randbytes(4096)  # no compressor makes it smaller, so it goes to the device
_TWO_READS, _AND_A_FREE = ("read 3", "read 3"), ("read 3", "read 3", "free 3")
_RECYCLED = ("worker", "free 3; page_out 4")  # on a device of one slot, page 4 gets the slot of page 3
_ONE_SLOT: dict[str, Any] = {"swap_pages": 2}
_OUT_AND_WRITTEN = ("write 3", "page_out 3", "write 4")


class WrongPool(Fault):
    """The shrink worker has emptied another pool than the one that grew."""


class Starved(Fault):
    """The shrink worker has given up on one page that cannot go, while others could."""


@dataclass(frozen=True)
class Named:
    """A case with its name: `fails` says what is known, None that nothing is."""

    name: str
    what: str
    case: Case
    fails: bool
    looks_for: tuple[str, ...]
    known: str = "measured"

    def run(self, every: bool = True) -> Result:
        explored = explore(self.case, every=every)
        return Result(self, explored, [found for found in explored.failures if found.kind in self.looks_for])


@dataclass(frozen=True)
class Result:
    """What the search of a named case gave; `found` are the failures that it looks for, the shortest first."""

    named: Named
    explored: Explored
    found: list[Found]

    @property
    def as_known(self) -> bool:
        return bool(self.found) == self.named.fails and self.explored.bound is None

    def row(self) -> dict[str, Any]:
        """One row of the table of cases."""
        first = self.found[0] if self.found else None
        machine = self.named.case.machine
        return {
            "case": self.named.name, "stage": machine.get("stage", "v6.5"), "found": bool(self.found),
            "steps": len(first.schedule) if first else None, "schedule": packed(first.schedule) if first else None,
            "states": self.explored.states, "schedules": self.explored.schedules,
            "seconds": round(self.explored.seconds, 2), "known": self.named.known,
            "also": sorted({found.kind for found in self.explored.failures} - set(self.named.looks_for)),
        }  # fmt: skip


def _on(stage: str, exclusive_loads: str = "off", **more: Any) -> dict[str, Any]:
    return {"stage": stage, "exclusive_loads": exclusive_loads, **more}


def _same_filled(m: Machine) -> None:
    m.write(3, bytes(4096))
    m.page_out(3)


def _noise_in_page_4(m: Machine) -> None:
    m.write(4, _NOISE)


def _no_room(m: Machine) -> None:
    """From here on zswap takes no page, and its worker never thinks that there is room enough."""
    m.set(max_pool_percent=0)


def _another_compressor(m: Machine) -> None:
    """Page 1 stays in the old pool; two pages of the new one are more than zswap may have."""
    other = Deflate()
    other.name = "deflate again"
    m.set(compressor=other)
    for page in (2, 3, 4):
        m.write(page)
        m.page_out(page)
    m.write(5)
    m.set(max_pool_percent=0)


def _wrong_pool(m: Machine) -> Fault | None:
    """Once the worker has run: the page of the old pool was written back, none of the pool that is too large."""
    written = {page for page, slot in m.slots.items() if slot in m.swap.disk}
    if 1 in written and not written & {2, 3, 4}:
        return WrongPool("the shrink worker was queued for the oldest pool; the pool that grew is as large as before")
    return None


def _starved(m: Machine) -> Fault | None:
    """Once the worker has given up: pages wait that could have been written, and none was."""
    waiting = [entry.offset for entry in m.zswap.pool.lru if entry.offset not in m.swap.cache]
    if waiting and not m.swap.disk:
        return Starved(f"livelock: the worker gave up on one page again and again; slot {waiting[0]} could have gone")
    return None


def table() -> list[Named]:
    return [*_measured(), *_of_section_4(), *_beside_swapoff(), *_claimed_slots(), *_stale_headers(), *_found_here()]


def _measured() -> list[Named]:
    """The rows of what was measured on real kernels."""
    rows = [
        Named(f"uaf-{stage}-{device}", "the review's crash: one load, one CPU",
              Case(("read 3",), _on(stage, "v1", device=device)), True, (_UAF,))
        for stage in ("rfc2-1", "rfc2-2") for device in ("ordinary", "synchronous")
    ]  # fmt: skip
    rows.append(Named(
        "uaf-same-filled", "the same with a same-filled page",
        Case(("read 3",), _on("rfc2-2", "v1"), (), _same_filled), True, (_UAF,),
    ))  # fmt: skip
    for letter, order in (("a", "move, invalidate, put"), ("b", "put, invalidate or move")):
        remedied = _on("rfc2-2", "v1", load_end=order)
        rows += [
            Named(f"remedy-{letter}-one-cpu", f"the review's remedy, {order!r}, on one CPU",
                  Case(("read 3; page_out 3; read 3; write 3; page_out 3; worker; read 3; free 3",), remedied), False,
                  (_UAF, _BUG, _LOST)),
            Named(f"remedy-{letter}-two-reads", "the same, two reads of a page at once",
                  Case(_TWO_READS, {**remedied, **_SYNCHRONOUS}), True, (_UAF, _BUG)),
        ]  # fmt: skip
    rows += [
        Named("base-v1-two-reads", "exclusive loads v1 without the series", Case(
            _TWO_READS, _on("base", "v1", **_SYNCHRONOUS)), True, (_UAF, _BUG)),
        Named("rfc2-4-off", "two reads and a slot free, no exclusive loads", Case(
            _AND_A_FREE, _on("rfc2-4", **_SYNCHRONOUS)), True, (_UAF,)),
        Named("4-off", "the same with the snippet's order, as merged", Case(
            _AND_A_FREE, _on("4", **_SYNCHRONOUS)), True, (_UAF,)),
        Named("4-v2", "two reads, exclusive loads v2", Case(
            _TWO_READS, _on("4", "v2", **_SYNCHRONOUS)), True, (_UAF, _BUG)),
        Named("v6.5-off", "two reads and a slot free", Case(
            _AND_A_FREE, _on("v6.5", **_SYNCHRONOUS)), False, (_UAF, _BUG, _LOST)),
        Named("v6.5-off-worker", "two reads and the worker", Case(
            (*_TWO_READS, "worker"), _on("v6.5", **_SYNCHRONOUS)), False, (_UAF, _BUG, _LOST), "found by the search"),
        Named("v6.5-on", "two reads, exclusive loads", Case(
            _TWO_READS, _on("v6.5", "fixed", **_SYNCHRONOUS)), True, (_LOST,)),
        Named("v6.5-on-uaf", "the same: no use after free", Case(
            _TWO_READS, _on("v6.5", "fixed", **_SYNCHRONOUS)), False, (_UAF, _BUG)),
        Named("lock-order", "lru_lock taken before the tree lock in load", Case(
            ("read 3",), _on("rfc2-2"), functions={"load": "lru_lock first"}), True, ("CircularLocking",)),
    ]  # fmt: skip
    return rows


def _of_section_4() -> list[Named]:
    """The bug's relatives, each as it is known."""
    recycled = Case(_RECYCLED, _on("base", **_ONE_SLOT), _OUT_AND_WRITTEN)
    noise = replace(recycled, before=("write 3", "page_out 3"), prepare=_noise_in_page_4)
    unchecked = replace(noise, functions={"write_out": "no recheck"})
    rows = [
        Named("B-base-v2", "double invalidate: a load and a slot free", Case(
            ("read 3", "free 3"), _on("base", "v2", **_SYNCHRONOUS)), True, (_UAF, _BUG), "read"),
        Named("B-1-v2", "the same with patch 1", Case(
            ("read 3", "free 3"), _on("1", "v2", **_SYNCHRONOUS)), True, (_UAF, _BUG), "read"),
        Named("B-v6.5", "the same, fixed", Case(
            ("read 3", "free 3"), _on("v6.5", "fixed", **_SYNCHRONOUS)), False, (_UAF, _BUG), "read"),
        Named("B2-1-off", "the same interleaving, loads not exclusive", Case(
            ("read 3", "free 3"), _on("1", **_SYNCHRONOUS)), True, (_UAF,), "read"),
        Named("C-unchecked", "slot recycled during writeback, its recheck taken out",
              unchecked, True, (_LOST,), "read"),
        Named("C-base", "the same, with the recheck", noise, False, (_LOST,), "read"),
    ]  # fmt: skip
    for stage, fails in (("base", True), ("1", True), ("2", True), ("5", True), ("6", False), ("v6.5", False)):
        case = replace(recycled, machine=_on(stage, **_ONE_SLOT))
        what = "slot recycled before writeback looks for its entry"
        if stage in ("base", "1"):
            what += "; reclaim pins the page of zbud, not the object in it"
        rows.append(Named(f"C2-{stage}", what, case, fails, (_LOST,), "read"))
    for stage, fails in (("v6.1", False), ("base", True), ("v6.5", True)):
        case = replace(noise, machine=_on(stage, **_ONE_SLOT))
        what = "the frame of a recycled slot is never unlocked"
        rows.append(Named(f"D-{stage}", what, case, fails, (_LEAK,), "read"))
        hung = replace(case, cpus=("worker", "free 3; page_out 4; read 4"))
        what = "and a fault that has found the frame before waits for ever"
        rows.append(Named(f"D-hang-{stage}", what, hung, fails, ("Deadlock",), "read"))
    for stage in ("base", "2", "v6.5"):
        case = Case(("worker", "swapoff"), _on(stage), ("write 3", "page_out 3"))
        rows.append(Named(f"I-{stage}", "writeback while swapoff frees the tree", case, True, (_UAF, _BUG), "read"))
    rows += [
        Named("K", "an exclusive load without the swap cache, discarded", Case(
            _TWO_READS, _on("v6.5", "fixed", **_SYNCHRONOUS)), True, (_LOST,)),
        Named("E", "a refused store's reference to the pool is never dropped", Case(
            ("page_out 4; page_out 5; worker",), _on("v6.5"), ("write 3", "page_out 3", "write 4", "write 5"),
            _no_room), True, (_LEAK,), "read"),
        Named("F", "the worker shrinks the oldest pool, not the one that grew", Case(
            ("page_out 5; worker",), _on("v6.5"), ("write 1", "page_out 1"), _another_compressor, check=_wrong_pool),
            True, ("WrongPool",), "read"),
    ]  # fmt: skip
    first_cannot_go = ("write 3", "page_out 3", "read 3", "write 4", "page_out 4")
    head = Case(("worker",), _on("v6.5"), first_cannot_go, _no_room, worker_failures=16, check=_starved)
    tail = replace(head, functions={"reclaim_entry": "failures to the tail"})
    rows += [
        Named("M-head", "a page that cannot go returns to the head", head, False, ("Starved", "Livelock"), "read"),
        Named("M-tail", "it returns to the tail: livelock", tail, True, ("Starved", "Livelock"), "read"),
    ]
    return rows


def _beside_swapoff() -> list[Named]:
    """I, the other side: swapoff waits for whoever still has to do with the device, the worker left out."""
    rows = []
    for stage in ("v6.1", "base", "2", "v6.5"):
        for verb in ("free", "read", "write", "page_out"):
            before = ("write 3",) if verb == "page_out" else ("write 3", "page_out 3")
            case = Case((f"{verb} 3", "swapoff"), _on(stage), before)
            rows.append(Named(f"I-{verb}-{stage}", "swapoff waits for it", case, False, _ANYTHING, "read"))
    rows += [
        Named("I-two-of-them", "a page-out and a free", Case(
            ("page_out 3", "free 3", "swapoff"), _on("v6.5"), ("write 3",)), False, _ANYTHING, "read"),
        Named("I-twice", "two at once: the second finds the device off", Case(
            ("swapoff; page_out 3", "swapoff"), _on("v6.5"), ("write 3", "page_out 3")), False, _ANYTHING, "read"),
        *(Named(f"I-read-{stage}-synchronous", "a read past the swap cache", Case(
            ("read 3", "swapoff"), _on(stage, **_SYNCHRONOUS), ("write 3", "page_out 3")), False, _ANYTHING, "read")
          for stage in ("v6.1", "v6.5")),
        Named("I-read-4-synchronous", "the same, with the snippet's order at a load's end", Case(
            ("read 3", "swapoff"), _on("4", **_SYNCHRONOUS), ("write 3", "page_out 3")), True, (_UAF,),
            "found by the search"),
    ]  # fmt: skip
    return rows


def _claimed_slots() -> list[Named]:
    """A fault past the swap cache while its slot is used again: 6.1.192 claims the slot first, 6.4 and 6.5 do not."""
    rows = [
        Named(f"claimed-{stage}", "a slot used again under a fault past the swap cache", Case(
            ("read 3", "write 3 17; page_out 3"), _on(stage, **_SYNCHRONOUS, **_ONE_SLOT), ("write 3", "page_out 3")),
            fails, (_LOST,), known)
        for stage, fails, known in (
            ("v6.1", False, "read"), ("v6.4", True, "found by the search"), ("v6.5", True, "found by the search"))
    ]  # fmt: skip
    two_reads = Case(_AND_A_FREE, _on("v6.1", **_SYNCHRONOUS))
    return [*rows, Named("claimed-two-reads", "two reads and a slot free", two_reads, False, _ANYTHING, "read")]


def _across_pages(m: Machine) -> None:
    """Objects of one size in a zspage: the second, the oldest on the LRU, lies across two of its pages, and so will
    the fifth.
    """
    for page in (1, 2, 3, 4, 5):
        m.write(page, random.Random(page).randbytes(2460) + bytes(4096 - 2460))
        if page < 5:
            m.page_out(page)
    m.read(1)


def _stale_headers() -> list[Named]:
    """O: patch 6 reads an object's header after its mapping has ended. Two tasks share the CPU's buffer."""
    if "zsmalloc" not in ZPOOLS:
        return []
    rows = []
    for stage, fails in (("5", False), ("6", True), ("7", False)):
        case = Case(("worker", "page_out 5"), _on(stage, zpool="zsmalloc"), (), _across_pages, one_cpu=True)
        rows.append(Named(f"O-{stage}", "a header read after unmap", case, fails, (_LOST,), "read"))
    return rows


def _found_here() -> list[Named]:
    """What a search has found that no text told."""
    return [
        *(Named(f"base-reference-{stage}", "a slot freed between writeback's last put and reclaim's", Case(
            ("worker", "free 3"), _on(stage)), fails, (_UAF, _BUG), "found by the search")
          for stage, fails in (("base", False), ("2", True), ("rfc2-4", True), ("6", False), ("v6.5", False))),
        Named("header-before-it-is-written", "a backend evicts an object whose store has not filled it", Case(
            ("worker", "page_out 4"), _on("base"), ("write 4",)), True, ("Uninitialised",), "found by the search"),
    ]  # fmt: skip


def case_named(name: str, cases: Iterable[Named]) -> Named:
    """Raises BadInput for a name that is not there."""
    from ..model.errors import choose

    known = {named.name: named for named in cases}
    choose("case", name, known)
    return known[name]
