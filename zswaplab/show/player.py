"""The player: a recorded run, drawn step by step, in a notebook or in a page that needs nothing else.

It draws a payload, a dict that can become JSON:

* `title`, `tags`; `limit` and `accept` in pages: zswap is full above the one and accepts again below the
  other; `backend`, and how its pages are divided: `page_units`, `header_units`, `unit_bytes`; `units_of`, which may
  be missing, has the units of pages (by their number) that are shorter;
* `lru_of`: "entries" (zswap's own LRU) or "pages" (the backend's); `cpus`; `counters` at the start;
* `sources`: what the CPUs run, each with `function` and its `lines`, `kernel` (the name there) and `url`;
* `steps`, each with `say` (a sentence, with **bold** words and `names`), `event` (or None), `operation` and
  `operation_text`, `cpus` (each `task`, `stack` of [source, line] outermost first, `holds`, `waits`), and
  `changes`, lists that start with a word of `CHANGES`. The state starts empty; step 0's changes come first.
"""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from ..model.errors import BadInput
from ..run.history import History
from ..run.search import Explored

EVENTS = (None, "store", "load", "writeback", "refuse", "free", "fault")
CHANGES = {
    "entry": 2, "page": 2, "lru+": 1, "lru-": 1, "out": 1, "size": 1, "full": 1, "counters": 1, "ram": 2,
    "disk": 1,
}  # fmt: skip
KEYS = {
    "title": str, "tags": list, "limit": int, "accept": int, "backend": str, "page_units": int,
    "header_units": int, "unit_bytes": int, "lru_of": str, "cpus": int, "sources": list, "counters": dict,
    "steps": list,
}  # fmt: skip
STEP_KEYS = {"say", "event", "operation", "operation_text", "cpus", "changes"}
SCRIPT = Path(__file__).with_name("player.js")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")

Payload = Mapping[str, Any]


def play(run: Any, *, height: int | None = None) -> Player:
    """A player of `run`: a History (from `record`) or a payload.

    `height`, in pixels, is that of pool and code, which then scroll; without it they are as high as they need.

    Raises BadInput for anything else. Keys: arrows step, with Shift a whole operation; space plays; 0 first;
    S, L, E, R, F the next store, load, eviction, refusal, fault, with Shift the previous one.
    """
    return Player(payload_of(run), height=height)


class Player(anywidget.AnyWidget):
    """The widget. `step` and `playing` can be read, set and linked to another player's."""

    _esm = SCRIPT
    payload = traitlets.Unicode().tag(sync=True)
    step = traitlets.Int(0).tag(sync=True)
    playing = traitlets.Bool(False).tag(sync=True)
    height = traitlets.Int(None, allow_none=True).tag(sync=True)

    def __init__(self, payload: Payload, *, height: int | None = None) -> None:
        super().__init__(height=height)
        self.payload = as_json(payload)

    @traitlets.observe("payload")
    def _keep(self, change: Any) -> None:
        self._drawn: Payload = json.loads(change["new"])
        self.step = min(self.step, self.last)

    @property
    def last(self) -> int:
        """The last step's number, counted from 0."""
        return max(0, len(self._drawn["steps"]) - 1)

    def show(self, run: Any) -> None:
        """Draw another run in the same place, at the same step if it has so many."""
        self.payload = as_json(payload_of(run))

    @traitlets.validate("step")
    def _within(self, proposal: Any) -> int:
        step: int = proposal["value"]
        return min(max(0, step), self.last)

    def __repr__(self) -> str:
        return text(self._drawn, self.step)

    def _repr_mimebundle_(self, **options: Any) -> Any:
        bundle = super()._repr_mimebundle_(**options)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        if data is not None:
            data["text/plain"] = repr(self)  # which anywidget 0.9 cuts off after 110 characters
        return bundle

    def save(self, path: str | os.PathLike[str], *, theme: str = "light", width: int = 1200) -> Path:
        """Write the player as it stands to `path`: `.html`, alive without network; `.png`, `width` pixels wide.

        Raises BadInput for another ending or theme, and for `.png` where no Chromium is installed.
        """
        target = Path(path)
        content = page([self._drawn], step=self.step, theme=theme)
        if target.suffix == ".html":
            target.write_text(content, encoding="utf-8")
        elif target.suffix == ".png":
            photograph(content, target, width)
        else:
            raise BadInput(f"path={str(path)!r} cannot be saved: end it in .html or in .png")
        return target


def payload_of(run: Any) -> Payload:
    """The payload of a History, or a payload itself, once checked; BadInput names what is wrong with it."""
    if isinstance(run, Explored):
        run = run.history()
    found = _payload(run) if isinstance(run, History) else run
    if not isinstance(found, Mapping):
        kind = type(run).__name__
        raise BadInput(f"a {kind} cannot be played: give what record(machine, workload) returns, or its payload()")
    check(found)
    return found


