"""A picture of the player as HTML: what stays in a notebook where no player can live.

It needs no script, no style sheet and no network, so that it comes through wherever notebooks are shown, also where one
is not trusted. Its text has the colour that the reader's theme gives to text, its greys are see-through, and what has a
colour of its own has its own ink: so it is right in the light and in the dark, and at any zoom.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterable, Mapping
from typing import Any

from ..run.cpus import NAMES
from .palette import OKABE_ITO, entry_colour
from .payload import scene
from .words import picture as in_words

GREY, FAINT, LINE = "#80868c", "rgba(128, 134, 140, 0.16)", "1px solid rgba(128, 134, 140, 0.4)"
LIT = "rgba(216, 155, 0, 0.25)"
LEAVING = f"2px dashed {OKABE_ITO['vermillion']}"
LANES = {
    "store": ("store", OKABE_ITO["blue"]), "load": ("load", OKABE_ITO["bluish green"]),
    "writeback": ("written back", OKABE_ITO["vermillion"]), "refuse": ("refused", GREY),
    "fault": ("fault", OKABE_ITO["reddish purple"]),
}  # fmt: skip
CURVE, LANE = 52, 14  # pixels high
MOST_ENTRIES, MOST_PAGES, MOST_LINES = 24, 16, 13

SIGN = (
    f'<svg xmlns="http://www.w3.org/2000/svg" width="18" height="16" fill="none" stroke="{GREY}" stroke-width="1.6">'
    '<rect x="1" y="1" width="16" height="14" rx="2"/><path d="M2 13l5-6 4 4 2-2 4 4"/></svg>'
)

Payload = Mapping[str, Any]


def still(payload: Payload, step: int, do: str = "Run this cell to play it.") -> str:
    """The picture of the player at `step` (counted from 0); `do` says what makes it live."""
    alt = in_words(payload, step)
    bar = _div(
        _div(f"{_image(SIGN, alt, 'height: 16px; width: 18px; margin: 0 8px 0 0; vertical-align: middle')}"
             f"<b>A picture of the player.</b> {html.escape(do)}")
        + _div(f"<b>{html.escape(payload['title'])}</b><br>{html.escape(' · '.join(payload['tags']))}", "font-size: 12px"),
        f"display: flex; flex-wrap: wrap; justify-content: space-between; gap: 4px 24px; background: {FAINT}; "
        "padding: 8px 16px",
    )  # fmt: skip
    if payload["steps"]:
        state = scene(payload, step)
        said = next((found["say"] for found in payload["reports"] if found["step"] == step), payload["steps"][step]["say"])
        left = _where(state) + _lists(payload, state) + _pool(payload, state)
        bar += _time(payload, step) + _div(_marked(said), f"font-size: 17px; padding: 10px 16px; border-top: {LINE}")
        bar += _div(
            _div(left, "flex: 5 1 420px; min-width: 260px") + _div(_cpus(payload, step), "flex: 4 1 360px; min-width: 260px"),
            f"display: flex; flex-wrap: wrap; gap: 12px 28px; padding: 12px 16px 14px; border-top: {LINE}",
        )  # fmt: skip
    whole = f"border: 1px dashed {GREY}; border-radius: 8px; max-width: 1050px; overflow: hidden; font-size: 13px"
    return f'<div class="zswaplab-picture" style="{whole}; line-height: 1.5">{bar}</div>'


# -- parts ------------------------------------------------------------------------------------------


def _time(payload: Payload, step: int) -> str:
    """The pool's size against its limits, and a lane for each kind of event; a line where `step` is."""
    steps = payload["steps"]
    sizes, size = [], 0
    for number, moment in enumerate(steps):
        for what, *values in [*(payload["begin"] if number == 0 else ()), *moment["changes"]]:
            size = values[0] if what == "size" else size
        sizes.append(size)
    top, wide = max(*sizes, payload["limit"]) * 1.1 or 1, max(1, len(steps) - 1)
    lanes = [kind for kind in LANES if any(moment["event"] == kind for moment in steps)]
    height = CURVE + LANE * len(lanes)

    def x(number: int) -> str:
        return f"{round(1000 * number / wide, 1):g}"

    def y(pages: float) -> str:
        return f"{round(CURVE - (CURVE - 4) * pages / top, 1):g}"

    turns = [n for n in range(len(sizes)) if n in (0, len(sizes) - 1) or sizes[n] != sizes[n - 1]]
    curve = f"M0 {y(sizes[0])}" + "".join(f"H{x(n)}V{y(sizes[n])}" for n in turns[1:])
    marks = [
        f'<path d="{curve}V{CURVE}H0z" fill="{GREY}" fill-opacity="0.16" stroke="none"/>', f'<path d="{curve}" stroke="{GREY}"/>',
        f'<path d="M0 {y(payload["limit"])}H1000" stroke="{OKABE_ITO["vermillion"]}" stroke-dasharray="6 3"/>',
        f'<path d="M0 {y(payload["accept"])}H1000" stroke="{OKABE_ITO["blue"]}" stroke-dasharray="2 2"/>',
        f'<path d="M{x(step)} 0V{height}" stroke="{GREY}" stroke-width="3"/>',
    ]  # fmt: skip
    for row, kind in enumerate(lanes):
        ticks = "".join(f"M{x(n)} {CURVE + LANE * row + 3}v9" for n, m in enumerate(steps) if m["event"] == kind)
        marks.append(f'<path d="{ticks}" stroke="{LANES[kind][1]}" stroke-width="2"/>')
    drawing = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1000 {height}" width="1000" height="{height}" '
        'preserveAspectRatio="none" fill="none" stroke-width="1.4"><style>path{vector-effect:non-scaling-stroke}</style>'
        f"{''.join(marks)}</svg>"
    )
    labels = _div("pool, in pages", f"height: {CURVE}px") + "".join(_div(LANES[kind][0]) for kind in lanes)
    counted = f"step {step} of {len(steps) - 1}; dashed: full above {payload['limit']}; dotted: accepts again below "
    return _div(
        _div(labels, f"flex: none; width: 92px; font-size: 11px; line-height: {LANE}px")
        + _image(drawing, "", f"width: 80%; flex: 1 1 0; height: {height}px; margin: 0"),
        "display: flex; padding: 8px 16px 0",
    ) + _div(f"{counted}{payload['accept']}", "font-size: 11px; padding: 0 16px 6px 108px; opacity: 0.8")


