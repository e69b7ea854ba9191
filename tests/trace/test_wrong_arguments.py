"""What is no recording is refused in words, by everything that takes one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from zswaplab import conform, replay
from zswaplab.model.errors import BadInput
from zswaplab.show.plots import plot_agreement, plot_lru, plot_size
from zswaplab.trace.conform import conform_all
from zswaplab.trace.read import read
from zswaplab.trace.shipped import find_run
from zswaplab.trace.tables import recorded

SMALL = "f65-zbud-exact-on"
NO_PATHS = (None, 3, True, 2.5, [], ["p2-zbud-overflow"], {}, b"p2-zbud-overflow", "", object(), Path)
NO_FOLDERS = ("", "no/such", "no\0such", "no/such\0", "x" * 5000, "/" + "x" * 5000, "/dev/null", Path(__file__))


@pytest.mark.slow
@pytest.mark.parametrize("wrong", NO_PATHS, ids=lambda wrong: repr(wrong).partition(" at 0x")[0])
@pytest.mark.parametrize("taker", [replay, conform, recorded, find_run, plot_agreement])
def test_what_is_no_run_is_named_with_the_remedy(taker: Any, wrong: Any) -> None:
    with pytest.raises(BadInput) as refusal:
        taker(wrong)
    assert str(refusal.value) == (
        f"run={wrong!r} cannot be: give the name of a shipped recording, or a recording's folder"
    )


@pytest.mark.parametrize("wrong", NO_PATHS, ids=lambda wrong: repr(wrong).partition(" at 0x")[0])
def test_what_is_no_folder_is_not_read(wrong: Any) -> None:
    with pytest.raises(BadInput) as refusal:
        read(wrong)
    assert str(refusal.value) == f"folder={wrong!r} cannot be: give a recording's folder"


@pytest.mark.parametrize("wrong", NO_FOLDERS, ids=lambda path: repr(path)[:12])
@pytest.mark.parametrize("taker", [replay, conform])
def test_a_folder_that_is_not_there_is_named(taker: Any, wrong: Any) -> None:
    with pytest.raises(BadInput) as refusal:
        taker(wrong)
    assert str(wrong) in str(refusal.value) or repr(wrong) in str(refusal.value)


@pytest.mark.parametrize("wrong", [3, "", [], {}, b"v6.5", "v9", object])
@pytest.mark.parametrize("taker", [replay, conform])
def test_what_is_no_stage_is_named_with_those_that_are(taker: Any, wrong: Any) -> None:
    with pytest.raises(BadInput) as refusal:
        taker(SMALL, stage=wrong)
    assert str(refusal.value).startswith(f"stage={wrong!r} is not known; choose one of 'v6.1', ")


def test_progress_is_refused_before_a_row_is_read() -> None:
    with pytest.raises(BadInput, match="progress=3 cannot be called: give a function"):
        conform(SMALL, progress=3)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [None, 3, SMALL])
def test_one_run_is_not_several(wrong: Any) -> None:
    with pytest.raises(BadInput, match="is not a list: give several recordings"):
        list(conform_all(wrong))


@pytest.mark.slow
@pytest.mark.parametrize("every", [None, 0, -1, 2.5, "x", True])
def test_the_lru_is_taken_every_so_many_operations(every: Any) -> None:
    with pytest.raises(BadInput, match=r"every=.* give a whole number of operations"):
        replay(SMALL).lru(every)


@pytest.mark.parametrize("wrong", [None, 3, SMALL, [], Path()], ids=repr)
@pytest.mark.parametrize("plot", [plot_lru, plot_size])
def test_only_what_was_replayed_is_plotted(plot: Any, wrong: Any) -> None:
    with pytest.raises(BadInput, match=rf"{type(wrong).__name__} cannot be plotted by {plot.__name__}"):
        plot(wrong)
