"""The exercises of notebook 03: full."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from ...run.setup import SWAP_PAGES, Setup
from ..answers import notebook03
from ..misconceptions import out
from ..variant import Variant
from .code import Function, Kernels, like

SMALL: dict[str, Any] = {"compressor": "lengths", "ram_pages": 10, "worker_failures": 2, "swap_pages": SWAP_PAGES}


class Worker(Kernels):
    """03.1: the loop of the shrink worker."""

    answers = notebook03
    asks: ClassVar[Mapping[str, Function]] = {"shrink_worker": like("shrink_worker")}
    kernels: Sequence[Setup] = (Setup("v6.5", **SMALL), Setup("base", **SMALL))
    units: Sequence[Sequence[str]] = (["worker"], ["read 5"], out(5), out(6), out(10))
    longest = 5
    longer: Sequence[Sequence[str]] = (
        [*out(5), "read 5", *out(6), "worker"], [*out(5, 6, 10), "worker"], [*out(5), "read 5", *out(6, 10), "worker"],
    )
    runs = ("base-zbud-overflow",)


VARIANTS: dict[str, type[Variant]] = {"03.1": Worker}
