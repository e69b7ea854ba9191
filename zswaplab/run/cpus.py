"""Several CPUs that run operations of one machine step by step, under a schedule.

A step is what the model does from one `yield` to the next. A schedule says which CPU takes each step: "a5b3a"
is five steps of CPU a, three of b, one of a. It means the same whether somebody observes or not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from ..model.errors import BadInput, Fault
from ..model.machine import Machine
from ..model.steps import CALL, RETURN, Kernel, Lock, Step, watched
from .lockdep import CircularLocking, Lockdep

NAMES = "abcdefghijklmnopqrstuvwxyz"
_LONGEST = 1_000_000  # steps of a schedule: more than any run here takes
Start = Callable[[], Kernel]


class Wait(NamedTuple):
    """One blocked CPU: what it does, the lock it waits for, the CPU that has it, and whether that one has finished."""

    cpu: int
    task: str
    lock: str
    holder: int
    finished: bool

    def __str__(self) -> str:
        left = " left locked" if self.finished else ""
        who = f"CPU {NAMES[self.cpu]} ({self.task})"
        return f"{who} waits for the {self.lock}, which CPU {NAMES[self.holder]} has{left}"


class Deadlock(Fault):
    """No CPU can take a step, and not all have finished; `waits` says who waits for whom."""

    def __init__(self, waits: Sequence[Wait]) -> None:
        self.waits = tuple(waits)
        super().__init__("deadlock: " + "; ".join(map(str, waits)))


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that a CPU does.

    `text` as it is written in a workload, `kind` its first word, `pages` the numbers that follow, `cpu` who does it.
    `queued` says that nobody asked for it: a kworker does what was queued for one.
    """

    text: str
    kind: str
    pages: tuple[int, ...] = ()
    cpu: int = 0
    queued: bool = False

    @property
    def words(self) -> str:
        """The same in words: "page out 3", "the shrink worker"."""
        if self.queued:
            return {"worker": "the shrink worker"}.get(self.kind, self.kind)
        return self.text.replace("_", " ")

    def __str__(self) -> str:
        return self.words


def packed(steps: Iterable[int]) -> str:
    """A schedule as text: [0, 0, 1] is "a2b".

    >>> packed([0, 0, 0, 1, 0])
    'a3ba'
    """
    runs = ((NAMES[cpu], sum(1 for _ in same)) for cpu, same in groupby(steps))
    return "".join(name + (str(count) if count > 1 else "") for name, count in runs)


def unpacked(schedule: str, cpus: int) -> list[int]:
    """The CPU of each step. Raises BadInput for what is no schedule of so many CPUs.

    >>> unpacked("a3ba", 2)
    [0, 0, 0, 1, 0]
    """
    if not isinstance(schedule, str):
        raise BadInput(f"schedule={schedule!r} cannot be read: give it as a text, like 'a5b3a'")
    text = "".join(schedule.split()).lower()
    if not re.fullmatch(r"([a-z][0-9]*)*", text):
        raise BadInput(f"schedule={schedule!r} cannot be read: write letters of CPUs and numbers of steps: 'a5b3a'")
    steps: list[int] = []
    for letter, digits in re.findall(r"([a-z])([0-9]*)", text):
        cpu, count = NAMES.index(letter), int(digits[:9] or 1)
        if cpu >= cpus:
            raise BadInput(f"schedule={schedule!r} names CPU {letter}, and there are {cpus}: {', '.join(NAMES[:cpus])}")
        if len(digits) > 9 or len(steps) + count > _LONGEST:
            raise BadInput(f"schedule={schedule[:40]!r} is too long: give at most {_LONGEST:,} steps")
        steps += [cpu] * count
    return steps


def tasks_of(cpus: Sequence[str | Sequence[str]]) -> list[list[str]]:
    """What each CPU is to do: "free 3; page_out 4" or a list of operations. Raises BadInput for anything else."""
    wrong = f"cpus={cpus!r} cannot be: give a list of what each CPU does, like ['read 3', 'free 3']"
    if isinstance(cpus, str) or not isinstance(cpus, Sequence) or not 1 <= len(cpus) <= len(NAMES):
        raise BadInput(wrong)
    tasks = []
    for cpu in cpus:
        texts = cpu.split(";") if isinstance(cpu, str) else cpu
        if not isinstance(texts, Sequence) or not all(isinstance(text, str) for text in texts):
            raise BadInput(wrong)
        tasks.append([text.strip() for text in texts])
        if not tasks[-1]:
            raise BadInput("a CPU needs an operation to run, like 'read 3'")
    return tasks


