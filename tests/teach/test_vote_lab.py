"""The board of a vote in a real JupyterLab, with its kernel, as a teacher uses it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.serving import Server, opened_notebook
from tests.show.test_player_lab import run

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CELLS = [
    "import sys\nsys.path.insert(0, {repository!r})\nfrom zswaplab.teach.vote import vote",
    "refcount = vote('01.2', seed=3)\nrefcount",
    "print(refcount.save('votes.csv').read_text(encoding='utf-8-sig'))",
]


def test_a_teacher_votes_with_the_class(browser: Browser, repository: Path, jupyter_lab: Server) -> None:
    sources = [source.format(repository=str(repository)) for source in CELLS]
    with opened_notebook(browser, jupyter_lab, "votes.ipynb", sources, height=1400) as (tab, _):
        for number in range(2):
            run(tab, number)
        board = tab.locator(".vote")
        board.locator("[data-act=start]").click()
        board.locator("textarea").fill("")
        board.locator("textarea").click()
        cells = tab.locator(".jp-Notebook .jp-Cell").count()
        tab.keyboard.type("01.2 seed 3: 1 bdda")  # letters that are commands of JupyterLab's
        assert tab.locator(".jp-Notebook .jp-Cell").count() == cells
        board.locator("textarea").fill("ada 01.2 seed 3: 1\n01.2 seed 3: 2")
        board.locator("[data-act=close]").click()
        board.locator(".votes-of").nth(3).wait_for()
        assert tab.locator(".zswaplab-asked:visible").count() == 0, "the words are for where no board can live"
        board.locator("[data-act=tell]").click()
        player = tab.locator(".zswaplab-player:not(.vote)[data-step]")
        player.wait_for()
        first, second = board.bounding_box(), player.bounding_box()
        assert first and second and second["x"] >= first["x"] + first["width"] - 1, "beside it"
        assert run(tab, 2).splitlines()[1] == "01.2,3,1,1,1"
