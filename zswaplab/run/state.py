"""The state of a machine and its CPUs: put back in place, and named, so that equal states are known as equal.

What is named is all of the model's data that decides what can happen next, and each running function's place and
locals. Things are numbered as they are first met, so that it does not matter which of them they are.

A name has a part for the machine and one for each CPU. A step reads and changes only what is reached from the machine
or from its own CPU's functions, so it does the same wherever those two parts are the same.
"""

from __future__ import annotations

import marshal
from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2b
from itertools import chain, combinations, repeat
from operator import attrgetter
from types import CodeType, EllipsisType, FunctionType, MethodType
from typing import Any

from ..model.freed import is_freed
from ..model.limits import Counters
from ..model.machine import Machine
from ..model.stages import Stage
from ..model.steps import Hook, Lock, Step
from ..model.swap import Swap
from ..model.tree import Tree
from ..model.zpool.size_classes import SizeClass
from .cpus import Cpus

_SELF = ("self", "stage")
_PLAIN = frozenset({int, str, type(None), bool, float, EllipsisType})
_CONSTANT = (Stage, Step, type, CodeType)  # objects that never change
# Dicts and sets in whose order nothing is ever decided.
_UNORDERED = {
    Tree: ("entries",), Swap: ("in_use", "cache", "bitmap", "leaving", "disk"), Machine: ("frames", "slots", "written"),
}  # fmt: skip
# Counters that are only ever counted up: the model never reads them (a test holds that).
STATISTICS = (
    "pool_limit_hit", "written_back_pages", "reject_reclaim_fail", "reject_compress_poor", "reject_alloc_fail",
    "reject_kmemcache_fail", "duplicate_entry",
)  # fmt: skip


def _is_constant(thing: Any) -> bool:
    return isinstance(thing, _CONSTANT) or hasattr(type(thing), "compress")


def _decides(kind: type, field: str) -> bool:
    """Whether a field can decide what happens next: not a name, a count for its own sake, or who watches."""
    if kind is Hook:
        return field not in ("observer", "observers", "freed", "list_debug", "cpu", "task")
    if issubclass(kind, Lock):
        return field == "holder"
    if kind is SizeClass:
        return field == "lists"  # the rest stays as it was made (a test holds that)
    return not (kind is Counters and field in STATISTICS)


def _fields_of(kind: type) -> tuple[str, ...] | None:
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
            if not isinstance(thing, tuple(_PLAIN | {bytes, FunctionType, MethodType})) and not _is_constant(thing):
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
        values = _contents(thing)
        if _fields_of(type(thing)) is None:
            self.open.append((vars(thing), values))
        else:
            if isinstance(thing, (Hook, Lock)):
                values = {name: value for name, value in values.items() if _decides(type(thing), name)}
            changing = [(name, value) for name, value in values.items() if not _is_constant(value)]
            self.slotted.append((thing, type(thing), changing))
        return list(values.values())

    def restore(self) -> None:
        """The cost is that of the machine's size, not of what has happened since."""
        for thing in filter(None, self.empty):
            thing.clear()
        for thing, value in self.containers:
            if type(thing) is list:
                thing[:] = value
            else:
                thing.clear()
                thing.update(value)
        for now, then in self.open:
            for name in now.keys() - then.keys():  # a function of the reader's has put it there
                del now[name]
            now.update(then)
        put = object.__setattr__
        for thing, alive, values in self.slotted:
            if type(thing) is not alive:
                put(thing, "__class__", alive)
            for name, value in values:
                put(thing, name, value)


def _contents(thing: Any) -> dict[str, Any]:
    names = _fields_of(type(thing))
    if names is None:
        return dict(vars(thing))
    found = {}
    for name in names:
        try:
            found[name] = object.__getattribute__(thing, name)
        except AttributeError:
            continue
    return found


_Look = Callable[[Any], Iterable[Any]]  # gives what is in a thing
_Shared = tuple[int, int, int, int]  # a CPU, the place of a thing among its own; another CPU, the place among its
Name = tuple[int, tuple[int, ...], tuple[_Shared, ...]]  # the machine, each CPU, what CPUs share


