"""`record`: a history tells what happened, and its changes rebuild what is there."""

from __future__ import annotations

from typing import Any

import pytest

from zswaplab.model.errors import BadInput, UseAfterFree
from zswaplab.model.machine import Machine
from zswaplab.run.history import History, record
from zswaplab.run.search import explore
from zswaplab.run.workloads import revisit

KERNELS = [("base", "off"), ("1", "v2"), ("rfc2-2", "off"), ("v6.5", "off"), ("v6.5", "fixed")]


def recorded(stage: str, form: str, zpool: str = "zbud") -> tuple[Machine, History]:
    machine = Machine(stage, zpool, form, ram_pages=30, swap_pages=64)
    return machine, record(machine, revisit())


def rebuilt(history: History, until: int | None = None) -> dict[str, Any]:
    """The state after a step (default: the last), from the changes alone."""
    state: dict[str, Any] = {"entry": {}, "page": {}, "lru": {}, "size": 0, "full": False, "current": 0, "ram": {}}
    counters = dict(history.counters)
    moments = history.moments if until is None else history.moments[: until + 1]
    for change in [*history.begin, *(change for moment in moments for change in moment.changes)]:
        kind, key, *rest = change
        if kind in ("entry", "page"):
            state[kind].pop(key, None)
            if rest[0] is not None:
                state[kind][key] = rest[0]
        elif kind in ("lru+", "lru-"):
            state["lru"][key] = [id for id in state["lru"].get(key, []) if id != rest[0]]
            if kind == "lru+":
                state["lru"][key].insert(0, rest[0])
        elif kind == "counters":
            counters.update(key)
        elif kind == "ram":
            state["ram"][key] = rest[0]
        elif kind in ("size", "full", "current"):
            state[kind] = key
    return {**state, "counters": counters}


def same_as_the_machine(history: History, machine: Machine) -> None:
    """What the changes say is what the machine has: every entry, every page of every pool, every LRU."""
    state, zswap = rebuilt(history), machine.zswap
    assert state["counters"] == dict(zswap.counters)
    assert (state["size"], state["full"]) == (zswap.size, zswap.reached_full)
    entries = {entry.offset: (entry.length, entry.refcount) for entry in zswap.trees[0].entries.values()}
    assert {e["offset"]: (e["length"], e["refcount"]) for e in state["entry"].values()} == entries
    shown = [pool["backend"] for pool in history.pools]
    for pool in zswap.pools:
        number = shown.index(pool.zpool.name)
        pages = {key: page for key, page in state["page"].items() if page["pool"] == number}
        assert {page["number"]: [(b, u) for _, b, u in page["objects"]] for page in pages.values()} == {
            n: [(b, u) for _, b, u in page] for n, page in pool.zpool.layout().items()
        }
        listed = state["lru"].get(number, [])
        if pool.evictable:
            assert [pages[key]["number"] for key in listed] == [page.number for page in pool.zpool.lru][::-1]
        else:
            assert [state["entry"][id]["offset"] for id in listed] == [entry.offset for entry in pool.lru]
    assert shown[state["current"]] == zswap.pool.zpool.name
    present = {page for page, where in state["ram"].items() if where == "present"}
    assert present == set(machine.frames)
    assert {page for page, where in state["ram"].items() if where != "freed"} == set(machine.written)


@pytest.mark.parametrize("zpool", ["zbud", "z3fold", "zsmalloc"])
@pytest.mark.parametrize(("stage", "form"), KERNELS)
def test_the_changes_rebuild_the_machine(stage: str, form: str, zpool: str) -> None:
    machine, history = recorded(stage, form, zpool)
    same_as_the_machine(history, machine)


@pytest.mark.parametrize(("stage", "form"), KERNELS)
def test_the_events_are_what_the_counters_say(stage: str, form: str) -> None:
    machine, history = recorded(stage, form)
    counters = machine.zswap.counters
    assert history.count("writeback") == counters.written_back_pages == len(history.written_back())
    assert history.count("refuse") >= counters.pool_limit_hit
    assert history.count("fault") == 0
    assert history.count("store") - history.count("free") == counters.stored_pages


def test_recording_changes_nothing() -> None:
    machine, _ = recorded("rfc2-2", "off")
    plain = Machine("rfc2-2", ram_pages=30, swap_pages=64)
    for line in revisit():
        verb, page = line.split()
        getattr(plain, verb)(int(page))
    assert dict(plain.zswap.counters) == dict(machine.zswap.counters)
    assert str(plain.zswap.pool.lru) == str(machine.zswap.pool.lru)
    assert machine.hook.observer is None


