"""Steps: what a kernel function hands to whoever drives it, and the simplest driver.

A kernel function of the model is a generator. It yields a `Step` at every moment at which another
CPU could matter; the code between two yields is atomic. Who drives it decides what happens at a
yield: `run` goes straight on, the player stops there, a schedule lets another CPU run.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator
from typing import Any, Protocol

Kernel = Generator["Step", None, Any]  # what calling a kernel function gives
Observer = Callable[[str, Any, Any], None]  # (event, subject, value)


class Step:
    """One moment at which another CPU may run: its `kind`, and the lock if it takes or drops one."""

    __slots__ = ("kind", "lock")

    def __init__(self, kind: str, lock: Lock | None = None) -> None:
        self.kind = kind
        self.lock = lock

    def __repr__(self) -> str:
        return f"{self.kind} {self.lock.name}" if self.lock else self.kind


class Lock:
    """A spinlock. `yield lock.acquire` waits until the driver grants it, `yield lock.release` drops it.

    `holder` is the task that has it, None if nobody has; only a driver of several CPUs keeps it for such steps.
    `take` and `drop` are for a lock that is taken where nobody can be in the way, or dropped without a step.
    A `quiet` lock lies above zswap: a history of one CPU does not show it.
    """

    __slots__ = ("name", "acquire", "release", "holder", "quiet")

    def __init__(self, name: str, quiet: bool = False) -> None:
        self.name = name
        self.acquire = Step("acquire", self)
        self.release = Step("release", self)
        self.holder: int | None = None
        self.quiet = quiet

    def take(self, task: int) -> None:
        self.holder = task

    def drop(self) -> None:
        self.holder = None

    def __repr__(self) -> str:
        return self.name


UNLOCKED = Step("unlocked")  # shared data is read or written with no lock held
ALLOC = Step("alloc")  # of an entry, for which a thread may sleep
COMPRESS, DECOMPRESS = Step("compress"), Step("decompress")
MALLOC, MAP, UNMAP = Step("malloc"), Step("map"), Step("unmap")  # of an object in the backend
LOOKUP, SWAP_CACHE = Step("lookup"), Step("swap cache")  # the swap cache is asked, has been changed
SUBMIT, READ = Step("submit"), Step("read")  # IO on the swap device begins
FAULT = Step("fault")  # the page table is left unlocked meanwhile; not shown where only one CPU runs
CALL, RETURN = Step("call"), Step("return")  # only while observed: a kernel function begins, has ended


class Hook:
    """The one place where observers hang; all structures of a machine share it.

    `observer` is what the model tells, None where nobody listens: `subscribe` and `unsubscribe` set it.
    `freed`, if set, has the classes of freed objects, in place of those whose first touch is a fault.
    `list_debug`, if set, is told what the kernel's list debugging finds. `cpu` is the CPU that runs, `task` the
    number of what runs there: the same, but where several tasks share a CPU. `buffers` has what each CPU's
    zsmalloc copies objects to.
    """

    __slots__ = ("observer", "observers", "freed", "list_debug", "cpu", "task", "buffers")

    def __init__(self) -> None:
        self.observer: Observer | None = None
        self.observers: tuple[Observer, ...] = ()
        self.freed: dict[type, type] | None = None
        self.list_debug: Callable[[str], None] | None = None
        self.cpu = self.task = 0
        self.buffers: dict[int, Any] = {}

    def subscribe(self, observer: Observer) -> None:
        """From now on `observer` is told of every event, after those who subscribed before."""
        self.observers = (*self.observers, observer)
        self.choose()

    def unsubscribe(self, observer: Observer) -> None:
        """`observer` is told nothing more; nothing happens where it had not subscribed."""
        self.observers = tuple(other for other in self.observers if other != observer)
        self.choose()

    def choose(self) -> None:
        """Whom the model calls: nobody, the only observer itself, or one that calls them all."""
        self.observer = tell_all(self.observers) if len(self.observers) > 1 else next(iter(self.observers), None)


def tell_all(observers: tuple[Observer, ...]) -> Observer:
    """One observer that tells several."""

    def tell(event: str, subject: Any, value: Any) -> None:
        for observer in observers:
            observer(event, subject, value)

    return tell


class Hooked(Protocol):
    hook: Hook


def kernel(name: str) -> Callable[[Callable[..., Kernel]], Callable[..., Kernel]]:
    """Mark a generator method as the model of the kernel function `name`; observers see it begin and end."""

    def mark(function: Callable[..., Kernel]) -> Callable[..., Kernel]:
        @functools.wraps(function)
        def call(self: Hooked, *arguments: Any) -> Kernel:
            if self.hook.observer is None:
                return function(self, *arguments)
            return watched(self.hook.observer, function.__name__, arguments, function(self, *arguments))

        call.kernel = name  # type: ignore[attr-defined]
        return call

    return mark


def watched(observer: Observer, function: str, arguments: tuple[Any, ...], operation: Kernel) -> Kernel:
    observer("begin", function, arguments)
    yield CALL
    result = yield from operation
    observer("end", function, result)
    yield RETURN
    return result


def run(operation: Kernel) -> Any:
    """Drive `operation` straight through, as on a machine where nobody else runs; return its result."""
    try:
        while True:
            next(operation)
    except StopIteration as end:
        return end.value
