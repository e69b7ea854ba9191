"""The player in a real browser, on the page that `Player.save` writes: moving in time, and the picture at each step."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, Any

import pytest

from tests.show import fixture
from tests.show.conftest import RUNS, Open
from tests.show.oracle import CPUS, Shown, all_pages
from zswaplab.show.page import asset

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

LAST = 59  # of "entries"
STORY = [0, *(i for i, step in enumerate(RUNS["entries"]()["steps"]) if step["story"])]


def ticks(kind: str, run: str = "entries") -> list[int]:
    return [index for index, step in enumerate(RUNS[run]()["steps"]) if step["event"] == kind]


# -- moving in time


def test_every_button(opened: Callable[..., Open]) -> None:
    player = opened()

    def click(name: str) -> int:
        player.part(f".btns .{name}").click()
        return player.step

    assert player.step == 0
    assert [click(way) for way in ("forward", "forward", "back", "last", "forward")] == [1, 2, 1, LAST, LAST]
    assert [click("back"), click("first"), click("back")] == [LAST - 1, 0, 0]
    for kind in ("store", "load", "writeback", "refuse", "fault"):
        click("first")
        player.part(f".lane.{kind}").click()
        assert player.step == ticks(kind)[0]
    player.part(".lane.store").click(modifiers=["Shift"])
    assert player.step == ticks("store")[-1]


def test_play_goes_on_by_itself_to_the_end_and_starts_again_from_there(opened: Callable[..., Open]) -> None:
    player = opened(step=LAST - 2)
    pace, play = player.part(".pace"), player.part(".play")
    for speed in ("2\u00d7", "4\u00d7", "8\u00d7"):
        pace.click()
        assert pace.inner_text() == speed
    assert play.get_attribute("aria-label") == "play"
    player.press("Space")
    assert play.get_attribute("aria-label") == "pause"
    player.part(f"xpath=self::*[@data-step={LAST}]").wait_for()
    player.part(".play[aria-label='play']").wait_for()
    play.click()
    player.part("xpath=self::*[@data-step=2]").wait_for()
    play.click()
    stopped = player.step
    player.tab.wait_for_timeout(400)
    assert 2 <= player.step == stopped < 20


KEYS = [
    (10, "ArrowRight", 11), (10, "ArrowLeft", 9), (0, "ArrowLeft", 0), (10, ".", 11), (10, ",", 9), (0, ",", 0),
    (10, "Home", 0), (10, "End", LAST), (LAST, ".", LAST),
    (8, "Shift+ArrowRight", 10),  # page out 2 is steps 7 to 9
    (10, "Shift+ArrowRight", 13), (8, "Shift+ArrowLeft", 7), (7, "Shift+ArrowLeft", 4), (0, "Shift+ArrowLeft", 0),
    (58, "Shift+ArrowRight", LAST), (3, "s", 6), (51, "Shift+E", 48),
    *(
        (20, key, next((tick for tick in ticks(kind) if tick > 20), 20))
        for key, kind in zip("slerf", ("store", "load", "writeback", "refuse", "fault"), strict=True)
    ),
    *(
        (54, f"Shift+{key}", max((tick for tick in ticks(kind) if tick < 54), default=54))
        for key, kind in zip("SLERF", ("store", "load", "writeback", "refuse", "fault"), strict=True)
    ),
]  # fmt: skip


def test_every_key_that_moves(opened: Callable[..., Open]) -> None:
    player = opened()
    for start, key, end in KEYS:
        player.go(start)
        assert player.press(key) == end, (start, key)


def test_a_key_with_nowhere_to_go_says_so(opened: Callable[..., Open]) -> None:
    player = opened(step=LAST)
    assert player.press("e") == LAST
    assert player.text(".count") == "nothing after this step is “written back”"
    player.press("ArrowLeft")
    assert player.text(".count") == f"step {LAST - 1} of {LAST} · read 12"


def test_up_down_page_up_and_page_down_work_on_the_slider_alone(opened: Callable[..., Open]) -> None:
    player = opened(step=8)
    slider = player.part("[role=slider]")
    slider.focus()
    assert [player.press(key) for key in ("ArrowUp", "ArrowDown", "PageUp", "PageDown")] == [9, 8, 10, 7]
    assert [player.press(key) for key in ("End", "Home", "ArrowRight", "ArrowLeft")] == [LAST, 0, 1, 0]
    player.root.focus()
    player.press("PageUp")
    assert player.step == 0


def test_the_slider_says_the_sentence_and_its_bounds(opened: Callable[..., Open]) -> None:
    player = opened(step=46)
    slider = player.part("[role=slider]")
    said = "The worker takes the tail of the LRU, page 0. Until found again, anyone may free it."
    values = [slider.get_attribute(f"aria-{name}") for name in ("valuemin", "valuemax", "valuenow", "valuetext")]
    assert values == ["0", str(LAST), "46", said]


def test_no_key_is_lost_however_fast_they_come(opened: Callable[..., Open]) -> None:
    player = opened("overflow")
    player.tab.evaluate("""async () => {
      const root = document.querySelector('.zswaplab-player');
      for (let n = 0; n < 90; n += 1) {
        root.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowRight', bubbles: true }));
        if (n % 3 === 0) await new Promise(done => setTimeout(done, 33));
      }
    }""")
    assert player.step == 90


def test_keys_work_after_a_click_anywhere(opened: Callable[..., Open]) -> None:
    player = opened(step=30)
    for place in (".say", ".forward", ".pool", ".slider", ".lane.store", ".shelves", ".bar .what", ".seg .on"):
        player.tab.evaluate("document.activeElement.blur()")
        player.part(place).first.click(position={"x": 5, "y": 5})
        before = player.step
        assert player.press("ArrowRight") == before + 1, place


def test_dragging_the_timeline(opened: Callable[..., Open]) -> None:
    player = opened()
    box = player.part(".slider .over").bounding_box()
    assert box
    mouse = player.tab.mouse
    at = lambda share: (box["x"] + share * box["width"], box["y"] + 40)  # noqa: E731
    mouse.move(*at(0.5))
    assert player.step == 0
    mouse.down()
    assert player.step in (29, 30)
    mouse.move(*at(0.25), steps=5)
    assert player.step in (14, 15)
    mouse.move(box["x"] + box["width"] + 300, 500)
    assert player.step == LAST
    mouse.move(box["x"] - 300, 500)
    assert player.step == 0
    mouse.move(*at(0.75))
    mouse.up()
    assert player.step == 44
    mouse.move(*at(0.1))
    assert player.step == 44
    knob = player.part(".knob").bounding_box()
    assert knob and abs(knob["x"] + knob["width"] / 2 - at(44 / LAST)[0]) < 1


# -- levels of detail


def test_the_story_stops_at_its_moments_only_and_the_axis_stays(opened: Callable[..., Open]) -> None:
    player = opened(level="story")
    seen = [0]
    while player.press("ArrowRight") != seen[-1]:
        seen.append(player.step)
    assert seen == STORY
    assert [player.press("ArrowLeft") for _ in STORY[1:]] == STORY[-2::-1]
    assert player.text(".count") == f"moment 1 of {len(STORY)} · step 0 of {LAST}"
    player.press("ArrowRight", "ArrowRight")
    assert player.text(".count") == f"moment 3 of {len(STORY)} · step {STORY[2]} of {LAST}"
    place = lambda: player.part(".knob").get_attribute("cx")  # noqa: E731
    there, step = place(), player.step
    for level in ("2", "3", "1"):
        assert player.press(level) == step and place() == there
    assert [player.press("."), player.press(",")] == [step + 1, step]


def test_one_key_goes_round_the_levels_and_buttons_and_digits_choose_them(opened: Callable[..., Open]) -> None:
    player = opened(level="story")
    level = lambda: player.root.get_attribute("data-level")  # noqa: E731
    seen = [level()]
    for _ in range(3):
        player.press("c")
        seen.append(level())
    assert seen == ["story", "steps", "source", "story"]
    for digit, wanted in (("3", "source"), ("1", "story"), ("2", "steps")):
        player.press(digit)
        assert level() == wanted
    for button in player.part(".seg button").all():
        button.click()
        assert level() == button.inner_text().lower()
        assert button.get_attribute("aria-pressed") == "true"
        assert player.part(".seg [aria-pressed=true]").count() == 1


def lines_of(player: Open, source: int) -> list[str]:
    return list(player.payload["sources"][source]["lines"])


@pytest.mark.parametrize(("level", "most"), [("story", 56), ("steps", 56), ("source", 75)])
@pytest.mark.parametrize("run", ["overflow", "together"])
def test_source_is_folded_and_never_longer_than_its_level_allows(
    opened: Callable[..., Open], run: str, level: str, most: int
) -> None:
    player = opened(run, level=level)
    longest, broken, docs = 0, 0, 0
    for step in range(0, player.last + 1, 1 if run == "together" else 4):
        player.go(step)
        shown = Shown(player.payload, step)
        for pane in player.part(".src").all():
            rows = pane.locator("> div:not(.folded, .call)").all_inner_texts()
            rows = [row.removesuffix(link).rstrip() for row in rows for link in [pane_link(pane)]]
            longest = max([longest, *map(len, rows)])
            docs += sum('"""' in row for row in rows)
            lit = pane.locator("[aria-current]")
            assert lit.count() >= 1
            broken += lit.count() > 1
            assert inside(pane, lit.first) and inside(pane, lit.last)
        running = [cpu["stack"][-1] for cpu in shown.cpus if cpu["stack"] and cpu["state"] != "finished"]
        assert player.part(".src").count() == len(running)
        for pane, (source, line) in zip(player.part(".src").all(), running, strict=True):
            said = "".join(pane.locator("[aria-current]").all_inner_texts()).replace(pane_link(pane), "")
            assert squeezed(said) == squeezed(lines_of(player, source)[line])
    assert 40 < longest <= most
    assert docs == 0
    if run == "overflow" and level == "steps":
        assert broken > 0


