"""The search loses nothing: held against brute force, and against what was measured on real kernels."""

from __future__ import annotations

import ast
from collections import deque
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import zswaplab.model
from zswaplab.model.errors import BadInput, UseAfterFree
from zswaplab.model.machine import Machine
from zswaplab.model.steps import UNLOCKED
from zswaplab.run.cases import Named, Result, case_named, table
from zswaplab.run.cpus import Cpus, packed
from zswaplab.run.history import record
from zswaplab.run.search import Case, Search, explore
from zswaplab.run.setup import Setup
from zswaplab.run.state import STATISTICS, Checkpoint, Namer

SYNCHRONOUS = {"device": "synchronous"}
SMALL = {
    "a load and an invalidation": Case(("load 1", "invalidate 1"), {"stage": "2"}, ("write 3", "page_out 3")),
    "the same, snippet's order": Case(
        ("load 1", "invalidate 1"), {"stage": "1", "exclusive_loads": "v2"}, ("write 3", "page_out 3")
    ),
    "two invalidations and a store": Case(("invalidate 1", "invalidate 1; store 1 8"), {"stage": "base"}),
    "reads and a free": Case(("read 3", "read 3", "free 3"), {"stage": "base"}),
    "a read and a free": Case(("read 3", "free 3"), {"stage": "4", **SYNCHRONOUS}),
    "the review's crash": Case(("read 3", "free 3"), {"stage": "rfc2-2", "exclusive_loads": "v1"}),
    "the worker and a free": Case(("worker", "free 3"), {"stage": "2"}),
    "a slot used again": Case(
        ("worker", "free 3"), {"stage": "v6.5", "swap_pages": 2}, ("write 3", "page_out 3", "write 4")
    ),
}
LONG = {"reads and a free", "a slot used again", "the worker and a free"}
NAMER = Namer()  # one for all, so that names can be compared


def searched(case: Case, merge: bool) -> Any:
    search = Search(case, merge=merge, every=True, max_states=10**7)
    search.namer = NAMER
    explored = search.run()
    kinds = {(found.kind, str(found.fault), found.where, len(found.schedule)) for found in explored.failures}
    return explored.schedules, search.outcomes, kinds, explored


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] * (n in LONG)) for n in SMALL])
def test_merging_equal_states_loses_nothing(name: str) -> None:
    brute = searched(SMALL[name], merge=False)
    merged = searched(SMALL[name], merge=True)
    assert merged[0] == brute[0], "as many schedules"
    assert merged[1] == brute[1], "the same ends"
    assert merged[2] == brute[2], "the same failures, each with its shortest schedule"
    assert merged[3].states < brute[3].states


