"""The player without a browser: what it accepts, what it says in words, what it writes to a file."""

from __future__ import annotations

import base64
import json
import re
import struct
from copy import deepcopy
from pathlib import Path
from typing import Any

import anywidget
import pytest
import traitlets

from tests.show import fixture, runs
from tests.show.oracle import CPUS, Shown
from zswaplab.model.errors import BadInput
from zswaplab.run.history import History, record
from zswaplab.run.search import explore
from zswaplab.run.session import Session
from zswaplab.run.setup import Setup
from zswaplab.show import palette
from zswaplab.show.page import asset, page
from zswaplab.show.payload import make, unpack
from zswaplab.show.player import LEVELS, PARTS, Player, payload_of, play
from zswaplab.show.words import picture, text

EMPTY = {**fixture.payload(), "steps": [], "operations": [], "reports": []}


@pytest.fixture
def payload() -> dict[str, Any]:
    return fixture.payload()


def drawn(player: Player) -> dict[str, Any]:
    """What a widget was given."""
    return unpack(player.payload)


# -- what can be played


def test_a_history_a_setup_a_search_and_a_payload_play() -> None:
    history = runs.crash()
    assert drawn(play(history)) == json.loads(json.dumps(make(history)))
    assert drawn(play(fixture.payload())) == fixture.payload()
    setup = Setup(stage="2", workload=["write 3", "page_out 3"])
    assert [one["text"] for one in drawn(play(setup))["operations"]] == ["write 3", "page out 3"]
    explored = explore(stage="rfc2-2", exclusive_loads="v1", cpus=["read 3"])
    assert drawn(play(explored))["steps"][-1]["event"] == "fault"


@pytest.mark.parametrize("thing", [3, "a run", None, [1], History])
def test_what_cannot_be_played_is_named_with_the_remedy(thing: object) -> None:
    with pytest.raises(BadInput, match=rf"run={re.escape(repr(thing))} cannot be played.*record\(machine, workload\)"):
        play(thing)


def test_a_payload_is_checked(payload: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="'limit'"):
        play({**payload, "limit": "six"})


@pytest.mark.parametrize(("asked", "shown"), [(0, 0), (17, 17), (-1, 59), (-60, 0)])
def test_play_shows_the_step_that_it_is_asked_for(payload: dict[str, Any], asked: int, shown: int) -> None:
    assert play(payload, asked).step == shown


@pytest.mark.parametrize("step", [60, -61, 1.5, "3", True, None])
def test_a_step_that_is_not_there_is_refused(payload: dict[str, Any], step: Any) -> None:
    with pytest.raises(BadInput, match=rf"step={step!r} is not in this run: .* 0 to 59"):
        play(payload, step)


@pytest.mark.parametrize("height", [-5, 0, 559, 2001, 600.5, "tall", True])
def test_a_height_that_cannot_be_is_refused(payload: dict[str, Any], height: Any) -> None:
    with pytest.raises(BadInput, match=rf"height={height!r} cannot be: .* pixels from 560 to 2,000"):
        play(payload, height=height)
    assert play(payload, height=700).height == 700


# -- the widget's own values


def test_step_stays_within_the_run(payload: dict[str, Any]) -> None:
    player = play(payload)
    for asked, given in ((-4, 0), (17, 17), (10_000, player.last)):
        player.step = asked
        assert player.step == given


def test_another_run_keeps_the_place_where_it_can(payload: dict[str, Any]) -> None:
    player = play(payload, 40)
    player.show(fixture.payload("pages"))
    assert (player.step, player.last) == (40, 67)
    player.show({**payload, "steps": payload["steps"][:10], "reports": []})
    assert player.step == 9
    player.show(EMPTY)
    assert player.step == 0


def test_level_and_hidden_parts_are_of_those_that_there_are(payload: dict[str, Any]) -> None:
    player = play(payload)
    assert player.level == "story"
    for level in LEVELS:
        player.level = level
    player.hidden = list(PARTS)
    for name, value in (("level", "novel"), ("hidden", ["pages", "everything"])):
        with pytest.raises(traitlets.TraitError):
            setattr(player, name, value)


