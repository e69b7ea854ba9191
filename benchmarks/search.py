"""What an exhaustive search costs: `python benchmarks/search.py`.

Each case is searched to its end, past any failure. Brute force, which takes every schedule for itself, is timed on
the smallest; for the others the schedules that the states stand for are counted.

Four reads took 25.2 s where every step was taken for itself, and take 4.4 s where what it does is known from another
state (both in one run, on one machine that did other things too).
"""

from __future__ import annotations

import statistics
import time

from zswaplab.run.search import Case, Search

SYNCHRONOUS = {"device": "synchronous"}
CASES = {
    "two CPUs on one slot: two reads": Case(("read 3", "read 3"), {"stage": "v6.5", **SYNCHRONOUS}),
    "two CPUs on one slot: read, free": Case(("read 3", "free 3"), {"stage": "v6.5", **SYNCHRONOUS}),
    "two CPUs on one slot: worker, free": Case(("worker", "free 3"), {"stage": "v6.5"}),
    "two reads and a slot free": Case(("read 3", "read 3", "free 3"), {"stage": "v6.5", **SYNCHRONOUS}),
    "the same at stage 4": Case(("read 3", "read 3", "free 3"), {"stage": "4", **SYNCHRONOUS}),
    "four reads": Case(("read 3",) * 4, {"stage": "v6.5", **SYNCHRONOUS}),
    "two reads and the worker": Case(("read 3", "read 3", "worker"), {"stage": "v6.5", **SYNCHRONOUS}),
}
BRUTE = Case(("read 3", "read 3", "free 3"), {"stage": "base"})
REPETITIONS = 3


def measure(name: str, case: Case) -> str:
    seconds = []
    for _ in range(REPETITIONS):
        started = time.process_time()
        explored = Search(case, every=True).run()
        seconds.append(time.process_time() - started)
    taken = statistics.median(seconds)
    assert explored.schedules
    return (
        f"{name:36}{explored.states:>7,} states{explored.schedules:>26,} schedules{taken:>8.2f} s"
        f"{explored.states / taken:>8,.0f} states/s{explored.schedules / explored.states:>24,.0f} schedules a state"
    )


def brute_force() -> str:
    times = []
    for merge in (True, False):
        started = time.process_time()
        explored = Search(BRUTE, merge=merge, every=True, max_states=10**7).run()
        times.append(time.process_time() - started)
    return f"brute force, {explored.schedules:,} schedules: {times[1]:.2f} s instead of {times[0]:.2f} s"


if __name__ == "__main__":
    for name, case in CASES.items():
        print(measure(name, case), flush=True)
    print(brute_force())
