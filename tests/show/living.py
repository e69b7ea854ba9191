"""A widget of ours with its Python behind it, on a page of its own: what the browser asks, Python does, at once.

A widget that is made of several, like the lab panel, has its parts one below the other.
"""

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
<body data-jp-theme-light="LIGHT"><main class="CLASSES"><h1>A widget</h1></main>
<script>
const read = (value) => {
  if (Array.isArray(value)) return value.map(read);
  if (value === null || typeof value !== "object") return value;
  if (value.bytes !== undefined) return Uint8Array.from(atob(value.bytes), (letter) => letter.charCodeAt(0));
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, read(one)]));
};
const models = [], closing = [];
window.waiting = 0; // questions that Python has not answered
/* What Python tells, in its order: [number of the widget, its state or a message]. */
window.take = (told) => {
  for (const [number, { state, message }] of told) {
    const { values, emit } = models[number];
    Object.assign(values, read(state ?? {}));
    Object.keys(state ?? {}).forEach((name) => emit(`change:${name}`));
    if (message) emit("msg:custom", message);
  }
};
async function ask(number, question) {
  window.waiting += 1;
  window.take(await window.python(number, question));
  window.waiting -= 1;
}
window.start = (widget, state) => {
  const number = models.length, heard = {}, values = read(state);
  const emit = (name, ...given) => (heard[name] ?? []).forEach((hear) => hear(...given));
  let changed = {};
  models.push({ values, emit });
  const model = {
    widget_manager: {}, get: (name) => values[name],
    set(name, value) { values[name] = changed[name] = value; emit(`change:${name}`); },
    save_changes() { const sent = changed; changed = {}; ask(number, { state: sent }); },
    send(content) { ask(number, { content }); },
    on: (event, hear) => (heard[event] ??= []).push(hear),
    off(event, hear) { heard[event] = (heard[event] ?? []).filter((other) => other !== hear); },
  };
  const el = document.querySelector("main").appendChild(document.createElement("div"));
  closing.push(widget.render({ model, el }));
};
window.close_widget = () => closing.forEach((close) => close());
</script>
SCRIPTS
</body></html>
"""
SCRIPT = """<script type="module">
PROGRAM
window.start(widget, STATE);
</script>"""
NOT_OURS = ("program", "layout", "tabbable", "tooltip", "comm")


def plain(value: Any) -> Any:
    if isinstance(value, (bytes, memoryview)):
        return {"bytes": base64.b64encode(bytes(value)).decode()}
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return value


class Living:
    """The page of one widget. `root` is the player in it."""

    def __init__(self, widget: Any, tab: Page, folder: Path, theme: str = "light") -> None:
        self.widget, self.tab = widget, tab
        self.parts = list(getattr(widget, "children", [widget]))
        self.told: list[tuple[int, dict[str, Any]]] = []
        scripts = [self.begin(number, part) for number, part in enumerate(self.parts)]
        tab.expose_function("python", self.asked)
        content = PAGE.replace("LIGHT", str(theme == "light").lower(), 1).replace("SCRIPTS", "\n".join(scripts), 1)
        file = folder / f"widget-{theme}.html"
        file.write_text(content.replace("CLASSES", " ".join(widget._dom_classes), 1), encoding="utf-8")
        tab.goto(file.as_uri())
        self.root = tab.locator(".zswaplab-player")
        tab.locator(".zswaplab-player[data-step]").wait_for(timeout=8000)

    def begin(self, number: int, part: Any) -> str:
        """Listen to a part; the script that shows it."""
        names = [name for name in part.keys if not name.startswith("_") and name not in NOT_OURS]
        part.observe(lambda change: self.told.append((number, {"state": {change["name"]: change["new"]}})), names)
        part.send = lambda content, buffers=None: self.told.append((number, {"message": content}))
        program = asset() if hasattr(part, "program") else part._esm
        state = json.dumps(plain({name: getattr(part, name) for name in names})).replace("<", "\\u003c")
        script = SCRIPT.replace("PROGRAM", program.replace("export default", "const widget =", 1), 1)
        return script.replace("STATE", state, 1)

    def asked(self, number: int, question: dict[str, Any]) -> Any:
        """What a kernel does with a message of the browser; what it tells because of that goes back."""
        part, state = self.parts[number], question.get("state", {})
        if "content" in question:
            part._handle_custom_msg(question["content"], [])
        with part.hold_trait_notifications():
            for name, value in state.items():
                setattr(part, name, value)
        known = {(number, name): value for name, value in state.items()}
        return [one for one in self.news() if not self.is_known(one, known)]

    def is_known(self, told: Any, known: dict[tuple[int, str], Any]) -> bool:
        number, what = told
        return any(known.get((number, name), known) == value for name, value in what.get("state", {}).items())

    def news(self) -> Any:
        told, self.told = self.told, []
        return plain(told)

    def push(self) -> None:
        """Send what Python has told of its own accord."""
        self.tab.evaluate("told => window.take(told)", self.news())
        self.settle()

    def settle(self) -> None:
        """Wait until Python has answered and all is drawn."""
        self.tab.wait_for_function("() => window.waiting === 0")
        self.tab.evaluate("""() => new Promise(done => setTimeout(() =>
          requestAnimationFrame(() => requestAnimationFrame(done)), 60))""")

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


class OpenLab(Living):
    """One lab panel with its player. `root` is the panel."""

    def __init__(self, widget: Any, tab: Page, folder: Path, theme: str = "light") -> None:
        super().__init__(widget, tab, folder, theme)
        self.lab, self.player, self.root = widget, self.root, tab.locator(".zswaplab-lab")

    def switch(self, name: str) -> Any:
        return self.root.get_by_role("button", name=name, exact=True)

    def stop(self, name: str) -> Any:
        return self.root.get_by_role("radio", name=name)

    @property
    def step(self) -> int:
        self.settle()
        return int(self.player.get_attribute("data-step") or -1)