def _payload(history: History) -> Payload:
    """A history as plain data; of several pools the first."""
    pool = history.pools[0]
    pages = pool["lru_of"] == "pages"
    numbers: dict[int, int] = {}  # key of a backend's page -> its number
    units_of: dict[int, int] = {}

    def plain(change: list[Any]) -> Iterable[list[Any]]:
        what, first, *rest = change
        if what == "page":
            if rest[0] is not None:
                numbers[first] = rest[0]["number"]
                if rest[0]["units"] < pool["page_units"]:
                    units_of[numbers[first]] = rest[0]["units"]
            if first in numbers:
                yield ["page", numbers[first], rest[0] and rest[0]["objects"]]
        elif what in ("lru+", "lru-") and first == 0:
            yield [what, numbers.get(rest[0]) if pages else rest[0]]
        elif what == "out":
            yield [what, numbers.get(first) if pages and first is not None else first]
        elif what in CHANGES:
            yield change

    idle: dict[str, Any] = {"task": "", "stack": [], "holds": [], "waits": None}
    steps = []
    for step, moment in enumerate(history.moments):
        operation = str(history.operations[moment.operation])
        cpus = moment.cpus or [{**idle, "task": operation, "stack": moment.stack, "holds": moment.holds}]
        shown = [{key: cpu[key] for key in idle} for cpu in cpus]
        steps.append({
            "say": moment.say, "event": moment.event, "operation": moment.operation, "operation_text": operation,
            "cpus": shown + [idle] * (history.cpus - len(shown)),
            "changes": [one for change in history.changes(step) for one in plain(change)],
        })  # fmt: skip
    return {
        "title": history.title, "tags": history.tags, "limit": history.limit, "accept": history.accept, **pool,
        "lru_of": pool["lru_of"] or "entries", "units_of": units_of, "cpus": history.cpus, "sources": history.sources,
        "counters": history.counters, "steps": steps,
    }  # fmt: skip


def check(payload: Payload) -> None:
    """Raise BadInput unless `payload` is as this module's docstring says."""
    for key, kind in KEYS.items():
        if not isinstance(payload.get(key), kind):
            raise BadInput(f"payload[{key!r}]={payload.get(key)!r} cannot be drawn: it must be {kind.__name__}")
    if payload["lru_of"] not in ("entries", "pages"):
        raise BadInput(f"payload['lru_of']={payload['lru_of']!r} is not known; it is 'entries' or 'pages'")
    lengths = [len(source["lines"]) for source in payload["sources"]]
    for index, step in enumerate(payload["steps"]):
        problem = wrong(step, lengths)
        if problem:
            raise BadInput(f"payload['steps'][{index}] cannot be drawn: {problem}")


def wrong(step: Any, lengths: list[int]) -> str:
    """What is wrong with a step, or nothing; `lengths` of the sources in lines."""
    if not isinstance(step, Mapping):
        return f"a {type(step).__name__} is no step"
    missing = STEP_KEYS - set(step)
    if missing:
        return f"it lacks {', '.join(sorted(missing))}"
    if step["event"] not in EVENTS:
        return f"event {step['event']!r} is none of {', '.join(map(repr, EVENTS))}"
    for change in step["changes"]:
        if not change or CHANGES.get(change[0]) != len(change) - 1:
            return f"change {change!r} is none of {', '.join(CHANGES)} with its values"
    for cpu in step["cpus"]:
        for source, line in cpu["stack"]:
            if not (0 <= source < len(lengths) and 0 <= line < lengths[source]):
                return f"stack names line {line} of source {source}, which is not there"
    return ""


def as_json(payload: Payload) -> str:
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":"))


# -- the same in words ------------------------------------------------------------------------------


def text(payload: Payload, step: int) -> str:
    """What the player shows at `step`, in words: for who cannot see it, and where no widget can run."""
    steps = payload["steps"]
    if not steps:
        return f"{payload['title']}: nothing was recorded"
    step = min(max(0, step), len(steps) - 1)
    state = state_at(payload, step)
    entries, now = state["entries"], steps[step]

    def label(id: int) -> str:
        return str(state["names"].get(id, "?")) + ("" if id in entries else " (freed)")

    def listed(id: int) -> str:
        return str(id) if payload["lru_of"] == "pages" else label(id)

    def objects(number: int) -> str:
        return ", ".join(label(id) for id, _, _ in state["pages"][number]) or "empty"

    lines = [
        f"{payload['title']} ({'; '.join(payload['tags'])}), step {step} of {len(steps) - 1}: {now['operation_text']}",
        re.sub(r"\*\*|`", "", now["say"]),
        f"LRU, newest first: {', '.join(map(listed, state['lru'])) or 'empty'}",
        *([] if state["out"] is None else [f"stepping out: {listed(state['out'])}"]),
        f"pool: {state['size']} pages, limit {payload['limit']}, accepts again below {payload['accept']}"
        + (", full" if state["full"] else ""),
        *(f"  {payload['backend']} page {number}: {objects(number)}" for number in sorted(state["pages"])),
    ]
    for number, cpu in enumerate(now["cpus"]):
        stack = " > ".join(payload["sources"][source]["function"] for source, _ in cpu["stack"]) or "idle"
        locks = [f"holds {lock}" for lock in cpu["holds"]] + ([f"waits for {cpu['waits']}"] if cpu["waits"] else [])
        lines.append(f"CPU {number}: {', '.join([stack, *locks])}")
    return "\n".join(lines)


