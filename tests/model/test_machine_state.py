"""Any sequence of operations on any kernel: on one CPU no byte is lost or invented, and nothing crashes
except where the real kernel does, at the bug of the review."""

from typing import Any

import pytest
from hypothesis import seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tests.model.kit import (
    INCOMPRESSIBLE,
    SAME_FILLED,
    crashes,
    differing,
    is_quick,
    kernels,
    name,
    on_every_backend,
    page_of,
    sound_kernels,
)
from zswaplab.model.compressors import fill
from zswaplab.model.errors import BadInput, UseAfterFree
from zswaplab.model.machine import Machine, page_bytes
from zswaplab.model.stages import STAGES
from zswaplab.model.steps import run
from zswaplab.model.swap import DEVICES

REMEDIED = [kernel for kernel in sound_kernels() if "load_end" in kernel]
ALL = on_every_backend([*kernels(), *REMEDIED])

pages = st.integers(0, 25)
contents = st.one_of(
    st.integers(0, 50),
    st.builds(page_of, st.integers(1, 4000), st.integers(0, 3)),
    st.sampled_from([SAME_FILLED, bytes(4096), fill(2**64 - 1), INCOMPRESSIBLE]),
)


class AnyKernel(RuleBasedStateMachine):
    """The oracle is a dict: what was written to a page is what is in it."""

    kernel: dict[str, Any]

    @initialize(
        evictable=st.sampled_from([None, True, False]),
        device=st.sampled_from(DEVICES),
        swap_pages=st.sampled_from([64, 400]),  # slots freed at once, or 64 together
        ram_pages=st.sampled_from([10, 20, 40]),  # a pool of up to 2, 4 or 8 pages
        accept_threshold_percent=st.sampled_from([50, 90, 100]),
    )
    def boot(self, evictable: bool | None, **options: Any) -> None:
        self.options = {**self.kernel, **options}
        if not evictable or STAGES[self.kernel["stage"]].asks_evictable:
            self.options["evictable"] = evictable
        self.reboot()

    def reboot(self) -> None:
        self.machine = Machine(**self.options)
        self.oracle: dict[int, bytes] = {}

    def faults_in(self, page: int) -> bool:
        """Whether touching the page loads an entry from zswap."""
        machine = self.machine
        slot = machine.slots.get(page)
        asked = slot in machine.swap.bitmap and slot not in machine.swap.cache
        return page not in machine.frames and asked and slot in machine.zswap.trees[0].entries

    def touch(self, page: int, access: Any) -> Any:
        """Access a page; where the kernel has the review's bug and an entry is loaded, it must crash."""
        if not (crashes(self.options) and self.faults_in(page)):
            return access()
        with pytest.raises(UseAfterFree) as crash:
            access()
        assert (crash.value.access, crash.value.field) == ("read", "length")
        self.reboot()
        return None

    @rule(page=pages, content=contents)
    def write(self, page: int, content: int | bytes) -> None:
        before = self.machine
        self.touch(page, lambda: self.machine.write(page, content))
        if self.machine is before:
            self.oracle[page] = page_bytes(content)

    @rule(page=pages)
    def page_out(self, page: int) -> None:
        if page not in self.oracle:
            with pytest.raises(BadInput):
                self.machine.page_out(page)
            return
        self.machine.page_out(page)
        assert page not in self.machine.frames

    @rule(first=pages, many=st.integers(8, 20))
    def page_much_out(self, first: int, many: int) -> None:
        """A run of pages, written where they were not: enough to overflow the pool."""
        for page in range(first, first + many):
            if page not in self.oracle:
                self.write(page, page)
            self.page_out(page)

    @rule(page=pages)
    def read(self, page: int) -> None:
        if page not in self.oracle:
            with pytest.raises(BadInput):
                self.machine.read(page)
            return
        expected = self.oracle[page]
        assert self.touch(page, lambda: self.machine.read(page)) in (expected, None)

    @rule(page=pages)
    def free(self, page: int) -> None:
        if page not in self.oracle:
            with pytest.raises(BadInput):
                self.machine.free(page)
            return
        self.machine.free(page)
        del self.oracle[page]

    @rule()
    def worker(self) -> None:
        run(self.machine.worker())
        self.machine.settle()

    @rule(first=pages, many=st.integers(2, 12))
    def read_many(self, first: int, many: int) -> None:
        for page in range(first, first + many):
            self.read(page)

    @rule(first=pages, many=st.integers(2, 12))
    def free_many(self, first: int, many: int) -> None:
        for page in range(first, first + many):
            self.free(page)

    @invariant()
    def everything_is_where_it_must_be(self) -> None:
        machine = self.machine
        machine.check()
        assert set(machine.written) == set(self.oracle)
        assert set(machine.zswap.trees[0].entries) <= machine.swap.bitmap, (
            "an entry that nobody would ask for"
        )
        for page, content in self.oracle.items():
            assert self.peek(page) == content, f"page {page} of {machine}"

    def peek(self, page: int) -> bytes:
        """What the page holds, looked up without touching anything."""
        machine, slot = self.machine, self.machine.slots.get(page)
        if page in machine.frames:
            return machine.frames[page].data
        if slot in machine.swap.cache:
            return machine.swap.cache[slot].data
        entry = machine.zswap.trees[0].entries.get(slot) if slot in machine.swap.bitmap else None
        if entry is None:
            return machine.swap.disk[slot]
        if entry.length == 0:
            return fill(entry.value)
        return entry.pool.compressor.decompress(entry.handle.data)


def any_of(kernel: dict[str, Any]) -> type[AnyKernel]:
    return type("ThisKernel", (AnyKernel,), {"kernel": kernel})


@pytest.mark.parametrize("kernel", [kernel for kernel in ALL if is_quick(kernel)], ids=name)
def test_no_byte_is_lost_or_invented(kernel: dict[str, Any]) -> None:
    same_each_time = seed(name(kernel))(any_of(kernel))
    budget = settings(max_examples=10, stateful_step_count=30, deadline=None)
    run_state_machine_as_test(same_each_time, settings=budget)


@pytest.mark.slow
@pytest.mark.parametrize("kernel", differing(ALL, "evictable"), ids=name)  # whether it evicts is drawn
def test_no_byte_is_lost_or_invented_at_length(kernel: dict[str, Any]) -> None:
    budget = settings(max_examples=12, stateful_step_count=60, deadline=None)
    run_state_machine_as_test(any_of(kernel), settings=budget)
