"""What a teacher is given: it names what is there, and what is computed is computed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import nbclient
import nbformat
import pytest

from notebooks import release
from tests.notebooks.prose import LINK, PATHS
from zswaplab.teach.questions import bank
from zswaplab.teach.task import tasks
from zswaplab.teach.voting import FIVE

FOLDER = Path(release.__file__).with_name("teaching")
REPOSITORY = FOLDER.parents[1]
TEXTS = {path.name: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.md"))}
VOTES: Any = nbformat.read(FOLDER / "votes.ipynb", as_version=4)


@pytest.mark.parametrize("name", TEXTS)
def test_every_link_leads_somewhere(name: str) -> None:
    for _, address in LINK.findall(TEXTS[name]):
        assert address.startswith("https://") or (FOLDER / address).exists(), address


def test_plans_name_exercises_and_predictions_that_are_there() -> None:
    known = {*tasks(), *bank()}
    present = {id.partition(".")[0] for id in known}
    named = set(re.findall(r"\b\d\d\.\d\b", TEXTS["plans.md"] + TEXTS["handing-out.md"]))
    assert {id for id in named - known if id.partition(".")[0] in present} == set()


def test_there_is_a_card_for_every_notebook_with_three_errors_and_what_comes_next() -> None:
    cards = {part.split()[0]: part for part in re.split(r"^## ", TEXTS["cards.md"], flags=re.MULTILINE)[1:]}
    course = {path.name[:2] for path in PATHS} - {"90"}
    assert course <= set(cards) == {f"{number:02}" for number in range(13)}
    for number, card in cards.items():
        assert len(re.findall(r"^\| \"", card, re.MULTILINE)) == 3, number
        assert card.count("**Next:**") == 1, number
        rows = re.findall(r"^\| \".*", card, re.MULTILINE)
        assert all(row.rstrip("|").rstrip().endswith("?") for row in rows), number


@pytest.mark.parametrize("id", tasks())
def test_every_exercise_has_its_goals_minutes_rubric_and_mistakes(id: str) -> None:
    task, text = tasks()[id], TEXTS["exercises.md"]
    assert f"## {id} {task.title}" in text
    assert f"| {id} | {task.title} | {task.kind} | {task.level} | {task.minutes} |" in text
    for part in (*task.goals, *task.rubric, *task.mistakes.values()):
        assert part in text


def test_before_and_after_ask_the_same_of_other_instances() -> None:
    before, after = (release.instances(name) for name in ("before", "after"))
    assert [one.id for one in before] == [one.id for one in after] and len(before) == 8
    for first, second in zip(before, after, strict=True):
        assert first.setup != second.setup
        for one in (first, second):
            assert len({*one.drawn.answers.values(), one.drawn.answer}) >= 2, "a wrong rule is offered"


@pytest.mark.parametrize("name", release.SEEDS)
def test_the_sheet_says_nothing_of_the_answer(name: str) -> None:
    text = TEXTS[f"{name}.md"]
    for asked in release.instances(name):
        assert asked.drawn.question.why[:40] not in text
    assert text.count(release.DO_NOT_KNOW) == len(release.questions())


def test_the_key_marks_one_answer_of_each_as_right() -> None:
    for part in re.split(r"^## ", TEXTS["key.md"], flags=re.MULTILINE)[1:]:
        for name in release.SEEDS:
            assert len(re.findall(rf"^\| {name} \| .* \| right \|$", part, re.MULTILINE)) == 1


def test_the_votes_are_the_five_that_are_worth_one() -> None:
    nbformat.validate(VOTES)
    text = "".join(cell.source for cell in VOTES.cells if cell.cell_type == "code")
    assert tuple(re.findall(r'vote\("([\d.]+)", seed\)', text)) == FIVE
    assert not any(cell.get("outputs") for cell in VOTES.cells)


@pytest.mark.slow
def test_the_votes_run(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(repository))
    notebook = nbformat.from_dict(json.loads(json.dumps(VOTES)))
    nbclient.NotebookClient(notebook, timeout=120).execute()
    shown = [cell for cell in notebook.cells if cell.source.startswith("vote(")]
    for cell in shown:
        kinds = [kind for output in cell.outputs for kind in output.data]
        assert "application/vnd.jupyter.widget-view+json" in kinds and "text/plain" in kinds


@pytest.mark.slow
def test_what_a_student_gets_runs(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a kernel, as it is handed out, once the student has put in an id."""
    monkeypatch.setenv("PYTHONPATH", str(repository))
    monkeypatch.setenv("ZSWAPLAB_DATA", str(tmp_path))
    notebook: Any = nbformat.read(FOLDER.parent / "exercises" / "06-patch-1.ipynb", as_version=4)
    for cell in notebook.cells:
        cell.source = cell.source.replace('student = ""', 'student = "ada"')
    nbclient.NotebookClient(notebook, timeout=120).execute()
    for cell in notebook.cells:
        said = json.dumps(cell.get("outputs", []))
        if "task" in cell.metadata.get("tags", []):
            assert "text/markdown" in said
        if "check" in cell.metadata.get("tags", []):
            assert "There is no answer yet" in said


def test_the_image_is_made_of_what_is_there() -> None:
    text = (FOLDER / "Dockerfile").read_text(encoding="utf-8")
    for line in re.findall(r"^COPY (?:--\S+ )*(.+)$", text, re.MULTILINE):
        *sources, _ = line.split()
        assert all((REPOSITORY / source).exists() for source in sources), line
