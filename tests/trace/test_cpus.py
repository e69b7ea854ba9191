"""Two CPUs: the order of steps in operations that overlap is inferred where something recorded shows it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.trace.altered import load, shared
from zswaplab.trace.conform import conform
from zswaplab.trace.read import read
from zswaplab.trace.replay import Replay

RUN = "61-zbud-lzo-pressure-2cpu"
LINES = 75_000  # the first seconds in which both CPUs swap


def of_stores(found: dict[int, str], rows: list[int]) -> Counter[str]:
    return Counter(found[line] for line in rows if line in found)


@pytest.mark.slow
def test_an_order_is_inferred_and_explains_most(tmp_path: Path) -> None:
    folder = load(shared(RUN), LINES).write(tmp_path / RUN)
    verdict = conform(folder)
    stores = verdict.counts["store"]
    assert stores["order inferred"] > 100
    assert stores["agrees"] + stores["order inferred"] > 4 * stores["disagrees"]
    assert "ret" not in {what for _, what, *_ in verdict.problems}, "what is decided comes out the same"
    recording = read(folder)
    blind = Replay(recording).run()
    rows = [row.line for row in recording.rows if row.op == "store"]
    assert of_stores(blind.found, rows)["agrees"] < stores["agrees"], "without inference fewer agree"
