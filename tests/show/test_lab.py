"""The lab panel without a browser: its switches, what they run, and where the reader stays."""

from __future__ import annotations

from typing import Any

import pytest

from zswaplab.model.errors import BadInput
from zswaplab.show.lab import Lab, facts, lab, same_place


@pytest.fixture(scope="module")
def panel() -> Lab:
    return lab()


@pytest.mark.parametrize(("evictable", "exclusive", "written"), [
    (True, False, [0, 1, 2, 3, 5, 6]), (False, False, [2, 3, 4, 5, 6]),
    (True, True, [2, 3, 6, 4, 7, 8, 9]), (False, True, [2, 3, 4, 5, 6, 7]),
])  # fmt: skip
def test_the_same_workload_on_another_kernel(panel: Lab, evictable: bool, exclusive: bool, written: list[int]) -> None:
    panel.evictable.value, panel.exclusive_loads.value = evictable, exclusive
    assert panel.history.written_back() == written
    assert panel.history.disk_reads() == (2 if (evictable, exclusive) == (True, False) else 0)
    assert facts(panel.history)["written back"] in panel.outcome.value


def test_the_player_follows_and_says_which_kernel_it_is(panel: Lab) -> None:
    panel.evictable.value = False
    assert "zbud, not evictable" in repr(panel.player)
    panel.evictable.value = True
    assert "zbud, evictable" in repr(panel.player)


def test_what_changed_is_shown_beside_what_it_was(panel: Lab) -> None:
    panel.exclusive_loads.value = False
    panel.evictable.value = True
    panel.evictable.value = False
    assert '<th scope="row"' in panel.outcome.value
    assert "now</th>" in panel.outcome.value and "before</th>" in panel.outcome.value
    assert 'font-weight:700">page 2, 3, 4, 5, 6<' in panel.outcome.value


def test_it_opens_where_the_pool_is_full() -> None:
    fresh = lab()
    assert fresh.history[fresh.player.step].event == "refuse"


def test_a_switch_keeps_the_readers_place() -> None:
    fresh = lab()
    texts = [str(fresh.history.operations[moment.operation]) for moment in fresh.history.moments]
    fresh.player.step = texts.index("read 1")
    fresh.evictable.value = False
    moment = fresh.history[fresh.player.step]
    assert str(fresh.history.operations[moment.operation]) == "read 1"


def test_a_place_that_is_no_more_becomes_the_end() -> None:
    crash = lab("rfc2-2")
    before = crash.history
    crash.exclusive_loads.value = True
    assert crash.history.fault
    assert same_place(before, len(before) - 1, crash.history) == len(crash.history) - 1
    assert facts(crash.history)["ended"] == "the kernel crashed"


def test_in_words_it_says_the_same(panel: Lab) -> None:
    words = repr(panel)
    assert "written back: " + facts(panel.history)["written back"] in words
    assert "step" in words


@pytest.mark.parametrize("arguments", [
    {"stage": "v7"}, {"show": ["speed"]}, {"stage": "v6.5"}, {"zpool": "zpool"}, {"ram_pages": 0},
    {"workload": ["fly 3"]}, {"workload": "write 3"},
])  # fmt: skip
def test_what_cannot_be_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        lab(**arguments)
