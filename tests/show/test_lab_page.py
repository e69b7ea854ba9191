"""The lab panel in a real browser, Python behind it: each control moved, the picture checked; by keyboard; for all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.show.living import OpenLab
from zswaplab import lab
from zswaplab.show.lab import words
from zswaplab.show.words import plain

pytestmark = [pytest.mark.browser, pytest.mark.slow]

Opened = Callable[..., OpenLab]


@pytest.fixture
def panel(living: Callable[..., Any]) -> Opened:
    """`panel(stage, ..., theme=, width=)`."""

    def open_lab(*given: Any, theme: str = "light", width: int = 1082, forced: Any = None, **more: Any) -> OpenLab:
        opened = living(lab(*given, **more), theme=theme, width=width, height=1100, offline=True, forced_colors=forced)
        assert isinstance(opened, OpenLab)
        return opened

    return open_lab


def outcome(opened: OpenLab) -> dict[str, str]:
    """The first row of the table, as it is read."""
    opened.settle()
    table = opened.root.locator("table")
    row = table.locator("tbody tr").first.locator("td")
    return dict(zip(table.locator("thead th").all_inner_texts(), row.all_inner_texts(), strict=True))


def strip(opened: OpenLab, row: str = "now") -> str:
    return str(opened.root.locator(f"tr.{row} td[data-name=left] .strip").get_attribute("aria-label"))


def unfold(opened: OpenLab) -> None:
    opened.settle()
    opened.switch("Change").click()
    opened.settle()


def test_the_line_of_stages_is_one_line_with_two_branches(panel: Opened) -> None:
    opened = panel("1", 150)
    stops = opened.root.get_by_role("radio").all()
    boxes = {one.get_attribute("aria-label"): one.locator(".dot").bounding_box() for one in stops}
    across = {name: box["x"] + box["width"] / 2 for name, box in boxes.items() if box}
    down = {name: box["y"] + box["height"] / 2 for name, box in boxes.items() if box}
    merged = [name for name in across if name and "as merged" in name]
    reviewed = [name for name in across if name and "as reviewed" in name]
    assert len(merged) == len(reviewed) == 7 and len(across) == 18
    assert [across[name] for name in merged] == sorted(across[name] for name in merged)
    assert all(abs(across[one] - across[two]) < 1 for one, two in zip(merged, reviewed, strict=True))
    assert len({round(down[name]) for name in merged}) == len({round(down[name]) for name in reviewed}) == 1
    base, last = "just before the series", "Linux 6.5: the whole series and two fixes"
    assert down[reviewed[0]] < down[base] < down[merged[0]] and abs(down[last] - down[merged[0]]) < 1
    assert across[base] < across[merged[0]] and across[merged[-1]] < across[last]


def test_a_stage_runs_again_folds_the_panel_and_keeps_the_place(panel: Opened) -> None:
    opened = panel("1")
    assert outcome(opened)["leaves first"] == "0"
    opened.player.locator(".say").click()
    opened.tab.keyboard.press("End")
    opened.stop("patch 2 as merged").click()
    opened.settle()
    folded = opened.root.bounding_box()
    assert folded and folded["height"] < 50
    line = opened.root.inner_text()
    assert "patch 2 as merged" in line and "5 written back, page 2 first" in line
    history = opened.lab.history
    assert str(history.operations[history[opened.step].operation]) == "read 1"  # the last, in the run before
    unfold(opened)
    assert strip(opened) == "written back: 2 to 6" and strip(opened, "was") == "written back: 0 to 3, 5, 6"
    assert outcome(opened)["read from disk"] == "0"
    assert opened.root.locator("tr.now td.ch").count() >= 3
    assert opened.stop("patch 2 as merged").get_attribute("aria-checked") == "true"


def test_of_a_long_run_the_readers_place_is_drawn_before_the_rest(panel: Opened) -> None:
    opened = panel("1", workload="overflow 60", level="steps")
    opened.player.locator(".say").click()
    opened.tab.keyboard.press("End")
    opened.press(*"," * 40)
    ticks = opened.player.locator(".chart").inner_html()
    high = opened.player.evaluate("player => player.offsetHeight")
    opened.lab.evictable.value = False
    told = opened.told
    rest = [at for at, (_, what) in enumerate(told) if "payload" in what.get("state", {})][1]
    opened.told = told[:rest]
    opened.push()
    step = opened.step
    assert opened.player.locator(".count").inner_text().startswith(f"step {step} of … · ")
    said = opened.player.locator(".say").inner_text()
    lru = opened.player.locator(".lru").inner_text()
    assert said == plain(opened.lab.history[step].say)
    assert opened.player.locator(".chart").inner_html() == ticks  # of the run before, until the rest is there
    opened.press("Home")  # only what is known can be shown
    assert step - 40 < opened.step < step
    opened.press(*"." * (step - opened.step))
    opened.told = told[rest:]
    opened.push()
    assert opened.step == step and opened.player.locator(".say").inner_text() == said
    assert f"step {step} of {len(opened.lab.history) - 1}" in opened.player.locator(".count").inner_text()
    assert opened.player.locator(".chart").inner_html() != ticks
    assert opened.player.locator(".lru").inner_text() == lru
    assert opened.player.evaluate("player => player.offsetHeight") == high


def test_what_is_ruled_out_does_nothing_says_why_and_leads_back(panel: Opened) -> None:
    opened = panel("2")
    ruled = opened.switch("zbud (evictable)")
    assert ruled.get_attribute("aria-disabled") == "true"
    ruled.click(force=True)
    opened.settle()
    assert opened.lab.setup.stage == "2" and not opened.root.evaluate("root => root.classList.contains('folded')")
    assert "Ruled out since patch 2: zbud no longer evicts." in opened.root.inner_text()
    described = opened.root.locator(f"[id='{ruled.get_attribute('aria-describedby')}']").inner_text()
    assert described.startswith("Ruled out since patch 2")
    opened.switch("Try patch 1").click()
    unfold(opened)
    assert opened.lab.setup.stage == "1" and opened.switch("zbud (evictable)").get_attribute("aria-pressed") == "true"
    assert "Ruled out since" not in opened.root.locator(".of-evictable").inner_text()


def test_every_switch_menu_and_number_moves(panel: Opened) -> None:
    opened = panel("1", 100)
    for press in ("z3fold", "zswap", "on"):
        opened.switch(press).click()
        unfold(opened)
        assert opened.switch(press).get_attribute("aria-pressed") == "true"
    setup = opened.lab.setup
    assert (setup.zpool, setup.evictable, setup.exclusive_loads) == ("z3fold", False, "on")
    assert "z3fold, not evictable" in (opened.player.locator(".what").first.get_attribute("title") or "")
    opened.switch("More").click()
    for label, choice in (("device", "synchronous"), ("compressor", "lengths"), ("a load ends", "put, invalidate")):
        opened.root.get_by_label(label, exact=True).select_option(label=choice)
        unfold(opened)
        shown = opened.root.get_by_label(label, exact=True).evaluate("menu => menu.selectedOptions[0].text")
        assert shown == choice
    for label, number in (("RAM, in pages", 25), ("max_pool_percent", 40), ("accept_threshold_percent", 50)):
        box = opened.root.get_by_label(label, exact=True)
        box.fill(str(number))
        box.press("Enter")
        unfold(opened)
        assert opened.root.get_by_label(label, exact=True).input_value() == str(number)
    setup = opened.lab.setup
    assert (setup.device, setup.compressor, setup.load_end) == ("synchronous", "lengths", "put, invalidate")
    assert (setup.ram_pages, setup.max_pool_percent, setup.accept_threshold_percent) == (25, 40, 50)
    assert "full above 10" in opened.player.inner_text()
    assert opened.root.get_by_label("seed", exact=True).is_disabled()
    assert "RAM, in pages 25" in opened.root.locator(".more .brief").inner_text()


def test_keys_in_a_closed_menu_leave_the_panel_open_until_it_is_left(panel: Opened) -> None:
    opened = panel("1", 100)
    menu = opened.root.get_by_label("Workload", exact=True)
    menu.focus()
    for number in (1, 2):
        opened.tab.keyboard.press("ArrowUp")
        opened.settle()
        shown = opened.root.get_by_label("Workload", exact=True)
        assert shown.evaluate("menu => menu === document.activeElement")
        name = shown.locator("option").all_inner_texts()[-3 - number]
        assert shown.evaluate("menu => menu.selectedOptions[0].text") == name == opened.lab.history.title
    opened.tab.keyboard.press("Tab")
    opened.settle()
    assert opened.switch("Change").is_visible()
    unfold(opened)
    opened.root.get_by_label("Workload", exact=True).focus()
    for key in ("ArrowUp", "Enter"):
        opened.tab.keyboard.press(key)
        opened.settle()
    assert opened.switch("Change").is_visible()


def test_where_no_widget_lives_a_picture_says_what_it_comes_to() -> None:
    shown = lab("2", 150)
    assert words(shown.history) in shown.picture() and "patch 2 as merged" in shown.picture()
    held = lab("2", 120, hold=True)
    assert "held back" in held.picture() and "written back" not in held.picture().partition("</div>")[0]


def test_a_number_that_cannot_be_is_refused_in_words(panel: Opened) -> None:
    opened = panel("1", 100)
    opened.switch("More").click()
    box = opened.root.get_by_label("RAM, in pages", exact=True)
    box.fill("0")
    box.press("Enter")
    opened.settle()
    assert "ram_pages=0 cannot be" in opened.root.get_by_role("alert").inner_text()
    assert opened.lab.setup.ram_pages == 30
    box.blur()
    assert box.input_value() == "30"


def test_workloads_their_sizes_and_ones_own(panel: Opened) -> None:
    opened = panel("2", 100)
    menu = opened.root.get_by_label("Workload", exact=True)
    names = menu.locator("option").all_inner_texts()
    assert len(names) == 8
    for name in names[:-2]:
        opened.root.get_by_label("Workload", exact=True).select_option(label=name)
        unfold(opened)
        assert opened.lab.history.title == name and name in opened.player.locator(".what").first.inner_text()
    opened.root.get_by_label("Workload", exact=True).select_option(value="loop")
    unfold(opened)
    opened.root.get_by_label("rounds").fill("40")
    opened.root.get_by_label("rounds").press("Enter")
    unfold(opened)
    assert opened.lab.setup.workload == "loop 14 40" and "1,120 operations on 14 pages" in opened.root.inner_text()
    assert len(opened.root.locator("tr.now td[data-name=left]").inner_text()) < 60  # a strip, not a list of numbers
    opened.root.get_by_label("Workload", exact=True).select_option(label=names[-1])
    text = opened.root.get_by_label("Workload as CSV")
    text.fill("operation,page\nwrite,3\nfly,3")
    opened.switch("Run these").click()
    opened.settle()
    assert "fly" in opened.root.get_by_role("alert").inner_text()
    opened.root.get_by_label("Workload as CSV").fill("operation,page\nwrite,3\npage_out,3")
    opened.switch("Run these").click()
    opened.settle()
    assert opened.lab.setup.workload == ("write 3", "page_out 3") and opened.lab.history.count("store") == 1


def test_a_recording_is_a_workload_with_its_kernels_settings(panel: Opened) -> None:
    opened = panel("1", 100)
    opened.root.get_by_label("Workload", exact=True).select_option(value="recording")
    unfold(opened)
    assert (opened.lab.setup.stage, opened.lab.setup.ram_pages) == ("rfc2-4", 61380)
    assert opened.stop("patch 4 as reviewed").get_attribute("aria-checked") == "true"
    note = opened.root.locator(".of-workload .why")
    assert "first 200 operations, on 100 pages, and its kernel’s settings. The pages’ bytes" in note.inner_text()
    assert "The first 200 operations of p4-zbud-overflow" in opened.player.locator(".what").first.inner_text()
    opened.root.get_by_label("Recording", exact=True).select_option("f65-zbud-exact-on")
    unfold(opened)
    assert opened.root.get_by_label("Recording", exact=True).input_value() == "f65-zbud-exact-on"
    assert opened.switch("on").get_attribute("aria-pressed") == "true"
    opened.root.get_by_label("operations").fill("300")
    opened.root.get_by_label("operations").press("Enter")
    unfold(opened)
    assert outcome(opened)["read from zswap"] == str(opened.lab.history.count("load")) != "0"
    opened.switch("off").click()
    unfold(opened)
    assert "its kernel’s settings, but for: Exclusive loads." in note.inner_text()
    opened.root.get_by_label("operations").fill("0")
    opened.root.get_by_label("operations").press("Enter")
    opened.settle()
    assert "operations=0 cannot be" in opened.root.get_by_role("alert").inner_text()
    opened.root.get_by_label("Workload", exact=True).select_option(value="revisit")
    unfold(opened)
    assert (opened.lab.setup.ram_pages, opened.lab.setup.stage) == (30, "v6.5")
    assert opened.root.get_by_label("Recording", exact=True).count() == 0


def test_the_line_restores_all(panel: Opened) -> None:
    from zswaplab import Setup

    opened = panel("rfc2-1", 60, exclusive_loads="off")
    opened.player.locator(".say").click()
    opened.tab.keyboard.press("2")
    opened.tab.keyboard.press(".")
    opened.switch("Copy as a line").click()
    opened.settle()
    text = opened.root.get_by_label("The line that makes this again").input_value()
    again = eval(text, {"lab": lab, "Setup": Setup})
    assert (again.setup, again.player.step, again.player.level) == (opened.lab.setup, 61, "steps")


def test_what_is_held_back_is_nowhere(panel: Opened) -> None:
    opened = panel("2", 120, hold=True)
    assert opened.root.locator("table").count() == 0
    assert opened.player.locator(".slider").get_attribute("aria-valuemax") == "120"
    opened.switch("Run on").click()
    opened.settle()
    assert outcome(opened)["written back"] == "5" and opened.step == 120
    assert int(opened.player.locator(".slider").get_attribute("aria-valuemax") or 0) > 300


def test_all_of_it_by_keyboard_alone(panel: Opened) -> None:
    opened = panel("1", 150)
    keys = opened.tab.keyboard
    keys.press("Tab")
    focused = "document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent"
    assert opened.tab.evaluate(focused).startswith("patch 1 as merged")
    for key, form in (("ArrowRight", "merged"), ("ArrowUp", "reviewed"), ("ArrowDown", "merged")):
        keys.press(key)
        assert opened.tab.evaluate(focused).startswith(f"patch 2 as {form}")
    assert opened.lab.setup.stage == "1"  # the arrows only go there
    keys.press("Enter")
    opened.settle()
    assert opened.lab.setup.stage == "2" and opened.tab.evaluate(focused) == "Change"
    keys.press("Enter")
    opened.settle()
    assert opened.tab.evaluate(focused).startswith("patch 2 as merged")
    seen = []
    for _ in range(40):
        keys.press("Tab")
        if opened.tab.evaluate("document.activeElement.closest('.zswaplab-player') !== null"):
            break
        seen.append(opened.tab.evaluate(focused))
    for name in ("zbud", "z3fold", "zsmalloc", "zbud (evictable)", "zswap", "Try patch 1", "off", "on", "More", "Fold"):
        assert name in seen
    opened.switch("on").focus()
    keys.press("Space")
    opened.settle()
    assert opened.lab.setup.exclusive_loads == "on"
    before = opened.step
    keys.press(".")  # the player's keys work from the panel
    assert opened.step == before + 1


def test_a_switch_whose_kernel_has_gone_does_not_move(panel: Opened) -> None:
    opened = panel("1", 150)
    opened.root.evaluate("root => root.parentElement.classList.add('jupyter-widgets-disconnected')")
    opened.settle()
    assert "The kernel of this panel has gone" in opened.root.get_by_role("alert").inner_text()
    opened.switch("zswap").click(force=True)
    opened.stop("patch 2 as merged").click(force=True)
    opened.settle()
    assert opened.switch("zbud (evictable)").get_attribute("aria-pressed") == "true"
    assert opened.stop("patch 1 as merged").get_attribute("aria-checked") == "true"
    assert opened.lab.setup.stage == "1"


@pytest.mark.parametrize(("theme", "forced"), [("light", None), ("dark", None), ("light", "active")])
def test_axe_finds_nothing(panel: Opened, axe: str, theme: str, forced: Any) -> None:
    opened = panel("2", 150, theme=theme, forced=forced)
    opened.tab.evaluate(axe)

    def violations() -> list[Any]:
        opened.settle()
        found = opened.tab.evaluate("axe.run('.zswaplab-lab', { resultTypes: ['violations'] })")["violations"]
        return [(one["id"], node["html"]) for one in found for node in one["nodes"]]

    assert violations() == []  # open, one switch ruled out
    opened.switch("More").click()
    opened.switch("Copy as a line").click()
    opened.root.get_by_label("Workload", exact=True).select_option(value="own")
    assert violations() == []
    opened.root.get_by_label("Workload", exact=True).select_option(value="scan")
    assert violations() == []  # folded
    unfold(opened)
    opened.root.evaluate("root => root.parentElement.classList.add('jupyter-widgets-disconnected')")
    assert violations() == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_while_the_rest_is_held_back(panel: Opened, axe: str, theme: str) -> None:
    opened = panel("2", 120, hold=True, theme=theme)
    assert opened.switch("Run on").is_visible()
    opened.tab.evaluate(axe)
    found = opened.tab.evaluate("axe.run({ resultTypes: ['violations'] })")["violations"]
    assert [(one["id"], node["html"]) for one in found for node in one["nodes"]] == []


@pytest.mark.parametrize("width", [1082, 732, 480])
def test_nothing_of_it_is_cut_off(panel: Opened, width: int) -> None:
    opened = panel("2", 150, width=width)
    for press in ("More", "Copy as a line"):
        opened.switch(press).click()
    opened.stop("patch 3 as merged").click()
    unfold(opened)
    opened.settle()
    room = opened.root.bounding_box()
    assert room
    for left, right, what in opened.root.locator("button, select, input:not([type=file]), td, th, .why").evaluate_all(
        "all => all.filter(one => one.checkVisibility()).map(one => [one, one.getBoundingClientRect()])"
        ".map(([one, { left, right }]) => [left, right, one.outerHTML])"
    ):
        assert room["x"] <= left and right <= room["x"] + room["width"] + 0.5, what
