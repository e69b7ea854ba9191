"""Cost of an operation against the number of stored pages: `python benchmarks/flat.py`; writes flat.png beside it.

A pool is filled with that many pages, then pages are invalidated and others stored in their place, at random.
CPU time of this process per operation (a store or an invalidate), the median of the repetitions.
"""

from __future__ import annotations

import gc
import random
import statistics
import time
from pathlib import Path

from zswaplab.model.compressors import RecordedPage
from zswaplab.model.machine import Machine
from zswaplab.model.steps import run
from zswaplab.model.zpool import ZPOOLS

STORED = (1_000, 3_000, 10_000, 30_000, 100_000)
OPERATIONS = 10_000
REPETITIONS = 5


def measure(zpool: str, stored: int) -> float:
    """Microseconds of CPU time for one store or invalidate among so many stored pages."""
    machine = Machine("rfc2-4", zpool, compressor="recorded", ram_pages=10**7, swap_pages=10**6)
    dice = random.Random(stored)
    pages = [RecordedPage(dice.randrange(60, 3800)) for _ in range(1000)]
    zswap = machine.zswap
    for offset in range(stored):
        run(zswap.store(0, offset, dice.choice(pages)))
    seconds = []
    for _ in range(REPETITIONS):
        work = [(dice.randrange(stored), dice.choice(pages)) for _ in range(OPERATIONS // 2)]
        gc.collect()
        gc.disable()
        started = time.process_time()
        for offset, page in work:
            run(zswap.invalidate_page(0, offset))
            run(zswap.store(0, offset, page))
            while machine.zswap.pool.zpool.pending:
                run(machine.zswap.pool.zpool.work())
        seconds.append(time.process_time() - started)
        gc.enable()
    machine.zswap.pool.zpool.check()
    return statistics.median(seconds) / OPERATIONS * 1e6


def main() -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.6), layout="constrained")
    axes = figure.subplots()
    for zpool, marker in zip(ZPOOLS, "os^", strict=True):
        costs = [measure(zpool, stored) for stored in STORED]
        shown = (f"{cost:8.1f} µs at {stored:>7,}" for stored, cost in zip(STORED, costs, strict=True))
        print(f"{zpool:10}" + "".join(shown))
        axes.plot(STORED, costs, marker=marker, label=zpool)
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("stored pages")
    axes.set_ylabel("CPU time of an operation (µs)")
    axes.legend(frameon=False)
    figure.savefig(Path(__file__).with_name("flat.png"), dpi=110, metadata={"Software": None})


if __name__ == "__main__":
    main()