def pane_link(pane: Any) -> str:
    link = pane.locator(".kl")
    return str(link.first.inner_text()) if link.count() else "no link"


def squeezed(text: str) -> str:
    """Without blanks and the marks of a comment that has gone under its line."""
    return "".join(text.replace("#", "").split())


def inside(outer: Any, inner: Any) -> bool:
    big, small = outer.bounding_box(), inner.bounding_box()
    assert big and small
    return bool(big["y"] - 1 <= small["y"] and small["y"] + small["height"] <= big["y"] + big["height"] + 1)


def test_folds_say_how_many_lines_they_hide(opened: Callable[..., Open]) -> None:
    player = opened("overflow", level="story")
    step = next(i for i, one in enumerate(player.payload["steps"]) if one["say"].startswith("The worker takes"))
    player.go(step)
    source, _ = player.payload["steps"][step]["stack"][-1]
    hidden = sum(int(text.split()[0]) for text in player.texts(".src .folded"))
    shown = set(player.texts(".src > div:not(.folded)"))
    lines = lines_of(player, source)
    body = lines[next(i for i, line in enumerate(lines) if line.endswith('"""')) + 1 :]
    assert len(player.part(".src .folded").all()) == 2
    assert len(shown) == 7 and hidden + len(shown) == len(body)


