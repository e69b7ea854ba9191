"""Execute notebooks and write them back as they are committed: `python notebooks/publish.py [NOTEBOOK...]`.

Without a name: every notebook in this folder. Text comes from a fresh kernel. A widget is kept neither as a
view nor as state, which a reopened notebook cannot draw: in its place stands a photograph, taken in
JupyterLab just after its cell has run, with the widget's words as alt text. Nothing that differs from run to
run is kept, so a second run writes the same file. Needs Chromium and what `make test` installs.
"""

from __future__ import annotations

import base64
import io
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib.font_manager  # noqa: F401  (builds its cache now, or a kernel would say so in an output)
import nbclient
import nbformat
from PIL import Image, ImageChops

from tests.conftest import CHROMIUM_ARGUMENTS
from tests.serving import running_lab
from zswaplab.model.errors import BadInput
from zswaplab.show.page import BROWSERS

if TYPE_CHECKING:
    from playwright.sync_api import Page

WIDGET = "application/vnd.jupyter.widget-view+json"
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
OF_ONE_RUN = ("execution", "ExecuteTime", "scrolled", "trusted")
VIEWPORT = {"width": 1168, "height": 3000}  # in pixels: an output is 1,000 wide and never cut
SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false"},
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},
}
SECONDS = 120

Notebook = Any  # an nbformat.NotebookNode: a dict whose keys are attributes too
Photographs = dict[tuple[str, int], bytes]  # (cell id, number of the output) -> PNG


def publish(paths: list[Path]) -> None:
    """Execute and write back; writes nothing if anything goes wrong."""
    notebooks = {path: executed(path) for path in paths}
    with_widgets = {path: notebook for path, notebook in notebooks.items() if any(widgets(notebook))}
    pictures = photographs(with_widgets) if with_widgets else {}
    for path, notebook in notebooks.items():
        put_pictures(notebook, pictures.get(path, {}), nbformat.read(path, as_version=4))
    for path, notebook in notebooks.items():
        nbformat.write(notebook, path)
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


def executed(path: Path) -> Notebook:
    """The notebook after a run in a fresh kernel, without what would differ after another."""
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in notebook.cells:
        for name in OF_ONE_RUN:
            cell.metadata.pop(name, None)
    nbclient.NotebookClient(
        notebook, timeout=SECONDS, record_timing=False, store_widget_state=False, coalesce_streams=True,
        resources={"metadata": {"path": str(path.resolve().parent)}}, extra_arguments=["--log-level=ERROR"],
    ).execute()  # fmt: skip
    notebook.metadata = nbformat.from_dict(METADATA)
    return notebook


def outputs(notebook: Notebook) -> Iterator[tuple[str, int, Notebook]]:
    """(cell id, number, output) of each output that has data."""
    for cell in notebook.cells:
        for number, output in enumerate(cell.get("outputs", [])):
            if "data" in output:
                yield cell.id, number, output


def widgets(notebook: Notebook) -> Iterator[tuple[str, int]]:
    return ((cell, number) for cell, number, output in outputs(notebook) if WIDGET in output.data)


# -- photographs ------------------------------------------------------------------------------------


def photographs(notebooks: dict[Path, Notebook]) -> dict[Path, Photographs]:
    """What JupyterLab draws of each widget of the notebooks."""
    with tempfile.TemporaryDirectory() as folder, lab_in_chromium(Path(folder)) as (page, url):
        taken = {}
        for path, notebook in notebooks.items():
            copy = Path(folder, path.name)
            nbformat.write(unfolded(notebook), copy)
            page.goto(url(f"doc/tree/{path.name}"))
            taken[path] = dict(photograph(page, notebook))
        return taken


@contextmanager
def lab_in_chromium(folder: Path) -> Iterator[tuple[Page, Any]]:
    """A browser's page, and the function that makes an address in a JupyterLab on `folder`."""
    from playwright.sync_api import sync_playwright

    chromium = next(filter(None, map(shutil.which, BROWSERS)), None)
    if chromium is None:
        raise BadInput("The widgets need Chromium, which is not on the PATH: sudo apt-get install chromium")
    with tempfile.TemporaryDirectory() as own:
        Path(own, "overrides.json").write_text(json.dumps(SETTINGS))
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
        command.append(f"--LabApp.app_settings_dir={own}")
        with running_lab(command, folder, Path(own)) as server, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
            page = browser.new_page(viewport=VIEWPORT, color_scheme="light")
            page.set_default_timeout(SECONDS * 1000)
            yield page, server.url


