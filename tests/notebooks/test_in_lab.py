"""The notebooks in a real JupyterLab: as they lie there; and the first one run, its switches and player used."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import nbformat
import pytest
from PIL import Image, ImageStat

from tests.serving import Server
from zswaplab import Machine, Setup, record
from zswaplab.run.history import History
from zswaplab.run.workloads import revisit

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Locator, Page

pytestmark = [pytest.mark.browser, pytest.mark.slow]

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
PATHS = sorted(FOLDER.glob("*.ipynb"))
ERRORS = re.compile(r"Error displaying widget|Loading widget|Traceback|Error:|Failed to|not found|object at 0x")
PICTURE = 'class="zswaplab-picture"'
ONE_PLAYER = ".zswaplab-picture:not(:has(.zswaplab-picture))"  # in that of a comparison there are two
DECODED = """images => Promise.all(images.map(async image => {
    await image.decode().catch(() => null);
    return [image.naturalWidth, image.getBoundingClientRect().height];
}))"""
WAITING = "[...document.querySelectorAll('.jp-InputPrompt')].filter(cell => cell.textContent === '[*]:').length"
WHOLE = {"width": 1280, "height": 16_000}  # so high that JupyterLab attaches every cell
ROOM = "all => all.map(one => [one.scrollWidth, one.clientWidth])"
EDGES = """all => all.map(one => getComputedStyle(one)).map(look => [
    look.borderTopWidth, look.borderTopColor !== look.backgroundColor, look.color !== look.backgroundColor,
])"""
NARROW = {"width": 640, "height": 30_000}  # a laptop's window at 200 %
OURS = "axe.run({ include: [['.jp-OutputArea'], ['.jp-RenderedMarkdown']] }, { resultTypes: ['violations'] })"
OPENED: dict[Path, Watched] = {}  # the notebook that is open just now
THEIRS = "jp-collapseHeadingButton"  # JupyterLab's own button, which has no name


class Watched:
    """A page, what its console complains of, and the hosts it asks."""

    def __init__(self, opener: Browser | BrowserContext, **options: Any) -> None:
        self.page = opener.new_page(**options)
        self.page.set_default_timeout(120_000)
        self.complaints: list[str] = []
        self.hosts: set[str] = set()
        self.page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.hosts.add(urlsplit(request.url).hostname or ""))

    def check(self) -> None:
        assert self.complaints == []
        assert self.hosts <= {"", "127.0.0.1", "localhost"}  # no host at all: data: and blob:


# -- as they lie there


def opened(path: Path, opener: Browser | BrowserContext, address: str, **options: Any) -> Watched:
    """A notebook that was only opened: nothing in it has run, and JupyterLab does not trust it."""
    watched = Watched(opener, **options)
    watched.page.goto(address)
    watched.page.get_by_text("| Idle").wait_for()
    last = len(nbformat.read(path, as_version=4).cells) - 1
    watched.page.locator(".jp-Notebook .jp-Notebook-cell").nth(last).locator(".jp-RenderedMarkdown").wait_for()
    return watched


@pytest.fixture(scope="module")
def window(browser: Browser) -> Iterator[BrowserContext]:
    """One for all notebooks, as JupyterLab's own scripts are then read once."""
    context = browser.new_context(viewport=WHOLE)
    yield context
    context.close()


@pytest.fixture(
    scope="module", params=[(path, theme) for path in PATHS for theme in ("Light", "Dark")],
    ids=lambda param: f"{param[0].stem}-{param[1]}",
)  # fmt: skip
def lying(request: Any, window: BrowserContext, jupyter_lab: Server) -> tuple[Path, str, Watched]:
    """A notebook, a theme, and what JupyterLab shows of the one in the other."""
    path, theme = request.param
    workspace = f"lab/workspaces/{path.stem}"  # of its own: else what was open comes back
    if path not in OPENED:
        for other, watched in list(OPENED.items()):
            watched.page.close()
            del OPENED[other]
        OPENED[path] = opened(path, window, jupyter_lab.url(f"{workspace}/tree/{path.name}"))
    page = OPENED[path].page
    page.evaluate(f"jupyterapp.commands.execute('apputils:change-theme', {{theme: 'JupyterLab {theme}'}})")
    page.locator(f"body[data-jp-theme-light={str(theme == 'Light').lower()}]").wait_for(state="attached")
    return path, theme, OPENED[path]


