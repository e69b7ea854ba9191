"""Exercise notebooks: what is committed is what one command makes of the bank, for masters and for students."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest

from notebooks import release
from zswaplab.teach.grade import grade, read_submission
from zswaplab.teach.handout import MASTER, student_version
from zswaplab.teach.task import tasks

FOLDER = Path(release.__file__).with_name("exercises")
MASTERS = sorted((FOLDER / "masters").glob("*.ipynb"))
every_master = pytest.mark.parametrize("file", MASTERS, ids=lambda file: file.stem)


def read(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def test_what_is_committed_is_what_the_bank_gives() -> None:
    wanted = release.released()
    found = {path for path in FOLDER.rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts}
    assert found == {path for path in wanted if path.suffix == ".ipynb"}
    for path, text in wanted.items():
        assert path.read_text(encoding="utf-8") == text, f"run: python notebooks/release.py ({path.name})"


def test_every_exercise_has_its_cells_once() -> None:
    ids = [cell["id"] for file in MASTERS for cell in read(file)["cells"] if cell["id"].startswith("answer-")]
    assert ids == [f"answer-{id.replace('.', '-')}" for id in tasks()]


@every_master
def test_students_get_the_masters_cells_without_what_is_hidden(file: Path) -> None:
    student = read(FOLDER / file.name)
    assert student == student_version(read(file))
    text = json.dumps(student)
    assert not any(hidden in text for hidden in ("BEGIN", "END", "verdict.", f'\\"{MASTER}\\"'))
    assert [cell["id"] for cell in student["cells"]] == [cell["id"] for cell in read(file)["cells"]]


@every_master
def test_both_are_notebooks_without_outputs(file: Path) -> None:
    for one in (file, FOLDER / file.name):
        nbformat.validate(nbformat.read(one, as_version=4))
        assert not any(cell.get("outputs") or cell.get("execution_count") for cell in read(one)["cells"])


@every_master
def test_the_master_is_right_and_what_students_get_is_not_attempted(file: Path) -> None:
    ids = [id for id in tasks() if file.name.startswith(id.partition(".")[0])]
    assert {row.state for row in grade(read_submission(MASTER, [file]), ids)} == {"right"}
    assert {row.state for row in grade(read_submission("ada", [FOLDER / file.name]), ids)} == {"not attempted"}
