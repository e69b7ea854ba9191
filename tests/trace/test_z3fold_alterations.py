"""Whatever a recording says of where z3fold puts objects is held against the model: altered, it is caught."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.trace.altered import Line, Raw, load, shared
from tests.trace.test_alterations import caught, every_result_is_compared
from zswaplab.trace.conform import conform

QUIET = {"base-z3fold-overflow": 13_314, "p3-z3fold-overflow": 13_685}  # rows after which nothing is under way
ROWS = {  # which cells, in rows of which kind
    "z3fold_compact": ("ok", "handle", "hval", "chunks", "object", "inner"),
    "z3fold_release": ("handle", "hval", "chunks", "object"),
    "store": ("handle", "hval", "inner"),
    "writeback": ("handle", "hval"),
    "free": ("handle",),
}  # fmt: skip
POINTS = [
    *(("store", name) for name in ("pick", "list")),
    *(("z3fold_compact", name) for name in ("pick", "list", "move", "slide")),
]
LONGEST_SHARED = 3904  # bytes: of a longer object, in a page alone, nothing determines what its handle points to
Read = Callable[[str], Raw]


@pytest.fixture(scope="module")
def recording() -> Read:
    """A run's first rows, read once."""
    read: dict[str, Raw] = {}
    return lambda run: read.get(run) or read.setdefault(run, load(shared(run), QUIET[run]))


def alter(name: str, cell: str) -> str:
    """Something else that could stand there."""
    if name in ("handle", "hval", "object"):
        return f"{int(cell, 16) ^ 8:x}"
    if name == "chunks":
        *others, foreign = cell.split("/")
        return "/".join([*others, str(int(foreign) + 1)])
    return str(1 - int(cell) if name == "ok" else int(cell) + 1)


def altered_point(inner: str, name: str) -> str:
    """The value of the first such point, changed."""
    words = inner.split()
    index = next(index for index, word in enumerate(words) if word.startswith(name + "+"))
    head, _, value = words[index].partition("=")
    page, colon, chunks = value.partition(":")
    if colon:
        chunks = alter("chunks", chunks)
    else:
        page = str(int(page) + 1) if name == "slide" else f"{int(page, 16) ^ 4096:x}"
    words[index] = f"{head}={page}{colon}{chunks}"
    return " ".join(words)


def determined(line: Line, name: str) -> bool:
    return name != "hval" or line["op"] != "store" or int(line["alloc_size"]) <= LONGEST_SHARED


def changed(lines: list[Line], index: int, name: str, cell: str) -> list[Line]:
    return [*lines[:index], lines[index] | {name: cell}, *lines[index + 1 :]]


@pytest.mark.slow
@pytest.mark.parametrize("run", QUIET)
def test_unaltered_it_agrees(run: str, recording: Read, tmp_path: Path) -> None:
    verdict = conform(recording(run).write(tmp_path / "run"))
    assert verdict.agrees, verdict.text()


@pytest.mark.slow
@pytest.mark.parametrize("run", QUIET)
def test_every_result_counts(run: str, recording: Read, tmp_path: Path) -> None:
    every_result_is_compared(recording(run), tmp_path / "run")


@pytest.mark.slow
@pytest.mark.parametrize(("op", "name"), [(op, name) for op, names in ROWS.items() for name in names])
def test_a_cell_that_is_altered_is_caught(op: str, name: str, recording: Read, tmp_path: Path) -> None:
    raw, index = line_with(recording, lambda line: line["op"] == op and bool(line[name]) and determined(line, name))
    cell = raw.lines[index][name]
    new = " ".join(cell.split()[1:]) if name == "inner" else alter(name, cell)
    assert caught(raw.with_lines(changed(raw.lines, index, name, new)), tmp_path / "run"), raw.lines[index]


@pytest.mark.slow
@pytest.mark.parametrize(("op", "name"), POINTS)
def test_a_point_that_is_altered_is_caught(op: str, name: str, recording: Read, tmp_path: Path) -> None:
    raw, index = line_with(recording, lambda line: line["op"] == op and f"{name}+" in line["inner"])
    inner = altered_point(raw.lines[index]["inner"], name)
    assert caught(raw.with_lines(changed(raw.lines, index, "inner", inner)), tmp_path / "run"), raw.lines[index]


def line_with(recording: Read, condition: Callable[[Line], bool]) -> tuple[Raw, int]:
    """One of the lines of which that is true, of the first recording that has any."""
    for raw in map(recording, QUIET):
        if found := [index for index, line in enumerate(raw.lines) if condition(line)]:
            return raw, random.Random(1).choice(found)
    raise AssertionError("no recording has anything of the kind")


@pytest.mark.slow
@pytest.mark.parametrize("op", ["z3fold_compact", "z3fold_release"])
def test_a_row_that_is_missing_is_caught(op: str, recording: Read, tmp_path: Path) -> None:
    raw = recording("p3-z3fold-overflow")
    gone = [line["seq"] for line in raw.lines if line["op"] == op][7]
    lines = [line for line in raw.lines if gone not in (line["seq"], line["parent"])]
    assert caught(raw.with_lines(lines), tmp_path / "run")


@pytest.mark.slow
def test_two_compactions_that_change_places_are_caught(recording: Read, tmp_path: Path) -> None:
    raw = recording("p3-z3fold-overflow")
    lines = list(raw.lines)
    waiting = [i for i, line in enumerate(lines) if line["op"] == "z3fold_compact" and not line["parent"]]
    columns = ("handle", "chunks", "hval", "object", "ok", "inner", "true_pages")
    one, other = waiting[3], waiting[4]
    lines[one], lines[other] = (
        lines[one] | {name: lines[other][name] for name in columns},
        lines[other] | {name: lines[one][name] for name in columns},
    )
    assert caught(raw.with_lines(lines), tmp_path / "run")


@pytest.mark.slow
@pytest.mark.parametrize(("run", "stage"), [("p3-z3fold-overflow", "base"), ("base-z3fold-overflow", "rfc2-3")])
def test_another_stages_z3fold_disagrees(run: str, stage: str, recording: Read, tmp_path: Path) -> None:
    assert not conform(recording(run).write(tmp_path / "run"), stage).agrees


def interrupted(lines: list[Line]) -> list[Line]:
    """A kworker's compaction that moves an object is interrupted before it ends: by the next one, in another thread."""
    for index, (one, release, other) in enumerate(zip(lines, lines[1:], lines[2:], strict=False)):
        kinds = [line["op"] + line["ok"] for line in (one, release, other)]
        if kinds == ["z3fold_compact1", "z3fold_release", "z3fold_compact0"] and not (one["parent"] or other["parent"]):
            still = {"true_before": one["true_before"], "true_pages": one["true_before"], "tid": "9999"}
            earlier = {name: str(int(other[name]) - 1) for name in ("seq", "seq_end")}
            return [*lines[:index], one | {"seq_end": other["seq_end"]}, release, other | still | earlier]
    raise AssertionError("none in these rows")


@pytest.mark.slow
def test_what_a_compaction_moved_is_its_own_threads(tmp_path: Path) -> None:
    raw = load(shared("p3-z3fold-overflow"), 33_000)
    verdict = conform(raw.with_lines(interrupted(raw.lines)).write(tmp_path / "run"))
    assert verdict.counts["z3fold_compact"]["disagrees"] == 0, verdict.text()
