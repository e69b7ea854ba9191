"""A structure that breaks one of its own rules says so, shows all of itself, and does so under `python -O` too."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import zswaplab.model
from zswaplab.model.errors import Broken
from zswaplab.model.machine import Machine
from zswaplab.model.zpool import ZPOOLS

REPOSITORY = Path(zswaplab.model.__file__).parents[2]
MISCOUNTS = """
from zswaplab.run.rules import altered
from zswaplab.run.search import explore

store = altered("store", "v6.5", ("self.counters.stored_pages += 1", "self.counters.stored_pages += 2"))
for functions in ({}, {"store": store}):
    print(__debug__, explore(cpus=["page_out 3"], before=["write 3"], functions=functions).verdict)
"""


def test_a_search_finds_a_store_that_miscounts_without_asserts_too() -> None:
    script = [sys.executable, "-O", "-c", MISCOUNTS]
    ran = subprocess.run(script, cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
    sound, miscounts = ran.stdout.splitlines()
    assert sound == "False no schedule fails"
    assert miscounts.startswith("False fails") and "stored_pages=2" in miscounts


def one_more(machine: Machine) -> None:
    machine.zswap.pool.zpool.pages += 1


def off_the_lru(machine: Machine) -> None:
    pool: Any = machine.zswap.pool.zpool
    pool.lru.remove(next(iter(pool.lru))) if hasattr(pool.lru, "remove") else pool.lru.popitem()


def not_same_filled(machine: Machine) -> None:
    machine.zswap.counters.same_filled_pages += 1


def a_reference_too_few(machine: Machine) -> None:
    machine.zswap.pool.refcount -= 1


def pinned(machine: Machine) -> None:
    next(iter(machine.zswap.trees[0].entries.values())).refcount += 1


def slot_forgotten(machine: Machine) -> None:
    machine.swap.in_use.clear()


@pytest.mark.parametrize("zpool", ZPOOLS)
@pytest.mark.parametrize(
    ("spoil", "shown"),
    [
        (one_more, "pages counted"), (off_the_lru, "LRU should list"), (not_same_filled, "same_filled_pages=1"),
        (a_reference_too_few, "references of <pool"), (pinned, "refcount 2"), (slot_forgotten, "0 of 1024 slots"),
    ],
)  # fmt: skip
def test_what_is_broken_is_named_and_shown(zpool: str, spoil: Callable[[Machine], None], shown: str) -> None:
    machine = Machine("base", zpool=zpool)
    machine.write(3)
    machine.page_out(3)
    machine.check()
    spoil(machine)
    with pytest.raises(Broken) as broken:
        machine.check()
    assert shown in str(broken.value)
    assert isinstance(broken.value, AssertionError)
