"""No operation disagrees: the model against every recording of its stages, and the README's table made again."""

from __future__ import annotations

import pytest

from tests.trace.altered import SHARED, shared
from tests.trace.whole import RUNS, SHORT, TABLE, counts
from zswaplab.trace.conform import conform

TWO_CPUS = "61-zbud-lzo-pressure-2cpu"


def test_every_recording_of_one_cpu_is_in_the_readme() -> None:
    if not SHARED.is_dir():
        pytest.skip("the recordings are not here")
    found = [*SHARED.glob("61-*/trace.csv.gz"), *SHARED.glob("patch-series/*/trace.csv.gz")]
    assert set(RUNS) == {path.parent.name for path in found} - {TWO_CPUS}


def test_the_readme_adds_up() -> None:
    for numbers in TABLE.values():
        assert numbers[0] == sum(numbers[1:])
        assert numbers[-1] == 0, "no operation disagrees"
    assert TABLE["all"] == [sum(column) for column in zip(*(TABLE[run] for run in RUNS), strict=True)]


@pytest.mark.parametrize("run", SHORT)
def test_a_short_run_is_as_in_the_readme(run: str) -> None:
    verdict = conform(shared(run))
    assert verdict.agrees, verdict.text()
    assert counts(verdict) == TABLE[run]


@pytest.mark.parametrize(("run", "stage"), [
    ("p7-zbud-exact", "rfc2-6"), ("f65-zbud-exact-on", "7"), ("base-zbud-exact", "v6.5"),
    ("x2base-zbud-exact-on", "rfc2-4"), ("x1base-zbud-exact", "v6.1"),
    ("p4-zsmalloc-exact", "v6.1"), ("base-zsmalloc-exact", "4"),
])  # fmt: skip
def test_another_kernels_stage_disagrees(run: str, stage: str) -> None:
    verdict = conform(shared(run), stage)
    assert not verdict.agrees
