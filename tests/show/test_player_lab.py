"""The player in a real JupyterLab, with its kernel: keys, theme, two players on one clock."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.serving import running_lab

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CELLS = [
    "import sys\n"
    "sys.path.insert(0, {repository!r})\n"
    "import ipywidgets\n"
    "from tests.show import fixture\n"
    "from zswaplab.show.player import play",
    "first = play(fixture.payload(), height=300)\nfirst",
    "second = play(fixture.payload('pages'), height=300)\n"
    "clock = ipywidgets.jslink((first, 'step'), (second, 'step'))\n"
    "ipywidgets.HBox([second, play(fixture.payload(), height=300)])",
    "print('steps', first.step, second.step, first.playing)",
    "first.step = 30",
    "first.show(fixture.payload(cpus=2))",
]


@pytest.fixture(scope="module")
def lab(browser: Browser, repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A notebook whose first three cells have run."""
    folder = tmp_path_factory.mktemp("player")
    (folder / "work").mkdir()
    cells = [
        {"cell_type": "code", "id": f"c{number}", "metadata": {}, "outputs": [], "execution_count": None,
         "source": source.format(repository=str(repository))}
        for number, source in enumerate(CELLS)
    ]  # fmt: skip
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": kernel, "cells": cells}
    (folder / "work" / "player.ipynb").write_text(json.dumps(notebook))
    quiet = {
        "@jupyterlab/apputils-extension:notification": {"fetchNews": "false"},
        "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},
    }
    (folder / "settings").mkdir()
    (folder / "settings" / "overrides.json").write_text(json.dumps(quiet))
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--notebook-dir=work"]
    command += ["--IdentityProvider.token=", f"--LabApp.app_settings_dir={folder / 'settings'}"]
    with running_lab(command, folder, folder / "own") as server:
        tab = browser.new_page(viewport={"width": 1400, "height": 1000})
        tab.set_default_timeout(120_000)  # a busy machine starts JupyterLab slowly
        tab.goto(server.url("lab/tree/player.ipynb"))
        tab.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for()
        for number in range(3):
            run(tab, number)
        tab.locator(".zswaplab-player").nth(2).wait_for()
        yield tab
        tab.close()


def run(tab: Page, number: int) -> str:
    """Run a cell and return what it printed. Until notebook and kernel are ready, keys may fall into the void."""
    from playwright.sync_api import TimeoutError

    cell = tab.locator(".jp-Notebook .jp-CodeCell").nth(number)
    prompt = cell.locator(".jp-InputPrompt")
    before = prompt.inner_text()
    for _ in range(40):
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
        ("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("Shift+ArrowRight", 4),
        ("Shift+ArrowLeft", 1),
        ("s", 3), ("l", 26), ("e", 48), ("r", 55), ("f", 59), ("Shift+E", 54), ("Shift+L", 26),
        ("Shift+S", 24),
        ("End", 59), ("Home", 0), ("End", 59), ("0", 0),
    ):  # fmt: skip
        assert press(lab, key)[0] == step, key
        assert lab.evaluate("document.activeElement.className") == "zswaplab-player fixed", key
    lab.keyboard.press("Space")
    lab.locator(".zswaplab-player[data-step='2']").first.wait_for()
    lab.keyboard.press("Space")
    assert lab.locator(".jp-Notebook .jp-Cell").count() == cells
    assert lab.locator(".jp-Dialog").count() == 0


def test_two_players_share_a_clock_and_python_reads_it(lab: Page) -> None:
    lab.locator(".zswaplab-player .say").first.click()
    assert press(lab, "Home", "l") == [26, 26, 0]
    lab.locator(".zswaplab-player .say").nth(1).click()
    assert press(lab, "ArrowRight") == [27, 27, 0]
    assert "steps 27 27 False" in run(lab, 3)


def test_python_moves_the_player_and_gives_it_another_run(lab: Page) -> None:
    run(lab, 4)
    lab.locator(".zswaplab-player[data-step='30']").first.wait_for()
    player = lab.locator(".zswaplab-player").first
    assert player.locator(".cpu").count() == 1
    run(lab, 5)
    player.locator(".cpu").nth(1).wait_for()
    assert steps(lab)[0] == 30


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