def test_a_notebook_that_is_only_opened_shows_everything(lying: tuple[Path, str, Watched]) -> None:
    from playwright.sync_api import expect

    path, _, watched = lying
    notebook, cells = nbformat.read(path, as_version=4), watched.page.locator(".jp-Notebook .jp-Notebook-cell")
    expect(cells).to_have_count(len(notebook.cells))
    for place, cell in enumerate(notebook.cells):
        pages = [] if folded(cell) else html_outputs(cell)
        shown = cells.nth(place).locator(".jp-OutputArea-output")
        images = shown.locator("img")
        expect(images).to_have_count(sum(page.count("<img") for page in pages))
        assert all(wide > 15 and high > 13 for wide, high in images.evaluate_all(DECODED)), cell.id
        expect(shown.locator(".zswaplab-picture")).to_have_count(sum(page.count(PICTURE) for page in pages))
        for words in shown.locator(ONE_PLAYER).all_inner_texts():
            assert words.startswith("A picture of the player. Run this cell to play it."), cell.id
    said = "\n".join(cells.all_inner_texts())
    assert not ERRORS.search(said), ERRORS.search(said)
    watched.check()


def html_outputs(cell: Any) -> list[str]:
    return [output.data["text/html"] for output in cell.get("outputs", []) if "text/html" in output.get("data", {})]


def folded(cell: Any) -> bool:
    return bool(cell.metadata.get("jupyter", {}).get("outputs_hidden"))


def test_axe_finds_nothing_in_it(lying: tuple[Path, str, Watched], axe: str) -> None:
    _, _, watched = lying
    watched.page.evaluate(axe)
    found = watched.page.evaluate(OURS)["violations"]
    nodes = [(one["id"], node["html"]) for one in found for node in one["nodes"] if THEIRS not in node["html"]]
    assert nodes == []


def test_its_pictures_are_as_bright_as_the_theme(lying: tuple[Path, str, Watched]) -> None:
    path, theme, watched = lying
    pictures = watched.page.locator(".zswaplab-picture").all()
    assert len(pictures) == sum(
        page.count(PICTURE) for cell in nbformat.read(path, as_version=4).cells
        if not folded(cell) for page in html_outputs(cell)
    )  # fmt: skip
    for picture in pictures:
        (brightness,) = ImageStat.Stat(Image.open(io.BytesIO(picture.screenshot())).convert("L")).mean
        assert brightness > 190 if theme == "Light" else brightness < 75


FIRST = FOLDER / "00-start-here.ipynb"


def test_a_picture_fits_into_a_window_at_200_percent(browser: Browser, jupyter_lab: Server) -> None:
    address = jupyter_lab.url(f"doc/tree/{FIRST.name}")  # without JupyterLab's side bars
    page = opened(FIRST, browser, address, viewport=NARROW, device_scale_factor=2).page
    pictures = page.locator(".zswaplab-picture")
    assert pictures.count() == 4
    assert all(needed <= room for needed, room in pictures.evaluate_all(ROOM))
    outputs = page.locator(".jp-OutputArea-output:has(.zswaplab-picture)")
    assert all(needed <= room for needed, room in outputs.evaluate_all(ROOM))
    page.close()


def test_a_picture_keeps_its_edges_in_forced_colours(browser: Browser, jupyter_lab: Server) -> None:
    address = jupyter_lab.url(f"lab/workspaces/forced/tree/{FIRST.name}")
    page = opened(FIRST, browser, address, viewport=WHOLE, forced_colors="active").page
    seen = page.locator(".zswaplab-picture [style*='solid transparent']").evaluate_all(EDGES)
    assert len(seen) > 40
    assert all(one == ["1px", True, True] for one in seen)
    page.close()


# -- the first notebook, run


