"""The shipped recordings: made by data/slim.py, documented, small, and worth as much as the full ones."""

from __future__ import annotations

import gzip
import hashlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.trace.altered import shared
from zswaplab.trace.conform import conform
from zswaplab.trace.read import read
from zswaplab.trace.shipped import data_dir, find_run, shipped_runs

RUNS = sorted(shipped_runs())


def rows_of(folder: Path) -> bytes:
    return gzip.decompress((folder / "trace.csv.gz").read_bytes())


@pytest.mark.parametrize("run", RUNS)
def test_its_card_says_what_it_is(run: str) -> None:
    folder = find_run(run)
    card = (folder / "README.md").read_text()
    for said in (run, "CC0-1.0", "QEMU", "Linux", "left out", "data/slim.py"):
        assert said in card, said
    for column in read(folder).columns:
        assert f"`{column}`" in card or f"`{column}`" in (data_dir() / "README.md").read_text(), column
    digests = re.findall(r"\b[0-9a-f]{64}\b", card)
    content = rows_of(folder), (folder / "counters.json").read_bytes()
    assert digests == [hashlib.sha256(data).hexdigest() for data in content]


@pytest.mark.parametrize("run", RUNS)
def test_it_is_small_and_the_same_wherever_it_is_made(run: str) -> None:
    trace = (find_run(run) / "trace.csv.gz").read_bytes()
    assert len(trace) < 1_500_000
    assert trace[4:8] == bytes(4), "a time in the head of the gzip file"
    assert not trace[3] & 8, "a file name in the head of the gzip file"


@pytest.mark.parametrize("run", RUNS)
def test_every_row_and_every_column_that_is_compared_was_kept(run: str, tmp_path: Path) -> None:
    full = read(shared(run))
    kept = read(find_run(run))
    assert len(kept.rows) == len(full.rows)
    dropped = {"ts_us", "ts_end_us", "cpu", "task"}
    for ours, theirs in zip(kept.rows, full.rows, strict=True):
        lost = {"hval"} if ours.op == "store" else set()
        assert ours.points == theirs.points
        assert ours.cells == {key: cell for key, cell in theirs.cells.items() if key not in dropped | lost}


@pytest.mark.slow
@pytest.mark.parametrize("run", RUNS)
def test_it_conforms_exactly_as_the_full_one(run: str) -> None:
    ours, full = conform(run), conform(shared(run))
    assert ours.agrees
    assert (ours.counts, ours.reasons) == (full.counts, full.reasons)
    assert [row.line for row in ours.inferred] == [row.line for row in full.inferred]


@pytest.mark.parametrize("run", RUNS)
def test_the_script_makes_it_again(run: str, tmp_path: Path) -> None:
    command = [sys.executable, data_dir() / "slim.py", shared(run), tmp_path / run]
    made = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert rows_of(tmp_path / run) == rows_of(find_run(run))
    assert (tmp_path / run / "counters.json").read_bytes() == (find_run(run) / "counters.json").read_bytes()
    assert made.split()[0] == hashlib.sha256(rows_of(tmp_path / run)).hexdigest()


def test_the_script_says_how_it_is_used() -> None:
    done = subprocess.run([sys.executable, data_dir() / "slim.py"], capture_output=True, text=True)
    assert done.returncode == 1
    assert "python data/slim.py FULL-RECORDING" in done.stderr


def test_the_overview_names_every_run() -> None:
    overview = (data_dir() / "README.md").read_text()
    assert all(run in overview for run in RUNS)
