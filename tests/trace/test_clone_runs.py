"""The recordings that a clone has in `recordings/` and no wheel carries: whole, listed, and held by name."""

from __future__ import annotations

import hashlib

import pytest

from zswaplab.cli import main
from zswaplab.trace.conform import conform
from zswaplab.trace.shipped import clone_runs, data_dir

FOLDER = data_dir().parent / "recordings"


def test_the_manifest_has_the_checksum_of_every_file() -> None:
    listed = dict(reversed(line.split("  ")) for line in (FOLDER / "MANIFEST").read_text().splitlines())
    files = [file for name in ("trace.csv.gz", "counters.json") for file in FOLDER.glob(f"*/{name}")]
    assert listed == {
        file.relative_to(FOLDER).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in files
    }


def test_the_command_says_where_each_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs"]) == 0
    said = capsys.readouterr().err
    assert all(run in said for run in clone_runs())
    assert "in recordings/ (checksums in its MANIFEST)" in said


@pytest.mark.parametrize("run", sorted(clone_runs()))
def test_each_is_held_by_its_name(run: str) -> None:
    verdict = conform(run)
    assert verdict.agrees, verdict.text()
    assert not verdict.doubts
