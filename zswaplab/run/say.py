"""What just happened, in one plain sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..model.errors import DataLost, UseAfterFree
from ..model.steps import Step
from .cpus import Deadlock

if TYPE_CHECKING:
    from .history import Recorder
    from .sanitizers import Report

Told = tuple[int, str, str | None]  # weight, sentence, kind of event

# What a step is about to do, where nothing worth a sentence happened before it.
STEPS = {
    "unlocked": "The CPU looks at data that every CPU shares, with no lock held.",
    "alloc": "The **entry** has been allocated, for which the thread may have had to wait.",
    "compress": "The page is about to be **compressed**.",
    "malloc": "The backend is about to be asked for **room** for the compressed bytes.",
    "map": "The object in the backend is about to be **mapped**, so that its bytes can be reached.",
    "unmap": "The object's bytes are done with; it is about to be **unmapped**.",
    "decompress": "The bytes are about to be **decompressed** into a page frame.",
    "lookup": "Writeback is about to ask the **swap cache** for a frame at this slot.",
    "submit": "The page is about to be **written to the swap device**.",
    "read": "zswap does not have the page: it is about to be **read from the swap device**.",
}

BEGINNINGS = {
    "store": "The kernel takes the page's frame away and **asks zswap** to keep the page.",
    "load": "The page is not in RAM: **zswap is asked** for it before the disk is.",
    "invalidate_page": "The page's swap slot was given up: zswap is told to **forget** it.",
    "shrink_worker": "The **shrink worker** begins: it is to make room in the pool.",
    "writeback_entry": "**Writeback** of one page begins: from the pool to the swap device.",
}


def sentence(recorder: Recorder, step: Step | None, events: list[Any], operation: str) -> tuple[str, str | None]:
    """(the sentence, the kind of event or None) for one step: the weightiest thing that happened in it."""
    told = [found for name, subject, value in events if (found := tell(recorder, name, subject, value, operation))]
    if told:
        _, text, event = max(told, key=lambda found: found[0])
        return text, event
    if step is None:
        return f"**{operation}** is done.", None
    if step.lock is not None:
        return f"The **{step.lock.name}** is about to be {'taken' if step.kind == 'acquire' else 'dropped'}.", None
    return STEPS.get(step.kind, f"{step.kind}."), None


def tell(recorder: Recorder, name: str, subject: Any, value: Any, operation: str) -> Told | None:
    """(weight, sentence, event) of one event of the model, or None if it is not worth a sentence."""
    zswap = recorder.machine.zswap
    if name == "fault":
        return 99, fault(subject), "fault"
    if name == "report":
        return 98, report(subject), "fault"
    if name == "begin" and subject in BEGINNINGS:
        return 15, BEGINNINGS[subject], None
    if name == "end" and subject == "load" and value == 0:
        return 85, f"**{operation}** got its page out of zswap: no disk was touched.", "load"
    if name in ("full", "accept"):
        return limits(name, value, zswap, operation)
    if name == "kick":
        return 40, "The **shrink worker** is queued: it is to make room. The page itself goes to the swap device.", None
    if name == "cached" and value:
        why = {1: "it is in the swap cache already (-EEXIST)", 2: "its owner has given the slot up (-ENOMEM)"}[value]
        return 60, f"This page cannot be written back: {why}.", None
    if name == "swapcache add" and operation == "the shrink worker":
        return 20, "Writeback has a **frame in the swap cache**: now nobody can recycle this slot.", None
    if name == "page isolate":
        where = f"{zswap.pool.zpool.name} page {subject.number}"
        return 70, f"The backend takes **{where}**, the least recently filled: all that is in it must go.", None
    if name == "move" and value:
        where = f"{zswap.pool.zpool.name} page {value.number}"
        return 68, f"Compaction moves the only object of its page into **{where}**, which has room.", None
    if name == "slide":
        return 56, f"Compaction slides the middle object of page {subject.number}, to close a **gap**.", None
    if name == "pagefree":
        where = f"{zswap.pool.zpool.name} page {subject.number}"
        return 58, f"Nothing is left in {where}: the page is **given back**.", None
    if name in ENTRY_EVENTS:
        return about_entry(recorder, name, subject, value)
    return None


ENTRY_EVENTS = (
    "malloced", "insert", "find", "put", "erase", "free", "submitted", "lru add", "lru move", "lru isolate",
)  # fmt: skip


def about_entry(recorder: Recorder, name: str, entry: Any, value: Any) -> Told | None:
    if entry is None:
        return (50, "zswap has **no entry** for this slot.", None) if name == "find" else None
    page = recorder.page_of(entry)
    who = "The page" if page is None else f"Page {page}"
    backend = recorder.machine.zswap.pool.zpool.name
    if name == "malloced":
        if isinstance(value, int):
            return 60, f"{who} does not compress well enough for {backend}: **refused** ({value}).", "refuse"
        size = value.size - recorder.machine.zswap.pool.header_bytes
        where = f"{backend} has room in its page {value.page.number}"
        return 50, f"{who} is compressed to **{size:,} bytes**; {where}.", None
    if name == "put":
        return 30, f"A reference to {who.lower()}'s entry is dropped: **{value} → {value - 1}**.", None
    if name == "find":
        return 45, f"{who}'s entry is found, and held by **one more reference** while it is used.", None
    table: dict[str, Told] = {
        "insert": (65, f"{who}'s entry is in the **tree**: from now on a load finds it.", "store"),
        "erase": (25, f"{who}'s entry is off the **tree**: nobody can find it any more.", None),
        "free": (55, f"The last reference is gone: {who.lower()}'s entry is **freed**.", "free"),
        "submitted": (80, f"{who} is **written back**: its bytes are on their way to the swap device.", "writeback"),
        "lru add": (40, f"{who} goes to the **head** of the LRU, the place of the newest.", None),
        "lru move": (62, f"{who} moves to the **head** of the LRU: it was used, so it is new again.", None),
        "lru isolate": (
            75, f"The worker takes the **tail** of the LRU, {who.lower()}, the oldest. Until it has found it again "
            "in the tree, anyone may free it.", None,
        ),
    }  # fmt: skip
    return table[name]


def limits(name: str, value: int, zswap: Any, operation: str) -> Told:
    size, limit, below = zswap.size, zswap.limit, zswap.accept_threshold
    if name == "full":
        if value:
            return 90, f"The pool has {size} pages, **more than its limit** of {limit}: refused.", "refuse"
        return 10, f"The pool has {size} pages, not more than its limit of {limit}.", None
    if operation == "the shrink worker":
        if value:
            return 35, f"The pool has {size} pages, fewer than {below}: the worker **may stop**.", None
        return 35, f"The pool has {size} pages, still not fewer than {below}: the worker **goes on**.", None
    if value:
        return 35, f"The pool was full, and now has {size} pages, fewer than {below}: it **accepts again**.", None
    return 90, f"The pool was full, and still has {size} pages, not fewer than {below}: **refused**.", "refuse"


def report(found: Report) -> str:
    """One report of a sanitizer that lets the kernel go on."""
    if found.kind != "KASAN":
        return f"**List debugging:** {found.text.splitlines()[0]}."
    done = "read" if found.access == "read" else "written"
    where = "" if found.offset is None else f" ({found.size} bytes at offset {found.offset})"
    return f"**KASAN:** `{found.field}` of freed memory is {done}{where} in {found.function}."


def fault(problem: Exception) -> str:
    if isinstance(problem, UseAfterFree):
        return (
            f"**Use after free.** The entry's memory was given back, and now its field `{problem.field}` is "
            f"{'read' if problem.access == 'read' else 'written'} ({problem.size} bytes at offset {problem.offset})."
        )
    if isinstance(problem, DataLost):
        return f"**Data lost.** {problem}."
    if isinstance(problem, Deadlock):
        return f"**Deadlock.** {str(problem).removeprefix('deadlock: ')}."
    return f"**The kernel dies here.** {problem}."
