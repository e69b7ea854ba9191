"""`Pool`: a backend, a compressor and the LRU of the entries kept there (`struct zswap_pool`)."""

from __future__ import annotations

from dataclasses import replace

from .compressors import COMPRESSORS, Compressor
from .errors import BadInput
from .freed import can_be_freed
from .lru import Lru
from .stages import ALL, NONE, Stage
from .steps import Hook, Lock
from .zpool import Zpool, make_zpool


class Pool:
    """Where compressed pages go.

    `evictable` says whether the backend can reclaim by itself; then zswap's own LRU stays empty.
    `header_bytes` precede each object in the backend. `refcount`: 1 for being the current pool, 1 an
    entry, 1 a queued worker. `work_pending`: the shrink worker is queued for it and has not begun.
    """

    __slots__ = ("zpool", "compressor", "evictable", "header_bytes", "lru", "lru_lock", "refcount", "work_pending")

    def __init__(self, zpool: Zpool, compressor: Compressor, hook: Hook, *, evictable: bool, header_bytes: int) -> None:
        self.zpool = zpool
        self.compressor = compressor
        self.evictable = evictable
        self.header_bytes = header_bytes
        self.lru = Lru(hook)
        self.lru_lock = Lock("lru_lock")
        self.refcount = 1
        self.work_pending = False

    def __repr__(self) -> str:
        who = "evictable" if self.evictable else "not evictable"
        return f"<pool: {self.zpool.name} ({who}), {self.compressor.name}, {self.zpool.pages} pages>"


can_be_freed(Pool, "zswap_pool", Pool.__slots__)


def make_pool(
    stage: Stage, zpool: str, compressor: str | Compressor, hook: Hook, evictable: bool | None = None
) -> Pool:
    """A new pool as that stage makes it (`zswap_pool_create`); `evictable` overrides whether its backend evicts."""
    if isinstance(compressor, str):
        compressor = COMPRESSORS[compressor]()
    if evictable is not None and not isinstance(evictable, bool):
        raise BadInput(f"evictable={evictable!r} cannot be: give True, False, or None for what the stage has")
    if evictable and not stage.asks_evictable:
        raise BadInput(f"evictable=True cannot be at stage {stage.id}: it never asks; choose an earlier stage")
    if evictable is not None:
        stage = replace(stage, evictable=ALL if evictable else NONE)
    evicts = stage.evicts(zpool)
    header = stage.header and (evicts or stage.header_always)
    backend = make_zpool(zpool, hook, stage)
    return Pool(backend, compressor, hook, evictable=evicts, header_bytes=8 if header else 0)
