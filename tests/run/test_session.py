"""One live run: it begins from what a machine holds, ends with its failure, and says in facts what happened."""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import zswaplab.model
from tests.run.test_history import rebuilt, same_as_the_machine
from tests.run.test_search import CASES, named, result
from zswaplab.model.errors import BadInput, DataLost, UseAfterFree
from zswaplab.model.machine import Machine
from zswaplab.model.stages import STAGES
from zswaplab.run.cases import case_named
from zswaplab.run.cpus import packed
from zswaplab.run.events import EVENTS, KINDS_OF_EVENT, WEIGHTS
from zswaplab.run.history import History, record
from zswaplab.run.scene import HANDLERS
from zswaplab.run.search import explore
from zswaplab.run.session import Session
from zswaplab.run.setup import Setup

INCOMPRESSIBLE = random.Random(0).randbytes(4096)

# -- it begins with everything that the machine holds ----------------------------------------------------


def test_the_readmes_own_lines() -> None:
    m = Machine(stage="rfc2-2", zpool="zbud", exclusive_loads="off")
    m.write(3)
    m.page_out(3)
    m.read(3)
    history = record(m, ["write 4", "page_out 4"])
    assert history.lru(0) == [3] and history.lru() == [4, 3]
    same_as_the_machine(history, m)


def test_an_entry_that_was_there_before_is_shown() -> None:
    m = Machine("2")
    for page in (3, 5):
        m.write(page)
        m.page_out(page)
    history = record(m, ["write 4", "page_out 4"])
    assert history.lru() == [4, 5, 3]


@pytest.mark.parametrize("stage", ["v6.1", "base", "2", "v6.5"])
@pytest.mark.parametrize("zpool", ["zbud", "z3fold", "zsmalloc"])
@pytest.mark.parametrize("seed", range(3))
def test_whatever_a_machine_holds_is_there_from_the_first_moment(stage: str, zpool: str, seed: int) -> None:
    dice = random.Random(seed)
    m = Machine(stage, zpool, ram_pages=30, swap_pages=dice.choice([64, 1024]))
    for _ in range(60):
        page = dice.randrange(20)
        if dice.random() < 0.5:
            m.write(page, dice.choice([None, bytes(4096), INCOMPRESSIBLE]))
        elif page in m.written:
            dice.choice([m.page_out, m.read, m.free])(page)
    for other in dice.sample(["zbud", "z3fold", "zsmalloc"], 3):
        m.set(zpool=other)
        m.write(30)
        m.page_out(30)
    m.write(21)
    history = record(m, ["write 22", "page_out 22", "page_out 21", "read 22", "worker"])
    same_as_the_machine(history, m)
    assert history.fault is None


def test_every_pool_is_shown_when_the_backend_changes() -> None:
    m = Machine("v6.5")
    m.write(1)
    m.page_out(1)
    m.set(zpool="z3fold")
    m.write(2)
    m.page_out(2)
    history = record(m, ["write 3", "page_out 3"])
    assert {pool["backend"] for pool in history.pools} == {"zbud", "z3fold"}
    scene = history.at(-1)
    assert sorted(len(listed) for listed in scene.lru.values()) == [1, 2]
    assert history.lru() == [3, 2], "that of the current pool"


# -- it ends with its failure ---------------------------------------------------------------------------------

FAILING = [case for case in CASES if case.fails or case.name in ("C-base", "C2-6", "C2-v6.5", "v6.5-on-uaf")]


@pytest.mark.slow
@pytest.mark.parametrize("name", named(FAILING))
def test_the_history_of_a_failing_search_ends_with_its_failure(name: str) -> None:
    explored = result(name).explored
    for number, failure in enumerate(explored.failures):
        history = explored.history(number)
        assert type(history.fault) is type(failure.fault) and str(history.fault) == str(failure.fault)
        last = history[-1]
        assert (last.event, last.reason) == ("fault", failure.kind)
        assert last.say.endswith(".") and last.say.count("**") >= 2
        assert [report.text for report in history.reports], "the sanitizers say it, too"
        taken = [moment.cpu for moment in history.moments if moment.cpus][: len(failure.schedule)]
        assert taken == failure.schedule


@pytest.mark.parametrize("name", named(FAILING))
def test_with_multi_shot_a_history_shows_the_failure_and_what_comes_after(name: str) -> None:
    explored = result(name).explored
    failure = explored.failures[0]
    history = explored.history(multi_shot=True)
    told = [report.text for report in history.reports]
    assert told and any(moment.event == "fault" for moment in history.moments)
    if failure.kind in ("UseAfterFree", "CircularLocking"):
        ran = sum(moment.cpus is not None for moment in history.moments)
        gone_on = ran > len(failure.schedule) or history.fault is not None
        assert gone_on, "it goes on past what is only reported"
    else:
        assert str(history.fault) == str(failure.fault)


