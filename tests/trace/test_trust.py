"""A recording that its recorder did not trust, or whose machine did what no row tells, is not passed for a good one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.trace.altered import SHARED, load
from zswaplab.cli import main
from zswaplab.model.errors import BadInput
from zswaplab.trace.conform import conform
from zswaplab.trace.shipped import find_run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return load(find_run("f65-zbud-exact-on")).write(tmp_path / "run")


def with_settings(folder: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    settings = json.loads((folder / "counters.json").read_text())
    change(settings)
    (folder / "counters.json").write_text(json.dumps(settings))
    return folder


@pytest.mark.parametrize(
    ("check", "found", "said"),
    [
        ("ring_buffer_lost_events", 1200, "1,200 events were lost"),
        ("loads_ok vs vmstat.zswpin", [58, 59], "loads_ok vs vmstat.zswpin: [58, 59]"),
        ("kprobe_missed", {"store_in": 2}, "kprobe_missed: {'store_in': 2}"),
        ("notes", ["swapon failed", "swapon failed"], "notes: ['swapon failed', 'swapon failed']"),
    ],
)
def test_what_its_recorder_did_not_trust_is_said(
    folder: Path, capsys: pytest.CaptureFixture[str], check: str, found: object, said: str
) -> None:
    with_settings(folder, lambda settings: settings["checks"].update({check: found}))
    assert main(["conform", str(folder)]) == 2
    shown = capsys.readouterr().out
    assert "do not trust this recording" in shown
    assert said in shown
    verdict = conform(folder)
    assert repr(verdict).endswith(", not to be trusted>")
    assert any(said in doubt for doubt in verdict.as_json()["doubts"])


def test_a_whole_recording_is_passed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["conform", str(folder)]) == 0
    assert "trust" not in capsys.readouterr().out


def test_checks_that_are_none_are_bad_input(folder: Path) -> None:
    with_settings(folder, lambda settings: settings.update(checks=["fine"]))
    with pytest.raises(BadInput, match="not a recording's settings"):
        conform(folder)


@pytest.mark.parametrize(
    ("run", "said"),
    [
        ("r-zbud-zstd-paramchange", "accept_threshold_percent was changed while it was recorded, from 117 to 40"),
        ("t-zbud-lz4-swapoffmid", "line 22764: swap has been turned off, and no swapoff row says when that began"),
        ("s2-zbud-lz4-twodev", "135160 kB of swap, and its device /dev/vdc has 131068 kB: there was another swap dev"),
    ],
)
def test_what_no_row_tells_is_the_reason(run: str, said: str) -> None:
    folder = SHARED / "extra" / run
    if not folder.is_dir():
        pytest.skip(f"{run} is not here: name the folder that has the recordings in ZSWAPLAB_SHARED")
    with pytest.raises(BadInput) as refusal:
        conform(folder)
    assert said in str(refusal.value)


def test_swap_that_is_used_after_it_was_turned_off_is_the_reason(folder: Path, tmp_path: Path) -> None:
    raw = load(folder)
    last = int(raw.lines[-1]["seq_end"])
    begun = dict.fromkeys(raw.header, "") | {"op": "w:start", "mm": "1", "tid": "9", "handle": "1000"}
    again = [*raw.lines, begun | {"seq": str(last + 1), "seq_end": str(last + 1)}]
    with pytest.raises(BadInput, match=rf"line {len(again) + 1}: swap had been turned off for good, and is used again"):
        conform(raw.with_lines(again).write(tmp_path / "again"))


def test_a_swapoff_whose_beginning_is_in_no_row_is_the_reason(folder: Path, tmp_path: Path) -> None:
    raw = load(folder)
    unseen = [line for line in raw.lines if line["op"] != "swapoff"]
    with pytest.raises(BadInput, match="swap has been turned off, and no swapoff row says when that began"):
        conform(raw.with_lines(unseen).write(tmp_path / "unseen"))
