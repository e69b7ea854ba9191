"""A replay's program, run again without an observer, leaves the machine exactly as the replay left it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.trace.altered import SHIPPED, shared
from zswaplab.model.machine import Machine
from zswaplab.trace.explain import replay_in_order
from zswaplab.trace.program import again, compiled, execute
from zswaplab.trace.read import read
from zswaplab.trace.replay import Replay
from zswaplab.trace.variants import machine_for

LONG = (
    "base-zbud-overflow", "p1-zbud-overflow", "p2-zbud-overflow", "p4-zbud-overflow", "p7-zbud-overflow",
    "s644-zbud-overflow", "f65-zbud-overflow-off", "f65-zbud-mixed-on", "61-zbud-lzo",
)  # fmt: skip
QUICK = (
    "base-zbud-exact", "base-zbud-exactsmall", "p1-zbud-exact", "p2-zbud-exact", "f65-zbud-exact-off",
    "f65-zbud-exact-on", "f65-zbud-exactsmall-off", "x1base-zbud-exact", "v3p4x2-zbud-exact-on",
)  # fmt: skip


def state(machine: Machine) -> dict[str, Any]:
    """All that the kernel decides with: counters, LRU, trees, what lies where in the backend, the swap layer."""
    zswap, swap = machine.zswap, machine.swap
    return {
        "counters": dict(zswap.counters),
        "reached_full": zswap.reached_full,
        "lru": [[(entry.offset, entry.length) for entry in pool.lru] for pool in zswap.pools],
        "trees": {
            type: {offset: (entry.length, entry.refcount) for offset, entry in tree.entries.items()}
            for type, tree in zswap.trees.items()
        },
        "layout": [
            {page: [(one.size, first, chunks) for one, first, chunks in objects]
             for page, objects in pool.zpool.layout().items()}
            for pool in zswap.pools
        ],
        "references": [(pool.refcount, pool.work_pending) for pool in zswap.pools],
        "swap": (set(swap.cache), swap.in_use, swap.given, swap.bitmap, set(swap.disk)),
    }  # fmt: skip


def same(folder: Path, *parts: float) -> None:
    """The whole run, and what it is after some part of its rows: at the end of a run everything is empty."""
    recording = read(folder)
    choices = replay_in_order(recording).choices
    for part in parts:
        rows = recording.rows[: int(len(recording.rows) * part)]
        replay = Replay(replace(recording, rows=rows), choices=choices).run()
        machine = again(replay.program, machine_for(recording))
        assert state(machine) == state(replay.machine), f"after {len(rows):,} rows"
        assert part == 1 or machine.zswap.counters.stored_pages > 0


@pytest.mark.slow
def test_the_shipped_run() -> None:
    same(SHIPPED, 0.1, 0.13)


@pytest.mark.parametrize("run", QUICK)
def test_a_short_run(run: str) -> None:
    same(shared(run), 0.3, 0.6, 0.8, 1)


@pytest.mark.slow
@pytest.mark.parametrize("run", LONG)
def test_a_long_run(run: str) -> None:
    same(shared(run), 0.5, 1)


@pytest.mark.slow
def test_nobody_observes() -> None:
    recording = read(SHIPPED)
    replay = Replay(replace(recording, rows=recording.rows[:9500])).run()
    assert any(name == "pause" for name, _, _ in replay.program), "the worker's writebacks are interrupted"
    machine = machine_for(recording)
    execute(compiled(replay.program, machine), machine)
    assert machine.hook.observer is None
    seen: list[str] = []
    watched = machine_for(recording)
    watched.hook.observer = lambda event, subject, value: seen.append(event)
    again(replay.program, watched)
    assert watched.hook.observer is not None
    assert state(watched) == state(machine) == state(replay.machine)
    assert seen.count("submitted") == machine.zswap.counters.written_back_pages > 0


@pytest.mark.slow
def test_a_program_can_run_more_than_once() -> None:
    recording = read(SHIPPED)
    program = Replay(replace(recording, rows=recording.rows[:9500])).run().program
    first, second = (state(again(program, machine_for(recording))) for _ in range(2))
    assert first == second
