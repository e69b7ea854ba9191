"""The plots: something is drawn, it says in words what it shows, and it can be read on paper of its own."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.figure
import matplotlib.image
import numpy
import pytest

from tests.trace.altered import QUIET, SHIPPED, load, shared
from zswaplab.model.errors import BadInput
from zswaplab.model.machine import Machine
from zswaplab.run.history import record
from zswaplab.run.workloads import revisit
from zswaplab.show.palette import OKABE_ITO
from zswaplab.show.plots import (
    COLOURS,
    INK,
    choose_lives,
    places_of,
    plot_agreement,
    plot_lru,
    plot_size,
    png,
    save,
    show,
)
from zswaplab.trace.altered import altered
from zswaplab.trace.read import read
from zswaplab.trace.shipped import find_run
from zswaplab.trace.tables import Life, Replayed, replay


@pytest.fixture(scope="module")
def stretch(tmp_path_factory: pytest.TempPathFactory) -> Replayed:
    """The shipped run up to the end of its second worker run."""
    return replay(load(SHIPPED, QUIET).write(tmp_path_factory.mktemp("run") / "stretch"))


def pixels(figure: matplotlib.figure.Figure) -> Any:
    return matplotlib.image.imread(io.BytesIO(png(figure)))


def has_colour(figure: matplotlib.figure.Figure, colour: str) -> bool:
    """Whether some pixels are (nearly) of that colour."""
    wanted = numpy.array([int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)])
    return bool((numpy.abs(pixels(figure)[:, :, :3] - wanted).max(axis=2) < 0.02).sum() > 20)


@pytest.mark.slow
@pytest.mark.parametrize("plot", [plot_lru, plot_size])
def test_a_plot_is_drawn_on_its_own_paper(plot: Callable[[Replayed], Any], stretch: Replayed) -> None:
    figure = plot(stretch)
    picture = pixels(figure)
    assert picture.shape[1] > 800
    assert (picture[0, 0] == 1).all(), "white and opaque: ink must not lie on a dark theme's background"
    assert len(numpy.unique(picture.reshape(-1, 4), axis=0)) > 50, "empty"
    assert has_colour(figure, COLOURS["writeback"])
    assert has_colour(figure, INK)
    assert all(axes.get_xlabel() or axes.get_ylabel() for axes in figure.axes)


@pytest.mark.slow
def test_the_lrus_plot_says_what_it_shows(stretch: Replayed) -> None:
    alt = plot_lru(stretch).alt
    deepest = max(len(listed) for _, listed in stretch.lru(every=1))
    operations = f"{len(stretch.rows):,} operations"
    for said in ("Zswap's LRU of stretch", operations, "130 entries are written back", "followed"):
        assert said in alt
    drawn = int(alt.split("grows to ")[1].split()[0].replace(",", ""))
    assert deepest - 12 <= drawn <= deepest, "as deep as it was, give or take what lies between two columns"


@pytest.mark.slow
def test_the_sizes_plot_says_what_it_shows(stretch: Replayed) -> None:
    figure = plot_size(stretch)
    refused = sum(row["operation"] == "store" and row["result"] == -12 for row in stretch.rows)
    for said in ("at most 614 pages", "its limit is 613", f"{refused:,} in all", "just under 552", "do not compress"):
        assert said in figure.alt
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert {"full above 613", "accepts again below 552", f"{refused:,} refused: full"} <= set(labels)


@pytest.mark.slow
def test_an_entry_is_followed_from_the_head_to_the_tail(stretch: Replayed) -> None:
    life = stretch.lives()[40]
    places = places_of(stretch, life, every=50)
    numbers, depths = zip(*places, strict=True)
    assert list(numbers) == sorted(numbers)
    assert places[0] == (life.put[0], 0), "it begins at the head"
    assert list(depths) == sorted(depths), "never read, it only sinks"
    assert depths[-1] > 1000
    assert life.put[0] <= numbers[-1] <= life.ended


def test_a_read_entry_rises_to_the_head() -> None:
    changes = [(0, True, 7), (1, True, 8), (2, True, 9), (3, True, 7)]
    run = Replayed("made", "rfc2-2", "entries", 9, 8, [{}] * 6, changes)
    assert places_of(run, Life(7, [0, 3], 5, False), every=1) == [(0, 0), (1, 0), (2, 1), (3, 2), (3, 2), (3, 0)]


def test_who_is_followed() -> None:
    written = [Life(offset, [offset], offset + 100, True) for offset in range(80)]
    read = [Life(100 + reads, [0] * reads, 500, False) for reads in (1, 5, 3)]
    assert [life.offset for life in choose_lives([*written, *read])] == [10, 70, 105]
    assert choose_lives([]) == []


def test_colours_can_be_told_apart() -> None:
    from zswaplab.show.plots import LIVES

    assert len(set(LIVES)) == len(LIVES) == 3
    assert set(LIVES) < set(OKABE_ITO)


def test_a_recorded_history_can_be_plotted_too() -> None:
    history = record(Machine("1", ram_pages=30), revisit())
    figure = plot_size(history)
    assert f"over {len(history):,} steps" in figure.alt
    assert "its limit is 6" in figure.alt
    assert "1 in all" in figure.alt
    assert has_colour(figure, INK)


def test_a_backends_own_lru(tmp_path: Path) -> None:
    replayed = replay(shared("base-zbud-exact"))
    figure = plot_lru(replayed)
    assert "The backend's LRU of pages of base-zbud-exact" in figure.alt
    assert "none of which is written back" in figure.alt
    assert "followed" not in figure.alt
    assert "It never gets there" in plot_size(replayed).alt


@pytest.mark.parametrize("plot", [plot_lru, plot_size])
@pytest.mark.parametrize("wrong", [None, 3, "p2-zbud-overflow"])
def test_what_cannot_be_plotted(plot: Callable[[Any], Any], wrong: object) -> None:
    with pytest.raises(BadInput, match=r"cannot be plotted by plot_(lru|size): give what replay\(run\) returns"):
        plot(wrong)


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_a_plot_is_saved(ending: str, stretch: Replayed, tmp_path: Path) -> None:
    path = save(plot_size(stretch), tmp_path / f"size.{ending}")
    assert path.stat().st_size > 5000


@pytest.mark.slow
def test_an_ending_that_is_not_known(stretch: Replayed, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"end it in \.png, \.svg or \.pdf"):
        save(plot_size(stretch), tmp_path / "size.docx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_notebook_gets_the_words_too(stretch: Replayed, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[tuple[Any, dict[str, Any]]] = []
    monkeypatch.setattr("IPython.display.display", lambda what, metadata: shown.append((what, metadata)))
    figure = plot_size(stretch)
    show(figure)
    ((image, metadata),) = shown
    assert metadata == {"image/png": {"alt": figure.alt}}
    assert image.data.startswith(b"\x89PNG")


@pytest.mark.slow
def test_the_same_picture_every_time(stretch: Replayed) -> None:
    assert png(plot_lru(stretch)) == png(plot_lru(stretch))


def test_matplotlib_is_not_needed_to_import_the_plots() -> None:
    code = "import sys, zswaplab.show.plots; print(sorted({'matplotlib', 'numpy', 'IPython'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.slow
def test_kernel_and_model_lie_on_each_other(tmp_path: Path) -> None:
    figure = plot_agreement("f65-zbud-exact-on")
    assert "their peaks differ by at most 0" in figure.alt
    for axes in figure.axes:
        kernel, model = axes.get_lines()
        assert kernel.get_linewidth() > model.get_linewidth()
        assert max(kernel.get_ydata()) == max(model.get_ydata())


@pytest.mark.slow
def test_a_lie_is_seen_in_the_plot(tmp_path: Path) -> None:
    run = "f65-zbud-exact-on"
    row = [row for row in read(find_run(run)).rows if row.op == "store"][-1]
    figure = plot_agreement(altered(run, tmp_path / "lie", row.line, pool_pages=900))
    assert "their peaks differ by at most 0" not in figure.alt
