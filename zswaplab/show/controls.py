"""Controls of the lab panel, each made from a field of Setup: what the stage rules out, why, and the way back.

A control is plain data, which panel.js draws: it decides nothing about zswap.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..model.compressors import COMPRESSORS
from ..model.errors import BadInput
from ..model.stages import LOAD_ENDS, STAGES, Stage, forms_of, own_form
from ..model.swap import DEVICES
from ..model.zpool import ZPOOLS
from ..run.lengths import Lengths
from ..run.setup import Setup
from ..run.workloads import TITLES, sizes_of
from . import recorded

Control = dict[str, Any]

FIRST = ("stage", "zpool", "evictable", "exclusive_loads", "workload")
MORE = (
    "load_end", "device", "compressor", "ram_pages", "max_pool_percent", "accept_threshold_percent", "swap_pages",
    "seed",
)  # fmt: skip
FIELDS = (*FIRST, *MORE)
LABELS = {
    "stage": "Kernel", "zpool": "Backend", "evictable": "Who evicts", "exclusive_loads": "Exclusive loads",
    "workload": "Workload", "load_end": "a load ends", "device": "device", "compressor": "compressor",
    "ram_pages": "RAM, in pages", "max_pool_percent": "max_pool_percent", "seed": "seed",
    "accept_threshold_percent": "accept_threshold_percent", "swap_pages": "swap device, in pages",
}  # fmt: skip
NOTES = {
    "zbud": "at most two objects a page", "z3fold": "at most three objects a page",
    "zsmalloc": "objects of one size share pages",
}  # fmt: skip
START = Setup(stage="1", ram_pages=30, workload="revisit 10 6")  # what a panel is set to when nobody says otherwise
OWN = "own"  # a workload that has no name: the reader's lines


def evicts(setup: Setup) -> bool:
    """Whether the backend writes its pages back by itself in this setup.

    >>> evicts(Setup(stage="1")), evicts(Setup(stage="2"))
    (True, False)
    """
    return STAGES[setup.stage].evicts(setup.zpool) if setup.evictable is None else setup.evictable


def ruled_out(setup: Setup, name: str, value: Any) -> tuple[str, dict[str, Any]] | None:
    """Why a value of a field cannot be at the setup's stage, and what to change so that it can; None if it can.

    >>> ruled_out(Setup(stage="2"), "evictable", True)
    ('since patch 2: zbud no longer evicts', {'stage': '1', 'evictable': None})
    """
    stage = STAGES[setup.stage]
    if name == "evictable" and value and not stage.evicts(setup.zpool):
        return _no_longer_evicts(stage, setup.zpool)
    if name == "evictable" and value is False and not stage.entry_lru and stage.evicts(setup.zpool):
        return "before patch 1: zswap has no LRU of its own", {"stage": "1", "evictable": False}
    if name == "exclusive_loads" and value == "on" and len(forms_of(stage)) == 1:
        return f"in {stage.title}: there were none yet", {"stage": "base", "exclusive_loads": "on"}
    if name == "seed" and not setup.cpus:
        return "with one CPU: a seed chooses among several", {}
    return None


def _no_longer_evicts(stage: Stage, zpool: str) -> tuple[str, dict[str, Any]]:
    """Why a backend does not evict at a stage: it does not yet, or since which patch it does no longer."""
    if not stage.entry_lru:
        return f"in {stage.title}: {zpool} cannot evict yet", {"stage": "v6.4", "evictable": None}
    prefix = "rfc2-" if stage.id.startswith("rfc2-") else ""
    since = next(n for n in range(2, 8) if not STAGES[f"{prefix}{n}"].evicts(zpool))
    return f"since patch {since}: {zpool} no longer evicts", {"stage": f"{prefix}{since - 1}", "evictable": None}


def possible(setup: Setup, changed: Mapping[str, Any]) -> Setup:
    """The setup with some fields changed; what the new stage rules out goes back to what that stage has by itself.

    Raises BadInput for a change that is itself ruled out.

    >>> possible(Setup(stage="1", evictable=True), {"stage": "2"})
    Setup(stage='2')
    """
    own = {"evictable": None, "exclusive_loads": "off"}
    tried = {name: value for name, value in changed.items() if name not in own}
    base = setup.but(**own).but(**tried)
    for name, value in changed.items():
        if value is not None and (no := ruled_out(base, name, value)):
            way = f": set stage={no[1]['stage']!r} first" if no[1] else ""
            raise BadInput(f"{name}={value!r} cannot be {no[0]}{way}")
    wanted = {name: changed.get(name, getattr(setup, name)) for name in own}
    return base.but(**{name: own[name] if ruled_out(base, name, value) else value for name, value in wanted.items()})


def control(setup: Setup, name: str) -> Control:
    """The control of a field, as the setup has it: `name`, `label`, `kind`, `value`, `note` and, where it offers
    some, `options`: (`value`, `label`, `no`: why not, `back`: what to change, `way`: that in words).

    >>> [option["label"] for option in control(Setup(stage="2"), "evictable")["options"]]
    ['zbud (evictable)', 'zswap']
    """
    made: Control = {
        "name": name, "label": LABELS[name], "value": _plain(setup, name), "delivered": _plain(START, name), "no": "",
        "note": _note(setup, name),
    }  # fmt: skip
    if name in _CHOICES:
        made["kind"] = "choice" if name in FIRST else "menu"
        made["options"] = [_option(setup, name, value, label) for value, label in _CHOICES[name](setup)]
    elif name == "stage":
        made |= {"kind": "line", "options": [_stop(stage) for stage in STAGES.values()]}
    elif name == "workload":
        made |= _workload(setup)
    else:
        made |= {"kind": "number"}
    if name == "seed" and (no := ruled_out(setup, name, made["value"])):
        made["no"] = f"Ruled out {no[0]}."
    return made


def _plain(setup: Setup, name: str) -> Any:
    """What a control shows as the field's value."""
    value = getattr(setup, name)
    if name == "evictable":
        return evicts(setup)
    if name == "exclusive_loads":
        return _form(setup)
    return getattr(value, "name", value)


