"""The same in words: for who cannot see the picture, and where no widget can run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..run.cpus import NAMES
from .payload import scene


def text(payload: Mapping[str, Any], step: int) -> str:
    """What the player shows at `step`: the sentence, the LRU, the pool, what each CPU does.

    CPUs are called a, b, c, as everywhere.
    """
    steps = payload["steps"]
    if not steps:
        return f"{payload['title']}: nothing was recorded"
    step = min(max(0, step), len(steps) - 1)
    return "\n".join([*_head(payload, step), *_lists(payload, step), *_pool(payload, step), *_cpus(payload, step)])


def picture(payload: Mapping[str, Any], step: int) -> str:
    """The alternative text of a picture of the player at `step`, in one line."""
    lines = text(payload, step).splitlines()[:3]
    return "Picture of the player: " + " ".join(f"{line.rstrip('.')}." for line in lines)


def plain(sentence: str) -> str:
    """A sentence without its marks for **bold** words and `names`."""
    return re.sub(r"\*\*|`", "", sentence)


def _head(payload: Mapping[str, Any], step: int) -> list[str]:
    now = payload["steps"][step]
    operation = payload["operations"][now["operation"]]["text"]
    which = f"step {step} of {len(payload['steps']) - 1}: {operation}"
    said = [found["say"] for found in payload["reports"] if found["step"] == step] or [now["say"]]
    return [f"{payload['title']} ({'; '.join(payload['tags'])}), {which}", *map(plain, said)]


def _label(state: Mapping[str, Any], id: int) -> str:
    return f"{state['names'].get(id, '?')}" + ("" if id in state["entries"] else " (freed)")


def _listed(payload: Mapping[str, Any], state: Mapping[str, Any], pool: int, id: int) -> str:
    if payload["pools"][pool]["lru_of"] == "pages":
        return str(state["pages"][id]["number"] if id in state["pages"] else "?")
    return _label(state, id)


def _lists(payload: Mapping[str, Any], step: int) -> list[str]:
    """The LRU of each pool that has one."""
    state = scene(payload, step)
    found = []
    for number, pool in enumerate(payload["pools"]):
        if pool["lru_of"] is None:
            continue
        whose = f" of {pool['backend']}'s pages" if pool["lru_of"] == "pages" else ""
        which = f" of pool {number}" if len(payload["pools"]) > 1 else ""
        order = ", ".join(_listed(payload, state, number, id) for id in state["lru"].get(number, ())) or "empty"
        found.append(f"LRU{whose}{which}, newest first: {order}")
    if state["out"] is not None:
        found.append(f"stepping out: {_listed(payload, state, _pool_of_out(payload, state), state['out'])}")
    return found


def _pool_of_out(payload: Mapping[str, Any], state: Mapping[str, Any]) -> int:
    """The pool whose list something steps out of."""
    out = state["out"]
    for number, pool in enumerate(payload["pools"]):
        kept = state["pages"] if pool["lru_of"] == "pages" else state["entries"]
        if out in kept and (kept[out]["pool"] or 0) == number:
            return number
    return int(state["current"])


def _pool(payload: Mapping[str, Any], step: int) -> list[str]:
    state = scene(payload, step)
    full = ", full" if state["full"] else ""
    lines = [f"pool: {state['size']} pages, limit {payload['limit']}, accepts again below {payload['accept']}{full}"]
    for key in sorted(state["pages"]):
        page = state["pages"][key]
        pool = payload["pools"][page["pool"]]
        units = page["units"] * pool["unit_bytes"] // 4096
        length = f", {units} pages" if units > 1 else ""
        objects = ", ".join(_label(state, id) for id, _, _ in page["objects"]) or "empty"
        lines.append(f"  {pool['backend']} {'group' if units > 1 else 'page'} {page['number']}{length}: {objects}")
    return lines


def _cpus(payload: Mapping[str, Any], step: int) -> list[str]:
    now = payload["steps"][step]
    idle = {"state": "running", "waits": None, "steps": 0}
    lines = []
    for number, cpu in enumerate(now["cpus"] or [{**idle, "stack": now["stack"], "holds": now["holds"]}]):
        stack = " > ".join(payload["sources"][source]["function"] for source, _ in cpu["stack"]) or "idle"
        if cpu["state"] in ("not started", "finished"):
            stack = cpu["state"]
        waits = [] if cpu["waits"] is None else [f"waits for {cpu['waits']}, which CPU {NAMES[cpu['holder']]} has"]
        lines.append(f"CPU {NAMES[number]}: {', '.join([stack, *(f'holds {lock}' for lock in cpu['holds']), *waits])}")
    return lines
