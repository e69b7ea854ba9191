"""`Outcome`: what a setup comes to, and the answer that it gives to a question about it.

The same question is asked of the kernel's model and of the misconceived ones, and nobody writes an answer down.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from ..model.errors import BadInput, Fault, choose
from ..run.cpus import packed, unpacked
from ..run.history import History, record
from ..run.scene import Scene
from ..run.search import Case, Explored, Search
from ..run.session import Session
from ..run.setup import Setup

Answer = int | str | tuple[int, ...] | tuple[str, int]
FAULTS, NEVER = "it faults", "it never happens"  # possible answers to every question
YES, NO = "yes", "no"


class Outcome:
    """What a setup comes to, worked out once it is asked for.

    `history` is the run; of several CPUs without a schedule the shortest that fails, if one does. `explored` is the
    search of all their schedules.

    >>> setup = Setup("2", workload=["write 0", "page_out 0", "write 1", "page_out 1", "read 0"])
    >>> Outcome(setup).answer("lru"), Outcome(setup).answer("stores"), Outcome(setup).answer("first to disk")
    ((0, 1), 2, 'it never happens')
    """

    def __init__(self, setup: Setup) -> None:
        self.setup = setup

    def answer(self, asks: str) -> Answer:
        """The answer to what is asked, like "lru" or "refcount 3"; ASKS lists all.

        It is FAULTS where the run ends with a fault, NEVER where what is asked about does not come to pass.
        Raises BadInput for something else.
        """
        name, details = asked(asks)
        if self.is_searched or name in OF_FAULTS:
            return ASKS[name](self, *details)
        return FAULTS if self.history.fault else ASKS[name](self, *details)

    @property
    def is_searched(self) -> bool:
        """Whether it is about all schedules of several CPUs, not about one run."""
        return bool(self.setup.cpus) and self.setup.schedule is None and self.setup.seed is None

    @cached_property
    def history(self) -> History:
        return self.explored.history() if self.is_searched and self.explored.fails else record(self.setup)

    @cached_property
    def explored(self) -> Explored:
        return Search(Case.of(self.setup)).run()

    @cached_property
    def end(self) -> Scene:
        return self.history.at(-1)

    def __repr__(self) -> str:
        return f"<outcome of {self.setup!r}>"


def asked(asks: str) -> tuple[str, list[Any]]:
    """What is asked, taken apart: "refcount 3" is ("refcount", [3]). Raises BadInput for something else."""
    words = asks.split()
    while words and " ".join(words) not in ASKS:
        words.pop()
    name = " ".join(words)
    if not words:
        choose("asks", asks, ASKS)
    details = [int(word) if word.isdecimal() else word for word in asks.split()[len(words) :]]
    wanted = ASKS[name].__code__.co_varnames[1 : ASKS[name].__code__.co_argcount]
    if len(details) != len(wanted):
        raise BadInput(f"asks={asks!r} cannot be: {name!r} is followed by {' and '.join(wanted) or 'nothing'}")
    return name, details


def along(setup: Setup, schedule: str) -> Setup:
    """The same setup along that schedule as far as it can be followed, the CPU that can run where it cannot.

    Where a misconceived model waits for a lock that the kernel's had dropped, their schedules cannot be the same.
    """
    session = Session(setup.but(schedule=None, seed=None), observed=False)
    session.to_the_cpus()
    given = unpacked(schedule, len(setup.cpus))
    try:
        while ready := session.ready():
            cpu = given.pop(0) if given else ready[0]
            session.advance(cpu if cpu in ready else ready[0])
    except Fault:
        pass
    return setup.but(schedule=packed(session.cpus.taken))


def side_by_side(kernel: Outcome, mine: Outcome) -> tuple[History, History]:
    """Two histories of what was asked, to be played against each other.

    Of several CPUs, where one model fails along some schedule and the other does not, both take that schedule.
    """
    if kernel.is_searched and kernel.explored.fails != mine.explored.fails:
        schedule = kernel.explored.schedule or mine.explored.schedule or ""
        if kernel.explored.fails:
            return kernel.history, record(along(mine.setup, schedule))
        return record(along(kernel.setup, schedule)), mine.history
    return kernel.history, mine.history


# -- what can be asked -------------------------------------------------------------------------------------


def lru(outcome: Outcome) -> Answer:
    """The pages on zswap's LRU at the end, from head to tail."""
    scene, history = outcome.end, outcome.history
    if history.pools[scene.current]["lru_of"] != "entries":
        return NEVER
    return tuple(page for page in history.lru() if page is not None) or NEVER


