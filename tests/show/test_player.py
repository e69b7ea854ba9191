"""The player without a browser: what it accepts, what it says in words, what it writes to a file."""

from __future__ import annotations

import json
import re
import struct
from copy import deepcopy
from pathlib import Path
from typing import Any

import anywidget
import pytest

from tests.show import fixture
from tests.show.oracle import Shown
from zswaplab.model.errors import BadInput
from zswaplab.show import palette
from zswaplab.show.player import CHANGES, SCRIPT, Player, check, page, payload_of, play, text

EMPTY = {**fixture.payload(), "steps": []}


@pytest.fixture
def payload() -> dict[str, Any]:
    return fixture.payload()


class History:
    """As much of a History as the player asks for."""

    def __init__(self, payload: dict[str, Any]) -> None:
        self._payload = payload

    def payload(self) -> dict[str, Any]:
        return self._payload


# -- what can be played


@pytest.mark.parametrize("thing", [3, "a run", None, [1], History])
def test_what_cannot_be_played_is_named_with_the_remedy(thing: object) -> None:
    with pytest.raises(BadInput, match=rf"a {type(thing).__name__} cannot be played.*record\(machine, workload\)"):
        play(thing)


@pytest.mark.parametrize("key", sorted(EMPTY))
def test_a_payload_without_a_key_or_with_a_wrong_value_is_refused(payload: dict[str, Any], key: str) -> None:
    for broken in ({k: v for k, v in payload.items() if k != key}, {**payload, key: object()}):
        with pytest.raises(BadInput, match=f"'{key}'"):
            check(broken)


BROKEN_STEPS = {
    "it lacks changes, say": lambda step: [step.pop("say"), step.pop("changes")],
    "event 'explosion' is none of": lambda step: step.update(event="explosion"),
    "change \\['lru'": lambda step: step["changes"].append(["lru", 3]),
    "change \\['page', 3\\]": lambda step: step["changes"].append(["page", 3]),
    "change \\[\\]": lambda step: step["changes"].append([]),
    "line 99 of source 0": lambda step: step["cpus"][0].update(stack=[[0, 99]]),
    "line 0 of source 99": lambda step: step["cpus"][0].update(stack=[[99, 0]]),
    "line -1 of source 0": lambda step: step["cpus"][0].update(stack=[[0, -1]]),
}


@pytest.mark.parametrize("says", BROKEN_STEPS)
def test_a_broken_step_is_refused_by_its_number(payload: dict[str, Any], says: str) -> None:
    BROKEN_STEPS[says](payload["steps"][7])
    with pytest.raises(BadInput, match=rf"\['steps'\]\[7\] cannot be drawn: .*{says}"):
        check(payload)


def test_a_step_that_is_no_step_is_refused(payload: dict[str, Any]) -> None:
    payload["steps"][3] = "store"
    with pytest.raises(BadInput, match=r"\['steps'\]\[3\]"):
        check(payload)


def test_unknown_lru_is_refused(payload: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="'entries' or 'pages'"):
        check({**payload, "lru_of": "folios"})


def test_the_fixture_uses_every_change_and_every_event() -> None:
    steps = [step for lru_of in ("entries", "pages") for step in fixture.payload(lru_of)["steps"]]
    assert {change[0] for step in steps for change in step["changes"]} == set(CHANGES)
    assert {step["event"] for step in steps} == {
        None,
        "store",
        "load",
        "writeback",
        "refuse",
        "free",
        "fault",
    }


# -- the widget's own values


def test_step_stays_within_the_run(payload: dict[str, Any]) -> None:
    player = play(payload)
    for asked, given in ((-4, 0), (17, 17), (10_000, player.last)):
        player.step = asked
        assert player.step == given


def test_another_run_keeps_the_place_where_it_can(payload: dict[str, Any]) -> None:
    player = play(payload)
    player.step = 40
    player.show(fixture.payload("pages"))
    assert (player.step, player.last) == (40, 67)
    player.show({**payload, "steps": payload["steps"][:10]})
    assert player.step == 9
    player.show(EMPTY)
    assert player.step == 0


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
    for step in range(len(payload["steps"])):
        shown, said = Shown(payload, step), text(payload, step).splitlines()
        assert said[0].endswith(f"step {step} of {len(payload['steps']) - 1}: {shown.step['operation_text']}")
        assert said[1] == shown.step["say"].replace("**", "")
        assert said[2] == f"LRU, newest first: {', '.join(map(shown.listed, shown.lru)) or 'empty'}"
        assert (
            (f"stepping out: {shown.listed(shown.out)}" in said)
            if shown.out is not None
            else "stepping" not in str(said)
        )
        full = ", full" if shown.full else ""
        assert f"pool: {shown.size} pages, limit 6, accepts again below 5{full}" in said
        for number, objects in shown.pages.items():
            assert f"  zbud page {number}: {', '.join(shown.name(id) for id, _, _ in objects)}" in said
        assert len([line for line in said if line.startswith("  zbud")]) == len(shown.pages)
        assert [line[:5] for line in said[-2:]] == ["CPU 0", "CPU 1"]


