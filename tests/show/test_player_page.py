"""The player in a real browser, on the page that `Player.save` writes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import pytest

from tests.show import fixture
from tests.show.oracle import Shown, all_pages
from zswaplab.show.player import SCRIPT, page

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

pytestmark = pytest.mark.browser

RUNS: dict[str, Callable[[], dict[str, Any]]] = {
    "entries": cache(fixture.payload),
    "pages": cache(lambda: fixture.payload("pages")),
    "two CPUs": cache(lambda: fixture.payload(cpus=2)),
}
LAST = 59  # of "entries"


class Open:
    """One player on its own page, and what a reader can do with it."""

    def __init__(self, tab: Page) -> None:
        self.tab = tab
        self.root = tab.locator(".zswaplab-player")

    @property
    def step(self) -> int:
        self.tab.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        return int(self.root.get_attribute("data-step") or -1)

    def press(self, *keys: str) -> int:
        for key in keys:
            self.tab.keyboard.press(key)
        return self.step

    def go(self, step: int) -> None:
        """Walk to `step` with the arrow keys."""
        way = step - self.step
        assert self.press(*["ArrowRight" if way > 0 else "ArrowLeft"] * abs(way)) == step

    def part(self, selector: str) -> Locator:
        return self.root.locator(selector)

    def picture(self) -> str:
        self.tab.evaluate("() => Promise.all(document.getAnimations().map(({ finished }) => finished))")
        return str(
            self.root.evaluate("root => root.querySelector('.say').outerHTML + root.querySelector('.body').innerHTML")
        )


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Open]]:
    """`opened(run, width=, theme=)`; afterwards: nothing was printed, nothing asked of any network."""
    contexts, complaints, requests = [], [], []

    def open_page(
        run: str | dict[str, Any] = "entries",
        *,
        width: int = 1200,
        theme: str | None = "light",
        **options: Any,
    ) -> Open:
        payload = RUNS[run]() if isinstance(run, str) else run
        file = tmp_path / f"{len(contexts)}.html"
        file.write_text(page([payload], theme=theme), encoding="utf-8")
        context = browser.new_context(viewport={"width": width, "height": 900}, offline=True, **options)
        contexts.append(context)
        tab = context.new_page()
        tab.on("console", lambda message: complaints.append(message.text))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("request", lambda request: requests.append(request.url))
        tab.goto(file.as_uri())
        shown = Open(tab)
        shown.root.focus()
        return shown

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
    assert [url for url in requests if not url.startswith("file:///")] == []
    assert len(requests) == len(contexts)


def ticks(kind: str, run: str = "entries") -> list[int]:
    return [index for index, step in enumerate(RUNS[run]()["steps"]) if step["event"] == kind]


# -- moving in time


def test_every_button(opened: Callable[..., Open]) -> None:
    player = opened()

    def click(name: str) -> int:
        player.part(f".buttons .{name}").click()
        return player.step

    assert player.step == 0
    assert [click("forward"), click("forward"), click("back"), click("last"), click("forward")] == [
        1,
        2,
        1,
        LAST,
        LAST,
    ]
    assert [click("back"), click("first"), click("back")] == [LAST - 1, 0, 0]
    for kind in ("store", "load", "writeback", "refuse", "fault"):
        click("first")
        player.part(f".lane.{kind}").click()
        assert player.step == ticks(kind)[0]
    player.part(".lane.store").click(modifiers=["Shift"])
    assert player.step == ticks("store")[-1]


def test_play_goes_on_by_itself_to_the_end_and_starts_again_from_there(opened: Callable[..., Open]) -> None:
    player = opened()
    player.go(LAST - 2)
    pace, play = player.part(".pace"), player.part(".play")
    for speed in ("2\u00d7", "4\u00d7", "8\u00d7"):
        pace.click()
        assert pace.inner_text() == speed
    assert play.get_attribute("aria-label") == "play (space)"
    player.press("Space")
    assert play.get_attribute("aria-label") == "pause (space)"
    player.part(f"xpath=self::*[@data-step={LAST}]").wait_for()
    player.part(".play[title='play (space)']").wait_for()
    play.click()
    player.part("xpath=self::*[@data-step=2]").wait_for()
    play.click()
    stopped = player.step
    player.tab.wait_for_timeout(400)
    assert 2 <= player.step == stopped < 10


KEYS = [
    (10, "ArrowRight", 11),
    (10, "ArrowLeft", 9),
    (0, "ArrowLeft", 0),
    (10, "Home", 0),
    (10, "0", 0),
    (10, "End", LAST),
    (8, "Shift+ArrowRight", 10),  # page out 2 is steps 7 to 9
    (10, "Shift+ArrowRight", 13),
    (8, "Shift+ArrowLeft", 7),
    (7, "Shift+ArrowLeft", 4),
    (0, "Shift+ArrowLeft", 0),
    (58, "Shift+ArrowRight", LAST),
    (3, "s", 6),
    (51, "Shift+E", 48),
    *(
        (20, key, next((tick for tick in ticks(kind) if tick > 20), 20))
        for key, kind in zip("slerf", ("store", "load", "writeback", "refuse", "fault"), strict=True)
    ),
    *(
        (54, f"Shift+{key}", max((tick for tick in ticks(kind) if tick < 54), default=54))
        for key, kind in zip("SLERF", ("store", "load", "writeback", "refuse", "fault"), strict=True)
    ),
]


def test_every_key(opened: Callable[..., Open]) -> None:
    player = opened()
    for start, key, end in KEYS:
        player.go(start)
        assert player.press(key) == end, (start, key)


def test_a_key_with_nowhere_to_go_says_so(opened: Callable[..., Open]) -> None:
    player = opened()
    assert player.press("End", "e") == LAST
    assert player.part(".operation").inner_text() == "nothing after this step is “written back”"
    player.press("ArrowLeft")
    assert player.part(".operation").inner_text() == "read 12"


def test_other_keys_stay_with_the_browser(opened: Callable[..., Open]) -> None:
    player = opened()
    player.tab.evaluate("window.heard = []; addEventListener('keydown', e => heard.push([e.key, e.defaultPrevented]))")
    assert player.press("ArrowRight", "x", "Control+e", "ArrowDown") == 1
    assert player.tab.evaluate("heard.filter(([key]) => key != 'Control')") == [
        ["x", False],
        ["e", False],
        ["ArrowDown", False],
    ]


def test_space_on_a_button_presses_the_button(opened: Callable[..., Open]) -> None:
    player = opened()
    player.part(".forward").focus()
    assert player.press("Space") == 1
    assert player.part(".play").get_attribute("aria-label") == "play (space)"


def test_keys_work_after_a_click_anywhere(opened: Callable[..., Open]) -> None:
    player = opened()
    for place in (".say", ".forward", ".pool", ".slider", ".lane.store", ".code"):
        player.tab.evaluate("document.activeElement.blur()")
        player.part(place).first.click(position={"x": 5, "y": 5})
        before = player.step
        assert player.press("ArrowRight") == before + 1, place


def test_dragging_the_timeline(opened: Callable[..., Open]) -> None:
    player = opened()
    box = player.part(".slider svg").bounding_box()
    assert box
    mouse = player.tab.mouse
    at = lambda share: (box["x"] + 10 + share * (box["width"] - 20), box["y"] + 40)  # noqa: E731
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
    knob = player.part(".playhead circle").bounding_box()
    assert knob and abs(knob["x"] + knob["width"] / 2 - at(44 / LAST)[0]) < 1


# -- what is shown


@pytest.mark.parametrize("run", RUNS)
def test_the_tables_agree_with_the_payload(opened: Callable[..., Open], run: str) -> None:
    player, payload = opened(run), RUNS[run]()
    pages, last = all_pages(payload), len(payload["steps"]) - 1
    player.part("summary").click()
    for step in (0, 1, 2, 3, 26, 28, 45, 46, 47, 48, 49, 52, 56, last - 1, last, 30, 0):
        player.go(step)
        found = player.part("table").evaluate_all(
            "tables => tables.map(t => [t.dataset.name, "
            "[...t.tBodies[0].rows].map(r => [...r.cells].map(c => c.innerText.trim()))])"
        )
        assert dict(found) == Shown(payload, step).tables(pages), step


@pytest.mark.parametrize("run", RUNS)
def test_the_picture_agrees_with_the_payload(opened: Callable[..., Open], run: str) -> None:
    player, payload = opened(run), RUNS[run]()
    for step in range(len(payload["steps"])):
        shown = Shown(payload, step)
        key = "backend page" if run == "pages" else "entry"
        boxes = [*shown.lru, *([] if shown.out is None or shown.out in shown.lru else [shown.out])]
        assert keys(player, ".lru .box") == [f"{key} {id}" for id in boxes]
        assert keys(player, ".lru .leaving") == ([] if shown.out is None else [f"{key} {shown.out}"])
        placed = [f"entry {id}" for _, objects in shown.pages.items() for id, _, _ in objects]
        assert sorted(keys(player, ".pool .object")) == sorted(placed)
        counts = player.part(".ram .count").evaluate_all(
            "all => all.map(c => [c.dataset.key, c.innerText, c.classList.contains('unlinked')])"
        )
        assert sorted(counts) == sorted(
            [f"entry {id}", str(e["refcount"]), not e["linked"]] for id, e in shown.entries.items()
        )
        assert player.part(".full").count() == shown.full
        assert player.part(".say").inner_text() == shown.step["say"].replace("**", "")
        lit = player.part(".code [aria-current]").all_inner_texts()
        frames = [cpu["stack"][-1] for cpu in shown.step["cpus"] if cpu["stack"]]
        assert lit == [payload["sources"][source]["lines"][line] for source, line in frames]
        player.press("ArrowRight")


def keys(player: Open, selector: str) -> list[str]:
    return player.part(selector).evaluate_all("all => all.map(element => element.dataset.key)")


def test_objects_are_drawn_to_scale_where_they_lie(opened: Callable[..., Open]) -> None:
    player = opened()
    player.go(46)
    shown = Shown(RUNS["entries"](), 46)
    for number, objects in shown.pages.items():
        cell = player.part(f".pool [data-key='backend page {number}']")
        bar = cell.locator(".bar-of-objects").bounding_box()
        header = cell.locator(".header").bounding_box()
        assert bar and header and abs(header["width"] - bar["width"] / 64) < 0.5
        for id, first, units in objects:
            box = cell.locator(f"[data-key='entry {id}']").bounding_box()
            assert box and abs(box["width"] - units * bar["width"] / 64) < 0.5
            assert abs(box["x"] - bar["x"] - first * bar["width"] / 64) < 0.5


def test_the_leaving_one_steps_out_of_line(opened: Callable[..., Open]) -> None:
    for run in ("entries", "pages"):
        player = opened(run)
        player.go(46)
        tops = player.part(".lru .box").evaluate_all("boxes => boxes.map(box => box.offsetTop)")
        assert len(set(tops[:-1])) == 1 and tops[-1] > tops[0] + 5
        style = player.part(".lru .leaving").evaluate("box => getComputedStyle(box).outlineStyle")
        assert style == "dashed"


def test_an_entry_has_one_colour_and_one_label_everywhere(opened: Callable[..., Open]) -> None:
    player = opened()
    player.go(46)
    painted = player.part(".lru .box, .pool .object").evaluate_all(
        "all => all.map(e => [e.dataset.key, getComputedStyle(e).backgroundColor, e.querySelector('b').innerText])"
    )
    assert len(painted) == 26 and len({tuple(look) for look in painted}) == 13


def test_a_freed_entry_that_is_still_listed_is_shown_as_freed(opened: Callable[..., Open]) -> None:
    player = opened()
    player.press("End")
    assert player.part(".lru .freed").inner_text().split() == ["12", "freed"]
    assert player.part(".say.fault b").inner_text() == "Use after free"


def test_a_freed_entry_stays_freed_however_far_the_jump(opened: Callable[..., Open]) -> None:
    payload = fixture.payload()
    payload["steps"] += [{**payload["steps"][-1], "changes": []}] * 70
    player = opened(payload)
    player.press("End")
    assert player.part(".lru .freed").inner_text().split() == ["12", "freed"]


def test_a_page_that_was_freed_is_no_longer_on_the_swap_device(opened: Callable[..., Open]) -> None:
    payload = fixture.payload()
    for where in ("freed", "present", "swapped"):
        payload["steps"].append({**payload["steps"][-1], "changes": [["ram", 0, where]]})
    player = opened(payload)
    page = player.part(".ram .where").first
    seen = []
    player.go(LAST)
    for _ in range(4):
        seen.append(page.get_attribute("title"))
        player.press("ArrowRight")
    assert seen == ["page 0 on the swap device", "page 0 free", "page 0 in RAM", "page 0 nowhere"]


def test_locks_calls_and_links(opened: Callable[..., Open]) -> None:
    player = opened("two CPUs")
    player.go(47)
    assert player.part(".lock").all_inner_texts() == ["holds tree lock", "waits for tree lock"]
    assert player.part(".calls").all_inner_texts() == ["reclaim_entry", "load"]
    links = player.part("a").evaluate_all("all => all.map(a => [a.innerText, a.href, a.rel])")
    assert links[0] == ["zswap_reclaim_entry \u2197", f"{fixture.URL}#3", "noopener"]
    player.press("ArrowRight")
    assert player.part(".calls").first.inner_text() == "reclaim_entry \u203a entry_put"
    assert player.part(".calling").all_inner_texts() == ["    yield from self.entry_put(tree, entry)"]
    player.press("ArrowLeft")
    assert player.part(".calling").count() == 0


def test_a_function_that_the_kernel_lacks_links_to_the_one_it_is_part_of(opened: Callable[..., Open]) -> None:
    player = opened()
    player.press("End")
    assert player.part(".calls").inner_text() == "load \u203a move_to_head"
    assert player.part("a").all_inner_texts() == ["zswap_frontswap_load \u2197"]


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
    payload = fixture.long_payload(400, 24)
    walked, jumped = opened(payload), opened(payload)
    walked.go(200)
    box = jumped.part(".slider svg").bounding_box()
    assert box
    for step in (390, 3, 200):
        share = step / (len(payload["steps"]) - 1)
        jumped.part(".slider").click(position={"x": 10 + share * (box["width"] - 20), "y": 40})
    while jumped.step > 200:
        jumped.press("ArrowLeft")
    while jumped.step < 200:
        jumped.press("ArrowRight")
    assert jumped.picture() == walked.picture()


@pytest.mark.parametrize("width", [1200, 420])
def test_pages_and_pool_pages_keep_their_place(opened: Callable[..., Open], width: int) -> None:
    player = opened(width=width)
    places: dict[str, set[tuple[float, float]]] = {}
    heights = set()
    for _ in range(LAST + 1):
        for name, x, y in player.part(".ram .where, .pool .cell[data-key]").evaluate_all(
            "all => all.map(e => [e.dataset.page ?? e.dataset.key, e.offsetLeft, e.offsetTop])"
        ):
            places.setdefault(name, set()).add((x, y))
        heights.add(player.root.evaluate("root => root.offsetHeight"))
        player.press("ArrowRight")
    assert len(places) == 17 + 7
    assert {name: seen for name, seen in places.items() if len(seen) > 1} == {}
    assert len(heights) == 1


# -- for everyone


def test_what_a_screen_reader_gets(opened: Callable[..., Open]) -> None:
    player = opened()
    player.go(46)
    say, slider = player.part(".say"), player.part("[role=slider]")
    spoken = [say.get_attribute(name) for name in ("role", "aria-live", "aria-atomic")]
    assert spoken == ["status", "polite", "true"]
    values = [
        slider.get_attribute(f"aria-{name}") for name in ("valuemin", "valuemax", "valuenow", "valuetext", "label")
    ]
    assert values == ["0", "59", "46", "step 46 of 59: worker", "Timeline"]
    assert player.root.get_attribute("aria-label") == "Player: A pool fills up"
    assert player.root.get_attribute("role") == "group"
    names = player.part("button").evaluate_all("all => all.map(button => button.ariaLabel || button.innerText)")
    assert len(names) == 11 and all(names)
    lru = player.part(".lru").get_attribute("aria-label")
    assert lru == (
        "LRU from head to tail: page 13, page 12, page 11, page 10, page 9, page 2, page 7, page 6, page 5, "
        "page 4, page 3, page 1. Stepping out: page 0"
    )
    assert player.part("[role=img]:not([aria-label])").count() == 0


def test_every_control_is_reached_by_tab_and_shows_it(opened: Callable[..., Open]) -> None:
    player = opened()
    player.go(46)
    ring = "getComputedStyle(document.activeElement)"
    assert player.tab.evaluate(f"{ring}.boxShadow") != "none"
    reached = []
    for _ in range(40):
        player.tab.keyboard.press("Tab")
        if not player.tab.evaluate("document.querySelector('.zswaplab-player').contains(document.activeElement)"):
            break
        reached.append(player.tab.evaluate("document.activeElement.className || document.activeElement.localName"))
        assert player.tab.evaluate(f"{ring}.outlineWidth + ' ' + {ring}.outlineStyle") == "2px solid"
    lanes = ["lane store", "lane load", "lane writeback", "lane refuse", "lane fault"]
    assert reached == [
        "first",
        "back",
        "play",
        "forward",
        "last",
        "pace",
        *lanes,
        "slider",
        "kernel",
        "code",
        "summary",
    ]


CONTRAST = """() => {
  const parse = colour => {
    const [r, g, b, a = 1] = colour.match(/[\\d.]+/g).map(Number);
    return colour.startsWith('color(') ? [255 * r, 255 * g, 255 * b, a] : [r, g, b, a];
  };
  const linear = v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => .2126 * linear(r) + .7152 * linear(g) + .0722 * linear(b);
  const ground = element => {
    const colour = parse(getComputedStyle(element).backgroundColor);
    return colour[3] > .99 ? colour : ground(element.parentElement);
  };
  const walker = document.createTreeWalker(document.querySelector('.zswaplab-player'), NodeFilter.SHOW_TEXT);
  const poor = [];
  let seen = 0;
  for (let node; (node = walker.nextNode());) {
    const e = node.parentElement;
    if (!node.data.trim() || e.tagName === 'STYLE' || e.closest(':disabled') || !e.checkVisibility()) continue;
    const [dark, bright] = [light(parse(getComputedStyle(e).color)), light(ground(e))].sort((a, b) => a - b);
    const ratio = (bright + .05) / (dark + .05);
    seen += 1;
    if (ratio < 4.5) poor.push(`${node.data.trim()} in ${e.className || e.parentElement.className}: ${ratio}`);
  }
  return [seen, poor];
}"""


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("run", ["entries", "pages"])
def test_all_text_stands_out_from_its_ground(opened: Callable[..., Open], theme: str, run: str) -> None:
    player = opened(run, theme=theme)
    player.part("summary").click()
    for step in (0, 27, 44, 47, 48, len(RUNS[run]()["steps"]) - 1):
        player.go(step)
        seen, poor = player.tab.evaluate(CONTRAST)
        assert seen > 150
        assert poor == []


def test_the_theme_follows_the_system_and_the_notebook_at_once(opened: Callable[..., Open]) -> None:
    player = opened(theme=None, color_scheme="dark")

    def look(theme: str) -> str:
        player.part(f"xpath=self::*[@data-theme='{theme}']").wait_for()
        return str(player.root.evaluate("root => getComputedStyle(root).backgroundColor"))

    dark, light = "rgb(22, 24, 27)", "rgb(255, 255, 255)"
    assert look("dark") == dark
    player.tab.emulate_media(color_scheme="light")
    assert look("light") == light
    player.tab.evaluate("document.body.dataset.jpThemeLight = 'false'")
    assert look("dark") == dark
    player.tab.evaluate("document.body.dataset.jpThemeLight = 'true'")
    player.tab.emulate_media(color_scheme="dark")
    player.tab.wait_for_timeout(200)
    assert look("light") == light


def test_nothing_moves_for_who_wants_no_motion(opened: Callable[..., Open]) -> None:
    moving = "document.getAnimations().length"
    player = opened(reduced_motion="no-preference")
    player.go(25)
    player.press("ArrowRight")  # a load moves an entry to the head
    assert player.tab.evaluate(moving) > 1
    player.picture()
    player.press("End")  # a jump moves nothing
    assert player.tab.evaluate(moving) == 0
    calm = opened(reduced_motion="reduce")
    calm.go(25)
    calm.press("ArrowRight")
    assert calm.tab.evaluate(moving) == 0


@pytest.mark.parametrize("run", ["entries", "pages", "two CPUs"])
def test_a_narrow_player_stacks_and_stays_usable(opened: Callable[..., Open], run: str) -> None:
    player = opened(run, width=420)
    player.go(47)
    assert player.root.evaluate("root => root.scrollWidth <= root.clientWidth")
    assert player.tab.evaluate("document.documentElement.scrollWidth") == 420
    tops = [
        player.part(part).first.bounding_box()
        for part in (".bar", ".time", ".say", ".ram", ".lru", ".pool", ".code", ".foot")
    ]
    for above, below in pairwise(tops):
        assert above and below and above["y"] + above["height"] <= below["y"] + 1
    for part in (".forward", ".lane.fault", ".slider", "summary"):
        box = player.part(part).bounding_box()
        assert box and box["x"] >= 0 and box["x"] + box["width"] <= 420
    player.part(".forward").click()
    assert player.step == 48
    assert player.part(".code [aria-current]").first.is_visible()


def test_the_running_line_is_always_in_sight(opened: Callable[..., Open]) -> None:
    player = opened("two CPUs", width=420)
    for step in range(LAST):
        for code in player.part(".code").all():
            inside = code.evaluate(
                "c => { const l = c.querySelector('[aria-current]'); if (!l) return true;"
                " const a = c.getBoundingClientRect(), b = l.getBoundingClientRect();"
                " return a.top <= b.top && b.bottom <= a.bottom + 1 }"
            )
            assert inside, step
        player.press("ArrowRight")


def test_a_run_without_steps_is_said_to_have_none(opened: Callable[..., Open]) -> None:
    player = opened({**RUNS["entries"](), "steps": []})
    assert player.part(".say").inner_text() == "Nothing was recorded: this run has no steps."
    player.part("summary").click()
    player.press("ArrowRight", "s", "End", "Space", "Shift+ArrowRight")
    assert player.part(".forward").click() is None
    assert player.step == 0


def test_markup_in_a_payload_is_text(opened: Callable[..., Open]) -> None:
    payload = fixture.payload()
    nasty = "<img src=x onerror=console.error(1)></script><b>"
    payload["title"] = payload["tags"][0] = payload["backend"] = nasty
    payload["steps"][0]["say"] = f"**{nasty}** `{nasty}`"
    payload["sources"][0]["lines"][0] = payload["steps"][0]["operation_text"] = nasty
    payload["steps"][0]["cpus"][0]["task"] = nasty
    player = opened(payload)
    player.part("summary").click()
    player.press("ArrowRight", "ArrowRight", "ArrowLeft", "ArrowLeft")
    assert player.part(".say").inner_text() == f"{nasty} {nasty}"
    assert player.part("img").count() == 0


# -- quick


def test_any_jump_in_five_thousand_steps_is_little_work(browser: Browser) -> None:
    """The state alone, without drawing; the rule is 10 ms, this machine may be busy."""
    tab = browser.new_page()
    tab.evaluate("text => { window.payload = JSON.parse(text) }", json.dumps(fixture.long_payload()))
    source = re.sub("export default .*", "window.Run = Run;", SCRIPT.read_text(encoding="utf-8"))
    tab.evaluate("source => { new Function(source)() }", source)
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
