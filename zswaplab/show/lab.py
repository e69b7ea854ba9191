"""The lab panel: switches above the player. Every change runs the same workload again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import ipywidgets  # type: ignore[import-untyped]

from ..model.errors import BadInput, choose
from ..model.machine import Machine
from ..model.stages import STAGES, own_form
from ..run.history import History, record
from ..run.workloads import revisit
from .kept import shown
from .player import play

SWITCHES = ("evictable", "exclusive_loads")


def lab(
    stage: str = "1",
    show: Iterable[str] = SWITCHES,
    *,
    workload: Iterable[str] | None = None,
    zpool: str = "zbud",
    ram_pages: int = 30,
) -> Lab:
    """A panel for one stage of the kernel: the switches in `show` ("evictable", "exclusive_loads") and a player.

    `workload` is a list of operations for `record`; `ram_pages` and `zpool` go to the Machine. Raises
    BadInput for a stage or switch that is not known, or cannot be turned at that stage.

    >>> panel = lab(stage="1")
    >>> panel.evictable.value = False
    >>> panel.history.written_back()
    [2, 3, 4, 5, 6]
    """
    choose("stage", stage, STAGES)
    shown = [show] if isinstance(show, str) else list(show)
    for name in shown:
        choose("show", name, SWITCHES)
    if "evictable" in shown and not STAGES[stage].asks_evictable:
        raise BadInput(f"show='evictable' cannot be at stage {stage}: no backend evicts any more; choose an earlier")
    if "exclusive_loads" in shown:
        own_form(STAGES[stage])  # BadInput where there were none yet
    return Lab(stage, shown, list(revisit() if workload is None else workload), zpool, ram_pages)


class Lab(ipywidgets.VBox):  # type: ignore[misc]
    """The panel. `evictable` and `exclusive_loads` are its switches, `player` its player, `history` the run shown."""

    def __init__(self, stage: str, shown: list[str], workload: list[str], zpool: str, ram_pages: int) -> None:
        self.stage, self.workload, self.zpool, self.ram_pages = stage, workload, zpool, ram_pages
        can_evict = zpool in STAGES[stage].evictable
        self.evictable = switch(zpool, [("evictable", True), ("not evictable", False)], can_evict)
        self.exclusive_loads = switch("exclusive loads", [("off", False), ("on", True)], False)
        self.history = self.run()
        self.player = play(self.history)
        self.player.step = next((i for i, moment in enumerate(self.history.moments) if moment.event == "refuse"), 0)
        self.outcome = ipywidgets.HTML(outcome(self.history, None))
        switches = [self.evictable] * ("evictable" in shown) + [self.exclusive_loads] * ("exclusive_loads" in shown)
        for one in switches:
            one.observe(self.again, "value")
        row = ipywidgets.HBox(switches, layout=ipywidgets.Layout(flex_flow="row wrap", grid_gap="4px 28px"))
        super().__init__([row, self.outcome, self.player])
        self.add_class("zswaplab-panel")  # whose switches pass the player's keys on to it

    def __repr__(self) -> str:
        words = "; ".join(f"{name}: {value}" for name, value in facts(self.history).items())
        return f"{self.history.title}: {words}\n{self.player!r}"

    def _ipython_display_(self, **options: Any) -> None:
        shown(self, self.outcome.value + self.player.picture(), repr(self))

    def run(self) -> History:
        """Run the workload with the switches as they stand."""
        machine = Machine(
            self.stage, self.zpool, "on" if self.exclusive_loads.value else "off",
            evictable=self.evictable.value if STAGES[self.stage].asks_evictable else None, ram_pages=self.ram_pages,
        )  # fmt: skip
        return record(machine, self.workload, title=f"The workload at stage {self.stage}")

    def again(self, change: Any = None) -> None:
        """A switch was turned: the same workload on the other kernel, seen from the same place in time."""
        before, place = self.history, self.player.step
        self.history = self.run()
        self.player.show(self.history)
        self.player.step = same_place(before, place, self.history)
        self.outcome.value = outcome(self.history, before)


def switch(label: str, options: list[tuple[str, bool]], value: bool) -> ipywidgets.ToggleButtons:
    return ipywidgets.ToggleButtons(
        options=options, value=value, description=label,
        style={"button_width": "auto", "description_width": "auto"}, layout=ipywidgets.Layout(width="auto"),
    )  # fmt: skip


def same_place(before: History, step: int, after: History) -> int:
    """The step of `after` that is as far into the same operation of the workload as `step` was in `before`."""
    if not len(before) or not len(after):
        return 0
    operation = before[step].operation
    begun = next(i for i, moment in enumerate(before.moments) if moment.operation == operation)
    number = nth(before, operation)
    places = [i for i, moment in enumerate(after.moments) if nth(after, moment.operation) == number]
    return min(places[0] + step - begun, places[-1]) if places else len(after) - 1


def nth(history: History, operation: int) -> int:
    """Which operation of the workload this is: what a kworker does is not counted."""
    return sum(not one.queued for one in history.operations[:operation])


def facts(history: History) -> dict[str, str]:
    """What a run came to, in the order of the table."""
    pages = history.written_back()
    return {
        "stored": f"{history.count('store')} pages",
        "refused": f"{history.count('refuse')}",
        "written back": f"page {', '.join(map(str, pages))}" if pages else "none",
        "read from zswap": f"{history.count('load')}",
        "read from disk": f"{history.disk_reads()}",
        "ended": "the kernel crashed" if history.fault else "well",
    }


def outcome(now: History, before: History | None) -> str:
    """What the workload came to, and what it was before the last change, as a small table."""
    new, old = facts(now), facts(before) if before else {}
    cell = "padding:2px 18px 2px 0;text-align:left;vertical-align:top"
    head = "".join(f'<th scope="col" style="{cell};font-weight:600;opacity:.75">{name}</th>' for name in new)

    def line(name: str, values: dict[str, str], bold: bool) -> str:
        marked = [
            f'<td style="{cell};{"font-weight:700" if bold and old and old[key] != value else ""}">{value}</td>'
            for key, value in values.items()
        ]
        return f'<tr><th scope="row" style="{cell};font-weight:600;opacity:.75">{name}</th>{"".join(marked)}</tr>'

    body = line("now", new, True) + (line("before", old, False) if old else "")
    return (
        '<table style="border-collapse:collapse;line-height:1.6;color:var(--jp-ui-font-color1,inherit);margin:6px 0">'
        f"<thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table>"
    )
