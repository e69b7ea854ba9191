"""A setup is a value: it becomes JSON and a short text, and comes back; what cannot be is said before anything runs."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zswaplab.model.compressors import Deflate
from zswaplab.model.errors import BadInput
from zswaplab.model.machine import Machine
from zswaplab.model.stages import EXCLUSIVE_LOADS, LOAD_ENDS, STAGES
from zswaplab.model.zpool import ZPOOLS
from zswaplab.run.cases import Named, table
from zswaplab.run.cpus import packed
from zswaplab.run.history import record
from zswaplab.run.setup import Setup
from zswaplab.run.workloads import WORKLOADS, lines_of, sizes_of

LINES = st.one_of(
    st.builds("{} {}".format, st.sampled_from(["write", "page_out", "read", "free"]), st.integers(0, 99)),
    st.builds("write {} {}".format, st.integers(0, 99), st.integers(0, 10**6)), st.just("worker"),
)  # fmt: skip
NAMED = st.sampled_from(sorted(WORKLOADS)).flatmap(
    lambda name: st.lists(st.integers(2, 40), max_size=len(sizes_of(name))).map(
        lambda sizes: " ".join([name, *map(str, sizes)])
    )
)
TASKS = st.lists(st.lists(LINES, min_size=1, max_size=3).map("; ".join), min_size=1, max_size=4)


@st.composite
def setups(draw: st.DrawFn, own: bool = True) -> Setup:
    """Any setup that can be; `own` says whether the workload may be the reader's own."""
    stage = draw(st.sampled_from(sorted(STAGES)))
    fields: dict[str, Any] = {
        "stage": stage, "zpool": draw(st.sampled_from(sorted(ZPOOLS))),
        "exclusive_loads": draw(st.sampled_from(EXCLUSIVE_LOADS)),
        "load_end": draw(st.none() | st.sampled_from(LOAD_ENDS)),
        "device": draw(st.sampled_from(["ordinary", "synchronous"])),
        "evictable": draw(st.sampled_from([None, False, *[True] * STAGES[stage].asks_evictable])),
        "ram_pages": draw(st.integers(1, 2**40)), "swap_pages": draw(st.integers(2, 2**40)),
        "max_pool_percent": draw(st.integers(0, 100)), "accept_threshold_percent": draw(st.integers(0, 1000)),
        "workload": draw(NAMED | st.lists(LINES, max_size=6) if own else NAMED | st.just([])),
        "worker_failures": draw(st.integers(1, 99)), "multi_shot": draw(st.booleans()),
    }  # fmt: skip
    if draw(st.booleans()):
        cpus = fields["cpus"] = draw(TASKS)
        fields["one_cpu"] = draw(st.booleans())
        fields["seed"] = draw(st.none() | st.integers(0, 2**60))
        steps = draw(st.lists(st.integers(0, len(cpus) - 1), max_size=40))
        fields["schedule"] = draw(st.sampled_from([None, packed(steps)]))
    sets = st.one_of(
        st.tuples(st.integers(0, 999), st.just("max_pool_percent"), st.integers(0, 100)),
        st.tuples(st.integers(0, 999), st.just("exclusive_loads"), st.sampled_from(["off", True, False])),
    )
    fields["changes"] = draw(st.lists(sets, max_size=3))
    return Setup(**fields)


