"""The backend interface (zpool) and the table of backends."""

from __future__ import annotations

from ..stages import Stage
from ..steps import Hook
from .interface import Handle, Mapped, Zpool
from .z3fold import Z3fold
from .zbud import Zbud
from .zsmalloc import Zsmalloc

__all__ = ["ZPOOLS", "Handle", "Mapped", "Z3fold", "Zbud", "Zpool", "Zsmalloc", "make_zpool"]

ZPOOLS: dict[str, type[Zpool]] = {"zbud": Zbud, "z3fold": Z3fold, "zsmalloc": Zsmalloc}


def make_zpool(name: str, hook: Hook, stage: Stage) -> Zpool:
    """An empty backend of that name as that stage has it (`zpool_create_pool`)."""
    return ZPOOLS[name](hook, stage)