def _where(state: Payload) -> str:
    """Where the current copy of each page is."""
    held = {entry["page"] for entry in state["entries"].values() if entry["linked"]}
    places: dict[str, list[int]] = {"in RAM": [], "in zswap": [], "on disk": [], "nowhere": []}
    for page, ram in sorted(state["ram"].items()):
        if ram != "freed":
            kept = "in zswap" if page in held else "on disk" if page in state["disk"] else "nowhere"
            places["in RAM" if ram == "present" else kept].append(page)
    rows = "".join(
        _div(f"{_div(name, 'width: 64px; flex: none; opacity: 0.8')}{_div(' '.join(map(str, pages)))}", "display: flex")
        for name, pages in places.items() if pages
    )  # fmt: skip
    return _div(rows, "margin: 0 0 10px") if rows else ""


def _lists(payload: Payload, state: Payload) -> str:
    """The LRU of each pool that has one, the head first; what has stepped out of it is at its end."""
    found = ""
    for number, pool in enumerate(payload["pools"]):
        if pool["lru_of"] is None or (number not in state["lru"] and number != state["current"]):
            continue
        ids = state["lru"].get(number, [])
        pages = pool["lru_of"] == "pages"
        shown = [_listed(state, id, pages) for id in ids[:MOST_ENTRIES]]
        if len(ids) > MOST_ENTRIES:
            shown.append(f"… and {len(ids) - MOST_ENTRIES} more")
        if state["out"] is not None and number == state["current"]:
            shown.append(_listed(state, state["out"], pages, f"outline: {LEAVING}; margin: 0 0 0 12px"))
        of = f" of {pool['backend']}’s pages" if pages else ""
        found += _heading(f"LRU{of}", "newest first; the last is next to go") + _row(shown or ["empty"])
    return found


