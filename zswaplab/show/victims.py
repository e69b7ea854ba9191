"""`victims`: what policies would have chosen in a recorded kernel, each time that it chose."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..model.errors import BadInput
from ..run.policies import Candidate, Policy, name_of, policy, policy_named, times_of
from ..run.rules import take_place
from ..trace.conform import can_be_held
from ..trace.read import read
from ..trace.replay import Replay

if TYPE_CHECKING:
    import pandas


def victims(run: str | Path, policies: Sequence[str | Policy]) -> pandas.DataFrame:
    """Each time a recorded kernel chose an entry to write back: the slot that it chose, and that of each policy.

    The kernel's choice is always followed, so each policy is asked about the LRU as the kernel had it. Times are
    counted in stores and loads. `policies` are functions or the names "LRU", "MRU", "FIFO". Raises BadInput for a
    recording in which a backend chose, for "Belady" (what comes is not known), and as `replay` does.

    >>> table = victims("f65-zsmalloc-overflow-on", ["FIFO"])
    >>> table.columns.tolist(), len(table)
    (['kernel', 'FIFO'], 2509)
    """
    import pandas

    if "Belady" in policies:
        raise BadInput("policy='Belady' has to know what comes, and a recording's program is not known: leave it out")
    choices = [policy_named(one, []) if isinstance(one, str) else one for one in policies]
    names = [one if isinstance(one, str) else name_of(one) for one in policies]
    rows: list[list[int]] = []

    def asked(entries: Sequence[Candidate]) -> Candidate:
        kernels = entries[-1]
        rows.append([one.slot for one in (kernels, *(choice(entries) for choice in choices))])
        return kernels

    replay = Replay(read(can_be_held(run, None)))
    machine = replay.machine
    if machine.zswap.pool.evictable:
        raise BadInput(f"run={str(run)!r} is of a kernel in which {machine.zswap.pool.zpool.name} chose by itself: "
                       "give one from patch 4 on, like 'p4-zbud-overflow'")

    def tick(event: str, subject: Any, value: Any) -> None:
        if event == "begin" and subject in ("store", "load"):
            times_of(machine.zswap).now += 1

    take_place(machine, policy(asked))
    machine.hook.subscribe(tick)
    replay.run()
    return pandas.DataFrame(rows, columns=["kernel", *names]).rename_axis("choice")