def test_each_moment_has_a_sentence_and_a_line_of_the_source() -> None:
    _, history = recorded("rfc2-2", "off")
    for moment in history.moments:
        assert moment.say.endswith(".")
        for source, line in moment.stack:
            assert history.sources[source]["lines"][line].strip()
    innermost = [history.sources[m.stack[-1][0]]["lines"][m.stack[-1][1]] for m in history.moments if m.stack]
    assert all("yield" in line or "self." in line for line in innermost)


def test_the_running_line_is_the_one_that_takes_the_lock() -> None:
    _, history = recorded("rfc2-2", "off")
    taken = [moment for moment in history.moments if "**tree lock** is about to be taken" in moment.say]
    lines = {history.sources[m.stack[-1][0]]["lines"][m.stack[-1][1]].strip() for m in taken}
    assert lines == {"yield tree.lock.acquire"}


def test_locks_are_held_between_taking_and_dropping_them() -> None:
    _, history = recorded("rfc2-2", "off")
    held = {lock for moment in history.moments for lock in moment.holds}
    assert held == {"tree lock", "lru_lock"}
    assert all(not moment.holds for moment in history.moments if moment.step is None)
    assert ["tree lock", "lru_lock"] in [moment.holds for moment in history.moments]  # the kernel's order, no other
    assert ["lru_lock", "tree lock"] not in [moment.holds for moment in history.moments]


def test_a_fault_ends_the_history_and_is_not_raised() -> None:
    history = record(Machine("rfc2-2", exclusive_loads="v1"), ["write 3", "page_out 3", "read 3", "write 4"])
    assert isinstance(history.fault, UseAfterFree)
    assert history[-1].event == "fault"
    assert "Use after free" in history[-1].say
    assert list(map(str, history.operations)) == ["write 3", "page out 3", "read 3"]
    assert [history.sources[source]["function"] for source, _ in history[-1].stack][-2:] == ["move_to_head", "on_lru"]


def test_each_reference_that_a_step_drops_is_told() -> None:
    """Up to patch 5 the end of a writeback drops two: its own and the tree's. A load drops its own."""
    history = record(Machine("5"), ["write 3", "page_out 3", "read 3", "page_out 3", "worker"])
    assert [moment.say for moment in history.moments if moment.kind == "put"] == [
        "A reference to page 3's entry is dropped: **2 → 1**.",
        "References to page 3's entry are dropped, one after the other: **3 → 2 → 1**.",
    ]


def test_the_worker_is_an_operation_of_its_own() -> None:
    _, history = recorded("rfc2-2", "off")
    worker = next(number for number, operation in enumerate(history.operations) if operation.queued)
    assert (str(history.operations[worker]), history.operations[worker].kind) == ("the shrink worker", "worker")
    assert history.operations[worker - 1].kind == "page_out"


def test_compaction_is_an_operation_of_its_own() -> None:
    machine = Machine("v6.5", "z3fold", swap_pages=64)
    seeds = {1: 0, 2: 2, 3: 5}  # 1,943 and 586 bytes share a page, 2,907 leave room for the shorter
    out = [line for page, seed in seeds.items() for line in (f"write {page} {seed}", f"page_out {page}")]
    history = record(machine, [*out, "free 1"])
    assert list(map(str, history.operations[-2:])) == ["free 1", "compaction"]
    told = [moment.say for moment in history.moments if moment.operation == len(history.operations) - 1]
    assert any("moves the only object of its page into **z3fold page 1**" in say for say in told)
    assert list(rebuilt(history)["page"]) == [1]
    assert not machine.zswap.pool.zpool.pending


def test_the_lru_can_be_asked_at_any_step() -> None:
    history = record(Machine("2"), [line for page in (7, 8, 9) for line in (f"write {page}", f"page_out {page}")])
    assert history.lru() == [9, 8, 7]
    assert history.lru(0) == []


@pytest.mark.parametrize("workload", ["write 3", ["read 99"], ["fly 3"], ["write"], ["free x"]])
def test_a_workload_that_cannot_be_is_refused(workload: Any) -> None:
    with pytest.raises(BadInput):
        record(Machine(), workload)


def test_a_refused_workload_leaves_no_observer_behind() -> None:
    machine = Machine()
    with pytest.raises(BadInput):
        record(machine, ["write 1", "fly 3"])
    assert machine.hook.observer is None


