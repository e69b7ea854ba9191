"""The exercises of notebook 11: what was found later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from ...run.setup import SWAP_PAGES, Setup
from ..answers import notebook11
from ..misconceptions import out
from ..variant import Variant
from .code import Function, Kernels, like

V65 = Setup("v6.5", compressor="lengths", swap_pages=SWAP_PAGES, exclusive_loads="fixed")
SYNCHRONOUS = V65.but(device="synchronous", workload=out(3))


class Mend(Kernels):
    """11.1: exclusive loads that lose nothing."""

    answers = notebook11
    mends = True
    asks: ClassVar[Mapping[str, Function]] = {"load_end": like("load_end")}
    kernels: Sequence[Setup] = (V65, V65.but(exclusive_loads="off"))
    units: Sequence[Sequence[str]] = (["read 0"], ["page_out 0"], ["free 0"], ["worker"], out(0), out(1))
    longer: Sequence[Sequence[str]] = ([*out(0, 1), "read 0", "worker"],)
    cases: Sequence[Setup] = (
        SYNCHRONOUS.but(cpus=["read 3", "read 3"]), SYNCHRONOUS.but(cpus=["read 3", "read 3", "free 3"]),
        SYNCHRONOUS.but(cpus=["read 3; page_out 3; read 3"]),
    )
    runs = ("f65-zbud-overflow-off",)  # recorded kernels with exclusive loads on have the bug


VARIANTS: dict[str, type[Variant]] = {"11.1": Mend}