def test_the_words_name_locks_and_freed_entries(payload: dict[str, Any]) -> None:
    said = text(payload, 59)
    assert "12 (freed)" in said
    assert "CPU 0: load > move_to_head, holds tree lock" in said
    assert "waits for tree lock" in text(fixture.payload(cpus=2), 47)


def test_a_run_without_steps_says_so() -> None:
    assert text(EMPTY, 0) == "A pool fills up: nothing was recorded"
    assert "nothing was recorded" in repr(play(EMPTY))


# -- files


def read_back(content: str) -> list[dict[str, Any]]:
    found = re.findall(r'<script type="application/json">(.*?)</script>', content, re.DOTALL)
    return [json.loads(data) for data in found]


def test_a_saved_page_carries_payload_and_script(tmp_path: Path, payload: dict[str, Any]) -> None:
    saved = play(payload).save(tmp_path / "run.html")
    content = saved.read_text(encoding="utf-8")
    assert read_back(content) == [payload]
    assert SCRIPT.read_text(encoding="utf-8").split("export default")[0] in content
    assert "export default" not in content


def test_nothing_in_a_payload_can_end_the_script(payload: dict[str, Any]) -> None:
    nasty = deepcopy(payload)
    nasty["title"] = '</title></script><script>alert("x")</script><!-- <script>'
    nasty["steps"][0]["say"] = "**</script>** \u2028 <!-- & {step} {{}}"
    content = page([nasty])
    assert read_back(content) == [nasty]
    assert len(re.findall("</script", content)) == 2  # the payload's and the player's own
    assert len(re.findall("<script", content)) == 2
    assert "<!--" not in content
    assert content.count("</title") == 1


def test_a_saved_page_asks_no_network_for_anything(payload: dict[str, Any]) -> None:
    content = page([payload, fixture.payload("pages")])
    assert len(read_back(content)) == 2
    outside_data = re.sub(r'<script type="application/json">.*?</script>', "", content, flags=re.DOTALL)
    addresses = set(re.findall(r"https?://[^\s\"'`]+", outside_data))
    assert addresses == {"http://www.w3.org/2000/svg"}  # a name, which nothing fetches
    assert not re.search(r"\b(src|href)\s*=\s*[\"']?\w|@import|\bimport\s*\(|url\(|fetch\(", outside_data)
    assert "default-src 'none'" in content


def test_no_script_may_end_inside_the_player() -> None:
    script = SCRIPT.read_text(encoding="utf-8")
    assert "</script" not in script and "<!--" not in script
    assert script.count("export default") == 1


@pytest.mark.parametrize("name", ["run.pdf", "run", "run.HTM"])
def test_another_ending_is_refused_with_the_two_that_work(tmp_path: Path, payload: dict[str, Any], name: str) -> None:
    with pytest.raises(BadInput, match=rf"{name}.*\.html or in \.png"):
        play(payload).save(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_an_unknown_theme_is_refused(tmp_path: Path, payload: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match=r"theme='sepia'.*'light', 'dark'"):
        play(payload).save(tmp_path / "run.html", theme="sepia")
    assert not list(tmp_path.iterdir())


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
    for width in (1200, 500):
        content = player.save(tmp_path / f"{width}.png", width=width).read_bytes()
        assert content[:8] == b"\x89PNG\r\n\x1a\n"
        across, heights[width] = struct.unpack(">II", content[16:24])
        assert across == width
    assert 600 < heights[1200] < 1100 < heights[500]


# -- colours


def test_player_and_plots_paint_with_the_same_colours() -> None:
    script = SCRIPT.read_text(encoding="utf-8")
    assert f"const COLOURS = {json.dumps(list(palette.ENTRY_COLOURS))};" in script
    light, dark = re.findall(r"(--store: .*?; --fault: #\w+);", script)
    for theme, line in (("light", light), ("dark", dark)):
        assert dict(re.findall(r"--(\w+): (#\w+)", line)) == palette.EVENT_COLOURS[theme]
    assert palette.entry_colour(6) == palette.ENTRY_COLOURS[1]


def test_a_player_is_a_widget_with_its_script_in_a_file() -> None:
    assert issubclass(Player, anywidget.AnyWidget)
    assert payload_of(EMPTY) is EMPTY
