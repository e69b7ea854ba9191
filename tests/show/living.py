"""A widget of ours with its Python behind it, on a page of its own: what the browser asks, Python does, at once."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zswaplab.show.page import asset

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>A widget</title>
<style>
:root { color-scheme: light dark; } body { margin: 16px; background: #fff; color: #1b1d1f; }
body[data-jp-theme-light=false] { background: #111315; color: #eceae5; } h1 { font-size: 20px; margin: 0; }
@media (forced-colors: active) { body, body[data-jp-theme-light] { background: Canvas; color: CanvasText; } }
main > div { min-width: 0; max-width: 1240px; margin: auto; }
</style>
<body data-jp-theme-light="LIGHT"><main><h1>A widget</h1><div id="place"></div></main>
<script type="module">
SCRIPT
const heard = {};
const read = (value) => {
  if (Array.isArray(value)) return value.map(read);
  if (value === null || typeof value !== "object") return value;
  if (value.bytes !== undefined) return Uint8Array.from(atob(value.bytes), (letter) => letter.charCodeAt(0));
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, read(one)]));
};
const values = read(STATE);
let changed = {};
const emit = (name) => (heard[`change:${name}`] ?? []).forEach((hear) => hear());
window.take = (state) => {
  const fresh = read(state);
  Object.assign(values, fresh);
  Object.keys(fresh).forEach(emit);
};
const model = {
  get: (name) => values[name],
  set(name, value) { values[name] = changed[name] = value; emit(name); },
  save_changes() { const sent = changed; changed = {}; window.python({ state: sent }).then(window.take); },
  send(content) { window.python({ content }).then(window.take); },
  on: (event, hear) => (heard[event] ??= []).push(hear),
  off(event, hear) { heard[event] = (heard[event] ?? []).filter((other) => other !== hear); },
};
window.close_widget = widget.render({ model, el: document.querySelector("#place") });
</script></body></html>
"""


def plain(value: Any) -> Any:
    if isinstance(value, (bytes, memoryview)):
        return {"bytes": base64.b64encode(bytes(value)).decode()}
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return value


class Living:
    """The page of one widget."""

    def __init__(self, widget: Any, tab: Page, folder: Path, theme: str = "light") -> None:
        self.widget, self.tab = widget, tab
        self.names = [name for name in widget.keys if not name.startswith("_") and name != "program"
                      and name not in ("layout", "tabbable", "tooltip", "comm")]  # fmt: skip
        self.fresh: dict[str, Any] = {}
        widget.observe(self.note, self.names)
        tab.expose_function("python", self.asked)
        state = json.dumps(plain({name: getattr(widget, name) for name in self.names})).replace("<", "\\u003c")
        script = asset().replace("export default", "const widget =", 1)
        file = folder / "widget.html"
        light = "true" if theme == "light" else "false"
        content = PAGE.replace("LIGHT", light, 1).replace("SCRIPT", script, 1).replace("STATE", state, 1)
        file.write_text(content, encoding="utf-8")
        tab.goto(file.as_uri())
        self.root = tab.locator(".zswaplab-player")
        tab.locator(".zswaplab-player[data-step]").wait_for(timeout=8000)
        self.root.focus()

    def note(self, change: Any) -> None:
        self.fresh[change["name"]] = change["new"]

    def asked(self, message: dict[str, Any]) -> Any:
        """What a kernel does with a message of the browser; what has changed since goes back with it."""
        if "content" in message:
            self.widget._handle_custom_msg(message["content"], [])
        else:
            with self.widget.hold_trait_notifications():
                for name, value in message["state"].items():
                    setattr(self.widget, name, value)
        return self.changed(message.get("state", {}))

    def changed(self, known: dict[str, Any]) -> Any:
        fresh, self.fresh = self.fresh, {}
        return plain({name: value for name, value in fresh.items() if known.get(name) != value})

    def push(self) -> None:
        """Send what has changed in Python of its own accord."""
        self.tab.evaluate("state => window.take(state)", self.changed({}))
        self.settle()

    def settle(self) -> None:
        self.tab.evaluate("""() => new Promise(done => setTimeout(() =>
          requestAnimationFrame(() => requestAnimationFrame(done)), 30))""")

    def press(self, *keys: str) -> int:
        for key in keys:
            self.tab.keyboard.press(key)
        return self.step

    @property
    def step(self) -> int:
        self.settle()
        return int(self.root.get_attribute("data-step") or -1)

    def part(self, selector: str) -> Locator:
        return self.root.locator(selector)

    def texts(self, selector: str) -> list[str]:
        self.settle()
        return [" ".join(text.split()) for text in self.part(selector).all_inner_texts()]

    def text(self, selector: str) -> str:
        return self.texts(selector)[0]
