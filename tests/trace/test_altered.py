"""A recording with a lie in it is written beside the true one, and found out."""

from __future__ import annotations

from pathlib import Path

import pytest

from zswaplab.model.errors import BadInput
from zswaplab.trace.altered import altered
from zswaplab.trace.conform import conform
from zswaplab.trace.read import read
from zswaplab.trace.shipped import find_run

RUN = "f65-zbud-exact-on"


def test_one_cell_is_changed_and_found_out(tmp_path: Path) -> None:
    row = next(row for row in read(find_run(RUN)).rows if row.op == "store" and "length" in row.cells)
    folder = altered(RUN, tmp_path / "lie", row.line, stored_pages=row.cells["stored_pages"] + 1)
    before, after = read(find_run(RUN)).rows, read(folder).rows
    changed = [mine for mine, theirs in zip(after, before, strict=True) if dict(mine.cells) != dict(theirs.cells)]
    assert [mine.line for mine in changed] == [row.line]
    verdict = conform(folder)
    assert not verdict.agrees
    assert f"> {row.line:>7}" in verdict.text()
    assert conform(RUN).agrees


@pytest.mark.parametrize("line", [-1, 1, 10**6])
def test_a_line_that_is_not_there(line: int, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=rf"line={line} is not one of"):
        altered(RUN, tmp_path / "lie", line, ret=0)
    assert list(tmp_path.iterdir()) == []


def test_a_column_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such column; it has seq"):
        altered(RUN, tmp_path / "lie", 5, speed=3)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="name a new one"):
        altered(RUN, tmp_path, 5, ret=0)
    assert list(tmp_path.iterdir()) == []