def operation_of(machine: Machine, text: str, cpu: int = 0) -> tuple[Operation, Start]:
    """An operation that a CPU is to do, and what begins it. Raises BadInput where `machine` knows no such thing."""
    if not isinstance(text, str):
        raise BadInput(f"operation {text!r} cannot be: give a text, like 'read 3'")
    start, numbers = machine.parse(text)
    return Operation(text, text.split()[0], numbers, cpu), lambda: start(*numbers)


def need_page(operation: Operation, holds: Callable[[int], bool]) -> None:
    """Raise BadInput if an operation uses a page that holds nothing; `holds` says which do."""
    if operation.kind in ("read", "free", "page_out") and not holds(operation.pages[0]):
        page, verb = operation.pages[0], operation.kind.replace("_", " ")
        raise BadInput(
            f"page {page} was never written, or has been given up since, so there is nothing to {verb}: "
            f"write it first, with 'write {page}'"
        )


class Cpus:
    """CPUs of `machine`, numbered from 0, each with its operations; nothing has begun yet.

    `step(cpu)` takes one step, `taken` are the steps so far. With `one_cpu` they are tasks that share one CPU: none
    runs while another holds a spinlock. Raises BadInput for an operation that is not known.
    """

    def __init__(self, machine: Machine, cpus: Sequence[str | Sequence[str]], *, one_cpu: bool = False) -> None:
        tasks = tasks_of(cpus)
        self.setting(machine, [[operation_of(machine, text, cpu) for text in task] for cpu, task in enumerate(tasks)])
        self.one_cpu = one_cpu
        self.check_pages()

    @classmethod
    def of(cls, machine: Machine, operation: Operation, start: Start) -> Cpus:
        """One CPU that does one thing."""
        made = cls.__new__(cls)
        made.setting(machine, [[(operation, start)]])
        made.one_cpu = False
        return made

    @classmethod
    def nothing(cls, machine: Machine) -> Cpus:
        """A CPU that has done all it had to do."""
        made = cls.__new__(cls)
        made.setting(machine, [[]])
        made.one_cpu = False
        return made

    def setting(self, machine: Machine, work: list[list[tuple[Operation, Start]]]) -> None:
        self.machine = machine
        self.hook = machine.hook
        self.operations = [[operation for operation, _ in task] for task in work]
        self.starts = [[start for _, start in task] for task in work]
        self.tasks = [[operation.text for operation in task] for task in self.operations]
        self.lockdep: Lockdep | None = None
        self.warn: Callable[[CircularLocking], None] = refuse
        self.begin()

    def check_pages(self) -> None:
        """A page that is used must have been written, or be written by one of the CPUs."""
        every = [operation for task in self.operations for operation in task]
        written = {operation.pages[0] for operation in every if operation.kind == "write"}
        for operation in every:
            need_page(operation, lambda page: page in written or page in self.machine.written)

    def begin(self) -> None:
        """Nothing has run yet."""
        count = len(self.operations)
        self.running: list[Kernel | None] = [None] * count
        self.pending: list[Step | None] = [None] * count
        self.done = [0] * count  # operations finished
        self.results: list[Any] = [None] * count  # what the last finished operation of each returned
        self.taken: list[int] = []
        self.held: list[list[Lock]] = [[] for _ in range(count)]  # locks in the order in which they were taken

    # -- what can run ------------------------------------------------------------------------------

    def finished(self, cpu: int) -> bool:
        return self.done[cpu] == len(self.operations[cpu])

    def waits(self, cpu: int) -> Lock | None:
        """The lock on which a CPU is blocked, if it is."""
        step = self.pending[cpu]
        if step is None or step.kind != "acquire" or step.lock is None or step.lock.holder is None:
            return None
        return step.lock

    def ready(self) -> list[int]:
        """The CPUs that can take a step."""
        able = [cpu for cpu in range(len(self.tasks)) if not self.finished(cpu) and self.waits(cpu) is None]
        if self.one_cpu:
            spinning = [cpu for cpu in able if any(lock.holder == cpu and not lock.quiet for lock in self.held[cpu])]
            return spinning or able
        return able

    @property
    def over(self) -> bool:
        return all(done == len(mine) for done, mine in zip(self.done, self.operations, strict=True))

    def deadlock(self) -> Deadlock | None:
        """What to report where nobody can run and not all have finished."""
        if self.over or self.ready():
            return None
        return Deadlock([wait for cpu in range(len(self.operations)) if (wait := self.wait(cpu))])

    def wait(self, cpu: int) -> Wait | None:
        """Who has the lock on which a CPU is blocked, if it is."""
        lock = self.waits(cpu)
        if lock is None or lock.holder is None:
            return None
        return Wait(cpu, str(self.operation(cpu)), lock.name, lock.holder, self.finished(lock.holder))

    def operation(self, cpu: int) -> Operation:
        """What a CPU is doing, is to do next, or did last."""
        mine = self.operations[cpu]
        return mine[min(self.done[cpu], len(mine) - 1)] if mine else Operation("", "")

    def task(self, cpu: int) -> str:
        """The same as it was written."""
        return self.operation(cpu).text

    # -- running -----------------------------------------------------------------------------------

    def step(self, cpu: int) -> None:
        """One step of a CPU that can run; a fault of the modelled kernel is raised as it is."""
        operation, step = self.running[cpu], self.pending[cpu]
        self.taken.append(cpu)
        self.hook.task = cpu
        self.hook.cpu = 0 if self.one_cpu else cpu
        if operation is None:
            operation = self.running[cpu] = self.starts[cpu][self.done[cpu]]()
        elif step is not None and step.lock is not None:
            self.grant(cpu, step, step.lock)
        try:
            step = next(operation)
            while step is CALL or step is RETURN:
                step = next(operation)
            self.pending[cpu] = step
        except StopIteration as end:
            self.running[cpu] = self.pending[cpu] = None
            self.results[cpu] = end.value
            self.done[cpu] += 1

    def grant(self, cpu: int, step: Step, lock: Lock) -> None:
        """A lock is taken, or dropped."""
        held = self.held[cpu]
        if step.kind == "acquire":
            held[:] = [other for other in held if other.holder == cpu]  # some are dropped without a step
            lock.holder = cpu
            outer = [other.name for other in held]
            held.append(lock)
            if outer and self.lockdep:
                self.learn(cpu, outer, lock.name)
        else:
            lock.holder = None
            held.remove(lock)
        if self.hook.observer:
            self.hook.observer("lock" if step.kind == "acquire" else "unlock", lock, cpu)

    def learn(self, cpu: int, held: list[str], lock: str) -> None:
        """Tell lockdep that a lock is taken with others held."""
        if self.lockdep and not self.lockdep.knows(held, lock):
            stack = [f"{frame.f_code.co_name} ({Path(frame.f_code.co_filename).name}:{frame.f_lineno})"
                     for frame in frames_of(self.running[cpu]) if frame.f_code is not watched.__code__]  # fmt: skip
            if problem := self.lockdep.acquire(held, lock, self.who(cpu), stack[::-1]):
                self.warn(problem)

    def who(self, cpu: int) -> str:
        """A CPU and what it does, as reports name them."""
        return f"CPU {NAMES[cpu]} ({self.operation(cpu)})"

    def allow(self, cpu: int, schedule: str) -> None:
        """Raise BadInput unless that CPU can take the next step; `schedule` is what says so."""
        if not self.finished(cpu) and self.waits(cpu) is None:
            return
        taken = packed(self.taken) or "none"
        so_far = f"schedule={schedule!r} cannot go on after {len(self.taken)} steps ({taken}): CPU {NAMES[cpu]} "
        rest = f"ready: {', '.join(NAMES[other] for other in self.ready()) or 'none'}"
        if wait := self.wait(cpu):
            has = f"CPU {NAMES[wait.holder]} has{' left locked' if wait.finished else ''}"
            raise BadInput(f"{so_far}is blocked on the {wait.lock}, which {has}; {rest}")
        raise BadInput(f"{so_far}has finished {'; '.join(self.tasks[cpu])!r}; {rest}")

    def too_short(self, schedule: str) -> BadInput:
        """What to raise where a schedule ends and somebody could go on."""
        left = ", ".join(f"CPU {NAMES[cpu]} in {self.task(cpu)!r}" for cpu in self.ready())
        return BadInput(f"schedule={schedule!r} is too short: after {len(self.taken)} steps there is left {left}")

    def __repr__(self) -> str:
        lines = []
        for cpu, task in enumerate(self.tasks):
            lock, step = self.waits(cpu), self.pending[cpu]
            where = f"blocked on the {lock}" if lock else f"before {step or self.task(cpu)}"
            if self.finished(cpu):
                where = "finished"
            lines.append(f"CPU {NAMES[cpu]} {'; '.join(task)!r}: {where}")
        return "\n".join([*lines, f"schedule so far: {packed(self.taken) or 'none'}"])


def refuse(problem: CircularLocking) -> None:
    """Without somebody who notes it down, a warning of lockdep ends the run."""
    raise problem


def frames_of(operation: Any) -> Iterator[Any]:
    """The frames of a driven generator and of those that it drives, outermost first."""
    while operation is not None and operation.gi_frame is not None:
        yield operation.gi_frame
        operation = operation.gi_yieldfrom
