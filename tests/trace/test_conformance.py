"""No operation disagrees: the model against every recording of its stages, and the README's table made again."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from zswaplab.trace.conform import CLASSES, Verdict, conform, conform_all

REPOSITORY = Path(__file__).parents[2]
SHARED = Path(os.environ.get("ZSWAPLAB_SHARED", REPOSITORY.parent / "shared")) / "recordings"
TWO_CPUS = "61-zbud-lzo-pressure-2cpu"


def readme_table() -> dict[str, list[int]]:
    """Run -> operations and how many of each class, as the README has them."""
    block = re.search(r"```text\n(run +operations.*?)```", (REPOSITORY / "README.md").read_text(), re.DOTALL)
    assert block
    rows = [line.split() for line in block[1].splitlines()[1:]]
    return {row[0]: [int(cell.replace(",", "").replace("·", "0")) for cell in row[1:-1]] for row in rows}


TABLE = readme_table()
RUNS = [run for run in TABLE if run != "all"]
QUICK = [run for run in RUNS if "-exact" in run]


def folder(run: str) -> Path:
    path = SHARED / run if run.startswith("61-") else SHARED / "patch-series" / run
    if not path.is_dir():
        pytest.skip(f"{path} is not here: name the folder that has the recordings in ZSWAPLAB_SHARED")
    return path


def counts(verdict: Verdict) -> list[int]:
    return [verdict.operations, *(verdict.total(kind) for kind in CLASSES)]


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


@pytest.mark.parametrize("run", QUICK)
def test_a_short_run_is_as_in_the_readme(run: str) -> None:
    verdict = conform(folder(run))
    assert verdict.agrees, verdict.text()
    assert counts(verdict) == TABLE[run]


@pytest.fixture(scope="module")
def verdicts() -> Mapping[str, Verdict]:
    """Every long run, two at a time."""
    runs = [run for run in RUNS if run not in QUICK]
    with ProcessPoolExecutor(2) as executor:
        found = conform_all([folder(run) for run in runs], executor=executor)
        return {verdict.run: verdict for verdict in found}


@pytest.mark.slow
@pytest.mark.parametrize("run", [run for run in RUNS if run not in QUICK])
def test_a_long_run_is_as_in_the_readme(run: str, verdicts: Mapping[str, Verdict]) -> None:
    assert verdicts[run].agrees, verdicts[run].text()
    assert counts(verdicts[run]) == TABLE[run]


@pytest.mark.parametrize(("run", "stage"), [
    ("p7-zbud-exact", "rfc2-6"), ("f65-zbud-exact-on", "7"), ("base-zbud-exact", "v6.5"),
    ("x2base-zbud-exact-on", "rfc2-4"), ("x1base-zbud-exact", "v6.1"),
    ("p4-zsmalloc-exact", "v6.1"), ("base-zsmalloc-exact", "4"),
])  # fmt: skip
def test_another_kernels_stage_disagrees(run: str, stage: str) -> None:
    verdict = conform(folder(run), stage)
    assert not verdict.agrees