def test_a_fault_at_the_end_leaves_the_machine_as_it_is() -> None:
    m = Machine("v6.5", exclusive_loads="fixed", device="synchronous", swap_pages=64)
    history = record(m, ["write 3", "page_out 3"], cpus=["read 3", "read 3"], schedule="a11b4")
    assert isinstance(history.fault, DataLost)
    session = Session(Setup("v6.5", workload=["write 3", "page_out 3"], cpus=["read 3", "free 3"]))
    moments = list(session.run())
    before = (dict(session.machine.zswap.counters), sorted(session.machine.frames), dict(session.machine.slots))
    assert session.finish() is None and moments
    after = (dict(session.machine.zswap.counters), sorted(session.machine.frames), dict(session.machine.slots))
    assert before == after


def test_a_worker_that_is_still_queued_at_the_end_is_no_leak() -> None:
    machine = Machine("v6.5", max_pool_percent=0, swap_pages=64)
    history = record(machine, ["write 3", "page_out 3", "write 4"], cpus=["page_out 4"])
    assert machine.zswap.pool.work_pending and history.fault is None


def test_a_clean_history_of_several_cpus_ends_well() -> None:
    history = record(Machine("v6.5"), ["write 3", "page_out 3"], cpus=["read 3", "free 3"], seed=5)
    assert history.fault is None and history.reports == [] and history[-1].step is None


# -- what explore prints, record takes ------------------------------------------------------------------------

REPLAYED = [
    {"stage": "4", "device": "synchronous", "cpus": ["read 3", "read 3", "free 3"]},
    {"stage": "rfc2-2", "exclusive_loads": "v1", "cpus": ["read 3"]},
    {"stage": "2", "cpus": ["worker", "free 3"]},
    {"stage": "v6.5", "exclusive_loads": "fixed", "device": "synchronous", "cpus": ["read 3", "read 3"]},
]


@pytest.mark.parametrize("setting", REPLAYED, ids=str)
def test_the_line_that_explore_prints_replays_the_failure(setting: dict[str, Any]) -> None:
    explored = explore(**setting)
    line = repr(explored).splitlines()[-1].removeprefix("replay: ")
    history = eval(line, {"record": record, "Machine": Machine, "Setup": Setup})
    assert str(history.fault) == str(explored.failures[0].fault)


def test_a_schedule_of_another_setting_is_refused_with_the_setting_it_needs() -> None:
    setting: dict[str, Any] = {"cpus": ["read 3", "read 3", "free 3"], "schedule": "a7c3a3"}
    with pytest.raises(BadInput, match=r"explore's device has 64 pages: Machine\(\.\.\., swap_pages=64\)"):
        record(Machine("4", device="synchronous"), ["write 3", "page_out 3"], **setting)
    machine = Machine("4", device="synchronous", swap_pages=64)
    assert isinstance(record(machine, ["write 3", "page_out 3"], **setting).fault, UseAfterFree)


# -- step by step ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_a_session_by_hand_is_the_history_of_its_schedule(seed: int) -> None:
    setup = Setup("rfc2-4", device="synchronous", swap_pages=64, workload=["write 3", "page_out 3"],
                  cpus=["read 3", "read 3", "free 3"])  # fmt: skip
    by_hand, dice, chosen = History(Session(setup)), random.Random(seed), []
    while ready := by_hand.session.ready():
        cpu = dice.choice(ready)
        chosen += [cpu] * by_hand.session.together
        by_hand.step(cpu)
    by_hand.close()
    assert record(setup.but(schedule=packed(chosen))).first_difference(by_hand) is None


def test_a_cpu_that_cannot_run_is_refused_with_the_reason() -> None:
    session = Session(Setup("2", workload=["write 3", "page_out 3"], cpus=["read 3", "read 3"]))
    while not session.together:
        session.step()
    for _ in range(4):
        session.step(0)
    session.step(1)
    session.step(1)
    assert session.ready() == [0]
    with pytest.raises(BadInput, match="CPU b is blocked on the folio lock, which CPU a has"):
        session.step(1)
    with pytest.raises(BadInput, match="CPU 2 is not there"):
        session.step(2)
    while session.ready():
        session.step(session.ready()[0])
    with pytest.raises(BadInput, match="has finished"):
        session.step(0)


def test_references_of_the_running_functions_are_shown() -> None:
    history = record(Machine("2"), ["write 3", "page_out 3", "worker"])
    isolated = next(moment for moment in history.moments if moment.kind == "lru isolate")
    entry = next(number for number, page in history.at(-1).names.items() if page == 3)
    assert ("reclaim_entry", "entry", entry) in isolated.refs
    assert isolated.subject == entry


# -- facts before English ---------------------------------------------------------------------------------------

REASONS: dict[str, tuple[dict[str, Any], list[str], dict[str, Any]]] = {
    "limit": ({"stage": "2", "ram_pages": 10}, [f"{verb} {page} {seed}" if verb == "write" else f"{verb} {page}"
              for page, seed in enumerate((1, 3, 5, 9, 10, 11)) for verb in ("write", "page_out")], {}),
    "threshold": ({"stage": "v6.1", "ram_pages": 10}, [line for page in (5, 6, 10, 9, 21, 22) for line in (
                  f"write {page}", f"page_out {page}")], {}),
    "size": ({"stage": "2"}, ["page_out 40"], {"content": random.Random(1).randbytes(4042) + bytes(54)}),
    "compressor": ({"stage": "2"}, ["page_out 40"], {"content": INCOMPRESSIBLE}),
    "switched off": ({"stage": "2"}, ["page_out 40"], {"content": None, "enabled": False}),
}  # fmt: skip


