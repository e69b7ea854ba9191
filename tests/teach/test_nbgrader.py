"""nbgrader's whole loop, headless, on the masters as they are: a student who is right, one wrong, one without end."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from zswaplab.teach.handout import POINTS
from zswaplab.teach.students import seed_of
from zswaplab.teach.task import tasks, typed

FOLDER = Path(__file__).parents[2] / "notebooks" / "exercises"
MASTER = "06-patch-1.ipynb"
IDS = [id for id in tasks() if id.startswith("06.")]
ASSIGNMENT = "patch-1"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not find_spec("nbgrader"), reason='no nbgrader: pip install "zswaplab[grading]"'),
]


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course of nbgrader's after the whole loop."""
    folder = tmp_path_factory.mktemp("course")
    shutil.copy(FOLDER / "nbgrader_config.py", folder)
    source = folder / "source" / ASSIGNMENT
    source.mkdir(parents=True)
    shutil.copy(FOLDER / "masters" / MASTER, source)
    nbgrader(folder, "generate_assignment", ASSIGNMENT, "--create")
    for student, answer in {"right": right, "wrong": wrong, "endless": endless}.items():
        hand_in(folder, student, answer)
    nbgrader(folder, "autograde", ASSIGNMENT, "--create", "--Execute.timeout=20")
    nbgrader(folder, "generate_feedback", ASSIGNMENT)
    nbgrader(folder, "export", "--to", "grades.csv")
    return folder


def nbgrader(folder: Path, *command: str) -> None:
    beside = {"PYTHONPATH": Path(__file__).parents[2], "PATH": Path(sys.executable).parent}  # it calls alembic
    paths = {name: os.pathsep.join([str(path), os.environ.get(name, "")]) for name, path in beside.items()}
    ran = subprocess.run(
        [sys.executable, "-m", "nbgrader", *command], cwd=folder, capture_output=True, text=True, timeout=600,
        env={**os.environ, **paths, "ZSWAPLAB_DATA": str(folder / "progress")},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr


def hand_in(folder: Path, student: str, answer: Callable[[str, str], str]) -> None:
    """The release version as it would come back, with that student's answers."""
    made: dict[str, Any] = json.loads((folder / "release" / ASSIGNMENT / MASTER).read_text(encoding="utf-8"))
    for cell in made["cells"]:
        source = "".join(cell["source"])
        id = cell["metadata"].get("nbgrader", {}).get("grade_id", "")
        if id.startswith("answer-"):
            source = answer(student, id.removeprefix("answer-").replace("-", "."))
        cell["source"] = source.replace('student = "master"', f'student = "{student}"')
    place = folder / "submitted" / student / ASSIGNMENT
    place.mkdir(parents=True)
    (place / MASTER).write_text(json.dumps(made), encoding="utf-8")


def right(student: str, id: str) -> str:
    return typed(tasks()[id].reference(seed_of(student, id)))


def wrong(student: str, id: str) -> str:
    return "answer = 'no idea'"


def endless(student: str, id: str) -> str:
    return "while True: pass" if id == IDS[0] else right(student, id)


def test_students_get_neither_solutions_nor_hidden_tests(course: Path) -> None:
    text = (course / "release" / ASSIGNMENT / MASTER).read_text(encoding="utf-8")
    assert "BEGIN" not in text and "verdict" not in text
    for id in IDS:
        assert json.dumps(right("master", id))[1:-1] not in text


def test_the_release_has_the_cells_of_our_own_student_version(course: Path) -> None:
    theirs = json.loads((course / "release" / ASSIGNMENT / MASTER).read_text(encoding="utf-8"))["cells"]
    ours = json.loads((FOLDER / MASTER).read_text(encoding="utf-8"))["cells"]
    for one, other in zip(theirs, ours, strict=True):
        assert one["id"] == other["id"]
        assert "".join(one["source"]).strip().replace('"master"', '""') == other["source"].strip()


def test_every_student_has_the_right_points(course: Path) -> None:
    with (course / "grades.csv").open(newline="") as file:
        scores = {row["student_id"]: float(row["score"]) for row in csv.DictReader(file)}
    assert scores == {"right": POINTS * len(IDS), "wrong": 0.0, "endless": POINTS * (len(IDS) - 1)}


def test_every_student_gets_feedback(course: Path) -> None:
    for student in ("right", "wrong", "endless"):
        page = (course / "feedback" / student / ASSIGNMENT / MASTER).with_suffix(".html")
        assert "06.2:" in page.read_text(encoding="utf-8")
