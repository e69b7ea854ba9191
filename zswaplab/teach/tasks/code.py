"""What all exercises share in which a student writes kernel code, which takes the model's place."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from types import FunctionType
from typing import Any, ClassVar

from ...model.machine import Machine
from ...run.cpus import NAMES, packed
from ...run.rules import check, model_function, take_place
from ...run.search import Case, Found, Search
from ...run.setup import Setup
from ...trace.explain import replay_in_order
from ...trace.findings import Problem
from ...trace.read import Recording, read
from ...trace.replay import Replay
from ...trace.shipped import find_run
from ..evidence import Failed, followed, in_words, parting, shortest, states, step_of
from ..guard import fenced, need_function, student_code
from ..variant import Feedback, Malformed, Variant, Verdict
from .rows import short

Function = Callable[..., Any]
SEARCHED = 20_000_000  # steps of a guard
REPLAYED = 40_000_000  # steps of a guard: a recording is long, and nearly all of them are the model's


class Code(Variant):
    """An exercise whose answer is functions: `asks` are their names, with a function that takes the same arguments."""

    asks: ClassVar[Mapping[str, Function]] = {}

    def functions(self, answer: Any) -> dict[str, Function]:
        """The functions of an answer, by name. Raises Malformed or BadInput for what cannot be one."""
        given = list(answer.values()) if isinstance(answer, Mapping) else answer
        given = [given] if inspect.isfunction(given) else given
        if not isinstance(given, (list, tuple)) or len(given) != len(self.asks):
            names = ", ".join(self.asks)
            raise Malformed(f"answer is {short(answer)}: give {f'[{names}]' if len(self.asks) > 1 else names}.")
        pairs = zip(self.asks.items(), given, strict=True)
        return {name: guarded(renamed(need_function(name, one, like), name)) for (name, like), one in pairs}


def renamed(function: Function, name: str) -> Function:
    """The same function under the name of the model's, by which observers know it."""
    assert isinstance(function, FunctionType)
    if function.__name__ == name:
        return function
    return FunctionType(function.__code__, function.__globals__, name, function.__defaults__, function.__closure__)


def guarded(function: Function) -> Function:
    """A function that may go on without end, so that it does not; those that give steps are guarded where they run."""
    return function if inspect.isgeneratorfunction(function) else fenced(function)


def like(name: str) -> Function:
    """The model's function of that name, whose arguments and rules an answer shares."""
    return model_function(name)


def keep_the_rules(name: str, function: Function) -> None:
    """Raise BadInput where a function breaks a rule of the model's functions: a forgotten `yield from`, above all."""
    check(name, function, inspect.isgeneratorfunction(like(name)))


@cache
def recording(name: str) -> Recording:
    return read(find_run(name))


@cache
def choices(name: str) -> dict[tuple[int, int], int]:
    """What is chosen where a recording does not say in which order things happened: as for the kernel's own model."""
    return replay_in_order(recording(name)).choices


def first_row(name: str, functions: Mapping[str, Function]) -> str:
    """The first row of a recording with which functions in the model's place disagree, in words; "" if none does."""
    problems = differing(name, functions, {})
    if problems and choices(name):
        problems = differing(name, functions, choices(name))
    for row, what, recorded, model in problems[:1]:
        told = f": recorded {value(recorded)}, yours {value(model)}" if what.isidentifier() else ""
        return f"The recorded kernel {name} differs first at line {row.line}, in a {row.op}, in {what}{told}."
    return ""


def differing(name: str, functions: Mapping[str, Function], chosen: dict[tuple[int, int], int]) -> list[Problem]:
    """The first problem of a replay with functions in the model's place."""
    replay = Replay(recording(name), None, chosen)
    take_place(replay.machine, functions)
    with student_code(functions.values(), REPLAYED):
        replay.run(stop_at=2**60)
    return replay.findings.problems


def value(found: object) -> str:
    """A value of a recording: an address in hexadecimal."""
    return hex(found) if isinstance(found, int) and found > 2**32 else repr(found)


def with_functions(setup: Setup, functions: Mapping[str, Function]) -> Setup:
    """A setup in which functions take the model's place."""
    return setup.but(functions={**dict(setup.functions), **functions})


# -- code that takes the place of functions of several steps ------------------------------------------------


