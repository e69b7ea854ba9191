"""How many altered cells conform finds: `python benchmarks/alterations.py CELLS RUN...`.

Each RUN is a recording's folder, or FOLDER:LINES for its first lines only, where nothing may be under way. The cells
are shared out evenly, each alteration is a recording of its own; what was not found is listed by kind and column.
"""

from __future__ import annotations

import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.trace.altered import load
from tests.trace.cells import alterations, found

SEED = 1


def measure(run: str, cells: int) -> tuple[int, Counter[str]]:
    """How many of so many alterations of a run were found, and what the others were."""
    name, _, lines = run.partition(":")
    raw = load(Path(name), int(lines) if lines else None)
    missed: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as scratch:
        for _, (op, what, index, line) in zip(range(cells), alterations(raw, random.Random(SEED)), strict=False):
            if not found(raw, index, line, Path(scratch) / Path(name).name):
                missed[f"{op}: {what}, as in line {index + 2}"] += 1
    return cells - missed.total(), missed


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    runs = sys.argv[2:]
    each = int(sys.argv[1]) // len(runs)
    total = 0
    for run in runs:
        got, missed = measure(run, each)
        total += got
        print(f"{Path(run.partition(':')[0]).name:28} {got:>6,} of {each:,}", *missed.items(), sep="\n    ", flush=True)
    print(f"{'all':28} {total:>6,} of {each * len(runs):,} found: {total / each / len(runs):.2%}")
