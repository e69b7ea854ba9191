"""Every committed notebook: what it says comes out again from a fresh kernel, and it keeps the house's rules."""

from __future__ import annotations

import html
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import nbconvert
import nbformat
import pytest
from nbclient.exceptions import CellExecutionError

from notebooks.publish import PNG, executed
from tests.notebooks.estimate import minutes
from tests.notebooks.prose import PATHS, is_heading
from zswaplab.teach.questions import PLACES, bank

every_notebook = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)


@pytest.fixture
def notebook(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


def code(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs(notebook: Any) -> list[tuple[str, Any]]:
    return [(cell.id, output) for cell in code(notebook) for output in cell.outputs]


# -- a run in a fresh kernel --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def runs() -> dict[Path, Any]:
    """Every notebook executed, or the error that ended it; all at once, because most of it is waiting."""

    def run(path: Path) -> Any:
        try:
            return executed(path)
        except CellExecutionError as error:
            return error

    with ThreadPoolExecutor(4) as pool:
        return dict(zip(PATHS, pool.map(run, PATHS), strict=True))


def words(notebook: Any) -> dict[str, list[Any]]:
    """What each code cell printed and showed; of a plot only that it is there, and its words."""
    return {cell.id: [said(output) for output in cell.outputs] for cell in code(notebook)}


def said(output: Any) -> Any:
    return output.get("text"), {kind: PNG.sub("", shown) for kind, shown in output.get("data", {}).items()}


def images(page: str) -> list[str]:
    """The tags of the images in an HTML text, which carry their own data."""
    return re.findall(r"<img\b[^>]*>", page)


def alts(page: str) -> list[str]:
    """The words of each image that has any; the others are ornaments."""
    found = [re.search(r'\balt="([^"]*)"', tag) for tag in images(page)]
    assert all(found), page[:200]
    return [html.unescape(one[1]) for one in found if one and one[1]]


def pictures(notebook: Any) -> list[str]:
    """The HTML of each output that shows an image."""
    pages = [output.get("data", {}).get("text/html", "") for _, output in outputs(notebook)]
    return [page for page in pages if images(page)]


@pytest.mark.slow
@every_notebook
def test_a_fresh_run_says_what_is_committed(path: Path, notebook: Any, runs: dict[Path, Any]) -> None:
    run = runs[path]
    assert not isinstance(run, CellExecutionError), str(run)
    assert words(run) == words(notebook)


# -- the rules ----------------------------------------------------------------------------------------


@every_notebook
def test_it_is_valid_and_of_one_kernel(notebook: Any) -> None:
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    assert notebook.metadata.language_info == {"name": "python"}  # no version of one machine's Python


@every_notebook
def test_it_is_of_a_readable_size(path: Path, notebook: Any) -> None:
    assert 25 <= len(notebook.cells) <= 60
    assert {cell.id: cell.source for cell in code(notebook) if cell.source.count("\n") >= 15} == {}
    assert path.stat().st_size < 500_000


@every_notebook
def test_a_heading_comes_every_few_cells(notebook: Any) -> None:
    headings = [place for place, cell in enumerate(notebook.cells) if is_heading(cell)]
    assert headings[0] == 0
    between = zip(headings, [*headings[1:], len(notebook.cells)], strict=True)
    assert [notebook.cells[start].source for start, end in between if end - start > 10] == []


@every_notebook
def test_summary_and_exercises_end_it(notebook: Any) -> None:
    headings = [cell.source.splitlines()[0] for cell in notebook.cells if is_heading(cell)]
    assert headings[-2:] == ["## Summary", "## Exercises"]


# -- the form of a notebook --------------------------------------------------------------------------


@every_notebook
def test_it_begins_with_a_question_an_objective_and_the_minutes(notebook: Any) -> None:
    first = notebook.cells[0].source
    assert [mark for mark in ("**The question.**", "**Afterwards you can**") if mark not in first] == []
    said = re.search(r"^\*Estimated: (\d+) minutes", first, re.MULTILINE)
    assert said and int(said[1]) == minutes(notebook)


@every_notebook
def test_it_asks_its_predictions_in_their_order(path: Path, notebook: Any) -> None:
    asked = [id for cell in code(notebook) for id in re.findall(r"\bpredict\(\"([\d.]+)\"[,)]", cell.source)]
    assert asked == [id for id, question in bank().items() if question.notebook == path.stem[:2]]
    assert [bank()[id].place for id in asked] == [*PLACES][: len(asked)]


@every_notebook
def test_the_reader_is_the_kernel_once(notebook: Any) -> None:
    assert sum("**Your turn**" in cell.source for cell in notebook.cells) == 1


@every_notebook
def test_its_summary_has_five_lines_and_says_what_is_left_out(notebook: Any) -> None:
    summary = next(cell.source for cell in notebook.cells if cell.source.startswith("## Summary"))
    assert len(re.findall(r"^\* ", summary, re.MULTILINE)) == 5
    assert "**What the model leaves out**" in summary and "**To read on**" in summary


@every_notebook
def test_it_was_run_once_from_top_to_bottom(notebook: Any) -> None:
    assert [cell.execution_count for cell in code(notebook)] == [*range(1, len(code(notebook)) + 1)]
    for cell in code(notebook):
        for output in cell.outputs:
            assert output.get("execution_count", cell.execution_count) == cell.execution_count


@every_notebook
def test_nothing_went_wrong_in_it(notebook: Any) -> None:
    for cell, output in outputs(notebook):
        assert output.output_type != "error", cell
        assert output.get("name") != "stderr", (cell, output.text)


@every_notebook
def test_nothing_of_one_run_is_kept(notebook: Any) -> None:
    assert set(notebook.metadata) == {"kernelspec", "language_info"}  # no widget state
    for cell in notebook.cells:
        assert set(cell.metadata) <= {"collapsed", "jupyter", "tags"}, cell.id
    for cell, output in outputs(notebook):
        assert not [kind for kind in output.get("data", {}) if "widget" in kind], cell
        assert not re.search(r"\b0x[0-9a-f]{6,}", str(said(output))), cell


@every_notebook
def test_a_folded_output_is_folded_everywhere(notebook: Any) -> None:
    for cell in code(notebook):
        assert cell.metadata.get("collapsed", False) == cell.metadata.get("jupyter", {}).get("outputs_hidden", False)


@every_notebook
def test_a_folded_output_does_not_give_itself_away(notebook: Any) -> None:
    """JupyterLab shows its first line beside the dots."""
    for cell in code(notebook):
        if cell.metadata.get("collapsed"):
            assert cell.outputs[0].text.splitlines()[0].endswith((":", "?")), cell.id


@every_notebook
def test_every_picture_has_alt_text(notebook: Any) -> None:
    for cell, output in outputs(notebook):
        assert not [kind for kind in output.get("data", {}) if kind.startswith("image/")], cell  # shown without alt
    for page in pictures(notebook):
        assert alts(page) and all(len(words) > 20 for words in alts(page))
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            assert "![](" not in cell.source, cell.id
            assert all("alt=" in tag for tag in images(cell.source)), cell.id


@every_notebook
def test_a_picture_of_a_player_says_that_it_is_one(notebook: Any) -> None:
    for page in pictures(notebook):
        if "zswaplab-picture" in page:
            assert alts(page)[0].startswith("Picture of the player: ")
            assert "<b>A picture of the player.</b> Run this cell to play it." in page


@every_notebook
def test_every_header_of_a_table_says_something(notebook: Any) -> None:
    for cell, output in outputs(notebook):
        assert "<th></th>" not in output.get("data", {}).get("text/html", ""), cell


# -- a static copy ------------------------------------------------------------------------------------


def static(path: Path, template: str) -> str:
    page, _ = nbconvert.HTMLExporter(template_name=template).from_filename(str(path))
    return str(page)


@pytest.mark.slow
@pytest.mark.parametrize("template", ["lab", "classic"])
@every_notebook
def test_a_static_copy_is_small_and_has_every_picture_with_its_words(path: Path, template: str, notebook: Any) -> None:
    page = static(path, template)
    assert len(page.encode()) < 5_000_000
    body = page.partition("<body")[2]
    assert not re.search(r"<div[^>]*vnd\.jupyter\.(stderr|error)|Traceback|Error displaying widget", body)
    assert "vnd.jupyter.widget" not in page
    assert len(images(body)) == sum(len(images(picture)) for picture in pictures(notebook))
    assert alts(body) == [words for picture in pictures(notebook) for words in alts(picture)]
