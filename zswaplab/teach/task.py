"""`Task`: one exercise, its variants judged; `tasks()` has all of them. No widget is needed here, and no table.

The words are data in `bank/exercises`, a file a notebook; what draws a variant and judges an answer is in `tasks`, with
the reference solution and the wrong ones: nothing of these is in a repr.
"""

from __future__ import annotations

import contextlib
import inspect
import tomllib
from collections.abc import Mapping
from dataclasses import fields, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, cast

from ..model.errors import BadInput, choose
from .guard import Endless, Printed, StudentError, has_gap
from .tasks import VARIANTS
from .variant import Malformed, Variant, Verdict, Words

BANK = Path(__file__).with_name("bank") / "exercises"


OUR_FAULT = """Here zswaplab itself has failed, not you: {}. Please report it with {}.

This costs nothing."""


class Task(Words):
    """One exercise: its words, its variants, how an answer is judged.

    >>> task = tasks()["06.2"]
    >>> task.kind, task.minutes
    ('be the kernel', 12)
    """

    def variant(self, seed: int) -> Variant:
        """What a seed draws. Raises BadInput for what is no seed."""
        return variant_of(self, need_seed(seed))

    def words(self, seed: int) -> str:
        """The text of a seed's variant, in Markdown."""
        return filled(self.text, self.variant(seed).shown())

    def cell(self, seed: int) -> str:
        """What stands in the answer cell at first."""
        return filled(self.start, self.variant(seed).shown())

    def reference(self, seed: int) -> Any:
        """An answer that is right."""
        return self.variant(seed).reference()

    def solution(self, seed: int) -> str:
        """The same as it can be typed, and why."""
        return f"{typed(self.reference(seed))}\n\n{self.why}"

    def wrong(self, seed: int) -> Mapping[str, Any]:
        """Mistake -> an answer that makes it."""
        return self.variant(seed).wrong()

    def judge(self, answer: Any, seed: int, version: int | None = None) -> Verdict:
        """The verdict on an answer to a seed's variant. It never raises for an answer, whatever that is.

        `version` is that of the exercise which was answered, where it is known. Raises BadInput for what is no seed.
        """
        printed, name = Printed(), f"{self.id}:{need_seed(seed)}"
        try:
            variant = self.variant(seed)
            with contextlib.redirect_stdout(cast(Any, printed)):
                verdict = self._judged(variant, answer, version)
        except Exception as problem:
            verdict = Verdict("our fault", OUR_FAULT.format(f"{type(problem).__name__}: {problem}", name))
        message = "\n\n".join(filter(None, (verdict.message, printed.said)))
        return replace(verdict, message=message, variant=name)

    def _judged(self, variant: Variant, answer: Any, version: int | None) -> Verdict:
        try:
            if untouched(answer):
                return Verdict("not attempted", "There is no answer yet. Put yours in the place of `...`.")
            if version not in (None, self.version):
                raise Malformed(
                    f"This answer was given to version {version} of exercise {self.id}, and this zswaplab has version "
                    f"{self.version}. Nothing is lost: read the task again, it has changed."
                )
            return variant.judge(answer)
        except (Malformed, BadInput) as problem:
            return Verdict("malformed", f"{problem}\n\nThis costs nothing.")
        except StudentError as problem:
            return self._wrong(f"Your code stops with an exception: {problem}.", "exception")
        except Endless as problem:
            return self._wrong(
                f"Your code does not come to an end: {problem}. It was stopped. Which condition ends the loop, and what"
                " changes it?", "endless",
            )  # fmt: skip

    def _wrong(self, message: str, belief: str) -> Verdict:
        criteria = tuple((name, 0.0, of) for name, of in self.rubric.items())
        return Verdict("wrong", message, criteria=criteria, belief=belief)


def need_seed(seed: object) -> int:
    """Raise BadInput unless it is a seed."""
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise BadInput(f"seed={seed!r} cannot be: give a whole number, 0 or more")
    return seed


def untouched(answer: object) -> bool:
    """Whether nothing was put in the place of `...`."""
    if isinstance(answer, Mapping):
        answer = list(answer.values())
    if isinstance(answer, (list, tuple)):
        return bool(answer) and all(untouched(one) for one in answer)
    if inspect.isfunction(answer):
        return has_gap(answer)
    return answer is ... or answer is None or (isinstance(answer, str) and not answer.strip())


def filled(text: str, shown: Mapping[str, object]) -> str:
    """A text with its gaps filled: {name}."""
    for name, value in shown.items():
        text = text.replace(f"{{{name}}}", str(value))
    return text


def typed(answer: object) -> str:
    """An answer as it can be typed in a cell: functions by their source."""
    functions = [one for one in (answer if isinstance(answer, (list, tuple)) else [answer]) if inspect.isfunction(one)]
    if not functions:
        return f"answer = {answer!r}"
    names = ", ".join(function.__name__ for function in functions)
    sources = "\n\n".join(inspect.getsource(function).rstrip() for function in functions)
    return f"{sources}\n\nanswer = {f'[{names}]' if isinstance(answer, (list, tuple)) else names}"


# -- the bank ------------------------------------------------------------------------------------------------


@lru_cache(maxsize=64)
def variant_of(task: Task, seed: int) -> Variant:
    """The variant of a seed: the same again where it was drawn before."""
    return VARIANTS[task.id](task, seed)


@cache
def tasks() -> dict[str, Task]:
    """Every exercise by its id, in the order of the notebooks.

    >>> tasks()["06.2"].kind
    'be the kernel'
    """
    return {task.id: task for file in sorted(BANK.glob("*.toml")) for task in tasks_of(file)}


def tasks_of(file: Path) -> list[Task]:
    """The exercises of one file. Raises BadInput for what no exercise has, or one that is not of its notebook."""
    found = []
    for data in tomllib.loads(file.read_text(encoding="utf-8"))["exercise"]:
        for name in data:
            choose(f"{file.name}: field of an exercise", name, [one.name for one in fields(Task)])
        task = Task(**{name: joined(name, value) for name, value in data.items()})
        if task.notebook != file.stem:
            raise BadInput(f"exercise {task.id} stands in {file.name}: it belongs to another notebook")
        found.append(task)
    return found


def joined(name: str, value: Any) -> Any:
    """Prose on one line; the text and the start keep their lines."""
    if name in ("text", "start"):
        return value.strip()
    if isinstance(value, str):
        return " ".join(value.split())
    if isinstance(value, list):
        return tuple(joined("", one) for one in value)
    return {key: joined("", one) for key, one in value.items()} if isinstance(value, dict) else value
