"""What shows that an answer is wrong: the shortest workload in which two models part, and runs to look at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

from ..model.errors import BadInput, Broken, Fault
from ..model.machine import Machine
from ..model.steps import run
from ..run.cpus import packed, unpacked
from ..run.history import History, record
from ..run.session import Session
from ..run.setup import Setup
from .guard import fenced, student_code

Seen = Callable[[Machine], Any]  # what of a machine is compared

class Failed(str):
    """In place of what is seen: the machine has faulted, or a rule of it is broken. The text says how."""


def states(setup: Setup, seen: Seen) -> list[Any]:
    """What is seen after each line of a setup's workload; a fault, or a broken rule, ends it.

    Functions of a student's in it are guarded: raises as `student_code` does.
    """
    found: list[Any] = []
    with student_code(own(setup), steps=None):
        machine = fenced_in(setup).machine()
        for line in setup.lines():
            try:
                run(machine.operation(line))
                machine.settle()
                machine.check()
                found.append(seen(machine))
            except (Fault, Broken) as problem:
                return [*found, Failed(str(problem))]
    return found


def fenced_in(setup: Setup) -> Setup:
    """The same run, a student's functions with a limit for each call."""
    if not own(setup):
        return setup
    functions = dict(setup.functions).items()
    return setup.but(functions={name: one if isinstance(one, str) else fenced(one) for name, one in functions})


def own(setup: Setup) -> list[Callable[..., Any]]:
    """The functions in a setup that have no name there: a student's."""
    return [function for function in dict(setup.functions).values() if not isinstance(function, str)]


def parting(kernel: Setup, mine: Setup, seen: Seen) -> int | None:
    """The number of the first line, from 0, after which something else is seen; None if there is none."""
    pairs = zip(states(kernel, seen), states(mine, seen), strict=False)
    return next((number for number, (one, other) in enumerate(pairs) if one != other), None)


def shortest(kernel: Setup, mine: Setup, units: Sequence[Sequence[str]], longest: int, seen: Seen) -> Setup | None:
    """The kernel's run of the shortest workload, of so many lines at most, in which `mine` parts from it.

    Breadth first over all that `units` make; a unit is lines that belong together. What cannot run is not gone on with.
    """
    known: list[list[list[str]]] = [[[]]]  # number of lines -> the workloads that can run
    for count in range(1, longest + 1):
        known.append([])
        for unit in units:
            for lines in known[count - len(unit)] if len(unit) <= count else []:
                run = kernel.but(workload=[*lines, *unit])
                try:
                    if parting(run, mine.but(workload=run.workload), seen) is not None:
                        return run
                except BadInput:  # a page that holds nothing is used
                    continue
                known[count].append(run.lines())
    return None


def step_of(kernel: Setup, mine: Setup) -> int | None:
    """The first step at which two runs differ in what happens."""
    return recorded(kernel).first_difference(recorded(mine))


def recorded(setup: Setup) -> History:
    """The history of a run, guarded where there is a student's function in it."""
    with student_code(own(setup)):
        return record(setup)


def in_words(lines: Iterable[str]) -> str:
    """A workload in words: "write 0, page out 0, read 0"."""
    return ", ".join(lines).replace("page_out", "page out")


def followed(setup: Setup, schedule: str, *, strict: bool = True) -> Setup:
    """A setup whose schedule goes on to the end, or to a fault: along the one given, then one CPU after the other.

    Raises BadInput for a step that cannot be taken; where that need not be `strict`, another CPU takes it.
    """
    session = Session(setup.but(schedule=None), observed=False)
    session.to_the_cpus()
    given = unpacked(schedule, len(setup.cpus))
    with suppress(Fault):
        while ready := session.ready():
            cpu = given.pop(0) if given else ready[0]
            if cpu not in ready:
                if strict:
                    session.cpus.allow(cpu, schedule)
                cpu = ready[0]
            session.advance(cpu)
    return setup.but(schedule=packed(session.cpus.taken))
