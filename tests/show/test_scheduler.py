"""The scheduler by hand: steps, blocked CPUs, schedules that are pasted and taken back, the search; in Python and in a
real browser.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.show.living import Living
from zswaplab import Setup, explore, record, scheduler
from zswaplab.model.errors import BadInput
from zswaplab.show.payload import make
from zswaplab.show.scheduler import Scheduler

SETUP = Setup(
    stage="4", device="synchronous", workload=["write 3", "page_out 3"], cpus=["read 3", "read 3", "free 3"],
    swap_pages=64,
)  # fmt: skip
LONG = Setup(  # a search that takes more than a moment
    stage="v6.5", device="synchronous", workload=["write 3", "page_out 3", "write 4", "page_out 4"],
    cpus=["read 3; free 3", "read 4; free 4", "worker", "read 3"], swap_pages=64,
)  # fmt: skip


def hand(schedule: str = "") -> Scheduler:
    made = scheduler(SETUP)
    if schedule:
        made.follow(schedule)
    return made


def drawn(made: Scheduler) -> dict[str, Any]:
    return made._drawn


# -- steps


def test_a_press_takes_one_step_and_the_schedule_grows() -> None:
    made = hand()
    for cpu in "aab":
        made.run(cpu)
    assert made.schedule == "a2b"
    assert [cpu["state"] for cpu in made.cpus] == ["ready", "ready", "ready"]
    assert made.step == made.last == made.begin + 2
    assert drawn(made) == make(made.history)


def test_a_blocked_cpu_says_on_what_and_who_holds_it() -> None:
    made = hand("a7c2")
    assert (made.cpus[0]["state"], made.cpus[0]["why"]) == ("blocked", "waits for tree lock: CPU c has it")
    with pytest.raises(BadInput, match="CPU a is blocked on the tree lock, which CPU c has; ready: b, c"):
        made.run("a")
    assert made.schedule == "a7c2"


def test_a_step_taken_back_leaves_no_trace_whatever_follows() -> None:
    made = hand("a7c2")
    made.back(2)
    assert made.schedule == "a7"
    assert made.cpus[0]["state"] == "ready"
    for cpu in "bbb":
        made.run(cpu)
    assert drawn(made) == make(made.history) == make(hand("a7b3").history)


def test_the_sanitizers_watch() -> None:
    made = hand("a7c3a3")
    assert made.ended.startswith("crashed after 13 steps: slab-use-after-free")
    assert len(drawn(made)["reports"]) == 1
    assert {cpu["why"] for cpu in made.cpus} == {"the run is over"}
    made.back()
    assert made.ended == ""
    assert drawn(made)["reports"] == []


def test_what_it_runs_is_what_record_runs() -> None:
    said = [moment.say for moment in record(SETUP.but(schedule="a7c3a3")).moments]
    assert [moment.say for moment in hand("a7c3a3").history.moments] == said


def test_all_finish_and_nothing_is_wrong() -> None:
    made = scheduler(SETUP.but(stage="v6.5", cpus=["read 3", "free 3"]))
    while ready := [cpu["name"] for cpu in made.cpus if cpu["ready"]]:
        made.run(ready[0])
    assert made.ended == "everybody has finished, and nothing is wrong"
    assert [cpu["state"] for cpu in made.cpus] == ["finished", "finished"]


def test_a_pasted_schedule_goes_as_far_as_it_can() -> None:
    made = hand()
    with pytest.raises(BadInput, match="CPU a is blocked"):
        made.follow("a7c2a5")
    assert made.schedule == "a7c2"
    with pytest.raises(BadInput, match="cannot be read"):
        made.follow("7a!")
    assert made.schedule == "a7c2"
    assert drawn(made) == make(made.history)


@pytest.mark.parametrize(("call", "says"), [
    (lambda: scheduler(3), "setup=3 cannot be run: give a Setup(cpus="),
    (lambda: scheduler(Setup()), "has no CPUs to choose from: give it cpus="),
    (lambda: scheduler(SETUP.but(seed=3)), "seed=3 lets chance choose, and here you do: leave it out"),
    (lambda: scheduler(SETUP, seconds=-1), "seconds=-1 cannot be"),
    (lambda: hand().run("d"), "cpu='d' is not there: give one of a, b, c"),
    (lambda: hand().run(0), "cpu=0 is not there"),
    (lambda: hand("a2").back(3), "steps=3 cannot be taken back: 2 have been taken"),
    (lambda: hand().follow("z"), "names CPU z, and there are 3"),
])  # fmt: skip
def test_bad_input_says_what_and_what_to_do(call: Callable[[], Any], says: str) -> None:
    with pytest.raises(BadInput) as problem:
        call()
    assert says in str(problem.value)


# -- the search


def test_the_search_is_of_the_same_setup_and_its_schedule_plays() -> None:
    made = hand("a2")
    made.find()
    found = made.wait(60)
    same = explore(stage="4", device="synchronous", cpus=list(SETUP.cpus), before=list(SETUP.lines()))
    assert found is not None
    assert (found.schedule, found.states) == (same.schedule, same.states)
    assert made.search["state"] == "found"
    assert made.schedule == "a2"
    made._handle_custom_msg({"play": made.search["schedule"]}, [])
    assert made.playing
    assert made.step == made.begin - 1
    assert made.ended.startswith("crashed")


def test_what_explore_found_is_offered() -> None:
    made = scheduler(explore(stage="4", device="synchronous", cpus=["read 3", "free 3"]))
    assert made.search["state"] == "found"
    made.follow(made.search["schedule"])
    assert made.ended.startswith("crashed")


def test_the_loop_runs_on_while_it_searches_and_a_search_is_cancelled() -> None:
    async def searching() -> tuple[list[dict[str, Any]], Scheduler]:
        made = scheduler(LONG)
        told: list[dict[str, Any]] = []
        made.observe(lambda change: told.append(change["new"]), "search")
        made.find()
        with pytest.raises(BadInput, match="a search is under way"):
            made.find()
        while sum(one["state"] == "searching" for one in told) < 4:
            await asyncio.sleep(0.01)  # another cell
        made.run("a")
        made.cancel()
        while made.search["state"] == "searching":
            await asyncio.sleep(0.01)
        return told, made

    told, made = asyncio.run(searching())
    counts = [one["states"] for one in told if one["state"] == "searching"]
    assert counts == sorted(counts)
    assert counts[-1] > 0
    assert made.search["state"] == "stopped"
    assert "not complete: cancelled after" in made.search["words"]
    assert made.schedule == "a"


# -- in a real browser

browser_test = pytest.mark.browser


@browser_test
def test_a_button_for_each_cpu_and_blocked_ones_say_why(living: Callable[..., Living]) -> None:
    page = living(hand())
    assert page.texts(".on-cpu .why-not") == ["next: begin read 3", "next: begin read 3", "next: begin free 3"]
    for cpu in "aaaaaaacc":
        page.part(f"[data-cpu='{cpu}']").click()
        page.settle()
    assert page.widget.schedule == "a7c2"
    assert page.part("[name=schedule]").input_value() == "a7c2"
    assert page.texts(".on-cpu .why-not")[0] == "waits for tree lock: CPU c has it"
    assert page.part("[data-cpu=a]").get_attribute("aria-disabled") == "true"
    assert page.part(".hand-lanes .block").count() == 9
    page.part("[data-cpu=a]").click(force=True)
    assert page.text(".told-by-hand") == "CPU a waits for tree lock: CPU c has it"
    assert page.widget.schedule == "a7c2"


@browser_test
def test_blocks_stand_in_the_lane_of_their_cpu_one_after_the_other(living: Callable[..., Living]) -> None:
    page = living(hand("a2b"))
    boxes = page.part(".hand-lanes .block").evaluate_all(
        "all => all.map(one => one.getBoundingClientRect()).map(({ x, y }) => [x, y])")  # fmt: skip
    lanes = page.part(".on-cpu").evaluate_all("all => all.map(one => one.getBoundingClientRect().y)")
    assert [x for x, _ in boxes] == sorted(x for x, _ in boxes)
    assert [min(range(3), key=lambda lane: abs(lanes[lane] - y)) for _, y in boxes] == [0, 0, 1]
    page.tab.mouse.click(boxes[0][0] + 5, boxes[0][1] + 5)
    assert page.step == page.widget.begin
    assert page.part(".block.now").bounding_box()["x"] == pytest.approx(boxes[0][0], abs=1)  # type: ignore[index]


@browser_test
def test_all_of_it_by_keyboard(living: Callable[..., Living]) -> None:
    page = living(hand())
    page.press("a", "a", "c")
    assert page.widget.schedule == "a2c"
    page.press("Backspace")
    assert page.widget.schedule == "a2"
    page.part("[name=schedule]").focus()
    page.tab.keyboard.press("Control+A")
    page.tab.keyboard.type("a7c3a3")
    page.press("Enter")
    assert page.widget.schedule == "a7c3a3"
    assert page.text(".say").startswith("Use after free. Page 3’s entry is freed")
    assert page.part(".rep").count() >= 1
    page.press("a")
    assert page.text(".told-by-hand") == "CPU a cannot run: the run is over"
    page.part("[data-act=undo]").focus()
    page.press("Enter")
    assert page.widget.schedule == "a7c3a2"
    assert page.part(".rep").count() == 0
    page.press("Home")
    assert page.step == 0
    page.press("End")
    assert page.step == page.widget.last


@browser_test
def test_a_pasted_schedule_that_cannot_be_says_why(living: Callable[..., Living]) -> None:
    page = living(hand())
    page.part("[name=schedule]").fill("a7c2a")
    page.part("[data-act=paste]").click()
    assert "CPU a is blocked on the tree lock, which CPU c has" in page.text(".told-by-hand")
    assert page.part("[name=schedule]").input_value() == "a7c2"
    page.part("[data-act=again]").click()
    page.settle()
    assert page.widget.schedule == ""
    assert page.part(".hand-lanes .block").count() == 0


@browser_test
def test_the_search_shows_that_it_works_and_what_it_found_plays(living: Callable[..., Living]) -> None:
    page = living(hand())
    page.part("[data-act=find]").click()
    page.settle()
    page.widget.wait(60)
    page.push()
    assert page.text(".found").startswith("a7c3a3 fails: slab-use-after-free 420 states searched in")
    page.part("[data-act=found]").click()
    page.tab.wait_for_function("document.querySelector('.block.now')")
    assert page.widget.schedule == "a7c3a3"


@browser_test
def test_a_search_can_be_cancelled(living: Callable[..., Living]) -> None:
    page = living(scheduler(LONG))
    page.part("[data-act=find]").click()
    page.settle()
    assert page.part("[data-act=cancel]").is_visible()
    assert " states in " in page.text(".found")
    page.part("[data-act=cancel]").click()
    page.settle()
    page.widget.wait(60)
    page.push()
    assert "not complete: cancelled after" in page.text(".found")
    assert page.part("[data-act=find]").is_visible()


@browser_test
def test_without_a_kernel_no_button_moves(living: Callable[..., Living]) -> None:
    page = living(hand("a2"))
    page.tab.evaluate("document.querySelector('main > div').dispatchEvent(new Event('zswaplab-gone'))")
    page.settle()
    page.press("a", "Backspace")
    page.part("[data-cpu=b]").click(force=True)
    assert page.widget.schedule == page.part("[name=schedule]").input_value() == "a2"
    assert page.part("[data-act=find]").is_disabled()
    assert page.part(".on-cpu.ready").count() == 0
    assert "The kernel has gone" in page.text(".told-by-hand")
    page.press("Home")
    assert page.step == 0


@browser_test
@pytest.mark.parametrize("width", [1082, 732])
@pytest.mark.parametrize("schedule", ["a7c2", "a7b7c2", "a7c3a3"])
def test_nothing_is_cut_and_three_cpus_fit_one_screen(living: Callable[..., Living], width: int, schedule: str) -> None:
    page = living(hand(schedule), width=width, height=1200)
    page.press("2", "a")
    assert width < 1082 or page.root.evaluate("root => root.offsetHeight") <= 620
    assert page.part(".left, .right, .plan, .hand-cpus").evaluate_all(
        "all => all.filter(one => one.scrollHeight > one.clientHeight + 1 || one.scrollWidth > one.clientWidth + 1)"
        ".map(one => one.className)") == []  # fmt: skip
    assert page.part(".on-cpu .why-not").evaluate_all("all => all.every(one => one.scrollWidth <= one.clientWidth)")


STATES: dict[str, tuple[str, tuple[str, ...], dict[str, Any]]] = {
    "not started": ("", (), {}), "blocked": ("a7c2", ("2", "a"), {}), "crash": ("a7c3a3", (), {}),
    "source": ("a7c2", ("3",), {}), "help": ("a2", ("?",), {}), "narrow": ("a7c2", (), {"width": 700}),
    "tiny": ("a7c2", (), {"width": 430}), "forced colours": ("a7c2", ("a",), {"forced_colors": "active"}),
}  # fmt: skip


@browser_test
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", [*STATES, "found"])
def test_axe_finds_nothing(living: Callable[..., Living], axe: str, name: str, theme: str) -> None:
    schedule, keys, how = STATES.get(name, ("", (), {}))
    made = hand(schedule)
    if name == "found":
        made.find()
        made.wait(60)
    page = living(made, theme=theme, **how)
    page.press(*keys)
    page.tab.evaluate(axe)
    found = page.tab.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    assert [f"{one['id']}: {[node['html'][:120] for node in one['nodes'][:3]]}" for one in found["violations"]] == []
    assert len(found["passes"]) > 15
