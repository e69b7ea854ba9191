"""What can go wrong: the reader's input (BadInput), or the modelled kernel itself (Fault)."""

from __future__ import annotations

EAGAIN, ENOMEM, EEXIST, ENODEV, EINVAL, ENOSPC = 11, 12, 17, 19, 22, 28


class BadInput(ValueError):
    """You gave something that cannot be: the message names the value, the rule and the remedy.

    >>> from zswaplab import Machine
    >>> Machine(ram_pages=0)
    Traceback (most recent call last):
    zswaplab.model.errors.BadInput: ram_pages=0 cannot be: give a whole number of pages from 1 to 1,099,511,627,776
    """

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in place of a traceback: in a notebook, the message alone."""
        return [f"{type(self).__name__}: {self}"]


class Fault(Exception):
    """The modelled kernel did something at which a real one would crash, or at which its debugging would report.

    It is raised where the model meets it; in a history or a search it ends the run and is shown. The kinds follow.

    >>> from zswaplab import explore
    >>> isinstance(explore(stage="rfc2-2", exclusive_loads="on", cpus=["read 3"]).failures[0].fault, Fault)
    True
    """


class UseAfterFree(Fault):
    """Freed memory was touched. A real kernel says so only when it is built with KASAN.

    `access` is "read" or "write", `field` the field that was touched, `kind` what was freed (zswap_entry, zswap_pool,
    and so on). `offset` and `size` say where the field lies in the kernel's struct, in bytes (Linux 6.4 with patch 1);
    they are None where that is not known.

    >>> from zswaplab import Machine
    >>> m = Machine("rfc2-2", exclusive_loads="on")
    >>> m.write(3); m.page_out(3); m.read(3)
    Traceback (most recent call last):
    zswaplab.model.errors.UseAfterFree: slab-use-after-free: read of 4 bytes at offset 36 of a freed zswap_entry ...
    """

    def __init__(
        self, access: str, field: str, offset: int | None, size: int | None, kind: str = "zswap_entry"
    ) -> None:
        self.access, self.field, self.offset, self.size, self.kind = access, field, offset, size, kind
        where = "" if offset is None else f" of {size} bytes at offset {offset}"
        super().__init__(f"slab-use-after-free: {access}{where} of a freed {kind} (field {field!r})")


class ListCorruption(Fault):
    """A list was changed through an entry that had been deleted from it: its links were poisoned by the deletion.

    >>> from zswaplab.model.lru import POISON_NEXT
    >>> POISON_NEXT.prev
    Traceback (most recent call last):
    zswaplab.model.errors.ListCorruption: read through LIST_POISON1 (0xdead000000000100): ...
    """


class Bug(Fault):
    """The kernel stopped by itself: a rule that its own code checks was broken (BUG_ON), or a NULL pointer followed.

    >>> from zswaplab import Machine
    >>> m = Machine()
    >>> m.swapoff()
    >>> next(m.operation("load 1"))
    Traceback (most recent call last):
    zswaplab.model.errors.Bug: kernel NULL pointer dereference: the tree of swap type 0 is gone
    """


class Uninitialised(Fault):
    """Memory was read into which nothing had been written yet. A real kernel says so only when it is built with KMSAN.

    >>> from zswaplab import explore
    >>> explore(stage="base", cpus=["worker", "page_out 4"], before=["write 4"]).failures[0].kind
    'Uninitialised'
    """


class DataLost(Fault):
    """A page was read back with other bytes than were written to it. `page` is its number, `got` the bytes read.

    >>> raise DataLost(3, bytes(4096))
    Traceback (most recent call last):
    zswaplab.model.errors.DataLost: page 3 was read back with other bytes than were written to it
    """

    def __init__(self, page: int, got: bytes) -> None:
        self.page, self.got = page, got
        super().__init__(f"page {page} was read back with other bytes than were written to it")


class Broken(AssertionError):
    """A structure of the model breaks one of its own rules: the message shows all of it."""


def hold(rule: object, broken: str, *about: object) -> None:
    """Raise Broken unless `rule` is true: an `assert` that Python cannot be told to leave out (`python -O`).

    What the message is `about` goes into its {}s, and is put into words only then.
    """
    if not rule:
        raise Broken(broken.format(*about))


def choose(parameter: str, value: object, allowed: object) -> None:
    """Raise BadInput unless `value` is in `allowed`, which the message lists."""
    names = list(allowed)  # type: ignore[call-overload]
    if value not in names:
        raise BadInput(f"{parameter}={value!r} is not known; choose one of {', '.join(map(repr, names))}")


def require(parameter: str, value: object, low: int, high: int, unit: str) -> None:
    """Raise BadInput unless `value` is a whole number in low..high."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise BadInput(f"{parameter}={value!r} cannot be: give a whole number of {unit} from {low} to {high:,}")
