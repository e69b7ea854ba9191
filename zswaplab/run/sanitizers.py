"""Sanitizers: observers that say in the kernel's words what a real kernel would say of a run, and why.

KASAN (every touch of freed memory), list debugging, lockdep, and data integrity (whose bytes a read got, and
which steps lost the right ones). None of them decides anything: without them the model runs the same.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import zswaplab.model

from ..model.entry import Entry
from ..model.errors import Bug, DataLost, Fault, ListCorruption, UseAfterFree
from ..model.freed import ALIVE, LAYOUT, FreedClasses, is_freed, name_of
from ..model.lru import Lru
from ..model.machine import Machine
from ..model.swap import Frame, Swap
from ..model.tree import Tree
from ..model.zpool import Z3fold, Zbud, Zsmalloc
from ..model.zswap import Zswap
from .cpus import NAMES, Cpus, Deadlock, Wait, frames_of
from .lockdep import CircularLocking, Order

_MODEL = str(Path(zswaplab.model.__file__).parent)
_DRIVER = str(Path(__file__).with_name("cpus.py"))  # below it nothing of the model runs
_MACHINERY = ("steps.py", "freed.py")  # files of the model that no kernel has
ENTRY_BYTES, ENTRY_BYTES_WITH_LINKS = 64, 80  # of struct zswap_entry, before patch 1 and from it on


@dataclass(frozen=True)
class Call:
    """One running function: the model's name, the kernel's, and the line of the model's file where it stands."""

    function: str
    kernel: str
    file: str
    line: int
    code: CodeType = field(repr=False, compare=False)

    def __str__(self) -> str:
        return f"{self.kernel} ({self.function}, {self.file}:{self.line})"


@dataclass(frozen=True)
class Trace:
    """Who did something, in which step (moment) of the run, and the functions that ran, innermost first."""

    task: str
    step: int
    calls: tuple[Call, ...]

    def lines(self, title: str) -> list[str]:
        return [title, *(f" {call}" for call in self.calls or ("the machine",))]


@dataclass
class Report:
    """One report: its `kind` ("KASAN", "list", "lockdep", "data", "leak" ...), and its `text` in the kernel's shape.

    `step` is the moment in which it arose. For KASAN `access` is "read" or "write", of `size` bytes at `offset` of a
    freed object (None where the kernel's layout is not known), `field` the model's name for it, `function` the
    kernel's function or, failing that, the model's; `thing` is the object itself, `used`, `freed` and `allocated` say
    where. For lost data `page` is the page, `whose` says what it got, `trail` where its bytes were: (step, places).
    For a deadlock `waits` says who waits for whom, for lockdep `chains` has the orders that make the circle.
    """

    kind: str
    text: str
    step: int = 0
    access: str = ""
    size: int | None = None
    offset: int | None = None
    field: str = ""
    function: str = ""
    thing: Any = None
    used: Trace | None = None
    freed: Trace | None = None
    allocated: Trace | None = None
    page: int | None = None
    whose: str = ""
    trail: tuple[tuple[int, tuple[str, ...]], ...] = ()
    waits: tuple[Wait, ...] = ()
    chains: tuple[Order, ...] = ()

    def __repr__(self) -> str:
        return self.text


class _Freed(FreedClasses):
    """Where a run goes on past the first touch, what is freed already can come to be freed once more."""

    def __missing__(self, alive: type) -> type:
        if alive in ALIVE:
            raise Bug(f"double-free of <freed {ALIVE[alive]}>")
        return super().__missing__(alive)


