"""What the tests of the model share: the kernels there are, known pages, a machine that checks itself."""

import random
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from zswaplab.model.compressors import fill
from zswaplab.model.errors import EINVAL, ENOSPC
from zswaplab.model.machine import Machine
from zswaplab.model.stages import EXCLUSIVE_LOADS, STAGES, existed, make_stage
from zswaplab.model.steps import Kernel, run
from zswaplab.model.zpool import ZPOOLS

QUICK = {  # one kernel of each kind: the backend evicts, zswap does, exclusive loads
    ("zbud", "base", "off"), ("zbud", "rfc2-2", "off"), ("zbud", "v6.5", "fixed"), ("z3fold", "base", "off"),
    ("zsmalloc", "v6.5", "off"),
}  # fmt: skip
REMEDIES = ("move, invalidate, put", "put, invalidate or move")  # the review's two orders at a load's end
SAME_FILLED = fill(0x0123456789ABCDEF)
INCOMPRESSIBLE = random.Random(0).randbytes(4096)


def kernels() -> Iterator[dict[str, Any]]:
    """Every stage with every form of exclusive loads that existed, as arguments of Machine."""
    for stage in STAGES:
        for form in EXCLUSIVE_LOADS:
            if existed(make_stage(stage, form)):
                yield {"stage": stage, "exclusive_loads": form}


def crashes(kernel: dict[str, Any]) -> bool:
    """Whether it has the bug of the review: a load drops the entry, puts it, then moves what was freed."""
    stage = make_stage(kernel["stage"], kernel["exclusive_loads"], kernel.get("load_end"))
    return stage.exclusive_loads != "off" and stage.load_end == "invalidate, put, move"


def sound_kernels() -> Iterator[dict[str, Any]]:
    """Those that survive a load on one CPU; the others come with each remedy of the review instead."""
    for kernel in kernels():
        if crashes(kernel):
            yield from ({**kernel, "load_end": remedy} for remedy in REMEDIES)
        else:
            yield kernel


def switches(kernel: dict[str, Any]) -> dict[str, Any]:
    """All that its stage decides by, as far as it concerns its backend: one evicts or not, whatever others do."""
    stage = make_stage(kernel["stage"], kernel["exclusive_loads"], kernel.get("load_end"))
    return {**vars(stage), "evictable": stage.evicts(kernel["zpool"])}


def on_every_backend(some: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"zpool": zpool, **kernel} for kernel in some for zpool in ZPOOLS]


def differing(some: Iterable[dict[str, Any]], *but: str) -> list[dict[str, Any]]:
    """Of kernels that decide everything alike, or all `but` what is named, the first."""
    names = ("id", "title", "commit", *but)
    found: dict[Any, dict[str, Any]] = {}
    for kernel in some:
        decided = tuple(value for name, value in switches(kernel).items() if name not in names)
        found.setdefault((kernel["zpool"], decided), kernel)
    return [*found.values()]


def name(kernel: dict[str, Any]) -> str:
    return "|".join(map(str, kernel.values()))


def is_quick(kernel: dict[str, Any]) -> bool:
    return (kernel["zpool"], kernel["stage"], kernel["exclusive_loads"]) in QUICK


def cases(some: Iterable[dict[str, Any]]) -> list[Any]:
    """Those kernels as parameters; all but a few are slow."""
    slow = pytest.mark.slow
    return [pytest.param(kernel, id=name(kernel), marks=[] if is_quick(kernel) else slow) for kernel in some]


def of_each_backend(some: Iterable[dict[str, Any]]) -> list[Any]:
    """Lists of those kernels as parameters: of each backend the quick ones, and all others."""
    found: dict[str, list[dict[str, Any]]] = {}
    for kernel in some:
        found.setdefault(f"{kernel['zpool']}{' quick' * is_quick(kernel)}", []).append(kernel)
    slow = pytest.mark.slow
    return [pytest.param(own, id=id, marks=[] if id.endswith("quick") else slow) for id, own in sorted(found.items())]


def page_of(noise: int, seed: int = 0) -> bytes:
    """A page that compresses to little more than `noise` bytes."""
    return random.Random(f"{noise} {seed}").randbytes(noise) + bytes(4096 - noise)


class Checked(Machine):
    """A machine that checks every invariant after each operation and keeps what its observer saw."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.events: list[tuple[str, Any, Any]] = []
        self.hook.observer = lambda *event: self.events.append(event)

    def settle(self) -> None:
        super().settle()
        self.check()

    def put_out(self, *pages: int, content: bytes | None = None) -> None:
        """Write each page and page it out; checks once, after the last."""
        for page in pages:
            run(self.write_fault(page, content))
            assert run(self.pageout(page)) == 0, self.device_full
            super().settle()
        self.check()

    def seen(self, event: str) -> list[tuple[str, Any, Any]]:
        return [seen for seen in self.events if seen[0] == event]

    def results(self, function: str) -> list[Any]:
        """What each call of a kernel function returned."""
        return [value for _, ended, value in self.seen("end") if ended == function]

    def entry(self, page: int) -> Any:
        """The page's entry, None if zswap has none."""
        return self.zswap.trees[0].entries.get(self.slots[page])

    def listed(self) -> list[int]:
        """The slots on zswap's LRU, from head to tail."""
        return [entry.offset for entry in self.zswap.pool.lru]

    @property
    def lists_entries(self) -> bool:
        """Whether this kernel keeps entries of this backend on zswap's LRU."""
        return self.stage.entry_lru and not self.zswap.pool.evictable

    @property
    def evicts(self) -> bool:
        """Whether anything can be written back: in Linux 6.1 neither zsmalloc nor zswap knows how."""
        return self.lists_entries or self.zswap.pool.evictable


def until(operation: Kernel, kind: str) -> None:
    """Drive an operation up to its next step of that kind."""
    for step in operation:
        if step.kind == kind:
            return
    raise AssertionError(f"no step {kind!r} any more")


LONGEST = {"zbud": 3968, "z3fold": 4096, "zsmalloc": 4096}  # bytes that a backend takes, a header included
TOO_LONG_SAYS = {"zbud": -ENOSPC, "z3fold": -ENOSPC, "zsmalloc": -EINVAL}
TOO_LONG = page_of(4042)  # compressed it fits into a page, but not with a header
