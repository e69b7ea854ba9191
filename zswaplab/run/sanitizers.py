"""Sanitizers: observers that say in the kernel's words what a real kernel would say of a run, and why.

KASAN (every touch of freed memory), list debugging, lockdep, and data integrity (whose bytes a read got, and
which steps lost the right ones). None of them decides anything: without them the model runs the same.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any

import zswaplab.model

from ..model.entry import Entry
from ..model.errors import Bug, DataLost, Fault, ListCorruption, UseAfterFree
from ..model.freed import LAYOUT, FreedClasses, is_freed, name_of, poison
from ..model.machine import Machine
from ..model.pools import Pool
from ..model.swap import Frame
from ..model.zpool import Handle
from ..model.zswap import Zswap
from .cpus import NAMES, Cpus, frames_of, unpacked
from .lockdep import Lockdep

if TYPE_CHECKING:
    from .search import Case

MODEL = str(Path(zswaplab.model.__file__).parent)
ENTRY_BYTES, ENTRY_BYTES_WITH_LINKS = 64, 80  # of struct zswap_entry, before patch 1 and from it on
Stack = list[str]


@dataclass
class Report:
    """One report: its `kind` ("KASAN", "list", ...), the `text`, and for KASAN the access.

    `access` is "read" or "write", of `size` bytes at `offset` of a freed object (None where the kernel's layout is
    not known), `field` the model's name for it, `function` the kernel's function or, failing that, the model's.
    """

    kind: str
    text: str
    access: str = ""
    size: int | None = None
    offset: int | None = None
    field: str = ""
    function: str = ""

    def __repr__(self) -> str:
        return self.text


def guard_objects(machine: Machine) -> None:
    """From now on an object that is given back to a backend is freed memory, too."""
    zswap = type(machine.zswap)
    if zswap.free_object is not free_and_poison:
        machine.zswap.__class__ = type(zswap.__name__, (zswap,), {"free_object": free_and_poison})


def free_and_poison(self: Zswap, pool: Pool, handle: Handle) -> None:
    """zpool_free. What lies in a page that is being reclaimed is pinned: it stays readable until that ends."""
    pinned = pool.zpool.pins(handle)
    pool.zpool.free(handle)
    if self.hook.observer:
        self.hook.observer("object free", handle, pinned)
    if not pinned:
        poison(handle, self.hook)


class Sanitizers:
    """Watches a machine from now on. With `multi_shot` it goes on past a touch of freed memory, as if nothing was.

    `reports` are what it has found, in order. Without `multi_shot` the first touch is also raised, as a fault.
    """

    def __init__(self, machine: Machine, *, multi_shot: bool = False) -> None:
        self.machine, self.multi_shot = machine, multi_shot
        self.reports: list[Report] = []
        self.task = "the machine"
        self.allocated: dict[int, tuple[str, Stack]] = {}
        self.freed: dict[int, tuple[str, Stack]] = {}
        self.kept: list[Any] = []  # what was freed, so that id() stays its own
        self.last: tuple[Any, ...] = ()
        self.before = machine.hook.observer
        self.tell: Callable[[Report], None] = self.reports.append
        self.pages = Pages(machine)
        hook = machine.hook
        hook.observer = self.observe
        hook.list_debug = self.list_broken
        hook.freed = FreedClasses(self.touched)
        guard_objects(machine)

    def detach(self) -> None:
        hook = self.machine.hook
        hook.observer, hook.list_debug, hook.freed = self.before, None, None

    # -- what the model tells ----------------------------------------------------------------------

    def observe(self, event: str, subject: Any, value: Any) -> None:
        if event == "alloc":
            self.allocated[id(subject)] = self.task, stack_here()
        elif event == "free":
            self.note_free(subject)
        elif event == "object free":
            self.note_free(subject)
        elif event == "write":
            self.pages.wrote(subject, value)
        if self.before:
            self.before(event, subject, value)

    def note_free(self, thing: Any) -> None:
        self.kept.append(thing)
        self.freed[id(thing)] = self.task, stack_here()

    def touched(self, thing: Any, access: str, field: str) -> None:
        """KASAN: one access of freed memory. The compiler checks an address once where it is read and then written."""
        frame = sys._getframe(2)
        same = id(thing), field, id(frame)
        again, self.last = self.last == same and access == "write", same
        if again:
            return
        name = name_of(thing)
        offset, size = LAYOUT[field] if name == "zswap_entry" else (None, None)
        stack = stack_here()
        function = kernel_function_of(frame)
        text = self.kasan(thing, function, access, field, offset, size, stack)
        self.tell(Report("KASAN", text, access, size, offset, field, function))
        if not self.multi_shot:
            raise UseAfterFree(access, field, offset, size, name)

    def kasan(
        self, thing: Any, function: str, access: str, field: str, offset: int | None, size: int | None, stack: Stack
    ) -> str:
        large = self.machine.stage.entry_lru
        bytes_ = ENTRY_BYTES_WITH_LINKS if large else ENTRY_BYTES
        lines = [
            f"BUG: KASAN: slab-use-after-free in {function}",
            f"{access.capitalize()} of size {size or '?'} (field {field!r}) by {self.task}",
            *traced("Call trace:", stack),
        ]
        for what, known in (("Allocated", self.allocated), ("Freed", self.freed)):
            if id(thing) in known:
                task, where = known[id(thing)]
                lines += traced(f"{what} by {task}:", where)
        lines.append(f"The buggy address belongs to {thing!r}, of the cache {name_of(thing)}")
        if offset is not None:
            lines.append(f"The buggy address is located {offset} bytes inside of freed {bytes_}-byte region")
        return "\n".join(lines)

    def list_broken(self, what: str) -> None:
        """List debugging has found something: said, and gone past, unless it is the first and we stop there."""
        text = "\n".join([what, *traced("Call trace:", stack_here())])
        self.tell(Report("list", text))
        if not self.multi_shot:
            raise ListCorruption(what)

    # -- what a driver tells -----------------------------------------------------------------------

    def failed(self, fault: Fault) -> None:
        """The run has ended with a fault: report it, unless that has been done where it arose."""
        if isinstance(fault, (UseAfterFree, ListCorruption)) and self.reports and not self.multi_shot:
            return
        text = str(fault)
        if isinstance(fault, DataLost):
            text = self.pages.report(text)
        kind = {Bug: "bug", DataLost: "data"}.get(type(fault), type(fault).__name__.lower())
        self.tell(Report(kind, text))


class Pages:
    """Where the right bytes of each page are, step by step, so that it can be said where the last copy went."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.written: dict[bytes, int] = {}  # contents -> the page whose they were
        self.places: dict[int, list[str]] = {}
        self.trail: dict[int, list[str]] = {}  # page -> what became of its bytes, step by step

    def wrote(self, page: int, data: bytes) -> None:
        self.written[data] = page
        self.trail[page] = []

    def after_step(self, cpus: Cpus, number: int) -> None:
        """Look where every page's bytes are now."""
        for page, data in self.machine.written.items():
            now = self.copies(data, cpus)
            if now != self.places.get(page):
                who = f"CPU {NAMES[cpus.taken[-1]]} ({cpus.task(cpus.taken[-1])})"
                where = " and ".join(now) or "no place any more"
                self.trail.setdefault(page, []).append(f"after step {number}, of {who}, its bytes are in {where}")
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

    def report(self, text: str) -> str:
        page = int(re.findall(r"page (\d+)", text)[0])
        got = self.machine.frames[page].data if page in self.machine.frames else bytes(4096)
        if got == bytes(4096):
            whose = "it got zeros: the device was read where nothing had been written"
        elif got in self.written:
            other = self.written[got]
            mine = "it got what it held before its last write"
            whose = mine if other == page else f"it got the bytes of page {other}"
        else:
            whose = "it got bytes that no page ever held"
        return "\n".join([text, whose, *self.trail.get(page, [])])