class Sanitizers:
    """Watches a machine from now on. With `multi_shot` it goes on past a touch of freed memory, as if nothing was.

    `reports` are what it has found, in order. Without `multi_shot` the first touch is also raised, as a fault.
    `list_debugging` turns the kernel's list debugging on. `who` says whose step it is, `step` its number.
    """

    def __init__(
        self, machine: Machine, *, multi_shot: bool = False, list_debugging: bool = True,
        who: Callable[[], str] | None = None, step: Callable[[], int] | None = None,
    ) -> None:  # fmt: skip
        self.machine, self.multi_shot = machine, multi_shot
        self.who = who or (lambda: "the machine")
        self.step = step or (lambda: 0)
        self.reports: list[Report] = []
        self.allocated: dict[int, tuple[str, int, _Standing]] = {}
        self.freed: dict[int, tuple[str, int, _Standing]] = {}
        self.kept: list[Any] = []  # what was freed, so that id() stays its own
        self.last: tuple[Any, ...] = ()
        self.tell: Callable[[Report], None] = self.reports.append
        self.pages = Pages(machine)
        kind: type = type(machine.zswap)
        self.kernel_names = _kernel_names(kind)
        hook = machine.hook
        hook.subscribe(self.observe)
        hook.list_debug = self.list_broken if list_debugging else None
        hook.freed = _Freed(self.touched)

    def detach(self) -> None:
        hook = self.machine.hook
        hook.unsubscribe(self.observe)
        hook.list_debug, hook.freed = None, None

    # -- what the model tells ----------------------------------------------------------------------

    def observe(self, event: str, subject: Any, value: Any) -> None:
        if event not in _NOTED:
            return
        if event == "write":
            self.pages.wrote(subject, value)
        elif event == "alloc":
            self.allocated[id(subject)] = self.who(), self.step(), _standing()
        else:
            self.kept.append(subject)
            self.freed[id(subject)] = self.who(), self.step(), _standing()

    def trace(self, known: tuple[str, int, _Standing] | None) -> Trace | None:
        if known is None:
            return None
        task, step, stack = known
        return Trace(task, step, tuple(self.call(code, line) for code, line in stack))

    def call(self, code: CodeType, line: int) -> Call:
        name, _ = self.kernel_names.get(code, (code.co_name, True))
        return Call(code.co_name, name, Path(code.co_filename).name, line, code)

    def here(self) -> Trace:
        return Trace(self.who(), self.step(), tuple(self.call(code, line) for code, line in _standing()))

    def touched(self, thing: Any, access: str, field: str) -> None:
        """KASAN: one access of freed memory. The compiler checks an address once where it is read and then written."""
        frame = sys._getframe(2)
        same = id(thing), field, id(frame)
        again, self.last = self.last == same and access == "write", same
        if again:
            return
        name = name_of(thing)
        offset, size = LAYOUT[field] if name == "zswap_entry" else (None, None)
        report = Report("KASAN", "", self.step(), access, size, offset, field, self.function_of(frame), thing)
        report.used, report.freed = self.here(), self.trace(self.freed.get(id(thing)))
        report.allocated = self.trace(self.allocated.get(id(thing)))
        report.text = self.kasan(report)
        self.tell(report)
        if not self.multi_shot:
            raise UseAfterFree(access, field, offset, size, name)

    def function_of(self, frame: FrameType | None) -> str:
        """The kernel's function in which an access is: the innermost that the compiler does not inline."""
        while frame is not None:
            name, inlined = self.kernel_names.get(frame.f_code, (frame.f_code.co_name, True))
            if not inlined:
                return name
            frame = frame.f_back
        return "the machine"

    def kasan(self, found: Report) -> str:
        """A report in the kernel's shape."""
        bytes_ = ENTRY_BYTES_WITH_LINKS if self.machine.stage.entry_lru else ENTRY_BYTES
        used = found.used or self.here()
        lines = [
            f"BUG: KASAN: slab-use-after-free in {found.function}",
            f"{found.access.capitalize()} of size {found.size or '?'} (field {found.field!r}) by {used.task}",
            *used.lines("Call trace:"),
        ]
        for what, known in (("Allocated", found.allocated), ("Freed", found.freed)):
            if known:
                lines += known.lines(f"{what} by {known.task}:")
        lines.append(f"The buggy address belongs to {found.thing!r}, of the cache {name_of(found.thing)}")
        if found.offset is not None:
            lines.append(f"The buggy address is located {found.offset} bytes inside of freed {bytes_}-byte region")
        return "\n".join(lines)

    def list_broken(self, what: str) -> None:
        """List debugging has found something: said, and gone past, unless it is the first and we stop there."""
        here = self.here()
        self.tell(Report("list", "\n".join([what, *here.lines("Call trace:")]), self.step(), used=here))
        if not self.multi_shot:
            raise ListCorruption(what)

    # -- what a driver tells -----------------------------------------------------------------------

    def warned(self, problem: CircularLocking) -> None:
        """Lockdep warns, and the kernel goes on."""
        self.tell(self.report(problem))

    def failed(self, fault: Fault) -> None:
        """The run has ended with a fault: report it, unless that has been done where it arose."""
        if isinstance(fault, (UseAfterFree, ListCorruption)) and self.reports and not self.multi_shot:
            return
        self.tell(self.report(fault))

    def report(self, fault: Fault) -> Report:
        kind = _KINDS.get(type(fault), type(fault).__name__.lower())
        found = Report(kind, str(fault), self.step())
        if isinstance(fault, DataLost):
            found.page, found.whose = fault.page, self.pages.whose(fault)
            found.trail = tuple(self.pages.trail.get(fault.page, ()))
            found.text = "\n".join([found.text, found.whose, *self.pages.told(fault.page)])
        elif isinstance(fault, Deadlock):
            found.waits = fault.waits
        elif isinstance(fault, CircularLocking):
            found.chains = fault.chain
        return found


