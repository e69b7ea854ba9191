"""The recordings that a clone has in `recordings/` and no wheel carries: whole, listed, and held by name."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import pytest

from zswaplab.cli import main
from zswaplab.trace.conform import conform
from zswaplab.trace.shipped import clone_runs, data_dir, shipped_runs

FOLDER = data_dir().parent / "recordings"


def test_the_manifest_has_the_checksum_of_every_file() -> None:
    listed = dict(reversed(line.split("  ")) for line in (FOLDER / "MANIFEST").read_text().splitlines())
    files = [file for name in ("trace.csv.gz", "counters.json") for file in FOLDER.glob(f"*/{name}")]
    assert listed == {
        file.relative_to(FOLDER).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in files
    }


@pytest.mark.parametrize("terminal", [True, False])
def test_the_command_says_where_each_is(
    terminal: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    monkeypatch.setenv("COLUMNS", "400")
    assert main(["runs"]) == 0
    table, _, after = capsys.readouterr().out.partition("\n\n")
    places = {words[0]: words[-1] for words in map(str.split, table.splitlines()[1:])}
    assert places == {**dict.fromkeys(shipped_runs(), "data/recordings"), **dict.fromkeys(clone_runs(), "recordings")}
    assert after.startswith("Those in recordings/ come with a clone only") is terminal


@pytest.mark.parametrize("run", [
    pytest.param(run, marks=[] if "-exactsmall" in run else [pytest.mark.slow]) for run in sorted(clone_runs())
])  # fmt: skip
def test_each_is_held_by_its_name(run: str) -> None:
    verdict = conform(run)
    assert verdict.agrees, verdict.text()
    assert not verdict.doubts


@pytest.mark.slow
@pytest.mark.parametrize("percent", [89, 91])
def test_a_threshold_is_pinned_by_a_pool_that_creeps_over_it(percent: int, tmp_path: Path) -> None:
    folder = clone_runs()["61-zbud-lzo-creep"]
    settings = json.loads((folder / "counters.json").read_text())
    settings["params"]["zswap.accept_threshold_percent"] = percent
    (tmp_path / "counters.json").write_text(json.dumps(settings))
    (tmp_path / "trace.csv.gz").write_bytes((folder / "trace.csv.gz").read_bytes())
    assert not conform(tmp_path).agrees