def state_at(payload: Payload, step: int) -> dict[str, Any]:
    """Entries, pages, LRU (ids, head first), out, size, full after `step`; names: the page of every id so far."""
    entries: dict[int, Any] = {}
    pages: dict[int, Any] = {}
    names: dict[int, int] = {}
    lru: dict[int, None] = {}
    rest = {"out": None, "size": 0, "full": False}
    for past in payload["steps"][: step + 1]:
        for what, first, *more in past["changes"]:
            if what in ("entry", "page"):
                store = entries if what == "entry" else pages
                if more[0] is None:
                    store.pop(first, None)
                else:
                    store[first] = more[0]
                    if what == "entry":
                        names[first] = more[0]["page"]
            elif what in ("lru+", "lru-"):
                lru.pop(first, None)
                if what == "lru+":
                    lru[first] = None
            elif what in rest:
                rest[what] = first
    return {"entries": entries, "pages": pages, "names": names, "lru": [*reversed(lru)], **rest}


# -- pages that stand alone ---------------------------------------------------------------------------

# The policy forbids the page any request: what it draws with, it carries.
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ margin: 16px; background: #ffffff; color: #1d1f21; }}
body[data-jp-theme-light=false] {{ background: #16181b; color: #e9e7e2; }}
h1 {{ margin: 0; font: 600 20px system-ui, "Segoe UI", sans-serif; }}
main {{ display: grid; gap: 16px; max-width: 1400px; margin: auto; }}
@media (prefers-color-scheme: dark) {{ body:not([data-jp-theme-light]) {{ background: #16181b; color: #e9e7e2; }} }}
</style>
<body{theme}>
<main><h1>{title}</h1></main>
{payloads}
<script type="module">
{script}
for (const data of document.querySelectorAll("script[type='application/json']")) {{
  const place = document.querySelector("main").appendChild(document.createElement("div"));
  mount(place, JSON.parse(data.textContent), {step});
}}
</script>
</body>
</html>
"""
THEMES = {None: "", "light": ' data-jp-theme-light="true"', "dark": ' data-jp-theme-light="false"'}


def page(payloads: Iterable[Payload], *, step: int = 0, theme: str | None = None) -> str:
    """An HTML page with a living player for each payload, which asks nothing of any network.

    `theme` is "light", "dark" or None, which follows the reader's system.
    """
    if theme not in THEMES:
        raise BadInput(f"theme={theme!r} is not known; choose one of {', '.join(map(repr, THEMES))}")
    shown = list(payloads)
    data = (f'<script type="application/json">{as_json(one).replace("<", chr(92) + "u003c")}</script>' for one in shown)
    return PAGE.format(
        title=html.escape(", ".join(one["title"] for one in shown)),
        theme=THEMES[theme],
        payloads="\n".join(data),
        script=SCRIPT.read_text(encoding="utf-8").replace("export default", "const player =", 1),
        step=int(step),
    )


def photograph(content: str, target: Path, width: int) -> None:
    """Have a headless Chromium draw the page `content` to the PNG `target`, as high as it turns out to be."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise BadInput(f"{target} needs Chromium or Chrome on the PATH: install one, or save to .html instead")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        source, shot = Path(folder, "page.html"), Path(folder, "page.png")
        measure = "document.documentElement.dataset.height = document.body.scrollHeight + 32;\n</script>\n</body>"
        source.write_text(content.replace("</script>\n</body>", measure), encoding="utf-8")
        command = [browser, "--headless", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={folder}/profile"]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            command.append("--no-sandbox")
        try:
            seen = shell([*command, f"--window-size={width},800", "--dump-dom", source.as_uri()])
            height = re.findall(r'data-height="(\d+)"', seen)[0]
            shell([*command, f"--window-size={width},{height}", f"--screenshot={shot}", source.as_uri()])
            shutil.copyfile(shot, target)
        except (subprocess.SubprocessError, OSError, IndexError) as error:
            raise BadInput(f"{target}: {browser} did not draw it ({error}); save to .html instead") from error


def shell(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
