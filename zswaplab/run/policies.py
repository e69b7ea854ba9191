"""Eviction policies: a function of one's own says which entry leaves, in the place of zswap's LRU.

The kernel's own list is kept as it is; only who is taken from it changes. What a policy is told is what a kernel could
know: when an entry was stored and last loaded, its length, its slot. `needed_last` alone looks into the future.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from ..model.entry import Entry
from ..model.errors import BadInput, choose
from ..model.pools import Pool
from .rules import Function, altered
from .workloads import lines_of

NEVER = 2**40  # later than anything


class Candidate(NamedTuple):
    """An entry that a policy may choose.

    `page` is the program's page (None: its slot was given up), `slot` its swap slot, `length` its compressed size in
    bytes. `stored`, `used` and `now` are times, counted in page-outs and faults: when it was stored, when it was last
    stored or loaded, and the present. `loads` says how often it was loaded, `can_leave` whether its writeback would
    succeed: not while its page is in the swap cache, and not once its slot was given up.
    """

    page: int | None
    slot: int
    length: int
    stored: int
    used: int
    loads: int
    can_leave: bool
    now: int


Policy = Callable[[Sequence[Candidate]], Candidate]


@dataclass(slots=True)
class Times:
    """What zswap itself does not write down: the time, and of each slot's entry (stored, used, loads)."""

    now: int = 0
    of_slot: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    slots: dict[int, int] = field(default_factory=dict)  # page -> slot


def policy(choice: Policy) -> dict[str, Function]:
    """Functions with which `choice` decides which entry leaves: for the `functions` of a Setup.

    `choice` gets the entries of zswap's LRU, from the head to the tail, each a Candidate, and returns one of them.
    It takes the place of `entry = pool.lru.tail` in the model of zswap_reclaim_entry, from patch 2 on for zbud, from
    patch 3 on for z3fold, from patch 4 on for zsmalloc. Where the backend evicts nobody would ask it: the run then
    ends with BadInput, as it does if `choice` fails or returns something else.

    >>> def newest(entries):
    ...     return entries[0]
    >>> setup = Setup("2", workload=["write 3", "page_out 3", "write 4", "page_out 4", "worker"])
    >>> record(setup).written_back(), record(setup.but(functions=policy(newest))).written_back()
    ([3], [4])
    """
    if not callable(choice):
        raise BadInput(f"policy={choice!r} is no function: give one that gets the entries and returns one of them")
    passes = ("    yield FAULT\n", "    tick(self)\n    yield FAULT\n")
    return {
        "pageout": altered("pageout", None, ("    frame = self", "    tick(self)\n    frame = self"), tick=tick),
        "swap_in": altered("swap_in", None, passes, tick=tick),
        "store": altered("store", None, ("entry.pool.lru.add(entry)", "entry.pool.lru.add(entry); stored(self, entry)"),
                         stored=note_stored),
        "move_to_head": altered("move_to_head", None, ("entry.pool.lru.move(entry)",
                                "entry.pool.lru.move(entry); used(self, entry)"), used=note_used),
        "reclaim_entry": altered("reclaim_entry", None, ("pool.lru.tail", "chosen(self, pool)"),
                                 chosen=partial(chosen, choice)),
        "zpool_shrink": altered("zpool_shrink", None, ("    if not", "    refuse(pool)\n    if not"), refuse=refuse),
    }  # fmt: skip


# -- what the altered functions call -----------------------------------------------------------------------


def times_of(zswap: Any) -> Times:
    """The times of a zswap. They are kept there, so that a search puts them back with everything else."""
    times: Times = vars(zswap).setdefault("times", Times())
    return times


def tick(machine: Any) -> None:
    """A page is paged out, or a fault on one that is in swap begins."""
    times = times_of(machine.zswap)
    times.now += 1
    times.slots = machine.slots


def note_stored(zswap: Any, entry: Entry) -> None:
    times = times_of(zswap)
    times.of_slot[entry.offset] = times.now, times.now, 0


def note_used(zswap: Any, entry: Entry) -> None:
    times = times_of(zswap)
    stored, _, loads = times.of_slot[entry.offset]
    times.of_slot[entry.offset] = stored, times.now, loads + 1


def refuse(pool: Pool) -> None:
    """The backend is about to choose."""
    remedy = "choose a stage where zswap decides, like 'v6.5'"
    raise BadInput(f"no policy is asked here: {pool} reclaims by itself; {remedy}")


