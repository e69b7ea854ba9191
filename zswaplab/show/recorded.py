"""A recording of a real kernel as the workload of a run: what it did first, with the settings of its kernel.

In the lab panel such a workload is called "recording p4-zbud-overflow 300": which recording, how many operations.
"""

from __future__ import annotations

from functools import cache
from typing import Any, TypeGuard

from ..model.errors import BadInput, require
from ..run.setup import Setup
from ..trace.shipped import shipped_runs
from ..trace.workload import first_operations, settings_of

NAME, TITLE = "recording", "A recording of a real kernel"
FIRST, USUAL, MOST = "p4-zbud-overflow", 200, 2_000  # the recording that is offered, and how many operations
LIMITS = ("device", "ram_pages", "swap_pages", "max_pool_percent", "accept_threshold_percent")
_names: dict[tuple[str, ...], tuple[str, int]] = {}  # lines -> the recording whose they are, how many were asked for


def runs() -> list[str]:
    """The recordings that are offered."""
    return list(shipped_runs())


def is_meant(workload: Any) -> TypeGuard[str]:
    """Whether a workload names a recording."""
    return isinstance(workload, str) and workload.split()[:1] == [NAME]


def lines_of(workload: str) -> tuple[str, ...]:
    """The operations that a text like "recording p4-zbud-overflow 300" names.

    Raises BadInput for a recording that is not shipped, and for a number that cannot be.
    """
    name, count = parsed(workload)
    lines = _lines(name, count)
    _names[lines] = name, count
    return lines


@cache
def _lines(name: str, count: int) -> tuple[str, ...]:
    return tuple(first_operations(name, count))


def parsed(workload: str) -> tuple[str, int]:
    """The recording and the number of operations that a text names. Raises BadInput for what cannot be."""
    _, *rest = workload.split()
    name, count, *more = [*rest, *[FIRST, str(USUAL)][len(rest) :]]
    if more or not count.isdecimal() or len(count) > 9:
        raise BadInput(f"workload={workload!r} cannot be: write a recording and a number, '{NAME} {FIRST} {USUAL}'")
    if name not in runs():
        raise BadInput(f"workload={workload!r} names no recording that is shipped; those are: {', '.join(runs())}")
    require("operations", int(count), 1, MOST, "operations")
    return name, int(count)


def chosen(setup: Setup) -> tuple[str, int] | None:
    """The recording whose operations a setup's workload is, and how many were asked for; None for another workload."""
    return _names.get(setup.workload) if isinstance(setup.workload, tuple) else None


def settings(workload: str) -> dict[str, Any]:
    """The fields of Setup in which a recording's kernel is followed."""
    return {**settings_of(parsed(workload)[0]), "evictable": None}


def other_settings(setup: Setup, name: str) -> list[str]:
    """The fields in which a setup is not as the recording's kernel was."""
    return [field for field, value in settings_of(name).items() if getattr(setup, field) != value]