_NOTED = frozenset({"alloc", "free", "object free", "write"})
_KINDS: dict[type[Fault], str] = {Bug: "bug", DataLost: "data", CircularLocking: "lockdep"}


class Pages:
    """Where the right bytes of each page are, step by step, so that it can be said where the last copy went."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.written: dict[bytes, int] = {}  # contents -> the page whose they were
        self.places: dict[int, tuple[str, ...]] = {}
        self.trail: dict[int, list[tuple[int, tuple[str, ...]]]] = {}  # page -> where its bytes were: (step, places)
        self.who: dict[int, str] = {}  # step -> whose it was

    def wrote(self, page: int, data: bytes) -> None:
        self.written[data] = page
        self.trail[page] = []

    def after_step(self, cpus: Cpus, step: int) -> None:
        """Look where every page's bytes are now."""
        self.who[step] = f"step {len(cpus.taken)}, of {cpus.who(cpus.taken[-1])}"
        for page, data in self.machine.written.items():
            now = tuple(self.copies(data, cpus))
            if now != self.places.get(page):
                self.trail.setdefault(page, []).append((step, now))
            self.places[page] = now

    def copies(self, data: bytes, cpus: Cpus) -> list[str]:
        """Every place that has these bytes and is in use."""
        machine, swap = self.machine, self.machine.swap
        found = [f"the frame of page {page}" for page, frame in machine.frames.items() if frame.data == data]
        found += [f"the swap cache at slot {slot}" for slot, frame in swap.cache.items() if frame.data == data]
        found += [f"slot {slot} of the device" for slot, content in swap.disk.items() if content == data]
        for tree in machine.zswap.trees.values():
            found += [f"the entry of slot {entry.offset}" for entry in tree.entries.values() if holds(entry, data)]
        for cpu, operation in enumerate(cpus.running):
            for frame in frames_of(operation):
                values = frame.f_locals.values()
                if any(isinstance(value, Frame) and value.data == data for value in values):
                    found.append(f"a frame of CPU {NAMES[cpu]} alone")
                    break
        return found

    def whose(self, lost: DataLost) -> str:
        """Whose bytes a page got in place of its own."""
        page, got = lost.page, lost.got
        if got == bytes(4096):
            return "it got zeros: the device was read where nothing had been written"
        if got not in self.written:
            return "it got bytes that no page ever held"
        other = self.written[got]
        return "it got what it held before its last write" if other == page else f"it got the bytes of page {other}"

    def told(self, page: int) -> list[str]:
        """The trail of a page's bytes, a line a change."""
        return [f"after {self.who[step]}, its bytes are in {' and '.join(places) or 'no place any more'}"
                for step, places in self.trail.get(page, ())]  # fmt: skip