def holds(entry: Entry, data: bytes) -> bool:
    if is_freed(entry) or not entry.length:
        return not is_freed(entry) and data == entry.value.to_bytes(8, "little") * 512
    return not is_freed(entry.handle) and bool(entry.pool.compressor.decompress(entry.handle.data) == data)


# -- where it happened ------------------------------------------------------------------------------


def stack_here() -> Stack:
    """The running functions of the model, innermost first, as "function (file:line)"."""
    frame: FrameType | None = sys._getframe(1)
    rows = []
    while frame is not None:
        code = frame.f_code
        if code.co_filename.startswith(MODEL) and not code.co_filename.endswith(("steps.py", "freed.py")):
            rows.append(f"{kernel_name(code)} ({code.co_name}, {Path(code.co_filename).name}:{frame.f_lineno})")
        frame = frame.f_back
    return rows or ["the machine"]


def kernel_function_of(frame: FrameType | None) -> str:
    """The kernel's function in which an access is: the innermost that is not inlined."""
    while frame is not None and inlined(frame.f_code):
        frame = frame.f_back
    return kernel_name(frame.f_code) if frame else "the machine"


KERNEL_NAMES: dict[CodeType, str] = {}


def kernel_name(code: CodeType) -> str:
    """The kernel's function that a function of the model is, where it says so; else its own name."""
    if not KERNEL_NAMES:
        learn_names()
    return KERNEL_NAMES.get(code, code.co_name)


