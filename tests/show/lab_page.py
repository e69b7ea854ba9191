"""A lab panel on a page of its own: its two widgets in a real browser, the Python side here, nothing in between."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from zswaplab.show import page
from zswaplab.show.lab import Lab, Panel

SHEET = """<!doctype html><html lang="en"><meta charset="utf-8"><title>The lab</title>
<style>body {{ margin: 16px; background: #fff }} body[data-jp-theme-light=false] {{ background: #111315 }}
@media (forced-colors: active) {{ body {{ background: Canvas !important }} }}</style>
<body data-jp-theme-light="{light}"><main class="zswaplab-panel"><div></div><div></div></main>
<script type="module">{panel}
window.renderPanel = panel.render;</script>
<script type="module">{player}
window.renderPlayer = player.render;</script>
<script>
function model(values, tell) {{
  const heard = {{}};
  const fire = (name, ...given) => (heard[name] ?? []).forEach((hear) => hear(...given));
  const own = {{
    widget_manager: {{}}, get: (name) => values[name], off() {{}},
    on: (event, hear) => (heard[event] ??= []).push(hear),
    set(name, value) {{ values[name] = value; fire(`change:${{name}}`); }},
    save_changes() {{
      const {{ step, level, folded, more }} = values;
      tell({{ values: {{ step, level, folded, more }} }});
    }},
    send(message) {{ tell({{ message }}); }}, fire, values,
  }};
  return own;
}}
const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const decoded = (values) => {{
  for (const name of ["payload", "growth"]) if (name in values) values[name] = bytes(values[name]);
  return values;
}};
window.started = (panel, player) => {{
  const [one, two] = document.querySelectorAll("main > div");
  window.panelModel = model(panel, (said) => heard("panel", said));
  window.playerModel = model(decoded(player), (said) => heard("player", said));
  renderPanel({{ model: panelModel, el: one }});
  renderPlayer({{ model: playerModel, el: two }});
}};
window.told = (which, values) => {{
  const model = which === "panel" ? panelModel : playerModel;
  decoded(values);
  Object.assign(model.values, values);
  for (const name in values) model.fire(`change:${{name}}`);
}};
window.waiting = 0;
async function heard(which, said) {{
  window.waiting += 1;
  const answer = await window.python(which, said);
  for (const [name, values] of Object.entries(answer.values)) told(name, values);
  for (const message of answer.messages) panelModel.fire("msg:custom", message);
  window.waiting -= 1;
}}
</script></body></html>"""
TRAITS = {
    "panel": ["state", "folded", "more"],
    "player": ["payload", "growth", "step", "playing", "level", "hidden", "notes", "height"],
}  # fmt: skip

FRAME = "requestAnimationFrame"


class OpenLab:
    """One panel with its player, on a page. `lab` is the Python side."""

    def __init__(self, tab: Any, lab: Lab, folder: Path, theme: str = "light") -> None:
        self.tab, self.lab = tab, lab
        self.answer: dict[str, Any] = {}
        file = folder / f"lab-{theme}.html"
        file.write_text(SHEET.format(
            panel=Panel._esm.replace("export default", "const panel ="), light=str(theme == "light").lower(),
            player=page.asset().replace("export default", "const player ="),
        ), encoding="utf-8")  # fmt: skip
        tab.expose_function("python", self.heard)
        tab.goto(file.as_uri())
        tab.evaluate("([one, two]) => started(one, two)", [self.values("panel"), self.values("player")])
        self.root, self.player = tab.locator(".zswaplab-lab"), tab.locator(".zswaplab-player")
        self.player.locator("xpath=self::*[@data-step]").wait_for()
        lab.panel.send = lambda message: self.answer["messages"].append(message)
        for which in TRAITS:
            getattr(lab, which).observe(lambda change, which=which: self.note(which, change), names=TRAITS[which])

    def values(self, which: str) -> dict[str, Any]:
        return {name: plain(getattr(getattr(self.lab, which), name)) for name in TRAITS[which]}

    def note(self, which: str, change: Any) -> None:
        if self.answer:
            self.answer["values"].setdefault(which, {})[change["name"]] = plain(change["new"])

    def heard(self, which: str, said: dict[str, Any]) -> dict[str, Any]:
        """What the page told Python; the answer is what has changed because of that."""
        self.answer = {"values": {}, "messages": []}
        if "message" in said:
            self.lab._heard(None, said["message"], None)
        for name, value in said.get("values", {}).items():
            if value is not None:
                setattr(getattr(self.lab, which), name, value)
        answer, self.answer = self.answer, {}
        return answer

    def settle(self) -> None:
        """Wait until Python has answered and all is drawn."""
        self.tab.wait_for_function("() => window.waiting === 0")
        self.tab.evaluate(f"() => new Promise(done => setTimeout(() => {FRAME}(() => {FRAME}(done)), 60))")

    def switch(self, name: str) -> Any:
        return self.root.get_by_role("button", name=name, exact=True)

    def stop(self, name: str) -> Any:
        return self.root.get_by_role("radio", name=name)

    def step(self) -> int:
        self.settle()
        return int(self.player.get_attribute("data-step") or -1)


def plain(value: Any) -> Any:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value
