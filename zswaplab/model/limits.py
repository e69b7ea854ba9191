"""`Limits`: zswap's parameters and counters, and when its pool is full.

Models the limit and its hysteresis in mm/zswap.c up to Linux 6.9: whole numbers, rounded down at each
division.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

from .compressors import COMPRESSORS, PAGE_SIZE
from .errors import choose, require
from .freed import poison
from .pools import Pool
from .stages import Stage
from .steps import Hook
from .swap import Swap
from .tree import Trees
from .zpool import ZPOOLS

PARAMETERS = (
    "zpool", "compressor", "max_pool_percent", "accept_threshold_percent", "enabled", "same_filled_pages_enabled",
    "non_same_filled_pages_enabled", "exclusive_loads",
)  # fmt: skip
MOST_PER_CENT = 2**32 - 1  # any unsigned int, as the kernel takes it, also over 100
CHOICES = {"zpool": tuple(ZPOOLS), "exclusive_loads": (True, False, "on", "off")}


def check_parameter(name: str, value: object) -> None:
    """Raise BadInput unless zswap has a parameter of that name and it can have that value."""
    choose("parameter", name, PARAMETERS)
    if name.endswith("_percent"):
        require(name, value, 0, MOST_PER_CENT, "per cent")
    elif name != "compressor":
        choose(name, value, CHOICES.get(name, (True, False)))
    elif isinstance(value, type) or not hasattr(value, "compress"):
        choose(name, value, COMPRESSORS)


@dataclass(slots=True)
class Counters:
    """zswap's counters, named as in /sys/kernel/debug/zswap; `pool_total_size` in bytes, the rest in pages."""

    pool_total_size: int = 0
    stored_pages: int = 0
    same_filled_pages: int = 0
    pool_limit_hit: int = 0
    written_back_pages: int = 0
    reject_reclaim_fail: int = 0
    reject_compress_poor: int = 0
    reject_alloc_fail: int = 0
    reject_kmemcache_fail: int = 0
    duplicate_entry: int = 0

    def __iter__(self) -> Iterator[tuple[str, int]]:
        return ((field.name, getattr(self, field.name)) for field in fields(self))


class Limits:
    """What every part of zswap shares. Sizes in pages unless said; percentages are the module's parameters."""

    def __init__(
        self, stage: Stage, hook: Hook, ram_pages: int, max_pool_percent: int, accept_threshold_percent: int
    ) -> None:
        self.stage = stage
        self.hook = hook
        self.ram_pages = ram_pages
        self.max_pool_percent = max_pool_percent
        self.accept_threshold_percent = accept_threshold_percent
        self.enabled = True
        self.same_filled_pages_enabled = True
        self.non_same_filled_pages_enabled = True
        self.exclusive_loads = stage.exclusive_loads != "off"
        self.counters = Counters()
        self.reached_full = False
        self.trees = Trees()
        self.swaps: dict[int, Swap] = {}
        self.pools: list[Pool] = []

    @property
    def pool(self) -> Pool:
        """The current pool, into which stores go."""
        return self.pools[0]

    def pool_get(self, pool: Pool) -> Pool:
        """Take a reference to a pool (`zswap_pool_get`)."""
        pool.refcount += 1
        return pool

    def pool_put(self, pool: Pool) -> None:
        """Drop one (`zswap_pool_put`); a pool without references is off the list and gone."""
        pool.refcount -= 1
        if pool.refcount == 0:
            self.pools.remove(pool)
            poison(pool, self.hook)

    def make_current(self, pool: Pool) -> None:
        """Put a pool, new or listed, at the head and drop the former head's reference for being there
        (`__zswap_param_set`); stores go to it, older entries stay where they are.
        """
        former = self.pools[0]
        if pool in self.pools:
            self.pools.remove(self.pool_get(pool))
        self.pools.insert(0, pool)
        self.pool_put(former)

    @property
    def size(self) -> int:
        """The pool's size as zswap knows it, in pages: cached, rewritten by stores and frees."""
        return -(-self.counters.pool_total_size // PAGE_SIZE)

    @property
    def limit(self) -> int:
        """Pages up to which zswap takes more."""
        return self.ram_pages * self.max_pool_percent % 2**64 // 100  # an unsigned long

    @property
    def accept_threshold(self) -> int:
        """Pages under which a zswap that was full takes pages again."""
        return self.ram_pages * self.accept_threshold_percent % 2**64 // 100 * self.max_pool_percent % 2**64 // 100

    def is_full(self) -> bool:
        """Whether zswap has more pages than the limit, and so takes no more (`zswap_is_full`)."""
        full = self.limit < self.size
        if self.hook.observer:
            self.hook.observer("full", self, int(full))
        return full

    def can_accept(self) -> bool:
        """Whether zswap, once it was full, has few enough pages to take new ones (`zswap_can_accept`)."""
        accept = self.accept_threshold > self.size
        if self.hook.observer:
            self.hook.observer("accept", self, int(accept))
        return accept

    def update_total_size(self) -> None:
        """Write down the pool's size again: the pages of every pool's backend (`zswap_update_total_size`)."""
        pages = 0
        for pool in self.pools:
            pages += pool.zpool.pages
        self.counters.pool_total_size = pages * PAGE_SIZE
        if self.hook.observer:
            self.hook.observer("update", self, self.size)
