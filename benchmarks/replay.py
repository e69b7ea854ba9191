"""Operations a second of a replay with no observer: `python benchmarks/replay.py [RUN...]` (default: the shipped ones).

Counted are stores, loads, invalidates, writebacks and frees. Reading the CSV, working out the order of the
threads' steps and compiling the program are not timed. CPU time of this process, garbage collector off as in
`timeit`; the best and the median of the repetitions.
"""

from __future__ import annotations

import gc
import statistics
import sys
import time

from zswaplab.trace.explain import replay_in_order
from zswaplab.trace.program import compiled, execute
from zswaplab.trace.read import read
from zswaplab.trace.shipped import data_dir, find_run
from zswaplab.trace.variants import machine_for

COUNTED = {"store", "load", "invalidate", "writeback", "free"}
REPETITIONS = 15


def measure(run: str) -> str:
    recording = read(find_run(run))
    replay = replay_in_order(recording)
    operations = sum(row.op in COUNTED for row in recording.rows)
    seconds = []
    for _ in range(REPETITIONS):
        machine = machine_for(recording)
        calls = compiled(replay.program, machine)
        gc.collect()
        gc.disable()
        started = time.process_time()
        execute(calls, machine)
        seconds.append(time.process_time() - started)
        gc.enable()
        assert dict(machine.zswap.counters) == dict(replay.machine.zswap.counters), run
    best, median = operations / min(seconds), operations / statistics.median(seconds)
    return f"{recording.name:28} {operations:>9,} operations {best:>10,.0f}/s best {median:>10,.0f}/s median"


if __name__ == "__main__":
    for name in sys.argv[1:] or sorted(path.name for path in (data_dir() / "recordings").iterdir() if path.is_dir()):
        print(measure(name), flush=True)
