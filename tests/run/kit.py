"""What the tests of run/ share: the simplest driver of several CPUs, which owes nothing to Session."""

from __future__ import annotations

import random

from zswaplab.run.cpus import Cpus, unpacked


def follow(cpus: Cpus, schedule: str) -> None:
    """Take every step of a schedule."""
    for cpu in unpacked(schedule, len(cpus.tasks)):
        cpus.allow(cpu, schedule)
        cpus.step(cpu)


def finish(cpus: Cpus, seed: int | None = None) -> None:
    """Run to the end, as chance has it or one CPU after the other; a deadlock is raised like any other fault."""
    dice = None if seed is None else random.Random(seed)
    while ready := cpus.ready():
        cpus.step(dice.choice(ready) if dice else ready[0])
    if problem := cpus.deadlock():
        raise problem