def test_statistics_are_never_read_by_the_model() -> None:
    """That is why two states that differ only in them are the same state."""
    for file in Path(zswaplab.model.__file__).parent.rglob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        observed = {
            id(node)
            for branch in ast.walk(tree)
            if isinstance(branch, ast.If) and ast.unparse(branch.test) == "self.hook.observer"
            for node in ast.walk(branch)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr in STATISTICS and isinstance(node.ctx, ast.Load):
                assert id(node) in observed, f"{file.name}:{node.lineno} reads {node.attr}"


def test_of_a_size_class_only_its_lists_change() -> None:
    """That is why nothing else of it is in a state's name."""
    machine = Machine("v6.5", zpool="zsmalloc")

    def made() -> list[Any]:
        return [(one.size, one.pages, one.objects, list(one.groups), list(map(id, one.partial)),
                 list(map(id, one.lists))) for one in machine.zswap.pool.zpool.classes]  # type: ignore[attr-defined]  # fmt: skip

    before = made()
    for page in range(20):
        machine.write(page)
        machine.page_out(page)
    for page in range(0, 20, 3):
        machine.free(page)
    assert any(any(one.lists) for one in machine.zswap.pool.zpool.classes)  # type: ignore[attr-defined]
    assert made() == before


# -- what was measured, and the bug's relatives -------------------------------------------------------


CASES = table()
QUICK = (  # those whose search takes a tenth of a second at most, and one of each kind
    "uaf", "remedy", "base-v1", "4-v2", "v6.5-on", "lock-order", "B", "C-base", "K", "E", "F", "M", "base-reference",
    "I-free", "I-read", "I-write", "I-page", "I-tw", "claimed",
)  # fmt: skip


@cache
def result(name: str) -> Result:
    return case_named(name, CASES).run()


def named(cases: list[Named]) -> list[Any]:
    """Their names; a search that takes longer is for the slow tests."""
    quick = [case.name for case in cases if case.name.startswith(QUICK)]
    return [pytest.param(case.name, marks=[pytest.mark.slow] * (case.name not in quick)) for case in cases]


@pytest.mark.parametrize("name", named(CASES))
def test_every_named_case_comes_out_as_it_is_known(name: str) -> None:
    assert result(name).as_known, result(name).row()


@pytest.mark.parametrize("name", named([case for case in CASES if case.fails]))
def test_the_shortest_schedule_replays_to_the_same_failure(name: str) -> None:
    named, failure = case_named(name, CASES), result(name).found[0]
    history = named.case.history(packed(failure.schedule), stop=True)
    fault = history.fault or history.end(failure.fault).fault
    assert (type(fault), str(fault)) == (type(failure.fault), str(failure.fault))


def test_the_freed_refcount_is_read_where_the_review_invalidates_twice() -> None:
    told = [str(found.fault) for found in result("remedy-a-two-reads").found]
    assert told == ["slab-use-after-free: read of 4 bytes at offset 32 of a freed zswap_entry (field 'refcount')"]


def test_a_page_of_zeros_is_what_linux_6_5_gives() -> None:
    explored = explore(cpus=["read 3", "read 3"], exclusive_loads="fixed", device="synchronous")
    assert explored.schedule == "a11b4" and explored.length == 15
    assert "it got zeros" in explored.report and "a frame of CPU a alone" in explored.report


# -- what a search says of itself ---------------------------------------------------------------------


def test_a_clean_search_says_what_it_has_covered() -> None:
    explored = explore(stage="v6.5", cpus=["read 3", "free 3"])
    assert not explored.fails and explored.schedule is None and explored.length is None
    assert repr(explored).startswith("no schedule fails") and "schedules" in repr(explored)


def test_a_search_that_stops_at_a_bound_never_says_that_no_schedule_fails() -> None:
    explored = explore(stage="v6.5", cpus=["read 3", "read 3", "free 3"], device="synchronous", max_states=50)
    assert explored.bound and not explored.fails
    assert "no schedule fails" not in repr(explored) and "not complete" in repr(explored)


FOUR = Case(("read 3",) * 4, {"stage": "v6.5", **SYNCHRONOUS})


def test_a_search_can_be_given_a_limit_of_time_and_says_so() -> None:
    explored = explore(FOUR, seconds=0.05)
    assert explored.bound and "stopped after 0.05 seconds" in explored.verdict
    assert "not complete" in repr(explored) and explored.schedules is None


def test_a_search_can_be_cancelled_and_says_so() -> None:
    search = Search(FOUR, progress=lambda states: search.cancel() if states > 300 else None)
    explored = search.run()
    assert explored.bound and "cancelled after" in explored.verdict and 300 < explored.states < 5000
    assert "no schedule fails" not in repr(explored)


@pytest.mark.parametrize("wrong", [{"seconds": 0}, {"seconds": -1}, {"seconds": "3"}, {"seconds": True},
                                   {"seconds": float("nan")}, {"max_states": 0}, {"max_states": "3"}])  # fmt: skip
def test_a_limit_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match=next(iter(wrong))):
        explore(FOUR, **wrong)


def test_the_first_failure_is_the_shortest_of_all() -> None:
    first = explore(stage="base", exclusive_loads="v1", cpus=["read 3", "read 3"], device="synchronous")
    every = explore(stage="base", exclusive_loads="v1", cpus=["read 3", "read 3"], device="synchronous", every=True)
    assert first.length == every.length == min(len(found.schedule) for found in every.failures)
    assert first.schedules is None and every.schedules is not None


