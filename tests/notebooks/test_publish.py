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

WORDS = "A run, step 0 of 9: write 3\nwrite 3 is done.\nLRU, newest first: empty\npool: 0 pages"


def picture(colour: str = "white", spot: int = 0, mode: str = "RGB") -> bytes:
    """A page of one colour, with a black spot some pixels wide."""
    image = Image.new(mode, (400, 300), colour)
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


def with_widget() -> Any:
    book = shown(text_plain=WORDS)
    book.cells[0].outputs[0].data[publish.WIDGET] = {"model_id": "1f", "version_major": 2, "version_minor": 0}
    return book


def published(png: bytes, words: str = WORDS) -> Any:
    book = with_widget()
    book.cells[0].outputs[0].data["text/plain"] = words
    publish.put_pictures(book, {("cell-0", 0): png}, notebook("show()"))
    return book


def stored(book: Any) -> str:
    return str(book.cells[0].outputs[0].data["image/png"])


# -- pictures


def test_a_picture_takes_the_widgets_place() -> None:
    output = published(picture()).cells[0].outputs[0]
    assert set(output.data) == {"image/png", "text/plain"}
    assert output.data["text/plain"] == WORDS
    alt = "A run, step 0 of 9: write 3. write 3 is done. LRU, newest first: empty."
    assert output.metadata == {"image/png": {"alt": alt}}


def test_a_picture_without_alt_text_is_refused() -> None:
    with pytest.raises(BadInput, match=r"Cell cell-0 .*alt text"):
        publish.put_pictures(shown(image_png=stored(published(picture())), text_plain="<Figure>"), {}, notebook())


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
    ("spot", "words", "kept"),
    [(0, WORDS, True), (2, WORDS, False), (0, WORDS + ", limit 6", False)],
    ids=["nearly the same", "another digit", "other words"],
)
def test_a_picture_that_looks_as_before_stays_as_it_was(spot: int, words: str, kept: bool) -> None:
    before, now = published(picture("#fefefe")), with_widget()
    now.cells[0].outputs[0].data["text/plain"] = words
    publish.put_pictures(now, {("cell-0", 0): picture(spot=spot)}, before)
    assert (stored(now) == stored(before)) == kept


def test_a_picture_of_another_size_is_another_picture() -> None:
    file = io.BytesIO()
    Image.new("RGB", (400, 301), "white").save(file, "PNG")
    before, now = published(picture()), with_widget()
    publish.put_pictures(now, {("cell-0", 0): file.getvalue()}, before)
    assert stored(now) != stored(before)


# -- what is wrong is said


def test_without_chromium_the_remedy_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    with (
        pytest.raises(BadInput, match=r"need Chromium.*sudo apt-get install chromium"),
        publish.lab_in_chromium(tmp_path),
    ):
        pass


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
@pytest.mark.browser
def test_a_widget_is_photographed_before_later_cells_change_it(chromium: str, tmp_path: Path) -> None:
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
    output = done.cells[1].outputs[0]
    assert set(output.data) == {"image/png", "text/plain"}
    assert "step 0 of" in output.data["text/plain"]
    image = Image.open(io.BytesIO(base64.b64decode(output.data["image/png"]))).convert("RGB")
    assert image.width == 1000
    assert playhead(image) < 300  # it is at the run's first step, not at its last
    publish.publish([path])
    assert path.read_bytes() == first


def playhead(image: Image.Image) -> int:
    """Where the round handle on the player's time line stands, in pixels from the left."""
    dark = [x for x in range(120, image.width) if max(image.getpixel((x, 90))) < 80]
    return dark[0]
