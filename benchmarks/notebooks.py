"""How long each notebook takes from a fresh kernel: `python benchmarks/notebooks.py [NOTEBOOK...]`.

CPU time of the kernel, from its start to its end, and what went by on the clock. Each should be under 20 s.
"""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def cpu() -> float:
    """The CPU time of all processes that this one has started and that have ended, in seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.path[0] = str(ROOT)  # instead of this folder, where this file would stand for the folder of that name
    from notebooks.publish import executed

    for path in [Path(name) for name in sys.argv[1:]] or sorted((ROOT / "notebooks").glob("*.ipynb")):
        began, before = time.perf_counter(), cpu()
        executed(path)
        print(f"{path.stem:32} {cpu() - before:6.1f} s CPU {time.perf_counter() - began:6.1f} s", flush=True)
