"""No operation disagrees: the model against every recording of its stages that is here."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from zswaplab.trace.conform import conform

SHARED = Path(os.environ.get("ZSWAPLAB_SHARED", Path(__file__).parents[3] / "shared")) / "recordings"
INFERRED = {  # operations whose inner order was not recorded: as many as were found, no more
    "base-zbud-overflow": 1, "p1-zbud-overflow": 1, "p4-zbud-overflow": 1, "f65-zbud-mixed-on": 327,
    "base-z3fold-overflow": 1,
    "base-zsmalloc-overflow": 1, "p4-zsmalloc-overflow": 2, "f65-zsmalloc-overflow-on": 1,
    "v3p4x2-zsmalloc-overflow-on": 1, "x1p4fixA-zsmalloc-overflow": 4,
}  # fmt: skip
QUICK = (
    "base-zbud-exact", "base-zbud-exactsmall", "p1-zbud-exact", "p2-zbud-exact", "p4-zbud-exact",
    "p4-zbud-exactsmall", "p7-zbud-exact", "f65-zbud-exact-off", "f65-zbud-exact-on", "f65-zbud-exactsmall-off",
    "v3p4x2-zbud-exact-on", "x1base-zbud-exact", "x1p4fixA-zbud-exact", "x2base-zbud-exact-off",
    "x2base-zbud-exact-on", "base-zsmalloc-exact", "p4-zsmalloc-exact", "f65-zsmalloc-exact-on",
)  # fmt: skip
SLOW = (
    "base-zbud-overflow", "p1-zbud-overflow", "p2-zbud-overflow", "p4-zbud-overflow", "p7-zbud-overflow",
    "s644-zbud-overflow", "f65-zbud-overflow-off", "f65-zbud-mixed-on", "61-zbud-lzo", "61-zbud-lzo-accept110",
    "base-z3fold-overflow", "p3-z3fold-overflow", "61-z3fold-lzo-accept110",
    "base-zsmalloc-overflow", "p4-zsmalloc-overflow", "f65-zsmalloc-overflow-on", "v3p4x2-zsmalloc-overflow-on",
    "x1p4fixA-zsmalloc-overflow", "61-zsmalloc-lzo",
)  # fmt: skip


def agrees(run: str) -> None:
    folder = SHARED / run if run.startswith("61-") else SHARED / "patch-series" / run
    if not folder.is_dir():
        pytest.skip(f"{folder} is not here: name the folder that has the recordings in ZSWAPLAB_SHARED")
    verdict = conform(folder)
    assert verdict.agrees, verdict.text()
    assert verdict.total("order inferred") <= INFERRED.get(run, 0), verdict.text()
    assert verdict.total("agrees") > 300


@pytest.mark.parametrize("run", QUICK)
def test_no_operation_disagrees(run: str) -> None:
    agrees(run)


@pytest.mark.slow
@pytest.mark.parametrize("run", SLOW)
def test_no_operation_of_a_long_run_disagrees(run: str) -> None:
    agrees(run)


@pytest.mark.parametrize("zpool", ["zbud", "z3fold", "zsmalloc"])
def test_every_recording_of_the_series_is_here(zpool: str) -> None:
    if not SHARED.is_dir():
        pytest.skip("the recordings are not here")
    found = {path.name for path in (SHARED / "patch-series").glob(f"*-{zpool}-*")}
    assert found <= {*QUICK, *SLOW}


@pytest.mark.parametrize(("run", "stage"), [
    ("p7-zbud-exact", "rfc2-6"), ("f65-zbud-exact-on", "7"), ("base-zbud-exact", "v6.5"),
    ("x2base-zbud-exact-on", "rfc2-4"), ("x1base-zbud-exact", "v6.1"),
    ("p4-zsmalloc-exact", "v6.1"), ("base-zsmalloc-exact", "4"),
])  # fmt: skip
def test_another_kernels_stage_disagrees(run: str, stage: str) -> None:
    if not SHARED.is_dir():
        pytest.skip("the recordings are not here")
    verdict = conform(SHARED / "patch-series" / run, stage)
    assert not verdict.agrees