def test_a_zspage_is_as_wide_as_it_is_long() -> None:
    machine = Machine("base", "zsmalloc", ram_pages=1000)
    history = record(machine, [line for page in range(6) for line in (f"write {page}", f"page_out {page}")])
    zspages, pages = machine.zswap.pool.zpool.numbered, history.at(-1).pages
    assert history.pools[0]["page_units"] * history.pools[0]["unit_bytes"] == 8 * 4096
    lengths = {page["number"]: page["units"] // 256 for page in pages.values()}
    assert lengths == {number: zspage.size_class.pages for number, zspage in zspages.items()}
    assert len(set(lengths.values())) > 1


# -- several CPUs ------------------------------------------------------------------------------------

TWO: Any = {"cpus": ["read 3", "read 3", "free 3"], "schedule": "a7c3a3"}


def raced(**options: Any) -> History:
    machine = Machine("rfc2-4", device="synchronous", swap_pages=64)
    return record(machine, ["write 3", "page_out 3"], **{**TWO, **options})


def test_several_cpus_are_a_history_that_can_be_played() -> None:
    history = raced()
    assert isinstance(history.fault, UseAfterFree) and history[-1].event == "fault"
    raced_ = [moment.cpus for moment in history.moments if moment.cpus]
    assert history.cpus == 3 and all(len(cpus) == 3 for cpus in raced_)
    last = raced_[-1]
    assert last[0]["holds"] == ["tree lock"] and last[0]["stack"] and not last[1]["stack"]
    assert last[1]["state"] == "not started"
    blocked = [(number, cpu) for cpus in raced_ for number, cpu in enumerate(cpus) if cpu["waits"] == "tree lock"]
    assert blocked
    for number, cpu in blocked:
        assert cpu["state"] == "blocked" and cpu["holder"] not in (None, number)
    assert history[-1].say.startswith("CPU a: **Use after free.**")


def test_a_seed_gives_the_same_history_each_time() -> None:
    one, two = (raced(schedule=None, seed=4) for _ in range(2))
    assert one.first_difference(two) is None and len(one) == len(two)


@pytest.mark.parametrize("schedule", ["a7b", "a99", "d"])
def test_a_schedule_that_cannot_be_followed_is_refused(schedule: str) -> None:
    with pytest.raises(BadInput):
        raced(schedule=schedule)


# -- time travel -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("stage", "form"), KERNELS)
def test_a_jump_gives_what_all_the_changes_give(stage: str, form: str) -> None:
    _, history = recorded(stage, form)
    for step in range(0, len(history), 37):
        state, expected = history.at(step), rebuilt(history, step)
        assert (state.entries, state.pages) == (expected["entry"], expected["page"])
        assert {pool: [*reversed(listed)] for pool, listed in state.lru.items()} == expected["lru"]
        assert (state.size, state.full, state.ram, state.counters) == (
            expected["size"], expected["full"], expected["ram"], expected["counters"],
        )  # fmt: skip
    assert history.lru(-1) == history.lru(len(history) - 1)


def test_a_fork_is_the_same_up_to_its_step_and_then_another() -> None:
    history = record(Machine("1", exclusive_loads="v2", ram_pages=30), revisit())
    other = history.fork(120, exclusive_loads="off")
    different = history.first_difference(other)
    assert different is not None and different > 120
    assert history.moments[:different] == other.moments[:different]
    assert not history[different].same(other[different])
    assert history.fork(120, max_pool_percent=20).first_difference(history) is None, "what it was already"


def test_a_fork_of_a_race_keeps_to_the_schedule_as_far_as_it_can() -> None:
    history = raced(schedule=None, seed=1)
    other = history.fork(len(history) - 20, same_filled_pages_enabled=False)
    assert [moment.cpu for moment in other.moments] == [moment.cpu for moment in history.moments]


@pytest.mark.parametrize("settings", [{}, {"stage": "1"}, {"exclusive_loads": "v1"}, {"max_pool_percent": 2**32}])
def test_what_cannot_change_in_a_running_machine_is_refused(settings: Any) -> None:
    history = record(Machine("1", exclusive_loads="v2"), ["write 1", "page_out 1"])
    with pytest.raises(BadInput):
        history.fork(3, **settings)


def test_a_history_of_a_used_machine_cannot_be_forked() -> None:
    machine = Machine()
    machine.write(1)
    with pytest.raises(BadInput, match="used before"):
        record(machine, ["page_out 1"]).fork(1, enabled=False)


# -- with sanitizers, and from a search ----------------------------------------------------------------


def test_a_multi_shot_history_shows_each_report_where_it_arises() -> None:
    machine = Machine("rfc2-2", exclusive_loads="v1")
    history = record(machine, ["write 3", "page_out 3", "read 3"], multi_shot=True)
    assert history.fault is None and len(history.reports) == 9 + 1
    shown = [moment for moment in history.moments if moment.event == "fault"]
    assert "KASAN" in shown[0].say and machine.hook.observer is None and machine.hook.freed is None


def test_a_search_gives_its_schedule_as_a_history() -> None:
    explored = explore(stage="4", cpus=["read 3", "read 3", "free 3"], device="synchronous")
    history = explored.history()
    assert str(history.fault) == str(explored.failures[0].fault)
    assert history.fork(5, max_pool_percent=20).first_difference(history) is None
    with pytest.raises(BadInput, match="no failing schedule"):
        explore(stage="v6.5", cpus=["read 3"]).history()
