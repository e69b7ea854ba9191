"""A crash as a picture: the ghost, who points at it, the struct's bytes, the report whose lines lead to their steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.show.conftest import RUNS, Open

pytestmark = pytest.mark.browser

TOUCHES = [found for found in RUNS["crash"]()["reports"] if found["kind"] == "KASAN"]
REPORTS = RUNS["crash"]()["reports"]
FIRST = REPORTS[0]["step"]
FIELDS = {"length": (36, 4), "pool": (40, 8), "lru.next": (64, 8), "lru.prev": (72, 8)}


def at_report(player: Open, number: int) -> dict[str, Any]:
    """Go to the report of that number, counted from 0 over the whole run."""
    player.press("Home")
    player.go(FIRST)
    player.press(*["ArrowRight"] * number)
    return dict(REPORTS[number])


def test_the_arrow_walks_the_reports_in_the_order_of_the_console(opened: Callable[..., Open]) -> None:
    player = opened("crash", step=FIRST - 1, level="story")
    seen = []
    for number, _ in enumerate(REPORTS, start=1):
        player.press("ArrowRight")
        assert f"report {number} of {len(REPORTS)}" in player.text(".count")
        seen.append((player.step, player.text(".say")))
    assert seen == [(found["step"], found["say"].replace("**", "").replace("`", "")) for found in REPORTS]
    for step, said in reversed(seen[:-1]):
        player.press("ArrowLeft")
        assert (player.step, player.text(".say")) == (step, said)
    assert player.press("ArrowLeft") < FIRST


def test_without_multi_shot_the_run_ends_with_the_one_report(opened: Callable[..., Open]) -> None:
    player = opened("one touch")
    assert player.press("End") == player.last
    assert player.text(".say") == "Use after free. Page 3’s entry is freed, yet 4 bytes of it, length, are read."
    assert "touched once" in player.text(".left")
    assert player.part(".say.fault").count() == 1


def test_a_step_without_a_report_never_shows_that_layout(opened: Callable[..., Open]) -> None:
    player = opened("crash")
    reports = {found["step"] for found in REPORTS}
    for step in range(player.last + 1):
        player.go(step)
        shown = [player.part(part).count() > 0 for part in (".rep", ".struct", ".say.fault")]
        assert shown == [step in reports] * 3 or step in reports, step
        assert player.part(".shelves").count() == (step not in reports) or step in reports


def test_the_struct_is_drawn_to_scale_with_a_row_for_each_touch(opened: Callable[..., Open]) -> None:
    player = opened("crash")
    for number, found in enumerate(REPORTS):
        at_report(player, number)
        if found["kind"] != "KASAN":
            continue
        struct = player.part(".struct")
        ruler = struct.locator(".fld").evaluate_all("all => all.map(e => e.getBoundingClientRect())")
        begin, byte = ruler[0]["x"], (ruler[-1]["x"] + ruler[-1]["width"] - ruler[0]["x"]) / 80
        rows = struct.locator(".touch")
        assert rows.count() == len(TOUCHES) == 9
        for row, touch in zip(rows.all(), TOUCHES, strict=True):
            offset, size = FIELDS[touch["field"]]
            mark = row.locator(f".{touch['access']}").bounding_box()
            assert mark and abs(mark["x"] - begin - offset * byte) < 4
            assert abs(mark["width"] - size * byte) < 6
        here = struct.locator(".fld.here").evaluate("e => e.getBoundingClientRect()")
        offset, size = FIELDS[found["field"]]
        assert abs(here["x"] - begin - offset * byte) < 2 and abs(here["width"] - size * byte) < 2
        now = struct.locator(".touch.now").text_content()
        assert now and now.startswith(f"{TOUCHES.index(found) + 1}{found['access']} {found['size']}{found['field']}")


def test_a_touch_is_gone_to_by_a_click(opened: Callable[..., Open]) -> None:
    player = opened("crash", step=FIRST)
    for number in (7, 2, 8, 0):
        player.part(f"[data-touch='{number}']").click()
        player.settle()
        found = TOUCHES[number]
        assert player.step == found["step"]
        assert f"report {REPORTS.index(found) + 1} of {len(REPORTS)}" in player.text(".count")


def arrows(player: Open) -> int:
    return player.part("[aria-label*='entry is freed'] .bad:not(.dashed)").count()


def test_the_list_leads_to_the_ghost_only_once_its_links_are_written(opened: Callable[..., Open]) -> None:
    player = opened("crash")
    drawn = []
    for number, _ in enumerate(REPORTS):
        at_report(player, number)
        if player.part(".struct").count():
            drawn.append((REPORTS[number]["field"], REPORTS[number]["access"], arrows(player)))
    assert [count for _, _, count in drawn] == [0, 0, 0, 0, 0, 0, 2, 4, 4]
    assert drawn[6][:2] == ("lru.next", "write") and drawn[7][:2] == ("lru.prev", "write")
    at_report(player, 8)
    label = player.part("[aria-label*='entry is freed']").get_attribute("aria-label")
    assert label and "CPU a, entry points at it" in label and "the LRU leads to it" in label
    assert "off the tree since step 39" in label
    at_report(player, 0)
    label = player.part("[aria-label*='entry is freed']").get_attribute("aria-label")
    assert label and "the LRU does not lead to it" in label


def test_each_line_of_the_report_leads_to_its_step(opened: Callable[..., Open]) -> None:
    player = opened("crash", step=FIRST)
    steps = player.part(".rep .ln[data-step]")
    lines = [(line.inner_text().split("\n")[0], int(line.get_attribute("data-step") or -1)) for line in steps.all()]
    by_name = dict(lines)
    found = REPORTS[0]
    assert by_name["Read of size 4, field length, by CPU a (read 3)"] == found["step"]
    assert by_name["zswap_free_entry"] == found["freed"]["step"]
    assert by_name["Allocated by page out 3, zswap_frontswap_store"] == found["allocated"]["step"]
    for number, (_, step) in enumerate(lines):
        player.go(FIRST)
        player.part(".rep .ln[data-step]").nth(number).click()
        assert player.step == step
    stack = RUNS["crash"]()["steps"][by_name["zswap_entry_put"]]["stack"]
    functions = [RUNS["crash"]()["sources"][source]["function"] for source, _ in stack]
    assert "entry_put" in functions


def test_the_stacks_meet_in_the_call_that_frees_and_then_uses(opened: Callable[..., Open]) -> None:
    player = opened("crash", step=FIRST)
    assert player.texts(".stacks .st > .sh:first-child") == ["Freed by read 3", "Used by read 3"]
    assert player.text(".same .sh").endswith("both in one call, 1 line apart: load_end")
    assert player.texts(".same .cl.freed") == ["yield from self.entry_put(tree, entry) frees"]
    assert player.texts(".same .cl.now") == ["yield from self.move_to_head(entry) uses"]
    assert player.text(".below").startswith("called from zswap_frontswap_load")


def test_the_time_band_shows_the_entrys_life_and_when_it_was_freed(opened: Callable[..., Open]) -> None:
    player = opened("crash", step=FIRST)
    assert player.texts(".gutter .label")[0] == "page 3’s life"
    assert {"allocated", "in the tree", "off the tree"} <= set(player.part(".chart text").all_text_contents())
    line, mark = player.part(".chart").bounding_box(), player.part(".mark.freed").bounding_box()
    assert line and mark
    at = (mark["x"] + mark["width"] / 2 - line["x"]) / line["width"] * player.last
    freed = ["entry", REPORTS[0]["entry"], None]
    gone = next(i for i, step in enumerate(player.payload["steps"]) if freed in step["changes"])
    assert abs(at - gone) < 0.3
    assert player.part(".after").count() == 1


def test_lost_bytes_say_whose_they_were_and_which_steps_moved_and_lost_them(opened: Callable[..., Open]) -> None:
    player = opened("v6.5-on")
    player.press("End")
    found = player.payload["reports"][-1]
    assert player.text(".left .h") == "Where page 3’s bytes were the steps that moved them, and the one that lost them"
    rows = player.texts(".trail .row")
    assert len(rows) == len(found["trail"]) + 1
    for row, (step, places) in zip(rows, found["trail"], strict=False):
        assert row.startswith(f"step {step} CPU ") and all(place in row for place in places)
    assert rows[-1] == f"step {found['step']} CPU b {found['whose']}"
    for number, (step, _) in enumerate(found["trail"]):
        player.press("End")
        player.part(".trail .step").nth(number).click()
        assert player.step == step


def test_a_deadlock_says_who_waits_for_whom(opened: Callable[..., Open]) -> None:
    player = opened("D-hang-base")
    player.press("End")
    assert player.texts(".ring .who") == ["CPU b free 3; page out 4; read 4", "CPU a has it, and has finished"]
    assert player.texts(".ring .way") == ["waits for folio lock"]
    assert player.part(".src .now.blocked").count() == 1


def test_lockdep_shows_both_orders(opened: Callable[..., Open]) -> None:
    player = opened("lock-order")
    player.press("End")
    heads = player.texts(".stacks .sh:first-child")
    assert heads == ["lru_lock is held, and then tree lock is taken", "tree lock is held, and then lru_lock is taken"]
    rows = player.texts(".stacks .st >> nth=1 >> .ln")
    assert rows and "store" in rows[0]
    assert player.text(".say").startswith("Lockdep. CPU a (read 3) takes the tree lock while it holds the lru_lock")


def test_a_leak_and_other_ends_keep_the_state_beside_their_report(opened: Callable[..., Open]) -> None:
    player = opened("D-base")
    player.press("End")
    assert player.text(".say").endswith("neither unlocked nor given back.")
    assert player.part(".shelves").count() == 1 and player.part(".lru-of").count() == 1
    assert "neither unlocked nor given back" in player.text(".rep")
