"""`Zpool`: what zswap asks of a backend. `Handle`: what it gets for an object."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any

from ..freed import can_be_freed
from ..stages import Stage
from ..steps import Hook, Kernel

Evict = Callable[["Handle"], Kernel]  # the backend asks zswap to write one object back


class Mapped:
    """Bytes that can be reached: `header`, the (swap type, offset) that zswap writes before the data up to
    patch 6, else None, and `data`.
    """

    __slots__ = ("header", "data")

    def __init__(self) -> None:
        self.header: Any = None
        self.data: Any = None


class Handle(Mapped):
    """One object in a backend page: its `size` in bytes, the `page` and the `place` in it, and its content."""

    __slots__ = ("size", "page", "place")

    def __init__(self, size: int, page: Any, place: Any) -> None:
        self.size = size
        self.page = page
        self.place = place
        self.header = self.data = None

    def __repr__(self) -> str:
        return f"<{self.size} bytes in page {self.page.number}, {self.place}>"


can_be_freed(Handle, "object of the backend", ("header", "data"))


class Zpool(ABC):
    """A backend: keeps objects of any size up to a page, packed into whole pages.

    `pages` is the backend's own size in pages (`zpool_get_total_size` in pages).
    A backend's lock is innermost and nobody waits while holding it, so its functions are plain
    functions here; only reclaim, which calls back into zswap, is a generator, and what a kworker does later:
    `pending` is what waits for one, oldest first (in most backends nothing ever does).
    `sleep_mapped` says whether a thread may sleep while an object is mapped (`zpool_can_sleep_mapped`).
    `numbered` has all its pages by number; `lru` those that it could reclaim, the least recently filled first.
    """

    name: str
    unit: int  # bytes of one chunk
    page_units = 64  # chunks of the largest page
    header_units: int  # chunks of a page that hold no objects
    sleep_mapped = True
    numbered: dict[int, Any]
    lru: Iterable[Any]

    def __init__(self, hook: Hook, stage: Stage) -> None:
        self.hook = hook
        self.stage = stage
        self.pages = 0
        self.pending: list[Any] = []

    @abstractmethod
    def malloc(self, size: int) -> Handle | int:
        """Room for `size` bytes, or a negative errno (`zpool_malloc`)."""

    @abstractmethod
    def free(self, handle: Handle) -> None:
        """Give an object's room back (`zpool_free`)."""

    def map_handle(self, handle: Handle) -> Mapped:
        """Where an object's bytes can be reached (`zpool_map_handle`): here where they are."""
        return handle

    def unmap_handle(self, handle: Handle) -> None:  # noqa: B027
        """Its bytes are done with (`zpool_unmap_handle`)."""

    def pins(self, handle: Handle) -> bool:
        """Whether what is freed now stays as it is until the reclaim of its page ends."""
        return bool(handle.page.under_reclaim)

    @abstractmethod
    def shrink(self, evict: Evict) -> Kernel:
        """Empty one page by evicting what is in it; 0 or a negative errno (`zpool_shrink` of one page)."""

    def work(self) -> Kernel:
        """A kworker does the first of what is `pending`."""
        raise NotImplementedError(f"{self.name} leaves nothing to a kworker")
        yield

    @abstractmethod
    def address(self, handle: Handle) -> int:
        """Where the object begins in its page, in bytes."""

    @abstractmethod
    def objects(self, page: Any) -> list[tuple[Handle, int, int]]:
        """(object, first chunk, chunks) of each object in one of its pages, from left to right."""

    def layout(self) -> dict[int, list[tuple[Handle, int, int]]]:
        """Page number -> what `objects` says of that page, of all pages."""
        return {number: self.objects(page) for number, page in self.numbered.items()}

    def units_of(self, page: Any) -> int:
        """Chunks of a page, those of its header included."""
        return self.page_units

    @abstractmethod
    def check(self) -> None:
        """Raise Broken, with the whole structure in the message, if an invariant is broken."""
