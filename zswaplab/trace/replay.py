"""Replay: the model is fed what happened to a recorded kernel from outside, and must then decide as it did.

Each thread of the recording drives its own kernel function of the model. The recording's rows and
inner points are taken in their order; for each, that thread's function is advanced until it comes to
the same point, and what it did is compared. Nothing recorded is used to decide anything, but: which
pages were swapped out and in, their compressed lengths, slots given up, what the program's own faults
did to the swap cache, and when the worker ran. Which slots the kernel sets aside is not recorded: so when a
small device is nearly full, it decides too whether slots that are given up still wait.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from heapq import heappop, heappush
from typing import Any

from ..model.compressors import RecordedPage
from ..model.errors import Fault
from ..model.steps import CALL, RETURN, Kernel, Step
from ..model.swap import ACTIVATE, DEACTIVATE, SLOT_CACHE, Frame
from .compare import Comparison, Thread
from .nested import apart
from .older import SwapLayer
from .program import OUTSIDE, Input, call, is_new
from .read import ADDRESSES, Recording, Row
from .variants import machine_for

FUNCTIONS = {  # row of the recording -> function of the model
    "store": "store", "load": "load", "invalidate": "invalidate_page", "invalidate_area": "invalidate_area",
    "worker": "shrink_worker", "shrink": "zpool_shrink", "lru_shrink": "reclaim_entry", "writeback": "writeback_entry",
    "z3fold_compact": "compact_page",
}  # fmt: skip
NESTED = {"swapcache_add": "swapcache add", "swapcache_del": "swapcache delete"}  # when inside another operation
UNKNOWN = {"shrink_lru", "lru_entry", "shrinker_scan"}  # of later kernels
INSTANTS = {"free": "free", "diskwrite": "submit", "slot_free": "slot free", "z3fold_release": "release"}
PLACING = {"pick", "list", "move", "slide"}  # points inside a backend that says where objects go
STEPS = {"malloc", "map", "unmap", "lookup", "submit"}  # steps of the model that a recording has points for
POINTS = {
    "full", "accept", "malloc", "malloced", "map", "unmap", "insert", "update", "find", "search", "put", "erase",
    "zfree", "zfreed", "object", "pagefree", "lookup", "looked", "cached", "submitted", *PLACING,
}  # fmt: skip
SLEEPS = {"alloc", "compress", "decompress", "lookup", "submit", "read"}  # steps at which a thread may sleep
PROBES = {"rsca": "lookup", "malloc_out": "malloced"}  # where a probe is not called like its point


class Disagreement(Exception):
    """The model did something else than the recorded kernel."""


class Replay(Comparison):
    """One replay of a recording.

    `choices` says how many steps a thread goes on, unseen, before an interruption: (line of its row, which
    interruption) -> steps; `interrupted` lists the interruptions there were. `program` is what was fed to
    the model, in order: see `program`.
    """

    def __init__(
        self, recording: Recording, stage: str | None = None, choices: dict[tuple[int, int], int] | None = None
    ) -> None:
        recording = replace(recording, rows=apart(recording.rows))
        super().__init__(recording, machine_for(recording, stage))
        self.machine.hook.observer = self.observe
        self.stage = stage
        self.choices = choices or {}
        self.interrupted: list[tuple[Row, int]] = []
        self.program: list[Input] = []
        self.threads: dict[int, Thread] = {}
        self.current: Thread | None = None
        self.latest, self.position = recording.rows[0], 0  # the event that is being taken
        self.effects = 0
        self.swapoff = False  # it has begun
        self.set_aside: set[int] = set()  # slots that the kernel had set aside, and took back unused
        self.draining = False  # the slot cache is being emptied, because few slots are free
        self.unsure = False  # it was, or was not: that depends on how many slots are set aside
        self.freed_at_once = freed_at_once(recording)
        self.vocabulary = vocabulary(recording)
        self.lengths = page_lengths(recording)
        self.preempts = preempts(recording)
        self.kinds = {row.op for row in recording.rows}
        self.older = None if "swapcache_add" in self.kinds else SwapLayer(self.machine.swap, self.outside)

    # -- the recording's events, in order ------------------------------------------------------

    def run(self, stop_at: int | None = None, progress: Callable[[int, int], None] | None = None) -> Replay:
        """Replay every row, or only until a problem at or before position `stop_at`.

        `progress` is told now and then how many events are done, of how many.
        """
        seen = 0
        try:
            for _ in self.rows_done(progress):
                if stop_at is not None and any(row.seq <= stop_at for row, *_ in self.problems[seen:]):
                    return self
                seen = len(self.problems)
            self.finish()
        except Fault as fault:
            self.disagree(self.latest, f"the model's kernel faults: {fault}")
        return self

    def rows_done(self, progress: Callable[[int, int], None] | None) -> Iterator[Row]:
        """Take every event; yields the row of each once it is taken."""
        previous: Thread | None = None
        rows = len(self.recording.rows)
        for count, (position, row, name, value) in enumerate(events(self.recording)):
            thread = self.threads.get(row.tid) or self.threads.setdefault(row.tid, Thread(row.tid))
            self.latest, self.position = row, position
            if previous is not thread:
                if previous is not None:
                    self.interrupt(previous)
                previous = thread
            try:
                self.take(thread, row, name, value)
            except Disagreement as problem:
                self.disagree(row, *problem.args)
                self.abandon(thread)
            if progress and count % 4096 == 0:
                progress(row.line, rows + 2)
            yield row

    def finish(self) -> None:
        """After the last row: nothing may be left to do, and the counters must be the kernel's last ones."""
        last = self.recording.rows[-1]
        for thread in self.threads.values():
            self.start(thread, last, None)
        self.compare_counters(last, "counters_end")
        if any(pool.work_pending for pool in self.machine.zswap.pools):
            self.disagree(last, "the model has queued the worker, which never ran")
        if self.swapoff and self.machine.zswap.trees:
            self.disagree(last, "swapoff has begun, and the tree is never given up")

    def take(self, thread: Thread, row: Row, name: str, value: str) -> None:
        """One event of the recording: begin or end of a row, or a point in it."""
        if name == "begin":
            self.label(row)
            if self.older:
                for offset in self.older.see(row):
                    if "slot_give" not in self.kinds:
                        self.feed(thread, row, "free_slot", offset)
            if row.op in STARTS and (row.parent is None or row.op == "worker"):
                if row.op not in OWN or not self.expects(thread, OWN[row.op]):
                    STARTS[row.op](self, thread, row)
            self.begin(thread, row)
        elif thread.lost:
            return
        elif name == "end":
            self.end(thread, row)
        elif name in self.vocabulary and name != "submit":
            self.point(thread, row, name, value)

    def begin(self, thread: Thread, row: Row) -> None:
        nested = row.parent is not None and NESTED.get(row.op)
        if row.op in UNKNOWN:
            self.disagree(row, "no stage of the model has this operation")
        elif thread.lost and (nested or row.op in INSTANTS or row.op in FUNCTIONS):
            self.classify(row, "not determined", "part of an operation that disagrees")
        elif row.op in INSTANTS or nested:
            self.instant(thread, row, nested or INSTANTS[row.op])
        elif row.op in FUNCTIONS:
            arguments = self.next_event(thread, row, "begin " + FUNCTIONS[row.op])
            self.found.setdefault(row.line, "agrees")
            thread.rows.append(row)
            self.compare_begin(thread, row, arguments)
            if row.seq == row.seq_end:
                thread.rows.pop()

    def instant(self, thread: Thread, row: Row, event: str) -> None:
        value = self.next_event(thread, row, event)
        self.found.setdefault(row.line, "agrees")
        if row.op == "free":
            self.compare_free(row, *value)
        elif row.op == "z3fold_release":
            self.placement.compare_row(row, value)
        else:
            self.compare(row, "offset", row.cells["offset"], thread.offset if event == "submit" else value)

    def end(self, thread: Thread, row: Row) -> None:
        if row.op in FUNCTIONS:
            result = self.next_event(thread, row, "end " + FUNCTIONS[row.op])
            thread.rows.pop()
            self.compare_end(thread, row, result)

    def point(self, thread: Thread, row: Row, name: str, value: str) -> None:
        result = self.next_event(thread, row, name)
        if name == "malloced":
            result = result if isinstance(result, int) else 0
        if name == "lookup" and row.op == "writeback":
            self.compare_label(row)
        if name == "object":
            self.placement.took(row, int(value, 16), result)
        elif name in PLACING:
            self.placement.compare_point(row, name, value, result)
        elif value:
            self.compare(row, name, int(value, 16 if name in ADDRESSES else 10), result)

    # -- driving the model ---------------------------------------------------------------------

    def observe(self, event: str, subject: Any, value: Any) -> None:
        self.effects += 1
        thread = self.current
        if thread is None:
            return
        if event in ("begin", "end"):
            name = f"{event} {subject}"
            if subject == "compact_page":
                value = self.placement.saw(event, subject, value)
            if name in FUNCTION_EVENTS:
                thread.done.append((name, value))
        elif event == "free":
            length, handle = value
            where = self.placement.where(handle) if length else None
            entry = (length, where, subject.offset, self.machine.zswap.pool.zpool.pages)
            thread.done.append(("free", entry))
            if length:
                self.placement.freed(handle)
        elif event == "slot free":
            thread.done.append((event, value))
        elif event in NESTED.values():
            if "swapcache_add" in self.kinds:
                thread.done.append((event, value))
        elif event == "malloced":
            thread.handle = value
            if not isinstance(value, int):
                self.placement.allocated(value)
            self.note(thread, event, value)
        elif event == "object":
            self.note(thread, event, subject)
        elif event == "release":
            thread.done.append((event, self.placement.saw(event, subject, value)))
        elif event in PLACING or event == "page isolate":
            self.note(thread, event, self.placement.saw(event, subject, value))
        elif event == "pagefree":
            self.note(thread, event, self.placement.page_freed(value))
        else:
            if event == "search":
                thread.had = value
            self.note(thread, event, value)

    def note(self, thread: Thread, event: str, value: Any) -> None:
        if event in self.vocabulary:
            thread.done.append((event, value))

    def advance(self, thread: Thread) -> None:
        """One step of the thread's operation, or its end."""
        assert thread.operation is not None
        self.current = thread
        thread.held += thread.granting
        try:
            step: Step = next(thread.operation)
        except StopIteration:
            thread.operation, thread.standing = None, ""
            thread.held, thread.granting = 0, False
            if thread.paused:
                self.program.append(("finish", thread.tid, ()))
            return
        finally:
            self.current = None
        thread.standing = step.kind
        thread.granting = step.kind == "acquire"
        thread.held -= step.kind == "release"
        thread.at_step = step is not CALL and step is not RETURN
        thread.observed_steps += 1
        thread.steps += thread.at_step
        if step.kind == "submit" or (step.kind in STEPS and step.kind in self.vocabulary):
            thread.done.append((step.kind, None))

    def next_event(self, thread: Thread, row: Row, name: str) -> Any:
        """What the model does next in that thread, which must be `name`."""
        if thread.interrupted:
            thread.interrupted = False
            self.resume(thread)
        while not thread.done:
            if thread.operation is None:
                raise Disagreement(f"the kernel comes to {name!r}, the model has ended", name, None)
            self.advance(thread)
        found, value = thread.done.popleft()
        if found != name:
            raise Disagreement(f"the kernel comes to {name!r}, the model to {found!r}", name, found)
        return value

    def interrupt(self, thread: Thread) -> None:
        """Another thread of the same CPU runs: so this one holds no spinlock, it cannot be preempted with one."""
        while thread.operation is not None and (thread.held or not (thread.rows or thread.done)):
            self.advance(thread)  # between two rows it goes on to the next thing that would be seen
        while thread.operation is not None and not (self.preempts or thread.done or thread.standing in SLEEPS):
            self.advance(thread)  # it gave the CPU up itself, and can do that only where it may sleep
        thread.interrupted = bool(thread.rows)
        if thread.rows:
            row = thread.rows[-1]
            for _ in range(self.choices.get((row.line, thread.interruptions), 0)):
                if thread.operation is not None:
                    self.advance(thread)
            self.interrupted.append((row, thread.interruptions))
            thread.interruptions += 1
        if thread.operation is not None:
            self.program.append(("pause", thread.tid, (thread.observed_steps, thread.steps, thread.at_step)))
            thread.observed_steps, thread.steps, thread.paused = 0, 0, True

    def resume(self, thread: Thread) -> None:
        """After another thread ran: if the model had gone further, or now does unseen things, it chose the order."""
        inferred = False
        while not thread.done and thread.operation is not None:
            before = self.effects, self.state()
            self.advance(thread)
            if not thread.done and (self.effects, self.state()) != before:
                inferred = True
        if inferred:
            for row in thread.rows[-1:]:
                self.classify(row, "order inferred", "another thread ran inside, at a point that was not recorded")

    def state(self) -> tuple[Any, ...]:
        zswap = self.machine.zswap
        return (zswap.pool.zpool.pages, zswap.reached_full, *(value for _, value in zswap.counters))

    def feed(self, thread: Thread, row: Row, name: str, *arguments: Any) -> None:
        """Start an operation of the swap layer or the worker."""
        thread.frame = Frame()
        function, given = call(self.machine, name, arguments, thread.frame)
        self.start(thread, row, function(*given))
        self.program.append((name, thread.tid, arguments))

    def outside(self, name: str, offset: int) -> None:
        """What the program's own faults and page-outs did to the swap cache and the slots in use."""
        if name in ("cache", "own") and is_new(self.machine.swap, offset):
            self.slot_taken(offset)
        OUTSIDE[name](self.machine.swap, offset)
        self.program.append((name, 0, (offset,)))

    def start(self, thread: Thread, row: Row, operation: Kernel | None) -> None:
        """A thread begins something new; what it did before must be over, with nothing left to show."""
        while thread.operation is not None:
            self.advance(thread)
        if thread.done and not thread.lost:
            self.disagree(row, "before this the model did more than the kernel", None, thread.done[0][0])
        thread.done.clear()
        thread.rows.clear()
        thread.lost = thread.interrupted = thread.paused = False
        thread.observed_steps = thread.steps = thread.interruptions = 0
        thread.at_step, thread.standing = True, ""
        thread.operation = operation

    def expects(self, thread: Thread, event: str) -> bool:
        """Whether the thread's operation goes on to `event` by itself."""
        while thread.operation is not None and not thread.done:
            self.advance(thread)
        return bool(thread.done) and thread.done[0][0] == event

    def abandon(self, thread: Thread) -> None:
        while thread.operation is not None:
            self.advance(thread)
        thread.done.clear()
        thread.rows.clear()
        thread.lost = True

    # -- what comes from outside ---------------------------------------------------------------

    def swapout(self, thread: Thread, row: Row) -> None:
        page, offset = RecordedPage(self.lengths[row.line]), row.cells["offset"]
        if not self.older and offset not in self.machine.swap.cache:
            self.disagree(row, "a page is written whose slot is not in the swap cache")
        self.pages[offset] = page
        thread.offset = offset
        self.feed(thread, row, "writepage", offset, page)

    def swapin(self, thread: Thread, row: Row) -> None:
        thread.offset = row.cells["offset"]
        swap = self.machine.swap
        if thread.offset not in swap.in_use or not (swap.synchronous or self.older or thread.offset in swap.cache):
            self.disagree(row, "a slot is read that nobody has, or that is not in the swap cache")
        self.feed(thread, row, "readpage", thread.offset)

    def slot_give(self, thread: Thread, row: Row) -> None:
        offset = row.cells["offset"]
        if not self.older and (offset not in self.machine.swap.in_use or offset in self.machine.swap.cache):
            self.disagree(row, "a slot is given up that nobody has, or that is in the swap cache")
        if self.unsure and row.line in self.freed_at_once:
            self.use_slot_cache(False)
        self.feed(thread, row, "free_slot", offset)

    def slot_taken(self, offset: int) -> None:
        """A new slot: by now the kernel has decided whether to use the slot cache (`check_cache_active`)."""
        swap = self.machine.swap
        self.set_aside.discard(offset)
        self.draining = self.unsure = False
        if "slot_give" not in self.kinds:
            return
        if not swap.slot_cache_active:
            self.use_slot_cache(swap.free_slots > ACTIVATE)
        elif swap.free_slots < DEACTIVATE:
            if swap.given:
                self.disagree(self.latest, "few slots are free, and those given up still wait", 0, len(swap.given))
            self.use_slot_cache(False)
        else:
            self.unsure = self.few_slots

    def use_slot_cache(self, active: bool) -> None:
        if active != self.machine.swap.slot_cache_active:
            self.unsure = False
            self.outside("slot_cache", int(active))

    @property
    def few_slots(self) -> bool:
        """Whether the kernel may find too few slots free to use the slot cache; up to 63 more are set aside."""
        return self.machine.swap.free_slots - (SLOT_CACHE - 1) < DEACTIVATE

    def slot_free(self, thread: Thread, row: Row) -> None:
        """A slot is freed that the model did not free by itself: at swapoff, or no slot_give was recorded."""
        swap, offset = self.machine.swap, row.cells["offset"]
        if "slot_give" in self.kinds and swap.slot_cache_active and self.few_slots and not self.swapoff:
            self.draining = True
            self.use_slot_cache(False)
        drained = self.swapoff or self.draining
        if swap.given and swap.given[0] == offset and drained:
            self.feed(thread, row, "flush_slots")
            return
        if "slot_give" not in self.kinds:
            self.classify(row, "not determined", "when slots are given up was not recorded")
        elif drained and not (offset in swap.in_use or offset in swap.given or offset in self.set_aside):
            self.set_aside.add(offset)
            self.classify(row, "not determined", "a slot set aside, never used")
        else:
            self.disagree(row, "a slot is freed that was not given up, or not in this order")
        self.feed(thread, row, "frontswap_invalidate_page", offset)

    def worker(self, thread: Thread, row: Row) -> None:
        pool = self.machine.zswap.pools[-1]
        if not pool.work_pending:
            self.disagree(row, "the worker runs, but the model has not queued it")
            self.machine.zswap.pool_get(pool)  # which its end will drop
        self.feed(thread, row, "shrink_worker")

    def compaction(self, thread: Thread, row: Row) -> None:
        """A kworker does what the backend left to it; when is not decided by the model."""
        if self.machine.zswap.pool.zpool.pending:
            self.feed(thread, row, "kworker")

    def begin_swapoff(self, thread: Thread, row: Row) -> None:
        self.swapoff = True
        self.compare_counters(row, "counters_workload_exit")

    def invalidate_area(self, thread: Thread, row: Row) -> None:
        """The end of swapoff: by now nobody has a slot, and nothing is in the swap cache."""
        swap, type = self.machine.swap, row.cells["type"]
        for what, left in (("slots in use", swap.in_use), ("swap cache", swap.cache), ("slots given up", swap.given)):
            if left and not self.older:
                self.disagree(row, f"{what} at the end of swapoff", 0, len(left))
        if type in self.machine.zswap.trees:
            self.feed(thread, row, "invalidate_area", type)
        else:
            self.disagree(row, "a tree is given up that does not exist", type, None)
            thread.lost = True

    def swapcache_add(self, thread: Thread, row: Row) -> None:
        swap, offset = self.machine.swap, row.cells["offset"]
        if row.cells.get("ok"):
            if offset in swap.cache or offset in swap.given:
                self.disagree(row, "the slot is in the swap cache already, or given up")
            self.outside("cache", offset)

    def swapcache_del(self, thread: Thread, row: Row) -> None:
        if row.cells["offset"] not in self.machine.swap.cache:
            self.disagree(row, "the slot is not in the swap cache")
        self.outside("uncache", row.cells["offset"])


