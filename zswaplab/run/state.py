"""The state of a machine and its CPUs: put back in place, and named, so that equal states are known as equal.

What is named is all of the model's data that decides what can happen next, and each running function's place and
locals. Objects are numbered as they are first met, so that it does not matter which of them they are.
"""

from __future__ import annotations

import marshal
from collections.abc import Callable
from hashlib import blake2b
from operator import attrgetter
from types import CodeType, FunctionType, MethodType
from typing import Any

from ..model.freed import is_freed
from ..model.limits import Counters
from ..model.machine import Machine
from ..model.stages import Stage
from ..model.steps import Hook, Lock, Step
from ..model.swap import Swap
from ..model.tree import Tree
from .cpus import Cpus

SELF = ("self", "stage")
PLAIN = frozenset({int, str, type(None), bool, float})
CONSTANT = (Stage, Step, type, CodeType)  # objects that never change
# Dicts and sets in whose order nothing is ever decided.
UNORDERED = {
    Tree: ("entries",), Swap: ("in_use", "cache", "bitmap", "leaving", "disk"), Machine: ("frames", "slots", "written"),
}  # fmt: skip
# Counters that are only ever counted up: the model never reads them (a test holds that).
STATISTICS = (
    "pool_limit_hit", "written_back_pages", "reject_reclaim_fail", "reject_compress_poor", "reject_alloc_fail",
    "reject_kmemcache_fail", "duplicate_entry",
)  # fmt: skip


def is_constant(thing: Any) -> bool:
    return isinstance(thing, CONSTANT) or hasattr(type(thing), "compress")


def decides(kind: type, field: str) -> bool:
    """Whether a field can decide what happens next: not a name, a count for its own sake, or who watches."""
    if kind is Hook:
        return field not in ("observer", "observers", "freed", "list_debug", "cpu", "task")
    if issubclass(kind, Lock):
        return field == "holder"
    return not (kind is Counters and field in STATISTICS)


def fields_of(kind: type) -> tuple[str, ...] | None:
    """The slots of a class, None if its objects have a __dict__."""
    if "__dict__" in dir(kind):
        return None
    if kind.__module__ in ("builtins", "collections", "itertools"):
        raise TypeError(f"a {kind.__name__} holds state that cannot be kept: use a list or a dict in the model")
    return tuple(name for base in kind.__mro__ for name in getattr(base, "__slots__", ()))


class Checkpoint:
    """Everything in a machine that can change, as it is now: `restore` puts it back into the same objects."""

    def __init__(self, machine: Machine) -> None:
        self.empty: list[Any] = []
        self.containers: list[tuple[Any, Any]] = []
        self.open: list[tuple[dict[str, Any], dict[str, Any]]] = []  # a __dict__ and what was in it
        self.slotted: list[tuple[Any, type, list[tuple[str, Any]]]] = []
        seen: set[int] = set()
        stack: list[Any] = [machine]
        while stack:
            thing = stack.pop()
            if not isinstance(thing, tuple(PLAIN | {bytes, FunctionType, MethodType})) and not is_constant(thing):
                if id(thing) not in seen:
                    seen.add(id(thing))
                    stack += self.keep(thing)

    def keep(self, thing: Any) -> list[Any]:
        """Remember what is in an object; returns that."""
        if isinstance(thing, (tuple, frozenset)):
            return list(thing)
        if isinstance(thing, (dict, list, set)):
            if thing:
                self.containers.append((thing, thing.copy()))
            else:
                self.empty.append(thing)
            return [*thing, *thing.values()] if isinstance(thing, dict) else list(thing)
        values = contents(thing)
        if fields_of(type(thing)) is None:
            self.open.append((vars(thing), values))
        else:
            if isinstance(thing, (Hook, Lock)):
                values = {name: value for name, value in values.items() if decides(type(thing), name)}
            changing = [(name, value) for name, value in values.items() if not is_constant(value)]
            self.slotted.append((thing, type(thing), changing))
        return list(values.values())

    def restore(self) -> None:
        """The cost is that of the machine's size, not of what has happened since."""
        for thing in self.empty:
            if thing:
                thing.clear()
        for thing, value in self.containers:
            if type(thing) is list:
                thing[:] = value
            else:
                thing.clear()
                thing.update(value)
        for now, then in self.open:
            now.update(then)
        put = object.__setattr__
        for thing, alive, values in self.slotted:
            if type(thing) is not alive:
                put(thing, "__class__", alive)
            for name, value in values:
                put(thing, name, value)


