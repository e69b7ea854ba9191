"""Where each thing on the LRU is over time: in blocks while they can be counted, as a map of ages once they cannot."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from ..trace.tables import snapshots
from .figures import SMALL, Paper, dressed, label, new_figure, offset_copy, paper_of, times
from .palette import OKABE_ITO, entry_colour
from .timeline import Timeline, timeline

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..run.history import History
    from ..trace.tables import Life, Replayed

BLOCKS = 500  # at most; more cannot be told apart
DEEPEST = 30  # places of the LRU that can be counted
AGES = {"light": ("#dfe8ef", "#3f5567"), "dark": ("#26323b", "#b4c6d4")}  # from new to old
LIVES = {"light": ("bluish green", "blue"), "dark": ("bluish green", "sky blue")}  # of those followed, after ink
FOLLOWED = (
    " A few entries are followed: each sinks from the head, rises to it when it is read, and leaves at the tail "
    "when it is written back, or anywhere when it is freed."
)


def plot_lru(run: Replayed | History, columns: int = 160, *, theme: str = "light") -> Figure:
    """The LRU over time, its head on top and its tail at the bottom, and what leaves it.

    `run` is what `replay` or `record` returns. A history's LRU is drawn in blocks, each with its page's number, along
    which one sees an entry sink, rise when it is used again, and leave. A long one, and a recording's, is a map in so
    many `columns`, coloured by how long ago something was put at the head; there a few entries are followed through
    their lives, and what was written back is drawn below. Raises BadInput as `plot_size` does.

    >>> from zswaplab import Machine, record
    >>> figure = plot_lru(record(Machine("2"), ["write 3", "page_out 3", "write 4", "page_out 4"], "Two pages"))
    >>> print(figure.alt)
    Zswap's LRU of Two pages over 22 steps, the head on top. It grows to 2 entries, none of which is written back.
    """
    found, paper = timeline(run, "plot_lru"), paper_of(theme)
    blocks = list(spans(found)) if found.unit == "steps" and len(found.changes) <= BLOCKS else []
    if blocks and len(blocks) <= BLOCKS and max(block.place for block in blocks) < DEEPEST:
        return _in_blocks(found, blocks, paper)
    return _as_map(found, columns, paper)


def _alt(found: Timeline, deepest: int, more: str) -> str:
    whose = found.whose[0].upper() + found.whose[1:]
    return (
        f"{whose} of {found.name} over {found.length:,} {found.unit}, the head on top. It grows to {deepest:,} "
        f"{found.listed}{more}"
    )


# -- in blocks --------------------------------------------------------------------------------------------------


def _in_blocks(found: Timeline, blocks: list[Span], paper: Paper) -> Figure:
    deepest = 1 + max(block.place for block in blocks)
    written = [what for what, _ in sorted(found.ends.items(), key=lambda end: end[1]) if found.ends[what][1]]
    listed = "pages" if found.listed == "entries" else "pages of the backend"
    finding = f"{listed}, by their number; {len(written):,} of {len(found.names):,} written back"
    figure = new_figure(paper, max(3.2, 1.9 + 0.3 * deepest), f"{found.name}: {found.whose} over time", finding)
    axes = dressed(figure.subplots(), paper, found.unit, "place on the LRU")
    axes.set_xlim(0, found.end)
    axes.set_ylim(deepest - 0.3, -1.4)
    ticks = range(0, deepest, 1 if deepest < 8 else 2)
    axes.set_yticks(ticks, ["head  0", *map(str, ticks[1:])])
    for block in blocks:
        _draw_block(axes, found, block, paper)
    _mark_ends(axes, found, blocks, True, paper)
    _mark_ends(axes, found, blocks, False, paper)
    again = moves(found)
    _mark_moves(axes, found, again, paper)
    numbers = ", ".join(str(found.names.get(what, what)) for what in written)
    gone = f"; written back, in this order: {numbers}." if written else ", none of which is written back."
    figure.alt = _alt(found, deepest, gone + (  # type: ignore[attr-defined]
        f" {times(len(again)).capitalize()} one that was there already goes back to the head." if again else ""
    ))  # fmt: skip
    return figure


def _draw_block(axes: Axes, found: Timeline, block: Span, paper: Paper) -> None:
    from matplotlib.patches import Rectangle

    what, place, begin, end = block
    number = found.names.get(what, what)
    colour = entry_colour(number)
    box: dict[str, Any] = {"facecolor": colour, "edgecolor": paper.paper, "linewidth": 1.2}
    axes.add_patch(Rectangle((begin, place - 0.44), end - begin, 0.88, **box))
    if (end - begin) / found.length > 0.011 * len(str(number)):
        ink = "#ffffff" if colour == OKABE_ITO["blue"] else "#1b1d1f"
        text: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": SMALL, "fontweight": "bold"}
        axes.text((begin + end) / 2, place, str(number), color=ink, clip_on=True, **text)


def _mark_ends(axes: Axes, found: Timeline, blocks: list[Span], written: bool, paper: Paper) -> None:
    """A cross where something is written back, a square where it is freed otherwise; one of them says what it means."""
    gone = {what for what, (_, back) in found.ends.items() if back is written}
    last = {block.what: block for block in sorted(blocks, key=lambda block: block.end) if block.what in gone}
    if not last:
        return
    ends = [(block.end, block.place) for block in last.values()]
    colour = paper["writeback"] if written else paper.ink
    offset = offset_copy(axes, 7)
    mark: dict[str, Any] = {"color": colour, "markersize": 8 if written else 6, "transform": offset, "clip_on": False}
    axes.plot(*zip(*ends, strict=True), "X" if written else "s", **mark)
    moment, place = max(ends, key=lambda end: (end[1], -end[0]))
    label(axes, "written back" if written else "freed", moment, place, colour, xytext=(16, 0))


def _mark_moves(axes: Axes, found: Timeline, again: list[tuple[int, int]], paper: Paper) -> None:
    """A triangle wherever something goes back to the head; where there is most room it is said what it means."""
    if not again:
        return
    moments = [moment for moment, _ in again]
    axes.plot(moments, [-0.85] * len(again), "^", color=paper["load"], markersize=7)
    said = "used again: back to the head" if found.listed == "entries" else "filled again: back to the head"
    room = [after - before for before, after in pairwise([0, *moments, found.length])]
    widest = room.index(max(room))
    right = widest > 0
    moment = moments[widest - 1] if right else moments[0]
    place: dict[str, Any] = {"xytext": (8 if right else -8, 1), "ha": "left" if right else "right"}
    label(axes, said, moment, -0.85, paper["load"], **place)


# -- as a map ---------------------------------------------------------------------------------------------------


def _as_map(found: Timeline, columns: int, paper: Paper) -> Figure:
    written = found.events["written back"]
    every = max(1, found.length // columns)
    listed = [[age for _, age in those] for _, those in snapshots(found.changes, found.length, every)]
    deepest = max(map(len, listed), default=0) or 1
    finding = "nothing is written back"
    if written:
        finding = f"{len(written):,} entries are written back, {_bursts(found)}"
    figure = new_figure(paper, 5.6, f"{found.name}: {found.whose} over time", finding)
    above, below = figure.subplots(2, sharex=True, height_ratios=[6, 1])
    dressed(above, paper, "", f"place on the LRU, {found.listed}\n(0 = head, the newest)")
    above.set_ylim(deepest * 1.05, -deepest * 0.14)
    image = _draw_ages(above, listed, deepest, every, paper)
    bar = figure.colorbar(image, ax=[above, below], pad=0.02, aspect=34)
    bar.outline.set_visible(False)
    what = "stored or read" if found.listed == "entries" else "last filled"
    dressed(bar.ax, paper, "", f"{found.unit} since it was {what}")
    followed = _choose(found)
    colours = [paper.ink, *(OKABE_ITO[name] for name in LIVES[paper.theme])]
    for life, colour in zip(followed, colours, strict=False):
        _draw_life(above, found, life, colour, paper)
    _tell_lives(above, found, followed, paper)
    below.hist(written, bins=len(listed), range=(0, len(listed) * every), color=paper["writeback"])
    dressed(below, paper, found.unit, "written\nback")
    below.set_ylim(0, None if written else 1)
    below.set_xlim(0, found.end)
    bitten = f"; {len(written):,} entries are written back, {_bursts(found)}"
    figure.alt = _alt(found, deepest, (  # type: ignore[attr-defined]
        f"{bitten if written else ', none of which is written back'}. The further down, the longer ago something was "
        f"put at the head.{FOLLOWED if followed else ''}"
    ))  # fmt: skip
    return figure


def _bursts(found: Timeline) -> str:
    """In how many bursts entries are written back: within one nothing is stored."""
    moments = [(moment, kind) for kind in ("stored", "written back") for moment in found.events[kind]]
    kinds = ["stored", *(kind for _, kind in sorted(moments))]
    count = sum(one == "stored" and other == "written back" for one, other in pairwise(kinds))
    return "in one burst" if count == 1 else f"in {count:,} bursts"


def _draw_ages(axes: Axes, listed: list[list[int]], deepest: int, every: int, paper: Paper) -> Any:
    import numpy
    from matplotlib.colors import LinearSegmentedColormap

    ages = numpy.full((deepest, len(listed)), numpy.nan)
    for column, down in enumerate(listed):
        ages[: len(down), column] = down
    shades = LinearSegmentedColormap.from_list("age", AGES[paper.theme])
    extent = (-every / 2, len(listed) * every - every / 2, deepest, 0)
    return axes.imshow(ages, aspect="auto", cmap=shades, vmin=0, extent=extent, interpolation="nearest")


def _choose(found: Timeline) -> list[Life]:
    return choose_lives(found.lives) if found.listed == "entries" else []


def choose_lives(lives: list[Life]) -> list[Life]:
    """Two entries that were written back, early and late, and of the others the one that was read most often."""
    written = [life for life in lives if life.written_back]
    others = [life for life in lives if not life.written_back]
    chosen = [written[len(written) // 8], written[len(written) * 7 // 8]] if written else []
    return chosen + sorted(others, key=lambda life: len(life.put))[-1:]


def _draw_life(axes: Axes, found: Timeline, life: Life, colour: str, paper: Paper) -> None:
    """Follow an entry: a line along its places, a dot wherever it is put at the head, a mark and words at its end."""
    from matplotlib.patheffects import withStroke

    halo = [withStroke(linewidth=4.5, foreground=paper.paper)]
    numbers, places = zip(*places_of(found, life, max(1, found.length // 300)), strict=True)
    axes.plot(numbers, places, color=colour, linewidth=2, path_effects=halo, zorder=3)
    edge: dict[str, Any] = {"markeredgecolor": paper.paper, "zorder": 4, "clip_on": False, "linestyle": "none"}
    axes.plot(life.put, [0] * len(life.put), marker="o", color=colour, markersize=7, **edge)
    marker, end, said = ("X", paper["writeback"], "written back") if life.written_back else ("s", paper.ink, "freed")
    axes.plot(numbers[-1], places[-1], marker=marker, color=end, markersize=9, **edge)
    right = numbers[-1] > found.length * 0.7
    box: dict[str, Any] = {"facecolor": paper.paper, "edgecolor": "none", "pad": 1.5, "alpha": 0.85}
    beside: dict[str, Any] = {"ha": "right" if right else "left", "bbox": box, "fontsize": SMALL, "zorder": 5}
    label(axes, said, numbers[-1], places[-1], end, xytext=(-9 if right else 10, -13 if right else 0), **beside)


def _tell_lives(axes: Axes, found: Timeline, followed: list[Life], paper: Paper) -> None:
    """Above the head, at its beginning, what becomes of each that is followed."""
    for row, life in enumerate(sorted(followed, key=lambda life: life.put[0])):
        reads = len(life.put) - 1
        said = f"stored, then read {times(reads)}" if reads else "stored, never read"
        right = life.put[0] > found.length * 0.75
        aside, up = 5 if right else -5, 28 if row == 1 else 13
        place: dict[str, Any] = {"xytext": (aside, up), "ha": "right" if right else "left"}
        label(axes, said, life.put[0], 0, paper.ink, fontsize=SMALL, **place)


def places_of(run: Timeline | Replayed, life: Life, every: int) -> list[tuple[int, int]]:
    """(moment, place on the LRU) of one entry, every so many moments and at every change of its own."""
    order: dict[int, None] = {}  # the last is the head
    found: list[tuple[int, int]] = []
    moment = life.put[0]

    def note(number: int) -> None:
        if life.offset in order and life.put[0] <= number <= life.ended:
            found.append((number, next(place for place, what in enumerate(reversed(order)) if what == life.offset)))

    for number, put, what in run.changes:
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


# -- the LRU at any moment ------------------------------------------------------------------------------------


class Span(NamedTuple):
    """Something that stays at one place of the LRU from `begin` to `end`; 0 is the head."""

    what: int
    place: int
    begin: int
    end: int


def spans(found: Timeline) -> Iterator[Span]:
    """Everything on the LRU, and where, from change to change."""
    order: list[int] = []  # from head to tail
    since: dict[int, int] = {}
    for moment, put, what in found.changes:
        after = [what] * put + [other for other in order if other != what]
        for place, other in enumerate(order):
            if other == what or after[place : place + 1] != [other]:
                yield from _span(other, place, since, moment)
        if put:
            since[what] = moment
        order = after
    for place, other in enumerate(order):
        yield from _span(other, place, since, found.length)


def _span(what: int, place: int, since: dict[int, int], moment: int) -> Iterator[Span]:
    if since[what] < moment:
        yield Span(what, place, since[what], moment)
    since[what] = moment


def moves(found: Timeline) -> list[tuple[int, int]]:
    """(moment, what) where something that was on the LRU was put at its head."""
    listed: set[int] = set()
    moved = []
    for moment, put, what in found.changes:
        if put and what in listed:
            moved.append((moment, what))
        (listed.add if put else listed.discard)(what)
    return moved
