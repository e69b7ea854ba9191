"""Recordings to be altered: a folder's rows and settings as plain data, and a folder made of them again."""

from __future__ import annotations

import csv
import gzip
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from zswaplab.trace.shipped import data_dir

SHARED = Path(os.environ.get("ZSWAPLAB_SHARED", Path(__file__).parents[3] / "shared")) / "recordings"
SHIPPED = data_dir() / "recordings" / "p2-zbud-overflow"
QUIET = 10_312  # rows of the shipped run after which nothing is under way: its second worker run is just over

Line = dict[str, str]


@dataclass(frozen=True)
class Raw:
    """A recording as it lies in its folder: the header, a dict a line, and counters.json."""

    header: list[str]
    lines: list[Line]
    settings: dict[str, Any]

    def with_lines(self, lines: list[Line]) -> Raw:
        return replace(self, lines=lines)

    def write(self, folder: Path) -> Path:
        folder.mkdir(exist_ok=True)
        (folder / "counters.json").write_text(json.dumps(self.settings))
        with gzip.open(folder / "trace.csv.gz", "wt", newline="", compresslevel=1) as file:
            writer = csv.DictWriter(file, self.header)
            writer.writeheader()
            writer.writerows(self.lines)
        return folder


def load(folder: Path, lines: int | None = None) -> Raw:
    """A recording, or its first lines: then what its counters said later is left out."""
    with gzip.open(folder / "trace.csv.gz", "rt", newline="") as file:
        reader = csv.DictReader(file)
        rows = [line for line, _ in zip(reader, range(lines or 10**9), strict=False)]
    settings = json.loads((folder / "counters.json").read_text())
    if lines:
        settings["counters_end"] = {}
    return Raw(list(reader.fieldnames or ()), rows, settings)


def shared(run: str) -> Path:
    """The folder of a full recording; the test skips where it is not."""
    folder = SHARED / run if run.startswith("61") else SHARED / "patch-series" / run
    if not folder.is_dir():
        pytest.skip(f"{run} is not here: name the folder that has the recordings in ZSWAPLAB_SHARED")
    return folder
