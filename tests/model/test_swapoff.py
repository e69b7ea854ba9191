"""swapoff on one CPU: everything comes back, and from then on the device gives no slot. (Races: tests/run.)"""

from typing import Any

import pytest

from tests.model.kit import Checked, is_quick, name, on_every_backend, sound_kernels
from zswaplab.model.errors import EINVAL, ENOSPC, BadInput
from zswaplab.model.steps import run


@pytest.fixture(params=filter(is_quick, on_every_backend(sound_kernels())), ids=name)  # one kernel of each kind
def kernel(request: pytest.FixtureRequest) -> dict[str, Any]:
    return request.param


@pytest.mark.parametrize("device", ["ordinary", "synchronous"])
@pytest.mark.parametrize("swap_pages", [64, 1024])  # slots given up are freed at once, or wait in the slot cache
def test_every_page_comes_back_and_nothing_is_left(kernel: dict[str, Any], device: str, swap_pages: int) -> None:
    machine = Checked(**kernel, device=device, swap_pages=swap_pages)
    machine.put_out(*range(12))
    machine.put_out(12, content=bytes(4096))
    for page in range(3):
        machine.free(page)
    machine.read(3)
    machine.swapoff()
    assert {page: machine.read(page) for page in range(3, 13)} == machine.written
    swap = machine.swap
    assert not swap.in_use and not swap.cache and not swap.given and not swap.bitmap
    assert swap.free_slots == swap.slots - 1
    assert machine.zswap.trees == {} and machine.zswap.counters.stored_pages == 0
    assert machine.zswap.pool.zpool.pages == 0


def test_slots_that_wait_in_the_slot_cache_are_freed_where_no_page_is_left(kernel: dict[str, Any]) -> None:
    machine = Checked(**kernel, swap_pages=1024)
    machine.put_out(1, 2)
    for page in (1, 2):
        machine.free(page)
    assert len(machine.swap.given) == 2
    machine.swapoff()
    assert machine.swap.given == [] and machine.swap.free_slots == 1023


def test_it_reads_through_the_swap_cache_on_a_synchronous_device_too() -> None:
    machine = Checked(device="synchronous")
    machine.put_out(3)
    machine.events.clear()
    machine.swapoff()
    assert [offset for _, _, offset in machine.seen("swapcache add")] == [1]


@pytest.fixture
def machine() -> Checked:
    """Page 3 was on swap, page 4 never; the device is off."""
    machine = Checked()
    machine.put_out(3)
    machine.write(4)
    machine.swapoff()
    return machine


@pytest.mark.parametrize("page", [3, 4])
def test_a_device_that_is_off_gives_no_slot(machine: Checked, page: int) -> None:
    with pytest.raises(BadInput, match=r"the swap device is off.*leave swapoff out, or build a new Machine"):
        machine.page_out(page)
    assert run(machine.pageout(page)) == -ENOSPC
    assert page in machine.frames and machine.read(page) == machine.written[page]


def test_it_cannot_be_turned_off_twice(machine: Checked) -> None:
    with pytest.raises(BadInput, match=r"the swap device is off already"):
        machine.swapoff()
    with pytest.raises(BadInput, match=r"the swap device is off already"):
        machine.operation("swapoff")
    assert run(machine.swap_off()) == -EINVAL


def test_everything_else_goes_on_without_it(machine: Checked) -> None:
    machine.write(3, 17)
    machine.write(5)
    machine.free(4)
    run(machine.worker())
    machine.settle()
    assert machine.read(3) == machine.written[3] and machine.read(5) == machine.written[5]
    assert machine.zswap.counters.stored_pages == 0


def test_a_device_that_is_off_never_uses_its_slot_cache_again() -> None:
    machine = Checked(swap_pages=1024)
    machine.put_out(*range(70))
    machine.free(1)
    machine.swapoff()
    run(machine.swap.check_cache_active())
    assert not machine.swap.slot_cache_active