def test_a_function_of_twelve_lines_is_shown_whole_at_the_steps_level(opened: Callable[..., Open]) -> None:
    player = opened("overflow", level="steps")
    step = next(
        i for i, one in enumerate(player.payload["steps"])
        if one["stack"] and 5 < len(lines_of(player, one["stack"][-1][0])) < 12
    )  # fmt: skip
    player.go(step)
    assert player.part(".src .folded:not(:has(~ .call))").count() == 0
    player.press("1")
    assert player.part(".src [aria-current]").count() == 1


# -- what is shown


@pytest.mark.parametrize("run", ["entries", "pages", "two CPUs"])
def test_the_tables_agree_with_the_payload(opened: Callable[..., Open], run: str) -> None:
    player, payload = opened(run), RUNS[run]()
    pages, last = all_pages(payload), len(payload["steps"]) - 1
    player.part("[data-act=table]").click()
    for step in (0, 1, 2, 3, 26, 28, 45, 46, 47, 48, 49, 52, 56, last - 1, last, 30, 0):
        player.go(step)
        found = player.part("table").evaluate_all(
            "tables => tables.map(t => [t.dataset.name, "
            "[...t.tBodies[0].rows].map(r => [...r.cells].map(c => c.textContent.trim()))])"
        )
        assert dict(found) == Shown(payload, step).tables(pages), step


