"""What cannot be is refused before anything happens, with the value, the rule and the remedy."""

from collections.abc import Callable
from typing import Any

import pytest

from zswaplab.model.compressors import Deflate
from zswaplab.model.errors import BadInput
from zswaplab.model.machine import Machine
from zswaplab.model.source import diff, source
from zswaplab.model.stages import EXCLUSIVE_LOADS, LOAD_ENDS, STAGES, make_stage
from zswaplab.model.steps import run

UNWRITTEN = ["page 3", "never written, or has been given up since", "write it first, with 'write 3'"]


def given_up() -> Machine:
    machine = Machine()
    machine.write(3)
    machine.free(3)
    return machine


def recorded_bytes() -> None:
    machine = Machine(compressor="recorded")
    machine.write(3)
    machine.page_out(3)


def driven(text: Any) -> Callable[[], Any]:
    return lambda: run(Machine().operation(text))


# what is done; what the message must name: the value, and the rule or the remedy
REFUSED: dict[str, tuple[Callable[[], Any], list[str]]] = {
    "stage": (lambda: Machine("2a"), ["stage='2a'", "choose one of", *STAGES]),
    "zpool": (lambda: Machine(zpool="zbub"), ["zpool='zbub'", "choose one of", "'zbud'"]),
    "exclusive loads": (lambda: Machine(exclusive_loads="v3"), ["exclusive_loads='v3'", *EXCLUSIVE_LOADS]),
    "exclusive loads None": (lambda: Machine(exclusive_loads=None), ["exclusive_loads=None", "'off'"]),
    "load end": (lambda: Machine(load_end="put"), ["load_end='put'", *LOAD_ENDS]),
    "device": (lambda: Machine(device="zram"), ["device='zram'", "'ordinary'", "'synchronous'"]),
    "compressor": (lambda: Machine(compressor="lz5"), ["compressor='lz5'", "'deflate'"]),
    "evictable": (lambda: Machine("1", evictable="no"), ["evictable='no'", "True, False, or None"]),
    "evictable 1": (lambda: Machine("1", evictable=1), ["evictable=1", "True, False, or None"]),
    "evictable v6.5": (lambda: Machine("v6.5", evictable=True), ["evictable=True", "v6.5", "earlier stage"]),
    "stage 3": (lambda: Machine(stage=3), ["stage=3", "choose one of", *STAGES]),
    "zpool None": (lambda: Machine(zpool=None), ["zpool=None", "choose one of", "'zbud'"]),
    "compressor 3": (lambda: Machine(compressor=3), ["compressor=3", "'deflate'"]),
    "compressor class": (lambda: Machine(compressor=Deflate), ["compressor=<class", "'deflate'"]),
    "recorded bytes": (lambda: recorded_bytes(), ["compressor='recorded'", "choose 'deflate'"]),
    "exclusive loads True": (lambda: Machine(exclusive_loads=True), ["exclusive_loads=True", "'on'"]),
    "load end 3": (lambda: Machine(load_end=3), ["load_end=3", *LOAD_ENDS]),
    "device 3": (lambda: Machine(device=["zram"]), ["device=['zram']", "'ordinary'"]),
    "swap in words": (lambda: Machine(swap_pages="64"), ["swap_pages='64'", "whole number of pages from 2"]),
    "swap True": (lambda: Machine(swap_pages=True), ["swap_pages=True", "whole number"]),
    "pool None": (lambda: Machine(max_pool_percent=None), ["max_pool_percent=None", "per cent"]),
    "no memory": (lambda: Machine(ram_pages=0), ["ram_pages=0", "whole number of pages from 1"]),
    "much memory": (lambda: Machine(ram_pages=2**40 + 1), ["ram_pages=", "to 1,099,511,627,776"]),
    "memory in words": (lambda: Machine(ram_pages="40"), ["ram_pages='40'", "whole number"]),
    "memory in parts": (lambda: Machine(ram_pages=40.0), ["ram_pages=40.0", "whole number"]),
    "memory True": (lambda: Machine(ram_pages=True), ["ram_pages=True", "whole number"]),
    "no device": (lambda: Machine(swap_pages=1), ["swap_pages=1", "pages from 2"]),
    "pool -1 %": (lambda: Machine(max_pool_percent=-1), ["max_pool_percent=-1", "per cent from 0 to 4,294,967,295"]),
    "pool 2^32 %": (
        lambda: Machine(max_pool_percent=2**32),
        ["max_pool_percent=4294967296", "from 0 to 4,294,967,295"],
    ),
    "accept -1 %": (lambda: Machine(accept_threshold_percent=-1), ["accept_threshold_percent=-1", "from 0"]),
    "accept 2^32 %": (
        lambda: Machine(accept_threshold_percent=2**32),
        ["accept_threshold_percent=4294967296", "per cent from 0 to 4,294,967,295"],
    ),
    "short page": (lambda: Machine().write(3, bytes(4095)), ["4,095 bytes", "exactly 4,096", "seed"]),
    "long page": (lambda: Machine().write(3, bytes(4097)), ["4,097 bytes", "exactly 4,096"]),
    "text page": (lambda: Machine().write(3, "abc"), ["'abc'", "4,096 bytes", "seed"]),
    "True page": (lambda: Machine().write(3, True), ["True", "4,096 bytes", "seed"]),
    "page -1": (lambda: Machine().write(-1, 5), ["page=-1", "whole number"]),
    "page 1.5": (lambda: Machine().write(1.5, 5), ["page=1.5", "whole number"]),
    "unwritten read": (lambda: Machine().read(3), UNWRITTEN),
    "unwritten free": (lambda: Machine().free(3), UNWRITTEN),
    "unwritten page out": (lambda: Machine().page_out(3), [*UNWRITTEN, "to page out"]),
    "unwritten lines": (driven("page_out 3"), [*UNWRITTEN, "to page out"]),
    "given up": (lambda: given_up().page_out(3), UNWRITTEN),
    "read of text": (lambda: Machine().read("3"), ["page='3'", "whole number"]),
    "free of a list": (lambda: Machine().free([3]), ["page=[3]", "whole number"]),
    "page out of None": (lambda: Machine().page_out(None), ["page=None", "whole number"]),
    "operation 3": (driven(3), ["operation 3", "'read 3'"]),
    "endless number": (driven("write " + "9" * 5000), ["is not known"]),
    "verb": (driven("fault 3"), ["'fault 3'", "'read 3'", "'worker'"]),
    "no page": (driven("read"), ["'read'", "'read 3'"]),
    "two pages": (driven("read 3 4"), ["'read 3 4'", "'read 3'"]),
    "three numbers": (driven("write 3 4 5"), ["'write 3 4 5'", "'write 3 SEED'"]),
    "zeros elsewhere": (driven("page_out 3 zeros"), ["'page_out 3 zeros'", "'write 3 zeros'"]),
    "zeros twice": (driven("write 3 zeros zeros"), ["'write 3 zeros zeros'", "'write 3 zeros'"]),
    "zeros nowhere": (driven("write zeros"), ["'write zeros'", "'write 3 zeros'"]),
    "page in words": (driven("read three"), ["'read three'", "'read 3'"]),
    "negative page": (driven("read -3"), ["'read -3'", "'read 3'"]),
    "worker of a page": (driven("worker 3"), ["'worker 3'", "'worker'"]),
    "function": (lambda: source("lode"), ["function='lode'", "choose one of", "load"]),
    "private function": (lambda: source("__init__"), ["function='__init__'", "choose one of"]),
    "function 3": (lambda: source(3), ["function=3", "choose one of", "load"]),
    "function None": (lambda: source(None), ["function=None", "choose one of"]),
    "diff of 3": (lambda: diff(3, "1", "2"), ["function=3", "choose one of"]),
    "diff's stages": (lambda: diff("load", 1, 2), ["stage=1", *STAGES]),
    "source's stage None": (lambda: source("load", None), ["stage=None", *STAGES]),
    "source's form": (lambda: source("load", "1", True), ["exclusive_loads=True", *EXCLUSIVE_LOADS]),
    "source's order": (lambda: source("load", load_end=[]), ["load_end=[]", *LOAD_ENDS]),
    "source's stage": (lambda: source("load", "2a"), ["stage='2a'", *STAGES]),
    "diff's stage": (lambda: diff("load", "1", "2a"), ["stage='2a'", *STAGES]),
    "make_stage": (lambda: make_stage("base", "v9"), ["exclusive_loads='v9'", *EXCLUSIVE_LOADS]),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_refused_with_a_remedy(case: str) -> None:
    action, words = REFUSED[case]
    with pytest.raises(BadInput) as refusal:
        action()
    assert [word for word in words if word not in str(refusal.value)] == []


def test_the_ends_of_each_range_are_allowed() -> None:
    for percent in (0, 101, 2**32 - 1):
        Machine(max_pool_percent=percent, accept_threshold_percent=percent)
    Machine(ram_pages=1, swap_pages=2)


@pytest.mark.parametrize(
    "action",
    [lambda m: m.write(3, bytes(5)), lambda m: m.read(4), lambda m: m.free(4), lambda m: m.page_out(4)],
)
def test_a_refused_operation_changes_nothing(action: Callable[[Machine], None]) -> None:
    machine = Machine()
    machine.write(3)
    machine.page_out(3)
    before = repr(machine), dict(machine.zswap.counters), machine.zswap.pool.lru.tail
    with pytest.raises(BadInput):
        action(machine)
    assert (repr(machine), dict(machine.zswap.counters), machine.zswap.pool.lru.tail) == before
    machine.check()


@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_line_is_no_operation(text: str) -> None:
    with pytest.raises(BadInput):
        driven(text)()


# -- labels ------------------------------------------------------------------------------------------

NEVER, ELSEWHERE = "a combination that never existed", "as another patch of the series has it"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"stage": "base", "exclusive_loads": "v2"}, None),
        ({"stage": "1", "exclusive_loads": "v1"}, NEVER),
        ({"stage": "rfc2-1", "exclusive_loads": "v2"}, NEVER),
        ({"stage": "v6.5", "exclusive_loads": "fixed"}, None),
        ({"stage": "1", "evictable": True}, None),
        ({"stage": "1", "evictable": False}, ELSEWHERE),
        ({"stage": "rfc2-2", "evictable": True}, ELSEWHERE),
        ({"stage": "base", "evictable": False}, NEVER),
    ],
)
def test_the_label_says_what_never_was_so(options: dict[str, Any], said: str | None) -> None:
    label = Machine(**options).label
    assert [words for words in (NEVER, ELSEWHERE) if words in label] == ([said] if said else [])


def test_another_order_at_a_loads_end_is_in_the_label() -> None:
    ordinary, altered = Machine("v6.5"), Machine("v6.5", load_end="put, invalidate or move")
    assert ordinary.label != altered.label
