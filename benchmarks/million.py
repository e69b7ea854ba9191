"""A million operations, over every kernel and backend, with nothing lost or invented: `python benchmarks/million.py`.

Random writes, page-outs, reads, frees, worker runs and changes of parameters, in a pool that keeps overflowing.
Every byte read is compared with what was written, every 500 operations all structures are checked, and after
swapoff nothing may be left. Kernels with the bug of the review run with each of its two remedies instead.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator

from zswaplab.model.machine import Machine
from zswaplab.model.stages import EXCLUSIVE_LOADS, STAGES, existed, make_stage
from zswaplab.model.zpool import ZPOOLS
from zswaplab.trace.codecs import codec_pages

OPERATIONS = 1_000_000
REMEDIES = ("move, invalidate, put", "put, invalidate or move")
PAGES = 120  # of the program
VERBS = ("write", "page_out", "read", "free", "worker", "set")


def kernels() -> Iterator[dict[str, str]]:
    """Every stage with every form of exclusive loads that existed."""
    for stage in STAGES:
        for form in EXCLUSIVE_LOADS:
            made = make_stage(stage, form)
            if not existed(made):
                continue
            if form == "v1" and made.load_end == "invalidate, put, move":
                yield from ({"stage": stage, "exclusive_loads": form, "load_end": end} for end in REMEDIES)
            else:
                yield {"stage": stage, "exclusive_loads": form}


def work(machine: Machine, operations: int, dice: random.Random, contents: list[bytes]) -> None:
    """So many random operations; DataLost or AssertionError if anything is wrong."""
    kept: dict[int, bytes] = {}
    for count in range(operations):
        page = dice.randrange(PAGES)
        verb = dice.choices(VERBS, (30, 45, 17, 7, 0.5, 0.5))[0]
        if verb == "write":
            kept[page] = dice.choice(contents)
            machine.write(page, kept[page])
        elif verb == "page_out" and page in kept:
            machine.page_out(page)
        elif verb == "read" and page in kept:
            assert machine.read(page) == kept[page]
        elif verb == "free" and page in kept:
            machine.free(page)
            del kept[page]
        elif verb == "worker":
            machine.settle()
        elif verb == "set":
            machine.set(
                max_pool_percent=dice.choice((10, 20, 30)), enabled=dice.random() > 0.05,
                same_filled_pages_enabled=dice.random() > 0.3, zpool=dice.choice(list(ZPOOLS)),
            )  # fmt: skip
        if count % 500 == 0:
            machine.check()
    assert all(machine.read(page) == content for page, content in kept.items())
    machine.swapoff()
    machine.check()
    assert machine.zswap.counters.stored_pages == 0
    assert machine.zswap.pool.zpool.pages == 0


def main(operations: int) -> None:
    contents = list(codec_pages())
    cases = [(kernel, zpool) for kernel in kernels() for zpool in ZPOOLS]
    started, written_back = time.perf_counter(), 0
    for number, (kernel, zpool) in enumerate(cases):
        dice = random.Random(f"{kernel} {zpool}")
        device = dice.choice(("ordinary", "synchronous"))
        machine = Machine(**kernel, zpool=zpool, ram_pages=90, device=device)  # type: ignore[arg-type]
        share = operations // len(cases) + (number < operations % len(cases))
        work(machine, share, dice, contents)
        written_back += machine.zswap.counters.written_back_pages
    seconds = time.perf_counter() - started
    print(
        f"{operations:,} operations over {len(cases)} combinations of kernel and backend in {seconds:.0f} s: "
        f"{written_back:,} pages written back, none lost, none invented"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else OPERATIONS)