def holds(entry: Entry, data: bytes) -> bool:
    if is_freed(entry) or not entry.length:
        return not is_freed(entry) and data == entry.value.to_bytes(8, "little") * 512
    return not is_freed(entry.handle) and bool(entry.pool.compressor.decompress(entry.handle.data) == data)


# -- where it happened ------------------------------------------------------------------------------

_Standing = list[tuple[CodeType, int]]


def _standing() -> _Standing:
    """The running functions of the model and the line of each, innermost first."""
    frame: FrameType | None = sys._getframe(1)
    found = []
    while frame is not None and frame.f_code.co_filename != _DRIVER:
        code = frame.f_code
        if code.co_filename.startswith(_MODEL) and not code.co_filename.endswith(_MACHINERY):
            found.append((code, frame.f_lineno))
        frame = frame.f_back
    return found


# The kernel's functions whose models are no kernel functions to an observer: plain parts of one, or of the swap layer.
_PARTS: dict[type, dict[str, str]] = {
    Machine: {"drop_slot": "free_swap_and_cache", "still_out": "pte_same", "swap_in": "do_swap_page"},
    Swap: {
        "flush_slots": "swapcache_free_entries", "frontswap_invalidate_page": "__frontswap_invalidate_page",
        "frontswap_load": "__frontswap_load", "frontswap_store": "__frontswap_store", "leave": "swap_entry_free",
    },
    Tree: {
        "erase": "zswap_rb_erase", "find_get": "zswap_entry_find_get", "insert": "zswap_rb_insert",
        "search": "zswap_rb_search",
    },
    Lru: {
        "link": "__list_add", "unlink": "__list_del_entry", "wrong_to_add": "__list_add_valid",
        "wrong_to_delete": "__list_del_entry_valid",
    },
    Zswap: {
        "can_accept": "zswap_can_accept", "entry_put": "zswap_entry_put", "free_entry": "zswap_free_entry",
        "invalidate_entry": "zswap_invalidate_entry", "is_full": "zswap_is_full", "pool_get": "zswap_pool_get",
        "pool_put": "zswap_pool_put", "update_total_size": "zswap_update_total_size",
    },
    Zbud: {"free": "zbud_free", "malloc": "zbud_alloc", "shrink": "zbud_reclaim_page"},
    Z3fold: {
        "free": "z3fold_free", "malloc": "z3fold_alloc", "move_lone_object": "compact_single_buddy",
        "release": "__release_z3fold_page", "take_listed": "__z3fold_alloc",
    },
    Zsmalloc: {
        "find_zspage": "find_get_zspage", "free": "zs_free", "malloc": "zs_malloc", "map_handle": "zs_map_object",
        "move_objects": "migrate_zspage", "relist": "fix_fullness_group", "shrink": "zs_reclaim_page",
    },
}  # fmt: skip
_INLINED = ("__list_add", "__list_del_entry")  # the compiler makes them a part of their callers


@cache
def _kernel_names(zswap: type) -> dict[CodeType, tuple[str, bool]]:
    """Code of a function of the model -> (the kernel's name, whether the compiler makes it a part of its caller)."""
    found = {}
    for owner, parts in {**_PARTS, zswap: _PARTS[Zswap]}.items():
        for name, function in inspect.getmembers(owner, inspect.isfunction):
            kernel = getattr(function, "kernel", "") or parts.get(name, "")
            if kernel:
                found[inspect.unwrap(function).__code__] = kernel, kernel in _INLINED
    return found
