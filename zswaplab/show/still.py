"""A picture of the player as HTML: what stays in a notebook where no player can live.

It needs no script, no style sheet and no network, so that it comes through wherever notebooks are shown, also where one
is not trusted. Its text has the colour that the reader's theme gives to text, its greys are see-through, and what has a
colour of its own has its own ink: so it is right in the light and in the dark, and at any zoom.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Mapping
from typing import Any

from ..run.cpus import NAMES
from .palette import OKABE_ITO, entry_colour
from .payload import scene
from .words import picture as in_words

CURVE, LANE = 52, 14  # pixels high
MOST_ENTRIES, MOST_PAGES, MOST_LINES = 24, 16, 13

GREY, FAINT, LINE = "#80868c", "rgba(128, 134, 140, 0.16)", "1px solid rgba(128, 134, 140, 0.4)"
EDGE = "border: 1px solid transparent; box-sizing: border-box"  # to be seen where the reader's own colours are forced
LANES = {
    "store": ("store", OKABE_ITO["blue"]), "load": ("load", OKABE_ITO["bluish green"]),
    "writeback": ("written back", OKABE_ITO["vermillion"]), "refuse": ("refused", GREY),
    "fault": ("fault", OKABE_ITO["reddish purple"]),
}  # fmt: skip

# How the parts look: style attributes, of which JupyterLab lets these properties through.
WRAP = "display: flex; flex-wrap: wrap"
WHOLE = f"border: 1px dashed {GREY}; border-radius: 8px; max-width: 1050px; overflow: hidden; font-size: 13px"
BAR = f"{WRAP}; justify-content: space-between; gap: 4px 24px; background: {FAINT}; padding: 8px 16px"
SIGN = "height: 16px; width: 18px; margin: 0 8px 0 0; vertical-align: middle"
SAY = f"font-size: 17px; padding: 10px 16px; border-top: {LINE}"
BODY = f"{WRAP}; gap: 12px 28px; padding: 12px 16px 14px; border-top: {LINE}"
LEFT, RIGHT = "flex: 5 1 420px; min-width: 240px", "flex: 4 1 360px; min-width: 240px"
LANE_NAMES = f"flex: none; width: 92px; font-size: 11px; line-height: {LANE}px"
UNDER_TIME = "font-size: 11px; padding: 0 16px 6px 108px; opacity: 0.8"
LISTED = "min-width: 30px; padding: 2px 3px; border-radius: 5px; text-align: center; line-height: 1.3"
LEAVING = f"outline: 2px dashed {OKABE_ITO['vermillion']}; margin: 0 0 0 12px"
FREED = f"border: 1px dashed {OKABE_ITO['reddish purple']}; box-sizing: border-box"
ROOM = f"position: relative; flex: 1 1 0; height: 20px; background: {FAINT}; border-radius: 3px"
OBJECT = (
    "position: absolute; height: 20px; line-height: 18px; border-radius: 3px; overflow: hidden; text-align: center; "
    "white-space: nowrap"
)
CODE = "margin: 0 0 10px; padding: 0; font-size: 12px; line-height: 1.5; white-space: pre-wrap"
LIT = "background: rgba(216, 155, 0, 0.25); border-left: 3px solid #d89b00; padding: 0 8px"

PICTURE_SIGN = (
    f'<svg xmlns="http://www.w3.org/2000/svg" width="18" height="16" fill="none" stroke="{GREY}" stroke-width="1.6">'
    '<rect x="1" y="1" width="16" height="14" rx="2"/><path d="M2 13l5-6 4 4 2-2 4 4"/></svg>'
)

Payload = Mapping[str, Any]


def still(payload: Payload, step: int) -> str:
    """The picture of the player at `step` (counted from 0), as HTML."""
    sign = _image(PICTURE_SIGN, in_words(payload, step), SIGN)
    which = f"<b>{html.escape(payload['title'])}</b><br>{html.escape(' · '.join(payload['tags']))}"
    shown = _div(_div(f"{sign}<b>A picture of the player.</b> Run this cell to play it.") + _div(which), BAR)
    if payload["steps"]:
        state = scene(payload, step)
        left = _where(state) + _lists(payload, state) + _pool(payload, state)
        shown += _time(payload, step) + _div(_said(payload, step), SAY)
        shown += _div(_div(left, LEFT) + _div(_cpus(payload, step), RIGHT), BODY)
    return f'<div class="zswaplab-picture" style="{WHOLE}; line-height: 1.5">{shown}</div>'


def _said(payload: Payload, step: int) -> str:
    """The sentence, with its **bold** words and `names` as HTML."""
    reports = [found["say"] for found in payload["reports"] if found["step"] == step]
    sentence = html.escape([*reports, payload["steps"][step]["say"]][0])
    return re.sub(r"`(.+?)`", r"<code>\1</code>", re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", sentence))


# -- time -------------------------------------------------------------------------------------------


def _time(payload: Payload, step: int) -> str:
    """The pool's size against its limits, and a lane for each kind of event; a line where `step` is."""
    happened = {moment["event"] for moment in payload["steps"]}
    lanes = [kind for kind in LANES if kind in happened]
    height = CURVE + LANE * len(lanes)
    names = _div("pool, in pages", f"height: {CURVE}px") + "".join(_div(LANES[kind][0]) for kind in lanes)
    drawing = _drawing(payload, step, lanes, height)
    drawn = _image(drawing, "", f"width: 80%; flex: 1 1 0; height: {height}px; margin: 0")
    under = (
        f"step {step} of {len(payload['steps']) - 1}; dashed: full above {payload['limit']}; dotted: accepts again "
        f"below {payload['accept']}"
    )
    return _div(_div(names, LANE_NAMES) + drawn, "display: flex; padding: 8px 16px 0") + _div(under, UNDER_TIME)


