"""The player's payload: what is made of a history, what is accepted, how it grows, how small it gets."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from tests.show import fixture, runs
from zswaplab.model.errors import BadInput
from zswaplab.model.machine import Machine
from zswaplab.run.history import History, record
from zswaplab.run.session import Session
from zswaplab.run.setup import Setup
from zswaplab.show.payload import check, grow, make, pack, scene, unpack

HISTORIES: dict[str, Callable[[], History]] = {
    "overflow": runs.overflow,
    "a backend that evicts": lambda: runs.overflow("base"),
    "z3fold": lambda: runs.overflow("7", "z3fold"),
    "zsmalloc": lambda: runs.overflow("7", "zsmalloc"),
    "no list": lambda: runs.overflow("v6.1", "zsmalloc"),
    "crash": runs.crash,
    "one touch": lambda: runs.crash(False),
    "together": runs.together,
    "two pools": runs.two_pools,
    "lost": lambda: runs.failing("v6.5-on"),
    "deadlock": lambda: runs.failing("D-hang-base"),
    "lock order": lambda: runs.failing("lock-order"),
    "leak": lambda: runs.failing("D-base"),
}


def plain(payload: dict[str, Any]) -> Any:
    return json.loads(json.dumps(payload))


# -- made from a history


@pytest.mark.parametrize("name", HISTORIES)
def test_a_history_becomes_a_payload_that_is_right_and_plain(name: str) -> None:
    history = HISTORIES[name]()
    payload = make(history)
    check(payload)
    check(plain(payload))
    assert [step["say"] for step in payload["steps"]] == [moment.say for moment in history.moments]
    assert [step["event"] for step in payload["steps"]] == [moment.event for moment in history.moments]
    assert [one["text"] for one in payload["operations"]] == [str(one) for one in history.operations]
    assert len(payload["reports"]) == len(history.reports)


@pytest.mark.parametrize("name", HISTORIES)
def test_the_scene_at_each_step_is_the_historys(name: str) -> None:
    history = HISTORIES[name]()
    payload = make(history)
    for step in range(0, len(history), 1 if len(history) < 100 else 7):
        mine, theirs = scene(payload, step), history.at(step)
        assert mine["entries"] == theirs.entries
        assert mine["pages"] == theirs.pages
        assert mine["names"] == theirs.names
        assert {pool: ids for pool, ids in mine["lru"].items() if ids} == {
            pool: [*reversed(ids)] for pool, ids in theirs.lru.items() if ids
        }
        assert mine["ram"] == theirs.ram
        assert mine["counters"] == theirs.counters
        assert (mine["size"], mine["full"], mine["out"]) == (theirs.size, theirs.full, theirs.out)


def test_the_story_stops_at_events_and_at_what_the_worker_chooses_and_decides() -> None:
    history = runs.overflow()
    payload = make(history)
    told = [moment for moment, step in zip(history.moments, payload["steps"], strict=True) if step["story"]]
    decisions = {"kick", "lru isolate", "worker stops", "worker goes on"}
    assert {moment.kind for moment in told if moment.event is None} == decisions
    assert sum(moment.kind == "lru isolate" for moment in told) == len(history.written_back())
    assert sum(moment.event is not None for moment in history.moments) == sum(bool(m.event) for m in told)
    assert len(told) < len(history) / 6


def test_a_history_begins_with_what_its_machine_held() -> None:
    machine = Machine("2")
    machine.write(5)
    machine.page_out(5)
    payload = make(record(machine, ["write 6", "page_out 6"]))
    first = scene(payload, 0)
    assert [entry["page"] for entry in first["entries"].values()] == [5]
    assert first["lru"] == {0: [0]} and first["ram"][5] == "swapped"


def test_a_report_has_its_stacks_with_lines_that_are_there() -> None:
    payload = make(runs.crash())
    touches = [found for found in payload["reports"] if found["kind"] == "KASAN"]
    assert [(found["access"], found["field"]) for found in touches] == [
        ("read", "length"), ("read", "pool"), ("read", "pool"), ("read", "pool"), ("read", "lru.prev"),
        ("read", "lru.next"), ("write", "lru.next"), ("write", "lru.prev"), ("read", "pool"),
    ]  # fmt: skip
    first = touches[0]
    assert (first["size"], first["offset"], first["bytes"], first["thing"]) == (4, 36, 80, "zswap_entry")
    assert payload["steps"][first["step"]]["event"] == "fault"
    names = scene(payload, first["step"])["names"]
    assert names[first["entry"]] == 3
    assert first["say"] == "**Use after free.** Page 3’s entry is freed, yet 4 bytes of it, `length`, are read."
    assert touches[6]["say"].endswith("`lru.next`, are written: the LRU leads into freed memory.")
    for trace, wanted in (("allocated", "store"), ("freed", "free_entry"), ("used", "on_lru")):
        assert first[trace]["rows"][0][0] == wanted
        for function, _, source, line in first[trace]["rows"]:
            if source is not None:
                assert payload["sources"][source]["function"] == function
                assert 0 <= line < len(payload["sources"][source]["lines"])
    assert first["freed"]["step"] < first["step"] and first["allocated"]["step"] < first["freed"]["step"]


def test_reports_of_other_kinds_say_who_waits_and_in_which_orders() -> None:
    hang = make(runs.failing("D-hang-base"))["reports"][-1]
    assert hang["kind"] == "deadlock" and hang["waits"] == [[1, "folio lock", 0, True]]
    order = make(runs.failing("lock-order"))["reports"][-1]
    assert [(chain["outer"], chain["inner"]) for chain in order["chains"]] == [
        ("lru_lock", "tree lock"), ("tree lock", "lru_lock"),
    ]  # fmt: skip
    assert "takes the tree lock while it holds the lru_lock" in order["say"]
    lost = make(runs.failing("v6.5-on"))["reports"][-1]
    assert lost["page"] == 3 and lost["trail"] and "zeros" in lost["whose"]


# -- what is accepted


@pytest.mark.parametrize("key", sorted(fixture.payload()))
def test_a_payload_without_a_key_or_with_a_wrong_value_is_refused(key: str) -> None:
    payload = fixture.payload()
    for broken in ({k: v for k, v in payload.items() if k != key}, {**payload, key: object()}):
        with pytest.raises(BadInput, match=f"'{key}'"):
            check(broken)


BROKEN: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "a step that is none": (lambda p: p["steps"].__setitem__(7, "store"), r"\['steps'\]\[7\]='store' .*a dict with"),
    "a step without a key": (lambda p: p["steps"][7].pop("say"), r"\['steps'\]\[7\] lacks 'say'"),
    "an unknown event": (lambda p: p["steps"][7].update(event="explosion"), r"\['event'\]='explosion' .*one of None"),
    "a change without values": (lambda p: p["steps"][7]["changes"].append(["lru", 3]), r"begins with one of entry"),
    "a change with too few": (lambda p: p["steps"][7]["changes"].append(["page", 3]), r"a list of 3"),
    "an empty change": (lambda p: p["steps"][7]["changes"].append([]), r"begins with one of"),
    "a line that is not there": (lambda p: p["steps"][7].update(stack=[[0, 99]]), r"\[7\] .*line 99 of source 0"),
    "a line below zero": (lambda p: p["steps"][7].update(stack=[[0, -1]]), r"\[7\] .*line -1 of source 0"),
    "a source that is not there": (lambda p: p["steps"][7].update(stack=[[99, 0]]), r"\[7\] .*source 99"),
    "an operation that is not there": (lambda p: p["steps"][7].update(operation=99), r"\[7\] .*operation 99"),
    "a pool that is not there": (lambda p: p["steps"][7]["changes"].append(["lru+", 4, 1]), r"\[7\] .*pool 4"),
    "a list of nothing known": (lambda p: p["pools"][0].update(lru_of="folios"), r"'folios' .*'entries', 'pages'"),
    "no pool": (lambda p: p["pools"].clear(), r"at least one pool"),
    "a flag for a number": (lambda p: p.update(limit=True), r"\['limit'\]=True .*a whole number"),
    "an older version": (lambda p: p.update(version=1), r"\['version'\]=1 .*one of 2"),
    "a CPU in no state": (lambda p: p["steps"][7]["cpus"][0].update(state="asleep"), r"'asleep' .*'not started'"),
    "an entry that lacks a field": (
        lambda p: p["steps"][7]["changes"].append(["entry", 3, {"page": 3}]), r"\['steps'\]\[7\].* lacks 'offset'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_payload_is_refused_with_the_place_and_the_rule(name: str) -> None:
    payload = fixture.payload(cpus=2)
    check(payload)
    break_it, says = BROKEN[name]
    break_it(payload)
    with pytest.raises(BadInput, match=says):
        check(payload)


@pytest.mark.parametrize("thing", [3, None, "a run", [1]])
def test_what_is_no_payload_at_all_is_refused(thing: object) -> None:
    with pytest.raises(BadInput, match=r"payload=.*must be a dict with version, title"):
        check(thing)


def test_the_fixture_uses_every_change_but_one_and_every_event() -> None:
    steps = [step for lru_of in ("entries", "pages") for step in fixture.payload(lru_of)["steps"]]
    assert {change[0] for step in steps for change in step["changes"]} == {
        "entry", "page", "lru+", "lru-", "out", "size", "full", "counters", "ram", "disk",
    }  # fmt: skip
    assert {step["event"] for step in steps} == {None, "store", "load", "writeback", "refuse", "free", "fault"}


# -- growing


def test_a_run_that_goes_on_grows_step_by_step_into_the_same_payload() -> None:
    setup = Setup(stage="2", ram_pages=30, workload=["write 3", "page_out 3", "write 4", "page_out 4", "read 3"])
    history = History(Session(setup), "live")
    payload, sent = make(history), []
    while history.session.ready():
        history.step()
        part = grow(payload, history)
        check({**payload, **{name: part[name] for name in ("pools",)}})
        sent.append(len(part["steps"]))
    history.close()
    assert payload == make(history)
    assert set(sent) == {1} and len(sent) == len(history)


def test_a_step_that_is_taken_back_gives_way_to_another() -> None:
    setup = Setup(stage="2", workload=["write 3", "page_out 3", "read 3"])
    long, short = record(setup), record(setup.but(workload=["write 3", "page_out 3", "free 3"]))
    payload = make(long)
    same = long.first_difference(short)
    assert same
    part = grow(payload, short, keep=same)
    assert part["from"]["steps"] == same and len(part["steps"]) == len(short) - same
    assert [step["say"] for step in payload["steps"]] == [moment.say for moment in short.moments]
    check(payload)


# -- a few bytes


@pytest.mark.parametrize("name", HISTORIES)
def test_packed_and_unpacked_is_the_same(name: str) -> None:
    payload = make(HISTORIES[name]())
    assert unpack(pack(payload)) == plain(payload)


def test_a_run_without_steps_is_packed_too() -> None:
    empty = {**fixture.payload(), "steps": [], "operations": [], "reports": []}
    assert unpack(pack(empty)) == plain(empty)


@pytest.mark.slow
def test_five_thousand_steps_take_less_than_150_kilobytes() -> None:
    payload = fixture.long_payload()
    assert len(payload["steps"]) >= 5000
    assert len(pack(payload)) < 150_000
    lines = [f"{verb} {page}" for n in range(420) for page in [n % 90] for verb in ("write", "page_out", "read")]
    real = make(record(Machine("2", ram_pages=200), lines))
    real["steps"] = real["steps"][:5000]
    assert len(real["steps"]) == 5000
    assert len(base64.b64encode(pack(real))) < 150_000


def test_packing_leaves_the_payload_alone() -> None:
    payload = fixture.payload()
    before = deepcopy(payload)
    pack(payload)
    assert payload == before
