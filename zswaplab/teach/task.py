"""`Task`: one exercise of the bank, and `Verdict`: what is said of an answer. No widget is needed here, and no table.

Its words are data in `bank/exercises`, a file a notebook. What draws a variant of it and judges an answer is a
`Variant` in `tasks`, which has the reference solution and the wrong ones too: nothing of these is in a repr.
"""

from __future__ import annotations

import contextlib
import inspect
import tomllib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, cast

from ..model.errors import BadInput, choose
from ..run.setup import Setup
from .guard import Endless, Printed, StudentError, is_empty
from .misconceptions import MISCONCEPTIONS

STATES = ("not attempted", "malformed", "wrong", "partly right", "right", "our fault")
KINDS = ("be the kernel", "read evidence", "write kernel code", "break it")
LEVELS = (1, 2, 3)
HINTS = 3
BANK = Path(__file__).with_name("bank") / "exercises"


@dataclass(frozen=True)
class Verdict:
    """What is said of one answer.

    `state` is one of STATES, `points` from 0 to 1, `criteria` where they come from: (name, points, of). `message` says
    it in plain words. `belief` names the mistake that gives such an answer: a misconception (see `MISCONCEPTIONS`) or
    one of the task's own (`Task.mistakes`); it is empty where none is known. `setup` is the shortest run that shows
    what is wrong, `step` where to look, `mine` the same run as the answer has it, where that is a run of its own.
    `variant` names the task and its seed, for a report.

    >>> tasks()["06.2"].judge(..., seed=1)
    Not attempted. There is no answer yet. Put yours in the place of `...`.
    (06.2:1)
    """

    state: str
    message: str
    points: float = 0.0
    criteria: tuple[tuple[str, float, float], ...] = ()
    belief: str = ""
    setup: Setup | None = None
    step: int | None = None
    mine: Setup | None = None
    variant: str = ""

    def __repr__(self) -> str:
        of = f", {self.points:g} of 1" if self.state == "partly right" else ""
        return f"{self.state.capitalize()}{of}. {self.message}\n({self.variant})"

    def _repr_markdown_(self) -> str:
        state, _, rest = repr(self).partition(". ")
        return f"**{state}.** {rest}"


@dataclass(frozen=True)
class Feedback:
    """What is said of an answer that is not right, always in this order; what is empty is left out."""

    contract: str = ""  # what is broken, in the field's words
    example: str = ""  # the smallest that fails
    shortest: str = ""  # of the run that can be played
    recorded: str = ""  # the first row in which a recorded kernel differs

    def __str__(self) -> str:
        return "\n\n".join(filter(None, (getattr(self, part.name) for part in fields(self))))


class Malformed(Exception):
    """An answer that cannot be judged, and costs nothing: the message says what is needed."""


class Variant(ABC):
    """One variant of a task, drawn from a seed. A subclass is what one exercise is."""

    def __init__(self, task: Task, seed: int) -> None:
        self.task, self.seed = task, seed
        self.draw()

    def draw(self) -> None:  # noqa: B027
        """Draw what is different from seed to seed; nothing by default."""

    def shown(self) -> dict[str, object]:
        """What stands in the gaps of the task's text."""
        return {}

    @abstractmethod
    def judge(self, answer: Any) -> Verdict:
        """The verdict on an answer. Raises Malformed, or BadInput, for one that cannot be judged."""

    @abstractmethod
    def reference(self) -> Any:
        """An answer that is right."""

    @abstractmethod
    def wrong(self) -> Mapping[str, Any]:
        """Mistake -> an answer that makes it; the names are those of `Task.mistakes`."""

    # -- verdicts --------------------------------------------------------------------------------

    def right(self, message: str = "") -> Verdict:
        return self.verdict("right", message or self.task.why, dict(self.task.rubric))

    def verdict(self, state: str, message: str, points: Mapping[str, float] | None = None, **more: Any) -> Verdict:
        """A verdict with the points of each criterion of the rubric; none where they are not given."""
        given = points or {}
        criteria = tuple((name, min(given.get(name, 0.0), of), of) for name, of in self.task.rubric.items())
        return Verdict(state, message, round(sum(one for _, one, _ in criteria), 3), criteria, **more)

    def mistake(
        self, belief: str, feedback: Feedback, points: Mapping[str, float] | None = None, **more: Any
    ) -> Verdict:  # fmt: skip
        """What is said of a mistake: the contract that it breaks is in the bank. No points make it wrong."""
        if belief:
            feedback = replace(feedback, contract=self.task.mistakes[belief])
        state = "partly right" if points and sum(points.values()) else "wrong"
        return self.verdict(state, str(feedback), points, belief=belief, **more)