@pytest.mark.parametrize(
    "wrong", [{}, {"cpus": "read 3"}, {"cpus": ["fly 3"]}, {"cpus": ["read 3"], "stage": "7.0"},
              {"cpus": ["read 3"], "before": ["fly 3"]}, {"cpus": ["read 3"], "functions": {"lode": print}}],
)  # fmt: skip
def test_a_search_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        explore(**wrong)


# -- functions of one's own ---------------------------------------------------------------------------


def put_last(self: Any, tree: Any, entry: Any, frame: Any) -> Any:
    """The end of a load as Linux 6.5 has it."""
    if self.exclusive_loads:
        yield from self.invalidate_entry(tree, entry)
        frame.exclusive = True
    else:
        yield from self.move_to_head(entry)
    yield from self.entry_put(tree, entry)


def put_first(self: Any, tree: Any, entry: Any, frame: Any) -> Any:
    yield from self.entry_put(tree, entry)
    yield from self.move_to_head(entry)


def test_a_students_order_at_the_end_of_a_load_is_searched_like_the_models() -> None:
    setting: dict[str, Any] = {"stage": "4", "cpus": ["read 3", "read 3", "free 3"], "device": "synchronous"}
    assert explore(**setting, functions={"load_end": put_first}).fails
    assert not explore(**setting, functions={"load_end": put_last}).fails


def for_ever(self: Any, pool: Any) -> Any:
    """A worker that never gives up."""
    failed = 1
    while failed:
        failed = yield from self.shrink(pool)
        yield UNLOCKED
    self.pool_put(pool)


def test_a_students_worker_that_goes_round_for_ever_is_a_livelock() -> None:
    before = ["write 3", "page_out 3", "read 3"]
    explored = explore(stage="v6.5", cpus=["worker"], before=before, functions={"shrink_worker": for_ever})
    assert explored.failures[0].kind == "Livelock"


def test_state_that_cannot_be_kept_is_refused() -> None:
    """A deque has no slots and no dict: left out of a state's name, it would make "no schedule fails" a lie."""
    machine = Machine("v6.5")
    machine.write(3)
    machine.zswap.pool.zpool.pending = deque([1])  # type: ignore[assignment]
    with pytest.raises(TypeError, match="a deque holds state that cannot be kept"):
        Checkpoint(machine)
    with pytest.raises(TypeError, match="a deque holds state that cannot be kept"):
        Namer().name(Cpus(machine, ["read 3"]))


@pytest.mark.slow
@pytest.mark.parametrize("zpool", ["z3fold", "zsmalloc"])
def test_every_backend_can_be_searched(zpool: str) -> None:
    found = explore(stage="rfc2-4", zpool=zpool, device="synchronous", cpus=["read 3", "read 3", "free 3"])
    assert found.fails and isinstance(found.failures[0].fault, UseAfterFree)
    clean = explore(stage="v6.5", zpool=zpool, device="synchronous", cpus=["read 3", "free 3"])
    assert not clean.fails and clean.bound is None


def test_a_setup_is_searched_as_it_is() -> None:
    setup = Setup(
        "4", device="synchronous", swap_pages=64, workload=["write 3", "page_out 3"], cpus=["read 3", "free 3"]
    )
    assert explore(setup).schedule == "a7b3a3"
    assert record(setup.but(schedule="a7b3a3")).fault is not None


@pytest.mark.parametrize(("arguments", "said"), [
    ({"workload": ["write 3"]}, r"workload=\.\.\. is not explore's: .*before="),
    ({"speed": 3}, "'speed' is not known; choose"), ({"schedule": "a3"}, "'schedule' is not known; choose one of"),
    ({"case": 3}, "case=3 cannot be: give a Setup"), ({"case": Setup("4")}, "this setup has no cpus"),
    ({"case": Setup("4", cpus=["read 3"]), "device": "synchronous"}, "device cannot be given beside a case"),
])  # fmt: skip
def test_what_explore_cannot_take(arguments: dict[str, Any], said: str) -> None:
    cpus = {} if "case" in arguments else {"cpus": ["read 3"]}
    with pytest.raises(BadInput, match=said):
        explore(**cpus, **arguments)
