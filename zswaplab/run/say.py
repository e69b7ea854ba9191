"""What just happened, in one plain sentence: made from the facts of a moment, never from another sentence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .cpus import NAMES, Operation
from .events import Fact
from .session import Moment

# What a step is about to do, where nothing worth a sentence happened before it.
_STEPS = {
    "unlocked": "The CPU looks at data that every CPU shares, with no lock held.",
    "alloc": "The **entry** has been allocated, for which the thread may have had to wait.",
    "compress": "The page is about to be **compressed**.",
    "malloc": "The backend is about to be asked for **room** for the compressed bytes.",
    "map": "The object in the backend is about to be **mapped**, so that its bytes can be reached.",
    "unmap": "The object's bytes are done with; it is about to be **unmapped**.",
    "decompress": "The bytes are about to be **decompressed** into a page frame.",
    "lookup": "Writeback is about to ask the **swap cache** for a frame at this slot.",
    "swap cache": "The **swap cache** has been asked and has answered; the next step goes by what it said.",
    "submit": "The page is about to be **written to the swap device**.",
    "read": "zswap does not have the page: it is about to be **read from the swap device**.",
    "fault": "The CPU is about to look at the page table, which others may have changed meanwhile.",
}
_BEGINNINGS = {
    "store": "The kernel takes the page's frame away and **asks zswap** to keep the page.",
    "load": "The page is not in RAM: **zswap is asked** for it before the disk is.",
    "invalidate_page": "The page's swap slot was given up: zswap is told to **forget** it.",
    "shrink_worker": "The **shrink worker** begins: it is to make room in the pool.",
    "writeback_entry": "**Writeback** of one page begins: from the pool to the swap device.",
    "reclaim_entry": "zswap is to write back **one entry**: the one at the tail of its LRU.",
    "zpool_shrink": "The **backend** is asked to empty one of its pages.",
}
_REFUSED = {
    "compressor": "The compressor gives up: compressed, the page would be longer than a page. It is **refused**.",
    "switched off": "zswap does not take pages like this one as it is set now: **refused**.",
}


def sentence(moment: Moment, operation: Operation) -> str:
    """The sentence for one moment of `operation`; with several CPUs it says which one ran."""
    told = _told(moment.fact, operation) if moment.fact else ""
    text = told or _step(moment, operation)
    return f"CPU {NAMES[moment.cpu]}: {text}" if moment.cpus else text


def _step(moment: Moment, operation: Operation) -> str:
    """What comes next, where there is nothing to tell of what was."""
    if moment.step is None:
        return f"**{operation}** is done."
    if moment.lock is not None:
        return f"The **{moment.lock}** is about to be {'taken' if moment.step == 'acquire' else 'dropped'}."
    return _STEPS.get(moment.step, f"{moment.step}.")


def _told(fact: Fact, operation: Operation) -> str:
    """The sentence for a fact; nothing where it is not worth one."""
    if fact.kind in _SENTENCES:
        return _SENTENCES[fact.kind](fact, _who(fact), fact.values)
    if fact.kind == "loaded":
        return f"**{operation}** got its page out of zswap: no disk was touched."
    return _BEGINNINGS.get(fact.values["function"], "") if fact.kind == "begin" else ""


def _who(fact: Fact) -> str:
    return "The page" if fact.page is None else f"Page {fact.page}"


def _lower(who: str) -> str:
    return who[0].lower() + who[1:]


def _place(values: dict[str, Any]) -> str:
    return f"{values['backend']} page {values['where']}"


_SENTENCES: dict[str, Callable[[Fact, str, dict[str, Any]], str]] = {
    "insert": lambda fact, who, _: f"{who}'s entry is in the **tree**: from now on a load finds it.",
    "erase": lambda fact, who, _: f"{who}'s entry is off the **tree**: nobody can find it any more.",
    "free": lambda fact, who, _: f"The last reference is gone: {_lower(who)}'s entry is **freed**.",
    "submitted": lambda fact, who, _: f"{who} is **written back**: its bytes are on their way to the swap device.",
    "lru add": lambda fact, who, _: f"{who} goes to the **head** of the LRU, the place of the newest.",
    "lru move": lambda fact, who, _: f"{who} moves to the **head** of the LRU: it was used, so it is new again.",
    "lru isolate": lambda fact, who, _: (
        f"The worker takes the **tail** of the LRU: {_lower(who)}, longest without a store or a load. "
        "Once lru_lock is dropped, anyone may free it."
    ),
    "find": lambda fact, who, _: f"{who}'s entry is found, and held by **one more reference** while it is used.",
    "no entry": lambda fact, who, _: "zswap has **no entry** for this slot.",
    "put": lambda fact, who, values: (
        f"A reference to {_lower(who)}'s entry is dropped: **{values['refcount']} → {values['left']}**."
        if values["refcount"] == values["left"] + 1
        else f"References to {_lower(who)}'s entry are dropped, one after the other: "
        f"**{' → '.join(map(str, range(values['refcount'], values['left'] - 1, -1)))}**."
    ),
    "malloced": lambda fact, who, values: (
        f"{who} is compressed to **{values['length']:,} bytes**; {values['backend']} has room in its page "
        f"{values['where']}."
    ),
    "too large": lambda fact, who, values: (
        f"{who} does not compress well enough for {values['backend']}: **refused** ({values['result']})."
    ),
    "refused": lambda fact, who, values: _REFUSED[fact.reason or "switched off"],
    "full": lambda fact, who, values: (
        f"The pool has {values['size']} pages, **more than its limit** of {values['limit']}: refused."
    ),
    "not full": lambda fact, who, values: (
        f"The pool has {values['size']} pages, not more than its limit of {values['limit']}."
    ),
    "still full": lambda fact, who, values: (
        f"The pool was full, and still has {values['size']} pages, not fewer than {values['below']}: **refused**."
    ),
    "accepts": lambda fact, who, values: (
        f"The pool was full, and now has {values['size']} pages, fewer than {values['below']}: it **accepts again**."
    ),
    "worker stops": lambda fact, who, values: (
        f"The pool has {values['size']} pages, fewer than {values['below']}: the worker **may stop**."
    ),
    "worker goes on": lambda fact, who, values: (
        f"The pool has {values['size']} pages, still not fewer than {values['below']}: the worker **goes on**."
    ),
    "kick": lambda fact, who, values: (
        "The **shrink worker** is queued: it is to make room. The page itself goes to the swap device."
    ),
    "not written": lambda fact, who, values: "This page cannot be written back: " + {
        "in the swap cache": "it is in the swap cache already (-EEXIST).",
        "slot given up": "its owner has given the slot up (-ENOMEM).",
    }[fact.reason or ""],
    "frame": lambda fact, who, values: (
        "Writeback has a **frame in the swap cache**: now nobody can recycle this slot."
    ),
    "page isolate": lambda fact, who, values: (
        f"The backend takes **{_place(values)}**, the least recently filled: all that is in it must go."
    ),
    "move": lambda fact, who, values: (
        f"Compaction moves the only object of its page into **{_place(values)}**, which has room."
    ),
    "slide": lambda fact, who, values: (
        f"Compaction slides the middle object of page {values['where']}, to close a **gap**."
    ),
    "pagefree": lambda fact, who, values: f"Nothing is left in {_place(values)}: the page is **given back**.",
    "report": lambda fact, who, values: _report(values),
    "fault": lambda fact, who, values: _fault(fact, values),
}  # fmt: skip


def _report(values: dict[str, Any]) -> str:
    """One report of a sanitizer that lets the kernel go on."""
    if values["found"] == "lockdep":
        return f"**Lockdep:** {_circle(values)}"
    if values["found"] != "KASAN":
        return f"**List debugging:** {values['text']}."
    done = "read" if values["access"] == "read" else "written"
    where = "" if values["offset"] is None else f" ({values['size']} bytes at offset {values['offset']})"
    return f"**KASAN:** `{values['field']}` of freed memory is {done}{where} in {values['function']}."


_ENDS = {  # kind of fault -> how its sentence begins
    "DataLost": "Data lost", "Leak": "Leaked", "Livelock": "Livelock", "WrongPool": "The wrong pool",
    "Starved": "Starved",
}  # fmt: skip


def _fault(fact: Fact, values: dict[str, Any]) -> str:
    if fact.reason == "UseAfterFree":
        where = "" if values["offset"] is None else f" ({values['size']} bytes at offset {values['offset']})"
        what = "entry" if values.get("thing", "zswap_entry") == "zswap_entry" else values["thing"]
        done = "read" if values["access"] == "read" else "written"
        field = values["field"]
        return f"**Use after free.** The {what}'s memory was given back, and now its field `{field}` is {done}{where}."
    if fact.reason == "Deadlock":
        return f"**Deadlock.** {'; '.join(map(str, values['waits']))}."
    if fact.reason == "CircularLocking":
        return f"**Lockdep.** {_circle(values)}"
    text = values["text"]
    return f"**{_ENDS.get(fact.reason or '', 'The kernel dies here')}.** {text[0].upper()}{text[1:]}."


def _circle(values: dict[str, Any]) -> str:
    """Two orders of locks that cannot both be kept."""
    outer, inner = values["outer"], values["inner"]
    return (
        f"The {inner} is taken with the {outer} held, and elsewhere the {outer} with the {inner} held: "
        "two CPUs can wait for each other for ever."
    )
