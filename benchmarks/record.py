"""What recording a run costs: `python benchmarks/record.py`.

Some 500 operations of the kind that the first notebook has, every step kept with its sentence. The first run of a
stage in a process also works out the model's source as of that stage; it is timed by itself. CPU time of this process.
"""

from __future__ import annotations

import statistics
import time

from zswaplab import Machine, record
from zswaplab.run.workloads import revisit

REPETITIONS = 9


def main() -> None:
    lines, seconds, steps = revisit(160, 87), [], 0
    for _ in range(REPETITIONS):
        machine = Machine("2", ram_pages=480)
        started = time.process_time()
        steps = len(record(machine, lines))
        seconds.append(time.process_time() - started)
    first, *rest = seconds
    usual = statistics.median(rest)
    print(f"{steps:,} steps of {len(lines)} operations: {usual * 1000:.0f} ms, {usual / steps * 1e6:.0f} µs a step; "
          f"the first time {first * 1000:.0f} ms")  # fmt: skip


if __name__ == "__main__":
    main()