STARTS: dict[str, Callable[[Replay, Thread, Row], None]] = {
    "swapout": Replay.swapout, "swapin": Replay.swapin, "slot_give": Replay.slot_give, "slot_free": Replay.slot_free,
    "worker": Replay.worker, "invalidate_area": Replay.invalidate_area,
    "swapcache_add": Replay.swapcache_add, "swapcache_del": Replay.swapcache_del, "swapoff": Replay.begin_swapoff,
    "z3fold_compact": Replay.compaction,
}  # fmt: skip
OWN = {"slot_free": "slot free", "z3fold_compact": "begin compact_page"}  # may be part of what a thread is doing
FUNCTION_EVENTS = {f"{event} {name}" for event in ("begin", "end") for name in FUNCTIONS.values()}
FUNCTION_EVENTS.discard("end invalidate_area")


def events(recording: Recording) -> Iterator[tuple[int, Row, str, str]]:
    """Every begin, point and end of the recording as (position, row, name, value), in their order."""
    coming: list[tuple[int, int, int, Row, str, str]] = []  # a heap: what lies ahead of the rows that have begun
    for index, row in enumerate(recording.rows):
        while coming and coming[0][0] <= row.seq:
            position, *_, earlier, name, value = heappop(coming)
            yield position, earlier, name, value
        yield row.seq, row, "begin", ""
        for number, (position, name, value) in enumerate(row.points):
            heappush(coming, (position, index, number, row, name, value))
        if row.seq_end > row.seq:
            heappush(coming, (row.seq_end, index, len(coming), row, "end", ""))
    while coming:
        position, *_, earlier, name, value = heappop(coming)
        yield position, earlier, name, value


