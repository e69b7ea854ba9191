"""Plots of how the LRU and the pool evolve. Each is a matplotlib Figure with `alt`: what it shows, in words."""

from __future__ import annotations

import base64
import html
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..model.errors import ENOMEM, BadInput
from ..run.history import History
from .palette import EVENT_COLOURS, OKABE_ITO

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..trace.tables import Life, Replayed

COLOURS = EVENT_COLOURS["light"]
INK, PAPER = "#1d1f21", "#ffffff"  # a figure keeps its own paper, so that it can be read in a dark theme too
AGES = "#dfe8ef", "#3f5567"  # from new to old
LIVES = ("orange", "bluish green", "blue")  # the entries that are followed
MARKS = (("o", OKABE_ITO["blue"], "stored or read"), ("X", COLOURS["writeback"], "written back"), ("s", INK, "freed"))
FOLLOWED = (
    " A few entries are followed: each sinks from the head, rises to it when it is read, and leaves at the tail "
    "when it is written back, or anywhere when it is freed."
)


def plot_lru(replayed: Replayed, columns: int = 160) -> Figure:
    """The LRU over time: a column a moment, the newest on top, the tail at the bottom; below, what was written back.

    The colour says how many operations ago something was put at the head. Of an LRU of entries, a few are
    followed through their lives. Raises BadInput for what `replay` did not make.
    """
    need(replayed, "plot_lru")
    import numpy
    from matplotlib.colors import LinearSegmentedColormap

    every = max(1, len(replayed.rows) // columns)
    snapshots = replayed.lru(every)
    deepest = max((len(listed) for _, listed in snapshots), default=0) or 1
    ages = numpy.full((deepest, len(snapshots)), numpy.nan)
    for column, (_, listed) in enumerate(snapshots):
        ages[: len(listed), column] = [age for _, age in listed]
    figure = new_figure(8.6, 4.9)
    above, below = figure.subplots(2, sharex=True, height_ratios=[5, 1])
    right = len(snapshots) * every
    extent = (-every / 2, right - every / 2, deepest, 0)
    shades = LinearSegmentedColormap.from_list("age", AGES)
    image = above.imshow(ages, aspect="auto", cmap=shades, vmin=0, extent=extent, interpolation="nearest")
    what = "stored or read" if replayed.listed == "entries" else "last filled"
    figure.colorbar(image, ax=[above, below], label=f"operations since it was {what}", pad=0.02)
    above.set_ylabel(f"place on the LRU, {replayed.listed}\n(0 = head, the newest)")
    above.set_ylim(deepest * 1.03, -deepest * 0.03)
    followed = draw_lives(above, replayed) if replayed.listed == "entries" else 0
    written = [number for number, row in enumerate(replayed.rows) if row["operation"] == "writeback" and row["ok"]]
    below.hist(written, bins=len(snapshots), range=(0, right), color=COLOURS["writeback"])
    below.set_ylabel("written\nback")
    below.set_ylim(0, None if written else 1)
    below.set_xlabel("operations")
    below.set_xlim(0, len(replayed.rows))
    whose = "zswap's LRU" if replayed.listed == "entries" else "the backend's LRU of pages"
    figure.suptitle(f"{replayed.run}: {whose} over time", x=0.01, ha="left", fontsize=11, color=INK)
    bitten = f"; then the tail is bitten off in bursts: {len(written):,} entries are written back"
    figure.alt = (  # type: ignore[attr-defined]
        f"{whose[0].upper()}{whose[1:]} of {replayed.run} over {len(replayed.rows):,} operations, the head on top. It "
        f"grows to {deepest:,} {replayed.listed}{bitten if written else ', none of which is written back'}. "
        "The further down, the longer ago something was put at the head." + (FOLLOWED if followed else "")
    )
    return figure


def draw_lives(axes: Axes, replayed: Replayed) -> int:
    """Follow a few entries: the place of each on the LRU over time. Returns how many."""
    from matplotlib.patheffects import withStroke

    halo = [withStroke(linewidth=4.5, foreground=PAPER)]
    chosen = choose_lives(replayed.lives())
    every = max(1, len(replayed.rows) // 300)
    for life, colour in zip(chosen, LIVES, strict=False):
        color = OKABE_ITO[colour]
        numbers, places = zip(*places_of(replayed, life, every), strict=True)
        axes.plot(numbers, places, color=color, linewidth=1.8, path_effects=halo, zorder=3)
        edge: dict[str, Any] = {"markeredgecolor": PAPER, "zorder": 4, "clip_on": False, "linestyle": "none"}
        axes.plot(life.put, [0] * len(life.put), marker="o", color=color, markersize=6, **edge)
        marker, end = ("X", COLOURS["writeback"]) if life.written_back else ("s", INK)
        axes.plot(numbers[-1], places[-1], marker=marker, color=end, markersize=9, **edge)
    for marker, end, label in MARKS:
        axes.plot([], [], marker, color=end, label=label)
    axes.legend(loc="lower right", frameon=False)
    return len(chosen)


def choose_lives(lives: list[Life]) -> list[Life]:
    """Two entries that were written back, early and late, and of the others the one that was read most often."""
    written = [life for life in lives if life.written_back]
    others = [life for life in lives if not life.written_back]
    chosen = [written[len(written) // 8], written[len(written) * 7 // 8]] if written else []
    return chosen + sorted(others, key=lambda life: len(life.put))[-1:]


def places_of(replayed: Replayed, life: Life, every: int) -> list[tuple[int, int]]:
    """(operation, place on the LRU) of one entry, every so many operations and at every change of its own."""
    order: dict[int, None] = {}  # the last is the head
    found: list[tuple[int, int]] = []
    moment = life.put[0]

    def note(number: int) -> None:
        if life.offset in order and life.put[0] <= number <= life.ended:
            found.append((number, next(place for place, what in enumerate(reversed(order)) if what == life.offset)))

    for number, put, what in replayed.changes:
        while moment <= number:
            note(moment)
            moment += every
        if what == life.offset:
            note(number)
        order.pop(what, None)
        if put:
            order[what] = None
        if what == life.offset:
            note(number)
    return found


def plot_size(run: Replayed | History) -> Figure:
    """The pool's size over time in pages, against the limit and the accept threshold; refusals marked.

    `run` is what `replay` or `record` returns: time is then counted in operations or in steps. Raises
    BadInput for anything else.
    """
    if isinstance(run, History):
        name, unit, limit, accept = run.title or run.tags[0], "steps", run.limit, run.accept
        sizes, full, poor = sizes_of_history(run)
    else:
        need(run, "plot_size")
        name, unit, limit, accept = run.run, "operations", run.limit, run.accept_threshold
        sizes = [row["pool_pages"] for row in run.rows]
        stores = [(number, row["result"]) for number, row in enumerate(run.rows) if row["operation"] == "store"]
        full = [number for number, result in stores if result == -ENOMEM]
        poor = [number for number, result in stores if result not in (0, -ENOMEM)]
    figure = new_figure(8.6, 3.4)
    axes = figure.subplots()
    axes.axhspan(accept, limit, color=COLOURS["store"], alpha=0.12, linewidth=0)
    axes.axhline(limit, color=COLOURS["writeback"], linestyle="--", linewidth=1.2, label=f"full above {limit}")
    axes.axhline(accept, color=COLOURS["store"], linestyle=":", linewidth=1.6, label=f"accepts again below {accept}")
    axes.plot(sizes, color=INK, linewidth=1.4, drawstyle="steps-post", label="size of the pool")
    top = max([limit, *sizes])
    marks: dict[str, Any] = {"markersize": 8, "linestyle": "none", "marker": "|"}
    for refused, height, colour, why in ((full, 1.1, "writeback", "full"), (poor, 1.19, "refuse", "too large")):
        label = f"{len(refused):,} refused: {why}"
        axes.plot(refused, [top * height] * len(refused), color=COLOURS[colour], label=label, **marks)
    axes.set_ylim(0, top * 1.25)
    axes.set_xlim(0, len(sizes))
    axes.set_xlabel(unit)
    axes.set_ylabel("pages")
    axes.legend(loc="lower center", frameon=False, ncols=2)
    figure.suptitle(f"{name}: size of the pool", x=0.01, ha="left", fontsize=11, color=INK)
    over = (
        f" Each time it is over the limit stores are refused, {len(full):,} in all, until the worker has shrunk it to "
        f"just under {accept:,}." if full else " It never gets there."
    )  # fmt: skip
    figure.alt = (  # type: ignore[attr-defined]
        f"The pool's size in {name} over {len(sizes):,} {unit}: at most {max(sizes, default=0):,} pages; "
        f"its limit is {limit:,}.{over}" + (f" Refused because they do not compress: {len(poor):,}." if poor else "")
    )
    return figure


SHOWN = {"pool_pages": "size of\nthe pool", "stored_pages": "stored\npages", "written_back": "written\nback",
         "limit_hit": "refused:\nover limit"}  # fmt: skip


def plot_agreement(run: str | Path) -> Figure:
    """A recorded kernel's pool and counters, and the model's, on the same axes: the kernel wide, the model thin.

    `run` is a shipped recording's name or a folder. Raises BadInput as `replay` does.
    """
    from ..trace.tables import recorded, replay

    kernel, replayed = recorded(run), replay(run)
    moments = [row["at"] for row in replayed.rows]
    figure = new_figure(8.6, 5.6)
    every = figure.subplots(len(SHOWN), sharex=True)
    ends, apart = [], 0
    for axes, (name, label) in zip(every, SHOWN.items(), strict=True):
        wide = {"color": OKABE_ITO["sky blue"], "linewidth": 5, "solid_capstyle": "round", "alpha": 0.8}
        axes.plot(kernel["seq"], kernel[name], drawstyle="steps-post", label="the recorded kernel", **wide)
        values = [row[name] for row in replayed.rows]
        axes.plot(moments, values, drawstyle="steps-post", color=INK, linewidth=1, label="the model")
        ends.append(f"{kernel[name].iloc[-1]:,} and {values[-1]:,} {name}")
        apart = max(apart, abs(int(kernel[name].max()) - max(values)))
        axes.set_ylabel(label, rotation=0, ha="right", va="center")
        axes.set_ylim(bottom=0)
    every[0].legend(loc="lower right", frameon=False, ncols=2)
    every[-1].set_xlabel("position in the recording (events)")
    every[-1].set_xlim(0, int(kernel["seq"].iloc[-1]))
    figure.suptitle(f"{replayed.run}: kernel and model", x=0.01, ha="left", fontsize=11, color=INK)
    figure.alt = (  # type: ignore[attr-defined]
        f"Four counters of {replayed.run} over time, each drawn twice: wide as the kernel recorded it, thin as the "
        f"model has it. The thin line runs inside the wide one from end to end; their peaks differ by at most {apart}. "
        f"At the end, kernel and model: {', '.join(ends)}."
    )
    return figure


def sizes_of_history(history: History) -> tuple[list[int], list[int], list[int]]:
    """The pool's size at each step, and the steps in which a page was refused: it was full, or did not fit."""
    sizes, full, poor = [0], list[int](), list[int]()
    for step, moment in enumerate(history.moments):
        changed = [change[1] for change in moment.changes if change[0] == "size"]
        sizes.append(changed[-1] if changed else sizes[-1])
        if moment.event == "refuse":
            (full if moment.reason in ("limit", "threshold") else poor).append(step)
    return sizes[1:], full, poor


def show(figure: Figure) -> None:
    """Display a figure in a notebook, with its alt text: as HTML, which carries it to the reader, and as PNG."""
    from IPython.display import publish_display_data

    alt, data = getattr(figure, "alt", ""), base64.b64encode(png(figure)).decode()
    tag = f'<img alt="{html.escape(alt)}" src="data:image/png;base64,{data}">'
    bundle = {"text/html": tag, "image/png": data, "text/plain": alt}
    publish_display_data(bundle, {"image/png": {"alt": alt}})  # type: ignore[no-untyped-call]


def save(figure: Figure, path: str | Path) -> Path:
    """Write a figure as .png, .svg or .pdf, for slides. Raises BadInput for another ending."""
    target = Path(path)
    if target.suffix not in (".png", ".svg", ".pdf"):
        raise BadInput(f"path={str(path)!r} cannot be saved: end it in .png, .svg or .pdf")
    figure.savefig(target, dpi=200)
    return target


def png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()


def new_figure(width: float, height: float) -> Figure:
    """An empty figure that no global state knows, so that nothing leaks and nothing is drawn twice."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained", facecolor=PAPER)


def need(run: Any, name: str) -> None:
    if not hasattr(run, "accept_threshold") or not hasattr(run, "lru"):
        raise BadInput(f"a {type(run).__name__} cannot be plotted by {name}: give what replay(run) returns")
