"""A recording with a lie in it: to see that conformance finds it."""

from __future__ import annotations

import csv
import gzip
import shutil
from pathlib import Path

from ..model.errors import BadInput
from .shipped import find_run


def altered(run: str | Path, folder: str | Path, line: int, **cells: object) -> Path:
    """Write a copy of a recording to `folder`, with other cells in one line of its trace; returns the folder.

    `line` counts from 1, the header. Raises BadInput for a line or column that is not there, or a folder that is.
    """
    source, target = find_run(run), Path(folder)
    with gzip.open(source / "trace.csv.gz", "rt", newline="") as file:
        header, *rows = csv.reader(file)
    if not 2 <= line <= len(rows) + 1:
        raise BadInput(f"line={line} is not one of {source.name}: give 2 to {len(rows) + 1:,}")
    for name, value in cells.items():
        if name not in header:
            raise BadInput(f"{name}={value!r}: {source.name} has no such column; it has {', '.join(header)}")
        rows[line - 2][header.index(name)] = str(value)
    try:
        target.mkdir(parents=True)
    except FileExistsError:
        raise BadInput(f"folder={str(folder)!r} is there already: name a new one") from None
    shutil.copy(source / "counters.json", target)
    with gzip.open(target / "trace.csv.gz", "wt", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])
    return target
