"""A sweep gives the same rows wherever its runs are made, and refuses what cannot be before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import pytest

from zswaplab.model.errors import BadInput
from zswaplab.run.history import record
from zswaplab.run.policies import Candidate, policy
from zswaplab.run.setup import Setup
from zswaplab.run.sweeps import rows_of_sweep

pytestmark = pytest.mark.slow

SCAN = Setup(workload="scan", ram_pages=30, compressor="lengths")


def newest(entries: Sequence[Candidate]) -> Candidate:
    return next(entry for entry in entries if entry.can_leave)


AXES: dict[str, list[Any]] = {
    "policy": [None, "Belady", newest], "zpool": ["zbud", "zsmalloc"], "exclusive_loads": ["off", "on"],
    "max_pool_percent": [20], "accept_threshold_percent": [90, 50],
}  # fmt: skip


class Backwards(Executor):
    """Runs what it was given last first."""

    def __init__(self) -> None:
        self.waiting: list[Any] = []

    def submit(self, function: Any, /, *arguments: Any, **named: Any) -> Any:
        future: Future[Any] = Future()
        self.waiting.append((future, function, arguments))
        future.result = lambda timeout=None: self.all_of(future)  # type: ignore[method-assign]
        return future

    def all_of(self, wanted: Future[Any]) -> Any:
        while self.waiting:
            future, function, arguments = self.waiting.pop()
            future.set_result(function(*arguments))
        return Future.result(wanted)


def test_the_rows_do_not_depend_on_who_makes_the_runs() -> None:
    alone = rows_of_sweep(SCAN, None, AXES)
    assert len(alone) == 24
    with ThreadPoolExecutor(2) as threads, ProcessPoolExecutor(2) as processes:
        for executor in (threads, processes, Backwards()):
            assert rows_of_sweep(SCAN, executor, AXES) == alone


def test_a_row_says_what_its_run_came_to() -> None:
    (row,) = rows_of_sweep(SCAN, None, {"policy": [newest], "ram_pages": [30]})
    history = record(SCAN.but(functions=policy(newest)))
    assert row == {
        "policy": "newest", "ram_pages": 30, "faults": history.count("load") + history.disk_reads(),
        "from zswap": history.count("load"), "disk reads": history.disk_reads(), "stores": history.count("store"),
        "refused": history.count("refuse"), "written back": len(history.written_back()), "most pool pages": 7,
        "ended by": "",
    }  # fmt: skip
    assert row["disk reads"] != record(SCAN).disk_reads()


def test_a_run_that_a_fault_ends_says_which() -> None:
    crash = Setup("rfc2-2", exclusive_loads="on", workload="overflow")
    assert [row["ended by"] for row in rows_of_sweep(crash, None, {"exclusive_loads": ["off", "on"]})] == [
        "", "UseAfterFree",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("axes", "said"),
    [
        ({"limit": [1]}, "choose one of"),
        ({"stages": ["v6.5"]}, "choose one of"),
        ({}, "something to change"),
        ({"zpool": "zbud"}, "give a list"),
        ({"ram_pages": 30}, "give a list"),
        ({"ram_pages": []}, "give a list"),
        ({"ram_pages": [30, "many"]}, "whole number"),
        ({"policy": ["clock"]}, "Belady"),
        ({"policy": [7]}, "no function"),
    ],
)
def test_what_cannot_be_swept_is_refused_before_anything_runs(axes: dict[str, Any], said: str) -> None:
    never = Backwards()
    with pytest.raises(BadInput, match=said):
        rows_of_sweep(SCAN, never, axes)
    assert never.waiting == []


def test_no_setup_and_no_executor_are_refused() -> None:
    with pytest.raises(BadInput, match="give a Setup"):
        rows_of_sweep("scan", None, AXES)  # type: ignore[arg-type]
    with pytest.raises(BadInput, match=r"concurrent\.futures"):
        rows_of_sweep(SCAN, 4, AXES)  # type: ignore[arg-type]


def test_what_cannot_go_to_another_process_is_refused_with_a_remedy() -> None:
    with ProcessPoolExecutor(1) as processes, pytest.raises(BadInput, match="ThreadPoolExecutor"):
        rows_of_sweep(SCAN, processes, {"policy": [lambda entries: entries[0]]})


def test_bad_input_in_another_process_comes_back_as_such() -> None:
    with ProcessPoolExecutor(1) as processes, pytest.raises(BadInput, match="reclaims by itself"):
        rows_of_sweep(SCAN.but(stage="base"), processes, {"policy": [newest]})
