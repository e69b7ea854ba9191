"""The exercises of notebook 12: who leaves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import product
from typing import Any, ClassVar

from ...model.errors import BadInput
from ...run.history import History, record
from ...run.policies import policy
from ...run.setup import Setup
from ...run.workloads import lines_of
from ..answers import notebook12
from ..evidence import step_of
from ..guard import StudentError, codes_of, fenced, told
from ..variant import Feedback, Variant, Verdict
from .code import Code, Function

POOL = Setup("v6.5", compressor="lengths", ram_pages=30)  # a pool of six pages
SCAN, LOOP, AGAIN = "scan", "loop", "revisit 10 6"
SIZES = {SCAN: (range(1, 5), range(4, 13)), LOOP: (range(10, 15), range(2, 4)), AGAIN: (range(4, 11), range(3, 9))}


def renumbered(workload: str) -> list[str]:
    """The same with other numbers for the pages, and all of them alike."""
    words = [line.split() for line in lines_of(workload)]
    return [f"{verb} {20 - int(page)}{' 3' * (verb == 'write')}" for verb, page, *_ in words]


class OwnRule(Code):
    """12.1: a policy that beats LRU in a scan, and costs nothing in a loop and where pages are used again."""

    asks: ClassVar[Mapping[str, Function]] = {"choice": notebook12.choice}
    trials: Sequence[tuple[str, Setup]] = [  # what has to hold, in the order of the rubric, the last of all three
        *((workload, POOL.but(workload=workload)) for workload in (SCAN, LOOP, AGAIN)),
        *((workload, POOL.but(workload=renumbered(workload))) for workload in (SCAN, LOOP, AGAIN)),
    ]

    def reference(self) -> Function:
        return notebook12.choice

    def wrong(self) -> Mapping[str, Any]:
        return notebook12.WRONG

    def judge(self, answer: Any) -> Verdict:
        (choice,) = self.functions(answer).values()
        runs = [run(setup, choice) for _, setup in self.trials]
        good = [is_good(workload, setup, mine) for (workload, setup), mine in zip(self.trials, runs, strict=True)]
        if all(good):
            return self.right()
        held = (*good[:3], all(good))
        points = {name: of for (name, of), holds in zip(self.task.rubric.items(), held, strict=True) if holds}
        workload, setup = next(trial for trial, holds in zip(self.trials, good, strict=True) if not holds)
        setup = next(smaller(workload, choice), setup) if isinstance(setup.workload, str) else setup
        mine = setup.but(functions=policy(fenced(choice)))
        reads = kernel(setup).disk_reads(), run(setup, choice).disk_reads()
        example = "{}: pages read from the disk with LRU {}, with yours {}.".format(said(workload, setup), *reads)
        feedback = Feedback("", example, "`play()` shows both.")
        belief = next((name for name in notebook12.WRONG if known(name) == traces(runs)), "")
        return self.mistake(belief, feedback, points, setup=setup, mine=mine, step=step_of(setup, mine))


def is_good(workload: str, setup: Setup, mine: History) -> bool:
    """Whether a rule does better than LRU in a scan, and no worse in another workload."""
    worst = kernel(setup).disk_reads() - (workload == SCAN)
    return mine.disk_reads() <= worst


def smaller(workload: str, choice: Function) -> Iterator[Setup]:
    """The same workload with smaller sizes, in which the rule is not good enough, and the reference is."""
    name = workload.partition(" ")[0]
    setups = [POOL.but(workload=f"{name} {one} {other}") for one, other in product(*SIZES[workload])]
    for setup in sorted(setups, key=lambda one: len(one.lines())):
        fair = is_good(workload, setup, run(setup, notebook12.choice))
        if fair and not is_good(workload, setup, run(setup, choice)):
            yield setup


def said(workload: str, setup: Setup) -> str:
    """A workload in words."""
    if not isinstance(setup.workload, str):
        return f"In {workload.partition(' ')[0]!r}, with other page numbers and pages that are all of one size"
    return f"The smallest such workload in which it shows is {setup.workload!r}"


def run(setup: Setup, choice: Function) -> History:
    """The run in which a student's rule decides. Raises StudentError, Endless, and BadInput for a wrong result."""
    try:
        return record(setup.but(functions=policy(fenced(choice))))
    except BadInput as problem:
        if isinstance(problem.__cause__, Exception):
            raise StudentError(told(problem.__cause__, set(codes_of(choice.__code__)))) from problem
        raise


@cache
def kernel(setup: Setup) -> History:
    """The run in which zswap itself decides."""
    return record(setup)


def traces(runs: Sequence[History]) -> list[list[int]]:
    """What left, in each run."""
    return [run.written_back() for run in runs]


@cache
def known(name: str) -> list[list[int]]:
    """What leaves with one of the rules that are not good enough."""
    return traces([run(setup, notebook12.WRONG[name]) for _, setup in OwnRule.trials])


VARIANTS: dict[str, type[Variant]] = {"12.1": OwnRule}
