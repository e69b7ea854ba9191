"""What a replay fed to the model, as a program that can run again without the recording and without an observer.

A program is a list of inputs (name, thread, arguments), in order. Most start a kernel function, which
runs to its end before the next input. "pause" says that its thread is interrupted after so many more
steps, "finish" that an interrupted one has gone to its end; "cache", "uncache", "own" and "disown" are what
the program's own faults and page-outs did to the swap cache and to the slots in use, "slot_cache" whether slots
that are given up wait from now on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Any

from ..model.machine import Machine
from ..model.steps import Kernel, Observer, Step
from ..model.swap import Frame, Swap

Input = tuple[str, int, tuple[Any, ...]]
Call = tuple[Callable[..., Any], tuple[Any, ...]]


def again(program: list[Input], machine: Machine) -> Machine:
    """Run a program on a fresh machine like the one it was recorded with; returns that machine."""
    return execute(compiled(program, machine), machine)


def execute(calls: list[Call], machine: Machine) -> Machine:
    """Make every call; a kernel function is driven straight through."""
    drive = deque[Step](maxlen=0).extend  # the cheapest loop over a generator there is
    for function, arguments in calls:
        operation = function(*arguments)
        if operation is not None:
            drive(operation)
    return machine


def compiled(program: list[Input], machine: Machine) -> list[Call]:
    """The program as calls of the machine's functions, so that running it is little more than calling them."""
    calls: list[Call] = []
    open: dict[int, Interrupted] = {}  # thread -> the function it is in, going backwards from the end
    for name, thread, arguments in reversed(program):
        if name in ("pause", "finish"):
            function = open.get(thread) or open.setdefault(thread, Interrupted(machine))
            calls.append(function.pause(*arguments) if name == "pause" else function.finish())
        elif name in OUTSIDE:
            calls.append((OUTSIDE[name], (machine.swap, *arguments)))
        elif thread in open:
            calls.append((open.pop(thread).begin, call(machine, name, arguments, Frame())))
        else:
            calls.append(unobserved(*call(machine, name, arguments, Frame())))
    return calls[::-1]


def unobserved(function: Callable[..., Kernel], arguments: tuple[Any, ...]) -> Call:
    """The same call of the generator itself, without the look whether somebody observes (`steps.kernel`)."""
    if hasattr(function, "__wrapped__"):
        return function.__wrapped__, (function.__self__, *arguments)  # type: ignore[attr-defined]
    return function, arguments


def call(machine: Machine, name: str, arguments: tuple[Any, ...], frame: Frame) -> Call:
    """The kernel function of the model that an input starts, and its arguments."""
    swap, zswap = machine.swap, machine.zswap
    if name == "writepage":
        offset, frame.data = arguments
        return swap.writepage, (offset, frame)
    if name == "readpage":
        return swap.readpage, (*arguments, frame)
    if name == "shrink_worker":
        return zswap.shrink_worker, (zswap.pools[-1],)
    if name == "kworker":
        return machine.kworker, ()
    return getattr(zswap if name == "invalidate_area" else swap, name), arguments


class Interrupted:
    """One run of a kernel function that another thread interrupts.

    Where a function begins or ends is a step only while somebody observes. So if it is interrupted just
    there, and only then, it runs with an observer that ignores everything.
    """

    def __init__(self, machine: Machine) -> None:
        self.hook = machine.hook
        self.observed = False
        self.operation: Kernel

    def pause(self, observed_steps: int, steps: int, at_step: bool) -> Call:
        self.observed = self.observed or not at_step
        return self.advance, (observed_steps, steps)

    def finish(self) -> Call:
        return self.advance, (None, None)

    def begin(self, function: Callable[..., Kernel], arguments: tuple[Any, ...]) -> None:
        self.hook.observer, before = self.observer(), self.hook.observer
        self.operation = function(*arguments)
        self.hook.observer = before

    def advance(self, observed_steps: int | None, steps: int | None) -> None:
        """The next steps of the function; without a number, all."""
        self.hook.observer, before = self.observer(), self.hook.observer
        deque(islice(self.operation, observed_steps if self.hook.observer else steps), maxlen=0)
        self.hook.observer = before

    def observer(self) -> Observer | None:
        return self.hook.observer or (ignore if self.observed else None)


def ignore(event: str, subject: Any, value: Any) -> None:
    pass


PROGRAMS_OWN = Frame()  # what is in a page of the program's in the swap cache does not matter here, only that one is


def is_new(swap: Swap, offset: int) -> bool:
    """Whether the slot is only now taken from the device."""
    return offset not in swap.in_use and offset not in swap.cache


def own(swap: Swap, offset: int) -> None:
    """A page has the slot, and is out of the swap cache (again)."""
    if is_new(swap, offset):
        swap.free_slots -= 1
    swap.in_use.add(offset)
    swap.cache.pop(offset, None)


def cache(swap: Swap, offset: int) -> None:
    own(swap, offset)
    swap.cache[offset] = PROGRAMS_OWN


def uncache(swap: Swap, offset: int) -> None:
    swap.cache.pop(offset, None)


def disown(swap: Swap, offset: int) -> None:
    swap.in_use.discard(offset)
    uncache(swap, offset)


def slot_cache(swap: Swap, active: int) -> None:
    swap.slot_cache_active = bool(active)


OUTSIDE: dict[str, Callable[[Swap, int], None]] = {
    "cache": cache, "uncache": uncache, "own": own, "disown": disown, "slot_cache": slot_cache,
}  # fmt: skip
