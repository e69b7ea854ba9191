"""The player for everybody: by keyboard alone, read aloud, in forced colours, without motion, light, dark, at 200 %."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.show.conftest import Open

pytestmark = pytest.mark.browser

STATES: dict[str, tuple[str, int, tuple[str, ...], dict[str, Any]]] = {  # run, step, keys, how it is opened
    "start": ("overflow", 0, (), {}),
    "mid-eviction": ("overflow", 152, (), {}),
    "story": ("overflow", 152, (), {"level": "story"}),
    "source": ("overflow", 152, (), {"level": "source"}),
    "table and question": ("overflow", 152, ("t", "w"), {}),
    "help": ("overflow", 152, ("?",), {}),
    "lecture": ("overflow", 152, ("p", "n"), {}),
    "crash": ("crash", 42, ("ArrowRight", "ArrowRight", "ArrowRight", "ArrowRight"), {}),
    "data lost": ("v6.5-on", 25, (), {}),
    "deadlock": ("D-hang-base", 32, (), {}),
    "lockdep": ("lock-order", 19, (), {}),
    "three CPUs": ("together", 30, (), {}),
    "two pools": ("two pools", 200, (), {}),
    "a backend that evicts": ("evicts", 130, (), {}),
    "zsmalloc": ("zsmalloc", 120, (), {}),
    "many pages": ("many", 200, (), {}),
    "narrow": ("overflow", 152, (), {"width": 432}),
    "forced colours": ("overflow", 152, (), {"forced_colors": "active"}),
    "crash in forced colours": ("crash", 42, (), {"forced_colors": "active"}),
}


def state(opened: Callable[..., Open], name: str, **options: Any) -> Open:
    run, step, keys, how = STATES[name]
    player = opened(run, step=step, **how, **options)
    player.press(*keys)
    return player


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", STATES)
def test_axe_finds_nothing(opened: Callable[..., Open], axe: str, name: str, theme: str) -> None:
    player = state(opened, name, theme=theme, bypass_csp=True)
    player.picture()
    player.tab.evaluate(axe)
    found = player.tab.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    said = [f"{one['id']}: {[node['html'][:120] for node in one['nodes'][:3]]}" for one in found["violations"]]
    assert said == []
    assert len(found["passes"]) > 20


def test_two_players_on_one_page_have_names_of_their_own(opened: Callable[..., Open], axe: str) -> None:
    player = opened("overflow", step=152, bypass_csp=True)
    player.tab.evaluate("""() => {
      const twin = document.querySelector('main').appendChild(document.createElement('div'));
      mount(twin, document.querySelector('[type="application/zswaplab"]').textContent, { step: 3 });
    }""") if player.tab.evaluate("typeof mount") == "function" else None
    player.tab.evaluate(axe)
    assert player.tab.evaluate("axe.run(document, { resultTypes: ['violations'] })")["violations"] == []


# -- by keyboard alone


def focused(player: Open) -> str:
    return str(player.tab.evaluate(
        "(e => e.className || e.dataset.act || e.dataset.part || e.localName)(document.activeElement)"
    ))  # fmt: skip


def test_every_control_is_reached_by_tab_and_shows_it(opened: Callable[..., Open]) -> None:
    player = opened("entries", step=46)
    ring = "getComputedStyle(document.activeElement)"
    reached = []
    for _ in range(40):
        player.tab.keyboard.press("Tab")
        if not player.tab.evaluate("document.querySelector('.zswaplab-player').contains(document.activeElement)"):
            break
        reached.append(focused(player))
        assert player.tab.evaluate(f"{ring}.outlineWidth + ' ' + {ring}.outlineStyle") == "2px solid", reached
    lanes = ["lane store", "lane load", "lane writeback", "lane refuse", "lane fault"]
    assert reached == [
        "first", "back", "play", "forward", "last", "pace", "level", "on", "level", "lecture-mode icon", *lanes,
        "slider", "a" if "a" in reached else "kl", "bare disclose", "disclose", "bare",
    ]  # fmt: skip


def test_the_whole_player_is_used_by_keyboard_alone(opened: Callable[..., Open]) -> None:
    player = opened("overflow", level="story")
    tab = player.tab.keyboard
    tab.press("Tab")
    while focused(player) != "forward":
        tab.press("Tab")
    assert player.press("Enter") > 0  # a button is pressed by Enter and by Space
    before = player.step
    assert player.press("Space") > before
    assert player.part(".play").get_attribute("aria-label") == "play"
    while focused(player) != "slider":
        tab.press("Tab")
    player.press("End")
    assert player.press("PageDown") < player.last
    while focused(player) != "bare disclose":
        tab.press("Tab")
    player.press("Enter")
    assert player.part(".tables").is_visible()
    tab.press("Tab")
    player.press("Enter")  # the parts
    tab.press("Tab")
    player.press("Space")
    assert not player.part(".time").is_visible()
    player.press("Space")
    assert player.part(".time").is_visible()
    player.root.focus()
    player.go(152)
    player.press("ArrowDown")
    for _ in range(200):
        if player.tab.evaluate("document.activeElement.dataset.page") == "2":
            break
        tab.press("ArrowDown")
    player.press("Enter")
    assert player.texts(".gutter .label")[0] == "page 2’s life"
    player.press("Escape")
    player.press("p", "?")
    assert player.part(".help").is_visible() and player.root.evaluate("root => root.matches('.lecture')")
    player.press("Escape", "Escape")
    assert not player.root.evaluate("root => root.matches('.lecture')")


def test_the_browsers_and_jupyterlabs_own_combinations_are_left_alone(opened: Callable[..., Open]) -> None:
    player = opened("overflow", step=20)
    player.tab.evaluate("""() => {
      window.heard = [];
      document.addEventListener('keydown', e => { heard.push([e.key, e.defaultPrevented]); e.preventDefault(); }, true);
    }""")
    for focus in (".zswaplab-player", ".forward", ".slider", ".lane", ".seg button"):
        player.tab.locator(focus).first.focus()
        player.press("Shift+Enter", "Control+s", "Control+Enter", "Alt+ArrowRight", "Meta+s")
    heard = player.tab.evaluate("heard.filter(([key]) => !['Control', 'Shift', 'Alt', 'Meta'].includes(key))")
    assert heard == [["Enter", False], ["s", False], ["Enter", False], ["ArrowRight", False], ["s", False]] * 5
    assert player.step == 20


def test_no_plain_key_of_the_player_gets_out_of_it(opened: Callable[..., Open]) -> None:
    player = opened("overflow", step=20)
    player.tab.evaluate("""() => {
      window.heard = [];
      for (const phase of [true, false]) document.addEventListener('keydown', e => heard.push(e.key), phase);
    }""")
    for focus in (".zswaplab-player", ".forward", ".slider", ".lane", ".seg button", ".foot summary"):
        for key in "abdefijklmorsvxyz0123 ,.?":
            player.tab.locator(focus).first.focus()
            player.press(key)
    assert player.tab.evaluate("heard") == []
    player.tab.evaluate("document.activeElement.blur()")
    step = player.step
    player.press("s", "ArrowRight")
    assert player.step == step and player.tab.evaluate("heard") == ["s", "s", "ArrowRight", "ArrowRight"]


def test_letters_are_shown_only_while_the_player_has_the_focus(opened: Callable[..., Open]) -> None:
    player = opened("overflow", step=20)
    printed = "all => all.filter(e => e.checkVisibility()).map(e => e.innerText)"
    chip = "e => getComputedStyle(e, '::before').content"
    with_focus = player.part(".foot kbd").evaluate_all(printed)
    assert {"S", "L", "E", "R", "F", "C"} <= set(with_focus)
    assert player.part(".chip").first.evaluate(chip) == '"S"'
    player.tab.evaluate("document.activeElement.blur()")
    without = player.part(".foot kbd").evaluate_all(printed)
    assert without == ["←", "→", ",", ".", "Home", "End", "Space", "?"]
    assert player.part(".chip").first.evaluate(chip) in ("none", "normal")


# -- read aloud


def test_what_is_drawn_is_named(opened: Callable[..., Open]) -> None:
    player = opened("entries", step=46)
    assert player.root.get_attribute("aria-label") == "Player: A pool fills up"
    assert player.root.get_attribute("role") == "group"
    lru = player.part(".lru").get_attribute("aria-label")
    assert lru == (
        "LRU from head to tail: page 13, page 12, page 11, page 10, page 9, page 2, page 7, page 6, page 5, "
        "page 4, page 3, page 1. Stepping out: page 0"
    )
    assert player.part(".holders").get_attribute("aria-label") == "the tree, slot 4, counted; CPU a, not counted"
    assert player.part("[role=img]:not([aria-label]), button:not([aria-label]):empty:not([title])").count() == 0
    assert player.part("main, [role=main], [role=region], nav, aside, header, footer").count() == 0


def test_the_sentence_is_said_politely_and_not_while_it_plays(opened: Callable[..., Open]) -> None:
    player = opened("entries")
    say = player.part("[role=status]")
    assert say.count() == 1 and say.get_attribute("aria-live") == "polite"
    player.press("Space")
    assert say.get_attribute("aria-live") == "off"
    player.press("Space")
    assert say.get_attribute("aria-live") == "polite"


# -- seen


CONTRAST = """() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const parse = colour => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data; return [r, g, b, a / 255];
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
    if (!node.data.trim() || e.closest('style, svg, .ghost, .blocked') || !e.checkVisibility()) continue;
    const around = e.closest('.outside') ? e.closest('.zb') : e;
    const [dark, bright] = [light(parse(getComputedStyle(e).color)), light(ground(around))].sort((a, b) => a - b);
    const ratio = (bright + .05) / (dark + .05);
    seen += 1;
    if (ratio < 4.5) poor.push(`${node.data.trim()} in ${e.className || e.parentElement.className}: ${ratio}`);
  }
  return [seen, poor];
}"""


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", ["mid-eviction", "table and question", "help", "crash", "three CPUs", "deadlock",
                                  "a backend that evicts", "zsmalloc", "many pages", "two pools"])  # fmt: skip
def test_all_text_stands_out_from_its_ground(opened: Callable[..., Open], theme: str, name: str) -> None:
    player = state(opened, name, theme=theme)
    player.picture()
    seen, poor = player.tab.evaluate(CONTRAST)
    assert seen > 50
    assert poor == []


def test_the_theme_follows_the_system_and_the_notebook_at_once(opened: Callable[..., Open]) -> None:
    player = opened(theme=None, color_scheme="dark")

    def look(theme: str) -> str:
        player.part(f"xpath=self::*[@data-theme='{theme}']").wait_for()
        return str(player.root.evaluate("root => getComputedStyle(root).backgroundColor"))

    dark, light = "rgb(26, 28, 31)", "rgb(255, 255, 255)"
    assert look("dark") == dark
    player.tab.emulate_media(color_scheme="light")
    assert look("light") == light
    player.tab.evaluate("document.body.dataset.jpThemeLight = 'false'")
    assert look("dark") == dark
    player.tab.evaluate("document.body.dataset.jpThemeLight = 'true'")
    player.tab.emulate_media(color_scheme="dark")
    player.tab.wait_for_timeout(200)
    assert look("light") == light


def test_forced_colours_keep_what_is_told_by_colour_and_ring_the_rest(opened: Callable[..., Open]) -> None:
    player = opened("overflow", step=152, forced_colors="active", color_scheme="dark")
    player.picture()
    kept = {"0": "rgb(0, 114, 178)", "1": "rgb(240, 228, 66)", "8": "rgb(230, 159, 0)"}
    boxes = player.part(".lru .e").evaluate_all(
        "all => all.map(e => [e.querySelector('b').innerText, getComputedStyle(e)])"
        ".map(([page, look]) => [page, look.backgroundColor, look.outlineStyle])"
    )
    assert {page: colour for page, colour, _ in boxes if page in kept} == kept
    assert {outline for _, _, outline in boxes} == {"solid", "dashed"}
    lit = player.part(".src .now").first.evaluate("e => getComputedStyle(e).backgroundColor")
    plain = player.part(".src div:not(.now)").first.evaluate("e => getComputedStyle(e).backgroundColor")
    assert lit != plain
    assert player.part(".seg .on").evaluate("e => getComputedStyle(e).backgroundColor") == lit
    ghost = opened("crash", step=44, forced_colors="active")
    assert ghost.part(".lru .ghost").evaluate("e => getComputedStyle(e).outlineStyle") == "double"


MOVING = """key => new Promise(done => {
  document.querySelector('.zswaplab-player').dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
  requestAnimationFrame(() => { document.body.offsetHeight; done(document.getAnimations().length); });
})"""


def test_nothing_moves_for_who_wants_no_motion(opened: Callable[..., Open]) -> None:
    player = opened("entries", step=25, reduced_motion="no-preference")
    assert player.tab.evaluate(MOVING, ".") > 1  # a load moves an entry to the head
    player.picture()
    assert player.tab.evaluate(MOVING, "End") == 0  # a jump moves nothing
    calm = opened("entries", step=25, reduced_motion="reduce")
    assert calm.tab.evaluate(MOVING, ".") == 0


def test_at_200_percent_everything_is_still_there(opened: Callable[..., Open]) -> None:
    """A browser's zoom makes its window half as wide in CSS pixels."""
    player = opened("overflow", step=152, width=541, device_scale_factor=2)
    assert player.root.evaluate("root => root.scrollWidth <= root.clientWidth")
    for part in (".bar", ".time", ".say", ".shelves", ".lru", ".pool", ".cnt", ".src", ".foot"):
        assert player.part(part).first.is_visible(), part
    assert player.press("ArrowRight") == 153


# -- a picture is not a player


def test_a_picture_has_no_control_and_says_what_it_is(opened: Callable[..., Open], axe: str) -> None:
    player = opened("overflow", step=152, values={"static": "Run this cell to play it."}, bypass_csp=True)
    assert player.text(".picture").startswith("A picture of the player. Run this cell to play it.")
    for part in (".bar", ".foot", ".note"):
        assert not player.part(part).is_visible()
    assert player.root.evaluate("root => getComputedStyle(root).borderStyle") == "dashed"
    assert player.root.get_attribute("tabindex") is None
    words = player.root.get_attribute("aria-label") or ""
    assert words.startswith("Picture of the player: Ten pages, two used again")
    player.tab.keyboard.press("Tab")
    assert player.tab.evaluate("document.querySelector('.zswaplab-player button:focus')") is None
    player.press("ArrowRight", "s", "End")
    player.part(".lru .e").first.click(force=True)
    assert player.step == 152 and not player.part(".why").is_visible()
    box = player.root.bounding_box()
    assert box and 540 <= box["height"] <= 600
    player.tab.evaluate(axe)
    assert player.tab.evaluate("axe.run(document.body, { resultTypes: ['violations'] })")["violations"] == []
