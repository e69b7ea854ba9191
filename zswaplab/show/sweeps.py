"""`sweep`: one setup run with many values, as a table."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any

from ..run.setup import Setup
from ..run.sweeps import rows_of_sweep

if TYPE_CHECKING:
    import pandas


def sweep(setup: Setup, executor: Executor | None = None, **values: Iterable[Any]) -> pandas.DataFrame:
    """Run a setup once with each combination of values, and give a table: a row for each run.

    `values` are lists, each with the name of a field of Setup, like `max_pool_percent=[10, 20]`, or `policy`: of
    functions as `policy` takes them, or of the names "LRU", "MRU", "FIFO", "Belady" (the page that is needed last
    leaves, which no kernel can know); None is what zswap itself does. `executor` is anything like the executors of
    concurrent.futures, which then make the runs, in whatever order; the table is the same without one.

    The columns after the values: `faults` on pages in swap, of which so many were answered `from zswap` and so many by
    `disk reads`; `stores`, stores `refused`, entries `written back`; `most pool pages` that the pool had; and the kind
    of fault that the run was `ended by`, if one was. Raises BadInput for a name or a value that cannot be.

    >>> setup = Setup(workload="scan", ram_pages=30, compressor="lengths")
    >>> table = sweep(setup, policy=["LRU", "MRU"], max_pool_percent=[20, 30])
    >>> table[["policy", "max_pool_percent", "disk reads"]].values.tolist()
    [['LRU', 20, 4], ['LRU', 30, 0], ['MRU', 20, 0], ['MRU', 30, 0]]
    """
    import pandas

    return pandas.DataFrame(rows_of_sweep(setup, executor, values))
