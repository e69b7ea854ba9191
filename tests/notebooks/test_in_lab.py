"""The notebooks in a real JupyterLab: as they lie there; and the first one run, its switches and player used."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import nbformat
import pytest

from tests.serving import Server
from zswaplab import Machine, record
from zswaplab.run.history import History
from zswaplab.run.workloads import revisit

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

pytestmark = [pytest.mark.browser, pytest.mark.slow]

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
PATHS = sorted(FOLDER.glob("*.ipynb"))
ERRORS = re.compile(r"Error displaying widget|Loading widget|Traceback|Error:|Failed to|not found|object at 0x")
DECODED = """images => Promise.all(images.map(async image => {
    await image.decode().catch(() => null);
    return [image.naturalWidth, image.getBoundingClientRect().height];
}))"""
WAITING = "[...document.querySelectorAll('.jp-InputPrompt')].filter(cell => cell.textContent === '[*]:').length"
WHOLE = {"width": 1280, "height": 16_000}  # so high that JupyterLab attaches every cell


class Watched:
    """A page, what its console complains of, and the hosts it asks."""

    def __init__(self, browser: Browser, viewport: Any) -> None:
        self.page = browser.new_page(viewport=viewport)
        self.page.set_default_timeout(120_000)
        self.complaints: list[str] = []
        self.hosts: set[str] = set()
        self.page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.hosts.add(urlsplit(request.url).hostname or ""))

    def check(self) -> None:
        assert self.complaints == []
        assert self.hosts <= {"", "127.0.0.1", "localhost"}  # no host at all: data: and blob:


def choose_theme(server: Server, theme: str) -> None:
    body = json.dumps({"raw": json.dumps({"theme": f"JupyterLab {theme}"})}).encode()
    address = server.url("lab/api/settings/@jupyterlab/apputils-extension:themes")
    urlopen(Request(address, body, {"Content-Type": "application/json"}, method="PUT"), timeout=30).close()


# -- as they lie there


@pytest.mark.parametrize("theme", ["Light", "Dark"])
@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_notebook_that_is_only_opened_shows_everything(
    path: Path, theme: str, browser: Browser, jupyter_lab: Server
) -> None:
    from playwright.sync_api import expect

    choose_theme(jupyter_lab, theme)
    watched = Watched(browser, WHOLE)
    page = watched.page
    page.goto(jupyter_lab.url(f"lab/workspaces/{path.stem}-{theme}/tree/{path.name}"))  # else what was open comes back
    notebook = nbformat.read(path, as_version=4)
    cells = page.locator(".jp-Notebook .jp-Notebook-cell")
    page.get_by_text("| Idle").wait_for()
    cells.nth(len(notebook.cells) - 1).locator(".jp-RenderedMarkdown").wait_for()
    assert page.locator("body").get_attribute("data-jp-theme-light") == str(theme == "Light").lower()
    expect(cells).to_have_count(len(notebook.cells))
    for place, cell in enumerate(notebook.cells):
        images = cells.nth(place).locator(".jp-OutputArea-output img")
        expected = 0 if folded(cell) else pictures(cell)
        if expected:
            images.nth(expected - 1).wait_for()
        shown = images.evaluate_all(DECODED)
        assert len(shown) == expected, cell.id
        assert all(wide > 100 and high > 50 for wide, high in shown), cell.id
    said = "\n".join(cells.all_inner_texts())
    assert not ERRORS.search(said), ERRORS.search(said)
    watched.check()
    page.close()


def pictures(cell: Any) -> int:
    return sum("image/png" in output.get("data", {}) for output in cell.get("outputs", []))


def folded(cell: Any) -> bool:
    return bool(cell.metadata.get("jupyter", {}).get("outputs_hidden"))


# -- the first notebook, run


@pytest.fixture(scope="module")
def run(browser: Browser, jupyter_lab: Server) -> Iterator[Watched]:
    """Notebook 00 in JupyterLab after Run All Cells."""
    choose_theme(jupyter_lab, "Light")
    watched = Watched(browser, WHOLE)
    page = watched.page
    page.goto(jupyter_lab.url("lab/workspaces/run/tree/00-start-here.ipynb"))
    page.get_by_text("| Idle").wait_for()
    page.get_by_text("Kernel", exact=True).first.click()
    page.get_by_text("Restart Kernel and Run All Cells").click()
    page.get_by_role("button", name="Confirm Kernel Restart").click()
    page.locator(".jp-InputPrompt").get_by_text("[*]:").first.wait_for()
    page.wait_for_function(f"() => {WAITING} === 0")
    yield watched
    page.close()


class Panel:
    """A lab panel or a player in the run notebook, found by the code of its cell."""

    def __init__(self, page: Page, code: str) -> None:
        self.page = page
        cell = page.locator(".jp-CodeCell").filter(has=page.locator(".cm-content", has_text=code))
        self.root = cell.locator(".jp-OutputArea-output").first
        self.player = self.root.locator(".zswaplab-player")
        self.player.wait_for()

    def switch(self, name: str) -> Locator:
        return self.root.get_by_role("button", name=name, exact=True)

    def row(self, name: str) -> dict[str, str]:
        """A row of the table above the player: what, and how it came out."""
        names = self.root.locator("table").first.locator("thead th").all_inner_texts()
        row = self.root.locator("table").first.locator("tbody tr").filter(has=self.page.get_by_text(name, exact=True))
        return dict(zip(names, row.locator("td").all_inner_texts(), strict=True))

    def shows(self, history: History) -> None:
        """Wait until the table and the player show this run."""
        wanted = {
            "written back": history.written_back(),
            "read from disk": [history.disk_reads()],
            "crashed": history.fault is not None,
            "last step": [len(history) - 1],
            "tags": history.tags,
        }
        for _ in range(100):
            if self.seen() == wanted:
                return
            self.page.wait_for_timeout(100)
        assert self.seen() == wanted

    def seen(self) -> dict[str, Any]:
        now = self.row("now")
        return {
            "written back": numbers(now["written back"]),
            "read from disk": numbers(now["read from disk"]),
            "crashed": "crash" in now["ended"],
            "last step": numbers(self.player.locator("[role=slider]").first.get_attribute("aria-valuemax") or ""),
            "tags": (self.player.locator("[title*=' · ']").first.get_attribute("title") or "").split(" · "),
        }

    def step(self) -> int:
        return int(self.player.get_attribute("data-step") or -1)

    def at(self, step: int) -> None:
        self.root.locator(f".zswaplab-player[data-step='{step}']").wait_for()

    def said(self) -> str:
        return self.root.locator(".say").inner_text()

    def picture(self) -> bytes:
        return self.player.screenshot()


def numbers(text: str) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d+", text)]


def recorded(stage: str, exclusive_loads: str, evictable: bool | None = None) -> History:
    return record(Machine(stage, "zbud", exclusive_loads, evictable=evictable, ram_pages=30), revisit())


def steps_of(history: History, event: str) -> list[int]:
    return [step for step, moment in enumerate(history.moments) if moment.event == event]


def test_the_switches_move_by_mouse(run: Watched) -> None:
    panel = Panel(run.page, 'lab(stage="1"')
    panel.switch("evictable").click()
    panel.switch("off").click()
    panel.shows(recorded("1", "off", True))
    before, picture = panel.row("now"), panel.picture()
    panel.switch("not evictable").click()
    panel.shows(recorded("1", "off", False))
    assert panel.row("before") == before
    assert panel.row("now") != before
    assert panel.picture() != picture
    panel.switch("on").click()
    panel.shows(recorded("1", "v2", False))
    run.check()


def test_the_switches_move_by_keyboard(run: Watched) -> None:
    panel = Panel(run.page, 'lab(stage="1"')
    panel.switch("evictable").click()
    panel.switch("off").click()
    panel.shows(recorded("1", "off", True))
    panel.switch("evictable").focus()
    run.page.keyboard.press("Tab")
    assert panel.switch("not evictable").evaluate("button => button === document.activeElement")
    run.page.keyboard.press("Space")
    panel.shows(recorded("1", "off", False))
    run.page.keyboard.press("Tab")
    run.page.keyboard.press("Tab")
    assert panel.switch("on").evaluate("button => button === document.activeElement")
    run.page.keyboard.press("Enter")
    panel.shows(recorded("1", "v2", False))
    run.check()


def test_exclusive_loads_crash_the_patch_as_reviewed(run: Watched) -> None:
    panel = Panel(run.page, 'lab(stage="rfc2-2"')
    panel.switch("off").click()
    well, crashed = recorded("rfc2-2", "off"), recorded("rfc2-2", "v1")
    assert well.fault is None and crashed.fault is not None
    panel.shows(well)
    panel.switch("on").click()
    panel.shows(crashed)
    assert "crash" not in panel.row("before")["ended"]
    panel.root.locator(".say").click()
    run.page.keyboard.press("f")
    panel.at(len(crashed) - 1)
    assert "Use after free" in panel.said()
    assert panel.root.locator(".say.fault").count() == 1
    run.check()


def test_the_player_obeys_its_keys(run: Watched) -> None:
    panel = Panel(run.page, "play(full)")
    history = recorded("1", "off")
    evictions, refusals = steps_of(history, "writeback"), steps_of(history, "refuse")
    panel.root.locator(".say").click()
    run.page.keyboard.press("0")
    panel.at(0)
    start = panel.said()
    run.page.keyboard.press(".")
    panel.at(1)
    assert panel.said() != start
    run.page.keyboard.press(",")
    panel.at(0)
    assert panel.said() == start
    picture = panel.picture()
    for key, step in (("r", refusals[0]), ("e", evictions[0]), ("e", evictions[1]), ("Shift+E", evictions[0])):
        run.page.keyboard.press(key)
        panel.at(step)
        assert history[step].say.replace("**", "") == panel.said()
    assert panel.picture() != picture
    run.page.keyboard.press("f")
    panel.root.get_by_text("nothing after this step is “fault”").wait_for()
    assert panel.step() == evictions[0]
    run.page.keyboard.press("Space")
    run.page.locator(f".zswaplab-player[data-step='{evictions[0]}']").wait_for(state="detached")
    run.page.keyboard.press("Space")
    stopped = panel.step()
    run.page.wait_for_timeout(1500)
    assert panel.step() == stopped
    run.check()
