"""Why is it so? Every field's writes against the history, and what the reader sees who asks."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.show import runs
from tests.show.conftest import RUNS, Open
from zswaplab.run.history import History
from zswaplab.show.page import asset
from zswaplab.show.payload import scene

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

Writes = dict[str, list[list[Any]]]
HISTORIES: dict[str, Callable[[], History]] = {
    "overflow": runs.overflow,
    "crash": runs.crash,
    "two pools": runs.two_pools,
    "evicts": lambda: runs.overflow("base"),
}
FIELDS = ("page", "offset", "length", "refcount", "linked", "pool", "value")
GONE = "gone"


def values(state: Any, disk: set[int]) -> dict[str, Any]:
    """Every field of a state and its value; the places on the LRU apart."""
    entries, pages = (state["entries"], state["pages"]) if isinstance(state, dict) else (state.entries, state.pages)
    get = (lambda name: state[name]) if isinstance(state, dict) else (lambda name: getattr(state, name))
    found = {f"entry {id} {name}": entry[name] for id, entry in entries.items() for name in FIELDS}
    for key, page in pages.items():
        found |= {f"object {id}": f"{key}:{first}:{units}" for id, first, units in page["objects"]}
    found |= {f"counter {name}": value for name, value in get("counters").items()}
    found |= {f"ram {page}": where for page, where in get("ram").items()}
    found |= {f"disk {page}": True for page in disk}
    return found | {name: get(name) for name in ("size", "full", "current", "out")}


def writes_of(history: History, payload: dict[str, Any]) -> Writes:
    """[step, before, after] of every write of every field, by comparing each state with the one before."""
    before: dict[str, Any] = {f"counter {name}": value for name, value in history.counters.items()}
    before |= {"size": 0, "full": False, "current": 0, "out": None}
    found: Writes = {}
    for step in range(-1, len(history)):
        disk = scene(payload, step)["disk"]
        now = values(scene(payload, -1) if step < 0 else history.at(step), disk)
        for field in before.keys() | now.keys():
            then, value = (state.get(field, False if field.startswith("disk") else GONE) for state in (before, now))
            if then != value or (then is not value and (then is None or value is None)):
                found.setdefault(field, []).append([step, then, value])
        changes = history.begin if step < 0 else history[step].changes
        for what, pool, id in (change for change in changes if change[0] in ("lru+", "lru-")):
            place = "head" if what == "lru+" else "off"
            listed = "lru-page" if payload["pools"][pool]["lru_of"] == "pages" else "lru"
            moves = found.setdefault(f"{listed} {id}", [])
            if moves and moves[-1][0] == step:
                moves[-1][2] = place
            else:
                moves.append([step, moves[-1][2] if moves else GONE, place])
        before = now
    return found


@pytest.mark.parametrize("name", HISTORIES)
def test_every_write_of_every_field_is_the_historys(browser: Browser, name: str) -> None:
    payload = RUNS[name]()
    tab = browser.new_page()
    script = asset().replace("export default { render }", "window.Run = Run", 1)
    tab.evaluate("source => { new Function(source)() }", script)
    told = tab.evaluate(
        "text => { const run = new Run(JSON.parse(text)); const plain = (field, value) => value === undefined"
        " ? (field.startsWith('disk') ? false : 'gone') : value; return [...run.fields].map(([field, writes]) =>"
        " [field, writes.map(({ step, from, to }) => [step, plain(field, from), plain(field, to)])]) }",
        json.dumps(payload),
    )
    tab.close()
    wanted = writes_of(HISTORIES[name](), payload)
    mine = {field: writes for field, writes in told if writes}
    assert mine.keys() == wanted.keys()
    for field, writes in wanted.items():
        assert mine[field] == writes, field
    assert sum(map(len, wanted.values())) > 60


# -- asking


def ask(player: Open, field: str) -> str:
    player.part(f".body [data-field='{field}']").first.click()
    player.settle()
    return player.text(".why")


def written_at(card: str) -> int:
    return int(re.findall(r"step (\d+), CPU", card)[0])


@pytest.mark.parametrize("name", ["overflow", "evicts", "two pools"])
def test_each_field_on_the_sheet_leads_to_the_step_that_last_wrote_it(opened: Callable[..., Open], name: str) -> None:
    wanted = writes_of(HISTORIES[name](), RUNS[name]())
    player = opened(name)
    asked = set()
    for step in (60, 100, 152, player.last - 1):
        player.go(step)
        for field in dict.fromkeys(player.keys(".body [data-field]", "field")):
            card = ask(player, field)
            past = [write for write in wanted.get(field, []) if write[0] <= step]
            if not past:
                assert "No step up to here has written it" in card, field
            else:
                assert written_at(card) == past[-1][0], (field, card)
                assert player.payload["steps"][past[-1][0]]["say"].replace("**", "").replace("`", "") in card
            asked.add(field.split()[0])
            player.press("Escape")
            assert not player.part(".why").is_visible()
    assert asked >= {"object", "counter", "entry", "lru-page" if name == "evicts" else "lru"}


def test_asked_again_it_is_the_write_before_and_each_can_be_gone_to(opened: Callable[..., Open]) -> None:
    player = opened("overflow", step=152)
    writes = writes_of(runs.overflow(), player.payload)["counter stored_pages"]
    history = [write[0] for write in writes if write[0] <= 152]
    card = ask(player, "counter stored_pages")
    assert card.startswith("Why is it so? stored_pages ◆")
    assert f"CPU a: {len(history) - 1} → {len(history)}" in card
    for step in history[-2::-1][:3]:
        assert written_at(ask(player, "counter stored_pages")) == step
    player.part(".why [data-act=earlier]").click()
    player.settle()
    assert written_at(player.text(".why")) == history[-5]
    player.part(".why [data-act=seek]").click()
    assert player.step == history[-5]
    assert written_at(player.text(".why")) == history[-5]


def test_a_watched_field_runs_on_until_it_changes(opened: Callable[..., Open]) -> None:
    player = opened("overflow", step=120)
    changes = [write[0] for write in writes_of(runs.overflow(), player.payload)["counter written_back_pages"]]
    assert "No step up to here has written it" in ask(player, "counter written_back_pages")
    watch = player.part(".why [data-act=watch]")
    for step in changes:
        assert watch.inner_text() == "Run on until it changes"
        watch.click()
        assert player.step == step
        assert written_at(player.text(".why")) == step
    assert watch.inner_text() == "It changes no more" and watch.is_disabled()


def test_the_writes_are_marked_on_the_time_line(opened: Callable[..., Open]) -> None:
    player = opened("overflow", step=152)
    assert player.part(".asked").count() == 0
    ask(player, "counter pool_limit_hit")
    wanted = [write[0] for write in writes_of(runs.overflow(), player.payload)["counter pool_limit_hit"]]
    line = player.part(".slider .over").bounding_box()
    places = player.part(".asked").evaluate_all("all => all.map(e => e.getBoundingClientRect())")
    assert line and len(places) == len(wanted)
    for place, step in zip(places, wanted, strict=True):
        assert abs(place["x"] + place["width"] / 2 - line["x"] - line["width"] * step / player.last) < 1


def test_what_the_machine_held_already_is_said_to_have_been_there(opened: Callable[..., Open]) -> None:
    player = opened("sixteen", step=2)
    player.part("[data-act=table]").click()
    player.part(".tables [data-field='ram 9']").click()
    player.settle()
    assert "in RAM before the first step: the machine held it already" in player.text(".why")


def test_the_table_answers_too(opened: Callable[..., Open]) -> None:
    player = opened("overflow", step=152)
    wanted = writes_of(runs.overflow(), player.payload)
    player.part("[data-act=table]").click()
    for field in ("entry 4 offset", "entry 4 linked", "object 4", "ram 4", "size", "full"):
        player.part(f".tables [data-field='{field}']").click()
        player.settle()
        assert written_at(player.text(".why")) == [write[0] for write in wanted[field] if write[0] <= 152][-1]


# -- a page's life


def test_a_page_shows_its_life_in_place_of_the_curve(opened: Callable[..., Open]) -> None:
    player = opened("overflow", step=152)
    assert player.part(".curve").count() == 1
    player.part("[data-page='2']").click()
    player.settle()
    assert player.part(".curve").count() == 0
    assert player.texts(".gutter .label")[0] == "page 2’s life"
    words = player.part(".chart text").all_text_contents()
    assert {"allocated", "freed"} <= set(words)
    wanted = writes_of(runs.overflow(), player.payload)
    line = player.part(".chart").bounding_box()
    at = [write[0] for write in wanted["entry 2 refcount"]]
    marks = player.part(".mark").evaluate_all("all => all.map(e => e.getBoundingClientRect().x)")
    assert line
    steps = sorted({round((x - line["x"]) / line["width"] * player.last) for x in marks})
    assert {at[0], at[-1]} <= set(steps)
    player.part("[data-page='2']").click()
    player.settle()
    assert player.part(".curve").count() == 1
    player.part("[data-page='11']").click()  # which went to the device
    player.settle()
    assert player.part(".on-disk").count() == 1
    player.press("Escape")
    assert player.part(".curve").count() == 1


# -- by keyboard


def test_fields_are_reached_and_asked_by_keyboard(opened: Callable[..., Open]) -> None:
    player = opened("overflow", step=152)
    seen = []
    for _ in range(60):
        player.press("ArrowDown")
        seen.append(player.tab.evaluate("document.activeElement.dataset.field ?? document.activeElement.dataset.page"))
    assert {field.split()[0] for field in seen if field} >= {"lru", "object", "counter", "entry"}
    player.press("Escape")
    player.root.focus()
    field = None
    while field != "counter stored_pages":
        player.press("ArrowDown")
        field = player.tab.evaluate("document.activeElement.dataset.field")
    player.press("Enter")
    assert player.text(".why").startswith("Why is it so? stored_pages")
    before = player.step
    assert player.press("ArrowRight") == before + 1
    assert player.tab.evaluate("document.activeElement.dataset.field") == "counter stored_pages"
    player.press("ArrowUp")
    assert player.tab.evaluate("document.activeElement.dataset.field") != "counter stored_pages"


def test_w_asks_for_the_refcount_of_the_entry_in_the_sentence(opened: Callable[..., Open]) -> None:
    player = opened("overflow", step=152)
    player.press("w")
    assert player.text(".why").startswith("Why is it so? page 2’s refcount")
    player.press("w")
    assert written_at(player.text(".why")) < 152