def some(count: int) -> Any:
    return settings(max_examples=count, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@some(40)
@given(setups())
def test_a_setup_survives_json_and_text(setup: Setup) -> None:
    survives(setup)


@pytest.mark.slow
@some(1000)
@given(setups())
def test_a_thousand_setups_survive_json_and_text(setup: Setup) -> None:
    survives(setup)


def survives(setup: Setup) -> None:
    assert Setup.from_json(json.loads(json.dumps(setup.to_json()))) == setup
    text = setup.to_text()
    assert re.fullmatch(r"[A-Za-z0-9._~-]+", text), "nothing in it needs quoting in a link"
    own = None if isinstance(setup.workload, str) or not setup.workload else list(setup.workload)
    assert Setup.from_text(text, own) == setup


@pytest.mark.slow
@some(100)
@given(setups(own=False))
def test_what_a_panel_can_set_is_under_two_kilobytes(setup: Setup) -> None:
    assert len(setup.but(cpus=(), schedule=None, seed=None, changes=()).to_text()) < 2000


def test_a_default_is_not_written_down() -> None:
    assert Setup().to_json() == {"version": 1} and Setup().to_text() == "1"
    assert Setup(stage="rfc2-2", workload="revisit 10 6").to_text() == "1.stage.rfc2-2.workload.revisit~2010~206"


def test_lines_of_ones_own_are_a_digest_in_the_text_and_whole_in_json() -> None:
    setup = Setup(workload=["write 1234567", "page_out 1234567"])
    assert "1234567" not in setup.to_text()
    assert setup.to_json()["workload"] == ["write 1234567", "page_out 1234567"]
    with pytest.raises(BadInput, match=r"workload of the writer's own .* give it, workload=\[\.\.\.\]"):
        Setup.from_text(setup.to_text())
    with pytest.raises(BadInput, match="other lines"):
        Setup.from_text(setup.to_text(), ["write 1"])
    with pytest.raises(BadInput, match="not needed"):
        Setup.from_text(Setup().to_text(), ["write 1"])


@pytest.mark.parametrize("text", ["", "x", "stage.v6", "1.stage", "1.stage.rfc2-2.zpool", 3, None, "99", "1.speed.9",
                                  "1.stage.v7", "1.ram_pages.many", "1.cpus.fly~203", "1.schedule.a3",
                                  "0", "-1", "1.1.1", "1.stage.~FF"])  # fmt: skip
def test_what_is_no_setups_text_is_refused_in_words(text: Any) -> None:
    with pytest.raises(BadInput):
        Setup.from_text(text)


def test_another_version_is_refused_by_its_number() -> None:
    with pytest.raises(BadInput, match="version 2 cannot be read here: this zswaplab reads version 1"):
        Setup.from_text("2.stage.rfc2-2")
    with pytest.raises(BadInput, match="version None"):
        Setup.from_json({"stage": "v6.5"})


def test_what_has_no_name_cannot_be_written_down() -> None:
    with pytest.raises(BadInput, match="your own function"):
        Setup(functions={"load_end": put_first}).to_text()
    with pytest.raises(BadInput, match="is an object"):
        Setup(compressor=Deflate()).to_json()


def put_first(self: Any, tree: Any, entry: Any, frame: Any) -> Any:
    yield from self.entry_put(tree, entry)
    yield from self.move_to_head(entry)


@pytest.mark.parametrize(
    "wrong",
    [{"stage": "v7"}, {"stage": 3}, {"zpool": None}, {"ram_pages": "30"}, {"seed": 1}, {"schedule": "a3"},
     {"cpus": ["read 3"], "schedule": "b"}, {"cpus": ["read 3"], "schedule": [0]}, {"cpus": ["read 3"], "seed": "x"},
     {"cpus": "read 3"}, {"workload": "fly 3"}, {"workload": "fly"}, {"workload": [3]}, {"workload": 3},
     {"workload": "revisit x"}, {"workload": "revisit 1 2 3"}, {"worker_failures": 0}, {"multi_shot": "yes"},
     {"functions": {"lode": put_first}}, {"functions": {"load_end": "no such name"}}, {"functions": {"load_end": 3}},
     {"changes": [(-1, "enabled", True)]}, {"changes": 3}, {"changes": [3]}, {"functions": 3}],
)  # fmt: skip
def test_what_cannot_be_is_said_before_anything_runs(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        Setup(**wrong)


def test_a_setup_makes_the_machine_that_was_described() -> None:
    machine = Setup(stage="rfc2-2", exclusive_loads="v1", ram_pages=30, worker_failures=3).machine()
    assert (machine.stage.id, machine.stage.exclusive_loads, machine.zswap.ram_pages) == ("rfc2-2", "v1", 30)
    assert machine.zswap.max_reclaim_retries == 3
    setup = Setup.of(Machine("2", "z3fold", ram_pages=17), workload=["write 1"])
    assert setup == Setup("2", "z3fold", ram_pages=17, workload=["write 1"])
    used = Machine()
    used.write(1)
    assert Setup.of(used) is None


def test_a_setup_can_be_recorded_and_is_what_its_history_gives_back() -> None:
    setup = Setup("2", ram_pages=30, workload="revisit 10 6")
    history = record(setup)
    assert history.setup == setup
    assert history.first_difference(record(Machine("2", ram_pages=30), lines_of("revisit 10 6"))) is None
    again = record(Setup.from_text(history.setup.to_text()))
    assert again.first_difference(history) is None


def test_a_fork_is_a_value_too() -> None:
    history = record(Setup("1", exclusive_loads="v2", ram_pages=30, workload="revisit 10 6"))
    fork = history.fork(120, exclusive_loads="off")
    assert fork.setup and fork.setup.changes == ((120, "exclusive_loads", "off"),)
    again = record(Setup.from_text(fork.setup.to_text()))
    assert again.first_difference(fork) is None and again.first_difference(history) == history.first_difference(fork)
    twice = fork.fork(200, max_pool_percent=10)
    assert twice.setup and len(twice.setup.changes) == 2 and twice.first_difference(fork) is not None


@pytest.mark.parametrize("named", table(), ids=lambda named: named.name)
def test_every_named_case_is_a_value(named: Named) -> None:
    setup = named.case.setup
    assert Setup.from_text(setup.to_text(), list(setup.workload) or None) == setup