class Kernels(Code):
    """An exercise whose functions take the model's place: contract, short workloads, searches, recordings.

    `kernels` are the machines on which short workloads are tried, `units` what these are made of, `longest` of how
    many, `longer` what is tried besides. `cases` are searched, `spared` are kinds of failure that do not count there.
    `runs` are recordings. `answers` is where the reference solution and the wrong ones are.
    """

    kernels: Sequence[Setup] = ()
    units: Sequence[Sequence[str]] = ()
    longest = 3
    longer: Sequence[Sequence[str]] = ()
    cases: Sequence[Setup] = ()
    spared: Sequence[str] = ()
    runs: Sequence[str] = ()
    answers: Any = None

    def reference(self) -> Any:
        return list(self.answers.RIGHT) if len(self.answers.RIGHT) > 1 else self.answers.RIGHT[0]

    def wrong(self) -> Mapping[str, Any]:
        return {name: list(found) if len(found) > 1 else found[0] for name, found in self.answers.WRONG.items()}

    def judge(self, answer: Any) -> Verdict:
        functions = self.functions(answer)
        for name, function in functions.items():
            keep_the_rules(name, function)
        parted, failed = self.parted(functions), self.failed(functions)
        told = next(filter(None, (first_row(run, functions) for run in self.runs)), "")
        if not (parted or failed or told):
            return self.right()
        good = (not parted, not failed, not told)
        points = {name: of for (name, of), right in zip(self.task.rubric.items(), good, strict=False) if right}
        belief = self.belief(functions, parted, failed)
        feedback, seen = self.feedback(functions, parted, failed, told)
        return self.mistake(belief, feedback, points, **seen)

    def parted(self, functions: Mapping[str, Function]) -> Setup | None:
        """The kernel's run of the shortest workload in which it is seen that it is not the kernel."""
        found = []
        for kernel in self.kernels:
            mine = with_functions(kernel, functions)
            one = shortest(kernel, mine, self.units, self.longest, self.seen)
            if one is None:
                tried = [(run, with_functions(run, functions)) for run in (kernel.but(workload=a) for a in self.longer)]
                one = next((run for run, mine in tried if parting(run, mine, self.seen) is not None), None)
            found += [one] if one else []
        return min(found, key=lambda one: len(one.lines()), default=None)

    def failed(self, functions: Mapping[str, Function]) -> tuple[Setup, Found] | None:
        """The case that fails after fewest steps, and its failure."""
        found = []
        for case in self.cases:
            with student_code(functions.values(), SEARCHED):
                explored = Search(Case.of(with_functions(case, functions)), every=bool(self.spared)).run()
            failures = [one for one in explored.failures if one.kind not in self.spared]
            found += [(case.but(schedule=packed(one.schedule)), one) for one in failures[:1]]
        return min(found, key=lambda one: len(one[1].schedule), default=None)

    def belief(self, functions: Mapping[str, Function], parted: Setup | None, failed: Any) -> str:
        """The wrong answer that behaves as this one does."""
        own = trace_of(self, tuple(functions.values()), parted, failed)
        for name, wrong in self.answers.WRONG.items():
            if self.trace(name, tuple(wrong)) == own:
                return str(name)
        return ""

    def trace(self, name: str, wrong: tuple[Function, ...]) -> Any:
        """What comes of a wrong answer; worked out once."""
        if (self.task.id, name) not in _TRACES:
            functions = dict(zip(self.asks, wrong, strict=True))
            _TRACES[self.task.id, name] = trace_of(self, wrong, self.parted(functions), self.failed(functions))
        return _TRACES[self.task.id, name]

    def feedback(
        self, functions: Mapping[str, Function], parted: Setup | None, failed: tuple[Setup, Found] | None, told: str
    ) -> tuple[Feedback, dict[str, Any]]:
        """What is said, and what can be played."""
        if parted:
            mine = with_functions(parted, functions)
            kernel, lines = parted, in_words(parted.lines())
            shown = f"The shortest workload in which it shows: {lines}. {self.described(parted, mine)}"
        elif failed:
            kernel = followed(failed[0], failed[0].schedule or "", strict=False)
            mine = with_functions(failed[0], functions)
            cpus = ", ".join(f"{name} does {task!r}" for name, task in zip(NAMES, mine.cpus, strict=False))
            shown = f"The shortest schedule that breaks it: {mine.schedule} ({cpus}). {failed[1].fault}."
        else:
            return Feedback("It is not the kernel's.", "", "", told), {}
        feedback = Feedback("It does not do what the kernel does.", "", f"{shown} `play()` shows both.", told)
        return feedback, {"setup": kernel, "mine": mine, "step": step_of(kernel, mine)}

    def described(self, kernel: Setup, mine: Setup) -> str:
        """What is seen at the end of both, where that can be said in words."""
        own = states(mine, self.seen)[-1]
        if isinstance(own, Failed):
            return f"Then: {own}."
        right = states(kernel, self.seen)[-1]
        apart = {name: (own[name], right[name]) for name in right if own[name] != right[name]}
        return " ".join(f"Yours: {name} {one}, the kernel's {other}." for name, (one, other) in list(apart.items())[:2])

    @staticmethod
    def seen(machine: Machine) -> Any:
        """What of a machine is compared: by name, so that it can be told."""
        return {
            "written back": [*machine.swap.disk], "LRU": lru_of(machine), "entries": entries_of(machine),
            **dict(machine.zswap.counters), "references of the pool": machine.zswap.pool.refcount,
        }  # fmt: skip


_TRACES: dict[tuple[str, str], Any] = {}


def trace_of(
    task: Kernels, functions: tuple[Function, ...], parted: Setup | None, failed: tuple[Setup, Found] | None
) -> Any:  # fmt: skip
    """What an answer comes to, to be compared with that of another: where it parts and how, and how it fails."""
    own = dict(zip(task.asks, functions, strict=True))
    seen = [] if parted is None else states(with_functions(parted, own), task.seen)
    told = ["failed" if isinstance(one, Failed) else one for one in seen]
    lines = parted and (parted.stage, parted.exclusive_loads, parted.lines())
    return lines, told, failed and (failed[0].schedule, failed[1].kind, failed[0].cpus)


def lru_of(machine: Machine) -> list[int]:
    """The pages on zswap's LRU, from head to tail."""
    pages = {slot: page for page, slot in machine.slots.items()}
    return [pages.get(entry.offset, -1) for entry in machine.zswap.pool.lru]


def entries_of(machine: Machine) -> list[tuple[int, int]]:
    """Each entry's slot and refcount."""
    entries = machine.zswap.trees[0].entries if machine.zswap.trees else {}
    return [(slot, entries[slot].refcount) for slot in sorted(entries)]
