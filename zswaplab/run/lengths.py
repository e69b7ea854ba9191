"""`Lengths`: the kernel's deflate by recorded lengths, so that a run comes out the same on every system.

Live deflate gives the kernel's lengths where Python has classic zlib; some systems have zlib-ng, whose lengths differ
by a few bytes, and then other pages fit together. lengths.csv has what classic zlib gives for the page made from each
small seed; it gives every length of deflate that was recorded from a kernel, too.
"""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

from ..model.compressors import page_bytes
from ..model.errors import BadInput


class Squeezed:
    """A compressed page: len() is its recorded length in bytes, the bytes themselves are not known."""

    __slots__ = ("length", "page")

    def __init__(self, page: bytes, length: int) -> None:
        self.page = page
        self.length = length

    def __len__(self) -> int:
        return self.length


class Lengths:
    """A compressor that knows the pages made from small seeds and no others: nothing is guessed.

    >>> page = page_bytes(3)
    >>> len(Lengths().compress(page))
    1340
    """

    name = "lengths"

    def compress(self, page: bytes) -> Squeezed:
        """The page with its recorded length. Raises BadInput for a page whose length was not recorded."""
        length = recorded().get(page)
        if length is None:
            raise BadInput(
                f"the length of this page was not recorded: write pages made from seeds below {len(recorded()):,}, "
                "like 'write 3' or 'write 3 17', or use compressor='deflate', which runs here"
            )
        return Squeezed(page, length)

    def decompress(self, data: Squeezed) -> bytes:
        return data.page


@cache
def recorded() -> dict[bytes, int]:
    """Page -> the length in bytes to which the kernel's deflate compresses it, of the page made from each seed."""
    with open(Path(__file__).with_name("lengths.csv"), newline="", encoding="ascii") as file:
        return {page_bytes(int(row["seed"])): int(row["length"]) for row in csv.DictReader(file)}
