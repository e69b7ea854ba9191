"""One table says what each kind of row has in which column; whatever it calls predicted is held against the model."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.trace.altered import QUIET, SHIPPED, Line, Raw, load
from tests.trace.cells import alterations, found
from zswaplab.model.errors import BadInput
from zswaplab.trace.columns import POINTS, PREDICTED, TABLE, columns_of, rows
from zswaplab.trace.conform import conform
from zswaplab.trace.shipped import shipped_runs

SMALL = shipped_runs()["f65-zbud-exact-on"]
RECORDED = sorted((Path(__file__).parent / "recorded").glob("*/"))


@pytest.fixture(scope="module")
def small() -> Raw:
    return load(SMALL)


@pytest.fixture(scope="module")
def overflow() -> Raw:
    return load(SHIPPED, QUIET)


def caught(raw: Raw, folder: Path, line: int, change: Callable[[Line], Line]) -> bool:
    """Whether the recording is refused or disagrees with that line (counted from 1, the header) changed."""
    index = line - 2
    altered = raw.lines[index] | change(raw.lines[index])
    return found(raw, index, altered, folder / "run")


def first(raw: Raw, op: str, **cells: str) -> int:
    """The line of the first such row."""
    return next(n for n, line in enumerate(raw.lines, 2) if line["op"] == op and cells.items() <= line.items())


# The table


@pytest.mark.slow
@pytest.mark.parametrize(
    "folder", [SMALL, SHIPPED, *(path for path in RECORDED if path.is_dir())], ids=lambda p: p.name
)
def test_every_column_that_occurs_is_in_the_table(folder: Path) -> None:
    raw = load(folder)
    occurs = {(line["op"], name) for line in raw.lines for name, cell in line.items() if cell}
    assert not [(op, name) for op, name in occurs if name not in columns_of(op)]
    points = {word.partition("+")[0] for line in raw.lines for word in line["inner"].split()}
    assert points <= set(POINTS)


def test_the_table_is_printed_whole() -> None:
    printed = {(kind, column) for kind, column, *_ in rows()}
    assert {(kind, column.name) for kind, columns in TABLE.items() for column in columns} < printed


# What is altered is found


@pytest.mark.slow
def test_cells_of_predicted_columns_altered_one_by_one_are_found(small: Raw, tmp_path: Path) -> None:
    cells = zip(range(150), alterations(small, random.Random(3)), strict=False)
    missed = [(op, what, index + 2) for _, (op, what, index, line) in cells if not found(small, index, line, tmp_path)]
    assert missed == []


@pytest.mark.parametrize(("op", "column", "cell"), [
    ("load", "length", "77"), ("free", "stored_pages", "77"), ("diskwrite", "stored_pages", "77"),
    ("diskwrite", "ret", "-5"), ("store", "chunks", "1/0/0/0/0"), ("store", "object", "ffff"),
    ("store", "reject_kmemcache_fail", "0"), ("store", "ok", "2"), ("invalidate", "ok", ""), ("load", "ok", "2"),
])  # fmt: skip
def test_a_column_that_a_kind_of_row_has_not_is_refused(
    op: str, column: str, cell: str, small: Raw, overflow: Raw, tmp_path: Path
) -> None:
    raw = overflow if op == "diskwrite" else small
    header = list(dict.fromkeys([*raw.header, column]))
    index = first(raw, op) - 2
    lines = [{column: "", **line} for line in raw.lines[: index + 1]]
    lines[index][column] = cell
    with pytest.raises(BadInput, match=rf"line {index + 2}: .*{column}"):
        conform(Raw(header, lines, raw.settings).write(tmp_path / "run"))


@pytest.mark.parametrize("name", [name for name, has in POINTS.items() if has])
def test_a_point_without_its_value_is_refused(name: str, small: Raw, tmp_path: Path) -> None:
    index = first(small, "store", ok="1") - 2
    lines = [*small.lines[:index], small.lines[index] | {"inner": f"{name}+1"}]
    with pytest.raises(BadInput, match=rf"line {index + 2}: inner point '{name}\+1' needs a value"):
        conform(small.with_lines(lines).write(tmp_path / "run"))


@pytest.mark.slow
def test_each_cell_that_a_row_always_has_may_not_be_blank(small: Raw, tmp_path: Path) -> None:
    store = first(small, "store", ok="1", length="486")
    names = [name for name, cell in small.lines[store - 2].items() if cell and name not in ("hval", "task", "cpu")]
    blank = [name for name in names if not caught(small, tmp_path, store, lambda _, name=name: {name: ""})]
    assert blank == []


# The program's own rows


@pytest.mark.parametrize(("op", "column"), [
    ("w:read", "version"), ("w:read", "mm"), ("w:write", "mm"), ("w:pageout", "mm"), ("w:free", "mm"),
    ("w:pageout", "page"), ("w:sample", "length"),
])  # fmt: skip
def test_what_the_program_says_is_held_against_what_follows(op: str, column: str, small: Raw, tmp_path: Path) -> None:
    assert caught(small, tmp_path, first(small, op), lambda line: {column: str(int(line[column]) + 1)})


# A writeback's own way through the swap cache and to the device


@pytest.mark.slow
def test_a_nested_swapcache_add_is_compared(overflow: Raw, tmp_path: Path) -> None:
    inside = next(n for n, line in enumerate(overflow.lines, 2) if line["op"] == "swapcache_add" and line["parent"])
    assert caught(overflow, tmp_path, inside, lambda _: {"ret": "-17", "ok": "0"})


@pytest.mark.slow
@pytest.mark.parametrize("change", [
    lambda inner: inner.replace(" submit+155", ""),
    lambda inner: inner.replace("unmap+154 submit+155", "submit+154 unmap+155"),
], ids=["dropped", "exchanged"])  # fmt: skip
def test_where_a_writeback_submits_its_page_is_compared(
    change: Callable[[str], str], overflow: Raw, tmp_path: Path
) -> None:
    writeback = first(overflow, "writeback")
    inner = overflow.lines[writeback - 2]["inner"]
    assert change(inner) != inner
    assert caught(overflow, tmp_path, writeback, lambda _: {"inner": change(inner)})


def test_most_of_the_table_is_predicted() -> None:
    uses = [column.use for columns in TABLE.values() for column in columns]
    assert uses.count(PREDICTED) > len(uses) / 2