def _option(setup: Setup, name: str, value: Any, label: str) -> dict[str, Any]:
    why, back = ruled_out(setup, name, value) or ("", {})
    way = f"Try {short(STAGES[back['stage']])}" if back else ""
    return {"value": value, "label": label, "no": f"Ruled out {why}." if why else "", "back": back, "way": way}


def _form(setup: Setup) -> str:
    """Whether loads are exclusive: "on" stands for the stage's own form."""
    stage, form = STAGES[setup.stage], setup.exclusive_loads
    return "on" if len(forms_of(stage)) > 1 and form == own_form(stage) else form


def _forms(setup: Setup) -> list[tuple[Any, str]]:
    stage = STAGES[setup.stage]
    others = [form for form in forms_of(stage)[2:] if form != "off"]
    if _form(setup) not in ("off", "on", *others):
        others.append(_form(setup))
    return [("off", "off"), ("on", "on"), *((form, form) for form in others)]


_CHOICES: dict[str, Callable[[Setup], list[tuple[Any, str]]]] = {
    "zpool": lambda setup: [(name, name) for name in ZPOOLS],
    "evictable": lambda setup: [(True, f"{setup.zpool} (evictable)"), (False, "zswap")],
    "exclusive_loads": _forms,
    "load_end": lambda setup: [(None, "as the stage has it"), *((order, order) for order in LOAD_ENDS)],
    "device": lambda setup: [(name, name) for name in DEVICES],
    "compressor": lambda setup: [(name, name) for name in (*COMPRESSORS, Lengths.name) if name != "recorded"],
}


def _stop(stage: Stage) -> dict[str, Any]:
    """A stop of the line of stages: its branch, what stands above it and below."""
    branch = "reviewed" if stage.id.startswith("rfc2-") else "merged" if stage.id.isdecimal() else ""
    words = stage.title.partition(": ")[2] or stage.title
    number = stage.id.removeprefix("rfc2-").removeprefix("v")
    return {"value": stage.id, "label": number, "branch": branch, "title": stage.title, "words": words}


def short(stage: Stage) -> str:
    """A stage in two or four words: "patch 2", "patch 2 as reviewed", "Linux 6.5".

    >>> short(STAGES["rfc2-2"]), short(STAGES["v6.5"])
    ('patch 2 as reviewed', 'Linux 6.5')
    """
    if stage.id.isdecimal():
        return f"patch {stage.id}"
    return "the base" if stage.id == "base" else stage.title.partition(":")[0]


def _workload(setup: Setup) -> Control:
    """The menu of workloads, and the sizes of the one that is chosen; `csv` is the text of the reader's own."""
    if found := recorded.chosen(setup):
        return _recording(setup, *found)
    text = setup.workload if isinstance(setup.workload, str) else ""
    name, *given = text.split() or [OWN]
    known = {} if name == OWN else sizes_of(name)
    sizes = dict(zip(known, [*map(int, given), *list(known.values())[len(given) :]], strict=True))
    lines = setup.lines()
    pages = len({line.split()[1] for line in lines if " " in line})
    csv = "" if name != OWN else "".join(f"{','.join(line.split())}\n" for line in ["operation page seed", *lines])
    return {
        "kind": "workload", "value": name, "sizes": sizes, "csv": csv, "options": _WORKLOADS,
        "note": f"{len(lines):,} operations on {pages:,} pages",
    }  # fmt: skip


_WORKLOADS = [
    {"value": name, "label": title}
    for name, title in {**TITLES, recorded.NAME: recorded.TITLE, OWN: "One’s own, as CSV"}.items()
]


def _recording(setup: Setup, name: str, count: int) -> Control:
    """The same where the workload is from a recording: which, how many operations, and what of it is used."""
    pages = len({line.split()[1] for line in setup.lines()})
    others = ", ".join(LABELS[field] for field in recorded.other_settings(setup, name))
    limit = setup.machine().zswap.limit
    return {
        "kind": "workload", "value": recorded.NAME, "sizes": {"operations": count}, "csv": "", "options": _WORKLOADS,
        "runs": recorded.runs(), "run": name,
        "note": f"The program’s first {len(setup.lines()):,} operations, on {pages:,} pages, and its kernel’s settings"
        f"{f', but for: {others}' if others else ''}. The pages’ bytes were not recorded: they are made from the "
        f"pages’ numbers. zswap is full above {limit:,} pages of the pool: with less RAM (under More) that is sooner.",
    }  # fmt: skip


def _note(setup: Setup, name: str) -> str:
    if name == "zpool":
        return NOTES[setup.zpool]
    if name == "evictable":
        return "by its own LRU of pages" if evicts(setup) else "by its LRU of entries"
    return "on: a page that is read leaves zswap" if name == "exclusive_loads" else ""