@pytest.mark.parametrize("run", ["entries", "pages", "two CPUs", "overflow", "evicts", "zsmalloc"])
def test_the_picture_agrees_with_the_payload(opened: Callable[..., Open], run: str) -> None:
    player = opened(run)
    payload = player.payload
    reports = {found["step"] for found in payload["reports"]}
    for step in range(0, player.last + 1, 1 if run in ("entries", "pages", "two CPUs") else 5):
        player.go(step)
        shown = Shown(payload, step)
        assert player.text(".say") == next(
            (found["say"] for found in payload["reports"] if found["step"] == step), shown.step["say"]
        ).replace("**", "").replace("`", "")
        if step in reports:
            continue
        name, suffix = ("backend", ".p") if shown.by_page else ("entry", "")
        assert player.keys(f".lru .e{suffix}", name) == [str(id) for id in shown.listed_ids]
        assert player.keys(".lru .leaving", name) == ([] if shown.out is None else [str(shown.out)])
        placed = [str(id) for page in shown.pages.values() for id, _, _ in page["objects"]]
        assert sorted(player.keys(".pool .ob")) == sorted(placed)
        where = {int(page): kind for page, kind in zip(*shelf(player), strict=True)}
        assert where == {page: KINDS[shown.where(page)] for page in all_pages(payload)}
        for name, value in shown.counters.items():
            drawn = player.part(f".cnt [data-field='counter {name}'] b")
            assert drawn.count() == 0 or drawn.inner_text() == f"{value:,}"
        over = shown.size - payload["limit"]
        room = "at its limit" if over == 0 else f"{-over} below the limit"
        full = f"full until fewer than {payload['accept']}"
        verdict = f"{over} over the limit" if over > 0 else full if shown.full else room
        assert player.text(".of-pool .h").endswith(verdict)
        assert player.part(".gauge i:not(.free)").count() == shown.size


KINDS = {
    "in RAM": "ram", "in zswap": "zswap", "on the swap device": "disk", "nowhere": "lost", "given up": "gone",
    "not written yet": "not",
}  # fmt: skip


def shelf(player: Open) -> tuple[list[str], list[str]]:
    """The pages on the shelves, and how each is drawn; a thin twin in zswap apart."""
    boxes = player.part(".pg:not(.also)")
    return player.keys(".pg:not(.also)", "page"), boxes.evaluate_all("all => all.map(box => box.classList[1])")


def test_objects_are_drawn_to_scale_where_they_lie(opened: Callable[..., Open]) -> None:
    player = opened(step=46)
    shown = Shown(RUNS["entries"](), 46)
    for key, page in shown.pages.items():
        cell = player.part(f".pool [data-backend='{key}']")
        bar, header = cell.locator(".zb").bounding_box(), cell.locator(".hd").bounding_box()
        assert bar and header and abs(header["width"] - bar["width"] / 64) < 0.5
        for id, first, units in page["objects"]:
            box = cell.locator(f"[data-entry='{id}']").bounding_box()
            assert box and abs(box["width"] - units * bar["width"] / 64) < 0.5
            assert abs(box["x"] - bar["x"] - first * bar["width"] / 64) < 0.5


def test_groups_of_zsmalloc_say_how_many_pages_each_is_and_are_as_long(opened: Callable[..., Open]) -> None:
    player = opened("zsmalloc")
    seen = set()
    for step in range(40, player.last, 30):
        player.go(step)
        shown = Shown(player.payload, step)
        longest = max(change[2]["units"] for one in player.payload["steps"] for change in one["changes"]
                      if change[0] == "page" and change[2])  # fmt: skip
        for key, page in shown.pages.items():
            cell = player.part(f".pool [data-backend='{key}']")
            pages = page["units"] // 256
            assert cell.inner_text().startswith(f"group {page['number']}, {pages} page{'s' * (pages > 1)}")
            assert cell.locator(".seam").count() == pages - 1
            width = cell.locator(".zb").bounding_box()
            room = cell.bounding_box()
            assert width and room
            seen.add((page["units"], round(width["width"] * longest / page["units"])))
        assert "zspages" in player.text(".of-pool .h")
    full = {round(width / 4) for _, width in seen}
    assert len({units for units, _ in seen}) > 1 and len(full) == 1


def test_the_list_of_a_backends_pages_says_what_it_lists(opened: Callable[..., Open]) -> None:
    player = opened("evicts", step=100)
    words = player.text(".lru-of .h")
    assert words.startswith("LRU of zbud’s pages a box is a whole page of the pool, with all in it")
    assert "page" in player.text(".lru .e.p")
    assert "nobody keeps a list" in opened("no list", step=20).text(".of-lru")


def test_the_leaving_one_steps_out_of_line_and_is_dashed_everywhere(opened: Callable[..., Open]) -> None:
    for run in ("entries", "pages"):
        player = opened(run, step=46)
        player.picture()
        tops = player.part(".lru .e").evaluate_all("all => all.map(box => box.getBoundingClientRect().top)")
        assert len({round(top) for top in tops[:-1]}) == 1 and tops[-1] > tops[0] + 5
        dashed = player.part(".leaving").evaluate_all("all => all.map(box => getComputedStyle(box).outlineStyle)")
        assert set(dashed) == {"dashed"} and len(dashed) == (4 if run == "entries" else 2)


