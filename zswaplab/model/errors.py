"""What can go wrong: the reader's input (BadInput), or the modelled kernel itself (Fault)."""

from __future__ import annotations

EAGAIN, ENOMEM, EEXIST, ENODEV, EINVAL, ENOSPC = 11, 12, 17, 19, 22, 28


class BadInput(ValueError):
    """An argument that cannot be: the message names the value, the rule and the remedy."""

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in place of a traceback: in a notebook, the message alone."""
        return [f"{type(self).__name__}: {self}"]


class Fault(Exception):
    """Something at which a real kernel would crash, or at which KASAN or list debugging would report."""


class UseAfterFree(Fault):
    """Freed memory was touched; a real kernel says so only when built with KASAN.

    `access` is "read" or "write", `field` the field of the freed `kind` (zswap_entry, zswap_pool ...), `offset`
    and `size` its place in the kernel's struct in bytes (of Linux 6.4 with patch 1; None where not known).
    """

    def __init__(
        self, access: str, field: str, offset: int | None, size: int | None, kind: str = "zswap_entry"
    ) -> None:
        self.access, self.field, self.offset, self.size, self.kind = access, field, offset, size, kind
        where = "" if offset is None else f" of {size} bytes at offset {offset}"
        super().__init__(f"slab-use-after-free: {access}{where} of a freed {kind} (field {field!r})")


class ListCorruption(Fault):
    """A list operation followed the link words that a deletion had poisoned."""


class Bug(Fault):
    """A BUG_ON() of the kernel: a rule that the code itself checks was broken."""


class Uninitialised(Fault):
    """Memory was read into which nothing had been written yet; a real kernel says so only when built with KMSAN."""


class DataLost(Fault):
    """A page was read back with other bytes than were written to it: `page` is its number, `got` what was read."""

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
