"""Every plot can be read: with each kind of colour vision, on light paper and on dark, no label cut or covered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import Collection
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from tests.trace.altered import QUIET, SHIPPED, load
from zswaplab.run.history import record
from zswaplab.run.setup import Setup
from zswaplab.show.figures import PAPERS
from zswaplab.show.lru_plots import AGES
from zswaplab.show.palette import ENTRY_COLOURS
from zswaplab.show.plots import (
    plot_ages,
    plot_agreement,
    plot_events,
    plot_lengths,
    plot_lru,
    plot_occupancy,
    plot_size,
    png,
)
from zswaplab.trace.tables import Replayed, replay

pytestmark = pytest.mark.slow

TOLD_APART = 10.0  # CIE 1976: two is just noticeable side by side
# Colour vision without one kind of cone (Machado, Oliveira and Fernandes, 2009), or without any, on linear RGB.
VISION = {
    "usual": numpy.identity(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
    "achromatopsia": [[0.2126, 0.7152, 0.0722]] * 3,
}
XYZ = numpy.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def linear(colour: Any) -> Any:
    channels = numpy.array(to_rgb(colour))
    return numpy.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def lab(colour: Any, vision: str) -> Any:
    """The colour as that vision sees it, in CIELAB."""
    seen = numpy.clip(numpy.array(VISION[vision]) @ linear(colour), 0, 1)
    light = XYZ @ seen / XYZ.sum(axis=1)
    x, y, z = numpy.where(light > 0.008856, numpy.cbrt(light), 7.787 * light + 16 / 116)
    return numpy.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def distance(one: Any, other: Any, vision: str) -> float:
    return float(numpy.linalg.norm(lab(one, vision) - lab(other, vision)))


def contrast(one: Any, other: Any) -> float:
    low, high = sorted(float(linear(colour) @ [0.2126, 0.7152, 0.0722]) for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


def test_the_simulation_is_that_of_the_literature() -> None:
    """Red and green of equal lightness come together without long or middle cones, blue and green without short."""
    assert distance("#d55e00", "#7d7d00", "deuteranopia") < 12 < 50 < distance("#d55e00", "#7d7d00", "usual")
    assert distance("#0072b2", "#00807f", "tritanopia") < distance("#0072b2", "#00807f", "usual") / 3
    assert distance("#ff0000", "#808080", "achromatopsia") < 6
    assert distance("#000000", "#ffffff", "usual") == pytest.approx(100, abs=0.1)
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


# The figures

H = Setup("2", ram_pages=30, workload="overflow")
OF_HISTORIES: dict[str, Callable[[str], Any]] = {
    "lru": lambda theme: plot_lru(record(H.but(workload="revisit")), theme=theme),
    "lru of pages": lambda theme: plot_lru(record(H.but(stage="base")), theme=theme),
    "lru of a life": lambda theme: plot_lru(record(H.but(workload="life 1", stage="v6.5")), theme=theme),
    "lru with frees": lambda theme: plot_lru(record(H.but(workload="loop", swap_pages=64)), theme=theme),
    "lru of a long loop": lambda theme: plot_lru(record(H.but(workload="loop 14 6")), theme=theme),
    "size": lambda theme: plot_size(record(H), theme=theme),
    "events": lambda theme: plot_events(record(H), theme=theme),
    "ages": lambda theme: plot_ages(record(H.but(stage="base", workload="loop")), theme=theme),
    "occupancy": lambda theme: plot_occupancy(record(H), record(H.but(zpool="z3fold")), theme=theme),
    "one occupancy": lambda theme: plot_occupancy(record(H), theme=theme),
    "lengths": lambda theme: plot_lengths(record(H), theme=theme),
}
OF_RECORDINGS: dict[str, Callable[[Any, str], Any]] = {
    "lru": lambda run, theme: plot_lru(run, theme=theme), "size": lambda run, theme: plot_size(run, theme=theme),
    "events": lambda run, theme: plot_events(run, theme=theme), "ages": lambda run, theme: plot_ages(run, theme=theme),
    "occupancy": lambda run, theme: plot_occupancy(run, run, run, theme=theme),
    "lengths": lambda run, theme: plot_lengths(run, theme=theme),
    "agreement": lambda _, theme: plot_agreement("f65-zbud-exact-on", theme=theme),
}  # fmt: skip


@pytest.fixture(scope="module")
def stretch(tmp_path_factory: pytest.TempPathFactory) -> Replayed:
    return replay(load(SHIPPED, QUIET).write(tmp_path_factory.mktemp("run") / "stretch"))


@pytest.fixture(params=[*OF_HISTORIES, *(f"recording: {name}" for name in OF_RECORDINGS)], scope="module")
def drawn(request: pytest.FixtureRequest) -> dict[str, Figure]:
    """One plot, in each theme, drawn."""
    if request.param in OF_HISTORIES:
        figures = {theme: OF_HISTORIES[request.param](theme) for theme in PAPERS}
    else:
        make, run = OF_RECORDINGS[request.param.partition(": ")[2]], request.getfixturevalue("stretch")
        figures = {theme: make(run, theme) for theme in PAPERS}
    for figure in figures.values():
        png(figure)
    return figures


# Colours


def marks(axes: Any) -> Iterator[tuple[tuple[Any, ...], str]]:
    """(shape, colour) of everything that is drawn in axes and stands for something."""
    for artist in axes.get_children():
        if isinstance(artist, Line2D) and len(artist.get_xdata()):
            dash = artist.get_linestyle()
            shape = "line", artist.get_marker(), dash, artist.get_linewidth() > 4 and dash != "None"
            yield shape, to_hex(artist.get_color())
        elif isinstance(artist, Collection) and artist.get_array() is None:  # the shades beside a map stand for ages
            for colour in artist.get_facecolor() if len(artist.get_facecolor()) else artist.get_edgecolor():
                yield ("area", artist.get_hatch()), to_hex(colour)
        elif isinstance(artist, Rectangle) and artist is not axes.patch and artist.get_height():
            yield ("column", artist.get_hatch() or None), to_hex(artist.get_facecolor())


@pytest.mark.slow
@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("theme", PAPERS)
def test_what_means_something_else_looks_otherwise(drawn: dict[str, Figure], theme: str, vision: str) -> None:
    for axes in drawn[theme].axes:
        found = {mark for mark in marks(axes) if mark[1] not in ENTRY_COLOURS or mark[0][0] != "column"}
        for (shape, colour), (other_shape, other) in combinations(sorted(found, key=str), 2):
            if shape == other_shape:
                assert distance(colour, other, vision) > TOLD_APART, (shape, colour, other)


def test_marks_that_only_colours_tell_apart_are_seen() -> None:
    """The test above can fail."""
    figure = Figure()
    axes = figure.subplots()
    axes.plot([0, 1], color="#d55e00")
    axes.plot([1, 2], color="#7d7d00")
    with pytest.raises(AssertionError, match="#7d7d00"):
        test_what_means_something_else_looks_otherwise({"light": figure}, "light", "achromatopsia")


@pytest.mark.parametrize("theme", PAPERS)
def test_a_block_has_its_number(theme: str) -> None:
    """The colours of entries come again; what tells them apart is the number."""
    figure = OF_HISTORIES["lru"](theme)
    (axes,) = figure.axes
    blocks = [patch for patch in axes.patches if to_hex(patch.get_facecolor()) in ENTRY_COLOURS]
    numbers = {text.get_text(): text for text in axes.texts if text.get_text().isdecimal()}
    assert set(numbers) == {str(page) for page in range(16) if page != 11}, "page 11 was refused"
    for text in numbers.values():
        x, y = text.get_position()
        (block,) = [one for one in blocks if one.get_bbox().contains(x, y)]
        assert contrast(text.get_color(), block.get_facecolor()) >= 4.5


@pytest.mark.parametrize("theme", PAPERS)
def test_text_and_marks_stand_out_from_the_paper(drawn: dict[str, Figure], theme: str) -> None:
    figure, paper = drawn[theme], PAPERS[theme].paper
    assert to_hex(figure.get_facecolor()) == paper
    for text in shown_texts(figure):
        on_a_mark = (text.get_text().isdecimal() and text in text.axes.texts) or text.get_text() == "bytes kept"
        if not on_a_mark:
            assert contrast(text.get_color(), paper) >= 4.5, text
    for axes in figure.axes:
        for (kind, *shape), colour in marks(axes):
            wide = kind == "line" and shape[-1]  # the kernel's line, with the model's inside
            if kind == "line" and not wide:
                assert contrast(colour, paper) >= 3, (kind, shape, colour)


@pytest.mark.parametrize("theme", PAPERS)
def test_a_place_on_the_map_is_as_light_as_it_is_new(theme: str) -> None:
    new, old = AGES[theme]
    for vision in VISION:
        assert distance(new, old, vision) > 4 * TOLD_APART
        assert (lab(new, vision)[0] > lab(old, vision)[0]) == (theme == "light"), "the oldest stands out most"


def test_what_the_text_on_an_area_stands_on() -> None:
    for paper in PAPERS.values():
        assert contrast(paper.paper, paper["store"]) >= 4.5


# Labels


def shown_texts(figure: Figure) -> list[Text]:
    def seen(text: Any) -> bool:
        return text.get_visible() and bool(text.get_text().strip())

    ticks = [label for axes in figure.axes for axis in (axes.xaxis, axes.yaxis) for tick in axis.get_major_ticks()
             for label in (tick.label1, tick.label2)]  # fmt: skip
    return [text for text in figure.findobj(Text) if seen(text) and text not in ticks]


@pytest.mark.slow
@pytest.mark.parametrize("theme", PAPERS)
def test_no_label_is_cut_or_covers_another(drawn: dict[str, Figure], theme: str) -> None:
    figure = drawn[theme]
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    boxes = [(text.get_text(), text.get_window_extent(renderer).padded(-1)) for text in shown_texts(figure)]
    for said, box in boxes:
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1, f"{said!r} is cut"
    for (said, box), (other, its) in combinations(boxes, 2):
        assert not box.overlaps(its), f"{said!r} and {other!r} cover each other"


def test_a_label_that_covers_another_is_seen() -> None:
    figure = Figure()
    figure.text(0.5, 0.5, "one")
    figure.text(0.5, 0.5, "other")
    png(figure)
    with pytest.raises(AssertionError, match="'one' and 'other' cover each other"):
        test_no_label_is_cut_or_covers_another({"light": figure}, "light")
    figure.texts[0].set_position((0.99, 0.5))
    with pytest.raises(AssertionError, match="'one' is cut"):
        test_no_label_is_cut_or_covers_another({"light": figure}, "light")


@pytest.mark.parametrize("theme", PAPERS)
def test_every_text_can_be_read_on_a_slide(drawn: dict[str, Figure], theme: str) -> None:
    figure = drawn[theme]
    on_a_slide = 13.33 / figure.get_figwidth()  # inches of a slide
    for text in shown_texts(figure):
        assert text.get_fontsize() * on_a_slide >= 14, text
    for axes in figure.axes:
        for label in [*axes.get_xticklabels(), *axes.get_yticklabels()]:
            assert label.get_fontsize() * on_a_slide >= 14


def test_alt_text_says_which_run_and_is_not_too_long(drawn: dict[str, Figure]) -> None:
    alts = {figure.alt for figure in drawn.values()}  # type: ignore[attr-defined]
    assert len(alts) == 1, "it says what is shown, not in which colours"
    assert 60 < len(alts.pop()) < 700


def test_nothing_of_a_figure_stays_behind(tmp_path: Path) -> None:
    import matplotlib.pyplot

    before = dict(matplotlib.rcParams)
    png(OF_HISTORIES["size"]("dark"))
    assert matplotlib.pyplot.get_fignums() == [] and dict(matplotlib.rcParams) == before
