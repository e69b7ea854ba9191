"""An interrupted operation went on, unseen: when, and how far, is found where something recorded shows it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.trace.altered import SHARED
from zswaplab.trace.explain import replay_in_order
from zswaplab.trace.read import Recording, Row, read
from zswaplab.trace.replay import Replay

MIXED = SHARED / "extra" / "p4-zbud-mixed"
LINES = 40_500


@pytest.fixture(scope="module")
def mixed() -> Recording:
    """A stretch in which a writeback is interrupted once it is counted, and a worker's end by a store."""
    if not MIXED.is_dir():
        pytest.skip("the recording is not here: name the folder that has it in ZSWAPLAB_SHARED")
    recording = read(MIXED)
    recording.settings["counters_end"] = {}
    return replace(recording, rows=recording.rows[:LINES])


def problems(replay: Replay) -> set[tuple[str, str]]:
    """What disagrees before the stretch breaks off."""
    return {(row.op, what) for row, what, *_ in replay.findings.problems if row.line < LINES - 100}


@pytest.mark.slow
def test_what_overlaps_the_end_of_a_row_is_looked_at_too(mixed: Recording) -> None:
    worker = {("worker", "reached_full"), ("lru_shrink", "reached_full"), ("writeback", "reached_full")}
    assert problems(Replay(mixed).run()) == {("store", "written_back"), *worker}
    found = replay_in_order(mixed)
    assert problems(found) == set()
    lines = {line for _, line in found.choices}
    assert {row.op for row in mixed.rows if row.line in lines} == {"writeback", "store"}
    assert {found.findings.found[line] for line in lines} == {"order inferred"}


@pytest.mark.slow
def test_a_problem_that_nothing_explains_does_not_end_the_search(mixed: Recording) -> None:
    stores = [row for row in mixed.rows if row.op == "store" and row.line < 39_700]
    wrong = stores[-1]
    cells = {**wrong.cells, "limit_hit": wrong.cells["limit_hit"] + 1}
    altered = Row(wrong.line, wrong.seq, wrong.seq_end, wrong.tid, wrong.parent, wrong.op, cells, wrong.points)
    rows = [altered if row is wrong else row for row in mixed.rows]
    assert problems(replay_in_order(replace(mixed, rows=rows))) == {("store", "limit_hit")}
