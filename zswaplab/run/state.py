"""The state of a machine and its CPUs: put back in place, and named, so that equal states are known as equal.

What is named is all of the model's data that decides what can happen next, and each running function's place and
locals. Things are numbered as they are first met, so that it does not matter which of them they are.
"""

from __future__ import annotations

import marshal
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import blake2b
from itertools import chain, repeat
from operator import attrgetter, is_not
from types import CodeType, EllipsisType, FunctionType, MethodType
from typing import Any, NamedTuple

from ..model.freed import is_freed
from ..model.limits import Counters
from ..model.machine import Machine
from ..model.stages import Stage
from ..model.steps import Hook, Lock, Step
from ..model.swap import Swap
from ..model.tree import Tree
from .cpus import Cpus

SELF = ("self", "stage")
PLAIN = frozenset({int, str, type(None), bool, float, EllipsisType})
NOTHING_INSIDE = (*PLAIN, bytes, FunctionType, MethodType)
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
Look = Callable[[Any], Sequence[Any]]  # gives what is in a thing
Shown = tuple[int, list[Any]]  # what is plain in a thing, as a number, and the things that it refers to


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


# -- what is in a thing -----------------------------------------------------------------------------


def in_slots(thing: Any) -> dict[str, Any]:
    """What is in the slots of a thing, as far as it can change."""
    found = {}
    for name in fields_of(type(thing)) or ():
        try:
            value = object.__getattribute__(thing, name)
        except AttributeError:
            continue
        if not is_constant(value):
            found[name] = value
    return found


def in_open(thing: Any) -> Sequence[Any]:
    """What is in a thing with a __dict__, into which a function of the reader's may put what it likes."""
    return in_dict(vars(thing))


def in_dict(thing: dict[Any, Any]) -> Sequence[Any]:
    return *thing, *thing.values()


def in_any_order(thing: dict[Any, Any]) -> Sequence[Any]:
    return tuple(chain.from_iterable(sorted(thing.items())))


def in_list(thing: list[Any]) -> Sequence[Any]:
    """Most of the lists in the backends' lists of lists are empty."""
    filled = (place for place in enumerate(thing) if place[1] or type(place[1]) is not dict)
    return len(thing), *chain.from_iterable(filled)


def in_function(function: FunctionType) -> Sequence[Any]:
    return function.__code__, *(cell.cell_contents for cell in function.__closure__ or ())


def in_method(method: MethodType) -> Sequence[Any]:
    return method.__func__.__code__, method.__self__


def fields(names: Iterable[str]) -> Look:
    return attrgetter("__class__", "__class__", *names)  # two at least, as one would not come in a tuple


# -- put back ---------------------------------------------------------------------------------------


class Kept(NamedTuple):
    """A thing as it was: its class, how to look into it, what was there, and that by name to put it back."""

    thing: Any
    alive: type
    look: Look
    then: Sequence[Any]
    value: Any


class Checkpoint:
    """Everything in a machine that can change, as it is now.

    `changed` gives what has something else in it since then, `restore` puts everything back into the same objects.
    """

    def __init__(self, machine: Machine) -> None:
        self.things: dict[int, Any] = {}  # by id
        self.empty: list[Any] = []  # dicts, lists and sets
        self.filled: list[Kept] = []
        stack: list[Any] = [machine]
        while stack:
            thing = stack.pop()
            if isinstance(thing, (tuple, frozenset)):
                stack += thing
            elif not isinstance(thing, NOTHING_INSIDE) and not is_constant(thing) and id(thing) not in self.things:
                self.things[id(thing)] = thing
                stack += self.keep(thing)

    def keep(self, thing: Any) -> Sequence[Any]:
        """Remember what is in a thing; returns that."""
        look: Look
        if isinstance(thing, (dict, list, set)):
            if not thing:
                self.empty.append(thing)
                return ()
            look, value = in_dict if isinstance(thing, dict) else tuple, thing.copy()
        elif fields_of(type(thing)) is None:
            look, value = in_open, dict(vars(thing))
        else:
            value = in_slots(thing)
            if isinstance(thing, (Hook, Lock)):
                value = {name: content for name, content in value.items() if decides(type(thing), name)}
            look = fields(value)
        then = look(thing)
        self.filled.append(Kept(thing, type(thing), look, then, value))
        return then

    def changes(self) -> Iterator[Kept]:
        """It matters who is there: what is equal now may be another later."""
        for kept in self.filled:
            thing, alive, look, then, _ = kept
            if type(thing) is alive:
                now = look(thing)
                if len(now) == len(then) and not any(map(is_not, now, then)):
                    continue
            yield kept

    def changed(self) -> list[Any]:
        """It may be something that nobody reaches any more."""
        return [*filter(None, self.empty), *(kept.thing for kept in self.changes())]

    def restore(self) -> None:
        for thing in filter(None, self.empty):
            thing.clear()
        for kept in self.changes():
            put_back(kept)


