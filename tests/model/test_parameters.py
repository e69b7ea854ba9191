"""Parameters changed while zswap runs, several pools, and swapoff."""

from __future__ import annotations

from typing import Any

import pytest

from zswaplab.model.compressors import Deflate
from zswaplab.model.errors import BadInput
from zswaplab.model.machine import Machine
from zswaplab.trace.codecs import codec


@pytest.fixture
def machine() -> Machine:
    """Twelve pages stored, at a stage that can turn exclusive loads on."""
    machine = Machine("4", ram_pages=100)
    for page in range(12):
        machine.write(page)
        machine.page_out(page)
    return machine


def other_pool(machine: Machine) -> None:
    """A new pool at the head, as another compressor would make it."""
    from zswaplab.model.pools import make_pool

    machine.zswap.make_current(make_pool(machine.stage, "zbud", "deflate", machine.hook))


def test_the_current_pool_has_one_reference_more_than_entries(machine: Machine) -> None:
    assert machine.zswap.pool.refcount == 1 + 12


def test_stores_go_to_the_new_pool_and_old_entries_stay(machine: Machine) -> None:
    old = machine.zswap.pool
    other_pool(machine)
    machine.write(20)
    machine.page_out(20)
    machine.check()
    assert [pool.refcount for pool in machine.zswap.pools] == [1 + 1, 12]
    assert machine.zswap.pools[-1] is old
    assert machine.read(3) == machine.written[3]


def test_the_size_counts_every_pool(machine: Machine) -> None:
    other_pool(machine)
    machine.write(20)
    machine.page_out(20)
    assert machine.zswap.size == sum(pool.zpool.pages for pool in machine.zswap.pools)


def test_an_old_pool_goes_with_its_last_entry(machine: Machine) -> None:
    other_pool(machine)
    machine.swapoff()
    assert len(machine.zswap.pools) == 1
    assert machine.zswap.pool.refcount == 1


def test_a_pool_without_entries_goes_at_once() -> None:
    machine = Machine("4")
    other_pool(machine)
    assert len(machine.zswap.pools) == 1


def test_a_pool_that_is_listed_still_is_used_again(machine: Machine) -> None:
    old = machine.zswap.pool
    other_pool(machine)
    machine.zswap.make_current(old)
    assert machine.zswap.pools == [old]
    assert old.refcount == 1 + 12


def test_the_worker_is_queued_for_the_oldest_pool(machine: Machine) -> None:
    old = machine.zswap.pool
    other_pool(machine)
    machine.set(max_pool_percent=1)
    machine.write(20)
    machine.page_out(20)
    assert machine.zswap.counters.pool_limit_hit == 1
    assert old not in machine.zswap.pools  # its entries were written back, none of the new pool's, until it was gone


def test_swapoff_brings_every_page_back(machine: Machine) -> None:
    machine.swapoff()
    assert machine.zswap.counters.stored_pages == 0
    assert all(machine.read(page) == machine.written[page] for page in range(12))
    machine.check()


@pytest.mark.parametrize(("name", "value", "expected"), [
    ("enabled", False, 0), ("enabled", True, 1),
    ("non_same_filled_pages_enabled", False, 0), ("max_pool_percent", 0, 1),
])  # fmt: skip
def test_a_parameter_takes_effect_at_the_next_store(name: str, value: Any, expected: int) -> None:
    machine = Machine("4")
    machine.set(**{name: value})
    machine.write(1)
    machine.page_out(1)
    assert machine.zswap.counters.stored_pages == expected
    assert machine.read(1) == machine.written[1]


def test_same_filled_pages_can_be_compressed_like_others() -> None:
    machine = Machine("4")
    machine.set(same_filled_pages_enabled=False)
    machine.write(1, bytes(4096))
    machine.page_out(1)
    assert machine.zswap.counters.same_filled_pages == 0
    assert machine.zswap.pool.zpool.pages == 1


def test_exclusive_loads_can_be_turned_on_while_running(machine: Machine) -> None:
    machine.read(1)
    kept = machine.zswap.counters.stored_pages
    machine.set(exclusive_loads=True)
    machine.read(2)
    assert (kept, machine.zswap.counters.stored_pages) == (12, 11)
    machine.check()


@pytest.mark.parametrize("parameters", [
    {"exclusive_loads": "v2"}, {"exclusive_loads": None}, {"compressor": 3}, {"compressor": Deflate},
    {"zpool": "zstd"}, {"compressor": "zbud"}, {"max_pool_percent": 2**32}, {"max_pool_percent": -1}, {"enabled": "Y"},
    {"accept_threshold_percent": 0.9}, {"nonsense": 1}, {"max_pool_percent": 50, "enabled": 2},
])  # fmt: skip
def test_bad_parameters_change_nothing(machine: Machine, parameters: dict[str, Any]) -> None:
    before = vars(machine.zswap).copy()
    with pytest.raises(BadInput):
        machine.set(**parameters)
    assert vars(machine.zswap) == before


def test_v1_of_exclusive_loads_cannot_be_turned_on() -> None:
    with pytest.raises(BadInput, match="build a Machine with exclusive_loads='on'"):
        Machine("rfc2-4").set(exclusive_loads=True)
    machine = Machine("rfc2-4", exclusive_loads="on")
    machine.set(exclusive_loads="off")
    assert not machine.zswap.exclusive_loads


@pytest.mark.parametrize(("on", "off"), [(True, False), ("on", "off")])
def test_exclusive_loads_are_on_or_off_in_words_too(machine: Machine, on: Any, off: Any) -> None:
    machine.set(exclusive_loads=on)
    assert machine.zswap.exclusive_loads is True
    machine.set(exclusive_loads=off)
    assert machine.zswap.exclusive_loads is False
    machine.check()


def test_a_compressor_of_ones_own_stays_when_the_backend_changes() -> None:
    machine = Machine("4", compressor=codec("lzo"), ram_pages=100)
    machine.set(zpool="zsmalloc")
    assert machine.zswap.pool.zpool.name == "zsmalloc"
    assert repr(machine.zswap.pool.compressor) == repr(codec("lzo"))
