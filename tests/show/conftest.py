"""A player on a page of its own in a real browser, and what a reader can do with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.show import fixture, runs
from tests.show.living import Living, OpenLab
from zswaplab.show.page import page
from zswaplab.show.payload import make

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

FAILING = "v6.5-on", "D-hang-base", "lock-order", "D-base"
RUNS: dict[str, Callable[[], dict[str, Any]]] = {
    "entries": cache(fixture.payload),
    "pages": cache(lambda: fixture.payload("pages")),
    "two CPUs": cache(lambda: fixture.payload(cpus=2)),
    "overflow": cache(lambda: make(runs.overflow())),
    "evicts": cache(lambda: make(runs.overflow("base"))),
    "z3fold": cache(lambda: make(runs.overflow("7", "z3fold"))),
    "zsmalloc": cache(lambda: make(runs.overflow("7", "zsmalloc"))),
    "no list": cache(lambda: make(runs.overflow("v6.1", "zsmalloc"))),
    "crash": cache(lambda: make(runs.crash())),
    "one touch": cache(lambda: make(runs.crash(False))),
    "together": cache(lambda: make(runs.together())),
    "two pools": cache(lambda: make(runs.two_pools())),
    "sixteen": cache(lambda: make(runs.sixteen())),
    "many": cache(lambda: make(runs.many())),
    **{case: cache(lambda case=case: make(runs.failing(case))) for case in FAILING},
}


class Open:
    """One player on its own page. `payload` is what it shows."""

    def __init__(self, tab: Page, payload: dict[str, Any]) -> None:
        self.tab, self.payload = tab, payload
        self.root = tab.locator(".zswaplab-player")

    def settle(self) -> None:
        self.tab.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    @property
    def step(self) -> int:
        self.settle()
        return int(self.root.get_attribute("data-step") or -1)

    @property
    def last(self) -> int:
        return len(self.payload["steps"]) - 1

    def press(self, *keys: str) -> int:
        for key in keys:
            self.tab.keyboard.press(key)
        return self.step

    def go(self, step: int) -> None:
        """Walk to `step` by single steps, with the keys."""
        way = step - self.step
        self.tab.evaluate(
            "([key, count]) => { for (let n = 0; n < count; n += 1) document.querySelector('.zswaplab-player')"
            ".dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true })) }",
            [".", way] if way > 0 else [",", -way],
        )
        while self.step != step:  # a step with several reports stops at each
            self.press("." if self.step < step else ",")

    def part(self, selector: str) -> Locator:
        return self.root.locator(selector)

    def texts(self, selector: str) -> list[str]:
        return [" ".join(text.split()) for text in self.part(selector).all_inner_texts()]

    def keys(self, selector: str, name: str = "entry") -> list[str]:
        return self.part(selector).evaluate_all(f"all => all.map(element => element.dataset.{name})")

    def text(self, selector: str) -> str:
        return " ".join(self.part(selector).first.inner_text().split())

    def picture(self) -> str:
        """All that is drawn, once nothing moves any more; in what order an element's attributes came is left out."""
        self.tab.evaluate("() => Promise.all(document.getAnimations().map(({ finished }) => finished))")
        return str(self.root.evaluate(DRAWN))


DRAWN = """root => {
    const told = (node) => node.nodeType === Node.TEXT_NODE ? node.data : [
        node.localName, ...[...node.attributes].map(({ name, value }) => value && `${name}=${value}`).sort(), "{",
        ...[...node.childNodes].map(told), "}"].join(" ");
    return [".bar", ".over", ".say", ".body"].map(part => told(root.querySelector(part))).join(" ");
}"""


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Open]]:
    """`opened(run, width=, theme=, step=, level=)`; afterwards: nothing was printed, nothing asked of any network."""
    contexts, complaints, requests = [], [], []

    def open_page(
        run: str | dict[str, Any] = "entries",
        *,
        width: int = 1082,
        height: int = 900,
        theme: str | None = "light",
        values: dict[str, Any] | None = None,
        step: int = 0,
        level: str = "steps",
        address: str = "",
        **options: Any,
    ) -> Open:
        payload = RUNS[run]() if isinstance(run, str) else run
        file = tmp_path / f"{len(contexts)}.html"
        file.write_text(page([payload], theme=theme, step=step, level=level, **(values or {})), encoding="utf-8")
        context = browser.new_context(viewport={"width": width, "height": height}, offline=True, **options)
        contexts.append(context)
        tab = context.new_page()
        tab.on("console", lambda message: complaints.append(message.text))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("request", lambda request: requests.append(request.url))
        tab.goto(file.as_uri() + address)
        shown = Open(tab, payload)
        shown.part("xpath=self::*[@data-step]").wait_for()
        if shown.root.get_attribute("tabindex"):
            shown.root.focus()
        return shown

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
    assert [url for url in requests if not url.startswith("file:///")] == []
    assert len(requests) == len(contexts)


@pytest.fixture
def living(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Living]]:
    """`living(widget, width=, theme=)`; afterwards: nothing was printed."""
    contexts, complaints = [], []

    def open_page(shown: Any, *, width: int = 1082, height: int = 900, theme: str = "light", **options: Any) -> Living:
        context = browser.new_context(viewport={"width": width, "height": height}, bypass_csp=True, **options)
        contexts.append(context)
        tab = context.new_page()
        tab.on("console", lambda message: complaints.append(message.text))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        opened = (OpenLab if hasattr(shown, "children") else Living)(shown, tab, tmp_path, theme)
        opened.root.focus()
        return opened

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
