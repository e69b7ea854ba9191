"""The player's payload: what is shown of a run, as data that can become JSON. Its schema stands here, once.

`make` builds it from a History, `check` says what is wrong with one from elsewhere, `grow` adds the steps that a run
has taken since, `pack` and `unpack` turn it into a few bytes and back. The state of a run starts with `begin` and
changes by each step's `changes`; zswaplab/show/scene.js follows them in the browser, `scene` here in Python.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn

from ..model.errors import BadInput
from ..model.freed import is_entry, name_of
from ..run.history import History
from ..run.sanitizers import ENTRY_BYTES, ENTRY_BYTES_WITH_LINKS, Report, Trace
from ..run.session import Moment

Payload = dict[str, Any]
Rule = Callable[[Any, str], None]  # raises BadInput for a value that cannot be, naming its place

VERSION = 2
EVENTS = (None, "store", "load", "writeback", "refuse", "free", "fault")
# The story stops at events, and where the worker chooses and decides.
STORY = frozenset({"lru isolate", "page isolate", "kick", "not written", "worker stops", "worker goes on"})
STATES = ("not started", "running", "blocked", "finished")

# Stands for a step that was taken, and of which nothing was kept.
_NOT_KEPT: dict[str, Any] = {
    "say": "", "event": None, "story": False, "subject": None, "operation": 0, "cpu": 0, "stack": [], "holds": [],
    "refs": [], "changes": [], "cpus": None,
}  # fmt: skip

# What the kernel calls fields of struct zswap_entry that the model calls otherwise.
KERNEL_FIELDS = {"next": "lru.next", "prev": "lru.prev", "linked": "rbnode", "type": "offset", "value": "handle"}


# -- the schema -------------------------------------------------------------------------------------


def _wrong(place: str, value: Any, rule: str) -> NoReturn:
    shown = repr(value)
    raise BadInput(f"{place}={shown if len(shown) < 80 else shown[:77] + '...'} cannot be drawn: it must be {rule}")


def _a(kind: type, words: str) -> Rule:
    def rule(value: Any, place: str) -> None:
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            _wrong(place, value, words)

    return rule


def _one_of(*values: Any) -> Rule:
    def rule(value: Any, place: str) -> None:
        if isinstance(value, (list, dict)) or value not in values:
            _wrong(place, value, f"one of {', '.join(map(repr, values))}")

    return rule


def _maybe(other: Rule) -> Rule:
    def rule(value: Any, place: str) -> None:
        if value is not None:
            other(value, place)

    return rule


def _many(other: Rule) -> Rule:
    def rule(value: Any, place: str) -> None:
        if not isinstance(value, (list, tuple)):
            _wrong(place, value, "a list")
        for index, item in enumerate(value):
            other(item, f"{place}[{index}]")

    return rule


def _row(*others: Rule) -> Rule:
    def rule(value: Any, place: str) -> None:
        if not isinstance(value, (list, tuple)) or len(value) != len(others):
            _wrong(place, value, f"a list of {len(others)}")
        for index, (item, other) in enumerate(zip(value, others, strict=True)):
            other(item, f"{place}[{index}]")

    return rule


def _shape(**fields: Rule) -> Rule:
    def rule(value: Any, place: str) -> None:
        if not isinstance(value, Mapping):
            _wrong(place, value, f"a dict with {', '.join(fields)}")
        for name, other in fields.items():
            if name not in value:
                raise BadInput(f"{place} lacks {name!r}: it must have {', '.join(fields)}")
            other(value[name], f"{place}[{name!r}]")

    return rule


def _table(other: Rule) -> Rule:
    def rule(value: Any, place: str) -> None:
        if not isinstance(value, Mapping):
            _wrong(place, value, "a dict")
        for name, item in value.items():
            other(item, f"{place}[{name!r}]")

    return rule


_number, _text, _flag = _a(int, "a whole number"), _a(str, "a text"), _a(bool, "True or False")
_anything: Rule = lambda value, place: None  # noqa: E731

_CHANGES: dict[str, tuple[Rule, ...]] = {
    "entry": (_number, _maybe(_shape(
        page=_maybe(_number), offset=_number, length=_number, refcount=_number, linked=_flag, pool=_maybe(_number),
        value=_maybe(_number),
    ))),
    "page": (_number, _maybe(_shape(
        pool=_number, number=_number, units=_number, objects=_many(_row(_number, _number, _number)),
    ))),
    "lru+": (_number, _number), "lru-": (_number, _number), "out": (_maybe(_number),), "size": (_number,),
    "full": (_flag,), "current": (_number,), "counters": (_table(_number),),
    "ram": (_number, _one_of("present", "swapped", "freed")), "disk": (_number,),
}  # fmt: skip


def _change(value: Any, place: str) -> None:
    if not isinstance(value, (list, tuple)) or not value or value[0] not in _CHANGES:
        _wrong(place, value, f"a list that begins with one of {', '.join(_CHANGES)}")
    _row(_anything, *_CHANGES[value[0]])(value, place)


_changes, _refs = _many(_change), _many(_row(_text, _text, _number))
_stack = _many(_row(_number, _number))
_OPERATION = _shape(text=_text, kind=_text, pages=_many(_number), cpu=_number)
_SOURCE = _shape(function=_text, kernel=_text, url=_text, lines=_many(_text))
_POOL = _shape(
    backend=_text, compressor=_text, evictable=_flag, lru_of=_one_of("entries", "pages", None), page_units=_number,
    header_units=_number, unit_bytes=_number,
)  # fmt: skip
_ON_CPU = _shape(
    task=_text, state=_one_of(*STATES), stack=_stack, holds=_many(_text), waits=_maybe(_text), holder=_maybe(_number),
    refs=_refs, steps=_number,
)  # fmt: skip
_STEP = _shape(
    say=_text, event=_one_of(*EVENTS), story=_flag, subject=_maybe(_number), operation=_number, cpu=_number,
    stack=_stack, holds=_many(_text), refs=_refs, changes=_changes, cpus=_maybe(_many(_ON_CPU)),
)  # fmt: skip
_TRACE = _maybe(_shape(
    task=_text, step=_number, rows=_many(_row(_text, _text, _maybe(_number), _number)),
))  # fmt: skip
_REPORT = _shape(
    kind=_text, text=_text, say=_text, step=_number, cpu=_number, access=_text, size=_maybe(_number),
    offset=_maybe(_number), field=_text, function=_text, thing=_text, entry=_maybe(_number), bytes=_number,
    used=_TRACE, freed=_TRACE, allocated=_TRACE, page=_maybe(_number), whose=_text,
    trail=_many(_row(_number, _many(_text))), waits=_many(_row(_number, _text, _number, _flag)),
    chains=_many(_shape(outer=_text, inner=_text, task=_text, rows=_many(_text))),
)  # fmt: skip
_PAYLOAD = _shape(
    version=_one_of(VERSION), title=_text, tags=_many(_text), limit=_number, accept=_number, cpus=_number,
    tasks=_many(_text), pools=_many(_POOL), counters=_table(_number), begin=_changes,
    operations=_many(_OPERATION), sources=_many(_SOURCE), steps=_many(_STEP), reports=_many(_REPORT),
)  # fmt: skip


def check(payload: Any) -> None:
    """Raise BadInput, naming the place and the rule, unless `payload` is as this module says.

    >>> check({"title": "a run"})
    Traceback (most recent call last):
    zswaplab.model.errors.BadInput: payload lacks 'version': it must have version, title, ...
    """
    _PAYLOAD(payload, "payload")
    if not payload["pools"]:
        raise BadInput("payload['pools']=[] cannot be drawn: a run has at least one pool")
    for index, step in enumerate(payload["steps"]):
        if problem := _astray(step, payload):
            raise BadInput(f"payload['steps'][{index}] cannot be drawn: {problem}")


def _astray(step: Mapping[str, Any], payload: Mapping[str, Any]) -> str:
    """What a step names that is not there; nothing if all is."""
    sources, pools = payload["sources"], len(payload["pools"])
    if not 0 <= step["operation"] < len(payload["operations"]):
        return f"operation {step['operation']} is not there: there are {len(payload['operations'])}"
    for cpu in [step, *(step["cpus"] or ())]:
        for source, line in cpu["stack"]:
            if not (0 <= source < len(sources) and 0 <= line < len(sources[source]["lines"])):
                return f"its stack names line {line} of source {source}, which is not there"
    for what, first, *_ in step["changes"]:
        if what in ("lru+", "lru-", "current") and not 0 <= first < pools:
            return f"change {what!r} names pool {first}, and there are {pools}"
    return ""


# -- made from a history ------------------------------------------------------------------------------


def make(history: History) -> Payload:
    """The payload of a History.

    `title` and `tags`; `limit` and `accept` in pages: zswap is full above the one and accepts again below the other;
    `pools`, all that ever were, by number; `cpus` and, where they ran at once, their `tasks`; `sources` of the running
    functions; `counters` and `begin`, the changes that lead to the state before the first step; `operations`, `steps`
    and `reports` of the sanitizers. Where only a place's surroundings were kept, `before` says how many steps that are
    not known come first.
    """
    payload = _whole(history)
    if history.before is not None:
        payload |= {"before": history.before, "steps": [_NOT_KEPT] * history.before + payload["steps"]}
    return payload


def _whole(history: History) -> Payload:
    return {
        "version": VERSION, "title": history.title, "tags": list(history.tags), "limit": history.limit,
        "accept": history.accept, "cpus": history.cpus, "tasks": [task.replace("_", " ") for task in history.tasks],
        "counters": dict(history.counters), "begin": list(history.begin), **_part(history, {}),
    }  # fmt: skip


def grow(payload: Payload, history: History, *, keep: int | None = None) -> Payload:
    """Add to `payload` what `history` has more, and return that part alone; `Run.grow` of scene.js adds it, too.

    With `keep` only so many steps stay, and what follows takes their place: a step was taken back.
    """
    steps = payload["steps"][:keep]
    kept = {
        "steps": len(steps), "operations": 1 + max((step["operation"] for step in steps), default=-1),
        "sources": len(payload["sources"]) if keep is None else 0,  # after another way they have other numbers
        "reports": sum(found["step"] < len(steps) for found in payload["reports"]),
    }  # fmt: skip
    part = _part(history, kept)
    for name, count in kept.items():
        payload[name] = payload[name][:count] + part[name]
    payload["pools"] = part["pools"]
    return {"from": kept, **part}


def _part(history: History, first: Mapping[str, int]) -> Payload:
    """What of a history follows the first so many steps, operations, sources, reports."""
    reports = [_report(history, found) for found in history.reports[first.get("reports", 0) :]]
    return {
        "pools": [dict(pool) for pool in history.pools],
        "operations": [
            {"text": str(one), "kind": one.kind, "pages": list(one.pages), "cpu": one.cpu}
            for one in history.operations[first.get("operations", 0) :]
        ],
        "sources": [dict(source) for source in history.sources[first.get("sources", 0) :]],
        "steps": [_step(moment) for moment in history.moments[first.get("steps", 0) :]],
        "reports": reports,
    }  # fmt: skip


def _step(moment: Moment) -> Payload:
    return {
        "say": moment.say, "event": moment.event, "story": moment.event is not None or moment.kind in STORY,
        "subject": moment.subject, "operation": moment.operation, "cpu": moment.cpu, "stack": moment.stack,
        "holds": moment.holds, "refs": moment.refs, "changes": moment.changes, "cpus": moment.cpus,
    }  # fmt: skip


def _report(history: History, found: Report) -> Payload:
    step = min(found.step, len(history) - 1)
    watch, stage = history.session.watching, history.session.machine.stage
    entry = watch.numbers.get(id(found.thing)) if is_entry(found.thing) else None
    field = KERNEL_FIELDS.get(found.field, found.field)
    return {
        "kind": found.kind, "text": found.text, "step": step, "cpu": history[step].cpu, "access": found.access,
        "say": _said(found, field, None if entry is None else watch.names[entry]) or history[step].say,
        "size": found.size, "offset": found.offset, "field": field, "function": found.function,
        "thing": "" if found.thing is None else name_of(found.thing), "entry": entry,
        "bytes": ENTRY_BYTES_WITH_LINKS if stage.entry_lru else ENTRY_BYTES,
        "used": _trace(history, found.used), "freed": _trace(history, found.freed),
        "allocated": _trace(history, found.allocated), "page": found.page, "whose": found.whose,
        "trail": [[number, list(places)] for number, places in found.trail],
        "waits": [[wait.cpu, wait.lock, wait.holder, wait.finished] for wait in found.waits],
        "chains": [
            {"outer": order.outer, "inner": order.inner, "task": order.task, "rows": list(order.stack)}
            for order in found.chains
        ],
    }  # fmt: skip


def _said(found: Report, field: str, page: int | None) -> str:
    """A report of freed memory, a broken list or an order of locks as a sentence; of anything else nothing.

    `field` is what the kernel calls the field, `page` the page whose entry it is, or None.
    """
    done = "read" if found.access == "read" else "written"
    if found.kind == "KASAN" and found.size is None:
        return f"**Use after free.** The {name_of(found.thing)} is freed, yet its field `{field}` is {done}."
    if found.kind == "KASAN":
        whose = "An entry" if page is None else f"Page {page}’s entry"
        where = ": the LRU leads into freed memory" if found.access == "write" and field.startswith("lru.") else ""
        return f"**Use after free.** {whose} is freed, yet {found.size} bytes of it, `{field}`, are {done}{where}."
    if found.kind == "lockdep":
        new, known = found.chains[0], found.chains[-1]
        return (
            f"**Lockdep.** {new.task} takes the {new.inner} while it holds the {new.outer}; {known.task} has taken "
            f"the {known.inner} while it held the {known.outer}: no order can keep both."
        )
    return f"**List debugging:** {found.text.splitlines()[0]}." if found.kind == "list" else ""


def _trace(history: History, trace: Trace | None) -> Payload | None:
    """A stack of a report, innermost first: (function, the kernel's name, number of its source or None, line)."""
    if trace is None:
        return None
    rows = []
    for call in trace.calls:
        source, line = history.session.place(call.code, call.line) or (None, call.line)
        rows.append([call.function, call.kernel, source, line])
    return {"task": trace.task, "step": trace.step, "rows": rows}


# -- a few bytes ----------------------------------------------------------------------------------------


def pack(payload: Mapping[str, Any]) -> bytes:
    """A payload, or a part of one, as compressed JSON (zlib), its steps by column: some 12 bytes a step."""
    steps = payload["steps"][payload.get("before", 0) :]
    columns = {name: [step[name] for step in steps] for name in (steps[0] if steps else ())}
    plain = json.dumps({**payload, "steps": columns}, ensure_ascii=False, separators=(",", ":"))
    return zlib.compress(plain.encode(), 6)  # 9 takes four times as long for a tenth less


def unpack(packed: bytes) -> Payload:
    """What `pack` was given, lists in place of tuples."""
    plain: Payload = json.loads(zlib.decompress(packed))
    columns = plain["steps"]
    steps = [dict(zip(columns, step, strict=True)) for step in zip(*columns.values(), strict=True)]
    plain["steps"] = [_NOT_KEPT] * plain.get("before", 0) + steps
    return plain


# -- the state at a step ----------------------------------------------------------------------------------


def scene(payload: Mapping[str, Any], step: int) -> Payload:
    """The state after `step`: entries, pages, lru (pool -> ids, head first), out, size, full, current, counters, ram,
    disk, and names: the page of every entry so far, by its id.
    """
    entries: dict[int, Any] = {}
    pages: dict[int, Any] = {}
    names: dict[int, Any] = {}
    lru: dict[int, dict[int, None]] = {}
    ram: dict[int, str] = {}
    disk: set[int] = set()
    counters = dict(payload["counters"])
    rest = {"out": None, "size": 0, "full": False, "current": 0}
    for what, first, *more in _until(payload, step):
        if what in ("entry", "page"):
            (entries if what == "entry" else pages).pop(first, None)
            if more[0] is not None:
                (entries if what == "entry" else pages)[first] = more[0]
            if what == "entry" and more[0] is not None:
                names[first] = more[0]["page"]
        elif what in ("lru+", "lru-"):
            lru.setdefault(first, {}).pop(more[0], None)
            if what == "lru+":
                lru[first][more[0]] = None
        elif what == "counters":
            counters |= first
        elif what == "ram":
            ram[first] = more[0]
            if more[0] == "freed":
                disk.discard(first)
        elif what == "disk":
            disk.add(first)
        else:
            rest[what] = first
    order = {pool: [*reversed(ids)] for pool, ids in lru.items()}
    return {
        "entries": entries, "pages": pages, "names": names, "lru": order, "ram": ram, "disk": disk,
        "counters": counters, **rest,
    }  # fmt: skip


def _until(payload: Mapping[str, Any], step: int) -> Iterable[Any]:
    yield from payload["begin"]
    for past in payload["steps"][: step + 1]:
        yield from past["changes"]
