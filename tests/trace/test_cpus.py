"""Two CPUs: the order of steps in operations that overlap is inferred where something recorded shows it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.trace.altered import load, shared
from zswaplab.trace.conform import conform
from zswaplab.trace.explain import replay_in_order
from zswaplab.trace.read import read
from zswaplab.trace.replay import Replay
from zswaplab.trace.tables import replay

RUN = "61-zbud-lzo-pressure-2cpu"
LINES = 75_000  # the first seconds in which both CPUs swap


def of_stores(found: dict[int, str], rows: list[int]) -> Counter[str]:
    return Counter(found[line] for line in rows if line in found)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return load(shared(RUN), LINES).write(tmp_path_factory.mktemp("cpus") / RUN)


@pytest.mark.slow
def test_an_order_is_inferred_and_explains_most(folder: Path) -> None:
    verdict = conform(folder)
    stores = verdict.counts["store"]
    assert stores["order inferred"] > 100
    assert stores["agrees"] + stores["order inferred"] > 4 * stores["disagrees"]
    assert "ret" not in {what for _, what, *_ in verdict.problems}, "what is decided comes out the same"
    recording = read(folder)
    recording.parameters["cpus"] = 1
    blind = Replay(recording).run()
    rows = [row.line for row in recording.rows if row.op == "store"]
    assert of_stores(blind.findings.found, rows)["agrees"] < stores["agrees"], "without inference fewer agree"


@pytest.mark.slow
def test_the_replay_that_is_watched_is_the_one_that_is_judged(folder: Path) -> None:
    judged = replay_in_order(read(folder))
    recorded = read(folder)
    recorded.parameters["cpus"] = 1
    in_turn = Replay(recorded).run()
    orders = [[page.number for page in one.machine.zswap.pool.zpool.lru] for one in (judged, in_turn)]
    assert orders[0] != orders[1], "it makes a difference"
    replayed = replay(folder)
    _, last = replayed.lru(every=len(replayed.rows))[-1]
    assert [number for number, _ in last] == orders[0][::-1]