def _drawing(payload: Payload, step: int, lanes: list[str], height: int) -> str:
    """The curve and the lanes as SVG, in colours that can be seen on white and on black."""
    steps, sizes = payload["steps"], _sizes(payload)
    across, up = 994 / max(1, len(steps) - 1), (CURVE - 4) / (1.1 * max(1, payload["limit"], *sizes))

    def x(number: int) -> str:
        return f"{3 + across * number:.1f}"

    def y(pages: int) -> str:
        return f"{CURVE - up * pages:.1f}"

    turns = [number for number in range(1, len(sizes)) if sizes[number] != sizes[number - 1]]
    curve = f"M3 {y(sizes[0])}{''.join(f'H{x(number)}V{y(sizes[number])}' for number in turns)}H997"
    paths = [
        (f"{curve}V{CURVE}H3z", f'fill="{GREY}" fill-opacity="0.16" stroke="none"'),
        (curve, f'stroke="{GREY}"'),
        (f"M0 {y(payload['limit'])}H1000", f'stroke="{OKABE_ITO["vermillion"]}" stroke-dasharray="6 3"'),
        (f"M0 {y(payload['accept'])}H1000", f'stroke="{OKABE_ITO["blue"]}" stroke-dasharray="2 2"'),
        (f"M{x(step)} 0V{height}", f'stroke="{GREY}" stroke-width="3"'),
    ]
    for row, kind in enumerate(lanes):
        at = [x(number) for number, moment in enumerate(steps) if moment["event"] == kind]
        ticks = "".join(f"M{place} {CURVE + LANE * row + 3}v9" for place in at)
        paths.append((ticks, f'stroke="{LANES[kind][1]}" stroke-width="2"'))
    drawn = "".join(f'<path d="{path}" {looks}/>' for path, looks in paths)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1000 {height}" width="1000" height="{height}" '
        'preserveAspectRatio="none" fill="none" stroke-width="1.4">'
        "<style>path{vector-effect:non-scaling-stroke}</style>"
        f"{drawn}</svg>"
    )


def _sizes(payload: Payload) -> list[int]:
    """The pool's size after each step, in pages."""
    sizes = [0]
    for changes in (payload["begin"], *(step["changes"] for step in payload["steps"])):
        sizes.append(next((change[1] for change in reversed(changes) if change[0] == "size"), sizes[-1]))
    return sizes[2:]


# -- where everything is ----------------------------------------------------------------------------


def _where(state: Payload) -> str:
    """Where the current copy of each page is."""
    held = {entry["page"] for entry in state["entries"].values() if entry["linked"]}
    places: dict[str, list[int]] = {"in RAM": [], "in zswap": [], "on disk": [], "nowhere": []}
    for page, ram in sorted(state["ram"].items()):
        if ram != "freed":
            kept = "in zswap" if page in held else "on disk" if page in state["disk"] else "nowhere"
            places["in RAM" if ram == "present" else kept].append(page)
    rows = "".join(
        _div(_div(name, "width: 64px; flex: none; opacity: 0.8") + _div(" ".join(map(str, pages))), "display: flex")
        for name, pages in places.items() if pages
    )  # fmt: skip
    return _div(rows, "margin: 0 0 10px")


def _lists(payload: Payload, state: Payload) -> str:
    """The LRU of each pool that has one, the head first; what has stepped out of it is at its end."""
    found = ""
    for number, pool in enumerate(payload["pools"]):
        current = number == state["current"]
        if pool["lru_of"] is None or not (current or number in state["lru"]):
            continue
        ids, pages = state["lru"].get(number, []), pool["lru_of"] == "pages"
        shown = [_listed(state, id, pages) for id in ids[:MOST_ENTRIES]]
        if len(ids) > MOST_ENTRIES:
            shown.append(f"… and {len(ids) - MOST_ENTRIES:,} more")
        if current and state["out"] is not None:
            shown.append(_listed(state, state["out"], pages, LEAVING))
        whose = f" of {pool['backend']}’s pages" if pages else ""
        found += _heading(f"LRU{whose}", "newest first; the last is next to go")
        found += _div("".join(shown) or "empty", f"{WRAP}; gap: 5px; margin: 0 0 12px; padding: 2px")
    return found


