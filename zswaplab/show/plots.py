"""Plots of how the LRU and the pool evolve. Each is a matplotlib Figure with `alt`: what it shows, in words.

A run is what `record` or `replay` returns; time is counted in steps of the one or operations of the other. Every plot
can be had on light paper and on dark: theme="dark".
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .figures import TEXT, dressed, half, key, new_figure, paper_of, percent, png, save, show
from .lru_plots import choose_lives, places_of, plot_lru
from .palette import OKABE_ITO
from .pool_plots import plot_lengths, plot_occupancy, plot_size
from .timeline import KINDS, timeline
from .victim_plots import plot_victims

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..run.history import History
    from ..trace.tables import Replayed

__all__ = [
    "choose_lives", "places_of", "plot_ages", "plot_agreement", "plot_events", "plot_lengths", "plot_lru",
    "plot_occupancy", "plot_size", "plot_victims", "png", "save", "show",
]  # fmt: skip

COLOUR_OF = {  # one of KINDS -> its event in the palette
    "stored": "store", "read from zswap": "load", "read from the disk": "fault", "refused: full": "refuse",
    "refused: content": "refuse", "written back": "writeback",
}  # fmt: skip
TICKS = 120  # of one kind; more are counted in columns
COLUMNS = 160


def plot_events(run: Replayed | History, *, theme: str = "light") -> Figure:
    """What became of pages over time, a row a kind: stored, read from zswap or from the disk, refused, written back.

    Few are drawn as ticks, many as columns. Raises BadInput as `plot_size` does.

    >>> from zswaplab import Setup, record
    >>> figure = plot_events(record(Setup("2", ram_pages=30, workload="revisit"), title="Two old pages"))
    >>> figure.alt.partition(": ")[2]
    '15 stored, 4 read from zswap, 1 refused: full, 5 written back; of the reads that needed swap zswap had 100 %.'
    """
    found, paper = timeline(run, "plot_events"), paper_of(theme)
    rows = [kind for kind in KINDS if found.events[kind]] or ["stored"]
    hits, misses = len(found.events["read from zswap"]), len(found.events["read from the disk"])
    had = f"of the reads that needed swap zswap had {percent(hits, hits + misses)}" if hits + misses else ""
    figure = new_figure(paper, 1.5 + 0.62 * len(rows), f"{found.name}: hits, refusals and writebacks", had)
    every = figure.subplots(len(rows), sharex=True, squeeze=False)[:, 0]
    for axes, kind in zip(every, rows, strict=True):
        _draw_events(axes, found.events[kind], found.end, paper[COLOUR_OF[kind]])
        dressed(axes, paper)
        axes.spines["left"].set_visible(False)
        axes.set_yticks([])
        said = f"{kind}  {len(found.events[kind]):,}"
        axes.set_ylabel(said, rotation=0, ha="right", va="center", color=paper.ink, fontsize=TEXT)
        axes.tick_params(bottom=axes is every[-1])
    every[-1].set_xlabel(found.unit, color=paper.dim, fontsize=TEXT)
    counted = ", ".join(f"{len(found.events[kind]):,} {kind}" for kind in rows)
    figure.alt = (  # type: ignore[attr-defined]
        f"What became of pages in {found.name} over {found.length:,} {found.unit}, a row a kind: {counted}"
        f"{'; ' + had if had else ''}."
    )
    return figure


def _draw_events(axes: Axes, moments: list[int], end: int, colour: str) -> None:
    axes.set_xlim(0, end)
    if len(moments) <= TICKS:
        axes.vlines(moments, 0, 1, color=colour, linewidth=2.2)
        axes.set_ylim(0, 1.1)
    else:
        axes.hist(moments, bins=min(COLUMNS, end), range=(0, end), color=colour)


def plot_ages(run: Replayed | History, *, theme: str = "light") -> Figure:
    """How old each entry was when it was written back, and whether others had waited longer.

    Ages are in operations or steps since the entry was stored or last moved to the head. A dot is an entry that had
    waited longest of all, a cross one that was taken though others had waited longer. Raises BadInput as `plot_size`
    does.

    >>> from zswaplab import Setup, record
    >>> plot_ages(record(Setup("2", ram_pages=30, workload="overflow"))).alt.rpartition(": ")[2]
    'from 120 to 195, half of them up to 150. All 6 had waited longest of all.'
    """
    found, paper = timeline(run, "plot_ages"), paper_of(theme)
    exact = [one for one in found.evictions if not one.passed_over]
    other = [one for one in found.evictions if one.passed_over]
    finding = _finding_of_ages(len(exact), len(other))
    figure = new_figure(paper, 4.6, f"{found.name}: age at writeback", finding)
    axes, beside = figure.subplots(1, 2, sharey=True, width_ratios=[7, 1])
    dressed(axes, paper, found.unit, f"{found.unit} since it was stored or moved")
    dressed(beside, paper, "entries")
    ages = sorted(one.age for one in found.evictions) or [1]
    many = len(ages) > TICKS
    for some, mark, event, said in (
        (exact, "o", "store", "had waited longest of all"), (other, "x", "writeback", "others had waited longer"),
    ):  # fmt: skip
        look: dict[str, Any] = {"color": paper[event], "markersize": 4 if many else 8, "alpha": 0.7 if many else 1}
        places = [one.moment for one in some], [one.age for one in some]
        axes.plot(*places, mark, label=f"{len(some):,} {said}" if some else None, **look)
    bars: dict[str, Any] = {"color": [paper["store"], paper["writeback"]], "hatch": ["", "/////"], "linewidth": 0}
    kinds = [[one.age for one in some] for some in (exact, other)]
    beside.hist(kinds, bins=24, range=(0, ages[-1]), orientation="horizontal", stacked=True, ec=paper.paper, **bars)
    axes.set_xlim(0, found.end)
    axes.set_ylim(0, ages[-1] * 1.06)
    if found.evictions:
        key(axes, paper)
    spread = f": from {ages[0]:,} to {ages[-1]:,}, half of them up to {half(ages):,}" if found.evictions else ""
    figure.alt = (  # type: ignore[attr-defined]
        f"How old each entry was when it was written back in {found.name}, in {found.unit} since it was stored or moved"
        f"{spread}. {finding}."
    )
    return figure


def _finding_of_ages(exact: int, other: int) -> str:
    if not exact + other:
        return "Nothing is written back"
    if not other:
        return f"All {exact:,} had waited longest of all"
    return f"{exact:,} of {exact + other:,} had waited longest of all; for each of the rest an older one was left"


SHOWN = {"pool_pages": "size of\nthe pool", "stored_pages": "stored\npages", "written_back": "written\nback",
         "limit_hit": "refused:\nover limit"}  # fmt: skip


def plot_agreement(run: str | Path, *, theme: str = "light") -> Figure:
    """A recorded kernel's pool and counters, and the model's, on the same axes: the kernel wide, the model thin.

    `run` is a shipped recording's name or a folder. Raises BadInput as `replay` does, and for a theme that is none.

    >>> plot_agreement("f65-zbud-exact-on").alt.partition("; ")[2].partition(".")[0]
    'their peaks differ by at most 0'
    """
    from ..trace.tables import recorded, replay

    paper = paper_of(theme)
    kernel, replayed = recorded(run), replay(run)
    moments = [row["at"] for row in replayed.rows]
    figure = new_figure(paper, 6.4, f"{replayed.run}: kernel and model")
    every = figure.subplots(len(SHOWN), sharex=True)
    colour = OKABE_ITO["sky blue" if theme == "light" else "blue"]
    wide: dict[str, Any] = {"color": colour, "linewidth": 6, "alpha": 0.8}
    ends, most_apart = [], 0
    for axes, (name, said) in zip(every, SHOWN.items(), strict=True):
        values = [row[name] for row in replayed.rows]
        axes.plot(kernel["seq"], kernel[name], drawstyle="steps-post", label="wide: the recorded kernel", **wide)
        axes.plot(moments, values, drawstyle="steps-post", color=paper.ink, linewidth=1.2, label="thin: the model")
        ends.append(f"{kernel[name].iloc[-1]:,} and {values[-1]:,} {name}")
        most_apart = max(most_apart, abs(int(kernel[name].max()) - max(values)))
        dressed(axes, paper)
        axes.set_ylabel(said, rotation=0, ha="right", va="center", color=paper.ink, fontsize=TEXT)
        top = max(int(kernel[name].max()), *values)
        axes.set_ylim(-0.1 * (top or 1), 1.15 * (top or 1))
        axes.set_yticks([0, top] if top else [0])
    key(every[0], paper)
    dressed(every[-1], paper, "position in the recording (events)")
    every[-1].set_xlim(0, int(kernel["seq"].iloc[-1]))
    figure.alt = (  # type: ignore[attr-defined]
        f"Four counters of {replayed.run} over time, each drawn twice: wide as the kernel recorded it, thin as the "
        "model has it. The thin line runs inside the wide one from end to end; their peaks differ by at most "
        f"{most_apart}. At the end, kernel and model: {', '.join(ends)}."
    )
    return figure
