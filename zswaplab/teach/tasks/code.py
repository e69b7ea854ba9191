"""What all exercises share in which a student writes kernel code, which takes the model's place."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from types import FunctionType
from typing import Any, ClassVar, NamedTuple

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
from ..evidence import Failed, followed, in_words, parting, recorded, shortest, states, step_of
from ..guard import fenced, need_function, student_code
from ..variant import Feedback, Malformed, Variant, Verdict
from .rows import short

Function = Callable[..., Any]
SEARCHED = 20_000_000  # steps of a guard


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
        return {name: renamed(need_function(name, one, like), name) for (name, like), one in pairs}


def renamed(function: Function, name: str) -> Function:
    """The same function under the name of the model's, by which observers know it."""
    assert isinstance(function, FunctionType)
    if function.__name__ == name:
        return function
    return FunctionType(function.__code__, function.__globals__, name, function.__defaults__, function.__closure__)


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
    for row, what, was, model in problems[:1]:
        told = f": recorded {value(was)}, yours {value(model)}" if what.isidentifier() else ""
        return f"The recorded kernel {name} differs first at line {row.line}, in a {row.op}: {what}{told}."
    return ""


def differing(name: str, functions: Mapping[str, Function], chosen: dict[tuple[int, int], int]) -> list[Problem]:
    """The first problem of a replay with functions in the model's place."""
    replay = Replay(recording(name), None, chosen)
    take_place(replay.machine, {function: fenced(one) for function, one in functions.items()})
    with student_code(functions.values(), steps=None):
        replay.run(stop_at=2**60)
    return replay.findings.problems


def value(found: object) -> str:
    """A value of a recording: an address in hexadecimal."""
    return hex(found) if isinstance(found, int) and found > 2**32 else repr(found)


def with_functions(setup: Setup, functions: Mapping[str, Function]) -> Setup:
    """A setup in which functions take the model's place."""
    return setup.but(functions={**dict(setup.functions), **functions})


# -- code that takes the place of functions of several steps ------------------------------------------------


class Failure(NamedTuple):
    """A case that fails: along which schedule, how, and how many states the search has met."""

    setup: Setup
    found: Found
    states: int


class Kernels(Code):
    """An exercise whose functions take the model's place: contract, short workloads, searches, recordings.

    `kernels` are the machines on which short workloads are tried, `units` what these are made of, `longest` of how
    many lines, `longer` what is tried besides. `cases` are searched, `spared` are kinds of failure that do not count
    there. `runs` are recordings. `answers` is where the reference solution and the wrong ones are.
    """

    kernels: Sequence[Setup] = ()
    units: Sequence[Sequence[str]] = ()
    longest = 4
    longer: Sequence[Sequence[str]] = ()
    cases: Sequence[Setup] = ()
    spared: Sequence[str] = ()
    runs: Sequence[str] = ()
    answers: Any = None
    mends = False  # the kernel's own function fails too, so yours is shown alone

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
        feedback, seen = self.feedback(functions, next(iter(parted), None), next(iter(failed), None), told)
        return self.mistake(belief, feedback, points, **seen)

    def parted(self, functions: Mapping[str, Function]) -> list[Setup]:
        """Of each machine the kernel's run of the shortest workload that shows a difference, the shorter first."""
        found = []
        for kernel in self.kernels:
            mine = with_functions(kernel, functions)
            one = shortest(kernel, mine, self.units, self.longest, self.seen)
            if one is None:
                runs = [kernel.but(workload=lines) for lines in self.longer]
                tried = [(run, with_functions(run, functions)) for run in runs]
                one = next((run for run, mine in tried if parting(run, mine, self.seen) is not None), None)
            found += [one] if one else []
        return sorted(found, key=lambda one: len(one.lines()))

    def failed(self, functions: Mapping[str, Function]) -> list[Failure]:
        """The cases that fail, the one after fewest steps first."""
        found = []
        for case in self.cases:
            with student_code(functions.values(), SEARCHED):
                explored = Search(Case.of(with_functions(case, functions)), every=bool(self.spared)).run()
            failures = [one for one in explored.failures if one.kind not in self.spared]
            found += [Failure(case.but(schedule=packed(one.schedule)), one, explored.states) for one in failures[:1]]
        return sorted(found, key=lambda one: len(one.found.schedule))

    def belief(self, functions: Mapping[str, Function], parted: list[Setup], failed: list[Failure]) -> str:
        """The wrong answer that behaves as this one does, if possible to the number of states of a search."""
        own = trace_of(self, tuple(functions.values()), parted, failed)
        known = {str(name): self.trace(name, tuple(wrong)) for name, wrong in self.answers.WRONG.items()}
        alike = [name for name, trace in known.items() if trace[:-1] == own[:-1]]
        return next((name for name in alike if known[name] == own), next(iter(alike), ""))

    def trace(self, name: str, wrong: tuple[Function, ...]) -> Any:
        """What comes of a wrong answer; worked out once."""
        if (self.task.id, name) not in _TRACES:
            functions = dict(zip(self.asks, wrong, strict=True))
            _TRACES[self.task.id, name] = trace_of(self, wrong, self.parted(functions), self.failed(functions))
        return _TRACES[self.task.id, name]

    def feedback(
        self, functions: Mapping[str, Function], parted: Setup | None, failed: Failure | None, told: str
    ) -> tuple[Feedback, dict[str, Any]]:
        """What is said, and what can be played."""
        if parted:
            mine = with_functions(parted, functions)
            kernel, lines = parted, in_words(parted.lines())
            shown = f"The shortest workload in which it shows: {lines}. {self.described(parted, mine)}"
        elif failed:
            kernel = followed(failed.setup, failed.setup.schedule or "", strict=False)
            mine = with_functions(failed.setup, functions)
            cpus = ", ".join(f"{name} does {task!r}" for name, task in zip(NAMES, mine.cpus, strict=False))
            shown = f"The shortest schedule that breaks it: {mine.schedule} ({cpus}). {failed.found.fault}."
            if self.mends:
                feedback = Feedback("", "", f"{shown} `play()` shows it.", told)
                return feedback, {"setup": mine, "step": len(recorded(mine)) - 1}
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


def trace_of(task: Kernels, functions: tuple[Function, ...], parted: list[Setup], failed: list[Failure]) -> list[Any]:
    """What an answer comes to, to be compared with that of another: where it parts and how, and how it fails."""
    own = dict(zip(task.asks, functions, strict=True))
    seen = [one for run in parted for one in states(with_functions(run, own), task.seen)]
    told = ["failed" if isinstance(one, Failed) else one for one in seen]
    lines = [(run.stage, run.exclusive_loads, run.lines()) for run in parted]
    return [
        lines, told, [(one.setup.schedule, one.found.kind, one.setup.cpus) for one in failed],
        [one.states for one in failed],
    ]  # fmt: skip


def lru_of(machine: Machine) -> list[int]:
    """The pages on zswap's LRU, from head to tail."""
    pages = {slot: page for page, slot in machine.slots.items()}
    return [pages.get(entry.offset, -1) for entry in machine.zswap.pool.lru]


def entries_of(machine: Machine) -> list[tuple[int, int]]:
    """Each entry's slot and refcount."""
    entries = machine.zswap.trees[0].entries if machine.zswap.trees else {}
    return [(slot, entries[slot].refcount) for slot in sorted(entries)]
