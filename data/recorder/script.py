"""Scripts for workload.c: which page is written, paged out, read and freed, and when.

A script of one's own is a text with a line for each operation, in the words of zswaplab's workloads: `write 3`,
`write 3 17` (contents number 17 of page 3), `write 3 zeros`, `page_out 3`, `read 3`, `free 3`; `worker` and
`drop_cache`, for which the program waits a moment; `swapoff`, at the end. An empty line, and what follows a `#`, says
nothing.
"""

from __future__ import annotations

import bisect
import random
import struct
import sys
from collections import OrderedDict
from collections.abc import Callable
from itertools import accumulate

VERBS = {"write": "W", "read": "R", "page_out": "O", "free": "F"}
SAMPLE_EVERY = 250  # operations, the sample itself included
WAITS = ("worker", "drop_cache")  # what the kernel does by itself, as soon as it comes to it
ZEROS = 0  # the version of a page of zeros
MOST_PAGES = 1 << 24  # a record has 24 bits for the page's number


class Script:
    """Collects operations as workload.c reads them, with a look at the counters now and then.

    With `resident` it also pages out, as a reclaiming kernel would: the least recently used page, whenever
    more than so many are in memory.
    """

    def __init__(self, resident: int | None = None) -> None:
        self.records: list[bytes] = []
        self.resident = resident
        self.in_memory: OrderedDict[int, None] = OrderedDict()  # the least recently used page first
        self.versions: dict[int, int] = {}
        self.since_sample = 0

    def add(self, op: str, page: int = 0, argument: int = 0) -> None:
        self.records.append(struct.pack("<II", ord(op) | page << 8, argument))
        self.since_sample += 1
        if self.since_sample == SAMPLE_EVERY:
            self.since_sample = 0
            self.add("S")

    def write(self, page: int, version: int | None = None) -> None:
        self.versions[page] = self.versions.get(page, 0) + 1 if version is None else version
        self.add("W", page, self.versions[page])
        self.touch(page)

    def read(self, page: int) -> None:
        self.add("R", page)
        self.touch(page)

    def page_out(self, page: int) -> None:
        self.in_memory.pop(page, None)
        self.add("O", page)

    def free(self, page: int) -> None:
        self.in_memory.pop(page, None)
        self.add("F", page)

    def wait(self) -> None:
        self.add("K")

    def touch(self, page: int) -> None:
        self.in_memory[page] = None
        self.in_memory.move_to_end(page)
        if self.resident is not None and len(self.in_memory) > self.resident:
            self.page_out(next(iter(self.in_memory)))

    def __bytes__(self) -> bytes:
        return b"".join(self.records)


def from_text(text: str, name: str) -> tuple[bytes, int]:
    """(the script that a text says, how many pages it needs); ends the program for a line that says nothing known."""
    script, pages, ended = Script(), 0, False
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        if ended:
            sys.exit(
                f"{name}, line {number}: {line.strip()!r} comes after swapoff, which ends a recording; leave it out"
            )
        if not is_operation(words):
            known = ", ".join(f"{verb} PAGE" for verb in VERBS)
            sys.exit(
                f"{name}, line {number}: {line.strip()!r} is no operation; write one of: {known}, write PAGE VERSION, "
                "write PAGE zeros, worker, drop_cache, swapoff"
            )
        if words[0] in VERBS:
            page, *version = (ZEROS if word == "zeros" else int(word) for word in words[1:])
            getattr(script, words[0])(page, *version)
            pages = max(pages, page + 1)
        elif words[0] in WAITS:
            script.wait()
        ended = words == ["swapoff"]  # as every recording ends
    if not pages:
        sys.exit(f"{name}: has no operation; write lines like 'write 3' and 'page_out 3'")
    return bytes(script), pages


def is_operation(words: list[str]) -> bool:
    """Whether a line's words are an operation that a guest can be asked for."""
    verb, *rest = words
    if verb not in VERBS:
        return not rest and verb in (*WAITS, "swapoff")
    if not rest or not rest[0].isdecimal() or int(rest[0]) >= MOST_PAGES:
        return False
    contents = rest[1:]
    return not contents or (verb == "write" and len(contents) == 1 and is_contents(contents[0]))


def is_contents(word: str) -> bool:
    """A page's contents: zeros, or a number that workload.c can hold."""
    return word == "zeros" or (word.isdecimal() and 0 < int(word) < 1 << 32)


def zipf(rng: random.Random, pages: int, skew: float) -> Callable[[], int]:
    """A function that gives pages, a few of them much more often than the rest."""
    shares = list(accumulate(1 / rank**skew for rank in range(1, pages + 1)))
    order = list(range(pages))
    rng.shuffle(order)
    return lambda: order[bisect.bisect_left(shares, rng.random() * shares[-1])]


class Mixed:
    """The built-in workload, in six parts: everything that a program may do to its pages, and some of it at random."""

    def __init__(self, pages: int, resident: int, seed: int, scale: float) -> None:
        self.pages = pages
        self.scale = scale
        self.rng = random.Random(seed)
        self.script = Script(resident)
        self.live = set(range(pages))

    def run(self) -> bytes:
        self.fill()
        pick = zipf(self.rng, self.pages, 0.9)
        self.favourites(pick, 14000)
        self.loop(8000)
        self.anywhere(12000)
        self.refill()
        self.favourites(pick, 6000)
        return bytes(self.script)

    def use(self, page: int, writes: float) -> None:
        (self.script.write if self.rng.random() < writes else self.script.read)(page)

    def fill(self) -> None:
        for page in range(self.pages):
            self.script.write(page)

    def favourites(self, pick: Callable[[], int], times: int) -> None:
        for _ in range(int(times * self.scale)):
            self.use(pick(), 0.3)

    def loop(self, times: int) -> None:
        for turn in range(int(times * self.scale)):
            self.use(turn % (self.pages // 3), 0.1)

    def anywhere(self, times: int) -> None:
        """Any page, with frees; a freed one is written again."""
        for _ in range(int(times * self.scale)):
            page = self.rng.randrange(self.pages)
            if page not in self.live:
                self.script.write(page)
                self.live.add(page)
            elif self.rng.random() < 0.15:
                self.script.free(page)
                self.live.discard(page)
            else:
                self.use(page, 0.3)

    def refill(self) -> None:
        """Give every other page back, then write them again."""
        for page in range(0, self.pages, 2):
            self.script.free(page)
        for page in range(0, self.pages, 2):
            self.script.write(page)


def mixed(pages: int, resident: int, seed: int, scale: float = 1.0) -> bytes:
    """The built-in workload: `pages` of them, `resident` in memory at a time; `scale` 1 is about 40,000 accesses."""
    return Mixed(pages, resident, seed, scale).run()
