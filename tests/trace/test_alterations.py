"""A recording in which one thing is altered no longer agrees: whatever the kernel decided is held against the model."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from tests.trace.altered import QUIET, SHARED, SHIPPED, Line, Raw, load, shared
from zswaplab.model.errors import BadInput
from zswaplab.trace.compare import COUNTERS
from zswaplab.trace.conform import conform
from zswaplab.trace.read import read
from zswaplab.trace.replay import Replay

Alteration = Callable[[list[Line]], list[Line] | None]  # None: there is nothing of the kind in these lines


def caught(raw: Raw, folder: Path) -> bool:
    """Whether the recording is refused or disagrees."""
    try:
        return not conform(raw.write(folder)).agrees
    except BadInput:
        return True


def where(lines: list[Line], op: str, **cells: str) -> list[int]:
    """Indices of the lines of that kind with these cells; `cell=""` asks for any that is filled."""
    return [
        index for index, line in enumerate(lines)
        if line["op"] == op and all(line[name] == cell if cell else line[name] for name, cell in cells.items())
    ]  # fmt: skip


def edit(op: str, which: dict[str, str], **changes: Callable[[str], str]) -> Alteration:
    """Change cells of the first such line: what is stored first is also the first to be written back."""

    def alter(lines: list[Line]) -> list[Line] | None:
        found = where(lines, op, **which)
        if not found:
            return None
        index = found[0]
        line = lines[index] | {name: change(lines[index][name]) for name, change in changes.items()}
        return [*lines[:index], line, *lines[index + 1 :]]

    return alter


def exchange(op: str, *columns: str, **which: str) -> Alteration:
    """Exchange these cells of two lines of a kind that follow each other and differ in them."""

    def alter(lines: list[Line]) -> list[Line] | None:
        found = where(lines, op, **which)
        for first, second in pairwise(found):
            one, other = lines[first], lines[second]
            if any(one[name] != other[name] for name in columns):
                result = list(lines)
                result[first] = one | {name: other[name] for name in columns}
                result[second] = other | {name: one[name] for name in columns}
                return result
        return None

    return alter


def drop(op: str, **which: str) -> Alteration:
    """Leave out a line in the middle, with everything that is part of it."""

    def alter(lines: list[Line]) -> list[Line] | None:
        found = where(lines, op, **which)
        if not found:
            return None
        gone = {lines[found[len(found) // 2]]["seq"]}
        kept = []
        for line in lines:
            if line["parent"] in gone:
                gone.add(line["seq"])
            if line["seq"] not in gone:
                kept.append(line)
        return kept

    return alter


def drop_a_point(op: str, name: str) -> Alteration:
    def without(inner: str) -> str:
        return " ".join(word for word in inner.split() if not word.startswith(name + "+"))

    return edit(op, {"inner": ""}, inner=without)


def point(name: str, new: Callable[[int], int]) -> Callable[[str], str]:
    """Change the value of the first such point of a line."""

    def change(inner: str) -> str:
        words = inner.split()
        index = next(index for index, word in enumerate(words) if word.startswith(name + "+"))
        head, _, value = words[index].partition("=")
        words[index] = f"{head}={new(int(value))}"
        return " ".join(words)

    return change


def move_the_worker(lines: list[Line]) -> list[Line] | None:
    """The first run of the worker, with all that its thread did in it, comes before the swap-out that caused it."""
    found = where(lines, "worker")
    if not found:
        return None
    worker = lines[found[0]]
    begin, end = int(worker["seq"]), int(worker["seq_end"])
    before = [int(line["seq"]) for line in lines if line["op"] == "swapout" and int(line["seq"]) < begin][-2]

    def place(line: Line, position: int) -> tuple[int, int, int]:
        moved = line["tid"] == worker["tid"] and begin <= position <= end
        return (before, 0, position) if moved else (position, 1, position)

    places = sorted(place(line, position) for line in lines for position in positions(line))
    number = {key[2]: new for new, key in enumerate(places)}
    return sorted((renumbered(line, number) for line in lines), key=lambda line: int(line["seq"]))


def positions(line: Line) -> set[int]:
    seq = int(line["seq"])
    points = {seq + int(word.partition("+")[2].partition("=")[0]) for word in line["inner"].split()}
    return {seq, int(line["seq_end"] or seq), *points}


def renumbered(line: Line, number: dict[int, int]) -> Line:
    seq = int(line["seq"])
    words = []
    for word in line["inner"].split():
        name, _, rest = word.partition("+")
        offset, equals, value = rest.partition("=")
        words.append(f"{name}+{number[seq + int(offset)] - number[seq]}{equals}{value}")
    parent = str(number[int(line["parent"])]) if line["parent"] else ""
    return line | {"seq": str(number[seq]), "seq_end": str(number[int(line["seq_end"] or seq)]),
                   "parent": parent, "inner": " ".join(words)}  # fmt: skip


def more(cell: str) -> str:
    return str(int(cell) + 1)


def other(cell: str) -> str:
    return str(1 - int(cell))


def elsewhere(cell: str) -> str:
    return f"{int(cell, 16) ^ 64:x}"


def to(cell: str) -> Callable[[str], str]:
    return lambda _: cell


ALTERATIONS: dict[str, Alteration] = {
    "two writebacks change places": exchange("writeback", "offset", "handle", "hval", "mm", "page", "version"),
    "two frees change places": exchange("free", "offset", "length", "handle", "mm", "page", "version"),
    "two slot frees change places": exchange("slot_free", "offset", "mm", "page", "version", page=""),
    "two slots are given up the other way round": exchange("slot_give", "offset"),
    "two stores change places": exchange("store", "handle", ok="1", handle=""),
    "a length": edit("store", {"ok": "1", "alloc_size": ""}, length=more, alloc_size=more),
    "what the backend was asked for": edit("store", {"alloc_size": ""}, alloc_size=more),
    "a store's handle": edit("store", {"handle": ""}, handle=elsewhere),
    "a store's slot": edit("store", {"ok": "1"}, offset=more),
    "a store's outcome": edit("store", {"ok": "1"}, ret=to("-12"), ok=to("0")),
    "a refusal's reason": edit("store", {"ret": "-28"}, ret=to("-22")),
    "a refusal": edit("store", {"ret": "-12"}, ret=to("0"), ok=to("1")),
    "full before": edit("store", {"full_before": "1"}, full_before=other),
    "full after": edit("store", {"reached_full": "1"}, reached_full=other),
    "the limit was looked at": edit("store", {}, inner=point("full", lambda value: 1 - value)),
    "a duplicate was met": edit("store", {"ok": "1"}, inner=point("insert", lambda _: -17)),
    "the pool's size": edit("store", {"ok": "1"}, pool_pages=more),
    "the backend's size": edit("store", {"ok": "1"}, true_pages=more),
    "entries": edit("store", {"ok": "1"}, stored_pages=more),
    "same-filled entries": edit("store", {"ok": "1"}, same_filled=more),
    "refusals at the limit": edit("store", {"ok": "1"}, limit_hit=more),
    "pages written back": edit("writeback", {}, written_back=more),
    "failed reclaims": edit("worker", {}, reject_reclaim_fail=more),
    "refusals of the backend": edit("store", {"ok": "1"}, reject_compress_poor=more),
    "a writeback's slot": edit("writeback", {}, offset=more),
    "a writeback's outcome": edit("writeback", {"ok": "1"}, ret=to("-17"), ok=to("0")),
    "a writeback's header": edit("writeback", {"hval": ""}, hval=elsewhere),
    "a reclaim's outcome": edit("lru_shrink", {"ok": "1"}, ret=to("-11"), ok=to("0")),
    "the worker accepts": edit("worker", {"inner": ""}, inner=point("accept", lambda value: 1 - value)),
    "references": edit("writeback", {"inner": ""}, inner=point("put", lambda value: value + 1)),
    "references of a load": edit("load", {"ok": "1"}, inner=point("put", lambda value: value + 1)),
    "the swap cache had it": edit("writeback", {"inner": ""}, inner=point("cached", lambda _: 1)),
    "a load's outcome": edit("load", {"ok": "1"}, ret=to("-1"), ok=to("0")),
    "whose page": edit("load", {"ok": "1"}, page=more),
    "which contents": edit("swapin", {}, version=more),
    "an invalidate's outcome": edit("invalidate", {"ok": "1"}, ok=to("0")),
    "an entry's length when freed": edit("free", {}, length=more),
    "where a freed object lay": edit("free", {"handle": ""}, handle=elsewhere),
    "an invalidate is gone": drop("invalidate"),
    "a free is gone": drop("free"),
    "a store is gone": drop("store", ok="1"),
    "a writeback is gone": drop("writeback"),
    "a reclaim is gone": drop("lru_shrink"),
    "a disk write is gone": drop("diskwrite"),
    "a slot given up is gone": drop("slot_give"),
    "a freed slot is gone": drop("slot_free", page=""),
    "a page's way into the swap cache is gone": drop("swapcache_add"),
    "a swap-out is gone": drop("swapout"),
    "a run of the worker is gone": drop("worker"),
    "a mapping is gone": drop_a_point("writeback", "map"),
    "a search is gone": drop_a_point("lru_shrink", "find"),
    "the worker ran earlier": move_the_worker,
}
SOURCES = ("exact", "overflow")  # the short one first: the other is for what only it has
RECLAIMED = 5109  # rows of base-zsmalloc-overflow after which nothing is under way: its second worker run is over
ZSMALLOC = ("zsmalloc", "zsmalloc-reclaim")
RUNS = {  # what is not shipped, and how much of it
    "zsmalloc": ("p4-zsmalloc-exact", None), "zsmalloc-reclaim": ("base-zsmalloc-overflow", RECLAIMED),
}  # fmt: skip
SHORTER = {"overflow": "exact", "zsmalloc-reclaim": "zsmalloc"}  # without reclaim


@pytest.fixture(scope="module")
def recordings() -> dict[str, Raw]:
    """A stretch of the shipped run with writebacks and refusals, and a short run with the rest: of the same kernel,
    where that recording is here."""
    same = SHARED / "patch-series" / "p2-zbud-exact"
    exact = same if same.is_dir() else SHIPPED.parent / "f65-zbud-exact-on"
    return {"overflow": load(SHIPPED, QUIET), "exact": load(exact)}


def source(name: str, recordings: dict[str, Raw]) -> Raw:
    if name not in recordings:
        run, lines = RUNS[name]
        recordings[name] = load(shared(run), lines)
    return recordings[name]


@pytest.mark.slow
@pytest.mark.parametrize("name", [*SOURCES, *RUNS])
def test_unaltered_it_agrees(name: str, recordings: dict[str, Raw], tmp_path: Path) -> None:
    assert not caught(source(name, recordings), tmp_path / "run")


@pytest.mark.slow
@pytest.mark.parametrize("alteration", ALTERATIONS)
def test_an_alteration_is_caught(alteration: str, recordings: dict[str, Raw], tmp_path: Path) -> None:
    for name in SOURCES:
        raw = source(name, recordings)
        lines = ALTERATIONS[alteration](raw.lines)
        if lines is not None and lines != raw.lines:
            assert caught(raw.with_lines(lines), tmp_path / name), name
            return
    pytest.fail("no recording has anything of the kind")


@pytest.mark.parametrize(
    ("run", "op", "name"),
    [
        ("zsmalloc", "store", "object"),
        ("zsmalloc", "invalidate", "pagefree"),
        ("zsmalloc-reclaim", "shrink", "pagefree"),
    ],
)
@pytest.mark.slow
def test_another_address_of_a_zspage_is_caught(
    run: str, op: str, name: str, recordings: dict[str, Raw], tmp_path: Path
) -> None:
    raw = source(run, recordings)
    index = [index for index in where(raw.lines, op) if f" {name}+" in f" {raw.lines[index]['inner']}"][-1]
    line = raw.lines[index]
    value = next(word for word in line["inner"].split() if word.startswith(f"{name}+")).partition("=")[2]
    altered = line | {"inner": line["inner"].replace(value, elsewhere(value))}
    assert caught(raw.with_lines([*raw.lines[:index], altered, *raw.lines[index + 1 :]]), tmp_path / "run")


@pytest.mark.parametrize("counter", ["stored_pages", "pool_limit_hit", "written_back_pages", "pool_total_size"])
@pytest.mark.parametrize("when", ["counters_workload_exit", "counters_end"])
def test_the_last_counters_are_compared(counter: str, when: str, recordings: dict[str, Raw], tmp_path: Path) -> None:
    raw = source("exact", recordings)
    settings = raw.settings | {when: raw.settings[when] | {f"zswap.{counter}": 4096 * 7}}
    assert caught(Raw(raw.header, raw.lines, settings), tmp_path / "run")


def test_a_worker_that_nobody_asked_for_is_named(recordings: dict[str, Raw], tmp_path: Path) -> None:
    raw = recordings["overflow"]
    worker = raw.lines[where(raw.lines, "worker")[0]]
    lines = [*raw.lines[: where(raw.lines, "store", ret="-12")[0] - 3], worker]  # before anything is full
    verdict = conform(raw.with_lines(lines).write(tmp_path / "run"))
    assert "has not queued it" in verdict.first_problem()


def test_a_trial_is_only_cut_short_by_a_problem_that_comes_early(recordings: dict[str, Raw], tmp_path: Path) -> None:
    raw = recordings["overflow"]
    worker = where(raw.lines, "worker")[0]
    inside = next(index for index in where(raw.lines, "lru_shrink") if index > worker)
    wrong = raw.lines[inside] | {"ret": "-11", "ok": "0"}
    recording = read(raw.with_lines([*raw.lines[:inside], wrong, *raw.lines[inside + 1 :]]).write(tmp_path / "run"))
    trial = Replay(recording).run(stop_at=int(raw.lines[worker]["seq"]))
    assert trial.findings.problems and max(trial.findings.found) > len(raw.lines) - 10


def test_workers_that_nobody_asked_for_do_not_take_the_pool_with_them(
    recordings: dict[str, Raw], tmp_path: Path
) -> None:
    raw = recordings["overflow"]
    worker = raw.lines[where(raw.lines, "worker")[0]]
    length = int(worker["seq_end"]) - int(worker["seq"])
    spare = [worker | {"seq": str(100 + k), "seq_end": str(100 + k + length)} for k in (0, length + 1)]
    verdict = conform(raw.with_lines([*raw.lines[:1], *spare]).write(tmp_path / "run"))  # nothing is stored yet
    assert verdict.counts["worker"]["disagrees"] == 2


# Every column of every kind of row

POSITIONS = {"seq", "seq_end", "ts_us", "ts_end_us", "cpu", "task", "tid", "op"}  # where and when, not what
RESULTS = {*COUNTERS, "full_before", "pool_pages_before", "true_before", "pool_pages", "reached_full", "true_pages"}
BEFORE = ("store", "hval")  # with zbud whatever lay in memory before: nothing determines it
Column = tuple[str, str]  # kind of row, name


def columns(raw: Raw) -> dict[Column, list[int]]:
    """Every filled column of every kind of row but the program's own -> the lines that have it."""
    found: dict[Column, list[int]] = defaultdict(list)
    for index, line in enumerate(raw.lines):
        for name, cell in line.items():
            if cell and name not in POSITIONS and not line["op"].startswith("w:"):
                found[line["op"], name].append(index)
    return found


