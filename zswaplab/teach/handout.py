"""Notebooks with exercises: the master, which has the answers and the hidden tests, and what a student gets of it.

The cells carry what nbgrader wants to know of them, so that it can grade them as well as `zswaplab class` can. Nothing
is executed here, and no library for notebooks is needed: a notebook is JSON.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pprint import pformat
from typing import Any

from .students import seed_of
from .task import Task, filled, tasks, typed

Notebook = dict[str, Any]
Cell = dict[str, Any]
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
MASTER = "master"  # the student whose answers a master has
POINTS = 10  # of each exercise, in nbgrader
WIDTH = 100  # of a solution's lines
SOLUTION = re.compile(r"\n*### BEGIN SOLUTION\n.*?\n### END SOLUTION", re.DOTALL)
HIDDEN = re.compile(r"\n*### BEGIN HIDDEN TESTS\n.*?\n### END HIDDEN TESTS", re.DOTALL)
TITLE = """# Exercises

Put your id between the quotes of the next cell, and run it: your exercises are drawn from it. Of each exercise one cell
shows the task, one takes your answer and one checks it, as often as you like. `mine` is then that exercise:
`mine.hint()` helps, `mine.play()` shows where your answer breaks, and `mine.solution()` and `mine.new()` are for
afterwards. What you hand in is this notebook, saved."""
WHO = 'from zswaplab import exercise\n\nstudent = "{}"  # your id, as your teacher has it\nsalt = "{}"  # your class\'s'
TASK = """## {0.id} {0.title}

*{kind}, level {0.level} of 3, about {0.minutes} minutes (estimated).* Afterwards you can {goals}."""
CHECK = """mine = exercise("{0.id}", student, salt=salt, version={0.version})
mine.check(answer)
### BEGIN HIDDEN TESTS
verdict = mine.check(answer)
print(verdict.state, verdict.variant)
round({1} * verdict.points, 2)
### END HIDDEN TESTS"""


def master_of(exercises: Sequence[str], salt: str = "") -> Notebook:
    """The master of some exercises, with an answer to each that is right for the student called "master"."""
    cells = [markdown("title", TITLE), code("who", WHO.format(MASTER, salt), "who")]
    for id in exercises:
        cells += cells_of(tasks()[id], seed_of(MASTER, id, salt))
    return {"cells": cells, "metadata": METADATA, "nbformat": 4, "nbformat_minor": 5}


def student_version(master: Notebook) -> Notebook:
    """What a student gets of a master: without solutions, hidden tests and its id.

    >>> cells = student_version(master_of(["06.2"]))["cells"]
    >>> [cell["id"] for cell in cells]
    ['title', 'who', 'about-06-2', 'task-06-2', 'answer-06-2', 'check-06-2']
    >>> any("BEGIN" in cell["source"] for cell in cells)
    False
    """
    return {**master, "cells": [{**cell, "source": without(cell["source"])} for cell in master["cells"]]}


def without(source: str) -> str:
    return HIDDEN.sub("", SOLUTION.sub("", source)).replace(f'student = "{MASTER}"', 'student = ""')


def cells_of(task: Task, seed: int) -> list[Cell]:
    """What it is about, the task, the answer and the check of one exercise."""
    name = task.id.replace(".", "-")  # nbgrader takes no dot in an id
    drawn = dict.fromkeys(task.variant(seed).shown(), "...")  # it is not the same for all
    solution = f"### BEGIN SOLUTION\n{solved(task, seed)}\n### END SOLUTION"
    about = TASK.format(task, kind=task.kind.capitalize(), goals=", and ".join(task.goals))
    return [
        markdown(f"about-{name}", about),
        code(f"task-{name}", f'exercise("{task.id}", student, salt=salt)', "task"),
        code(f"answer-{name}", f"{filled(task.start, drawn)}\n{solution}", "answer",
             nbgrader=marked(f"answer-{name}", solution=True), zswaplab={"version": task.version}),
        code(f"check-{name}", CHECK.format(task, POINTS), "check",
             nbgrader=marked(f"check-{name}", grade=True, locked=True, points=POINTS)),
    ]  # fmt: skip


def solved(task: Task, seed: int) -> str:
    """A right answer as it is typed, data in lines that are not too long."""
    answer = task.reference(seed)
    text = typed(answer)
    if max(map(len, text.splitlines())) <= WIDTH:
        return text
    return "answer = " + pformat(answer, width=WIDTH, compact=True, sort_dicts=False)


def markdown(id: str, source: str) -> Cell:
    return {"cell_type": "markdown", "id": id, "metadata": {}, "source": source}


def code(id: str, source: str, tag: str, **metadata: dict[str, Any]) -> Cell:
    about = {"tags": [tag], **metadata}
    return {"cell_type": "code", "execution_count": None, "id": id, "metadata": about, "outputs": [], "source": source}


def marked(id: str, **what: Any) -> dict[str, Any]:
    """What nbgrader wants to know of a cell."""
    unmarked = dict.fromkeys(("grade", "locked", "solution", "task"), False)
    return {**unmarked, "grade_id": id, "schema_version": 3, **what}