@pytest.fixture(scope="module")
def run(browser: Browser, jupyter_lab: Server) -> Iterator[Watched]:
    """Notebook 00 in JupyterLab after Run All Cells."""
    jupyter_lab.choose_theme("Light")
    watched = Watched(browser, viewport=WHOLE)
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
        self.root = cell.locator(".jp-OutputArea-output:has(.zswaplab-player)")
        self.player = self.root.locator(".zswaplab-player")
        self.player.wait_for()

    def switch(self, name: str) -> Locator:
        return self.root.get_by_role("button", name=name, exact=True)

    def row(self, name: str) -> dict[str, str]:
        """A row of the panel's table, now or before: what, and how it came out."""
        table = self.root.locator(".zswaplab-lab table")
        names = table.locator("thead th").all_inner_texts()
        row = table.locator("tbody tr").filter(has=self.page.get_by_text(name, exact=True))
        return dict(zip(names, row.locator("td").all_inner_texts(), strict=True))

    def shows(self, history: History) -> None:
        """Wait until the table and the player show this run."""
        wanted = {
            "written back": [len(history.written_back())],
            "which": sorted({*history.written_back()}),
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
        now = self.row("Now")
        return {
            "written back": numbers(now["written back"]),
            "which": numbers(now.get("which", "")),
            "read from disk": numbers(now["read from disk"]),
            "crashed": now["ended"] != "well",
            "last step": numbers(self.root.locator(".slider").get_attribute("aria-valuemax") or ""),
            "tags": (self.root.locator(".what").first.get_attribute("title") or "").split(" · "),
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
    panel.switch("zbud (evictable)").click()
    panel.switch("off").click()
    panel.shows(recorded("1", "off", True))
    before, picture = panel.row("Now"), panel.picture()
    panel.switch("zswap").click()
    panel.shows(recorded("1", "off", False))
    assert panel.row("Before") == before
    assert panel.row("Now") != before
    assert panel.picture() != picture
    panel.switch("on").click()
    panel.shows(recorded("1", "v2", False))
    run.check()


def test_the_switches_move_by_keyboard(run: Watched) -> None:
    panel = Panel(run.page, 'lab(stage="1"')
    panel.switch("zbud (evictable)").click()
    panel.switch("off").click()
    panel.shows(recorded("1", "off", True))
    panel.switch("zbud (evictable)").focus()
    run.page.keyboard.press("Tab")
    assert panel.switch("zswap").evaluate("button => button === document.activeElement")
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
    assert panel.row("Before")["ended"] == "well"
    panel.root.locator(".say").click()
    run.page.keyboard.press("f")
    panel.at(len(crashed) - 1)
    assert "Use after free" in panel.said()
    assert panel.root.locator(".say.fault").count() == 1
    run.check()


def test_the_player_obeys_its_keys(run: Watched) -> None:
    panel = Panel(run.page, "play(full)")
    history = record(Setup(stage="1", compressor="lengths", ram_pages=30, workload="revisit 10 6"))
    evictions, refusals = steps_of(history, "writeback"), steps_of(history, "refuse")
    panel.root.locator(".say").click()
    run.page.keyboard.press("Home")
    panel.at(0)
    start, picture = panel.said(), panel.picture()
    run.page.keyboard.press(".")
    panel.at(1)
    assert panel.said() != start
    run.page.keyboard.press(",")
    panel.at(0)
    assert panel.said() == start
    for key, step in (("r", refusals[0]), ("e", evictions[0]), ("e", evictions[1]), ("Shift+E", evictions[0])):
        run.page.keyboard.press(key)
        panel.at(step)
        assert history[step].say.replace("**", "") == panel.said()
    assert panel.picture() != picture
    run.page.keyboard.press("f")
    panel.root.get_by_text("nothing after this step is “fault”").wait_for()
    assert panel.step() == evictions[0]
    run.page.keyboard.press("Space")
    panel.root.locator(f".zswaplab-player:not([data-step='{evictions[0]}'])").wait_for()
    run.page.keyboard.press("Space")
    stopped = panel.step()
    run.page.wait_for_timeout(1500)
    assert panel.step() == stopped
    run.check()


def test_a_key_of_the_player_does_nothing_to_its_cell(run: Watched) -> None:
    """Also on a switch of a panel, of which JupyterLab takes R for its own: the cell would turn raw."""
    panel = Panel(run.page, 'lab(stage="1"')
    cell = panel.root.locator("xpath=ancestor::*[contains(@class, 'jp-Notebook-cell')]")
    cells = run.page.locator(".jp-Notebook .jp-Notebook-cell").count()
    panel.switch("zswap").click()
    panel.switch("off").click()
    panel.shows(recorded("1", "off", False))
    refused = steps_of(recorded("1", "off", False), "refuse")[0]
    panel.root.locator(".say").click()
    run.page.keyboard.press("Home")
    panel.at(0)
    panel.switch("off").focus()
    for key in ("d", "d", "r"):
        run.page.keyboard.press(key)
    panel.at(refused)
    assert "jp-CodeCell" in (cell.get_attribute("class") or "")
    assert run.page.locator(".jp-Notebook .jp-Notebook-cell").count() == cells
    run.check()
