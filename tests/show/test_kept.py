"""A notebook that was run, saved and opened again, or whose kernel has gone: its players play, or pictures stay."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError

import nbformat
import pytest

from tests.serving import Server
from tests.show import fixture
from tests.show.test_player_lab import run
from zswaplab.show.player import play

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SOURCES = [
    "import sys\nsys.path.insert(0, {repository!r})\n"
    "from tests.show import fixture\nfrom zswaplab.show.player import play",
    "play(fixture.payload(), 46)",
    "play(fixture.payload('pages'), 12)",
]
GONE = "The kernel of this player has gone: it still plays"


class Shell:
    """As much of a notebook's IPython as `kept` asks: which cell is run, and by which request."""

    def __init__(self) -> None:
        self.cell: str | None = None
        self.request = 0

    def get_parent(self) -> dict[str, Any]:
        return {"metadata": {"cellId": self.cell} if self.cell else {}, "header": {"msg_id": str(self.request)}}


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Shell:
    import IPython

    shell = Shell()
    monkeypatch.setattr(IPython, "get_ipython", lambda: shell)
    monkeypatch.setattr("IPython.display.publish_display_data", lambda *bundle: None)
    return shell


def test_a_cell_that_is_run_twenty_times_leaves_the_players_of_its_last_run(shell: Shell) -> None:
    payload, made = fixture.payload(), []
    shell.cell = "a"
    for shell.request in range(20):
        made += [play(payload), play(payload)]
        for player in made[-2:]:
            player._ipython_display_()
    assert [player for player in made if player.comm is not None] == made[-2:]
    assert all(player.layout.comm is None for player in made[:-2])
    shell.cell, shell.request = "b", 20
    made[-1]._ipython_display_()  # the same once more, in another cell
    shell.cell, shell.request = "a", 21
    play(payload)._ipython_display_()
    assert made[-1].comm is not None and made[-2].comm is None
    made[-2]._ipython_display_()  # shown again, it opens
    assert made[-2].comm is not None


def test_outside_a_notebook_nothing_is_closed(shell: Shell) -> None:
    made = [play(fixture.payload()) for _ in range(3)]
    for player in made:
        player._ipython_display_()
    assert all(player.comm is not None for player in made)


# -- in JupyterLab


def opened(browser: Browser, server: Server, workspace: str) -> Page:
    tab = browser.new_page(viewport={"width": 1400, "height": 3000})
    tab.set_default_timeout(60_000)
    tab.goto(server.url(f"lab/workspaces/{workspace}/tree/kept.ipynb"))
    tab.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for()
    return tab


@pytest.fixture(scope="module")
def ended(browser: Browser, repository: Path, jupyter_lab: Server) -> Iterator[tuple[Page, Any]]:
    """A notebook that was run and saved, whose kernel was shut down then; and the file."""
    cells = [nbformat.v4.new_code_cell(source.format(repository=str(repository))) for source in SOURCES]
    content = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "P"}})
    jupyter_lab.ask("PUT", "api/contents/kept.ipynb", {"type": "notebook", "content": content})
    tab = opened(browser, jupyter_lab, "running")
    tab.locator(".jp-InputPrompt").get_by_text("[ ]:").nth(len(SOURCES) - 1).wait_for()
    for number in range(len(SOURCES)):
        run(tab, number)
    tab.locator(".zswaplab-player").nth(1).wait_for()
    tab.keyboard.press("Control+s")
    for _ in range(100):
        tab.wait_for_timeout(100)
        with suppress(HTTPError):  # while it is being written
            content = json.loads(jupyter_lab.get("api/contents/kept.ipynb"))["content"]
        if "widgets" in content["metadata"]:
            break
    jupyter_lab.shut_down_kernels()
    yield tab, content
    tab.close()


def plays(tab: Page) -> None:
    """The first player obeys its keys."""
    player = tab.locator(".zswaplab-player").first
    at = int(player.get_attribute("data-step") or -1)
    player.locator(".say").click()
    tab.keyboard.press(".")
    tab.locator(f".zswaplab-player[data-step='{at + 1}']").first.wait_for()
    tab.keyboard.press(",")
    tab.locator(f".zswaplab-player[data-step='{at}']").first.wait_for()


@pytest.mark.slow
@pytest.mark.browser
def test_a_player_whose_kernel_has_gone_says_so_and_plays(ended: tuple[Page, Any]) -> None:
    tab, _ = ended
    tab.locator(".zswaplab-gone:visible").nth(1).wait_for()
    assert all(words.startswith(GONE) for words in tab.locator(".zswaplab-gone").all_inner_texts())
    plays(tab)


@pytest.mark.slow
@pytest.mark.browser
def test_a_saved_notebook_keeps_the_program_once(ended: tuple[Page, Any]) -> None:
    _, content = ended
    state = content["metadata"]["widgets"]["application/vnd.jupyter.widget-state+json"]["state"]
    names = [one["model_name"] for one in state.values()]
    assert names.count("AnyModel") == 2
    programs = [one for one in state.values() if len(one["state"].get("code", "")) > 10_000]
    assert len(programs) == 1
    assert sum(len(json.dumps(one)) for one in state.values() if one is not programs[0]) < 60_000


@pytest.mark.slow
@pytest.mark.browser
def test_a_saved_notebook_opened_again_plays(ended: tuple[Page, Any], browser: Browser, jupyter_lab: Server) -> None:
    tab = opened(browser, jupyter_lab, "again")
    reload_until_restored(tab)
    assert [step(tab, number) for number in range(2)] == [46, 12]
    assert tab.locator(".zswaplab-picture:visible").count() == 0
    assert "Error displaying widget" not in tab.locator(".jp-Notebook").inner_text()
    plays(tab)
    tab.close()


def reload_until_restored(tab: Page) -> None:
    """Where the kernel connects late, ipywidgets takes the widgets for restored before it has read the notebook's: it
    never draws them then. The pictures stay, and a reader reloads.
    """
    from playwright.sync_api import TimeoutError

    for _ in range(3):
        with suppress(TimeoutError):
            tab.locator(".zswaplab-player").nth(1).wait_for(timeout=20_000)
            return
        assert tab.locator(".zswaplab-picture:visible").count() == 2
        tab.reload()
    tab.locator(".zswaplab-player").nth(1).wait_for()


def step(tab: Page, number: int) -> int:
    return int(tab.locator(".zswaplab-player").nth(number).get_attribute("data-step") or -1)


@pytest.mark.slow
@pytest.mark.browser
def test_where_no_state_was_saved_a_picture_is_there(
    ended: tuple[Page, Any], browser: Browser, jupyter_lab: Server
) -> None:
    _, content = ended
    content = {**content, "metadata": {"kernelspec": content["metadata"]["kernelspec"]}}
    jupyter_lab.ask("PUT", "api/contents/kept.ipynb", {"type": "notebook", "content": content})
    tab = opened(browser, jupyter_lab, "pictures")
    tab.locator(".zswaplab-picture:visible").nth(1).wait_for()
    tab.wait_for_timeout(2000)  # what could still come in place of a picture
    assert tab.locator(".zswaplab-picture:visible").count() == 2
    assert "Error displaying widget" not in tab.locator(".jp-Notebook").inner_text()
    tab.close()
