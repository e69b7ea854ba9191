"""The script that executes notebooks and writes them back."""

from __future__ import annotations

import base64
import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from PIL import Image, ImageDraw

from notebooks import publish
from zswaplab.model.errors import BadInput

WORDS = "The pool's size over 9 steps: at most 7 pages; its limit is 6."


def picture(colour: str = "white", spot: int = 0, mode: str = "RGB", size: tuple[int, int] = (400, 300)) -> bytes:
    """A page of one colour, with a black spot some pixels wide."""
    image = Image.new(mode, size, colour)
    if spot:
        ImageDraw.Draw(image).rectangle((10, 10, 9 + spot, 9 + spot), fill="black")
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def notebook(*sources: str) -> Any:
    cells = [nbformat.v4.new_code_cell(source, id=f"cell-{place}") for place, source in enumerate(sources)]
    return nbformat.v4.new_notebook(cells=cells)


def shown(**data: str) -> Any:
    """A notebook with one cell that shows something; `image_png` stands for image/png."""
    book = notebook("show()")
    bundle = {kind.replace("_", "/"): value for kind, value in data.items()}
    book.cells[0].outputs = [nbformat.v4.new_output("display_data", bundle)]
    return book


def plotted(png: bytes, words: str = WORDS) -> Any:
    """A notebook with a plot, as zswaplab.show.plots.show leaves it."""
    data = base64.b64encode(png).decode()
    return shown(text_html=f'<img alt="{words}" src="data:image/png;base64,{data}">', image_png=data, text_plain=words)


def published(book: Any, old: Any = None) -> Any:
    book.cells[0].outputs = [*publish.kept(book.cells[0])]
    publish.keep_pictures(book, notebook("show()") if old is None else old)
    return book


def stored(book: Any) -> str:
    return str(publish.PNG.findall(book.cells[0].outputs[0].data["text/html"])[0])


# -- pictures


def test_a_plot_is_kept_once_with_its_words() -> None:
    output = published(plotted(picture())).cells[0].outputs[0]
    assert set(output.data) == {"text/html", "text/plain"}
    assert f'alt="{WORDS}"' in output.data["text/html"]
    assert output.metadata == {}


def test_of_a_widget_the_picture_is_kept() -> None:
    book = shown(text_html='<div><img alt="Picture" src="data:,"></div>' + publish.ONE_OF_THE_TWO, text_plain="words")
    book.cells[0].outputs.append(nbformat.v4.new_output("display_data", {publish.VIEW: {"model_id": "1f"}}))
    (output,) = published(book).cells[0].outputs
    assert output.data == {"text/html": '<div><img alt="Picture" src="data:,"></div>', "text/plain": "words"}


@pytest.mark.parametrize("data", [
    {"image_png": base64.b64encode(picture()).decode()}, {"text_html": '<img src="data:,">'},
    {"text_html": '<img alt="" src="data:,">'}, {"image_svg+xml": "<svg/>"},
])  # fmt: skip
def test_a_picture_without_words_is_refused(data: dict[str, str]) -> None:
    with pytest.raises(BadInput, match=r"Cell cell-0 .*alt text"):
        published(shown(**data, text_plain="<Figure>"))


def test_an_empty_corner_of_a_table_is_no_header() -> None:
    table = '<table><tr><th></th><th>run</th></tr><tr style="x"><th class="y"></th><th>0</th></tr></table>'
    book = published(shown(text_html=table, text_plain="run"))
    readable = '<table><tr><td></td><th>run</th></tr><tr style="x"><td class="y"></td><th>0</th></tr></table>'
    assert book.cells[0].outputs[0].data["text/html"] == readable


def test_a_picture_keeps_its_look_in_fewer_bytes() -> None:
    image = Image.merge("RGB", [Image.effect_noise((400, 300), 6).point(lambda level: level + 116) for _ in range(3)])
    image.paste((246, 246, 246), (0, 0, 400, 280))
    file = io.BytesIO()
    image.save(file, "PNG")
    small = base64.b64decode(publish.small(base64.b64encode(file.getvalue()).decode()))
    assert len(small) < 0.8 * len(file.getvalue())
    after = Image.open(io.BytesIO(small)).convert("RGB")
    assert after.size == image.size
    assert after.getpixel((200, 100)) == (246, 246, 246)  # large plain parts get no tint


