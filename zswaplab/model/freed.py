"""Freed memory: the same object, whose every later access is a fault, or a report if somebody collects them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from .errors import UseAfterFree
from .steps import Hook

Touched = Callable[[Any, str, str], None]  # (what was freed, "read" or "write", field)
Place = tuple[int, int]  # offset and size in bytes

# struct zswap_entry (Linux 6.4 with patch 1, x86-64): where each field lies. The links came with patch 1.
LAYOUT: dict[str, Place] = {
    "linked": (0, 8), "offset": (24, 8), "type": (24, 8), "refcount": (32, 4), "length": (36, 4),
    "pool": (40, 8), "handle": (48, 8), "value": (48, 8), "next": (64, 8), "prev": (72, 8),
}  # fmt: skip
KINDS: dict[type, tuple[str, frozenset[str]]] = {}  # what can be freed -> the kernel's name, the fields that then fault
ALIVE: dict[type, str] = {}  # class of the freed -> the kernel's name for one


class FreedClasses(dict[type, type]):
    """Class of the living -> the class that its objects have once freed, `touched` being told of each access."""

    def __init__(self, touched: Touched) -> None:
        self.touched = touched

    def __missing__(self, alive: type) -> type:
        name, fields = next(KINDS[base] for base in alive.__mro__ if base in KINDS)
        made = self[alive] = freed_class(alive, name, fields, self.touched)
        return made


def poison(thing: Any, hook: Hook) -> None:
    """Give an object's memory back: from here on every touch of it is a fault."""
    thing.__class__ = (FREED if hook.freed is None else hook.freed)[thing.__class__]


def can_be_freed(alive: type, name: str, fields: tuple[str, ...]) -> None:
    """Say that objects of a class with __slots__ are freed, `name` the kernel's name for one."""
    KINDS[alive] = name, frozenset(fields)


def freed_class(alive: Any, name: str, fields: frozenset[str], touched: Touched) -> type:
    def read(self: Any, field: str) -> Any:
        if field in fields:
            touched(self, "read", field)
        elif field in alive.__dict__ and not field.startswith("__") and field not in alive.__slots__:
            return alive.__dict__[field].__get__(self, alive)
        return object.__getattribute__(self, field)

    def write(self: Any, field: str, value: Any) -> None:
        if field in fields:
            touched(self, "write", field)
        object.__setattr__(self, field, value)

    def shown(self: Any) -> str:
        return f"<freed {name}{slot_of(self)}>"

    methods = {"__getattribute__": read, "__setattr__": write, "__repr__": shown, "__slots__": alive.__slots__}
    made = type(f"Freed{alive.__name__}", alive.__bases__, methods)
    ALIVE[made] = name
    return made


def slot_of(thing: Any) -> str:
    try:
        return f", was at {object.__getattribute__(thing, 'offset')}"
    except AttributeError:
        return ""


def is_freed(thing: Any) -> bool:
    return type(thing) in ALIVE


def name_of(thing: Any) -> str:
    """What the kernel calls a freed object: "zswap_entry", "zswap_pool" and so on."""
    return ALIVE[type(thing)]


def is_entry(thing: Any) -> bool:
    """Whether something is, or was until it was freed, an entry."""
    return ALIVE.get(type(thing), type(thing).__name__) in ("zswap_entry", "Entry")


def fault(thing: Any, access: str, field: str) -> NoReturn:
    offset, size = LAYOUT[field] if name_of(thing) == "zswap_entry" else (None, None)
    raise UseAfterFree(access, field, offset, size, name_of(thing))


FREED = FreedClasses(fault)  # with these a first access is a fault
