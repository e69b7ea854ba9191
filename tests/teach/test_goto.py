"""Whoever comes late gets the state of a stop: names and nothing else, of the very notebook that is read."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.notebooks.prose import PATHS
from zswaplab import goto
from zswaplab.model.errors import BadInput

WALKTHROUGH = [path for path in PATHS if path.name[:2] < "90"]


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The reader's own notebook: a module of its own in the place of this test's."""
    module = ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", module)
    yield module


def notebook(folder: Path, *cells: str) -> Path:
    """A notebook 07 of these cells; what begins with # or * is prose."""
    folder.joinpath("07-mine.ipynb").write_text(json.dumps({"cells": [
        {"cell_type": "markdown" if cell[0] in "#*" else "code", "source": cell.splitlines(keepends=True)}
        for cell in cells
    ]}), encoding="utf-8")  # fmt: skip
    return folder


@pytest.mark.parametrize("path", WALKTHROUGH, ids=lambda path: path.stem)
def test_every_notebook_has_stops_in_their_order(path: Path) -> None:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    texts = ["".join(cell["source"]) for cell in cells]
    numbers = [int(found[1]) for text in texts if (found := re.match(r"\*\*Stop (\d+)\.\*\* \w", text))]
    assert numbers == list(range(1, len(numbers) + 1)) and 3 <= len(numbers) <= 4


def test_a_stop_brings_what_its_notebook_has_there(here: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    goto("05", 2)
    assert vars(here)["history"].written_back() == [0, 1, 2, 3, 5, 6] and vars(here)["before"][0] == [0, 1]
    assert "half" not in vars(here), "comes after the stop"
    said = capsys.readouterr().out
    assert said.startswith("05 Before, stop 2: ") and said.count("\n") == 2


def test_a_function_of_a_cell_may_stand_in_for_the_models(here: ModuleType, tmp_path: Path) -> None:
    cell = """
from zswaplab import explore
from zswaplab.model.steps import UNLOCKED
def impatient(self):
    yield UNLOCKED
hasty = explore(cpus=["free 3", "swapoff"], functions={"wait_until_unused": impatient})
"""
    notebook(tmp_path, "# Mine", cell, "**Stop 1.** So.")
    goto("07", 1, folder=tmp_path)
    assert vars(here)["hasty"].fails


def test_nothing_is_shown_on_the_way(here: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cells = "# Mine: all", "print('shown')\nx = 1", "**Stop 1.** You *know* [x](y).", "x = 2", "**Stop 2.** So."
    notebook(tmp_path, *cells)
    goto("07", 1, folder=tmp_path)
    assert vars(here)["x"] == 1
    assert capsys.readouterr().out == "07 Mine, stop 1: You know x.\nWhat stands before it has run: go on there.\n"


@pytest.mark.parametrize(("arguments", "said"), [
    (("07", 3), "stop=3: notebook 07 has stops 1 and 2"), (("07", True), "stop=True"), (("07", "1"), "stop='1'"),
    (("08", 1), "notebook='08' is not known; choose one of '07'"), ((7, 1), 'notebook=7 cannot be.*like "06"'),
])  # fmt: skip
def test_what_is_not_there(here: ModuleType, tmp_path: Path, arguments: tuple[str, int], said: str) -> None:
    notebook(tmp_path, "# Mine", "**Stop 1.** One.", "**Stop 2.** Two.")
    with pytest.raises(BadInput, match=said):
        goto(*arguments, folder=tmp_path)


def test_a_folder_without_notebooks_and_a_notebook_without_stops(here: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"there are no notebooks in .*: give the folder that has them"):
        goto("07", 1, folder=tmp_path)
    with pytest.raises(BadInput, match="notebook 07 has no stop"):
        goto("07", 1, folder=notebook(tmp_path, "# Mine", "x = 1"))


def test_a_cell_that_fails_is_named_with_what_to_do(here: ModuleType, tmp_path: Path) -> None:
    notebook(tmp_path, "# Mine", "x = 1", "x / 0", "**Stop 1.** One.")
    with pytest.raises(BadInput, match=r"cell 2 of 07-mine\.ipynb fails with ZeroDivisionError.*fresh copy"):
        goto("07", 1, folder=tmp_path)