def on_the_lru(outcome: Outcome) -> Answer:
    """How many entries zswap's LRU has at the end."""
    found = lru(outcome)
    return len(found) if isinstance(found, tuple) else 0


def stores(outcome: Outcome) -> Answer:
    """How many pages zswap took."""
    return outcome.history.count("store")


def refused(outcome: Outcome) -> Answer:
    """How many pages zswap refused."""
    return outcome.history.count("refuse")


def stored_pages(outcome: Outcome) -> Answer:
    """How many entries zswap has at the end."""
    return outcome.end.counters["stored_pages"]


def pool_pages(outcome: Outcome) -> Answer:
    """How large the pool is at the end, in pages, as zswap counts it."""
    return outcome.end.size


def disk_reads(outcome: Outcome) -> Answer:
    """How often the swap device was read."""
    return outcome.history.disk_reads()


def to_disk(outcome: Outcome) -> list[int]:
    """The pages whose bytes reached the device, in their order."""
    moments = outcome.history.moments
    return [change[1] for moment in moments for change in moment.changes if change[0] == "disk"]


def disk_writes(outcome: Outcome) -> Answer:
    """How often the swap device was written."""
    return len(to_disk(outcome))


def first_to_disk(outcome: Outcome) -> Answer:
    """The first page whose bytes reached the device, refused or written back."""
    return next(iter(to_disk(outcome)), NEVER)


def written_back(outcome: Outcome) -> Answer:
    """The pages that were written back, in their order."""
    return tuple(outcome.history.written_back()) or NEVER


def first_written_back(outcome: Outcome) -> Answer:
    """The first page that was written back."""
    return next(iter(outcome.history.written_back()), NEVER)


def entry_of(outcome: Outcome, page: int) -> dict[str, Any] | None:
    """The entry that stands for a page at the end, as a scene has it."""
    linked = [entry for entry in outcome.end.entries.values() if entry["linked"] and entry["page"] == page]
    return linked[0] if linked else None


def refcount(outcome: Outcome, page: int) -> Answer:
    """The refcount of a page's entry at the end."""
    entry = entry_of(outcome, page)
    return NEVER if entry is None else int(entry["refcount"])


def has_entry(outcome: Outcome, page: int) -> Answer:
    """Whether a page has an entry at the end."""
    return YES if entry_of(outcome, page) else NO


def where(outcome: Outcome, page: int) -> Answer:
    """Where a page's bytes are at the end: its frame goes before any copy."""
    if outcome.end.ram.get(page) != "swapped":
        return "in a page frame" if outcome.end.ram.get(page) == "present" else "nowhere"
    return "in zswap" if entry_of(outcome, page) else "on the swap device"


def beside(outcome: Outcome, page: int) -> Answer:
    """The page whose object lies in the same page of the backend; NEVER where it is alone there."""
    pages = outcome.end.names
    for described in outcome.end.pages.values():
        inside = [pages[number] for number, _, _ in described["objects"]]
        if page in inside:
            return next((other for other in inside if other != page and other is not None), NEVER)
    return NEVER


def failure(outcome: Outcome) -> Answer:
    """Whether some schedule of the CPUs fails: FAULTS, or NEVER."""
    fails = outcome.explored.fails if outcome.is_searched else outcome.history.fault
    return FAULTS if fails else NEVER


def bad_accesses(outcome: Outcome) -> Answer:
    """How many accesses to freed memory KASAN reports; of a setup without `multi_shot` it is the first at most."""
    return sum(report.kind == "KASAN" for report in outcome.history.reports)


def line(outcome: Outcome, function: str, event: str) -> Answer:
    """The line of a function at which a CPU stands when something first happens: "fault", "refuse", "free" ..."""
    history = outcome.history
    for moment in history.moments:
        if event in moment.events:
            for number, row in reversed(moment.stack):
                if history.sources[number]["function"] == function:
                    return function, row
    return NEVER


ASKS: dict[str, Callable[..., Answer]] = {
    "lru": lru, "on the lru": on_the_lru, "stores": stores, "refused": refused, "stored pages": stored_pages,
    "pool pages": pool_pages, "disk reads": disk_reads, "disk writes": disk_writes, "first to disk": first_to_disk,
    "written back": written_back, "first written back": first_written_back, "refcount": refcount,
    "has entry": has_entry, "where": where, "beside": beside, "failure": failure, "line": line,
    "bad accesses": bad_accesses,
}  # fmt: skip
OF_FAULTS = ("failure", "line")  # these are about how it ends
