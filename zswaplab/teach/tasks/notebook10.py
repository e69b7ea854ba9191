"""The exercises of notebook 10: races."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from ...run.setup import SWAP_PAGES, Setup
from ..answers import notebook10
from ..misconceptions import out
from ..variant import Variant
from .code import Function, Kernels, like

V65 = Setup("v6.5", compressor="lengths", swap_pages=SWAP_PAGES, worker_failures=2)
ONE_SLOT = V65.but(swap_pages=2, workload=["write 3", "page_out 3", "write 4"])


class Verify(Kernels):
    """10.1: what a reclaim has to look at before it writes an entry."""

    answers = notebook10
    asks: ClassVar[Mapping[str, Function]] = {"reclaim_entry": like("reclaim_entry")}
    kernels: Sequence[Setup] = (V65,)
    units: Sequence[Sequence[str]] = (["worker"], ["read 0"], ["free 0"], out(0), out(1))
    longer: Sequence[Sequence[str]] = ([*out(0), "read 0", *out(1), "worker"],)
    cases: Sequence[Setup] = (
        ONE_SLOT.but(cpus=["worker", "free 3; page_out 4"]), V65.but(workload=out(3), cpus=["worker", "free 3"]),
    )
    spared = ("Leak",)  # 6.5 strands a frame where the slot was recycled
    runs = ("f65-zsmalloc-overflow-on",)


VARIANTS: dict[str, type[Variant]] = {"10.1": Verify}