def contents(thing: Any) -> dict[str, Any]:
    names = fields_of(type(thing))
    if names is None:
        return dict(vars(thing))
    found = {}
    for name in names:
        try:
            found[name] = object.__getattribute__(thing, name)
        except AttributeError:
            continue
    return found


Put = Callable[[Any], None]


class Namer:
    """Gives equal states the same name (16 bytes): `name(cpus)`."""

    def __init__(self) -> None:
        self.plans: dict[type, Any] = {}
        self.pages: dict[bytes, int] = {}  # contents of pages, numbered
        self.codes: dict[CodeType, int] = {}

    def name(self, cpus: Cpus) -> bytes:
        self.out: list[Any] = list(cpus.done)
        self.seen: dict[int, int] = {}
        self.add(cpus.machine)
        for operation in cpus.running:
            self.frames(operation)
        return blake2b(marshal.dumps(self.out, 0), digest_size=16).digest()

    def frames(self, generator: Any) -> None:
        """Where a function and those that it drives stand, and their locals."""
        while generator is not None:
            frame = generator.gi_frame
            if frame is None:
                break
            code = generator.gi_code
            self.out.append(self.codes.setdefault(code, len(self.codes)))
            self.out.append(frame.f_lasti)
            for name, value in frame.f_locals.items():
                if name not in SELF:
                    self.out.append(name)
                    self.add(value)
            generator = generator.gi_yieldfrom
        self.out.append("end")

    def add(self, thing: Any) -> None:
        if type(thing) in PLAIN:
            self.out.append(thing)
        else:
            self.add_object(thing)

    def add_object(self, thing: Any) -> None:
        kind, seen = type(thing), self.seen
        if kind is bytes:
            self.out.append(self.pages.setdefault(thing, len(self.pages)))
        elif kind is tuple:
            self.out.append(len(thing))
            for item in thing:
                self.add(item)
        elif id(thing) in seen:
            self.out.append(seen[id(thing)])
        else:
            seen[id(thing)] = len(seen)
            plan = self.plans.get(kind)
            if plan is None:
                plan = self.plans[kind] = self.plan(kind, thing)
            plan(thing)

    def plan(self, kind: type, thing: Any) -> Put:
        """How things of a class are named."""
        if isinstance(thing, dict):
            return self.add_dict
        if isinstance(thing, list):
            return self.add_list
        if isinstance(thing, (set, frozenset)):
            return self.add_set
        if is_constant(thing):
            return lambda thing: self.out.append("=")
        if is_freed(thing):
            return lambda thing: self.out.append("freed")
        if isinstance(thing, FunctionType):
            return self.add_function
        if isinstance(thing, MethodType):
            return lambda method: self.add((method.__func__.__code__.co_firstlineno, method.__self__))
        return self.plan_of_object(kind, thing)

    def plan_of_object(self, kind: type, thing: Any) -> Put:
        unordered = next((names for base, names in UNORDERED.items() if issubclass(kind, base)), ())
        names = [name for name, value in contents(thing).items() if not is_constant(value) and decides(kind, name)]
        ordered = [name for name in names if name not in unordered]
        get = attrgetter(*ordered, "__class__", "__class__")
        sorted_ones = [name for name in names if name in unordered]

        def put(thing: Any) -> None:
            out = self.out
            for value in get(thing)[:-2]:
                if type(value) in PLAIN:
                    out.append(value)
                else:
                    self.add_object(value)
            for name in sorted_ones:
                self.add_unordered(getattr(thing, name))

        return put

    def add_unordered(self, thing: Any) -> None:
        self.out.append(len(thing))
        for key in sorted(thing):
            self.out.append(key)
            if isinstance(thing, dict):
                self.add(thing[key])

    def add_dict(self, thing: dict[Any, Any]) -> None:
        self.out.append(len(thing))
        for key, value in thing.items():
            self.add(key)
            self.add(value)

    def add_list(self, thing: list[Any]) -> None:
        self.out.append(len(thing))
        for number, item in enumerate(thing):
            if item or type(item) is not dict:
                self.out.append(number)
                self.add(item)

    def add_set(self, thing: set[Any]) -> None:
        self.out.append(len(thing))
        for item in sorted(thing):
            self.add(item)

    def add_function(self, function: Any) -> None:
        self.out.append(self.codes.setdefault(function.__code__, len(self.codes)))
        for cell in function.__closure__ or ():
            self.add(cell.cell_contents)