def unfolded(notebook: Notebook) -> Notebook:
    """The notebook as it is photographed: not yet run, nothing folded."""
    copy = nbformat.from_dict(notebook)
    for cell in copy.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count, cell.metadata = [], None, nbformat.from_dict({})
    return copy


def photograph(page: Page, notebook: Notebook) -> Iterator[tuple[tuple[str, int], bytes]]:
    """Run the notebook that the page shows, cell by cell, and photograph each widget before going on.

    Going on first would show later cells' doings in an earlier cell's widget.
    """
    page.get_by_text("| Idle").wait_for()
    cells = page.locator(".jp-Notebook-cell")
    cells.first.click()
    page.mouse.move(0, 0)
    wanted = set(widgets(notebook))
    for place, cell in enumerate(notebook.cells):
        page.keyboard.press("Shift+Enter")
        if cell.cell_type == "code":
            prompt = cells.nth(place).locator(".jp-InputPrompt")
            prompt.get_by_text(f"[{cell.execution_count}]:").wait_for()
        for number in sorted(number for owner, number in wanted if owner == cell.id):
            output = cells.nth(place).locator(".jp-OutputArea-output").nth(number)
            output.locator(".zswaplab-player[data-step]").first.wait_for()
            yield (cell.id, number), settled(page, output)


def settled(page: Page, output: Any) -> bytes:
    """A screenshot of the output once it does not change any more."""
    before, now = b"", output.screenshot(animations="disabled")
    while before != now:
        page.wait_for_timeout(400)
        before, now = now, output.screenshot(animations="disabled")
    return bytes(now)


# -- pictures in the notebook -----------------------------------------------------------------------


def put_pictures(notebook: Notebook, taken: Photographs, old: Notebook) -> None:
    """Put the photographs in the widgets' places; pictures that look as before stay as they were."""
    before = {(cell, number): output for cell, number, output in outputs(old)}
    for cell, number, output in outputs(notebook):
        if output.data.pop(WIDGET, None):
            output.data["image/png"] = base64.b64encode(taken[cell, number]).decode()
            output.metadata = nbformat.from_dict({"image/png": {"alt": alt(output.data["text/plain"])}})
        if "image/png" not in output.data:
            continue
        if not output.metadata.get("image/png", {}).get("alt"):
            raise BadInput(f"Cell {cell} has a picture without alt text: use zswaplab.show.plots.show")
        output.data["image/png"] = small(output.data["image/png"])
        earlier = before.get((cell, number), {}).get("data", {})
        if "image/png" in earlier and earlier.get("text/plain") == output.data["text/plain"]:
            output.data["image/png"] = the_older_if_alike(earlier["image/png"], output.data["image/png"])


def alt(words: str) -> str:
    """The first lines of a widget's words: what it shows, where it stands, what just happened."""
    return " ".join(f"{line.rstrip('.')}." for line in words.splitlines()[:3])


def small(png: str) -> str:
    """The picture with 256 colours, which look like all of them; one that is see-through stays as it is."""
    image = Image.open(io.BytesIO(base64.b64decode(png)))
    if image.convert("RGBA").getextrema()[3][0] < 255:
        return png
    file = io.BytesIO()
    image.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=1).save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()


def the_older_if_alike(older: str, newer: str) -> str:
    """The newer picture, unless no pixel of it differs from the older's by more than an eye can see."""
    first, second = (Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB") for png in (older, newer))
    if first.size != second.size:
        return newer
    strongest = max(most for _, most in ImageChops.difference(first, second).getextrema())
    return older if strongest < 24 else newer


if __name__ == "__main__":
    named = [Path(name) for name in sys.argv[1:]] or sorted(Path(__file__).parent.glob("*.ipynb"))
    absent = [str(path) for path in named if not path.is_file()]
    try:
        if absent:
            raise BadInput(f"There is no {', '.join(absent)}: name a notebook, or none for all that are here")
        publish(named)
    except (BadInput, nbclient.exceptions.CellExecutionError) as problem:
        sys.exit(f"Nothing was published. {problem}")