def test_a_see_through_picture_stays_see_through() -> None:
    png = base64.b64encode(picture("#ffffff80", mode="RGBA")).decode()
    assert publish.small(png) == png


@pytest.mark.parametrize(
    ("now", "kept"),
    [
        (plotted(picture()), True), (plotted(picture(spot=2)), False), (plotted(picture(), f"{WORDS} Full."), False),
        (plotted(picture(size=(400, 301))), False),
    ],
    ids=["nearly the same", "another digit", "other words", "another size"],
)  # fmt: skip
def test_a_picture_that_looks_as_before_stays_as_it_was(now: Any, kept: bool) -> None:
    before = published(plotted(picture("#fefefe")))
    assert (stored(published(now, before)) == stored(before)) == kept


# -- what only proves is folded


@pytest.mark.parametrize(
    ("source", "folded"),
    [
        ("assert 6 * 7 == 42", True), ("from zswaplab import STAGES\nassert STAGES", True), ("import os", False),
        ("number = 42\nassert number == 42", False), ("assert 6 * 7 == 42\nprint(42)", False),
        ("%pwd\nassert 1", False),
    ],
)  # fmt: skip
def test_a_cell_of_nothing_but_assertions_is_folded(source: str, folded: bool) -> None:
    (cell,) = notebook(source).cells
    publish.fold(cell)
    assert cell.metadata == ({"jupyter": {"source_hidden": True}} if folded else {})


def test_a_cell_that_shows_something_is_not_folded_any_more() -> None:
    (cell,) = shown(text_plain="42").cells
    cell.source, cell.metadata = "assert True", nbformat.from_dict({"jupyter": {"source_hidden": True}})
    publish.fold(cell)
    assert cell.metadata == {}


# -- what is wrong is said


def run(repository: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "notebooks/publish.py", *arguments], cwd=repository, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(repository)}, timeout=300,
    )  # fmt: skip


@pytest.mark.slow
def test_a_notebook_that_is_not_there_is_named(repository: Path, tmp_path: Path) -> None:
    said = run(repository, str(tmp_path / "99.ipynb"))
    assert said.returncode == 1
    assert f"There is no {tmp_path / '99.ipynb'}" in said.stderr
    assert "Traceback" not in said.stderr


@pytest.mark.slow
def test_a_notebook_that_fails_is_left_as_it_was(repository: Path, tmp_path: Path) -> None:
    good, bad = tmp_path / "1.ipynb", tmp_path / "2.ipynb"
    nbformat.write(notebook("6 * 7"), good)
    nbformat.write(notebook("6 / 0"), bad)
    before = good.read_bytes(), bad.read_bytes()
    said = run(repository, str(good), str(bad))
    assert said.returncode == 1
    assert "Nothing was published" in said.stderr
    assert "ZeroDivisionError" in said.stderr
    assert (good.read_bytes(), bad.read_bytes()) == before


# -- the whole way

SOURCES = (
    "from zswaplab import Machine, play, record\nprint('one')\nprint('two')",
    "player = play(record(Machine(), ['write 3', 'page_out 3'], title='One page'))\nplayer",
    "player.step = player.last",
)


@pytest.mark.slow
def test_a_player_is_kept_as_it_stood_when_its_cell_ran(tmp_path: Path) -> None:
    path = tmp_path / "few.ipynb"
    book = notebook(*SOURCES)
    book.cells[1].metadata = {"jupyter": {"outputs_hidden": True}, "execution": {"iopub.status.busy": "2023-06-10"}}
    book.metadata = {"kernelspec": {"display_name": "mine", "name": "python3"}, "widgets": {"state": {}}}
    nbformat.write(book, path)
    publish.publish([path])
    first = path.read_bytes()
    done = nbformat.read(path, as_version=4)
    assert done.metadata == publish.METADATA
    assert [(cell.id, cell.execution_count) for cell in done.cells] == [("cell-0", 1), ("cell-1", 2), ("cell-2", 3)]
    assert done.cells[0].outputs[0].text == "one\ntwo\n"
    assert done.cells[1].metadata == {"jupyter": {"outputs_hidden": True}}
    (output,) = done.cells[1].outputs
    assert set(output.data) == {"text/html", "text/plain"}
    assert "step 0 of" in output.data["text/plain"] and "step 0 of" in output.data["text/html"]
    publish.publish([path])
    assert path.read_bytes() == first
