"""The exercises of notebook 09: the LRU in zswap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import product
from typing import Any, ClassVar

from ...trace.replay import Replay
from ..answers import notebook09
from ..evidence import in_words, step_of
from ..guard import fenced, student_code
from ..misconceptions import MISCONCEPTIONS
from ..variant import Feedback, Variant, Verdict
from .code import Code, Function, recording

Event = tuple[str, int]  # "stored", "loaded", "failed", "taken" off for reclaim or "freed"; the slot
Differing = tuple[Sequence[Event], list[int], list[int]]  # after these events, yours, the kernel's
RUNS = ("p2-zbud-overflow", "p4-zsmalloc-overflow")
LONGEST = 5  # events
SHORT, RECORDED = "short lists as the kernel does", "the recorded kernels"


class ListFunctions(Code):
    """09.1: what a store, a load and a failed writeback do to the list."""

    asks: ClassVar[Mapping[str, Function]] = {one.__name__: one for one in notebook09.RIGHT}

    def reference(self) -> list[Function]:
        return list(notebook09.RIGHT)

    def wrong(self) -> Mapping[str, Any]:
        return {name: list(functions) for name, functions in notebook09.WRONG.items()}

    def judge(self, answer: Any) -> Verdict:
        functions = {name: fenced(one) for name, one in self.functions(answer).items()}
        with student_code(functions.values(), steps=None):
            short = self.shortest(functions)
            told = [text for run in RUNS if (text := victims(run, functions))]
        if not (short or told):
            return self.right()
        points = {SHORT: 0.0 if short else 0.5, RECORDED: 0.0 if told else 0.5}
        if not short:
            return self.mistake("", Feedback("It is not the kernel's list.", recorded=told[0]), points)
        events, mine, kernel = short
        lists = f"Your list is then {mine}, head first; the kernel's {kernel}."
        example = f"The smallest that differs: {spoken(events)}. {lists}"
        belief = self.belief(functions)
        seen: dict[str, Any] = {}
        shown = ""
        if belief in MISCONCEPTIONS:
            wrong = MISCONCEPTIONS[belief]
            seen = {"setup": wrong.situation, "mine": wrong.applied(wrong.situation)}
            seen["step"] = step_of(*seen.values())
            lines = in_words(wrong.situation.lines())
            shown = f"The shortest workload in which it shows: {lines}. `play()` shows both."
        return self.mistake(belief, Feedback("It is not the kernel's list.", example, shown, *told[:1]), points, **seen)

    def shortest(self, given: Mapping[str, Function]) -> Differing | None:
        """The shortest sequence of events after which the lists differ."""
        for events in sequences():
            mine, kernel = after(events, given), after(events, self.asks)
            if mine != kernel:
                return events, mine, kernel
        return None

    def belief(self, functions: Mapping[str, Function]) -> str:
        """The wrong functions that make the same lists."""
        own = [after(events, functions) for events in sequences()]
        for name, wrong in notebook09.WRONG.items():
            if own == [after(events, dict(zip(self.asks, wrong, strict=True))) for events in sequences()]:
                return name
        return ""


def after(events: Sequence[Event], functions: Mapping[str, Function]) -> list[int]:
    """The list after some events, head first."""
    lru: list[int] = []
    for what, slot in events:
        if what in functions:
            functions[what](lru, slot)
        elif slot in lru:
            lru.remove(slot)
    return lru


@cache
def sequences() -> list[tuple[Event, ...]]:
    """Every short sequence of events that can be, of two slots; the shortest first."""
    events = [(what, slot) for what in ("stored", "loaded", "taken", "failed") for slot in (1, 2)]
    return [tried for length in range(1, LONGEST + 1) for tried in product(events, repeat=length) if can_be(tried)]


def can_be(events: Sequence[Event]) -> bool:
    """Whether a slot is stored once, loaded while it is listed, taken from the tail, and fails once it was taken."""
    lru: list[int] = []
    taken: list[int] = []
    for what, slot in events:
        allowed = {
            "stored": slot not in lru and slot not in taken, "loaded": slot in lru, "taken": lru[-1:] == [slot],
            "failed": slot in taken,
        }  # fmt: skip
        if not allowed[what]:
            return False
        if what in ("loaded", "taken"):
            lru.remove(slot)
        if what == "taken":
            taken.append(slot)
        else:
            lru.insert(0, slot)
            taken = [other for other in taken if other != slot]
    return True


def spoken(events: Sequence[Event]) -> str:
    """Events in words."""
    return ", ".join(f"slot {slot} {'is taken off the tail' if what == 'taken' else what}" for what, slot in events)


# -- recorded ------------------------------------------------------------------------------------------------


def victims(run: str, functions: Mapping[str, Function]) -> str:
    """How the list's victims differ from a recording's, in words; "" if they do not."""
    lru: list[int] = []
    first, wrong, all_ = None, 0, 0
    for what, slot in events_of(run):
        if what == "taken":
            all_ += 1
            if lru[-1:] != [slot]:
                wrong += 1
                first = first or (all_, slot, lru[-1:])
        if what in functions:
            functions[what](lru, slot)
        else:
            lru[:] = [other for other in lru if other != slot]
    if first is None:
        return ""
    number, right, mine = first
    yours = f"slot {mine[0]}" if mine else "nobody"
    return (
        f"In {run} {wrong:,} of {all_:,} victims differ. The first is number {number}: the recorded kernel took slot "
        f"{right}, your list has {yours} at its tail."
    )


@cache
def events_of(run: str) -> list[Event]:
    """What happened to zswap's list in a recording, as the model replays it."""
    replay = Replay(recording(run))
    found: list[Event] = []
    loads: set[Any] = set()  # the threads that are in one

    def observe(event: str, subject: Any, value: Any) -> None:
        thread = replay.drive.current
        if event in ("begin", "end") and subject == "load":
            (loads.add if event == "begin" else loads.discard)(thread)
        elif event == "lru move":
            found.append(("loaded" if thread in loads else "failed", subject.offset))
        elif event in KINDS:
            found.append((KINDS[event], object.__getattribute__(subject, "offset")))

    replay.machine.hook.subscribe(observe)
    replay.run()
    return found


KINDS = {"lru add": "stored", "lru isolate": "taken", "lru delete": "freed"}
VARIANTS: dict[str, type[Variant]] = {"09.1": ListFunctions}
