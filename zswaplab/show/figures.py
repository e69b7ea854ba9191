"""Figures: the paper that plots are drawn on, labels where the marks stand, and ways out of Python.

A figure is a matplotlib Figure with `alt`: what it shows, in words. It keeps a paper of its own, light or dark, so that
it can be read whatever lies around it.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..model.errors import BadInput, choose
from .palette import EVENT_COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 9.6  # inches: a notebook's width at 110 dots an inch
TITLE, TEXT, SMALL = 14, 11.5, 10.5  # points: on a slide half as large again
ENDINGS = (".png", ".svg", ".pdf")


@dataclass(frozen=True)
class Paper:
    """What a figure is drawn on and with, as #rrggbb: `ink` for text, `dim` for what is beside it, `line` for axes."""

    theme: str
    paper: str
    ink: str
    dim: str
    line: str
    well: str  # free space

    def __getitem__(self, event: str) -> str:
        """The colour of an event: "store", "load", "writeback", "refuse" or "fault"."""
        return EVENT_COLOURS[self.theme][event]


PAPERS = {
    "light": Paper("light", "#ffffff", "#1b1d1f", "#565b60", "#bdbcb6", "#ebebe7"),
    "dark": Paper("dark", "#1a1c1f", "#eceae5", "#a9afb5", "#5a6067", "#31353a"),
}


def paper_of(theme: str) -> Paper:
    """The paper of a theme. Raises BadInput for one that is not "light" or "dark"."""
    choose("theme", theme, PAPERS)
    return PAPERS[theme]


def new_figure(paper: Paper, height: float, title: str, finding: str = "") -> Figure:
    """An empty figure with a title and, below it, what it shows. No global state knows it: nothing leaks."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    above = 0.72 if finding else 0.42  # inches
    layout = ConstrainedLayoutEngine(h_pad=0.06, w_pad=0.08, rect=(0, 0, 1, 1 - above / height))
    figure = Figure(figsize=(WIDTH, height), layout=layout, facecolor=paper.paper)
    text: dict[str, Any] = {"x": 0.1 / WIDTH, "ha": "left", "va": "top"}
    figure.text(y=1 - 0.1 / height, s=title, color=paper.ink, fontsize=TITLE, fontweight="bold", **text)
    if finding:
        figure.text(y=1 - 0.43 / height, s=finding, color=paper.dim, fontsize=TEXT, **text)
    return figure


def dressed(axes: Axes, paper: Paper, x: str = "", y: str = "") -> Axes:
    """The axes with quiet lines and named units: `x` below, `y` above the numbers on the left."""
    axes.set_facecolor(paper.paper)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(paper.line)
    axes.tick_params(colors=paper.line, labelcolor=paper.dim, labelsize=SMALL)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(_thousands)
    if x:
        axes.set_xlabel(x, color=paper.dim, fontsize=TEXT)
    if y:
        axes.set_ylabel(y, color=paper.dim, fontsize=TEXT)
    return axes


def _thousands(value: float, _: Any = None) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:g}"


def label(axes: Axes, text: str, x: float, y: float, colour: str, **more: Any) -> Any:
    """Text where a mark stands: at (x, y) in the units of the axes."""
    return axes.annotate(text, (x, y), color=colour, **{
        "xytext": (6, 0), "textcoords": "offset points", "ha": "left", "va": "center", "fontsize": TEXT,
        "annotation_clip": False, **more,
    })  # fmt: skip


def key(axes: Axes, paper: Paper, columns: int = 3) -> None:
    """Above the axes, side by side: each mark and what it means."""
    place: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (-0.01, 0.98), "borderaxespad": 0}
    axes.legend(**place, ncols=columns, frameon=False, labelcolor=paper.ink, fontsize=TEXT, handletextpad=0.7)


def offset_copy(axes: Axes, points: float) -> Any:
    """The axes' own units, so many points to the right."""
    from matplotlib.transforms import ScaledTranslation

    return axes.transData + ScaledTranslation(points / 72, 0, axes.figure.dpi_scale_trans)


def percent(part: float, whole: float) -> str:
    """
    >>> percent(1, 3)
    '33 %'
    """
    return f"{part / whole if whole else 0:.0%}".replace("%", " %")


def half(values: Sequence[int]) -> int:
    """Half of the values are at most this."""
    return sorted(values)[(len(values) - 1) // 2]


def times(count: int) -> str:
    """How often, in words.

    >>> times(1), times(2), times(2114)
    ('once', 'twice', '2,114 times')
    """
    return {1: "once", 2: "twice"}.get(count, f"{count:,} times")


def apart(heights: Sequence[float], gap: float) -> list[float]:
    """The same heights moved as little as is needed for each two to be `gap` apart, in the same order.

    >>> apart([1.0, 1.0, 5.0], 2.0)
    [0.0, 2.0, 5.0]
    """
    order = sorted(range(len(heights)), key=lambda index: heights[index])
    groups: list[tuple[list[float], float]] = []  # heights that touch, and where the lowest of them lies
    for index in order:
        members, low = [heights[index]], heights[index]
        while groups and groups[-1][1] + gap * len(groups[-1][0]) > low:
            before, _ = groups.pop()
            members = before + members
            low = sum(members) / len(members) - gap * (len(members) - 1) / 2
        groups.append((members, low))
    placed = [low + gap * number for members, low in groups for number in range(len(members))]
    return [placed[order.index(index)] for index in range(len(heights))]


# -- out of Python --------------------------------------------------------------------------------------------


def show(figure: Figure) -> None:
    """Display a figure in a notebook, with its alt text: as HTML, which carries it to the reader, and as PNG."""
    from IPython.display import publish_display_data

    alt, data = getattr(figure, "alt", ""), base64.b64encode(png(figure)).decode()
    tag = f'<img alt="{html.escape(alt)}" src="data:image/png;base64,{data}">'
    bundle = {"text/html": tag, "image/png": data, "text/plain": alt}
    publish_display_data(bundle, {"image/png": {"alt": alt}})  # type: ignore[no-untyped-call]


def save(figure: Figure, path: str | Path) -> Path:
    """Write a figure as .png, .svg or .pdf, for slides, with its alt text inside; returns the path.

    Raises BadInput for another ending, and for a folder that is not there or cannot be written to.
    """
    try:
        target = Path(path)
    except TypeError:
        raise BadInput(f"path={path!r} cannot be: give the name of a file, like 'lru.svg'") from None
    ending = target.suffix.lower()
    if ending not in ENDINGS:
        raise BadInput(f"path={str(path)!r} cannot be saved: end it in .png, .svg or .pdf")
    alt = getattr(figure, "alt", "")
    about: dict[str, Any] = {
        ".png": {"Description": alt, "Software": None}, ".svg": {"Title": alt, "Date": None},
        ".pdf": {"Subject": alt, "CreationDate": None},
    }  # fmt: skip
    from matplotlib import rc_context

    try:
        with rc_context({"svg.hashsalt": "zswaplab"}):  # or the ids in it would be others every time
            figure.savefig(target, format=ending[1:], dpi=200, metadata=about[ending])
    except (OSError, ValueError) as problem:
        why = getattr(problem, "strerror", None) or problem
        remedy = "name a file in a folder that is there, and that you may write to"
        raise BadInput(f"path={str(path)!r} cannot be saved ({why}): {remedy}") from None
    return target


def png(figure: Figure) -> bytes:
    """The figure as a picture, the same bytes every time."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()
