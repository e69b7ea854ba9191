"""The lab panel without a browser: its controls, what they run, where the reader stays, and the line that is shared."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from zswaplab import lab, record
from zswaplab.model.errors import BadInput
from zswaplab.model.stages import LOAD_ENDS, STAGES
from zswaplab.run.setup import Setup
from zswaplab.run.workloads import WORKLOADS, sizes_of
from zswaplab.show.controls import FIELDS, control, evicts, possible, ruled_out
from zswaplab.show.lab import Lab, line, same_place, words


@pytest.fixture(scope="module")
def panel() -> Lab:
    return lab()


@pytest.mark.parametrize(("evictable", "exclusive", "written"), [
    (True, False, [0, 1, 2, 3, 5, 6]), (False, False, [2, 3, 4, 5, 6]),
    (True, True, [2, 3, 6, 4, 7, 8, 9]), (False, True, [2, 3, 4, 5, 6, 7]),
])  # fmt: skip
def test_the_same_workload_on_another_kernel(panel: Lab, evictable: bool, exclusive: bool, written: list[int]) -> None:
    panel.evictable.value, panel.exclusive_loads.value = evictable, exclusive
    assert panel.history.written_back() == written
    assert panel.history.disk_reads() == (2 if (evictable, exclusive) == (True, False) else 0)
    now = panel.panel.state["rows"][0]
    assert (now["first"], now["left"], now["written"]) == (written[0], sorted(written), len(written))
    assert now["disk"] == panel.history.disk_reads()


def test_the_player_follows_and_says_which_kernel_it_is(panel: Lab) -> None:
    panel.evictable.value = False
    assert "zbud, not evictable" in repr(panel.player)
    panel.evictable.value = True
    assert "zbud, evictable" in repr(panel.player)


def test_what_changed_is_shown_beside_what_it_was(panel: Lab) -> None:
    panel.set(evictable=True, exclusive_loads="off")
    panel.evictable.value = False
    now, before = panel.panel.state["rows"]
    assert (now["name"], now["what"]) == ("Now", "patch 1, zswap evicts")
    assert (before["name"], before["what"], before["left"]) == ("Before", "patch 1, zbud evicts", [0, 1, 2, 3, 5, 6])


def test_it_opens_where_the_pool_is_full() -> None:
    fresh = lab()
    assert fresh.history[fresh.player.step].event == "refuse"


@pytest.mark.parametrize("workload", ["revisit 10 6", "loop 14 6"])
def test_a_switch_keeps_the_readers_place(workload: str) -> None:
    """Also in a run of which the beginning is shown before it has ended."""
    fresh = lab(workload=workload)
    texts = [str(fresh.history.operations[moment.operation]) for moment in fresh.history.moments]
    wanted = "read 1" if workload.startswith("revisit") else "write 7"
    fresh.player.step = texts.index(wanted)
    fresh.evictable.value = False
    moment = fresh.history[fresh.player.step]
    assert str(fresh.history.operations[moment.operation]) == wanted
    assert fresh.player.last == len(fresh.history) - 1
    assert len(fresh.history) == len(record(fresh.setup))


def test_a_place_that_is_no_more_becomes_the_end() -> None:
    crash = lab("rfc2-2")
    before = crash.history
    crash.exclusive_loads.value = True
    assert crash.history.fault
    assert same_place(before, len(before) - 1, crash.history) == len(crash.history) - 1
    assert crash.panel.state["rows"][0]["ended"] == "use after free"


def test_in_words_it_says_the_same(panel: Lab) -> None:
    assert words(panel.history) in repr(panel)
    assert f"{len(panel.history.written_back())} written back" in words(panel.history)
    assert "step" in repr(panel)


def test_a_preset_holds_back_what_was_not_asked_for() -> None:
    held = lab("rfc2-2", 100, exclusive_loads="off", hold=True)
    assert (len(held.history), held.player.step, held.player.last) == (101, 100, 100)
    assert held.panel.state["rows"] == [] and held.panel.state["words"] == ""
    assert "written back" not in repr(held).split("\n")[0]
    held.set(stage="2")
    assert held.panel.state["rows"] == [] and len(held.history) < 200
    held.go_on()
    assert held.panel.state["rows"][0]["left"] == sorted({*lab("2").history.written_back()})
    assert held.player.last == len(held.history) - 1 and not held.panel.state["held"]


@pytest.mark.parametrize(("setup", "name", "value", "way"), [
    (Setup(stage="2"), "evictable", True, {"stage": "1"}),
    (Setup(stage="rfc2-5", zpool="z3fold"), "evictable", True, {"stage": "rfc2-2"}),
    (Setup(stage="v6.5", zpool="zsmalloc"), "evictable", True, {"stage": "3"}),
    (Setup(stage="base"), "evictable", False, {"stage": "1", "evictable": False}),
    (Setup(stage="v6.1", zpool="zsmalloc"), "evictable", True, {"stage": "v6.4"}),
    (Setup(stage="v6.4"), "exclusive_loads", "on", {"stage": "base", "exclusive_loads": "on"}),
])  # fmt: skip
def test_what_a_stage_rules_out_says_why_and_the_way_back(
    setup: Setup, name: str, value: Any, way: dict[str, Any]
) -> None:
    found = ruled_out(setup, name, value)
    assert found is not None and found[1].items() >= way.items()
    option = next(one for one in control(setup, name)["options"] if one["value"] == value)
    assert option["no"] == f"Ruled out {found[0]}." and option["way"].startswith("Try ")
    there = possible(setup, found[1])
    assert ruled_out(there, name, value) is None
    assert (evicts(there) if name == "evictable" else there.exclusive_loads) == value
    with pytest.raises(BadInput, match="set stage="):
        possible(setup, {name: value})


def test_what_a_new_stage_rules_out_goes_back_to_its_own() -> None:
    setup = possible(Setup(stage="1", evictable=True, exclusive_loads="on"), {"stage": "v6.5"})
    assert (setup.evictable, setup.exclusive_loads) == (None, "on")
    assert possible(setup, {"stage": "v6.4"}).exclusive_loads == "off"


def test_every_field_has_a_control_that_shows_its_value() -> None:
    for stage in STAGES:
        for name in FIELDS:
            made = control(Setup(stage=stage, workload="loop 3 2"), name)
            assert made["kind"] in ("line", "choice", "menu", "number", "workload")
            if "options" in made:
                assert made["value"] in [option["value"] for option in made["options"]], (stage, name)


@pytest.mark.slow
def test_a_workload_as_csv_and_a_wrong_one() -> None:
    panel = lab()
    panel._heard(None, {"csv": "operation,page,seed\nwrite,3,17\npage_out,3,"}, [])
    assert panel.setup.workload == ("write 3 17", "page_out 3") and panel.history.count("store") == 1
    assert control(panel.setup, "workload")["csv"] == "operation,page,seed\nwrite,3,17\npage_out,3\n"
    panel._heard(None, {"csv": "operation,page\nfly,3"}, [])
    assert "fly,3" in panel.panel.state["problem"] and panel.history.count("store") == 1
    panel._heard(None, {"set": {"ram_pages": 0}}, [])
    assert "ram_pages=0" in panel.panel.state["problem"]
    panel._heard(None, {"set": {"workload": "loop 3 2"}}, [])
    assert panel.panel.state["problem"] == "" and panel.setup.workload == "loop 3 2"


# -- what is shared -----------------------------------------------------------------------------------


def any_setup(chance: Random) -> Setup:
    stage = chance.choice([*STAGES])
    lines = ["write 3", "page_out 3", f"write 4 {chance.randrange(1000)}", "read 3", "worker"]
    name = chance.choice([*WORKLOADS])
    sizes = " ".join(str(chance.randint(2, 9)) for _ in sizes_of(name))
    cpus = chance.choice([[], [], ["read 3", "free 3; worker"]])
    return Setup(
        stage=stage, zpool=chance.choice(["zbud", "z3fold", "zsmalloc"]),
        evictable=chance.choice([None, False, STAGES[stage].asks_evictable or None]),
        exclusive_loads=chance.choice(["off", "v1", "v2", "fixed"]), load_end=chance.choice([None, *LOAD_ENDS]),
        device=chance.choice(["ordinary", "synchronous"]), compressor=chance.choice(["deflate", "lengths"]),
        ram_pages=chance.randint(1, 500), swap_pages=chance.randint(64, 4096),
        max_pool_percent=chance.randint(0, 100), accept_threshold_percent=chance.randint(0, 100),
        workload=chance.choice([lines, f"{name} {sizes}", name]) if not cpus else lines[:2], cpus=cpus,
        seed=chance.choice([None, chance.randrange(2**40)]) if cpus else None,
        worker_failures=chance.randint(1, 99), multi_shot=chance.random() < 0.5,
    )  # fmt: skip


@pytest.mark.slow
def test_a_thousand_lines_come_back_as_they_were() -> None:
    chance = Random(6)

    def read(setup: Setup, step: int, *, show: Any = FIELDS, level: str = "story", hold: bool = False) -> Any:
        return setup, step, tuple(show), level, hold

    for _ in range(1000):
        setup, step, level = any_setup(chance), chance.randrange(4000), chance.choice(["story", "steps", "source"])
        names, hold = chance.choice([FIELDS, ("evictable",), ("stage", "seed")]), chance.random() < 0.5
        text = line(setup, step, level, names, hold)
        assert eval(text, {"lab": read, "Setup": Setup}) == (setup, step, names, level, hold), text


def test_a_line_makes_the_panel_again() -> None:
    first = lab("rfc2-2", 150, show=["exclusive_loads", "device"], level="source")
    first.set(device="synchronous")
    again = eval(first.share(), {"lab": lab, "Setup": Setup})
    assert (again.setup, again.player.step, again.player.level) == (first.setup, first.player.step, "source")
    assert again.names == first.names and again.panel.state["rows"][0] == first.panel.state["rows"][0]


@pytest.mark.parametrize(("arguments", "named"), [
    ({"stage": "v7"}, "v7"), ({"show": ["speed"]}, "speed"), ({"stage": "v6.5", "show": "evictable"}, "earlier stage"),
    ({"stage": "v6.4", "show": "exclusive_loads"}, "base"), ({"zpool": "zpool"}, "zpool"), ({"ram_pages": 0}, "ram_"),
    ({"workload": ["fly 3"]}, "fly 3"), ({"workload": "write 3"}, "write 3"), ({"step": 10**6}, "step="),
    ({"level": "depth"}, "depth"), ({"speed": 3}, "speed"),
])  # fmt: skip
def test_what_cannot_be_is_refused(arguments: dict[str, Any], named: str) -> None:
    with pytest.raises(BadInput, match=named):
        lab(**arguments)
