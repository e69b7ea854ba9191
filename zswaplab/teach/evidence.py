"""What shows that an answer is wrong: the shortest workload in which two models part, and runs to look at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from ..model.errors import BadInput, Broken, Fault
from ..model.machine import Machine
from ..model.steps import run
from ..run.cpus import packed, unpacked
from ..run.history import History, record
from ..run.session import Session
from ..run.setup import Setup
from .guard import student_code

MOST = 4_000  # workloads that are tried
Seen = Callable[[Machine], Any]  # what of a machine is compared
STEPS = 400_000  # of the guard, for one short workload


class Failed(str):
    """In place of what is seen: the machine has faulted, or a rule of it is broken. The text says how."""


def states(setup: Setup, seen: Seen) -> list[Any]:
    """What is seen after each line of a setup's workload; a fault, or a broken rule, ends it.

    Functions of a student's in it are guarded: raises as `student_code` does.
    """
    found: list[Any] = []
    with student_code(own(setup), STEPS):
        machine = setup.machine()
        for line in setup.lines():
            try:
                run(machine.operation(line))
                machine.settle()
                machine.check()
                found.append(seen(machine))
            except (Fault, Broken) as problem:
                return [*found, Failed(str(problem))]
    return found


def own(setup: Setup) -> list[Callable[..., Any]]:
    """The functions in a setup that have no name there: a student's."""
    return [function for _, function in setup.functions if not isinstance(function, str)]  # type: ignore[str-unpack]


def parting(kernel: Setup, mine: Setup, seen: Seen) -> int | None:
    """The number of the first line, from 0, after which something else is seen; None if there is none."""
    pairs = zip(states(kernel, seen), states(mine, seen), strict=False)
    return next((number for number, (one, other) in enumerate(pairs) if one != other), None)


def workloads(units: Sequence[Sequence[str]], longest: int) -> Iterator[list[str]]:
    """Every workload of so many units at most, the shortest first; a unit is lines that belong together."""
    shorter: list[list[str]] = [[]]
    for _ in range(longest):
        shorter = [[*lines, *unit] for lines in shorter for unit in units]
        yield from shorter


def shortest(
    kernel: Setup, mine: Setup, units: Sequence[Sequence[str]], longest: int, seen: Seen, most: int = MOST
) -> Setup | None:
    """The kernel's run of the shortest workload in which `mine` parts from it: breadth first, `most` at most."""
    tried = 0
    for lines in workloads(units, longest):
        if (tried := tried + 1) > most:
            return None
        try:
            one, other = kernel.but(workload=lines), mine.but(workload=lines)
            if parting(one, other, seen) is not None:
                return one
        except BadInput:  # a page that holds nothing is used
            continue
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
