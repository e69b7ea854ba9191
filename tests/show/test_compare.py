"""Two runs on one clock and their forks: where they part, and what a reader sees and does in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.show.living import Living
from zswaplab import Machine, Setup, compare, explore, record
from zswaplab.model.errors import BadInput
from zswaplab.run.history import History
from zswaplab.show.clock import Clock
from zswaplab.show.compare import Comparison

if TYPE_CHECKING:
    from playwright.sync_api import Browser

EVICTS = Setup(stage="1", evictable=True, ram_pages=30, workload="revisit 10 6")
KEEPS = EVICTS.but(evictable=False)


@cache
def run(setup: Setup) -> History:
    return record(setup)


def widget() -> Comparison:
    return compare(run(EVICTS), run(KEEPS))


# -- the clock


def test_an_operation_is_as_wide_as_its_longest_run_and_stands_at_one_place() -> None:
    runs = [run(EVICTS), run(KEEPS)]
    clock = Clock(runs)
    for slot in clock.slots:
        assert slot.width == max(end - first for first, end in slot.steps)
        for history, (first, end) in zip(runs, slot.steps, strict=True):
            assert {str(history.operations[moment.operation]) for moment in history.moments[first:end]} == {slot.text}
    for number, history in enumerate(runs):
        covered = [step for slot in clock.slots for step in range(*slot.steps[number])]
        assert covered == list(range(len(history)))
    assert clock.ticks == sum(slot.width for slot in clock.slots)


def test_what_a_worker_does_in_one_run_alone_has_a_place_of_its_own() -> None:
    small, large = record(EVICTS), record(EVICTS.but(ram_pages=100))
    clock = Clock([small, large])
    alone = [slot for slot in clock.slots if slot.kind == "worker"]
    assert alone
    assert all(first == end for slot in alone for first, end in slot.steps[1:])


@pytest.mark.parametrize("stage", ["base", "rfc2-1"])
def test_another_way_to_the_same_is_no_difference(stage: str) -> None:
    other = record(EVICTS.but(stage=stage))
    assert Clock([run(EVICTS), other]).first_difference(0, 1) is None


def test_they_part_where_something_else_happens() -> None:
    found = Clock([run(EVICTS), run(KEEPS)]).first_difference(0, 1)
    assert found is not None
    assert found.what == "who leaves"
    assert [run(EVICTS)[found.steps[0]].kind, run(KEEPS)[found.steps[1]].kind] == ["page isolate", "lru isolate"]


def test_a_crash_is_a_difference() -> None:
    crash = record(Setup(stage="rfc2-2", exclusive_loads="on", ram_pages=30, workload="revisit 10 6"))
    well = record(Setup(stage="rfc2-2", ram_pages=30, workload="revisit 10 6"))
    found = Clock([well, crash]).first_difference(0, 1)
    assert found is not None
    assert found.steps[1] <= len(crash) - 1
    assert compare(well, crash).runs[1]["end"] == "use after free"


# -- the widget in Python


def test_it_opens_where_the_two_part() -> None:
    both = widget()
    found = both.difference()
    assert found is not None
    assert both.step == max(
        Clock([run(EVICTS), run(KEEPS)]).tick(number, step) for number, step in enumerate(found.steps)
    )
    assert [drawn["label"] for drawn in both.runs] == ["zbud, evictable", "zbud, not evictable"]
    assert "A and B part in who leaves:\n  A, step 123: The backend takes zbud page 0" in repr(both)


def test_runs_of_one_kernel_are_told_apart_by_what_was_given() -> None:
    case = Setup(
        stage="4", device="synchronous", workload=["write 3", "page_out 3"], cpus=["read 3", "read 3", "free 3"],
        swap_pages=64,
    )  # fmt: skip
    both = compare(case.but(schedule="a7c3a3"), case)
    assert [drawn["label"] for drawn in both.runs] == ["schedule: a7c3a3", "one CPU after the other"]
    assert both.difference().what == "what is freed"  # type: ignore[union-attr]


def test_any_number_of_forks_stays() -> None:
    both = widget()
    both.fork("B", 150, max_pool_percent=30)
    both.fork("C", 200, exclusive_loads="off")
    both.fork("A", 3, device="synchronous")
    assert list(both.histories) == ["A", "B", "C", "D", "E"]
    assert [drawn["from"] for drawn in both.runs] == [None, None, [1, 150], [2, 200], [0, None]]
    assert both.pair == [0, 4]
    forked, parent = both.histories["C"], both.histories["B"]
    assert forked.first_difference(parent) is not None
    assert forked.first_difference(parent) > 150  # type: ignore[operator]
    assert both.difference("B", "C") == Clock([parent, forked]).first_difference(0, 1)


@pytest.mark.parametrize(("call", "says"), [
    (lambda: compare(3, EVICTS), "one=3 cannot be compared: give what record"),
    (lambda: compare(EVICTS, None), "other=None cannot be compared"),
    (lambda: compare(EVICTS, KEEPS, step=9999), "step=9999 is not in this run: give a whole number from 0 to 263"),
    (lambda: widget().difference("A", "Z"), "run='Z'"),
    (lambda: widget().fork("A", 3), "a fork changes one setting"),
    (lambda: widget().fork("A", -1000, enabled=False), "step=-1000 is not in this run"),
    (lambda: widget().fork("A", 3, colour="red"), "setting='colour'"),
    (lambda: widget().fork("A", 3, zpool="zz"), "zpool='zz'"),
    (lambda: widget().show("A", "Q"), "run='Q'"),
    (lambda: setattr(widget(), "pair", [0, 7]), "pair=[0, 7] cannot be"),
])  # fmt: skip
def test_bad_input_says_what_and_what_to_do(call: Callable[[], Any], says: str) -> None:
    with pytest.raises(BadInput) as problem:
        call()
    assert says in str(problem.value)


def test_a_machine_that_had_been_used_is_compared_and_not_forked() -> None:
    machine = Machine("2")
    machine.write(1)
    both = compare(record(machine, ["page_out 1"]), record(Machine("2"), ["write 1", "page_out 1"]))
    assert both.runs[0]["settings"] == []
    with pytest.raises(BadInput, match="its machine had been used"):
        both.fork("A", 0, enabled=False)


def test_what_explore_gives_can_be_compared() -> None:
    case = {"device": "synchronous", "cpus": ["read 3", "free 3"]}
    failing = explore(stage="4", **case)
    assert failing.fails
    both = compare(failing, record(failing.case.setup))
    assert both.runs[0]["end"] == "use after free"
    assert both.difference() is not None


# -- in a real browser

browser_test = pytest.mark.browser


def ringed(page: Living, side: int) -> set[str]:
    found = page.part(f".side[data-side='{side}'] .pg.differs").evaluate_all("all => all.map(one => one.dataset.page)")
    return set(found)


@browser_test
def test_one_clock_and_what_differs_is_ringed(living: Callable[..., Living]) -> None:
    page = living(widget())
    assert page.part("text.parts").text_content() == "first difference: who leaves"
    assert page.text(".say") == "The first difference: who leaves."
    assert [text.split(",")[0] for text in page.texts(".told")] == [
        "The backend takes zbud page 0", "The worker takes the tail of the LRU: page 2"]  # fmt: skip
    assert ringed(page, 0) == ringed(page, 1) == set()
    page.widget.step = Clock([run(EVICTS), run(KEEPS)]).tick(1, 300)
    page.push()
    assert ringed(page, 0) == ringed(page, 1) == {"0", "1", "4"}
    assert page.text(".say") == "Pages 0, 1 on disk in A, in zswap in B; page 4 in zswap, on disk."
    assert page.texts(".side > .h > .r") == ["step 236 of 263", "step 300 of 345"]


@browser_test
def test_every_control_moves_the_picture(living: Callable[..., Living]) -> None:
    page = living(widget())
    start = page.step
    for act, moved in (("forward", 1), ("back", -1)):
        before = page.step
        page.part(f"button.{act}").click()
        assert (page.step - before) * moved > 0
    page.part("button.first").click()
    assert page.step == 0
    page.part("button.last").click()
    assert page.step == 345
    page.part("[data-level=source]").click()
    page.settle()
    assert page.part(".side .src .now").count() in (0, 1, 2)
    page.press("d")
    assert page.step == start
    assert page.part(".side .src .now").count() == 2
    for side, shown in (("0", ["A"]), ("1", ["B"]), ("both", ["A", "B"])):
        page.part(f".who [data-side='{side}']").click()
        assert page.texts(".side .letter") == shown
    page.part("[data-act=table]").click()
    assert "Pages" in page.text(".tables")
    page.part("[data-act=play]").click()
    page.tab.wait_for_function(f"document.querySelector('.zswaplab-player').dataset.step != {start}")


@browser_test
def test_the_same_is_as_large_on_both_sheets(living: Callable[..., Living]) -> None:
    both = widget()
    both.fork("B", 150, max_pool_percent=30)
    page = living(both)
    widths = page.part(".side .lru .e").evaluate_all("all => all.map(one => one.getBoundingClientRect().width)")
    assert len(widths) > 12
    assert len(set(widths)) == 1


@browser_test
def test_dragging_the_clock_moves_both(living: Callable[..., Living]) -> None:
    page = living(widget())
    box = page.part(".slider").bounding_box()
    assert box
    page.tab.mouse.click(box["x"] + box["width"] * 0.5, box["y"] + 30)
    head = page.part(".head").bounding_box()
    assert head
    assert abs(head["x"] - (page.part(".chart").bounding_box() or {})["x"] - box["width"] * 0.5) < box["width"] * 0.05


@browser_test
def test_a_fork_by_keyboard_keeps_both_futures(living: Callable[..., Living]) -> None:
    page = living(widget())
    page.widget.step = Clock([run(EVICTS), run(KEEPS)]).tick(1, 146)
    page.push()
    page.press("k")
    page.part("[name=of]").select_option("B")
    page.part("[name=setting]").select_option("max_pool_percent")
    page.part(".forking input").fill("30")
    page.press("Tab")
    assert page.text("[data-act=make]") == "Fork at step 146"
    page.part("[data-act=make]").focus()
    page.press("Enter")
    page.tab.wait_for_timeout(100)
    assert list(page.widget.histories) == ["A", "B", "C"]
    assert page.texts(".side .letter") == ["B", "C"]
    assert page.part(".forked").count() == 1
    circle, rail_a = page.part(".forked").bounding_box(), page.part("[data-run='0'] .way").bounding_box()
    assert circle and rail_a
    assert abs(circle["y"] + circle["height"] / 2 - rail_a["y"]) < 6  # B still lies on A's rail there
    page.part("input[aria-label='A on the left']").check()
    assert page.texts(".side .letter") == ["A", "C"]
    page.part("input[aria-label='A on the right']").check()
    assert page.texts(".side .letter") == ["C", "A"]
    assert page.widget.pair == [2, 0]


@browser_test
def test_a_fork_that_cannot_be_says_why(living: Callable[..., Living]) -> None:
    page = living(widget())
    page.widget._handle_custom_msg({"fork": "A", "step": 3, "name": "zpool", "value": "nonsense"}, [])
    page.push()
    page.press("k")
    assert "zpool='nonsense'" in page.text(".reason")


@browser_test
def test_without_a_kernel_it_plays_and_forks_nothing(living: Callable[..., Living]) -> None:
    page = living(widget())
    page.press("k")
    page.tab.evaluate("document.querySelector('main > div').dispatchEvent(new Event('zswaplab-gone'))")
    page.settle()
    assert page.part("[data-act=make]").is_disabled()
    assert "No kernel is behind this" in page.text(".reason")
    page.part("button.last").click()
    assert page.step == 345


@browser_test
def test_all_of_it_by_keyboard(living: Callable[..., Living]) -> None:
    page = living(widget())
    start = page.step
    assert page.press("Home") == 0
    assert page.press("End") == 345
    assert page.press("d") == start
    assert page.press(".") == start + 1
    assert page.press(",") == start
    page.press("a")
    assert page.texts(".side .letter") == ["A"]
    page.press("a")
    assert page.texts(".side .letter") == ["A", "B"]
    page.press("c")
    assert page.widget.level == "steps"
    page.press("t")
    assert page.part(".tables").is_visible()
    page.press("?")
    assert page.part(".help").is_visible()
    page.press("Escape")
    assert not page.part(".help").is_visible()


@browser_test
def test_nothing_is_cut_and_nothing_jumps(living: Callable[..., Living]) -> None:
    page = living(widget())
    heights = set()
    for step in range(0, 346, 23):
        page.widget.step = step
        page.push()
        heights.add(round((page.root.bounding_box() or {})["height"]))
        assert page.part(".side").evaluate_all("all => all.every(one => one.scrollWidth <= one.clientWidth)")
    assert len(heights) == 1
    assert max(heights) <= 620


STATES: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "opened": ((), {}), "apart": (("End",), {}), "source": (("3",), {}), "fork": (("k",), {}), "table": (("t",), {}),
    "help": (("?",), {}), "alone": (("a",), {}), "narrow": (("End",), {"width": 700}),
    "tiny": (("End",), {"width": 430}), "forced colours": (("End", "k"), {"forced_colors": "active"}),
}  # fmt: skip


@browser_test
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", [*STATES, "tree"])
def test_axe_finds_nothing(living: Callable[..., Living], axe: str, name: str, theme: str) -> None:
    keys, how = STATES.get(name, ((), {}))
    both = widget()
    if name == "tree":
        both.fork("B", 150, max_pool_percent=30)
        both.fork("A", 3, exclusive_loads="on")
    page = living(both, theme=theme, **how)
    page.press(*keys)
    page.tab.evaluate(axe)
    found = page.tab.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    assert [f"{one['id']}: {[node['html'][:120] for node in one['nodes'][:3]]}" for one in found["violations"]] == []
    assert len(found["passes"]) > 15


@browser_test
def test_narrow_stacks_a_over_b(living: Callable[..., Living]) -> None:
    page = living(widget(), width=732)
    first, second = (page.part(f".side[data-side='{side}']").bounding_box() for side in (0, 1))
    assert first and second
    assert first["x"] == second["x"]
    assert first["y"] + first["height"] <= second["y"]


@browser_test
def test_where_there_is_room_for_one_it_is_one_at_a_time(living: Callable[..., Living]) -> None:
    page = living(widget(), width=432, height=1200)
    assert page.texts(".side .letter") == ["A"]
    page.press("b")
    assert page.texts(".side .letter") == ["B"]
    assert page.part(".who button").count() == 2
    assert page.tab.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.slow
@pytest.mark.browser
def test_saved_as_a_page_it_plays_without_network_and_forks_nothing(browser: Browser, tmp_path: Path) -> None:
    both = widget()
    file = both.save(tmp_path / "both.html", theme="dark")
    context = browser.new_context(viewport={"width": 1082, "height": 900}, offline=True)
    tab = context.new_page()
    complaints: list[str] = []
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.goto(file.as_uri())
    root = tab.locator(".zswaplab-compare[data-step]")
    root.wait_for()
    assert int(root.get_attribute("data-step") or -1) == both.step and root.get_attribute("data-theme") == "dark"
    assert root.locator(".body .side").count() == 2 or root.locator(".body > *").count() == 2
    root.focus()
    tab.keyboard.press("End")
    tab.wait_for_function(f"document.querySelector('.zswaplab-compare').dataset.step > {both.step}")
    tab.keyboard.press("k")
    assert "No kernel is behind this" in root.locator(".reason").inner_text()
    context.close()
    assert complaints == []


@pytest.mark.slow
@pytest.mark.browser
def test_saved_as_a_picture_it_has_both_sheets_and_no_control(chromium: str, tmp_path: Path) -> None:
    file = widget().save(tmp_path / "both.png")
    content = file.read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = (int.from_bytes(content[at : at + 4]) for at in (16, 20))
    assert width == 1050 and 450 < height < 800
    with pytest.raises(BadInput, match=r"end it in \.html or in \.png"):
        widget().save(tmp_path / "both.pdf")


def test_where_no_widget_lives_there_is_a_picture_of_both() -> None:
    picture = widget().picture()
    assert picture.startswith('<div class="zswaplab-picture"')
    assert picture.count("A picture of the player.") == 2
    assert "A and B part in who leaves" in picture
