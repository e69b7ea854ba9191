"""A prediction in a real JupyterLab, with its kernel: Run All, keys, what is played, what is saved."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.serving import Server, opened_notebook
from tests.show.test_player_lab import run
from zswaplab.teach.misconceptions import MISCONCEPTIONS
from zswaplab.teach.predict import predict

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CELLS = [
    "import sys\nsys.path.insert(0, {repository!r})\nfrom zswaplab import predict",
    "asked = predict('01.2', seed=3)\nasked",
    "predict('00.2')",
    "print(asked.line)",
]


@pytest.fixture(scope="module")
def lab(browser: Browser, repository: Path, jupyter_lab: Server) -> Iterator[tuple[Page, Path]]:
    """A notebook with two predictions, all of whose cells but the last have run, and its file."""
    sources = [source.format(repository=str(repository)) for source in CELLS]
    with opened_notebook(browser, jupyter_lab, "asked.ipynb", sources, height=1400, keep=True) as (tab, file):
        for number in range(3):
            run(tab, number)
        tab.locator(".sheet").nth(1).wait_for()
        yield tab, file


def test_all_was_run_and_saved_and_nothing_is_given_away(lab: tuple[Page, Path]) -> None:
    tab, file = lab
    assert tab.locator(".zswaplab-asked:visible").count() == 0, "the list is for where no sheet can live"
    tab.locator(".jp-Notebook").click(position={"x": 5, "y": 5})
    tab.keyboard.press("Control+s")
    tab.wait_for_function("!document.querySelector('.jp-mod-dirty')")
    for _ in range(100):
        if "widget-state" in file.read_text():
            break
        tab.wait_for_timeout(100)
    for kept in (file.read_text(), tab.content()):
        assert "How many" in kept or "What is the refcount of its entry?" in kept
        for asked in (predict("01.2", 3), predict("00.2")):
            assert asked.drawn.question.why[:30] not in kept
        assert not any(wrong.rule in kept or wrong.id in kept for wrong in MISCONCEPTIONS.values())


def test_it_is_answered_with_the_keyboard_and_no_cell_hears_of_it(lab: tuple[Page, Path]) -> None:
    tab, _ = lab
    cells = tab.locator(".jp-Notebook .jp-Cell").count()
    sheet = tab.locator(".sheet").first
    sheet.locator("[type=radio]").first.focus()
    active = tab.locator(".jp-Notebook .jp-mod-active").get_attribute("data-windowed-list-index")
    for key in ("Space", "ArrowDown", "ArrowUp", "ArrowDown", "Enter"):
        tab.keyboard.press(key)
    sheet.locator(".verdict").wait_for()
    assert tab.locator(".jp-Notebook .jp-Cell").count() == cells
    assert tab.locator(".jp-Notebook .jp-mod-active").get_attribute("data-windowed-list-index") == active
    assert "counts as a reference" in sheet.locator(".verdict").inner_text()


def test_mine_is_played_beside_the_kernels(lab: tuple[Page, Path]) -> None:
    tab, _ = lab
    tab.locator(".sheet [data-act=play]").first.click()
    both = tab.locator(".zswaplab-compare[data-step]")
    both.wait_for()
    names = both.locator(".side > .h b:not(.letter)").all_inner_texts()
    assert names[0] == "The kernel" and "counts as a reference" in names[1]
    step = int(both.get_attribute("data-step") or 0)
    assert step > 0
    both.locator(".say").click()
    tab.keyboard.press(",")
    tab.wait_for_function("step => document.querySelector('.zswaplab-compare').dataset.step == step", arg=step - 1)


def test_what_was_answered_on_the_sheet_is_known_in_python(lab: tuple[Page, Path]) -> None:
    assert run(lab[0], 3).strip() == "01.2 seed 3: 2"