class Walk:
    """What is met from some values on: `plain` has all that is plain, in order, and `held` the places of all things.

    A thing that is met for the first time gets the next place, 0, 1, 2 ... or, with flip=-1, -1, -2, -3 ... unless it
    has one in `known`. `things` has them in the order of their places.
    """

    def __init__(self, namer: Namer, values: Iterable[Any], known: dict[int, int], flip: int = 0) -> None:
        self.namer = namer
        self.plain: list[Any] = []
        self.held: list[int] = []
        self.things: list[Any] = []
        self.places: dict[int, int] = {}  # by id
        self.known, self.flip = known, flip
        self.waiting: list[Any] = []  # to be looked into
        self.go(chain(values, chain.from_iterable(map(self.inside, self.waiting))))

    def go(self, values: Iterable[Any]) -> None:
        plain, held, known, namer = self.plain, self.held, self.known, self.namer
        for value in values:
            kind = type(value)
            if kind in _PLAIN:
                plain.append(value)
            elif kind not in namer.kinds and (token := namer.token(kind, value)):
                plain.append(token)
            else:
                key = id(value)
                place = known.get(key)
                if place is None:
                    place = self.places.get(key)
                if place is None:
                    place = self.places[key] = self.flip ^ len(self.things)
                    self.things.append(value)
                    self.waiting.append(value)
                plain.append(b"")
                held.append(place)

    def inside(self, thing: Any) -> Iterable[Any]:
        if isinstance(thing, list):
            return self.in_list(thing)
        return (self.namer.looks.get(type(thing)) or self.namer.learn_look(thing))(thing)

    def in_list(self, thing: list[Any]) -> Iterable[Any]:
        """Most dicts in the backends' lists of dicts are empty: those get their places at once."""
        places, things, filled = self.places, self.things, list[Any]()
        for number, item in enumerate(thing):
            if type(item) is dict and not item and id(item) not in places and id(item) not in self.known:
                places[id(item)] = self.flip ^ len(things)
                things.append(item)
            else:
                filled += number, item
        return "list", len(thing), len(filled), *filled


