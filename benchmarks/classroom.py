"""A made-up class, from nothing to CSV: `python benchmarks/classroom.py [--students 100] [--jobs 2]`.

Of a hundred students five hand in code that never ends, five a file that is no notebook, five an empty one, and five
nothing. Every other one answers each exercise rightly, makes one of the mistakes that the bank knows, or leaves it out.

With exercises 01.1, 03.1, 06.1, 06.2 and 08.2 the four steps took 524 s, with two processes on two cores that had a
load of 8 to 18; the processes that judged took 160 s of CPU.
"""

from __future__ import annotations

import argparse
import ast
import csv
import json
import os
import zipfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from zswaplab.cli import main as zswaplab
from zswaplab.teach.classroom import Class, opened
from zswaplab.teach.students import seed_of
from zswaplab.teach.task import Task, tasks, typed

ODD = ("endless", "malformed", "empty", "missing")  # five of each in a hundred
ENDLESS = "answer = 0\nwhile True:\n    answer = answer + 1"


def kinds(students: int) -> dict[str, str]:
    """Student -> what they hand in: one of ODD, or "notebook". Which is which says the id."""
    each = max(1, students // 20)
    names = [kind for kind in ODD for _ in range(each)]
    return {f"s{number:03}": kind for number, kind in enumerate([*names, *["notebook"] * (students - len(names))])}


def hand_in(own: Class, file: Path) -> Counter[str]:
    """Write a zip with what the class hands in; returns how many answers of which sort there are."""
    blank = json.loads((own.folder / "handout" / "exercises.ipynb").read_text(encoding="utf-8"))
    sorts: Counter[str] = Counter()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for student, kind in kinds(len(own.students)).items():
            if kind != "missing":
                odd = {"malformed": "{", "empty": ""}
                text = odd[kind] if kind in odd else filled_in(blank, own, student, kind, sorts)
                packed.writestr(f"{student}.ipynb", text)
    return sorts


def filled_in(blank: dict[str, Any], own: Class, student: str, kind: str, sorts: Counter[str]) -> str:
    """A student's notebook."""
    dice, cells = Random(student), []
    for cell in blank["cells"]:
        source = cell["source"].replace('student = ""', f'student = "{student}"')
        id = cell["metadata"].get("nbgrader", {}).get("grade_id", "").removeprefix("answer-").replace("-", ".")
        if id in own.exercises:
            sort, source = answer_to(tasks()[id], seed_of(student, id, own.salt), dice, source)
            if kind == "endless" and id == own.exercises[0]:
                sort, source = "endless", ENDLESS
            sorts[sort] += 1
        cells.append({**cell, "source": source})
    return json.dumps({**blank, "cells": cells})


def answer_to(task: Task, seed: int, dice: Random, blank: str) -> tuple[str, str]:
    """An answer, and what sort it is of: right, wrong, or left out."""
    if dice.random() < 0.1:
        return "left out", blank
    if dice.random() < 0.5:
        return "right", typed(task.reference(seed))
    for mistake in dice.sample(sorted(task.wrong(seed)), len(task.wrong(seed))):
        try:
            source = typed(task.wrong(seed)[mistake])
            ast.parse(source)
        except (OSError, SyntaxError, TypeError):  # it cannot be typed
            continue
        return "wrong", source
    return "wrong", "answer = 0"


def run(folder: Path, students: int, exercises: Sequence[str], jobs: int) -> dict[str, float]:
    """All four steps in a folder, as a teacher takes them; returns the seconds of each."""
    (folder / "roster.csv").write_text("student\n" + "\n".join(kinds(students)) + "\n")
    seconds = {}

    def step(name: str, *options: object) -> None:
        begun = perf_counter()
        zswaplab(["class", name, str(folder / "class"), *map(str, options)])
        seconds[name] = perf_counter() - begun

    step("new", "--roster", folder / "roster.csv", "--exercises", *exercises)
    hand_in(opened(folder / "class"), folder / "handed-in.zip")
    step("collect", folder / "handed-in.zip")
    step("grade", "--jobs", jobs)
    step("report")
    return seconds


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--students", type=int, default=100)
    options.add_argument("--jobs", type=int, default=2)
    options.add_argument("--exercises", nargs="+", default=[*tasks()])
    asked = options.parse_args()
    with TemporaryDirectory() as folder:
        seconds = run(Path(folder), asked.students, asked.exercises, asked.jobs)
        with (Path(folder) / "class" / "grades" / "exercises.csv").open(encoding="utf-8-sig", newline="") as file:
            rows = [*csv.DictReader(file)]
    print(f"\n{asked.students} students, {len(asked.exercises)} exercises, {asked.jobs} processes: {len(rows)} rows")
    print(dict(Counter(row["state"] for row in rows)))
    print("seconds:", {name: round(value, 1) for name, value in seconds.items()})
    spent = os.times()
    print(f"of CPU, in the processes that judged: {spent.children_user + spent.children_system:.0f}")


if __name__ == "__main__":
    main()