@pytest.mark.parametrize("reason", REASONS)
def test_a_refusal_says_why(reason: str) -> None:
    options, workload, more = REASONS[reason]
    machine = Machine(**options)
    if more:
        machine.write(40, more["content"])
        machine.set(enabled=more.get("enabled", True))
    history = record(machine, workload)
    refused = [moment for moment in history.moments if moment.event == "refuse"]
    assert reason in [moment.reason for moment in refused], [moment.reason for moment in refused]
    assert history.count("refuse") == len(refused)
    assert all("refused" in moment.say.lower() for moment in refused)


def told_by_the_model() -> Iterator[tuple[str, str]]:
    """(event, file) of every call of an observer in the model."""
    for file in Path(zswaplab.model.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("self.hook.observer", "observer"):
                if isinstance(node.args[0], ast.Constant):
                    yield node.args[0].value, file.name


def test_every_event_of_the_model_is_listed_once_and_no_other() -> None:
    drivers = {"lock", "unlock", "object free"}
    assert {event for event, _ in told_by_the_model()} == set(EVENTS) - drivers
    assert set(HANDLERS) <= set(EVENTS)


def test_nothing_decides_by_looking_into_a_text() -> None:
    """No file of run/ or show/ searches in a sentence, a docstring or a message."""
    package = Path(zswaplab.model.__file__).parents[1]
    for file in [*(package / "run").glob("*.py"), *(package / "show").glob("*.py")]:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Compare) and any(isinstance(op, ast.In | ast.NotIn) for op in node.ops):
                looked_into = ast.unparse(node.comparators[0])
                assert not looked_into.endswith((".say", ".text", "__doc__")), f"{file.name}:{node.lineno}"
                assert not looked_into.startswith("str("), f"{file.name}:{node.lineno}"


@pytest.mark.parametrize("stage", ["v6.1", "base", "rfc2-2", "5", "v6.5"])
def test_kinds_and_events_are_those_that_are_listed(stage: str) -> None:
    history = record(Setup(stage, ram_pages=30, workload="revisit 10 6"))
    for moment in history.moments:
        assert moment.kind is None or moment.kind in WEIGHTS
        assert set(moment.events) <= set(KINDS_OF_EVENT)
        assert moment.event is None or moment.event in moment.events
    assert rebuilt(history)["counters"] == dict(history.session.machine.zswap.counters)


# -- what is refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "options", "told"),
    [
        ((Machine, ["write 3"]), {}, "give a Machine"),
        ((None,), {}, "give a Machine"),
        ((Machine(), [3]), {}, "give a list of operations"),
        ((Machine(), 3), {}, "give a list of operations"),
        ((Machine(), ["write 3"]), {"schedule": "a3"}, "says which CPU takes each step"),
        ((Machine(), ["write 3"]), {"seed": 3}, "chooses among CPUs"),
        ((Machine(), ["write 3"]), {"cpus": ["read 3"], "schedule": [0, 0, 1]}, "give it as a text"),
        ((Machine(), ["write 3"]), {"cpus": ["read 3"], "schedule": "a999999999999"}, "is too long"),
        ((Machine(), ["write 3"]), {"cpus": ["read 3"], "seed": "x"}, "seed"),
        ((Machine(), ["write 3"]), {"cpus": 3}, "give a list of what each CPU does"),
        ((Machine(), ["write 3"]), {"multi_shot": "yes"}, "multi_shot='yes'"),
        ((Machine(), ["page_out 3"]), {}, "page 3 was never written, or has been given up since"),
        ((Machine(), ["write 3", "free 3", "read 3"]), {}, "given up since"),
    ],
)
def test_what_cannot_be_recorded_is_refused_and_nothing_has_run(arguments: Any, options: Any, told: str) -> None:
    with pytest.raises(BadInput, match=told.replace("(", r"\(")):
        record(*arguments, **options)
    if isinstance(arguments[0], Machine):
        assert arguments[0].is_new and arguments[0].hook.observer is None


@pytest.mark.parametrize("event", ["evict", "", None, 3])
def test_an_event_that_is_not_there_is_refused(event: Any) -> None:
    history = record(Machine(), ["write 3"])
    with pytest.raises(BadInput, match="'store', 'load', 'writeback', 'refuse', 'free', 'fault'"):
        history.count(event)


@pytest.mark.parametrize("step", ["3", 99999, -99999, True, None, 1.5])
def test_a_fork_at_no_step_is_refused(step: Any) -> None:
    history = record(Machine("1", exclusive_loads="v2"), ["write 3", "page_out 3"])
    with pytest.raises(BadInput, match="is not in this history"):
        history.fork(step, enabled=False)


@pytest.mark.slow
def test_stages_all_run() -> None:
    for stage in STAGES:
        assert record(Setup(stage, workload="revisit 3 1")).fault is None
    assert case_named("K", CASES).case.setup.cpus == ("read 3", "read 3")
