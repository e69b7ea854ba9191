"""What every exercise is made of: its `Words`, a `Variant` that a seed draws, and the `Verdict` on an answer.

No widget is needed here, and no table. `task` puts the parts together.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from ..model.errors import BadInput, choose
from ..run.setup import Setup
from .misconceptions import MISCONCEPTIONS

STATES = ("not attempted", "malformed", "wrong", "partly right", "right", "our fault")
KINDS = ("be the kernel", "read evidence", "write kernel code", "break it")
LEVELS = (1, 2, 3)
HINTS = 3


@dataclass(frozen=True)
class Verdict:
    """What is said of one answer.

    `state` is one of STATES, `points` from 0 to 1, `criteria` where they come from: (name, points, of). `message` says
    it in plain words. `belief` names the mistake that gives such an answer: a misconception (see `MISCONCEPTIONS`) or
    one of the task's own (`Task.mistakes`); it is empty where none is known. `setup` is the shortest run that shows
    what is wrong, `step` where to look, `mine` the same run as the answer has it, where that is a run of its own.
    `variant` names the task and its seed, for a report.

    >>> from zswaplab.teach.task import tasks
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


@dataclass(frozen=True, eq=False)
class Words:
    """One exercise of the bank, as data.

    `kind` is one of KINDS, `level` from 1 (easy) to 3, `minutes` are estimated. `goals` say what it teaches, `text`
    what is to be done, with gaps that a seed fills. `start` is what stands in the answer cell at first. `rubric` is
    criterion -> points, 1 in all. `mistakes` are those that are known: name -> the first sentences of what is said of
    it; a name is that of a misconception, or the task's own. `why` is told once it is right. `version` grows when
    answers to an older one may be judged otherwise. `seeded` says whether another seed gives another variant, `alike`
    whether the solution of one gives that of all away.
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
    alike: bool = False

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


class Variant(ABC):
    """One variant of a task, drawn from a seed. A subclass is what one exercise is."""

    def __init__(self, task: Words, seed: int) -> None:
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
