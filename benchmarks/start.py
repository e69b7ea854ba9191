"""What starting costs: `python benchmarks/start.py`.

The time of `import zswaplab` in a fresh Python, beyond starting Python itself; of `zswaplab runs` from start to end;
and the memory of a process that has replayed the largest recording shipped and made its table and its plot, as a
notebook's kernel does.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import time

from zswaplab.trace.shipped import data_dir

REPETITIONS = 15
KERNEL = """
import ipykernel.kernelapp, sys
from zswaplab import conform, lab, replay
from zswaplab.show.plots import plot_lru, png
conform(sys.argv[1]); replayed = replay(sys.argv[1]); replayed.table(); png(plot_lru(replayed)); lab()
"""


def seconds(code: str) -> float:
    """The median time of a fresh Python that runs `code`."""
    times = []
    for _ in range(REPETITIONS):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - started)
    return statistics.median(times)


if __name__ == "__main__":
    for code in ("import zswaplab", "from zswaplab import Machine"):
        print(f"{code}: {(seconds(code) - seconds('pass')) * 1000:.0f} ms")
    listing = seconds("from zswaplab.cli import main; main(['runs'])")
    print(f"zswaplab runs: {listing:.2f} s, Python itself included")
    largest = max((data_dir() / "recordings").glob("*/trace.csv.gz"), key=lambda path: path.stat().st_size).parent.name
    subprocess.run([sys.executable, "-c", KERNEL, largest], check=True)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"a kernel that has replayed {largest}: {peak:.0f} MB at its peak")