def inlined(code: CodeType) -> bool:
    """Whether the compiler makes it a part of its caller: what the kernel has no function of, and list operations."""
    return kernel_name(code) in ("__list_add", "__list_del_entry", code.co_name)


def learn_names() -> None:
    from ..model.lru import Lru
    from ..model.swap import Swap
    from ..model.tree import Tree

    for owner in (Machine, Swap, Tree, Lru, Zswap):
        for _, function in inspect.getmembers(owner, inspect.isfunction):
            plain = inspect.unwrap(function)
            said = re.findall(r"\(`(\w+)`\)|^(\w+):", (plain.__doc__ or "").split("\n")[0])
            name = getattr(function, "kernel", "") or "".join(next(iter(said), ()))
            if name:
                KERNEL_NAMES[plain.__code__] = name


def traced(title: str, stack: Stack) -> list[str]:
    return [title, *(f" {row}" for row in stack)]


# -- a failing schedule, told -----------------------------------------------------------------------


def watched_run(case: Case, schedule: str, *, multi_shot: bool = False) -> Sanitizers:
    """Run a case along a schedule with every sanitizer watching, until it fails or the schedule ends."""
    from .search import aftermath

    machine = case.machine_only()
    watch = Sanitizers(machine, multi_shot=multi_shot)
    watch.task = "the setup"
    lockdep = Lockdep()
    case.set_up(machine, lockdep)
    cpus = Cpus(machine, case.cpus, one_cpu=case.one_cpu)
    cpus.lockdep = lockdep
    try:
        follow(cpus, schedule, watch)
        problem = cpus.deadlock() or (aftermath(machine) if cpus.over else None)
        if problem:
            watch.failed(problem)
    except Fault as fault:
        watch.failed(fault)
    return watch


def follow(cpus: Cpus, schedule: str, watch: Sanitizers) -> None:
    for number, cpu in enumerate(unpacked(schedule, len(cpus.tasks)), start=1):
        cpus.allow(cpu, schedule, number - 1)
        watch.task = f"CPU {NAMES[cpu]} ({cpus.task(cpu)})"
        cpus.step(cpu)
        watch.pages.after_step(cpus, number)


def report(case: Case, schedule: str) -> str:
    """What the sanitizers say along a schedule; nothing if they are silent."""
    return "\n\n".join(found.text for found in watched_run(case, schedule).reports)