def test_the_subject_is_ringed_once_in_every_drawing(opened: Callable[..., Open]) -> None:
    player = opened(step=6)  # page 1 is stored
    rings = player.part(".subject")
    assert rings.evaluate_all("all => all.map(ring => ring.closest('section').className)") == [
        "of-pages", "lru-of", "of-pool", "of-holders",
    ]  # fmt: skip
    assert {text.split()[0] for text in rings.all_inner_texts()} == {"1"}


def test_an_entry_has_one_colour_and_one_number_everywhere(opened: Callable[..., Open]) -> None:
    player = opened(step=46)
    painted = player.part(".lru .e, .pool .ob").evaluate_all(
        "all => all.map(e => [e.dataset.entry, getComputedStyle(e).backgroundColor, e.querySelector('b').innerText])"
    )
    assert len(painted) == 26 and len({tuple(look) for look in painted}) == 13
    shelved = player.part(".pg.zswap").evaluate_all(
        "all => all.map(e => [e.innerText, getComputedStyle(e.firstElementChild).backgroundColor])"
    )
    listed = {(text, colour) for _, colour, text in painted}
    assert {tuple(look) for look in shelved if look[0] != "8"} <= listed and len(shelved) > 8  # 8 is same-filled


def test_pages_that_were_given_up_or_lost_or_never_written(opened: Callable[..., Open]) -> None:
    payload = fixture.payload()
    payload["reports"] = []
    for where in ("freed", "present", "swapped"):
        payload["steps"].append({**payload["steps"][-1], "changes": [["ram", 0, where]]})
    player = opened(payload, step=LAST)
    seen = []
    for _ in range(4):
        seen.append(player.part("[data-page='0']").get_attribute("title"))
        player.press(".")
    assert seen == ["page 0 on the swap device", "page 0 given up", "page 0 in RAM", "page 0 nowhere"]
    start = opened("overflow")
    assert start.text(".shelves .words") == "not written yet"
    assert start.part(".pg.not").count() == 15


def test_a_page_that_is_in_ram_and_still_in_zswap_is_drawn_in_both(opened: Callable[..., Open]) -> None:
    player = opened(step=26)  # a load that is not exclusive
    assert player.part(".pg.ram[data-page='2'], .pg.also[data-page='2']").count() == 2
    boxes = player.part("[data-page='2']").evaluate_all("all => all.map(box => box.getBoundingClientRect())")
    assert boxes[0]["left"] == boxes[1]["left"] and boxes[0]["top"] < boxes[1]["top"]


def test_who_holds_the_entry_is_drawn_by_how_it_holds_it(opened: Callable[..., Open]) -> None:
    player = opened(step=24)  # page 2 is found
    player.go(25)
    assert player.text(".of-holders .h") == "Who holds page 2’s entry refcount 1 → 2"
    assert player.texts(".holders .who") == ["the tree, slot 6", "CPU a, entry", "the LRU"]
    assert player.texts(".holders .says") == ["counted", "counted", "a link, not a reference"]
    kinds = player.part(".holders svg > path").evaluate_all("all => all.map(path => path.getAttribute('class'))")
    assert kinds == ["counted", "counted", "link"]
    player.go(46)  # the worker has taken page 0 off the list
    assert player.texts(".holders .says") == [
        "counted: this is the 1", "not counted: safe only while it holds lru_lock", "let go at this step",
    ]  # fmt: skip
    player.go(47)
    assert player.text(".of-holders .h").endswith("refcount 1 → 2")


def test_locks_calls_and_links(opened: Callable[..., Open]) -> None:
    player = opened("two CPUs", step=47)
    assert player.texts(".lock") == ["holds tree lock", "waits for tree lock: CPU a has it"]
    assert player.texts(".crumb") == ["reclaim_entry", "load"]
    links = player.part(".src a").evaluate_all("all => all.map(a => [a.innerText, a.href, a.rel])")
    assert links[0] == ["zswap_reclaim_entry \u2197", f"{fixture.URL}#3", "noopener"]
    assert player.part(".src .now.blocked").count() == 1
    player.press(".")
    assert player.texts(".crumb")[0] == "reclaim_entry \u203a entry_put"
    assert opened(step=LAST - 2, level="story").texts(".crumb") == ["load"]


