"""What all exercises share in which a student writes kernel code, which takes the model's place."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, ClassVar

from ...run.rules import check, model_function, take_place
from ...run.setup import Setup
from ...trace.explain import replay_in_order
from ...trace.findings import Problem
from ...trace.read import Recording, read
from ...trace.replay import Replay
from ...trace.shipped import find_run
from ..guard import fenced, need_function, student_code
from ..variant import Malformed, Variant
from .rows import short

Function = Callable[..., Any]
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
        return {name: guarded(need_function(name, one, like)) for (name, like), one in pairs}


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