def test_a_run_that_goes_on_sends_only_what_is_new() -> None:
    setup = Setup(stage="2", ram_pages=30, workload=[f"{verb} {n}" for n in range(9) for verb in ("write", "page_out")])
    history = History(Session(setup), "live")
    for _ in range(60):
        history.step()
    player = play(history, -1)
    whole, lengths = player.payload, []
    while history.session.ready():
        history.step()
        player.grow(history)
        assert player.payload == whole
        lengths.append(len(unpack(player.growth)["steps"]))
    history.close()
    assert lengths == list(range(1, len(lengths) + 1)) and len(lengths) > 20
    assert player.last == len(history) - 1
    assert len(player.growth) < len(whole) / 2
    grown = unpack(player.growth)
    assert drawn(player)["steps"] + grown["steps"] == json.loads(json.dumps(make(history)))["steps"]


def test_what_has_grown_long_becomes_the_payload(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zswaplab.show.player.WORTH_A_NEW_START", 600)
    history = History(Session(Setup(stage="2", workload=["write 3", "page_out 3", "read 3"])), "live")
    player = play(history)
    while history.session.ready():
        history.step()
        player.grow(history)
        assert len(player.growth) < 600
    history.close()
    seen = {"growth": unpack(player.growth)["steps"] if player.growth else [], "payload": drawn(player)["steps"]}
    assert len(seen["payload"]) > 0
    assert seen["payload"] + seen["growth"] == json.loads(json.dumps(make(history)))["steps"]


def test_steps_that_are_taken_back_go(payload: dict[str, Any]) -> None:
    setup = Setup(stage="2", workload=["write 3", "page_out 3", "read 3"])
    long, short = record(setup), record(setup.but(workload=["write 3", "page_out 3", "free 3"]))
    same = long.first_difference(short)
    player = play(long, -1)
    player.grow(short, keep=same)
    assert (player.step, player.last) == (min(len(long) - 1, len(short) - 1), len(short) - 1)
    assert repr(player).splitlines()[1] == short[player.step].say.replace("**", "")
    with pytest.raises(BadInput, match="keep=999 cannot be"):
        player.grow(short, keep=999)


def test_a_viewer_without_widgets_gets_the_words(payload: dict[str, Any]) -> None:
    player = play(payload)
    player.step = 46
    data, _ = player._repr_mimebundle_()
    assert data["text/plain"] == repr(player) == text(payload, 46)
    assert "application/vnd.jupyter.widget-view+json" in data


def test_the_words_are_not_cut_off(payload: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    cut = ({"text/plain": "A pool fills up…"}, {})
    monkeypatch.setattr(anywidget.AnyWidget, "_repr_mimebundle_", lambda self, **options: cut)
    data, _ = play(payload)._repr_mimebundle_()
    assert data["text/plain"] == text(payload, 0)


# -- the same in words


@pytest.mark.parametrize("lru_of", ["entries", "pages"])
def test_the_words_agree_with_the_payload_at_every_step(lru_of: str) -> None:
    payload = fixture.payload(lru_of, cpus=2)
    whose = " of zbud's pages" if lru_of == "pages" else ""
    for step in range(len(payload["steps"])):
        shown, said = Shown(payload, step), text(payload, step).splitlines()
        assert said[0].endswith(f"step {step} of {len(payload['steps']) - 1}: {shown.operation}")
        assert said[1] == next((r["say"] for r in payload["reports"] if r["step"] == step), shown.step["say"]).replace(
            "**", "").replace("`", "")  # fmt: skip
        assert said[2] == f"LRU{whose}, newest first: {', '.join(map(shown.listed, shown.lru)) or 'empty'}"
        assert ("stepping" in str(said)) == (shown.out is not None)
        if shown.out is not None:
            assert f"stepping out: {shown.listed(shown.out)}" in said
        full = ", full" if shown.full else ""
        assert f"pool: {shown.size} pages, limit 6, accepts again below 5{full}" in said
        for one in shown.pages.values():
            assert f"  zbud page {one['number']}: {', '.join(shown.name(id) for id, _, _ in one['objects'])}" in said
        assert len([line for line in said if line.startswith("  zbud")]) == len(shown.pages)
        assert [line[:5] for line in said[-2:]] == [f"CPU {cpu}" for cpu in CPUS[:2]]


def test_the_words_name_locks_and_freed_entries(payload: dict[str, Any]) -> None:
    said = text(payload, 59)
    assert "12 (freed)" in said
    assert "CPU a: load > move_to_head, holds tree lock" in said
    said = text(fixture.payload(cpus=2), 47)
    assert "CPU b: load, waits for tree lock, which CPU a has" in said
    assert "CPU b: not started" in text(fixture.payload(cpus=2), 3)


def test_the_words_say_of_a_group_of_zsmalloc_how_many_pages_it_is() -> None:
    payload = make(runs.overflow("7", "zsmalloc"))
    groups = [line for step in (60, 90, 120) for line in text(payload, step).splitlines() if "zsmalloc" in line]
    assert any(re.match(r"  zsmalloc group \d+, [2-8] pages: \d", line) for line in groups)


def test_the_words_name_the_lists_of_two_pools() -> None:
    said = text(make(runs.two_pools()), 200)
    assert "LRU of pool 0, newest first: 1, 0, 8" in said
    assert "LRU of z3fold's pages of pool 1, newest first: " in said


def test_a_run_without_steps_says_so() -> None:
    assert text(EMPTY, 0) == "A pool fills up: nothing was recorded"
    assert "nothing was recorded" in repr(play(EMPTY))


def test_a_picture_is_told_in_one_line_that_says_that_it_is_one(payload: dict[str, Any]) -> None:
    assert picture(payload, 46) == (
        "Picture of the player: A pool fills up (patch 1; zbud, not evictable; exclusive loads off), step 46 of 59: "
        "worker. The worker takes the tail of the LRU, page 0. Until found again, anyone may free it. LRU, newest "
        "first: 13, 12, 11, 10, 9, 2, 7, 6, 5, 4, 3, 1."
    )


# -- files


def read_back(content: str) -> list[dict[str, Any]]:
    found = re.findall(r'<script type="application/zswaplab"[^>]*>(.*?)</script>', content, re.DOTALL)
    return [unpack(base64.b64decode(data)) for data in found]


def test_a_saved_page_carries_payload_and_script(tmp_path: Path, payload: dict[str, Any]) -> None:
    saved = play(payload).save(tmp_path / "run.html")
    content = saved.read_text(encoding="utf-8")
    assert read_back(content) == [payload]
    assert asset().split("export default")[0] in content
    assert "export default" not in content


def test_nothing_in_a_payload_can_end_the_script(payload: dict[str, Any]) -> None:
    nasty = deepcopy(payload)
    nasty["title"] = '</title></script><script>alert("x")</script><!-- <script>'
    nasty["steps"][0]["say"] = "**</script>** \u2028 <!-- & {step} {{}}"
    content = page([nasty], notes={"0": "</script><!-- <script>"})
    assert read_back(content) == [nasty]
    assert len(re.findall("</script", content)) == 2  # the payload's and the player's own
    assert len(re.findall("<script", content)) == 2
    assert "<!--" not in content
    assert content.count("</title") == 1


def test_a_saved_page_asks_no_network_for_anything(payload: dict[str, Any]) -> None:
    content = page([payload, fixture.payload("pages")])
    assert len(read_back(content)) == 2
    outside_data = re.sub(r'<script type="application/zswaplab"[^>]*>.*?</script>', "", content, flags=re.DOTALL)
    addresses = set(re.findall(r"https?://[^\s\"'`]+", outside_data))
    assert addresses == {"http://www.w3.org/2000/svg"}  # a name, which nothing fetches
    assert not re.search(r"\b(src|href)\s*=\s*[\"']?\w|@import|\bimport\s*\(|url\((?!#)|fetch\(", outside_data)
    assert "default-src 'none'" in content


def test_no_script_may_end_inside_the_player() -> None:
    script = asset()
    assert "</script" not in script and "<!--" not in script
    assert script.count("export default") == 1
    assert not re.search(r"^(import|export (?!default))", script, re.MULTILINE)


@pytest.mark.parametrize("name", ["run.pdf", "run", "run.HTM"])
def test_another_ending_is_refused_with_the_two_that_work(tmp_path: Path, payload: dict[str, Any], name: str) -> None:
    with pytest.raises(BadInput, match=rf"{name}.*\.html or in \.png"):
        play(payload).save(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_an_unknown_theme_is_refused(tmp_path: Path, payload: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match=r"theme='x'.*'light', 'dark'"):
        play(payload).save(tmp_path / "run.html", theme="x")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("width", [-1, 0, 379, 4001, 800.5, "wide"])
def test_a_width_that_cannot_be_is_refused(tmp_path: Path, payload: dict[str, Any], width: Any) -> None:
    with pytest.raises(BadInput, match=rf"width={width!r} cannot be: .* pixels from 380 to 4,000"):
        play(payload).save(tmp_path / "run.png", width=width)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["nodir/x.html", "nodir/x.png"])
def test_a_folder_that_is_not_there_is_named(
    tmp_path: Path, payload: dict[str, Any], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match=rf"path='{name}' cannot be saved: there is no folder 'nodir'; make it first"):
        play(payload).save(name)


def test_a_picture_without_a_browser_is_refused_with_the_remedy(
    tmp_path: Path, payload: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BadInput, match=r"run\.png needs Chromium.*\.html"):
        play(payload).save(tmp_path / "run.png")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("does", ["exit 3", "echo nothing to see"])
def test_a_browser_that_fails_is_named_with_the_remedy(
    tmp_path: Path, payload: dict[str, Any], monkeypatch: pytest.MonkeyPatch, does: str
) -> None:
    browser = tmp_path / "bin" / "chromium"
    browser.parent.mkdir()
    browser.write_text(f"#!/bin/sh\n{does}\n")
    browser.chmod(0o755)
    monkeypatch.setenv("PATH", str(browser.parent))
    with pytest.raises(BadInput, match=r"run\.png: .*chromium did not draw it .*save to \.html"):
        play(payload).save(tmp_path / "run.png")
    assert not (tmp_path / "run.png").exists()


@pytest.mark.browser
def test_a_picture_is_as_wide_as_asked_and_as_high_as_needed(
    tmp_path: Path, payload: dict[str, Any], chromium: str
) -> None:
    player = play(payload)
    heights = {}
    for width in (1050, 500):
        content = player.save(tmp_path / f"{width}.png", width=width).read_bytes()
        assert content[:8] == b"\x89PNG\r\n\x1a\n"
        across, heights[width] = struct.unpack(">II", content[16:24])
        assert across == width
    assert 540 <= heights[1050] <= 620 < heights[500] < 1000


# -- colours


def test_player_and_plots_paint_with_the_same_colours() -> None:
    style = asset()
    assert [re.findall(rf"--e{page}: (#\w+);", style)[0] for page in range(5)] == list(palette.ENTRY_COLOURS)
    light, dark = re.findall(r"(--store: #.*?; --fault: #\w+);", style)
    for theme, line in (("light", light), ("dark", dark)):
        assert dict(re.findall(r"--(\w+): (#\w+)", line)) == palette.EVENT_COLOURS[theme]
    assert palette.entry_colour(6) == palette.ENTRY_COLOURS[1]


def test_a_player_is_a_widget_with_one_module_as_its_script() -> None:
    assert issubclass(Player, anywidget.AnyWidget)
    assert payload_of(EMPTY) == EMPTY
    assert play(EMPTY).last == 0
