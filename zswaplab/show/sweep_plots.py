"""A sweep as a picture: what a run comes to, against what was changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..model.errors import BadInput, choose
from .figures import TEXT, dressed, key, new_figure, paper_of
from .palette import OKABE_ITO

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

LINES = {"light": ("blue", "vermillion", "bluish green", "reddish purple"),
         "dark": ("sky blue", "orange", "bluish green", "reddish purple")}  # fmt: skip
MARKS, STYLES = "os^D", ("-", "--", "-.", ":")


def plot_sweep(
    table: pandas.DataFrame, x: str, y: str = "disk reads", by: str | None = None, *, theme: str = "light"
) -> Figure:
    """Column `y` of a table of `sweep` against column `x`, a line for each value of column `by`, four at most.

    Every other column that was swept must have one value. Raises BadInput for a column that is not there, for more
    than four lines, and for two rows with the same place on a line.

    >>> from zswaplab import Setup, sweep
    >>> table = sweep(Setup(workload="loop", ram_pages=30), max_pool_percent=[20, 30, 40], policy=["LRU", "MRU"])
    >>> print(plot_sweep(table, "max_pool_percent", by="policy").alt)
    disk reads against max_pool_percent. LRU: 13, 9, 5. MRU: 7, 3, 0. max_pool_percent: 20, 30, 40.
    """
    for name in (x, y, *([by] if by else [])):
        choose("column", name, table.columns)
    places = [str(value) for value in dict.fromkeys(table[x])]
    named = [("", table)] if by is None else [(str(name), rows) for name, rows in table.groupby(by, sort=False)]
    if len(named) > len(MARKS):
        raise BadInput(f"by={by!r} has {len(named)} values, and {len(MARKS)} lines can be told apart: take fewer")
    if any(rows[x].duplicated().any() for _, rows in named):
        raise BadInput(f"x={x!r} has a value twice on one line: give `by` a column that tells the rows apart")
    paper = paper_of(theme)
    figure = new_figure(paper, 3.8, f"{y} against {x}")
    axes = dressed(figure.subplots(), paper, x, y)
    told = []
    for number, (name, rows) in enumerate(named):
        look: dict[str, Any] = {"marker": MARKS[number], "linestyle": STYLES[number], "linewidth": 2, "markersize": 7}
        colour = OKABE_ITO[LINES[theme][number]]
        axes.plot([places.index(str(value)) for value in rows[x]], rows[y], color=colour, label=name or None, **look)
        told.append(f"{name}: {', '.join(map(str, rows[y]))}." if name else f"{', '.join(map(str, rows[y]))}.")
    axes.set_xticks(range(len(places)), places, fontsize=TEXT)
    axes.set_ylim(bottom=0)
    if by is not None:
        key(axes, paper, len(MARKS))
    figure.alt = f"{y} against {x}. {' '.join(told)} {x}: {', '.join(places)}."  # type: ignore[attr-defined]
    return figure
