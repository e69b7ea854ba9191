"""The player in a real JupyterLab, with its kernel: keys, theme, two players on one clock."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.serving import Server, opened_notebook

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CELLS = [
    "import sys\n"
    "sys.path.insert(0, {repository!r})\n"
    "import ipywidgets\n"
    "from tests.show import fixture, runs\n"
    "from zswaplab import lab\n"
    "from zswaplab.run.session import Session\n"
    "from zswaplab.run.history import History\n"
    "from zswaplab.run.setup import Setup\n"
    "from zswaplab.show.player import play",
    "first = play(fixture.payload())\nfirst.level = 'steps'\nfirst",
    "second = play(fixture.payload('pages'))\n"
    "clock = ipywidgets.jslink((first, 'step'), (second, 'step'))\n"
    "ipywidgets.HBox([second, play(fixture.payload())])",
    "print('steps', first.step, second.step, first.playing, first.level, first.notes)",
    "first.step, first.level = 30, 'source'",
    "first.show(fixture.payload(cpus=2))",
    "panel = lab('1', show=['exclusive_loads'])\npanel",
    "print('panel', panel.player.step, panel.exclusive_loads.value)",
    "history = History(Session(Setup(stage='2', ram_pages=30, workload='revisit 10 6')), 'live')\n"
    "for _ in range(60):\n"
    "    history.step()\n"
    "live = play(history, -1)\nlive.level = 'steps'\nlive",
    "for _ in range(5):\n    history.step()\nlive.grow(history)\nlive.step = live.last",
    "import uuid; print('ran', uuid.uuid4())",
]


@pytest.fixture(scope="module")
def lab(browser: Browser, repository: Path, jupyter_lab: Server) -> Iterator[Page]:
    """A notebook whose first three cells have run."""
    sources = [source.format(repository=str(repository)) for source in CELLS]
    with opened_notebook(browser, jupyter_lab, "player.ipynb", sources) as (tab, _):
        for number in range(3):
            run(tab, number)
        tab.locator(".zswaplab-player").nth(2).wait_for()
        yield tab


def run(tab: Page, number: int) -> str:
    """Run a cell and return what it printed. Until notebook and kernel are ready, keys may fall into the void."""
    from playwright.sync_api import TimeoutError

    cell = tab.locator(".jp-Notebook .jp-CodeCell").nth(number)
    prompt = cell.locator(".jp-InputPrompt")
    before = prompt.inner_text()
    for _ in range(40):
        if (ask := tab.locator(".jp-Dialog .jp-mod-accept")).count():  # which kernel: it was slow to come
            ask.click()
        with suppress(TimeoutError):
            prompt.click(timeout=3000)
            tab.keyboard.press("Shift+Enter")
        tab.wait_for_timeout(1000)
        while prompt.inner_text() == "[*]:":
            tab.wait_for_timeout(100)
        if prompt.inner_text() != before:
            return "".join(cell.locator(".jp-OutputArea-output").all_inner_texts())
    shown = tab.locator(".jp-Dialog, .jp-Toolbar-kernelName, .jp-OutputArea").all_inner_texts()
    raise AssertionError(f"cell {number} did not run; JupyterLab shows {shown}")


def steps(tab: Page) -> list[int]:
    tab.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return tab.locator(".zswaplab-player").evaluate_all("all => all.map(player => +player.dataset.step)")


def press(tab: Page, *keys: str) -> list[int]:
    for key in keys:
        tab.keyboard.press(key)
    return steps(tab)


def test_keys_belong_to_the_player_and_not_to_jupyterlab(lab: Page) -> None:
    cells = lab.locator(".jp-Notebook .jp-Cell").count()
    lab.locator(".zswaplab-player .say").first.click()
    for key, step in (
        ("ArrowRight", 1), (".", 2), ("ArrowLeft", 1), ("Shift+ArrowRight", 4), ("Shift+ArrowLeft", 1), (",", 0),
        (".", 1), ("s", 3), ("l", 26), ("e", 48), ("r", 55), ("f", 59), ("Shift+E", 54), ("Shift+L", 26),
        ("Shift+S", 24), ("End", 59), ("Home", 0), ("a", 0), ("b", 0), ("d", 0), ("d", 0), ("x", 0), ("m", 0), ("y", 0),
    ):  # fmt: skip
        assert press(lab, key)[0] == step, key
        assert lab.evaluate("document.activeElement.classList[0]") == "zswaplab-player", key
    lab.keyboard.press("Space")
    lab.locator(".zswaplab-player[data-step='2']").first.wait_for()
    lab.keyboard.press("Space")
    assert lab.locator(".jp-Notebook .jp-Cell").count() == cells
    assert lab.locator(".jp-Dialog").count() == 0


def cell_of(tab: Page, number: int) -> Locator:
    return tab.locator(".jp-Notebook .jp-Cell").nth(number)


def test_a_note_and_a_level_reach_python_and_back(lab: Page) -> None:
    lab.locator(".zswaplab-player .say").first.click()
    press(lab, "Home", "3", "n")
    lab.keyboard.type("dd r")
    press(lab, "Escape")
    assert "source {'0': 'dd r'}" in run(lab, 3)
    lab.locator(".zswaplab-player .say").first.click()
    press(lab, "2")


def test_two_players_share_a_clock_and_python_reads_it(lab: Page) -> None:
    lab.locator(".zswaplab-player .say").first.click()
    assert press(lab, "Home", "l")[:2] == [26, 26]
    lab.locator(".zswaplab-player .say").nth(1).click()
    assert press(lab, "2", ".")[:2] == [27, 27]
    assert "steps 27 27 False" in run(lab, 3)


def test_python_moves_the_player_and_gives_it_another_run(lab: Page) -> None:
    run(lab, 4)
    lab.locator(".zswaplab-player[data-step='30'][data-level=source]").first.wait_for()
    player = lab.locator(".zswaplab-player").first
    assert player.locator(".cpu").count() == 1
    run(lab, 5)
    player.locator(".cpu").nth(1).wait_for()
    assert steps(lab)[0] == 30


def test_a_switch_of_a_panel_passes_the_players_keys_on_and_keeps_its_own(lab: Page) -> None:
    run(lab, 6)
    panel = cell_of(lab, 6)
    panel.locator(".zswaplab-player[data-step]").wait_for()
    before = int(panel.locator(".zswaplab-player").get_attribute("data-step") or -1)
    switch = panel.locator(".zswaplab-lab .seg button")
    switch.first.focus()
    moved = press(lab, "End", "Shift+R")[-1]
    assert moved == before  # the panel opens at the first refusal
    assert press(lab, "Home", "r")[-1] == before
    assert cell_of(lab, 6).locator(".jp-InputPrompt").count() == 1
    assert "jp-CodeCell" in (cell_of(lab, 6).get_attribute("class") or "")
    switch.nth(1).focus()
    lab.keyboard.press("Space")  # turns the switch
    lab.wait_for_timeout(500)
    assert re.search(r"panel \d+ on", run(lab, 7))


def test_the_notebooks_own_keys_do_nothing_to_a_player(lab: Page) -> None:
    cells = lab.locator(".jp-Notebook .jp-Cell").count()
    before = steps(lab)
    cell_of(lab, 10).locator(".jp-InputPrompt").click()
    lab.keyboard.press("b")
    assert lab.locator(".jp-Notebook .jp-Cell").count() == cells + 1
    press(lab, "d", "d")
    assert lab.locator(".jp-Notebook .jp-Cell").count() == cells
    assert steps(lab) == before


def test_a_run_that_goes_on_grows_where_it_stands(lab: Page) -> None:
    run(lab, 8)
    player = cell_of(lab, 8).locator(".zswaplab-player")
    player.wait_for()
    player.locator("xpath=self::*[@data-step='59']").wait_for()
    run(lab, 9)
    player.locator("xpath=self::*[@data-step='64']").wait_for()
    assert "of 64" in player.locator(".count").inner_text()


def test_the_player_follows_jupyterlabs_theme(lab: Page) -> None:
    player = lab.locator(".zswaplab-player").first

    def ground() -> str:
        return str(player.evaluate("root => getComputedStyle(root).backgroundColor"))

    assert (player.get_attribute("data-theme"), ground()) == ("light", "rgb(255, 255, 255)")
    for theme, name in (("JupyterLab Dark", "dark"), ("JupyterLab Light", "light")):
        lab.get_by_role("menuitem", name="Settings", exact=True).click()
        lab.locator(".lm-Menu-itemLabel", has_text="Theme").first.hover()
        lab.locator(".lm-Menu-itemLabel", has_text=theme).first.click()
        lab.locator(f".zswaplab-player[data-theme='{name}']").nth(2).wait_for()
    assert ground() == "rgb(255, 255, 255)"


def test_players_side_by_side_share_the_width(lab: Page) -> None:
    boxes = [lab.locator(".zswaplab-player").nth(number).bounding_box() for number in range(3)]
    assert all(boxes)
    widths = [round(box["width"]) for box in boxes if box]
    assert widths[0] > 900 and abs(widths[1] - widths[2]) <= 1 and abs(widths[1] * 2 - widths[0]) < 4
    assert [lab.locator(".zswaplab-player").nth(number).get_attribute("data-size") for number in range(3)] == [
        "wide", "one", "one",
    ]  # fmt: skip


def test_jupyterlabs_own_combinations_pass_through(lab: Page) -> None:
    prompt = cell_of(lab, 1).locator(".jp-InputPrompt")
    before = prompt.inner_text()
    lab.locator(".zswaplab-player .forward").first.click()
    lab.locator(".zswaplab-player .forward").first.focus()
    lab.keyboard.press("Shift+Enter")  # runs the cell that shows the player
    for _ in range(200):
        if prompt.inner_text() not in (before, "[*]:"):
            break
        lab.wait_for_timeout(100)
    assert prompt.inner_text() not in (before, "[*]:")
    lab.locator(".zswaplab-player").nth(2).wait_for()
    dirty = lab.locator(".jp-mod-dirty")
    dirty.first.wait_for(state="attached")
    lab.locator(".zswaplab-player .forward").first.focus()
    lab.keyboard.press("Control+s")
    for _ in range(200):
        if dirty.count() == 0:
            break
        lab.wait_for_timeout(100)
    assert dirty.count() == 0
