"""Many runs of one setup, each with other values: a row each, worked out wherever an executor runs them."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import fields
from itertools import product
from typing import Any

from ..model.errors import BadInput, choose
from .history import record
from .policies import Policy, name_of, policy, policy_named
from .setup import Setup

AXES = (*(one.name for one in fields(Setup)), "policy")
Job = tuple[Setup, "Policy | str | None"]


def rows_of_sweep(setup: Setup, executor: Executor | None, axes: Mapping[str, Iterable[Any]]) -> list[dict[str, Any]]:
    """A row for each combination of the axes' values, the last axis going round first. Raises BadInput as `sweep`."""
    if not isinstance(setup, Setup):
        raise BadInput(f"setup={setup!r} cannot be swept: give a Setup, like Setup(workload='scan', ram_pages=30)")
    values = {name: values_of(name, given) for name, given in axes.items()}
    if not values:
        raise BadInput("a sweep needs something to change: give it values, like max_pool_percent=[10, 20, 30]")
    points = [dict(zip(values, point, strict=True)) for point in product(*values.values())]
    jobs = [job_of(setup, point) for point in points]
    measured = [measure(job) for job in jobs] if executor is None else measured_by(executor, jobs)
    shown = [{name: shown_as(value) for name, value in point.items()} for point in points]
    return [{**point, **row} for point, row in zip(shown, measured, strict=True)]


def values_of(axis: str, given: Any) -> list[Any]:
    """The values of an axis. Raises BadInput for an axis that is none, and for values that are no list."""
    choose("what is swept", axis, AXES)
    values = [] if isinstance(given, str) or not isinstance(given, Iterable) else list(given)
    if not values:
        raise BadInput(f"{axis}={given!r} cannot be swept: give a list of values, like {axis}=[{given!r}, ...]")
    return values


def job_of(setup: Setup, point: Mapping[str, Any]) -> Job:
    """One run of a sweep. Raises BadInput for a value that cannot be, before anything runs."""
    choice = point.get("policy")
    job = setup.but(**{name: value for name, value in point.items() if name != "policy"}), choice
    with_policy(*job)
    return job


def with_policy(setup: Setup, choice: Policy | str | None) -> Setup:
    """The setup with a policy, its own or named; with None what zswap itself does."""
    if choice is None:
        return setup
    if isinstance(choice, str):
        choice = policy_named(choice, setup.lines())
    return setup.but(functions={**dict(setup.functions), **policy(choice)})


def measured_by(executor: Executor, jobs: Sequence[Job]) -> list[dict[str, Any]]:
    """The rows of all jobs, in their order, whoever has worked them out."""
    if not hasattr(executor, "submit"):
        raise BadInput(f"executor={executor!r} cannot run anything: give one of concurrent.futures, like "
                       "ThreadPoolExecutor(), or None")
    futures = [executor.submit(measure, job) for job in jobs]
    try:
        return [future.result() for future in futures]
    except (pickle.PicklingError, AttributeError, TypeError) as problem:
        raise BadInput(f"a run cannot be sent to another process ({problem}): define its functions with `def` at the "
                       "top of a file or a cell, or use ThreadPoolExecutor()") from problem


def measure(job: Job) -> dict[str, Any]:
    """What a run comes to."""
    history = record(with_policy(*job))
    loads, disk_reads = history.count("load"), history.disk_reads()
    sizes = [change[1] for moment in history.moments for change in moment.changes if change[0] == "size"]
    return {
        "faults": loads + disk_reads, "from zswap": loads, "disk reads": disk_reads, "stores": history.count("store"),
        "refused": history.count("refuse"), "written back": history.count("writeback"),
        "most pool pages": max(sizes, default=0), "ended by": type(history.fault).__name__ if history.fault else "",
    }  # fmt: skip


def shown_as(value: Any) -> Any:
    """An axis's value as the table has it: a function by its name, the kernel's own policy as such."""
    return "the kernel's" if value is None else name_of(value) if callable(value) else value