@dataclass(frozen=True, eq=False)
class Task:
    """One exercise, as data: its words, and how it is judged.

    `kind` is one of KINDS, `level` from 1 (easy) to 3, `minutes` are estimated. `goals` say what it teaches, `text`
    what is to be done, with gaps that a seed fills. `start` is what stands in the answer cell at first. `rubric` is
    criterion -> points, 1 in all. `mistakes` are those that are known: name -> the first sentences of what is said of
    it; a name is that of a misconception, or the task's own. `why` is told once it is right. `version` grows when
    answers to an older one may be judged otherwise.
    """

    id: str
    kind: str
    level: int
    minutes: int
    title: str
    goals: Sequence[str]
    text: str
    start: str
    hints: Sequence[str] = field(repr=False)
    rubric: Mapping[str, float] = field(repr=False)
    mistakes: Mapping[str, str] = field(repr=False)
    why: str = field(repr=False)
    version: int = 1
    seeded: bool = True

    def __post_init__(self) -> None:
        choose(f"exercise {self.id}: kind", self.kind, KINDS)
        choose(f"exercise {self.id}: level", self.level, LEVELS)
        if len(self.hints) != HINTS or abs(sum(self.rubric.values()) - 1) > 1e-9:
            raise BadInput(f"exercise {self.id} needs {HINTS} hints, and a rubric whose points are 1 in all")

    @property
    def notebook(self) -> str:
        """The number of the notebook to which it belongs."""
        return self.id.partition(".")[0]

    @property
    def misconceptions(self) -> list[str]:
        """Those of the mistakes that are misconceptions of the course."""
        return [name for name in self.mistakes if name in MISCONCEPTIONS]

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
        printed, variant = Printed(), f"{self.id}:{need_seed(seed)}"
        with contextlib.redirect_stdout(cast(Any, printed)):
            verdict = self._judged(answer, seed, version)
        message = "\n\n".join(filter(None, (verdict.message, printed.said)))
        return replace(verdict, message=message, variant=variant)

    def _judged(self, answer: Any, seed: int, version: int | None) -> Verdict:
        try:
            if untouched(answer):
                return Verdict("not attempted", "There is no answer yet. Put yours in the place of `...`.")
            if version not in (None, self.version):
                raise Malformed(
                    f"This answer was given to version {version} of exercise {self.id}, and this zswaplab has version "
                    f"{self.version}. Nothing is lost: read the task again, it has changed."
                )
            return self.variant(seed).judge(answer)
        except (Malformed, BadInput) as problem:
            return Verdict("malformed", f"{problem}\n\nThis costs nothing.")
        except StudentError as problem:
            return self._wrong(f"Your code stops with an exception: {problem}.", "exception")
        except Endless as problem:
            return self._wrong(
                f"Your code does not come to an end: {problem}. It was stopped. Which condition ends the loop, and what"
                " changes it?", "endless",
            )  # fmt: skip
        except Exception as problem:
            return Verdict("our fault", (
                f"Here zswaplab itself failed, not you: {type(problem).__name__}: {problem}. Please report it with "
                f"{self.id}:{seed}. It costs nothing."
            ))  # fmt: skip

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
        return all(untouched(one) for one in answer)
    if inspect.isfunction(answer):
        return is_empty(answer)
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
    from .tasks import VARIANTS  # which stand on this file

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
