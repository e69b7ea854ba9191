"""Compressors whose lengths were recorded from real kernels, and one that can run here: zstd.

A recorded compressor knows the pages in `data/codecs` and no others: nothing is guessed.
"""

from __future__ import annotations

import contextlib
import csv
import functools
import gzip
from typing import TYPE_CHECKING, Any

from ..model.compressors import COMPRESSORS, PAGE_SIZE, Compressor, same_filled
from ..model.errors import BadInput, choose
from .shipped import data_dir

if TYPE_CHECKING:
    import pandas

CODECS = ("lzo", "lzo-rle", "lz4", "lz4hc", "zstd", "deflate")
KERNELS = ("6.1", "6.12")


class Compressed:
    """A page that a recorded compressor squeezed: len() is the recorded length in bytes, the bytes are not known."""

    __slots__ = ("length", "page")

    def __init__(self, page: bytes, length: int) -> None:
        self.page = page
        self.length = length

    def __len__(self) -> int:
        return self.length


class RecordedCodec:
    """A compressor of a real kernel, by its recorded lengths. `name` is the kernel's, `kernel` the release."""

    def __init__(self, name: str, kernel: str) -> None:
        self.name = name
        self.kernel = kernel
        self.lengths = recorded_lengths(name, kernel)

    def compress(self, page: bytes) -> Compressed | None:
        """The page with its recorded length, None where that kernel's compressor refused it.

        Raises BadInput for a page that was not recorded.
        """
        if page not in self.lengths:
            raise BadInput(
                f"the length of this page with {self.name} on Linux {self.kernel} was not recorded; "
                "write pages of codec_pages(), or use compressor='deflate', which runs here"
            )
        length = self.lengths[page]
        return None if length is None else Compressed(page, length)

    def decompress(self, data: Compressed) -> bytes:
        return data.page

    def __repr__(self) -> str:
        return f"<{self.name}: {len(self.lengths)} lengths recorded on Linux {self.kernel}>"


class LiveZstd:
    """zstd level 3 as it runs here (libzstd 1.5): close to the kernels' zstd, not the same (see `codecs`).

    Needs Python 3.14, or the extra `codecs`.
    """

    name = "zstd"

    def __init__(self) -> None:
        try:
            from compression import zstd  # type: ignore[import-not-found, unused-ignore]
        except ImportError:
            try:
                from backports import zstd
            except ImportError:
                remedy = "pip install 'zswaplab[codecs]', or use codec('zstd')"
                raise BadInput(f"zstd does not run on this Python: {remedy}") from None
        self.zstd: Any = zstd

    def compress(self, page: bytes) -> bytes | None:
        data: bytes = self.zstd.compress(page, 3)
        return data if len(data) <= PAGE_SIZE else None

    def decompress(self, data: bytes) -> bytes:
        return self.zstd.decompress(data)  # type: ignore[no-any-return]


def codec(name: str, kernel: str = "6.1") -> RecordedCodec:
    """The compressor `name` of Linux `kernel` ("6.1" or "6.12"), for `Machine(compressor=...)`.

    Raises BadInput for another name or kernel.
    """
    choose("codec", name, CODECS)
    choose("kernel", kernel, KERNELS)
    return RecordedCodec(name, kernel)


@functools.cache
def codec_pages() -> tuple[bytes, ...]:
    """The 320 pages whose lengths were recorded, each of 4,096 bytes."""
    data = gzip.decompress((data_dir() / "codecs" / "pages.bin.gz").read_bytes())
    return tuple(data[start : start + PAGE_SIZE] for start in range(0, len(data), PAGE_SIZE))


@functools.cache
def recorded_lengths(name: str, kernel: str) -> dict[bytes, int | None]:
    """Page -> its recorded length in bytes, None where the compressor refused it."""
    pages = codec_pages()
    with open(data_dir() / "codecs" / f"lengths-{kernel}.csv", newline="") as file:
        # 0 says that the kernel never compressed it: the page is same-filled
        cells = {pages[int(row["page"])]: row[name] for row in csv.DictReader(file) if row[name] not in ("", "0")}
    return {page: None if cell == "refused" else int(cell) for page, cell in cells.items()}


def matches(compressor: Compressor, name: str, kernel: str) -> tuple[int, int]:
    """(how many recorded lengths of `name` the compressor gives, how many there are); same-filled pages left out."""
    lengths = {page: length for page, length in recorded_lengths(name, kernel).items() if same_filled(page) is None}
    same = 0
    for page, length in lengths.items():
        data = compressor.compress(page)
        same += (None if data is None else len(data)) == length
    return same, len(lengths)


def codecs() -> pandas.DataFrame:
    """Every compressor there is, where its lengths come from, and how many recorded ones it matches."""
    import pandas

    rows = [[name, f"recorded, Linux {kernel}", *matches(codec(name, kernel), name, kernel), kernel]
            for name in CODECS for kernel in KERNELS]  # fmt: skip
    live: list[Compressor] = [COMPRESSORS["deflate"]()]
    with contextlib.suppress(BadInput):  # the extra may not be installed
        live.append(LiveZstd())
    rows += [[one.name, "runs here", *matches(one, one.name, kernel), kernel] for one in live for kernel in KERNELS]
    return pandas.DataFrame(rows, columns=["codec", "lengths", "match", "of", "kernel"])
