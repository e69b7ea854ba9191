"""Whether a recording can be judged: what its recorder found amiss, and what its machine did that no row tells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

STAYS = ("totalram_pages", "cpus")  # besides zswap's parameters: what a replay takes for the whole recording


def doubts(settings: dict[str, Any]) -> list[str]:
    """What the recorder's own checks say against a recording, in words; empty if it is whole.

    >>> doubts({"checks": {"ring_buffer_lost_events": 12, "loads_ok vs vmstat.zswpin": [5, 5]}})
    ['12 events were lost, so that rows are missing or wrong (ring_buffer_lost_events)']
    """
    return [_in_words(name, found) for name, found in settings.get("checks", {}).items() if not _holds(found)]


def _holds(found: Any) -> bool:
    """No losses, or the same number twice."""
    numbers = isinstance(found, list) and len(found) == 2 and all(isinstance(number, int) for number in found)
    return found[0] == found[1] if numbers else not found


def _in_words(name: str, found: Any) -> str:
    if name == "ring_buffer_lost_events":
        return f"{found:,} events were lost, so that rows are missing or wrong ({name})"
    return f"{name}: {found}"


def unseen_in_settings(settings: dict[str, Any]) -> Iterator[str]:
    """What changed while it was recorded and no row tells of, as its settings before and after say; with the remedy."""
    before = settings["params"]
    for name, after in settings.get("params_end", {}).items():
        if (name.startswith("zswap.") or name in STAYS) and before.get(name, after) != after:
            yield (
                f"{name} was changed while it was recorded, from {before[name]!r} to {after!r} (params and "
                "params_end), and no row says when; record with parameters that stay"
            )
    total, device = settings["counters_start"]["meminfo.SwapTotal"].split()[0], str(before.get("swap", "")).split()
    if len(device) > 2 and device[2] != total:
        yield (
            f"the machine had {total} kB of swap, and its device {device[0]} has {device[2]} kB: there was another "
            "swap device, and a replay has one; record with one"
        )


def unseen_between(rows: Sequence[Any]) -> Iterator[tuple[Any, str]]:
    """Rows that show that swap was turned off or on again, where no row says when that began; with what they show."""
    turning_off = off = False
    for row in rows:
        if row.op == "swapoff":
            turning_off = True
        elif row.op == "invalidate_area":
            if not turning_off:
                yield row, "swap has been turned off, and no swapoff row says when that began"
            off = True
        elif off and row.op in ("swapout", "store", "w:start"):
            yield row, "swap had been turned off for good, and is used again: no row says when it was turned on"
