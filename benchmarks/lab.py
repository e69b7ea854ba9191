"""How soon the lab panel repaints after a switch, in a real JupyterLab: `python benchmarks/lab.py`.

For a workload, from the click to the frame after it: the step shown drawn anew (the median of some clicks, and the
slowest), and everything else, the table and the whole run. A machine that others use too gives larger figures.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.serving import running_lab  # noqa: E402

WORKLOADS = {"the default, 38 operations": "revisit 10 6", "498 operations": "overflow 166"}
PLACES = ("the beginning", 10), ("the middle", 50), ("the end", 95)  # per cent of the run
CLICKS = 12
CELL = """import sys
sys.path.insert(0, {root!r})
from zswaplab import lab
panel = lab("1", workload={workload!r}, show=["evictable"])
panel.player.step = panel.player.last * {place} // 100
panel.player.level = "steps"
panel"""
WATCH = """name => new Promise(done => {
    const root = document.querySelector(".zswaplab-player"), lab = document.querySelector(".zswaplab-lab");
    const what = root.querySelector(".what"), times = {};
    const button = [...lab.querySelectorAll(".seg button")].find(one => one.textContent === name);
    const note = (which) => requestAnimationFrame(() => (times[which] = performance.now() - start));
    const drawn = new MutationObserver(() => { drawn.disconnect(); note("step"); });
    drawn.observe(what, { attributes: true, attributeFilter: ["title"] });
    let last; // once the switch has moved, all has been sent
    const more = new MutationObserver(() => { note("rest"); clearTimeout(last); last = setTimeout(() => {
        if (button.getAttribute("aria-pressed") !== "true") return;
        more.disconnect(); done([times.step, times.rest]); }, 1000); });
    more.observe(root.querySelector(".slider"), { attributes: true, attributeFilter: ["aria-valuemax"] });
    more.observe(lab, { subtree: true, childList: true, characterData: true });
    const start = performance.now();
    button.click();
})"""


@contextmanager
def notebook(browser: Any, workload: str, place: int) -> Iterator[Page]:
    """A notebook whose one cell has shown a panel."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "work").mkdir()
        source = CELL.format(root=str(ROOT), workload=workload, place=place)
        cell = {"cell_type": "code", "id": "lab", "metadata": {}, "outputs": [], "execution_count": None}
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        data = {"nbformat": 4, "nbformat_minor": 5, "metadata": kernel, "cells": [{**cell, "source": source}]}
        (folder / "work" / "lab.ipynb").write_text(json.dumps(data))
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--notebook-dir=work"]
        with running_lab([*command, "--IdentityProvider.token="], folder, folder / "own") as server:
            tab = browser.new_page(viewport={"width": 1400, "height": 1000})
            tab.set_default_timeout(120_000)
            tab.goto(server.url("lab/tree/lab.ipynb"))
            tab.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for()
            while not tab.locator(".zswaplab-player[data-step]").count():
                if tab.locator(".jp-Dialog").count():  # asked too soon
                    tab.keyboard.press("Escape")
                elif tab.locator(".jp-InputPrompt").first.inner_text() != "[*]:":
                    tab.locator(".jp-InputPrompt").first.click()
                    tab.keyboard.press("Shift+Enter")
                tab.wait_for_timeout(3000)
            yield tab
            tab.close()


def measure(tab: Page) -> str:
    """Click to and fro, and say what it took; the first two clicks do not count."""
    clicks = [tab.evaluate(WATCH, ("zswap", "zbud (evictable)")[turn % 2]) for turn in range(CLICKS)][2:]
    step, rest = zip(*clicks, strict=True)
    figures = [(statistics.median(times), max(times)) for times in (step, rest)]
    return "  ".join(f"{median:4.0f} ms (slowest {slowest:4.0f})" for median, slowest in figures)


if __name__ == "__main__":
    print(f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}: the step shown; everything else")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for words, workload in WORKLOADS.items():
            for where, place in PLACES if workload != "revisit 10 6" else PLACES[1:2]:
                with notebook(browser, workload, place) as tab:
                    print(f"{words}, {where}: {measure(tab)}", flush=True)
        browser.close()
