"""`exercise`: what a reader holds in a notebook: the task, checking, hints, a solution, another variant."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..model.errors import BadInput, choose
from .evidence import recorded
from .students import NOBODY, Progress, plain, seed_of
from .task import Task, need_seed, tasks
from .variant import HINTS, Verdict

ENOUGH = 3  # tries after which, with all hints taken, a solution is shown
WORTH = ("our fault", "not attempted", "malformed", "wrong", "partly right", "right")  # from least to most


OTHER = """This is right for {}, and the variant here is {}. Run the cell with the task again, and answer that.

This costs nothing."""
FOOT = "*{}, level {} of 3, about {} minutes. Variant {}. `check(answer)` checks; `hint()` and `new()` help.*"


class Text(str):
    """A text that a notebook shows as it is, without quotes."""

    __repr__ = str.__str__

    def _repr_markdown_(self) -> str:
        return str(self)


class Exercise:
    """One exercise in the hands of a reader. Shown in a notebook it is the task; nothing of the answer is in it.

    `id` and `seed` say which variant it is, `task` has its words. `progress` is kept in a file of the user's, so that a
    restart, a new version or another name of the notebook loses nothing.
    """

    def __init__(self, task: Task, seed: int, student: str = NOBODY, version: int | None = None) -> None:
        self.task, self.id, self.seed, self.student, self.version = task, task.id, seed, student, version
        self.progress = Progress(student)
        self.last: Verdict | None = None
        if not self.progress.of(self.variant):
            self.progress.note(self.variant, tries=0, hints=0, state="not attempted", points=0.0, version=task.version)

    @property
    def variant(self) -> str:
        """What it is called in a report, like "06.2:1234567"."""
        return f"{self.id}:{self.seed}"

    # -- answering -------------------------------------------------------------------------------

    def check(self, answer: Any = ...) -> Verdict:
        """What is said of an answer. The best try is what is kept; an answer that cannot be judged costs nothing."""
        verdict = self.task.judge(answer, self.seed, self.version)
        if verdict.state in ("wrong", "partly right") and (other := self._meant_for(answer)):
            verdict = Verdict("malformed", OTHER.format(other, self.variant), variant=self.variant)
        self.last = verdict
        self._note(verdict)
        message = "\n\n".join(filter(None, (verdict.message, self.progress.trouble)))
        return replace(verdict, message=message)

    def _meant_for(self, answer: Any) -> str:
        """Another variant, opened before, for which the answer is right."""
        if not self.task.seeded:
            return ""
        for other in self.progress.variants(self.id)[-5:]:
            seed = int(other.partition(":")[2])
            if seed != self.seed and self.task.judge(answer, seed).state == "right":
                return other
        return ""

    def _note(self, verdict: Verdict) -> None:
        known = self.progress.of(self.variant)
        counts = verdict.state in ("wrong", "partly right", "right")
        values: dict[str, Any] = {"tries": known.get("tries", 0) + counts}
        if counts and "first" not in known:
            values["first"] = verdict.points
        before = WORTH.index(known.get("state", "not attempted"))
        if WORTH.index(verdict.state) > before or verdict.points > known.get("points", 0):
            values |= {"state": verdict.state, "points": max(verdict.points, known.get("points", 0.0))}
        self.progress.note(self.variant, **values)

    # -- help --------------------------------------------------------------------------------------

    def hint(self) -> str:
        """The next hint; after the last one the last again."""
        number = min(self.progress.of(self.variant).get("hints", 0) + 1, HINTS)
        self.progress.note(self.variant, hints=number)
        return Text(f"{number} of {HINTS}: {self.task.hints[number - 1]}")

    def solution(self) -> str:
        """The solution, once it is solved; before that, one worked for another seed.

        Where that would give yours away it comes after all hints and three tries.
        """
        known = self.progress.of(self.variant)
        if known.get("state") == "right":
            return Text(self.task.solution(self.seed))
        if self.task.seeded and not self.task.alike:
            other = seed_of(str(self.seed), self.id, "worked")
            worked = "Worked for another seed; yours is for you.", self.task.words(other), self.task.solution(other)
            return Text("\n\n".join(worked))
        if known.get("hints", 0) >= HINTS and known.get("tries", 0) >= ENOUGH:
            self.progress.note(self.variant, shown=True)
            return Text(self.task.solution(self.seed))
        return Text(
            f"The solution comes once it is solved, or after {HINTS} hints and {ENOUGH} tries: so far you have taken "
            f"{known.get('hints', 0)} and {known.get('tries', 0)}."
        )

    def new(self) -> Exercise:
        """Another variant of it, to practise; this one stays as it is."""
        if not self.task.seeded:
            raise BadInput(f"exercise {self.id} is the same for everybody, so there is no other variant: try reset()")
        return Exercise(self.task, seed_of(str(self.seed), self.id, "new"), self.student)

    def reset(self, *, everything: bool = False) -> Exercise:
        """Forget what was tried of this exercise; of no other, unless `everything` is to be forgotten."""
        self.progress.forget(None if everything else self.id)
        return Exercise(self.task, self.seed, self.student, self.version)

    def play(self) -> Any:
        """The run that shows what is wrong with the last answer: yours beside the kernel's, where they part.

        Raises BadInput where there is none to show.
        """
        if self.last is None or self.last.setup is None:
            raise BadInput("there is nothing to play: check an answer first; not every mistake has a run that shows it")
        from ..show.compare import compare
        from ..show.player import play

        if self.last.mine is None:
            return play(recorded(self.last.setup), step=self.last.step or 0)
        return compare(recorded(self.last.setup), recorded(self.last.mine), self.last.step)

    # -- how it looks ------------------------------------------------------------------------------

    def words(self) -> str:
        """The task, in Markdown."""
        task = self.task
        foot = FOOT.format(task.kind.capitalize(), task.level, task.minutes, self.variant)
        return f"### Exercise {self.id}: {task.title}\n\n{task.words(self.seed)}\n\n{foot}"

    def __repr__(self) -> str:
        known = self.progress.of(self.variant)
        return f"<exercise {self.variant} {self.task.title!r}: {known.get('state', 'not attempted')}>"

    def _repr_markdown_(self) -> str:
        return self.words()


def exercise(
    id: str, student: str | None = None, seed: int | None = None, *, salt: str = "", version: int | None = None
) -> Exercise:  # fmt: skip
    """An exercise by the number of its notebook and its own, like "06.2"; in a notebook it shows the task.

    With your `student` id you get your own variant, the same on every system, and your progress is kept for you; `salt`
    is your class's, if it has one. `seed` chooses a variant by its number instead: for a vote, a whole class takes the
    same. "06.2:1234567" names both. `version` is that of the exercise for which a notebook was made. `check(answer)`
    says what is right, and shows the shortest run in which an answer breaks; `hint()`, `solution()`, `new()` (another
    variant), `play()`, and `reset()` help. Raises BadInput for an exercise that is not there, and for what is no id or
    seed.

    >>> exercise("06.2", seed=1).check(["stored", "stored", "clean"]).state
    'partly right'
    >>> exercise("06.2", seed=1).check("stored")
    Malformed. answer is 'stored': give a list with 13 entries, one for each line.
    ...
    """
    if not isinstance(id, str):
        raise BadInput(f'id={id!r} cannot be: give the number of an exercise as a text, like exercise("06.2")')
    name, _, number = id.partition(":")
    choose("exercise", name, tasks())
    if number:
        if not (number.isascii() and number.isdecimal()):
            raise BadInput(f"id={id!r} cannot be: after the colon stands the seed, like 06.2:1234567")
        seed = int(number)
    who = NOBODY if student is None else plain(student)
    if seed is None:
        seed = seed_of(who, name, salt) if who else 0
    return Exercise(tasks()[name], need_seed(seed), who, version)
