"""Memory a stored page: `python benchmarks/memory.py`. Pages of a recording, so no page's bytes are kept."""

from __future__ import annotations

import gc
import tracemalloc

from zswaplab.model.compressors import RecordedPage
from zswaplab.model.machine import Machine
from zswaplab.model.steps import run
from zswaplab.model.zpool import ZPOOLS

PAGES = 20_000


def measure(zpool: str) -> float:
    """Bytes that zswap, its tree, LRU and backend take for each of many stored pages."""
    machine = Machine("rfc2-4", zpool, compressor="recorded", ram_pages=10**7, swap_pages=10**6)
    pages = [RecordedPage(300 + number * 7919 % 3000) for number in range(PAGES)]
    gc.collect()
    tracemalloc.start()
    for offset, page in enumerate(pages):
        run(machine.zswap.store(0, offset, page))
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert machine.zswap.counters.stored_pages == PAGES
    return used / PAGES


if __name__ == "__main__":
    for name in ZPOOLS:
        print(f"{name:10} {measure(name):6.0f} bytes a stored page")
