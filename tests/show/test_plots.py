"""The plots: something is drawn, it says in words what it shows, and it can be read on paper of its own."""

from __future__ import annotations

import base64
import html
import io
import random
import subprocess
import sys
import xml.etree.ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.figure
import matplotlib.image
import numpy
import PIL.Image
import pytest

from tests.trace.altered import QUIET, SHIPPED, load, shared
from zswaplab.model.errors import BadInput
from zswaplab.model.machine import Machine
from zswaplab.run.history import record
from zswaplab.run.setup import Setup
from zswaplab.run.workloads import revisit
from zswaplab.show.figures import PAPERS, apart
from zswaplab.show.lru_plots import _bursts, moves, spans
from zswaplab.show.plots import (
    choose_lives,
    places_of,
    plot_ages,
    plot_agreement,
    plot_events,
    plot_lengths,
    plot_lru,
    plot_occupancy,
    plot_size,
    png,
    save,
    show,
)
from zswaplab.show.timeline import Timeline, timeline
from zswaplab.trace.altered import altered
from zswaplab.trace.read import read
from zswaplab.trace.shipped import find_run
from zswaplab.trace.tables import Life, Replayed, replay

pytestmark = pytest.mark.slow


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
    assert has_colour(figure, PAPERS["light"]["writeback"])
    assert has_colour(figure, PAPERS["light"].ink)
    assert all(axes.get_xlabel() or axes.get_ylabel() for axes in figure.axes)


@pytest.mark.slow
def test_the_lrus_plot_says_what_it_shows(stretch: Replayed) -> None:
    alt = plot_lru(stretch).alt
    deepest = max(len(listed) for _, listed in stretch.lru(every=1))
    operations = f"{len(stretch.rows):,} operations"
    for said in ("Zswap's LRU of stretch", operations, "130 entries are written back, in one burst", "followed"):
        assert said in alt
    drawn = int(alt.split("grows to ")[1].split()[0].replace(",", ""))
    assert deepest - 12 <= drawn <= deepest, "as deep as it was, give or take what lies between two columns"


def test_a_burst_is_of_writebacks_with_no_store_between() -> None:
    written = {"stored": [1, 2, 9, 30], "written back": [3, 5, 7, 8, 20, 21, 40]}
    run = Timeline("made", "operations", 9, 8, "entries", 50, events=written)
    assert _bursts(run) == "in 3 bursts"
    run.events["stored"] = []
    assert _bursts(run) == "in one burst"


@pytest.mark.slow
def test_the_sizes_plot_says_what_it_shows(stretch: Replayed) -> None:
    figure = plot_size(stretch)
    refused = sum(row["operation"] == "store" and row["result"] == -12 for row in stretch.rows)
    under = "until the size is under 552 again"
    for said in ("at most 614 pages", "its limit is 613", f"{refused:,} in all", under, "do not compress"):
        assert said in figure.alt
    labels = [text.get_text() for text in figure.axes[0].texts]
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


def test_a_recorded_history_can_be_plotted_too() -> None:
    history = record(Machine("1", ram_pages=30), revisit())
    figure = plot_size(history)
    assert f"over {len(history):,} steps" in figure.alt
    assert "its limit is 6" in figure.alt
    assert "1 in all" in figure.alt
    assert has_colour(figure, PAPERS["light"].ink)


def test_a_backends_own_lru(tmp_path: Path) -> None:
    replayed = replay(shared("base-zbud-exact"))
    figure = plot_lru(replayed)
    assert "The backend's LRU of pages of base-zbud-exact" in figure.alt
    assert "none of which is written back" in figure.alt
    assert "followed" not in figure.alt
    assert "It never gets there" in plot_size(replayed).alt


PLOTS = [plot_lru, plot_size, plot_events, plot_ages, plot_occupancy, plot_lengths]


@pytest.mark.parametrize("plot", PLOTS)
@pytest.mark.parametrize("wrong", [None, 3, "p2-zbud-overflow", Machine()], ids=repr)
def test_what_cannot_be_plotted(plot: Callable[[Any], Any], wrong: object) -> None:
    with pytest.raises(BadInput, match=rf"cannot be plotted by {plot.__name__}: give what replay\(run\) returns, or"):
        plot(wrong)


@pytest.mark.parametrize("plot", [*PLOTS, lambda _, theme: plot_agreement("f65-zbud-exact-on", theme=theme)])
@pytest.mark.parametrize("wrong", ["blue", None, 3])
def test_a_theme_that_is_none(plot: Callable[..., Any], wrong: object) -> None:
    with pytest.raises(BadInput, match=r"theme=.* is not known; choose one of 'light', 'dark'"):
        plot(record(Machine(), []), theme=wrong)


