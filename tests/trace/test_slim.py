"""The shipped recordings: made by data/slim.py, documented, small, and worth as much as the full ones."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import re
import subprocess
import sys
from functools import partial
from pathlib import Path
from runpy import run_path
from typing import Any

import pytest

from tests.trace.altered import shared
from zswaplab.trace.shipped import data_dir, find_run, shipped_runs
from zswaplab.trace.tables import runs

RUNS = sorted(shipped_runs())
ONE_OF_EACH_BACKEND = ["f65-zbud-exact-on", "base-z3fold-overflow", "base-zsmalloc-overflow"]


def pace(runs: list[str]) -> list[Any]:
    """All but the short run are slow."""
    return [pytest.param(run, marks=[] if "-exact-" in run else [pytest.mark.slow]) for run in runs]


def rows_of(folder: Path) -> bytes:
    return gzip.decompress((folder / "trace.csv.gz").read_bytes())


@pytest.mark.slow
@pytest.mark.parametrize("run", RUNS)
def test_its_card_says_what_it_is(run: str) -> None:
    folder = find_run(run)
    card = (folder / "README.md").read_text()
    for said in (run, "CC0-1.0", "QEMU", "Linux", "left out", "data/slim.py", "0 pages with wrong bytes"):
        assert said in card, said
    for column in rows_of(folder).partition(b"\n")[0].decode().split(","):
        assert f"`{column}`" in card or f"`{column}`" in (data_dir() / "README.md").read_text(), column
    digests = re.findall(r"\b[0-9a-f]{64}\b", card)
    content = rows_of(folder), (folder / "counters.json").read_bytes()
    assert digests == [hashlib.sha256(data).hexdigest() for data in content]


@pytest.mark.slow
@pytest.mark.parametrize("run", RUNS)
def test_it_is_small_and_the_same_wherever_it_is_made(run: str) -> None:
    trace = (find_run(run) / "trace.csv.gz").read_bytes()
    assert len(trace) < 6_000_000
    assert trace[4:8] == bytes(4), "a time in the head of the gzip file"
    assert not trace[3] & 8, "a file name in the head of the gzip file"


def test_all_that_is_shipped_is_under_25_megabytes() -> None:
    assert sum(file.stat().st_size for file in data_dir().rglob("*") if file.is_file()) < 25_000_000


def test_every_backend_is_shipped_as_of_every_epoch() -> None:
    """z3fold has no recording of patch 4 and none of 6.5: patch 3 is the last that changed it."""
    table = runs()
    shipped = set(zip(table["stage"], table["backend"], strict=True))
    assert {(stage, zpool) for stage in ("v6.1", "base") for zpool in ("zbud", "z3fold", "zsmalloc")} <= shipped
    assert {("rfc2-4", "zbud"), ("rfc2-4", "zsmalloc"), ("v6.5", "zbud"), ("v6.5", "zsmalloc")} <= shipped
    assert ("rfc2-3", "z3fold") in shipped


def test_the_consoles_are_whole() -> None:
    folder = data_dir() / "consoles"
    card = (folder / "README.md").read_text()
    listed = dict(re.findall(r"\| \[(\S+\.txt)\].* `([0-9a-f]{64})` \|", card))
    files = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.glob("*.txt")}
    assert listed == files
    assert "CC0-1.0" in card


@pytest.mark.parametrize("run", pace(ONE_OF_EACH_BACKEND))
def test_every_row_and_every_column_that_is_compared_was_kept(run: str) -> None:
    """That the others were made in the same way is seen below."""
    full, kept = (csv.DictReader(io.StringIO(rows_of(folder).decode())) for folder in (shared(run), find_run(run)))
    dropped = {"ts_us", "ts_end_us", "cpu", "task"}
    for ours, theirs in zip(kept, full, strict=True):
        if ours["op"] == "store" and "-zbud-" in run:
            dropped |= {"hval"}
        filled = {name: cell for name, cell in theirs.items() if cell and name not in dropped}
        assert {name: cell for name, cell in ours.items() if cell} == filled
        dropped.discard("hval")


@pytest.mark.parametrize("run", pace(RUNS))
def test_the_script_makes_it_again(run: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quick = partial(gzip.compress, compresslevel=1)  # to pack as tightly as what is shipped takes longer than the rest
    monkeypatch.setattr(gzip, "compress", lambda rows, *_, **__: quick(rows))
    run_path(str(data_dir() / "slim.py"))["slim"](shared(run), tmp_path / run)
    is_made_again(run, tmp_path / run)


def test_the_command_makes_it_again(tmp_path: Path) -> None:
    run = "f65-zbud-exact-on"
    command = [sys.executable, data_dir() / "slim.py", shared(run), tmp_path / run]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == ""
    is_made_again(run, tmp_path / run)


def is_made_again(run: str, folder: Path) -> None:
    """All that is shipped of a run but the story in its card."""
    assert rows_of(folder) == rows_of(find_run(run))
    assert (folder / "counters.json").read_bytes() == (find_run(run) / "counters.json").read_bytes()
    story = (find_run(run) / "README.md").read_text().split("\n\n")[1]
    card = (folder / "README.md").read_text().split("\n\n")
    shipped = re.sub(r"\[(.*?)\]\(\.\./.*?\)", r"zswaplab's `\1`", (find_run(run) / "README.md").read_text())
    assert shipped == "\n\n".join([card[0], story, *card[2:]])


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("data/recordings/mine", "[data/README.md](../../README.md)"), ("mine", "[data/README.md](../data/README.md)"),
        ("../mine", "zswaplab's `data/README.md`"),
    ],
)  # fmt: skip
def test_a_cards_links_lead_to_a_file_or_are_none(place: str, said: str) -> None:
    script = run_path(str(data_dir() / "slim.py"))
    assert script["link"](data_dir().parent / place, "data/README.md") == said


def test_the_script_says_how_it_is_used() -> None:
    done = subprocess.run([sys.executable, data_dir() / "slim.py"], capture_output=True, text=True)
    assert done.returncode == 1
    assert "python data/slim.py FULL-RECORDING" in done.stderr


def test_the_overview_names_every_run() -> None:
    overview = (data_dir() / "README.md").read_text()
    assert all(run in overview for run in RUNS)