def vocabulary(recording: Recording) -> set[str]:
    """The points that this recording's probes can show; without inner points, none."""
    if "inner" not in recording.columns:
        return set()
    probes = recording.settings.get("probes")
    if probes is None:
        return {name for row in recording.rows for _, name, _ in row.points} & POINTS
    names = {probe.split()[0].partition("/")[2].removeprefix("i_") for probe in probes}
    return {PROBES.get(name, name) for name in names} & POINTS


def freed_at_once(recording: Recording) -> set[int]:
    """Lines of the slots given up that are freed next in their thread, not later with others."""
    given: dict[int, Row] = {}
    found = set()
    for row in recording.rows:
        before = given.pop(row.tid, None)
        if before and row.op == "slot_free" and row.cells.get("offset") == before.cells.get("offset"):
            found.add(before.line)
        if row.op == "slot_give":
            given[row.tid] = row
    return found


def preempts(recording: Recording) -> bool:
    """Whether that kernel takes the CPU from a thread in the middle of its code (/sys/kernel/debug/sched/preempt)."""
    mode = str(recording.parameters.get("preempt", ""))
    return "(none)" not in mode and "(voluntary)" not in mode


def page_lengths(recording: Recording) -> dict[int, int | None]:
    """Line of each swapout -> the compressed length of its page: that of the store which follows in its thread."""
    waiting: dict[int, Row] = {}
    lengths: dict[int, int | None] = {}
    for row in recording.rows:
        if row.op == "swapout":
            waiting[row.tid] = row
            lengths[row.line] = None
        elif row.op == "store" and row.tid in waiting:
            lengths[waiting.pop(row.tid).line] = row.cells.get("length")
    return lengths
