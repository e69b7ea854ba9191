"""Cost of an operation, and of a recorded step, against the number of stored pages: `python benchmarks/flat.py`.

Writes flat.png and flat-record.png beside it. A pool is filled with that many pages. Then pages are invalidated and
others stored in their place, at random (flat.png); or pages are read, written and paged out, every step kept, with
its sentence (flat-record.png): what the machine held before is taken in once, and is not counted. CPU time of this
process, the median of the repetitions.
"""

from __future__ import annotations

import gc
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from zswaplab.model.compressors import RecordedPage
from zswaplab.model.machine import Machine
from zswaplab.model.steps import run
from zswaplab.model.zpool import ZPOOLS
from zswaplab.run.history import History
from zswaplab.run.session import Session
from zswaplab.run.setup import Setup

STORED = (1_000, 3_000, 10_000, 30_000, 100_000)
RECORDED = (100, 1_000, 10_000, 100_000)
OPERATIONS = 10_000
REPETITIONS = 5


def timed(work: Callable[[], object]) -> float:
    """Seconds of CPU time, the garbage collector off."""
    gc.collect()
    gc.disable()
    started = time.process_time()
    work()
    seconds = time.process_time() - started
    gc.enable()
    return seconds


def operation(zpool: str, stored: int) -> float:
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

        def churn(work: list[tuple[int, RecordedPage]] = work) -> None:
            for offset, page in work:
                run(zswap.invalidate_page(0, offset))
                run(zswap.store(0, offset, page))
                while machine.zswap.pool.zpool.pending:
                    run(machine.zswap.pool.zpool.work())

        seconds.append(timed(churn))
    machine.zswap.pool.zpool.check()
    return statistics.median(seconds) / OPERATIONS * 1e6


def recorded_step(zpool: str, stored: int) -> float:
    """Microseconds of CPU time for one recorded step, its sentence included, on a machine with so many stored pages."""
    machine = Machine("rfc2-4", zpool, ram_pages=10**7, swap_pages=2**20)
    contents = [random.Random(seed).randbytes(1500) + bytes(2596) for seed in range(50)]
    for page in range(stored):
        machine.write(page, contents[page % 50])
        machine.page_out(page)
    dice = random.Random(stored)
    pages = [dice.randrange(stored) for _ in range(100)]
    workload = [line for page in pages for line in (f"read {page}", f"write {page} 7", f"page_out {page}")]
    each = []
    for _ in range(REPETITIONS):
        history = History(Session(Setup(workload=workload), machine))
        each.append(timed(history.run) / len(history))
    return statistics.median(each) * 1e6


def draw(name: str, measure: Callable[[str, int], float], sizes: tuple[int, ...], label: str) -> None:
    """Measure every backend at every size, print it and draw it."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.6), layout="constrained")
    axes = figure.subplots()
    for zpool, marker in zip(ZPOOLS, "os^", strict=True):
        costs = [measure(zpool, stored) for stored in sizes]
        shown = (f"{cost:8.1f} µs at {stored:>7,}" for stored, cost in zip(sizes, costs, strict=True))
        print(f"{label:34}{zpool:10}" + "".join(shown), flush=True)
        axes.plot(sizes, costs, marker=marker, label=zpool)
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("stored pages")
    axes.set_ylabel(f"CPU time of {label} (µs)")
    axes.legend(frameon=False)
    figure.savefig(Path(__file__).with_name(name), dpi=110, metadata={"Software": None})


if __name__ == "__main__":
    draw("flat.png", operation, STORED, "an operation")
    draw("flat-record.png", recorded_step, RECORDED, "a recorded step")