def altered(line: Line, name: str, choose: random.Random) -> Line:
    """The line with something else in that cell."""
    cell = line[name]
    if name in ("handle", "hval"):
        cell = elsewhere(cell)
    elif name in ("ok", "full_before", "reached_full"):
        cell = other(cell)
    elif name == "inner":
        words = cell.split()
        words.remove(choose.choice([word for word in words if not word.startswith("submit+")]))  # a row says that too
        cell = " ".join(words)
    else:
        cell = more(cell)
    return line | {name: cell}


@pytest.mark.slow
@pytest.mark.parametrize("name", [*SOURCES, *RUNS])
def test_every_filled_column_counts(name: str, recordings: dict[str, Raw], tmp_path: Path) -> None:
    """Those that the shorter recording of the same backend has too are altered there."""
    raw, choose = source(name, recordings), random.Random(1)
    left_out = RESULTS if name in ZSMALLOC else {*RESULTS, BEFORE}
    there = columns(source(SHORTER[name], recordings)) if name in SHORTER else {}
    missed = []
    for (op, column), rows in columns(raw).items():
        if not {column, (op, column)} & left_out and (op, column) not in there:
            lines, index = list(raw.lines), choose.choice(rows)
            lines[index] = altered(lines[index], column, choose)
            if not caught(raw.with_lines(lines), tmp_path / "run"):
                missed.append(f"{op}: {column}")
    assert missed == []


@pytest.mark.slow
@pytest.mark.parametrize("name", [*SOURCES, *RUNS])
def test_every_result_counts(name: str, recordings: dict[str, Raw], tmp_path: Path) -> None:
    every_result_is_compared(source(name, recordings), tmp_path / "run")


def every_result_is_compared(raw: Raw, folder: Path) -> None:
    """What the kernel came to decides nothing in a replay: so one of each column is altered, all together."""
    lines, choose = list(raw.lines), random.Random(1)
    wrong = {(choose.choice(rows), name) for (op, name), rows in columns(raw).items() if name in RESULTS}
    for index, name in wrong:
        lines[index] = altered(lines[index], name, choose)
    found = {(row.line - 2, what) for row, what, *_ in conform(raw.with_lines(lines).write(folder)).problems}
    assert found == wrong


# Another kernel's code


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["base", "rfc2-1", "rfc2-7", "v6.5"])
def test_the_shipped_run_is_of_no_other_stage(stage: str, recordings: dict[str, Raw], tmp_path: Path) -> None:
    verdict = conform(recordings["overflow"].write(tmp_path / "run"), stage)
    assert not verdict.agrees
    assert verdict.first_problem() in verdict.text()