def chosen(choice: Policy, zswap: Any, pool: Pool) -> Entry | None:
    """The entry that a policy chooses, None if the LRU is empty."""
    entries = list(pool.lru)
    if not entries:
        return None
    candidates = candidates_of(zswap, entries)
    name = name_of(choice)
    try:
        picked = choice(tuple(candidates))
    except Exception as problem:
        raise BadInput(f"policy {name} failed with {type(problem).__name__}: {problem}; mend it, or choose "
                       "another") from problem
    if picked not in candidates:
        raise BadInput(f"policy {name} returned {picked!r}, which is none of the {len(entries)} entries that it was "
                       "given: return one of them, like min(entries, key=lambda entry: entry.used)")
    return entries[candidates.index(picked)]


def candidates_of(zswap: Any, entries: Iterable[Entry]) -> list[Candidate]:
    """What a policy is told of entries."""
    times = times_of(zswap)
    pages = {slot: page for page, slot in times.slots.items()}
    found = []
    for entry in entries:
        swap, slot = zswap.swaps[entry.type], entry.offset
        can_leave = slot in swap.in_use and slot not in swap.cache
        stored, used, loads = times.of_slot.get(slot, (0, 0, 0))
        found.append(Candidate(pages.get(slot), slot, entry.length, stored, used, loads, can_leave, times.now))
    return found


def name_of(choice: Policy) -> str:
    return getattr(choice, "__name__", repr(choice))


# -- policies ----------------------------------------------------------------------------------------------


def those_that_can(entries: Sequence[Candidate]) -> Sequence[Candidate]:
    """The entries that can leave now; all of them where none can."""
    return [entry for entry in entries if entry.can_leave] or entries


def least_recently_used(entries: Sequence[Candidate]) -> Candidate:
    """What the kernel does: the tail of the LRU."""
    return entries[-1]


def most_recently_used(entries: Sequence[Candidate]) -> Candidate:
    """The entry that was stored or loaded last."""
    return max(those_that_can(entries), key=lambda entry: entry.used)


def first_in_first_out(entries: Sequence[Candidate]) -> Candidate:
    """The entry that was stored first, however often it was loaded."""
    return min(those_that_can(entries), key=lambda entry: entry.stored)


def needed_last(workload: str | Iterable[str]) -> Policy:
    """The policy that looks into the future: the entry whose page is needed last, or never, leaves (Belady's rule).

    No kernel can have it. It is the best there can be where everything takes the same room, is always taken in, and
    comes back in when it is used. In zswap none of that holds: two entries share a page of the backend, a pool that is
    full refuses pages, and what was written back stays on the device until it is written again. So it can be beaten.

    >>> from zswaplab.run.setup import Setup; from zswaplab.run.history import record
    >>> setup = Setup(workload="scan", ram_pages=30)
    >>> record(setup).disk_reads(), record(setup.but(functions=policy(needed_last("scan")))).disk_reads()
    (4, 0)
    """
    future = future_of(lines_of(workload))

    def belady(entries: Sequence[Candidate]) -> Candidate:
        return max(reversed(those_that_can(entries)), key=lambda entry: next_use(future, entry))

    return belady


def future_of(lines: Sequence[str]) -> dict[int | None, list[tuple[int, bool]]]:
    """Page -> (time, whether it is needed then) in order: a fault needs it; a write or a free makes it worthless."""
    now, out = 0, set[int]()
    found: dict[int | None, list[tuple[int, bool]]] = {}
    for line in lines:
        verb, page = line.split()[0], int([*line.split(), "-1"][1])
        if verb == "page_out":
            out.add(page)
        elif verb in ("read", "write", "free") and (page in out or verb != "read"):
            found.setdefault(page, []).append((now, page in out and verb != "free"))
        else:
            continue
        now += verb == "page_out" or (page in out and verb != "free")
        if verb != "page_out":
            out.discard(page)
    return found


def next_use(future: dict[int | None, list[tuple[int, bool]]], entry: Candidate) -> int:
    """When an entry's page is needed next; NEVER if it is not."""
    when, needed = next((use for use in future.get(entry.page, ()) if use[0] >= entry.now), (NEVER, False))
    return when if needed else NEVER


POLICIES: dict[str, Callable[[Sequence[str]], Policy]] = {  # name -> what makes it for a workload
    "LRU": lambda lines: least_recently_used, "MRU": lambda lines: most_recently_used,
    "FIFO": lambda lines: first_in_first_out, "Belady": needed_last,
}  # fmt: skip


def policy_named(name: str, lines: Sequence[str]) -> Policy:
    """One of POLICIES. Raises BadInput for another name."""
    choose("policy", name, POLICIES)
    return POLICIES[name](lines)
