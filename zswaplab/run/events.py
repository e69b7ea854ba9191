"""What the model tells its observers, and what of it is worth a sentence.

An observer is a function of (event, subject, value) that has subscribed to a machine's hook. EVENTS lists each
event once; a test holds the list against the model. A `Fact` is one of them as plain data, with what it comes to.
"""

from __future__ import annotations

from typing import Any, NamedTuple

EVENTS: dict[str, tuple[str, str]] = {  # event -> (its subject, its value)
    # a kernel function, by its name in the model
    "begin": ("function", "its arguments"),
    "end": ("function", "what it returned"),
    # an entry
    "alloc": ("entry", "None: it has been allocated"),
    "malloced": ("entry", "its handle in the backend, or -errno"),
    "insert": ("entry", "0, or -EEXIST where its slot is taken"),
    "search": ("entry or None", "1 if the tree has it, else 0"),
    "find": ("entry or None", "the same, and a reference is taken"),
    "put": ("entry", "the refcount from which one is dropped"),
    "erase": ("entry", "None: it is off the tree"),
    "free": ("entry", "(length, handle or value) of what is given back"),
    "zfree": ("entry", "pages of the backend before its object is freed"),
    "zfreed": ("entry", "pages of the backend after that"),
    "submitted": ("entry", "written_back_pages before this one: its bytes are on the way to the device"),
    "lru add": ("entry", "None: at the head of its pool's LRU"),
    "lru move": ("entry", "None: the same, from where it was"),
    "lru isolate": ("entry", "None: taken off for reclaim"),
    "lru delete": ("entry", "None: taken off for good"),
    # zswap
    "full": ("zswap", "1 if the pool has more pages than the limit"),
    "accept": ("zswap", "1 if it has fewer than the accept threshold"),
    "update": ("zswap", "the pool's size in pages, as zswap knows it from now on"),
    "kick": ("pool", "None: the shrink worker is queued for it"),
    # the swap layer
    "looked": ("swap", "1 if the slot has an owner"),
    "cached": ("swap", "0: a new frame; 1: the slot has one; 2: the slot was given up"),
    "swapcache add": ("swap", "slot"),
    "swapcache delete": ("swap", "slot"),
    "disk": ("swap", "slot whose bytes reach the device"),
    "slot free": ("swap", "slot that is given up"),
    # a page of the program
    "write": ("page number", "its new bytes"),
    "read": ("page number", "the bytes that were read"),
    "frame": ("page number", "present, swapped or freed: where its frame goes"),
    # a page of a backend
    "page": ("page of the backend", "lru if it goes to the head of the backend's own LRU, else None"),
    "page isolate": ("page of the backend", "None: taken off that LRU for reclaim"),
    "pagefree": ("page of the backend", "its number"),
    "pick": ("page of the backend", "None: compaction takes it"),
    "list": ("page of the backend", "None: compaction puts it back on its list"),
    "slide": ("page of the backend", "where the middle object goes, in chunks"),
    "release": ("page of the backend", "None: z3fold drops its claim"),
    "object": ("page of the backend", "its number: an object of it moves"),
    "move": ("handle", "the page to which the object moves"),
    # what drivers tell
    "lock": ("lock", "CPU that has taken it"),
    "unlock": ("lock", "CPU that has dropped it"),
    "object free": ("handle", "whether its page is being reclaimed, so that it stays readable"),
}


class Fact(NamedTuple):
    """One thing that has happened, as plain data.

    `kind` says what, `event` what it comes to for a page ("store", "load", "writeback", "refuse", "free", "fault" or
    None), `reason` why. `subject` is the number of the entry, `page` that of the program's page, or None; `values`
    is what else is to be said, by name.
    """

    kind: str
    event: str | None = None
    reason: str | None = None
    subject: int | None = None
    page: int | None = None
    values: dict[str, Any] = {}  # noqa: RUF012


# Of what happens in one step the weightiest is told.
WEIGHTS = {
    "fault": 99, "report": 98, "full": 90, "still full": 90, "loaded": 85, "submitted": 80, "lru isolate": 75,
    "page isolate": 70, "move": 68, "insert": 65, "lru move": 62, "too large": 60, "refused": 60, "not written": 60,
    "pagefree": 58, "slide": 56, "free": 55, "malloced": 50, "no entry": 50, "find": 45, "kick": 40, "lru add": 40,
    "accepts": 35, "worker stops": 35, "worker goes on": 35, "put": 30, "erase": 25, "frame": 20, "prepared": 18,
    "begin": 15, "not full": 10,
}  # fmt: skip

KINDS_OF_EVENT = ("store", "load", "writeback", "refuse", "free", "fault")