class Namer:
    """Gives equal states the same name: `name(cpus)`.

    The parts of a name are numbers: one for all that is reached from the machine; for each CPU one for where its
    functions stand, and all that is reached only from there. What several CPUs reach only so is named besides.
    """

    def __init__(self) -> None:
        self.numbers: dict[Any, int] = {}  # of whatever is the same where it is equal
        self.kinds: set[type] = set()  # the classes of things
        self.looks: dict[type, _Look] = {}
        self.unordered: dict[int, Any] = {}  # by id: dicts in whose order nothing is decided
        self.variables: dict[int, tuple[CodeType, int, list[str]]] = {}  # by id of the code; its number comes with it
        self.cpus: dict[int, tuple[int, tuple[int, ...]]] = {}  # by number: that of what is plain, and what is held
        self.moved: dict[int, tuple[int | None, ...]] = {}
        self.shifts: dict[tuple[int, int], int | None] = {}

    def name(self, cpus: Cpus) -> Name:
        machine = self.machine(cpus)
        walks = [self.walk(cpus, cpu, machine) for cpu in range(len(cpus.done))]
        return self.number_of(machine), tuple(map(self.number_of_cpu, walks)), tuple(sorted(_shared(walks)))

    def number(self, what: Any) -> int:
        return self.numbers.setdefault(what, len(self.numbers))

    def machine(self, cpus: Cpus) -> Walk:
        """All that is reached from the machine."""
        return Walk(self, [cpus.machine], {})

    def number_of(self, machine: Walk) -> int:
        return self.number((blake2b(marshal.dumps((machine.plain, machine.held), 2), digest_size=16).digest(),))

    def walk(self, cpus: Cpus, cpu: int, machine: Walk) -> Walk:
        """Where a CPU's functions stand, and what is reached only from there."""
        return Walk(self, chain((cpus.done[cpu],), self.frames(cpus.running[cpu])), machine.places, -1)

    def number_of_cpu(self, walk: Walk) -> int:
        return self.known_cpu(self.number((marshal.dumps(walk.plain, 2),)), tuple(walk.held))

    def known_cpu(self, plain: int, held: tuple[int, ...]) -> int:
        number = self.number((plain, held))
        self.cpus[number] = plain, held
        return number

    # -- what a step does to the other CPUs ------------------------------------------------------

    def moves(self, before: Walk, after: Walk) -> int | None:
        """The number of how the machine's things have got other places; None if they have not."""
        moved = tuple(after.places.get(id(thing)) for thing in before.things)
        if moved == tuple(range(len(moved))):
            return None
        number = self.number(moved)
        self.moved[number] = moved
        return number

    def shift(self, cpu: int, moves: int) -> int | None:
        """A CPU's number after such moves; None if it holds a thing that is no more reached from the machine."""
        if (cpu, moves) not in self.shifts:
            plain, held = self.cpus[cpu]
            moved = self.moved[moves]
            now = [place if place < 0 else moved[place] for place in held]
            there = tuple(place for place in now if place is not None)
            self.shifts[cpu, moves] = self.known_cpu(plain, there) if len(there) == len(now) else None
        return self.shifts[cpu, moves]

    # -- what is where ---------------------------------------------------------------------------

    def frames(self, generator: Any) -> Iterator[Any]:
        """Where a function and those that it drives stand, and their locals."""
        while generator is not None and (frame := generator.gi_frame) is not None:
            code = generator.gi_code
            _, number, names = self.variables.get(id(code)) or self.learn_variables(code)
            yield number
            yield frame.f_lasti
            yield from map(frame.f_locals.get, names, repeat(...))
            generator = generator.gi_yieldfrom
        yield "end"

    def learn_variables(self, code: CodeType) -> tuple[CodeType, int, list[str]]:
        names = dict.fromkeys(code.co_varnames + code.co_cellvars + code.co_freevars)
        known = self.variables[id(code)] = code, self.number(code), [name for name in names if name not in _SELF]
        return known

    def token(self, kind: type, value: Any) -> Any:
        """What stands for a value of which it does not matter who it is; nothing for a thing."""
        if kind is bytes or kind is CodeType or (kind is tuple and _PLAIN.issuperset(map(type, value))):
            return (self.number(value),)
        if _is_constant(value):
            return "="
        if kind is not tuple:
            self.kinds.add(kind)
        return None

    def learn_look(self, thing: Any) -> _Look:
        look = self.looks[type(thing)] = self.look_of(type(thing), thing)
        return look

    def look_of(self, kind: type, thing: Any) -> _Look:
        """How to look into the things of a class."""
        number = self.number(kind)
        if isinstance(thing, dict):
            return lambda thing: (number, len(thing), *self.in_dict(thing))
        if isinstance(thing, (set, frozenset)):
            return lambda thing: (number, len(thing), *sorted(thing))
        if kind is tuple:
            return lambda thing: (number, len(thing), *thing)
        if is_freed(thing):
            return lambda thing: (number,)
        if isinstance(thing, FunctionType):
            return lambda function: (number, function.__code__, *(c.cell_contents for c in function.__closure__ or ()))
        if isinstance(thing, MethodType):
            return lambda method: (number, method.__func__.__code__, method.__self__)
        unordered = next((names for base, names in _UNORDERED.items() if issubclass(kind, base)), ())
        look = self.look_of_slotted(number, kind, thing) if _fields_of(kind) is not None else self.look_of_open(number)
        return self.noting(look, unordered) if unordered else look

    def look_of_open(self, number: int) -> _Look:
        """Into what has a __dict__, where a function of the reader's may put what it likes."""
        return lambda thing: (number, self.number(tuple(vars(thing))), *vars(thing).values())

    def look_of_slotted(self, number: int, kind: type, thing: Any) -> _Look:
        names = [name for name, value in _contents(thing).items() if not _is_constant(value) and _decides(kind, name)]
        get = attrgetter(*names, "__class__", "__class__")
        return lambda thing: (number, *get(thing)[:-2])

    def noting(self, look: _Look, unordered: tuple[str, ...]) -> _Look:
        """Looks into what is met before its dicts, and notes which of those have no order."""

        def noted(thing: Any) -> Iterable[Any]:
            for name in unordered:
                container = getattr(thing, name)
                self.unordered[id(container)] = container
            return look(thing)

        return noted

    def in_dict(self, thing: dict[Any, Any]) -> Iterable[Any]:
        if id(thing) in self.unordered:
            return chain.from_iterable(sorted(thing.items()))
        return *thing, *thing.values()


def _shared(walks: list[Walk]) -> Iterator[_Shared]:
    """Which things several CPUs reach, and only they."""
    for (one, walk), (other, its) in combinations(enumerate(walks), 2):
        for key in walk.places.keys() & its.places.keys():
            yield one, walk.places[key], other, its.places[key]
