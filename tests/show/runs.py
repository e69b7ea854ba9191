"""Runs of the model that several tests of the player look at, each made once."""

from __future__ import annotations

from functools import cache
from random import Random

from zswaplab.model.machine import Machine
from zswaplab.run.cases import case_named, table
from zswaplab.run.history import History, record
from zswaplab.run.setup import Setup
from zswaplab.run.workloads import revisit


@cache
def overflow(stage: str = "2", zpool: str = "zbud") -> History:
    """Ten pages go out, two are used again, six more: the pool overflows and the worker makes room."""
    return record(Machine(stage, zpool, ram_pages=30), revisit(), "Ten pages, two used again, six more")


@cache
def crash(multi_shot: bool = True) -> History:
    """A load frees the entry that it then moves to the LRU's head: nine touches of freed memory."""
    lines = [*(f"write {page}" for page in (1, 2, 3)), *(f"page_out {page}" for page in (1, 2, 3)), "read 3"]
    machine = Machine("rfc2-2", exclusive_loads="v1")
    return record(machine, lines, "Three pages out, one read", multi_shot=multi_shot)


@cache
def together() -> History:
    """Two reads and a free of one page at once, as chance has it."""
    setup = Setup(
        stage="4", device="synchronous", workload=["write 3", "page_out 3", "write 5", "page_out 5"],
        cpus=["read 3", "read 3", "free 3"], seed=16,
    )  # fmt: skip
    return record(setup, title="Two reads and a slot given up")


@cache
def two_pools() -> History:
    """The backend is changed in the middle of the run."""
    setup = Setup(stage="2", ram_pages=60, workload=revisit(12, 8), changes=[(90, "zpool", "z3fold")])
    return record(setup, title="The backend is changed while it runs")


@cache
def failing(case: str) -> History:
    """The shortest failing schedule of a named case: "v6.5-on" (data lost), "D-hang-base" (deadlock) and others."""
    return case_named(case, table()).run(False).explored.history()


@cache
def sixteen() -> History:
    """Sixteen entries in eight pages of the backend, none over the limit."""
    lines = [f"{verb} {page}" for page in range(16) for verb in ("write", "page_out")]
    return record(_packed_machine(), [*lines[1::2], "read 3", "page_out 3", "free 5"], "Sixteen entries")


@cache
def many() -> History:
    """Some three hundred pages in the pool already, then twenty more, and reads."""
    machine = Machine("2", ram_pages=4000, swap_pages=4096)
    for page in range(520):
        machine.write(page, Random(page).randbytes(2600) + bytes(1496))
        machine.page_out(page)
    lines = [f"{verb} {page}" for page in range(520, 540) for verb in ("write", "page_out")]
    return record(machine, [*lines, *(f"read {page}" for page in range(0, 100, 7))], "Five hundred pages")


def _packed_machine() -> Machine:
    machine = Machine("2", ram_pages=60)
    for page in range(16):
        machine.write(page, Random(page).randbytes(1400) + bytes(2696))
    return machine