# Out of Python


def overflowing() -> Any:
    return plot_size(record(Setup("2", ram_pages=30, workload="overflow")))


@pytest.fixture(scope="module")
def figure() -> Any:
    return overflowing()


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["png", "svg", "pdf", "PNG", "Svg"])
def test_a_plot_is_saved_and_has_its_words_inside(ending: str, figure: Any, tmp_path: Path) -> None:
    path, again = (save(overflowing(), tmp_path / f"{name}.{ending}") for name in ("size", "again"))
    assert path.read_bytes() == again.read_bytes(), "the same file every time"
    assert path.stat().st_size > 5000
    if ending.lower() == "png":
        assert matplotlib.image.imread(path).shape[1] == 1920, "as wide as a projector"
        with PIL.Image.open(path) as image:
            assert image.info["Description"] == figure.alt
    elif ending.lower() == "svg":
        assert xml.etree.ElementTree.parse(path).getroot().findtext("{http://www.w3.org/2000/svg}title") == figure.alt
    else:
        assert path.read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize("wrong", ["size.docx", "size", "", ".png", "size.png ", 3, None])
def test_an_ending_that_is_not_known(wrong: Any, figure: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match=r"path=.* cannot be.*: (end it in \.png, \.svg or|give the name of a file)"):
        save(figure, wrong)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there(figure: Any, tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    for wrong in ("gone/size.png", "folder.png", "a\0b.png", "x" * 5000 + ".png"):
        with pytest.raises(BadInput, match=r"path=.* cannot be saved \(.+\): name a file in a folder that is there"):
            save(figure, tmp_path / wrong)


@pytest.mark.slow
def test_a_notebook_gets_the_words_too(stretch: Replayed, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[tuple[dict[str, Any], dict[str, Any]]] = []
    monkeypatch.setattr("IPython.display.publish_display_data", lambda *given: shown.append(given))
    figure = plot_size(stretch)
    show(figure)
    ((data, metadata),) = shown
    assert metadata == {"image/png": {"alt": figure.alt}} and data["text/plain"] == figure.alt
    assert data["text/html"].startswith(f'<img alt="{html.escape(figure.alt)}" src="data:image/png;base64,')
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")


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


# What they are drawn from


RUNS = [(stage, workload) for stage in ("base", "v6.5") for workload in ("life", "loop", "revisit", "shift")]


@pytest.mark.parametrize(("stage", "workload"), RUNS)
def test_a_timeline_says_what_the_history_shows(stage: str, workload: str) -> None:
    history = record(Setup(stage, ram_pages=30, workload=workload))
    found = timeline(history, "a test")
    everywhere = {}
    for what, place, begin, end in spans(found):
        everywhere.update({(step, place): found.names[what] for step in range(begin, end)})
    for step in random.Random(4).sample(range(len(history)), 60):
        scene = history.at(step)
        listed = [everywhere[step, place] for place in range(len(history.lru(step)))]
        assert listed == history.lru(step) and (step, len(listed)) not in everywhere
        stored = [entry for entry in scene.entries.values() if entry["linked"]]
        assert found.kept[step] - sum(entry["length"] for entry in stored) in {
            entry["length"] for entry in scene.entries.values() if not entry["linked"]} | {0}  # fmt: skip
        pages = sum(page["units"] * 64 for page in scene.pages.values()) / 4096
        assert (found.sizes[step], found.held[step]) == (scene.size, pages)
    assert len(found.events["written back"]) == len(history.written_back()) == len(found.evictions)
    assert len(found.events["read from the disk"]) == history.disk_reads()


def test_who_leaves_was_put_at_the_head_so_long_ago() -> None:
    changes = [(0, True, 7), (1, True, 8), (2, True, 7), (3, True, 7), (5, False, 7), (9, False, 8)]
    found = Timeline("made", "steps", 9, 8, "entries", 10, changes=changes)
    assert list(spans(found)) == [
        (7, 0, 0, 1), (8, 0, 1, 2), (7, 1, 1, 2), (7, 0, 2, 3), (7, 0, 3, 5), (8, 1, 2, 5), (8, 0, 5, 9)
    ]  # fmt: skip
    assert moves(found) == [(2, 7), (3, 7)]


def test_ages_and_who_was_passed_over() -> None:
    six = plot_ages(record(Setup("2", ram_pages=30, workload="overflow"))).alt
    assert six.endswith("All 6 had waited longest of all.")
    history = record(Setup("base", ram_pages=30, workload="overflow"))
    victims, waiting = history.written_back(), list(range(16))
    waited = 0
    for page in victims:
        waited += waiting.index(page) == 0
        waiting.remove(page)
    assert f"{waited} of {len(victims)} had waited longest of all; for each of the rest" in plot_ages(history).alt
    assert "Nothing is written back" in plot_ages(record(Machine(), ["write 1", "page_out 1"])).alt


@pytest.mark.slow
def test_ages_are_those_of_the_table(stretch: Replayed) -> None:
    table = stretch.table()
    table = table[(table["operation"] == "writeback") & table["ok"]]
    alt = plot_ages(stretch).alt
    assert f"from {table['age'].min():,} to {table['age'].max():,}, half of them up to" in alt
    assert f"All {len(table):,} had waited" in alt and (table["from_tail"] == 0).all()


def test_events_are_counted_and_drawn_where_they_are() -> None:
    history = record(Setup("2", ram_pages=30, workload="overflow"))
    figure = plot_events(history)
    wanted = {"stored": 15, "read from zswap": 9, "read from the disk": 7, "refused: full": 1, "written back": 6}
    assert {axes.get_ylabel() for axes in figure.axes} == {f"{kind}  {count}" for kind, count in wanted.items()}
    assert "zswap had 56 %" in figure.alt and 9 / 16 == 0.5625
    stored = figure.axes[0].collections[0].get_segments()
    assert [segment[0][0] for segment in stored] == [
        step for step, moment in enumerate(history.moments) if moment.event == "store"
    ]


@pytest.mark.slow
def test_many_events_are_columns_that_hold_all_of_them(stretch: Replayed) -> None:
    for axes in plot_events(stretch).axes:
        count = int(axes.get_ylabel().split()[-1].replace(",", ""))
        drawn = sum(bar.get_height() for bar in axes.patches) or len(axes.collections[0].get_segments())
        assert drawn == count > 0


@pytest.mark.slow
def test_occupancy_of_a_recording_is_that_of_its_table(stretch: Replayed) -> None:
    table = stretch.table()
    kept = sum_of_lengths = 0
    length: dict[int, int] = {}
    for row in table.itertuples():
        if row.operation == "store" and row.ok:
            length[row.offset] = int(row.length)
        elif row.operation == "free":
            length.pop(row.offset, None)
        sum_of_lengths = sum(length.values()) if row.Index % 500 == 0 else sum_of_lengths
        kept += sum_of_lengths if row.Index % 500 == 0 else 0
    found = timeline(stretch, "a test")
    assert sum(found.kept[::500]) == kept
    assert found.stored[-1] == int(table["stored_pages"].iloc[-1])
    waste = 1 - sum(found.kept) / (table["pool_pages"].sum() * 4096)
    assert plot_occupancy(stretch).alt.endswith(f"stretch {waste:.0%}.".replace("%", " %"))


def test_lengths_are_those_of_what_was_stored() -> None:
    history = record(Setup("2", ram_pages=30, workload="overflow"))
    figure = plot_lengths(history)
    assert sum(bar.get_height() for bar in figure.axes[0].patches) == 15
    zeros = Machine("2")
    zeros.write(5, bytes(4096))
    zeros.write(6, random.Random(1).randbytes(4096))
    alt = plot_lengths(record(zeros, ["page_out 5", "page_out 6"])).alt
    assert "0 stored; 1 same-filled, which take no room; 1 refused for their content" in alt


@pytest.mark.slow
def test_nothing_happened_and_yet_it_can_be_drawn() -> None:
    nothing = record(Machine(), [])
    for plot in PLOTS:
        assert plot(nothing).alt and png(plot(nothing))


def test_labels_are_moved_apart_and_no_further() -> None:
    assert apart([1, 5, 3], 1) == [1, 5, 3]
    assert apart([2, 2, 2], 1) == [1, 2, 3]
    assert apart([6, 5.9], 1) == pytest.approx([6.45, 5.45])
    for seed in range(50):
        dice = random.Random(seed)
        heights = [dice.uniform(0, 10) for _ in range(6)]
        moved = apart(heights, 1.5)
        assert all(abs(one - other) >= 1.499 for number, one in enumerate(moved) for other in moved[:number])
        assert sorted(range(6), key=moved.__getitem__) == sorted(range(6), key=heights.__getitem__)
