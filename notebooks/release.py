"""Write what comes of the bank: `python notebooks/release.py`, all of it.

Of each notebook of the course that has exercises there is a master in exercises/masters, with solutions and hidden
tests, and the version for students beside it in exercises, without them. For teachers there are a table of the
exercises and a test for before and after the course, with its key. None is edited by hand, and none has outputs.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from functools import cache
from itertools import groupby
from pathlib import Path
from string import ascii_lowercase

from zswaplab.teach.handout import Notebook, master_of, student_version
from zswaplab.teach.prediction import Prediction
from zswaplab.teach.questions import Question
from zswaplab.teach.task import Task, tasks

HERE = Path(__file__).parent
SEEDS = {"before": 2, "after": 3}  # which instance of each question
WRITTEN = "<!-- Written by notebooks/release.py: do not edit. -->"
DO_NOT_KNOW = "I do not know."
INTRODUCTION = """Ten minutes. It is not graded, and nobody needs to know anything yet. Choose one answer of each;
*I do not know* is a good one.

Linux can keep pages that it pages out squeezed, in a *pool* in memory; **zswap** does that. For each page that it
has it keeps an *entry*. A page that it refuses goes to the disk, the *swap device*, and a *shrink worker* writes pages
from the pool to the disk when there is no room. Below, *write 3* means that a program writes its page 3; *page out 3*
that the kernel takes the page out of memory; *read 3* that the program reads it, wherever it is; *free 3* that the
program gives it up."""

KEY = """The same eight questions before and after, in two instances. Compare how many are right and which wrong rules
are left; one question alone says little, as its two instances are not equally hard. No class has taken this test."""


def released() -> dict[Path, str]:
    """What stands in every file that is written."""
    found = {}
    for name, master in masters().items():
        found[HERE / "exercises" / "masters" / name] = text_of(master)
        found[HERE / "exercises" / name] = text_of(student_version(master))
    teaching = {"exercises.md": exercises(), "key.md": key()} | {f"{name}.md": test(name) for name in SEEDS}
    return found | {HERE / "teaching" / name: text for name, text in teaching.items()}


# -- exercises ------------------------------------------------------------------------------------------------


def masters() -> dict[str, Notebook]:
    """The masters by the names of their files: those of the notebooks to which they belong."""
    found = {}
    for number, own in groupby(tasks().values(), key=lambda task: task.notebook):
        name = next((path.name for path in HERE.glob(f"{number}-*.ipynb")), f"{number}.ipynb")
        found[name] = master_of([task.id for task in own])
    return found


def text_of(notebook: Notebook) -> str:
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def exercises() -> str:
    """All exercises for a teacher: a table, then of each its goals, its rubric and what goes wrong."""
    lines = [WRITTEN, "# The exercises", "", "Minutes are estimated, not measured.", "",
             "| exercise | title | kind | level | minutes | variants |", "|---|---|---|---|---|---|"]  # fmt: skip
    for task in tasks().values():
        variants = "one for each student" if task.seeded else "the same for all"
        lines.append(f"| {task.id} | {task.title} | {task.kind} | {task.level} | {task.minutes} | {variants} |")
    return "\n".join([*lines, *(line for task in tasks().values() for line in described(task))]) + "\n"


def described(task: Task) -> Iterator[str]:
    yield from ("", f"## {task.id} {task.title}", "", "Afterwards a student can:", "")
    yield from (f"* {goal}" for goal in task.goals)
    yield from ("", "| criterion | share |", "|---|---|")
    yield from (f"| {name} | {share:.0%} |" for name, share in task.rubric.items())
    yield from ("", "What goes wrong, and what a student is told of it:", "")
    yield from (f"* **{name}**: {said}" for name, said in task.mistakes.items())


# -- a test before and after ------------------------------------------------------------------------------------


@cache
def questions() -> list[Question]:
    """The questions of the test, in their order."""
    text = (HERE / "teaching" / "before-and-after.toml").read_text(encoding="utf-8")
    return [
        Question(**{name: " ".join(value.split()) if isinstance(value, str) else value for name, value in data.items()})
        for data in tomllib.loads(text)["question"]
    ]


def instances(name: str) -> list[Prediction]:
    return [Prediction(question.draw(SEEDS[name])) for question in questions()]


def test(name: str) -> str:
    """The test on a sheet of paper."""
    lines = [WRITTEN, f"# A test {name} the course", "", INTRODUCTION, ""]
    for number, asked in enumerate(instances(name), start=1):
        options = [option.label for option in asked.options] + [DO_NOT_KNOW]
        lines += [f"## {number}", "", asked.text, "", *(f"* {line}" for line in asked.about.splitlines()), ""]
        lines += [*(f"{letter}) {label}  " for letter, label in zip(ascii_lowercase, options, strict=False)), ""]
    return "\n".join(lines)


def key() -> str:
    """What is right in both, and which wrong rule is behind each other answer."""
    lines = [WRITTEN, "# The key", "", KEY, ""]
    for number, question in enumerate(questions(), start=1):
        lines += [f"## {number}", "", question.why, "", "| test | answer | what it is |", "|---|---|---|"]
        for name in SEEDS:
            asked = instances(name)[number - 1]
            right = asked.drawn.answer
            for option, letter in zip(asked.options, ascii_lowercase, strict=False):
                said = "right" if option.answer == right else " ".join(f"“{wrong.rule}”" for wrong in option.wrong)
                if said:
                    lines.append(f"| {name} | {letter}) {option.label} | {said} |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    for path, text in released().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(path.relative_to(HERE))