def _pool(payload: Payload, state: Payload) -> str:
    over = state["size"] - payload["limit"]
    says = f"{_counted(state['size'], 'page')}, {'full above' if over <= 0 else f'{over} over the limit of'} {payload['limit']}"
    bars = ""
    for key in sorted(state["pages"])[:MOST_PAGES]:
        page = state["pages"][key]
        pool = payload["pools"][page["pool"]]
        percent = 100 / page["units"]
        objects = "".join(
            _div(_name(state, id) + f" <small>{state['entries'][id]['length']} B</small>" * (id in state["entries"]),
                 f"position: absolute; left: {start * percent:.1f}%; width: {units * percent:.1f}%; height: 20px; "
                 f"border-radius: 3px; overflow: hidden; text-align: center; white-space: nowrap; {_ink(state, id)}")
            for id, start, units in page["objects"]
        )  # fmt: skip
        bar = f"position: relative; flex: 1 1 0; height: 20px; line-height: 20px; background: {FAINT}; border-radius: 3px"
        label = _div(f"{pool['backend']} {page['number']}", "width: 62px; flex: none; opacity: 0.8")
        bars += _div(label + _div(objects, bar), "display: flex; flex: 0 1 46%; min-width: 190px")
    more = len(state["pages"]) - MOST_PAGES
    rest = _div(f"… and {_counted(more, 'page')} more") if more > 0 else ""
    return _heading("Pool", says) + _div(bars, "display: flex; flex-wrap: wrap; gap: 5px 20px") + rest


def _cpus(payload: Payload, step: int) -> str:
    """What each CPU does; of the one that ran, the source around its line."""
    now = payload["steps"][step]
    alone = {"state": "running", "stack": now["stack"], "holds": now["holds"], "waits": None}
    found = ""
    for number, cpu in enumerate(now["cpus"] or [alone]):
        path = " › ".join(payload["sources"][source]["function"] for source, _ in cpu["stack"][-3:])
        does = path if cpu["state"] in ("running", "blocked") else cpu["state"]
        locks = "".join(f" · holds {lock}" for lock in cpu["holds"])
        waits = f" · waits for {cpu['waits']}" if cpu["waits"] else ""
        found += _heading(f"CPU {NAMES[number]}", f"{does}{locks}{waits}")
        if cpu["stack"] and number == now["cpu"]:
            found += _source(payload, *cpu["stack"][-1])
    return found


def _source(payload: Payload, source: int, line: int) -> str:
    lines = payload["sources"][source]["lines"]
    first = max(0, min(line - MOST_LINES // 2, len(lines) - MOST_LINES))
    shown = "".join(
        f'<div style="padding: 0 8px; background: {LIT if number == line else "transparent"}">{html.escape(text) or " "}</div>'
        for number, text in enumerate(lines[first : first + MOST_LINES], first)
    )
    return f'<pre style="margin: 0 0 10px; padding: 0; font-size: 12px; line-height: 1.5; white-space: pre-wrap">{shown}</pre>'


# -- pieces -----------------------------------------------------------------------------------------


def _div(content: str, style: str = "") -> str:
    return f'<div style="{style}">{content}</div>' if style else f"<div>{content}</div>"


def _heading(name: str, says: str) -> str:
    return _div(f"<b>{name}</b> {html.escape(says)}", "margin: 0 0 4px")


def _row(items: Iterable[str]) -> str:
    return _div("".join(items), "display: flex; flex-wrap: wrap; gap: 5px; margin: 0 0 12px; padding: 2px")


def _image(drawing: str, alt: str, style: str) -> str:
    data = base64.b64encode(drawing.encode()).decode()
    return f'<img alt="{html.escape(alt)}" style="{style}" src="data:image/svg+xml;base64,{data}">'


def _marked(sentence: str) -> str:
    """A sentence with its **bold** words and `names` as HTML."""
    plain = html.escape(sentence)
    return re.sub(r"`(.+?)`", r"<code>\1</code>", re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", plain))


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _name(state: Payload, id: int) -> str:
    return f"<b>{state['names'].get(id, '?')}</b>"


def _ink(state: Payload, id: int) -> str:
    """The colours of an entry; one that is freed has none."""
    page = state["names"].get(id)
    if id not in state["entries"] or page is None:
        return f"border: 1px dashed {OKABE_ITO['reddish purple']}"
    colour = entry_colour(page)
    return f"background: {colour}; color: {'#ffffff' if colour == OKABE_ITO['blue'] else '#15171a'}"


def _listed(state: Payload, id: int, pages: bool, more: str = "margin: 0") -> str:
    box = f"min-width: 30px; padding: 2px 3px; border-radius: 5px; text-align: center; line-height: 1.3; {more}"
    if pages:
        number = state["pages"][id]["number"] if id in state["pages"] else "?"
        return _div(f"page <b>{number}</b>", f"{box}; border: {LINE}")
    length = state["entries"][id]["length"] if id in state["entries"] else "freed"
    return _div(f"{_name(state, id)}<br><small>{length}</small>", f"{box}; {_ink(state, id)}")