def test_each_cpu_has_a_lane_and_says_how_it_stands(opened: Callable[..., Open]) -> None:
    player = opened("together")
    payload = player.payload
    assert player.texts(".gutter .label")[-3:] == ["CPU a read 3", "CPU b read 3", "CPU c free 3"]
    states: set[str] = set()
    for step in range(player.last + 1):
        player.go(step)
        for number, cpu in enumerate(payload["steps"][step]["cpus"] or []):
            words = player.text(f".oncpu >> nth={number}")
            states.add(cpu["state"])
            if cpu["state"] in ("not started", "finished"):
                steps = f", {cpu['steps']} step{'s' * (cpu['steps'] != 1)}" if cpu["state"] == "finished" else ""
                assert words == f"CPU {CPUS[number]} {cpu['task']} {cpu['state']}{steps}"
            if cpu["waits"]:
                assert f"waits for {cpu['waits']}: CPU {CPUS[cpu['holder']]} has it" in words
        if payload["steps"][step]["cpus"]:
            now, lane = player.part(".seg-now").bounding_box(), player.part(".gutter .label").nth(
                1 + payload["steps"][step]["cpu"]).bounding_box()  # fmt: skip
            assert now and lane and abs(now["y"] - lane["y"]) < 4
    assert states == {"not started", "running", "blocked", "finished"}
    assert player.part(".seg-wait").count() > 0 and player.part(".held").count() > 0


def test_several_pools_are_shown_with_their_lists(opened: Callable[..., Open]) -> None:
    player = opened("two pools", step=200)
    assert player.texts(".pools .h b") == ["pool 0", "pool 1"]
    assert player.texts(".lru .of") == ["pool 0", "pool 1"]
    assert "zbud, deflate" in player.text(".pools > div >> nth=0") and "z3fold" in player.text(".pools > div >> nth=1")
    assert "new pages go here" in player.text(".pools > div >> nth=1")
    player.go(20)
    assert "new pages go here" in player.text(".pools > div >> nth=0")


def test_forward_then_back_gives_the_same_picture(opened: Callable[..., Open]) -> None:
    player = opened()
    seen = []
    for _ in range(LAST):
        seen.append(player.picture())
        player.press("ArrowRight")
    assert len(set(seen)) == LAST
    for step in reversed(range(LAST)):
        assert player.press("ArrowLeft") == step
        assert player.picture() == seen[step], step


def test_a_jump_gives_the_same_picture_as_walking(opened: Callable[..., Open]) -> None:
    walker, jumper = opened("overflow"), opened("overflow", step=300)
    walker.go(300)
    assert walker.picture() == jumper.picture()


# -- what can be set


def test_notes_belong_to_their_steps_and_take_no_key_from_the_player(opened: Callable[..., Open]) -> None:
    player = opened(step=5, values={"notes": {"7": "Who holds it now?"}})
    note = player.part(".note input")
    assert [note.input_value(), (player.press(".", "."), note.input_value())[1]] == ["", "Who holds it now?"]
    note.click()
    player.tab.keyboard.type(" s, l and 3")
    assert player.step == 7
    player.press("Escape", ".", ",")
    assert note.input_value() == "Who holds it now? s, l and 3"


def test_every_part_can_be_hidden_and_shown_again(opened: Callable[..., Open]) -> None:
    player = opened(step=46)
    places = {
        "curve": ".time", "pages": ".shelves", "lru": ".lru", "pool": ".pool", "counters": ".cnt", "source": ".src",
        "holders": ".holders",
    }  # fmt: skip
    player.part(".parts summary").click()
    for name, place in places.items():
        box = player.part(f"[data-part={name}]")
        box.uncheck()
        player.settle()
        assert not player.part(place).is_visible(), name
        assert all(player.part(other).first.is_visible() for other in places.values() if other != place)
        box.check()
        player.settle()
        assert player.part(place).first.is_visible()
    hidden = opened(step=46, values={"hidden": ["pool", "source"]})
    assert hidden.part(".pool").count() == hidden.part(".src").count() == 0


def test_question_mark_explains_every_mark_and_key(opened: Callable[..., Open]) -> None:
    player = opened()
    assert not player.part(".help").is_visible()
    player.press("?")
    words = player.text(".help")
    marks = "leaving", "ringed", "freed memory", "thick arrow", "dashed arrow", "runs next", "full above", "given up"
    assert [mark for mark in marks if mark not in words] == []
    for key in (*"←→,.SLERFCWPNT123", "Home", "End", "Space"):
        assert player.part(".help kbd").filter(has_text=key).count() >= 1
    player.press("Escape")
    assert not player.part(".help").is_visible()
    player.part(".foot [data-act=help]").click()
    assert player.part(".help").is_visible()


