"""Which entries leave zswap, and in which order: a recorded kernel's and the model's on the same axes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..model.errors import BadInput
from .figures import TEXT, dressed, new_figure, paper_of
from .palette import OKABE_ITO

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..trace.read import Row

_SEEN = ("store", "load", "writeback")


class Victim(NamedTuple):
    """An entry that was written back: its swap slot, and when it had last been stored or loaded."""

    offset: int
    used: int


def plot_victims(*runs: str | Path, theme: str = "light") -> Figure:
    """The entries that were written back, one after the other, and when each had last been used: a panel a recording.

    `runs` are names of shipped recordings, or folders. *Used* is stored or loaded, and its moment the event of the
    recording at which that ended. A wide dot is the recorded kernel's victim, a thin one in it the model's. Where the
    entry that was unused for longest leaves, each dot lies higher than the one before it. Raises BadInput as `replay`
    does, and where there is no run.

    >>> plot_victims("f65-zbud-exact-on").alt.rpartition(": ")[2]
    'in f65-zbud-exact-on nothing is written back.'
    """
    from ..trace.tables import replay

    if not runs:
        raise BadInput("plot_victims() has nothing to draw: give it the names of recordings, like 'p2-zbud-overflow'")
    paper = paper_of(theme)
    every = [(replayed.run, recorded_victims(run), replayed_victims(replayed))
             for run in runs for replayed in [replay(run)]]  # fmt: skip
    finding = "wide: the recorded kernel; thin: the model"
    figure = new_figure(paper, 4.9, "What leaves, and when it had last been used", finding)
    panels = figure.subplots(1, len(every), sharex=True, sharey=True, squeeze=False)[0]
    wide: dict[str, Any] = {"color": OKABE_ITO["sky blue" if theme == "light" else "blue"], "markersize": 6}
    thin: dict[str, Any] = {"color": paper.ink, "markersize": 1.4}
    for axes, (name, kernel, model) in zip(panels, every, strict=True):
        for victims, look in ((kernel, wide), (model, thin)):
            axes.plot([one.used for one in victims], "o", markeredgewidth=0, **look)
        dressed(axes, paper, "written back, one after the other", "last used at (event)" if axes is panels[0] else "")
        axes.locator_params("x", nbins=5)
        said = f"{name}\n{len(late(kernel)):,} of {len(kernel):,} after one used later"
        axes.set_title(said, loc="left", color=paper.ink, fontsize=TEXT)
    figure.alt = (  # type: ignore[attr-defined]
        "The entries that were written back, one after the other, against when each had last been stored or loaded, "
        "drawn twice: wide as the kernel recorded it, thin as the model has it: "
        f"{'; '.join(_told(*one) for one in every)}."
    )
    return figure


def _told(name: str, kernel: list[Victim], model: list[Victim]) -> str:
    if not kernel:
        return f"in {name} nothing is written back"
    same = "the same, in the same order" if offsets(kernel) == offsets(model) else "others"
    return (
        f"in {name} {len(kernel):,} leave, {len(late(kernel)):,} of them after one that had been used later; the "
        f"model's are {same}"
    )


def offsets(victims: list[Victim]) -> list[int]:
    """The swap slots of victims, in their order."""
    return [one.offset for one in victims]


def late(victims: list[Victim]) -> list[Victim]:
    """Those that left after another that had been used later than they."""
    found, latest = [], -1
    for one in victims:
        if one.used < latest:
            found.append(one)
        latest = max(latest, one.used)
    return found


def recorded_victims(run: str | Path) -> list[Victim]:
    """The entries that a recorded kernel wrote back, in their order, by its own rows. Raises BadInput as `read`."""
    from ..trace.read import read
    from ..trace.shipped import find_run

    return victims_of(read(find_run(run), ("offset", "ok")).rows)


def victims_of(rows: Iterable[Row]) -> list[Victim]:
    """The same of rows that were read already, with the cells `offset` and `ok`."""
    ends = sorted((row for row in rows if row.op in _SEEN), key=lambda row: row.seq_end)
    return _victims((row.seq_end, row.op, row.cells["offset"], bool(row.cells["ok"])) for row in ends)


def replayed_victims(replayed: Any) -> list[Victim]:
    """The entries that the model wrote back, of what `replay` returns, in their order."""
    return _victims((row["at"], row["operation"], row["offset"], row["ok"]) for row in replayed.rows)


def _victims(events: Iterable[tuple[int, str, int, bool]]) -> list[Victim]:
    used: dict[int, int] = {}
    found = []
    for moment, operation, offset, ok in events:
        if ok and operation == "writeback":
            found.append(Victim(offset, used[offset]))
        elif ok and operation in _SEEN:
            used[offset] = moment
    return found
