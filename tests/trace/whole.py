"""Whole recordings, each replayed once for all that is asked of it."""

from __future__ import annotations

import re
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tests.trace.altered import SHARED
from zswaplab.model.machine import Machine
from zswaplab.trace import conform as conforming
from zswaplab.trace.conform import CLASSES, Verdict
from zswaplab.trace.explain import replay_in_order
from zswaplab.trace.program import again
from zswaplab.trace.read import Recording
from zswaplab.trace.replay import Replay
from zswaplab.trace.variants import machine_for

README = Path(__file__).parents[2] / "README.md"


def readme_table() -> dict[str, list[int]]:
    """Run -> operations and how many of each class, as the README has them."""
    block = re.search(r"```text\n(run +operations.*?)```", README.read_text(), re.DOTALL)
    assert block
    rows = [line.split() for line in block[1].splitlines()[1:]]
    return {row[0]: [int(cell.replace(",", "").replace("·", "0")) for cell in row[1:-1]] for row in rows}


TABLE = readme_table()
RUNS = [run for run in TABLE if run != "all"]
SHORT = [run for run in RUNS if "-exact" in run]
LONG = [run for run in RUNS if run not in SHORT]
AGAIN = (  # those whose program is run again, too: one of each kernel
    "base-zbud-overflow", "p1-zbud-overflow", "p2-zbud-overflow", "p4-zbud-overflow", "p7-zbud-overflow",
    "s644-zbud-overflow", "f65-zbud-overflow-off", "f65-zbud-mixed-on", "61-zbud-lzo",
)  # fmt: skip


def counts(verdict: Verdict) -> list[int]:
    return [verdict.operations, *(verdict.total(kind) for kind in CLASSES)]


def folder_of(run: str) -> Path:
    return SHARED / run if run.startswith("61-") else SHARED / "patch-series" / run


@dataclass(frozen=True)
class Whole:
    """A recording's verdict, and in what its program, run again, leaves the machine otherwise."""

    verdict: Verdict
    otherwise: list[str]


def wholes() -> dict[str, Whole]:
    """Every long run that is here, two at a time, the largest first."""
    folders = [folder_of(run) for run in LONG if folder_of(run).is_dir()]
    folders.sort(key=lambda folder: -(folder / "trace.csv.gz").stat().st_size)
    with ProcessPoolExecutor(2) as executor:
        return {whole.verdict.run: whole for whole in executor.map(held, folders)}


def held(folder: Path) -> Whole:
    """Hold the model against a recording; the replay that this takes gives the program, too."""
    replays: list[tuple[Recording, Replay]] = []

    def kept(recording: Recording, *arguments: Any) -> Replay:
        replays.append((recording, replay_in_order(recording, *arguments)))
        return replays[-1][1]

    with patch.object(conforming, "replay_in_order", kept):
        verdict = conforming.conform(folder)
    return Whole(verdict, otherwise(*replays[0], 0.25, 1) if folder.name in AGAIN else [])


def otherwise(recording: Recording, whole: Replay, *parts: float) -> list[str]:
    """In what a program that is run again differs from its replay: after all rows, or some part of them, as at the end
    of a run everything is empty."""
    found = []
    for part in parts:
        rows = recording.rows[: int(len(recording.rows) * part)]
        replay = whole if part == 1 else Replay(replace(recording, rows=rows), choices=whole.choices).run()
        expected, state = state_of(replay.machine), state_of(again(replay.program, machine_for(recording)))
        found += [f"{name} after {len(rows):,} rows" for name, value in state.items() if value != expected[name]]
        if part < 1 and not state["counters"]["stored_pages"]:
            found += [f"nothing is stored after {len(rows):,} rows"]
    return found


def state_of(machine: Machine) -> dict[str, Any]:
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