def test_a_theme_in_the_address_beats_the_saved_one(opened: Callable[..., Open]) -> None:
    assert opened(theme="light", address="?theme=dark").root.get_attribute("data-theme") == "dark"
    assert opened(theme="dark", address="?theme=light").root.get_attribute("data-theme") == "light"


def test_a_run_without_steps_is_said_to_have_none(opened: Callable[..., Open]) -> None:
    player = opened({**RUNS["entries"](), "steps": [], "operations": [], "reports": []})
    assert player.part(".say").inner_text() == "Nothing was recorded: this run has no steps."
    player.part("[data-act=table]").click()
    player.press("ArrowRight", "s", "End", "Space", "Shift+ArrowRight", "w", "?", "c")
    player.part(".forward").click()
    assert player.step == 0


def test_markup_in_a_payload_is_text(opened: Callable[..., Open]) -> None:
    payload = fixture.payload()
    nasty = "<img src=x onerror=console.error(1)></script><b>"
    payload["title"] = payload["tags"][0] = payload["pools"][0]["backend"] = nasty
    payload["steps"][0]["say"] = f"**{nasty}** `{nasty}`"
    payload["sources"][0]["lines"][0] = payload["operations"][0]["text"] = nasty
    player = opened(payload)
    player.part("[data-act=table]").click()
    player.press("ArrowRight", "ArrowRight", "ArrowLeft", "ArrowLeft")
    assert player.part(".say").inner_text() == f"{nasty} {nasty}"
    assert player.part("img").count() == 0


# -- the room it takes


CLIPPED = """all => all.filter(e => e.scrollHeight > e.clientHeight + 1 && e.clientHeight
  && getComputedStyle(e).overflowY !== 'visible' && !e.closest('svg, .help, .note, .parts'))
  .map(e => `${e.className}: ${e.scrollHeight - e.clientHeight}`)"""


def clipped(player: Open) -> list[str]:
    """What is higher than its room."""
    return list(player.part("*").evaluate_all(CLIPPED))


def heights(player: Open, steps: list[int]) -> set[float]:
    found = set()
    for step in steps:
        player.go(step)
        box = player.root.bounding_box()
        assert box
        found.add(round(box["height"], 1))
        assert clipped(player) == [], step
    return found


