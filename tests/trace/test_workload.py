"""What a recorded program did first, as a workload: what was written, and nothing that no swap sees."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import pytest

from zswaplab import Setup, record
from zswaplab.model.errors import BadInput
from zswaplab.trace.read import read, read_head
from zswaplab.trace.shipped import shipped_runs
from zswaplab.trace.variants import machine_for
from zswaplab.trace.workload import first_operations, settings_of

VERBS = {"w:write": "write", "w:read": "read", "w:pageout": "page_out", "w:free": "free"}


def test_it_is_what_the_recordings_rows_say() -> None:
    rows = read(shipped_runs()["f65-zbud-exact-on"]).rows
    done = [f"{VERBS[row.op]} {row.cells['page']}" for row in rows if row.op in VERBS]
    lines = first_operations("f65-zbud-exact-on", 10_000)
    left, rest = [], iter(lines)
    line = next(rest)
    for number, one in enumerate(done):
        if one == line:
            line = next(rest, "")
        else:
            left.append(number)
    assert line == "" and left
    for number in left:  # the page holds nothing then
        page = done[number].split()[1]
        before = [one for one in done[:number] if one in (f"write {page}", f"free {page}")]
        assert before[-1:] in ([], [f"free {page}"])
    assert first_operations("f65-zbud-exact-on", 7) == lines[:7]


@pytest.mark.parametrize("run", shipped_runs())
def test_every_recordings_beginning_runs_with_its_kernels_settings(run: str) -> None:
    settings = settings_of(run)
    made = machine_for(read_head(shipped_runs()[run])).made_with
    assert settings == {name: made[name] for name in settings}
    history = record(Setup(workload=first_operations(run, 40), **settings))
    assert history.fault is None and len(history.operations) >= 40


def test_a_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="neither a folder nor a recording"):
        first_operations("no-such-run", 3)
    (tmp_path / "trace.csv.gz").write_bytes(b"no gzip")
    with pytest.raises(BadInput, match=r"trace\.csv\.gz: cannot be read"):
        first_operations(tmp_path, 3)
    with gzip.open(tmp_path / "trace.csv.gz", "wt", newline="") as file:
        csv.writer(file).writerows([["op", "page"], ["w:write", "three"]])
    with pytest.raises(BadInput, match=r"trace\.csv\.gz: cannot be read"):
        first_operations(tmp_path, 3)
