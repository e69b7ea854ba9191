"""What a step of the player costs a browser: `python benchmarks/player.py` (needs Chromium and playwright).

Three runs: 200 entries, 500 pages of the backend, and the 200 entries with the table open. Each is stepped 200 times by
key; from Chromium's trace: all that the page's main thread did for a step, which is script, style, layout and paint,
in milliseconds by the clock, and of the CPU: that alone where others use the machine, too.
Also: the time to the first show, and whether a key that is pressed 30 times a second loses a step.
"""

from __future__ import annotations

import json
import shutil
import statistics
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from tests.conftest import CHROMIUM_ARGUMENTS
from zswaplab import Machine, record
from zswaplab.run.history import History
from zswaplab.show.page import BROWSERS, page
from zswaplab.show.payload import make

if TYPE_CHECKING:
    from playwright.sync_api import Page

STEPS = 200
CATEGORIES = "devtools.timeline,toplevel,blink.user_timing"
STEP = """number => new Promise(done => {
    performance.mark(`step ${number}`);
    document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key: ".", bubbles: true }));
    requestAnimationFrame(() => setTimeout(done));
})"""
QUICKLY = """count => new Promise(done => {
    const press = () => {
        document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key: ".", bubbles: true }));
        count -= 1;
        if (!count) { clearInterval(timer); setTimeout(done, 300); }
    };
    const timer = setInterval(press, 1000 / 30);
})"""


def entries(count: int) -> History:
    """Pages that compress well are stored, then some are read."""
    lines = [f"{verb} {number}" for number in range(count) for verb in ("write", "page_out")]
    machine = Machine("2", ram_pages=4 * count, swap_pages=2048)
    return record(machine, [*lines, *(f"read {number}" for number in range(0, count, 3))], f"{count} entries")


def pages(count: int) -> History:
    """As many pages of the backend as there are entries: none has a buddy."""
    machine = Machine("2", ram_pages=8 * count, swap_pages=4096)
    for number in range(count):
        machine.write(number, Random(number).randbytes(2600) + bytes(1496))
        machine.page_out(number)
    lines = [f"{verb} {number}" for number in range(count, count + 30) for verb in ("write", "page_out")]
    return record(machine, [*lines, *(f"read {number}" for number in range(0, 100, 3))], f"{count} pages")


def stepped(tab: Page) -> tuple[list[float], list[float]]:
    """Milliseconds of the page's main thread for each of the steps: by the clock, and of the CPU."""
    tab.context.browser.start_tracing(page=tab, categories=CATEGORIES.split(","))  # type: ignore[union-attr]
    for number in range(STEPS):
        tab.evaluate(STEP, number)
    tab.evaluate("performance.mark('end')")
    events = json.loads(tab.context.browser.stop_tracing())["traceEvents"]  # type: ignore[union-attr]
    return by_step(events, "dur"), by_step(events, "tdur")


def by_step(events: list[dict[str, Any]], time: str) -> list[float]:
    told = (one for one in events if one.get("cat") == "blink.user_timing")
    marks = [one for one in told if one["name"].startswith(("step ", "end"))]
    thread = marks[0]["pid"], marks[0]["tid"]
    begins = sorted(one["ts"] for one in marks)
    tasks = [
        one for one in events
        if one["name"].endswith("RunTask") and one.get("ph") == "X" and (one["pid"], one["tid"]) == thread
    ]  # fmt: skip
    spent = []
    for begin, end in pairwise(begins):
        inside = (one for one in tasks if one["ts"] + one["dur"] / 2 > begin and one["ts"] + one["dur"] / 2 < end)
        spent.append(sum(one.get(time, one["dur"]) for one in inside) / 1000)
    return spent


def main() -> None:
    from playwright.sync_api import sync_playwright

    small, large = make(entries(200)), make(pages(500))
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        chromium = next(filter(None, map(shutil.which, BROWSERS)), None)
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        runs = ("200 entries", small, ""), ("500 pages", large, ""), ("the table open", small, "t")
        for name, payload, keys in runs:
            file = Path(folder, "player.html")
            middle = len(payload["steps"]) // 2
            file.write_text(page([payload], step=middle, level="steps"), encoding="utf-8")
            tab = browser.new_page(viewport={"width": 1082, "height": 900})
            started = time.perf_counter()
            tab.goto(file.as_uri())
            tab.locator(".zswaplab-player[data-step]").wait_for()
            shown = time.perf_counter() - started
            tab.locator(".zswaplab-player").focus()
            for key in keys:
                tab.keyboard.press(key)
            figures = [(statistics.median(spent), sorted(spent)[int(0.95 * STEPS)]) for spent in stepped(tab)]
            before = int(tab.locator(".zswaplab-player").get_attribute("data-step") or -1)
            tab.evaluate(QUICKLY, 60)
            moved = int(tab.locator(".zswaplab-player").get_attribute("data-step") or -1) - before
            told = (f"median {usual:5.1f} ms, p95 {slow:5.1f} ms" for usual, slow in figures)
            print(f"{name:16} {', of the CPU '.join(told)} a step; first show {shown:.2f} s; "
                  f"{moved} of 60 steps at 30 a second")  # fmt: skip
            tab.close()
        browser.close()


if __name__ == "__main__":
    main()
