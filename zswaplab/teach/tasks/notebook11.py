"""The exercises of notebook 11: what was found later."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import count
from random import Random
from typing import Any, ClassVar

from ...run.history import History, record
from ...run.setup import SWAP_PAGES, Setup
from ..answers import notebook11
from ..evidence import step_of
from ..guard import Endless, StudentError, fenced, student_code, uncounted
from ..misconceptions import MISCONCEPTIONS, out
from ..variant import Feedback, Variant, Verdict
from .code import Code, Function, Kernels, like

V65 = Setup("v6.5", compressor="lengths", swap_pages=SWAP_PAGES, exclusive_loads="fixed")
SYNCHRONOUS = V65.but(device="synchronous", workload=out(3))


class Mend(Kernels):
    """11.1: exclusive loads that lose nothing."""

    answers = notebook11
    mends = True
    asks: ClassVar[Mapping[str, Function]] = {"load_end": like("load_end")}
    kernels: Sequence[Setup] = (V65, V65.but(exclusive_loads="off"))
    units: Sequence[Sequence[str]] = (["read 0"], ["page_out 0"], ["free 0"], ["worker"], out(0), out(1))
    longer: Sequence[Sequence[str]] = ([*out(0, 1), "read 0", "worker"],)
    cases: Sequence[Setup] = (
        SYNCHRONOUS.but(cpus=["read 3", "read 3"]), SYNCHRONOUS.but(cpus=["read 3", "read 3", "free 3"]),
        SYNCHRONOUS.but(cpus=["read 3; page_out 3; read 3"]),
    )
    runs = ("f65-zbud-overflow-off",)  # recorded kernels with exclusive loads on have the bug


# -- five planted bugs ---------------------------------------------------------------------------------------

GROUPS = {  # what a test must look at, to see a bug -> the wrong rules that may be planted
    "the pool is full": ("stores-make-room", "limit-counts-bytes", "full-at-the-limit", "zeros-always-fit"),
    "who leaves": ("loads-move-nothing", "failure-to-the-tail", "newest-first", "largest-first"),
    "what is stored": ("page-out-stores", "loads-take", "lru-holds-reference", "put-frees", "freed-at-once"),
}  # fmt: skip
SPARES, EACH = "spares the right kernel", "catches the planted bugs"
RUNS = 200  # of a test, on each kernel
Run = Callable[..., History]


class FiveBugs(Code):
    """11.2: a test that five wrong kernels fail, and the right one passes."""

    asks: ClassVar[Mapping[str, Function]] = {"test": notebook11.test}

    def draw(self) -> None:
        """Five wrong rules, of each group at least one."""
        dice = Random(f"{self.task.id} {self.seed}")
        first = [dice.choice(group) for group in GROUPS.values()]
        others = [name for group in GROUPS.values() for name in group if name not in first]
        self.planted = [*first, *dice.sample(others, 2)]

    def reference(self) -> Function:
        return notebook11.test

    def wrong(self) -> Mapping[str, Any]:
        return notebook11.TESTS

    def judge(self, answer: Any) -> Verdict:
        (test,) = self.functions(answer).values()
        if said := self.fails(test, None):
            example = f"On the right kernel it says: {said}."
            return self.mistake("refuses-the-kernel", Feedback(example=example), {EACH: 0.0})
        caught = [name for name in self.planted if self.fails(test, name)]
        if len(caught) == len(self.planted):
            return self.right()
        points = {SPARES: 0.1, EACH: round(0.9 * len(caught) / len(self.planted), 3)} if caught else {}
        missed = [name for name in self.planted if name not in caught]
        wrong = MISCONCEPTIONS[missed[0]]
        example = f"It catches {len(caught)} of {len(self.planted)}. One that it spares believes: “{wrong.rule}”"
        setup, mine = wrong.situation.but(stage="v6.5"), wrong.applied(wrong.situation.but(stage="v6.5"))
        feedback = Feedback("", example, "`play()` shows that kernel beside the right one, where they part.")
        seen = {"setup": setup, "mine": mine, "step": step_of(setup, mine)}
        return self.mistake(self.survivors(missed), feedback, points, **seen)

    def survivors(self, missed: Sequence[str]) -> str:
        """What the test never looks at."""
        if len(missed) == len(self.planted):
            return "catches-none"
        if set(missed) <= set(GROUPS["the pool is full"]):
            return "never-full"
        return "never-reclaims" if set(missed) <= set(GROUPS["who leaves"]) else "some-survive"

    def fails(self, test: Function, planted: str | None) -> str:
        """What a test says of a kernel, the right one or a wrong one; "" if it passes."""
        try:
            with student_code([test], steps=None):
                fenced(test)(runner(planted))
        except StudentError as problem:
            if isinstance(problem.__cause__, AssertionError):
                return str(problem)
            raise
        return ""


def runner(planted: str | None) -> Run:
    """What a test is given: it runs a workload on a kernel, and gives the history."""

    runs = count(1)

    def run(workload: Sequence[str], **fields: Any) -> History:
        if next(runs) > RUNS:
            raise Endless(f"it has run more than {RUNS} workloads")
        with uncounted():
            setup = Setup("v6.5", compressor="lengths", workload=workload, **fields)
            return record(MISCONCEPTIONS[planted].applied(setup) if planted else setup)

    return run


VARIANTS: dict[str, type[Variant]] = {"11.1": Mend, "11.2": FiveBugs}
