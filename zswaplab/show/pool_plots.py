"""The pool over time: its size against the limit, how much of it is waste, and how long what it holds is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..model.compressors import PAGE_SIZE
from ..model.errors import BadInput
from .figures import TEXT, Paper, apart, dressed, half, label, new_figure, paper_of, percent
from .timeline import Timeline, timeline

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..run.history import History
    from ..trace.tables import Replayed


def plot_size(run: Replayed | History, *, theme: str = "light") -> Figure:
    """The pool's size over time in pages, against the limit and the accept threshold; refusals marked above.

    Raises BadInput for anything else than a run, and for a theme that is not "light" or "dark".

    >>> from zswaplab import Setup, record
    >>> figure = plot_size(record(Setup("2", ram_pages=30, workload="overflow"), title="Sixteen pages"))
    >>> figure.alt.partition(". ")[0]
    "The pool's size in Sixteen pages over 446 steps: at most 7 pages; its limit is 6"
    """
    found, paper = timeline(run, "plot_size"), paper_of(theme)
    full, poor = found.events["refused: full"], found.events["refused: content"]
    most = max(found.sizes, default=0)
    finding = f"at most {most:,} pages" + (f"; {len(full):,} refused while it was full" if full else "")
    figure = new_figure(paper, 4.0, f"{found.name}: size of the pool", finding)
    axes = dressed(figure.subplots(), paper, found.unit, "pages")
    near = found.limit <= 2 * most
    top = max(most, *(found.limit, found.accept) * near, 1)
    axes.set_xlim(0, found.end)
    axes.set_ylim(0, top * 1.34)
    axes.fill_between(range(found.length), found.sizes, step="post", color=paper.well, linewidth=0)
    axes.plot(found.sizes, color=paper.ink, linewidth=1.6, drawstyle="steps-post")
    said = _draw_limits(axes, found, paper) if near else []
    if not near:
        place: dict[str, Any] = {"transform": axes.transAxes, "va": "top", "fontsize": TEXT}
        axes.text(0.01, 0.98, f"far below the limit of {found.limit:,} pages", color=paper.dim, **place)
    for refused, height, why, mark in ((full, 1.14 * top, "full", "|"), (poor, 1.26 * top, "too large", "x")):
        if refused:
            size = 9 if mark == "|" else 5
            axes.plot(refused, [height] * len(refused), mark, color=paper["refuse"], markersize=size)
            said.append((height, f"{len(refused):,} refused: {why}", paper.dim))
    for height, (_, words, colour) in zip(apart([one[0] for one in said], top * 0.105), said, strict=True):
        label(axes, words, found.length, height, colour)
    figure.alt = _alt_of_size(found, most)  # type: ignore[attr-defined]
    return figure


def _draw_limits(axes: Axes, found: Timeline, paper: Paper) -> list[tuple[float, str, str]]:
    """The limit dashed, the threshold dotted; returns what is to be said at which height, in which colour."""
    axes.axhline(found.limit, color=paper["writeback"], linestyle="--", linewidth=1.8)
    axes.axhline(found.accept, color=paper["store"], linestyle=":", linewidth=1.8)
    return [(found.limit, f"full above {found.limit:,}", paper["writeback"]),
            (found.accept, f"accepts again below {found.accept:,}", paper["store"])]  # fmt: skip


def _alt_of_size(found: Timeline, most: int) -> str:
    full, poor = len(found.events["refused: full"]), len(found.events["refused: content"])
    over = "" if most > found.limit else " It never gets there."
    if full:
        over = f" Over it, and until the size is under {found.accept:,} again, stores are refused: {full:,} in all."
    return (
        f"The pool's size in {found.name} over {found.length:,} {found.unit}: at most {most:,} pages; "
        f"its limit is {found.limit:,}.{over}" + (f" Refused because they do not compress: {poor:,}." if poor else "")
    )


def plot_occupancy(*runs: Replayed | History, theme: str = "light") -> Figure:
    """How much of the pool holds compressed bytes and how much is waste, over time: a panel for each run.

    Give it the same workload on several backends. Waste is what zswap takes from the machine beyond the bytes that it
    keeps: rooms too small for anything, headers, rounding. Raises BadInput as `plot_size` does.

    >>> from zswaplab import Setup, record
    >>> setup = Setup("v6.5", ram_pages=30, workload="overflow")
    >>> plot_occupancy(record(setup), record(setup.but(zpool="z3fold"))).alt.rpartition(": ")[2]
    'zbud 31 %, z3fold 44 %.'
    """
    if not runs:
        raise BadInput("plot_occupancy() has nothing to draw: give it one or more of what replay or record returns")
    every, paper = [timeline(run, "plot_occupancy") for run in runs], paper_of(theme)
    wasted = [f"{found.backend or found.name} {_wasted(found)}" for found in every]
    high = max(max(found.held, default=0) for found in every) or 1
    finding = "below, the compressed bytes that are kept; hatched, what the pool takes beyond them"
    figure = new_figure(paper, 3.9, "Occupancy of the pool", finding)
    panels = figure.subplots(1, len(every), sharey=True, squeeze=False)[0]
    for axes, found in zip(panels, every, strict=True):
        dressed(axes, paper, found.unit, "pages of 4,096 bytes" if axes is panels[0] else "")
        _draw_occupancy(axes, found, high, paper)
    figure.alt = (  # type: ignore[attr-defined]
        f"Size of the pool over time, at most {high:,} pages, and how much of it holds compressed bytes, for "
        f"{_named(every)}. Share of the pool that is waste over the whole run: "
        f"{', '.join(wasted)}."
    )
    return figure


def _named(every: list[Timeline]) -> str:
    """The runs by their names; where they all have the same, by their backends."""
    names = {found.name for found in every}
    if len(names) == len(every):
        return ", ".join(found.name for found in every)
    return f"{', '.join(found.backend or found.name for found in every)} ({', '.join(sorted(names))})"


def _wasted(found: Timeline) -> str:
    return percent(sum(found.waste), sum(found.held) * PAGE_SIZE)


def _draw_occupancy(axes: Axes, found: Timeline, high: int, paper: Paper) -> None:
    kept = [min(kept / PAGE_SIZE, size) for kept, size in zip(found.kept, found.held, strict=True)]
    moments = range(found.length)
    axes.fill_between(moments, kept, step="post", color=paper["store"], linewidth=0)
    waste: dict[str, Any] = {"facecolor": paper.well, "edgecolor": paper.line, "hatch": "////", "linewidth": 0}
    axes.fill_between(moments, kept, found.held, step="post", **waste)
    axes.plot(moments, found.held, color=paper.ink, linewidth=1.6, drawstyle="steps-post")
    axes.set_xlim(0, found.end)
    axes.set_ylim(0, high * 1.25)
    axes.set_title(found.backend or found.name, color=paper.ink, fontsize=TEXT, loc="left", fontweight="bold")
    if most := max(found.held, default=0):
        peak = [moment for moment in moments if found.held[moment] == most]
        middle = min(max((peak[0] + peak[-1]) / 2, found.length * 0.22), found.length * 0.78)
        place: dict[str, Any] = {"xytext": (0, 5), "ha": "center", "va": "bottom"}
        label(axes, f"waste {_wasted(found)}", middle, most, paper.dim, **place)
        full = [moment for moment in moments if kept[moment] > 0.6 * max(kept)]
        if max(kept) > high * 0.16:
            at = min(max((full[0] + full[-1]) / 2, found.length * 0.22), found.length * 0.78)
            label(axes, "bytes kept", at, max(kept) * 0.3, paper.paper, xytext=(0, 0), ha="center")


def plot_lengths(run: Replayed | History, *, theme: str = "light") -> Figure:
    """To how many bytes pages were compressed, those that were stored and those that were refused for it.

    Columns of 64 bytes. Same-filled pages have no compressed bytes, and are counted in words. Raises BadInput as
    `plot_size` does.

    >>> from zswaplab import Setup, record
    >>> figure = plot_lengths(record(Setup("2", ram_pages=30, workload="overflow"), title="Sixteen pages"))
    >>> figure.alt.partition(": ")[2]
    '15 stored, half of them up to 1,429 bytes, none larger than 2,907.'
    """
    found, paper = timeline(run, "plot_lengths"), paper_of(theme)
    refused = len(found.too_long) + found.refused_unknown
    stored = f"{len(found.lengths):,} stored"
    if found.lengths:
        stored += f", half of them up to {half(found.lengths):,} bytes"
    also = f"; {found.same_filled:,} same-filled, which take no room" if found.same_filled else ""
    also += f"; {refused:,} refused for their content" if refused else ""
    figure = new_figure(paper, 4.0, f"{found.name}: compressed lengths", stored + also)
    axes = dressed(figure.subplots(), paper, "bytes", "pages")
    bins: dict[str, Any] = {"bins": PAGE_SIZE // 64, "range": (0, PAGE_SIZE), "rwidth": 0.9}
    axes.hist(found.lengths, color=paper["store"], **bins)
    if found.too_long:
        look: dict[str, Any] = {"facecolor": paper.paper, "edgecolor": paper["refuse"], "hatch": "////"}
        count, *_ = axes.hist(found.too_long, **look, **bins)
        label(axes, "refused", PAGE_SIZE, float(max(count)), paper.dim, xytext=(2, 9), ha="right")
    axes.set_xlim(0, PAGE_SIZE)
    axes.set_xticks(range(0, PAGE_SIZE + 1, 512))
    top = axes.get_ylim()[1]
    axes.set_ylim(0, top * 1.12)
    axes.locator_params(axis="y", integer=True)
    axes.axvline(PAGE_SIZE / 2, color=paper.dim, linestyle=":", linewidth=1.6)
    label(axes, "half a page", PAGE_SIZE / 2, top * 1.06, paper.dim)
    longest = f", none larger than {max(found.lengths):,}" if found.lengths else ""
    figure.alt = f"Lengths of compressed pages in {found.name}: {stored}{longest}{also}."  # type: ignore[attr-defined]
    return figure