@pytest.mark.parametrize("level", ["story", "steps", "source"])
@pytest.mark.parametrize(
    "run", ["entries", "pages", "overflow", "z3fold", "zsmalloc", "crash", "together", "two pools", "sixteen", "many",
            "v6.5-on", "D-hang-base", "lock-order"],
)  # fmt: skip
def test_the_sheet_fits_its_height_and_nothing_in_it_scrolls_or_jumps(
    opened: Callable[..., Open], run: str, level: str
) -> None:
    player = opened(run, level=level)
    steps = [*range(0, player.last, max(1, player.last // 12)), player.last]
    found = heights(player, steps)
    assert len(found) == 1 and 590 <= found.pop() <= 620
    assert player.root.bounding_box()["width"] == 1050  # type: ignore[index]


def test_what_is_far_from_the_action_is_summed_up(opened: Callable[..., Open]) -> None:
    player = opened("many")
    for step in range(0, player.last, 61):
        player.go(step)
        shown = Shown(player.payload, step)
        boxes = player.keys(".lru .e:not(.out)")
        folded = sum(int(text.split()[-1]) for text in player.texts(".lru .fold"))
        assert len(boxes) + folded == len(shown.lru) and len(boxes) < 20
        assert boxes[:2] == [str(id) for id in shown.lru[:2]] and boxes[-5:] == [str(id) for id in shown.lru[-5:]]
        subject = shown.step["subject"]
        assert subject is None or subject not in shown.lru or str(subject) in boxes
        assert player.part(".pool .zp").count() == 4
        assert f"all {len(shown.pages)}" in player.text(".map")
        strokes = player.part(".map path").last.get_attribute("d")
        assert strokes and strokes.count("M") == len(shown.pages)
        labels = [int(text.split()[0]) for text in player.texts(".shelves .lab")]
        places = [shown.where(page) for page in all_pages(player.payload)]
        counts = [places.count(where) for where in ("in RAM", "nowhere", "in zswap", "on the swap device")]
        assert labels == [counts[0] + counts[1], *counts[2:]]


def test_a_height_that_was_asked_for_is_kept(opened: Callable[..., Open]) -> None:
    for height in (560, 720):
        player = opened("overflow", values={"height": height})
        assert heights(player, [0, 150, 200]) == {height}


@pytest.mark.parametrize(("width", "most"), [(732, 760), (432, 900)])
@pytest.mark.parametrize("run", ["overflow", "entries", "crash", "together", "zsmalloc"])
def test_a_narrow_player_stacks_and_stays_usable(
    opened: Callable[..., Open], run: str, width: int, most: int
) -> None:
    player = opened(run, width=width, level="story")
    steps = [0, 30, player.last // 2, player.last]
    before = {player.root.bounding_box()["height"] for step in steps if player.go(step) is None}  # type: ignore[index]
    if run == "overflow":
        assert max(before) <= most
    assert player.root.evaluate("root => root.scrollWidth <= root.clientWidth")
    assert player.tab.evaluate("document.documentElement.scrollWidth") == width
    bands = [player.part(part).first.bounding_box() for part in (".bar", ".time", ".say", ".left", ".right", ".foot")]
    for above, below in pairwise(bands):
        assert above and below and above["y"] + above["height"] <= below["y"] + 1
    for part in (".forward", ".slider", "[data-act=table]", ".play"):
        box = player.part(part).bounding_box()
        assert box and box["x"] >= 0 and box["x"] + box["width"] <= width
    player.press("Home")
    player.part(".forward").click()
    assert player.step > 0
    lit = player.part(".src [aria-current]").first
    assert lit.is_visible() and inside(player.part(".src").first, lit)


def test_the_narrowest_has_one_button_for_the_levels(opened: Callable[..., Open]) -> None:
    player = opened(width=432, level="story")
    buttons = [button for button in player.part(".seg button").all() if button.is_visible()]
    assert len(buttons) == 1
    for level in ("steps", "source", "story"):
        player.part(".seg .on").click()
        assert player.root.get_attribute("data-level") == level


SMALLEST = """() => Math.min(...[...document.querySelectorAll('.zswaplab-player *')]
  .filter(e => e.checkVisibility() && [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()))
  .map(e => parseFloat(getComputedStyle(e).fontSize) * e.currentCSSZoom))"""


@pytest.mark.parametrize(("size", "type_"), [((1920, 1080), 20), ((1280, 720), 13)])
@pytest.mark.parametrize("run", ["overflow", "crash", "together"])
def test_lecture_mode_is_the_same_sheet_over_the_whole_window(
    opened: Callable[..., Open], run: str, size: tuple[int, int], type_: int
) -> None:
    player = opened(run, width=size[0], height=size[1], level="story", step=40)
    player.press("p")
    box = player.root.bounding_box()
    assert box and (round(box["x"]), round(box["y"])) == (0, 0)
    assert abs(box["width"] - size[0]) <= 2 and abs(box["height"] - size[1]) <= 2
    for part in (".bar", ".time", ".say", ".left", ".right", ".foot"):
        one = player.part(part).bounding_box()
        assert one and one["y"] >= 0 and one["y"] + one["height"] <= size[1] + 1, part
    player.press("?")
    assert player.tab.evaluate(SMALLEST) >= type_ - 0.1
    player.press("Escape")
    assert player.press("ArrowRight") > 40
    player.press("Escape")
    assert player.root.bounding_box()["width"] < size[0]  # type: ignore[index]
    player.part("[data-act=lecture]").click()
    assert player.root.evaluate("root => root.matches(':popover-open')")
    player.press("n")
    player.tab.keyboard.type("Who holds it?")
    one = player.part(".note").bounding_box()
    assert one and one["height"] >= 30
    assert player.root.bounding_box()["height"] <= size[1] + 1  # type: ignore[index]
    assert clipped(player) == []


# -- quick


def test_any_jump_in_five_thousand_steps_is_little_work(browser: Browser) -> None:
    """The state alone, without drawing; the rule is 10 ms, this machine may be busy."""
    tab = browser.new_page()
    tab.evaluate("text => { window.payload = JSON.parse(text) }", json.dumps(fixture.long_payload()))
    script = asset().replace("export default { render }", "window.Run = Run", 1)
    tab.evaluate("source => { new Function(source)() }", script)
    spent = tab.evaluate("""() => {
      const run = new Run(payload), spent = [];
      for (let n = 1; n <= 200; n += 1) {
        const before = performance.now();
        run.at((n * 1861) % payload.steps.length);
        spent.push(performance.now() - before);
      }
      return spent;
    }""")
    tab.close()
    assert median(spent) < 10
