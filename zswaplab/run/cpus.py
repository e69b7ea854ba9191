"""Several CPUs that run operations of one machine step by step, under a schedule.

A step is what the model does from one `yield` to the next. A schedule says which CPU takes each step: "a5b3a"
is five steps of CPU a, three of b, one of a. It means the same whether somebody observes or not.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ..model.errors import BadInput, Fault
from ..model.machine import Machine
from ..model.steps import CALL, RETURN, Kernel, Lock, Step
from .lockdep import Lockdep

NAMES = "abcdefghijklmnopqrstuvwxyz"


class Deadlock(Fault):
    """No CPU can take a step, and not all have finished."""


def packed(steps: Iterable[int]) -> str:
    """A schedule as text: [0, 0, 1] is "a2b"."""
    text, row = "", list(steps)
    while row:
        count = next((i for i, cpu in enumerate(row) if cpu != row[0]), len(row))
        text += NAMES[row[0]] + (str(count) if count > 1 else "")
        row = row[count:]
    return text


def unpacked(schedule: str, cpus: int) -> list[int]:
    """The CPU of each step. Raises BadInput for what is no schedule of so many CPUs."""
    text = "".join(schedule.split()).lower()
    if not re.fullmatch(r"([a-z]\d*)*", text):
        raise BadInput(f"schedule={schedule!r} cannot be read: write letters of CPUs and numbers of steps: 'a5b3a'")
    steps = []
    for letter, count in re.findall(r"([a-z])(\d*)", text):
        cpu = NAMES.index(letter)
        if cpu >= cpus:
            raise BadInput(f"schedule={schedule!r} names CPU {letter}, and there are {cpus}: {', '.join(NAMES[:cpus])}")
        steps += [cpu] * int(count or 1)
    return steps


def tasks_of(cpus: Sequence[str | Sequence[str]]) -> list[list[str]]:
    """What each CPU is to do: "free 3; page_out 4" or a list of operations."""
    if isinstance(cpus, str) or not 1 <= len(cpus) <= len(NAMES):
        raise BadInput(f"cpus={cpus!r} cannot be: give a list of what each CPU does, like ['read 3', 'free 3']")
    tasks = [[text.strip() for text in (cpu.split(";") if isinstance(cpu, str) else cpu)] for cpu in cpus]
    for task in tasks:
        if not task:
            raise BadInput("a CPU needs an operation to run, like 'read 3'")
    return tasks


class Cpus:
    """CPUs of `machine`, numbered from 0, each with its operations; nothing has begun yet.

    `step(cpu)` takes one step; `run` follows a schedule or a seed. `taken` are the steps so far. With `one_cpu`
    they are tasks that share one CPU: none runs while another holds a spinlock. Raises BadInput for an operation
    that is not known.
    """

    def __init__(self, machine: Machine, cpus: Sequence[str | Sequence[str]], *, one_cpu: bool = False) -> None:
        self.one_cpu = one_cpu
        self.machine = machine
        self.hook = machine.hook
        self.tasks = tasks_of(cpus)
        self.operations = [[machine.parse(text) for text in task] for task in self.tasks]
        self.check_pages()
        self.lockdep: Lockdep | None = None
        self.begin()

    def check_pages(self) -> None:
        """A page that is read or freed must have been written, or be written by one of the CPUs."""
        texts = [text.split() for task in self.tasks for text in task]
        written = {int(words[1]) for words in texts if words[0] == "write"} | set(self.machine.written)
        for verb, *numbers in texts:
            if verb in ("read", "free") and int(numbers[0]) not in written:
                raise BadInput(f"page {numbers[0]} was never written, so there is nothing to {verb}: write it first")

    def begin(self) -> None:
        """Nothing has run yet."""
        count = len(self.tasks)
        self.running: list[Kernel | None] = [None] * count
        self.pending: list[Step | None] = [None] * count
        self.done = [0] * count  # operations finished
        self.taken: list[int] = []
        self.held: list[list[Lock]] = [[] for _ in self.tasks]  # locks in the order in which they were taken

    # -- what can run ------------------------------------------------------------------------------

    def finished(self, cpu: int) -> bool:
        return self.done[cpu] == len(self.tasks[cpu])

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
        return all(map(self.finished, range(len(self.tasks))))

    def deadlock(self) -> Deadlock | None:
        """What to report where nobody can run and not all have finished."""
        if self.over or self.ready():
            return None
        told = [f"CPU {NAMES[cpu]} ({self.task(cpu)}) waits for the {lock}, which {self.holder_of(lock)}"
                for cpu in range(len(self.tasks)) if (lock := self.waits(cpu))]  # fmt: skip
        return Deadlock("deadlock: " + "; ".join(told))

    def holder_of(self, lock: Lock) -> str:
        assert lock.holder is not None
        name = f"CPU {NAMES[lock.holder]}"
        return f"{name} has left locked" if self.finished(lock.holder) else f"{name} has"

    def task(self, cpu: int) -> str:
        """What a CPU is doing, or did last."""
        return self.tasks[cpu][min(self.done[cpu], len(self.tasks[cpu]) - 1)]

    # -- running -----------------------------------------------------------------------------------

    def step(self, cpu: int) -> None:
        """One step of a CPU that can run; a fault of the modelled kernel is raised as it is."""
        operation, step = self.running[cpu], self.pending[cpu]
        self.taken.append(cpu)
        self.hook.task = cpu
        self.hook.cpu = 0 if self.one_cpu else cpu
        if operation is None:
            start, numbers = self.operations[cpu][self.done[cpu]]
            operation = self.running[cpu] = start(*numbers)
        elif step is not None and step.lock is not None:
            self.grant(cpu, step, step.lock)
        try:
            step = next(operation)
            while step is CALL or step is RETURN:
                step = next(operation)
            self.pending[cpu] = step
        except StopIteration:
            self.running[cpu] = self.pending[cpu] = None
            self.done[cpu] += 1

    def grant(self, cpu: int, step: Step, lock: Lock) -> None:
        """A lock is taken, or dropped."""
        held = self.held[cpu]
        if step.kind == "acquire":
            lock.holder = cpu
            held[:] = [other for other in held if other.holder == cpu]  # some are dropped without a step
            if self.lockdep and held:
                self.learn(cpu, [other.name for other in held], lock.name)
            held.append(lock)
        else:
            lock.holder = None
            held.remove(lock)
        if self.hook.observer:
            self.hook.observer("lock" if step.kind == "acquire" else "unlock", lock, cpu)

    def learn(self, cpu: int, held: list[str], lock: str) -> None:
        """Tell lockdep that a lock is taken with others held."""
        assert self.lockdep
        if not self.lockdep.knows(held, lock):
            stack = [f"{frame.f_code.co_name} ({Path(frame.f_code.co_filename).name}:{frame.f_lineno})"
                     for frame in frames_of(self.running[cpu])]  # fmt: skip
            if problem := self.lockdep.acquire(held, lock, f"CPU {NAMES[cpu]} ({self.task(cpu)})", stack[::-1]):
                raise problem

    def follow(self, schedule: str) -> None:
        """Take every step of a schedule. Raises BadInput, saying how far it got, where it cannot be followed."""
        for number, cpu in enumerate(unpacked(schedule, len(self.tasks))):
            self.allow(cpu, schedule, number)
            self.step(cpu)

    def allow(self, cpu: int, schedule: str, number: int) -> None:
        """Raise BadInput unless that CPU can take the next step."""
        so_far = f"schedule={schedule!r} cannot go on after {number} steps ({packed(self.taken) or 'none'}): "
        rest = f"ready: {', '.join(NAMES[other] for other in self.ready()) or 'none'}"
        if self.finished(cpu):
            raise BadInput(f"{so_far}CPU {NAMES[cpu]} has finished {'; '.join(self.tasks[cpu])!r}; {rest}")
        if lock := self.waits(cpu):
            raise BadInput(f"{so_far}CPU {NAMES[cpu]} is blocked on the {lock}, which {self.holder_of(lock)}; {rest}")

    def run(self, schedule: str | None = None, seed: int | None = None) -> None:
        """Run to the end: along a schedule, or as chance has it (`seed`), or one CPU after the other.

        Raises BadInput if the schedule is too short, Deadlock where nobody can run, and the kernel's faults.
        """
        if schedule is not None:
            self.follow(schedule)
            if self.ready():
                raise BadInput(self.too_short(schedule))
        dice = None if seed is None else random.Random(seed)
        while ready := self.ready():
            self.step(dice.choice(ready) if dice else ready[0])
        if problem := self.deadlock():
            raise problem

    def too_short(self, schedule: str) -> str:
        left = ", ".join(f"CPU {NAMES[cpu]} in {self.task(cpu)!r}" for cpu in self.ready())
        return f"schedule={schedule!r} is too short: after {len(self.taken)} steps there is left {left}"

    def __repr__(self) -> str:
        lines = []
        for cpu, task in enumerate(self.tasks):
            lock, step = self.waits(cpu), self.pending[cpu]
            where = f"blocked on the {lock}" if lock else f"before {step or self.task(cpu)}"
            if self.finished(cpu):
                where = "finished"
            lines.append(f"CPU {NAMES[cpu]} {'; '.join(task)!r}: {where}")
        return "\n".join([*lines, f"schedule so far: {packed(self.taken) or 'none'}"])


def frames_of(operation: Any) -> Iterator[Any]:
    """The frames of a driven generator and of those that it drives, outermost first."""
    while operation is not None and operation.gi_frame is not None:
        yield operation.gi_frame
        operation = operation.gi_yieldfrom