def put_back(kept: Kept) -> None:
    thing, alive, look, _, value = kept
    if isinstance(thing, list):
        thing[:] = value
    elif isinstance(thing, (dict, set)):
        thing.clear()
        thing.update(value)
    elif look is in_open:
        for name in vars(thing).keys() - value.keys():
            delattr(thing, name)
        vars(thing).update(value)
    else:
        object.__setattr__(thing, "__class__", alive)
        for name, content in value.items():
            object.__setattr__(thing, name, content)


# -- named ------------------------------------------------------------------------------------------


class Namer:
    """Gives equal states the same name (16 bytes): `name(cpus)`.

    With a checkpoint of the machine it looks at what has changed since, which gives a state's short name. As one state
    may have several of those, each is looked up, and only for a new one the name is made from the whole machine.
    """

    def __init__(self, checkpoint: Checkpoint | None = None) -> None:
        self.checkpoint = checkpoint
        self.names: dict[bytes, bytes] = {}  # short -> whole
        self.numbers: dict[Any, int] = {}  # classes, functions, contents of pages, and what is plain in a thing
        self.kinds: set[type] = set()  # the classes of things
        self.plans: dict[type, tuple[int, Look]] = {}  # a class's number, and how to look into its things
        self.unordered: dict[int, Any] = {}  # by id: dicts in whose order nothing is decided
        self.variables: dict[int, tuple[CodeType, int, list[str]]] = {}  # by id of the code; its number comes with it
        self.forget()
        things = checkpoint.things if checkpoint else {}
        self.seen = {key: number for number, key in enumerate(things, start=1)}
        self.known = {key: self.show(thing) for key, thing in things.items()}

    def forget(self) -> None:
        """Hold on to nothing that runs, so that it ends before the machine is put back."""
        self.last: dict[int, tuple[Any, Sequence[Any], Shown]] = {}  # by id: a thing, and how it was last shown
        self.waiting: dict[int, tuple[Any, Shown]] = {}  # by id: a driven function, and the one that waits for it
        self.places: dict[int, tuple[Any, int, list[Shown]]] = {}  # by CPU: its operation, its steps, where it was

    def name(self, cpus: Cpus) -> bytes:
        if self.checkpoint is None:
            return self.whole(cpus, {})
        changed = self.checkpoint.changed()
        shown = {id(thing): self.show(thing) for thing in changed}
        short = self.walk(cpus, self.seen.copy(), changed, shown)
        name = self.names.get(short)
        if name is None:
            name = self.names[short] = self.whole(cpus, self.known | shown)
        return name

    def whole(self, cpus: Cpus, shown: dict[int, Shown]) -> bytes:
        return self.walk(cpus, {id(cpus.machine): 1}, [cpus.machine], shown)

    def walk(self, cpus: Cpus, seen: dict[int, int], things: list[Any], shown: dict[int, Shown]) -> bytes:
        """From where the CPUs are, what is in some things, and in all that are met on the way."""
        out = cpus.done.copy()

        def rows() -> Iterator[Shown]:
            for cpu in range(len(cpus.done)):
                place = self.place(cpus, cpu)
                out.append(len(place))
                yield from place
            for thing in things:  # which grow
                key = id(thing)
                out.append(seen[key])
                row = shown.get(key)
                if row is None:
                    row = shown[key] = self.show(thing)
                yield row

        for plain, others in rows():
            out.append(plain)
            for other in others:
                number = seen.get(id(other))
                if number is None:
                    number = seen[id(other)] = len(seen) + 1
                    things.append(other)
                out.append(number)
        return blake2b(marshal.dumps(out, 2), digest_size=16).digest()

    def place(self, cpus: Cpus, cpu: int) -> list[Shown]:
        """The functions that a CPU runs, where they stand and their locals: only its own steps change those."""
        operation, steps = cpus.running[cpu], cpus.taken.count(cpu)
        place = self.places.get(cpu)
        if place is None or place[0] is not operation or place[1] != steps:
            place = self.places[cpu] = operation, steps, list(self.frames(operation))
        return place[2]

    def frames(self, generator: Any) -> Iterator[Shown]:
        """Outermost first. One that waits for another has not run while it waits for the same."""
        while generator is not None and (frame := generator.gi_frame) is not None:
            driven = generator.gi_yieldfrom
            known = self.waiting.get(id(driven))
            if known is None:
                code = generator.gi_code
                _, number, names = self.variables.get(id(code)) or self.learn(code)
                row = self.split((number, frame.f_lasti, *map(frame.f_locals.get, names, repeat(...))))
                if driven is not None and not code.co_cellvars and not code.co_freevars:
                    self.waiting[id(driven)] = driven, row
            else:
                row = known[1]
            yield row
            generator = driven

    def learn(self, code: CodeType) -> tuple[CodeType, int, list[str]]:
        names = dict.fromkeys(code.co_varnames + code.co_cellvars + code.co_freevars)
        known = self.variables[id(code)] = code, self.number(code), [name for name in names if name not in SELF]
        return known

    def number(self, what: Any) -> int:
        return self.numbers.setdefault(what, len(self.numbers))

    def show(self, thing: Any) -> Shown:
        number, look = self.plans.get(type(thing)) or self.plan(thing)
        inside = number, *(in_any_order(thing) if id(thing) in self.unordered else look(thing))
        last = self.last.get(id(thing))
        if last is not None and len(inside) == len(last[1]) and not any(map(is_not, inside, last[1])):
            return last[2]
        shown = self.split(inside)
        self.last[id(thing)] = thing, inside, shown
        return shown

    def split(self, inside: Iterable[Any]) -> Shown:
        plain: list[Any] = []
        others: list[Any] = []
        for value in inside:
            kind = type(value)
            if kind in PLAIN:
                plain.append(value)
            elif kind in self.kinds:
                plain.append(b"")
                others.append(value)
            elif kind is bytes or kind is CodeType:
                plain.append((self.number(value),))
            elif kind is tuple:
                number, more = self.split(value)
                plain.append([number])
                others += more
            elif is_constant(value):
                plain.append("=")
            else:
                self.kinds.add(kind)
                plain.append(b"")
                others.append(value)
        return self.number((marshal.dumps(plain, 2),)), others

    def plan(self, thing: Any) -> tuple[int, Look]:
        kind = type(thing)
        plan = self.plans[kind] = self.number(kind), self.look_into(kind, thing)
        return plan

    def look_into(self, kind: type, thing: Any) -> Look:
        """How to look into the things of a class."""
        if isinstance(thing, dict):
            return in_dict
        if isinstance(thing, list):
            return in_list
        if isinstance(thing, (set, frozenset)):
            return sorted
        if is_freed(thing):
            return lambda thing: ()
        if isinstance(thing, FunctionType):
            return in_function
        if isinstance(thing, MethodType):
            return in_method
        look: Look = in_open
        if fields_of(kind) is not None:
            look = fields(name for name in in_slots(thing) if decides(kind, name))
        unordered = next((names for base, names in UNORDERED.items() if issubclass(kind, base)), ())
        return self.noting(look, unordered) if unordered else look

    def noting(self, look: Look, unordered: tuple[str, ...]) -> Look:
        """Looks into a thing that comes before its dicts, and notes that these have no order."""

        def noted(thing: Any) -> Sequence[Any]:
            for name in unordered:
                container = getattr(thing, name)
                if isinstance(container, dict):
                    self.unordered[id(container)] = container
            return look(thing)

        return noted