def _listed(state: Payload, id: int, pages: bool, more: str = "margin: 0") -> str:
    if pages:
        number = state["pages"][id]["number"] if id in state["pages"] else "?"
        return _div(f"page <b>{number}</b>", f"{LISTED}; {more}; border: {LINE}")
    length = state["entries"][id]["length"] if id in state["entries"] else "freed"
    return _div(f"{_name(state, id)}<br><small>{length}</small>", f"{LISTED}; {more}; {_ink(state, id)}")


def _pool(payload: Payload, state: Payload) -> str:
    """The backend's pages, each with its objects to scale."""
    size, limit = state["size"], payload["limit"]
    limited = f"{size - limit:,} over the limit of {limit:,}" if size > limit else f"full above {limit:,}"
    pages = sorted(state["pages"])
    shown = "".join(_page(payload, state, state["pages"][key]) for key in pages[:MOST_PAGES])
    more = f"… and {len(pages) - MOST_PAGES:,} more" if len(pages) > MOST_PAGES else ""
    return _heading("Pool", f"{size:,} pages, {limited}") + _div(shown, f"{WRAP}; gap: 5px 20px") + more


def _page(payload: Payload, state: Payload, page: Payload) -> str:
    percent, objects = 100 / page["units"], ""
    for id, first, units in page["objects"]:
        place = f"left: {first * percent:.1f}%; width: {units * percent:.1f}%"
        length = state["entries"][id]["length"] if id in state["entries"] and units * percent > 26 else None
        words = _name(state, id) + ("" if length is None else f" <small>{length} B</small>")
        objects += _div(words, f"{OBJECT}; {place}; {_ink(state, id)}")
    name = f"{payload['pools'][page['pool']]['backend']} {page['number']}"
    label = _div(name, "width: 62px; flex: none; opacity: 0.8")
    return _div(label + _div(objects, ROOM), "display: flex; flex: 0 1 46%; min-width: 190px")


# -- who does it ------------------------------------------------------------------------------------


def _cpus(payload: Payload, step: int) -> str:
    """What each CPU does; of the one that ran, the source around its line."""
    now = payload["steps"][step]
    alone = {"state": "running", "stack": now["stack"], "holds": now["holds"], "waits": None}
    found = ""
    for number, cpu in enumerate(now["cpus"] or [alone]):
        path = " › ".join(payload["sources"][source]["function"] for source, _ in cpu["stack"][-3:])
        does = cpu["state"] if cpu["state"] in ("not started", "finished") else path or "between two operations"
        locks = [f"holds {lock}" for lock in cpu["holds"]] + ([f"waits for {cpu['waits']}"] if cpu["waits"] else [])
        found += _heading(f"CPU {NAMES[number]}", " · ".join([does, *locks]))
        if cpu["stack"] and number == now["cpu"]:
            found += _source(payload, *cpu["stack"][-1])
    return found


def _source(payload: Payload, source: int, lit: int) -> str:
    lines = payload["sources"][source]["lines"]
    first = max(0, min(lit - MOST_LINES // 2, len(lines) - MOST_LINES))
    shown = (
        _div(html.escape(line) or " ", LIT if number == lit else "padding: 0 11px")
        for number, line in enumerate(lines[first : first + MOST_LINES], first)
    )
    return f'<pre style="{CODE}">{"".join(shown)}</pre>'


# -- pieces -----------------------------------------------------------------------------------------


def _div(content: str, style: str = "") -> str:
    return f'<div style="{style}">{content}</div>' if style else f"<div>{content}</div>"


def _heading(name: str, says: str) -> str:
    return _div(f"<b>{name}</b> {html.escape(says)}", "margin: 0 0 4px")


def _image(drawing: str, alt: str, style: str) -> str:
    data = base64.b64encode(drawing.encode()).decode()
    return f'<img alt="{html.escape(alt)}" style="{style}" src="data:image/svg+xml;base64,{data}">'


def _name(state: Payload, id: int) -> str:
    return f"<b>{state['names'].get(id, '?')}</b>"


def _ink(state: Payload, id: int) -> str:
    """The colours of an entry; one that is freed has none."""
    page = state["names"].get(id)
    if id not in state["entries"] or page is None:
        return FREED
    colour = entry_colour(page)
    return f"background: {colour}; color: {'#ffffff' if colour == OKABE_ITO['blue'] else '#15171a'}; {EDGE}"
