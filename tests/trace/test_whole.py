"""Whole recordings, each replayed once: its verdict, its program run again, and the slim copy that ships."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.trace import whole
from tests.trace.altered import shared
from tests.trace.whole import AGAIN, LONG, TABLE, Whole, counts
from zswaplab.trace.conform import conform

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wholes() -> Mapping[str, Whole]:
    """The long recordings that are here, by name."""
    return whole.wholes()


@pytest.mark.parametrize("run", LONG)
def test_its_verdict_is_as_in_the_readme(run: str, wholes: Mapping[str, Whole]) -> None:
    shared(run)
    verdict = wholes[run].verdict
    assert verdict.agrees, verdict.text()
    assert counts(verdict) == TABLE[run]


@pytest.mark.parametrize("run", AGAIN)
def test_its_program_run_again_leaves_the_machine_as_the_replay_did(run: str, wholes: Mapping[str, Whole]) -> None:
    shared(run)
    assert wholes[run].otherwise == []


@pytest.mark.parametrize("run", ["p2-zbud-overflow", "f65-zbud-exact-on", "61-zbud-lzo-accept110"])
def test_the_slim_copy_conforms_exactly_as_the_full_one(run: str, wholes: Mapping[str, Whole]) -> None:
    folder = shared(run)
    ours, full = conform(run), wholes[run].verdict if run in wholes else conform(folder)
    assert ours.agrees
    assert (ours.counts, ours.reasons) == (full.counts, full.reasons)
    assert [row.line for row in ours.inferred] == [row.line for row in full.inferred]
