"""`Setup`: one run, described as a value: which kernel, what happens, in which order.

It can become JSON and a short text, and come back from either: a link, a fork, a case of a search and an exercise
are all made from one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from hashlib import sha256
from typing import Any
from urllib.parse import quote, unquote

from ..model.compressors import Compressor
from ..model.errors import BadInput, Bug, choose, require
from ..model.freed import is_freed, poison
from ..model.limits import PARAMETERS
from ..model.machine import Machine
from ..model.pools import Pool
from ..model.zpool import Handle
from ..model.zswap import Zswap
from .cpus import tasks_of, unpacked
from .lengths import Lengths
from .rules import OWNERS, Function, parts_of, take_place
from .stand_ins import named
from .workloads import lines_of

VERSION = 1
SWAP_PAGES = 64  # of the device in a case of a search: so few that a slot given up is freed at once
KERNEL_GIVES_UP = 16  # failed tries of the shrink worker (MAX_RECLAIM_RETRIES)
OF_MACHINE = (
    "stage", "zpool", "exclusive_loads", "evictable", "load_end", "device", "compressor", "ram_pages", "swap_pages",
    "max_pool_percent", "accept_threshold_percent",
)  # fmt: skip
Parameter = tuple[int, str, Any]  # the step after which it is set, its name, its value
_OWN = "own "  # stands in a text for a workload of the reader's own, of which only the digest is there


@dataclass(frozen=True)
class Setup:
    """One run of the model, as a value.

    The first eleven fields are the arguments of `Machine`; `compressor` may also be "lengths": deflate by recorded
    lengths, the same on every system, for pages made from seeds below 1,000. `workload` runs first, one operation
    after the other: a list of lines like "page_out 3", or the name of a workload with its sizes, like "revisit 10 6".
    `cpus` then run at once, each its own operations, along `schedule` ("a5b3a"), or as chance has it (`seed`), or one
    after the other; with `one_cpu` they are tasks that share one CPU. The shrink worker gives up after
    `worker_failures` failed tries. `multi_shot`: the run goes on past what the sanitizers report. `functions` take the
    place of the model's, by name: {"load": "lru_lock first"}, or a function of one's own; "Zbud.shrink" says whose is
    meant. `changes` are parameters that are set while it runs: (step, name, value), as `History.fork` makes them.

    Raises BadInput for a value that cannot be.

    >>> setup = Setup(stage="4", device="synchronous", cpus=["read 3", "free 3"], workload=["write 3", "page_out 3"])
    >>> Setup.from_json(setup.to_json()) == setup
    True
    """

    stage: str = "v6.5"
    zpool: str = "zbud"
    exclusive_loads: str = "off"
    evictable: bool | None = None
    load_end: str | None = None
    device: str = "ordinary"
    compressor: str | Compressor = "deflate"
    ram_pages: int = 40
    swap_pages: int = 1024
    max_pool_percent: int = 20
    accept_threshold_percent: int = 90
    workload: str | Sequence[str] = ()
    cpus: Sequence[str] = ()
    schedule: str | None = None
    seed: int | None = None
    one_cpu: bool = False
    worker_failures: int = KERNEL_GIVES_UP
    multi_shot: bool = False
    functions: Mapping[str, str | Function] | Sequence[tuple[str, str | Function]] = ()
    changes: Sequence[Parameter] = ()

    def __post_init__(self) -> None:
        put = object.__setattr__
        if not isinstance(self.workload, str):
            put(self, "workload", tuple(lines_of(self.workload)))
        if self.cpus:
            put(self, "cpus", tuple("; ".join(task) for task in tasks_of(self.cpus)))
        else:
            put(self, "cpus", ())
        put(self, "functions", _pairs_of(self.functions))
        put(self, "changes", _triples_of(self.changes))
        self.check()

    def check(self) -> None:
        """Raise BadInput for what cannot be, before anything runs."""
        lines_of(self.workload)
        for name in ("one_cpu", "multi_shot"):
            choose(name, getattr(self, name), (True, False))
        require("worker_failures", self.worker_failures, 1, 10_000, "failed tries")
        if self.schedule is not None:
            if not self.cpus:
                raise BadInput(f"schedule={self.schedule!r} says which CPU takes each step: give cpus=['read 3', ...]")
            unpacked(self.schedule, len(self.cpus))
        if self.seed is not None:
            if not self.cpus:
                raise BadInput(f"seed={self.seed!r} chooses among CPUs: give cpus=['read 3', 'free 3'] with it")
            require("seed", self.seed, 0, 2**63, "a seed")
        machine = self.machine()
        self.check_backend(machine)
        for text in [*self.lines(), *(text for task in tasks_of(self.cpus or ["worker"]) for text in task)]:
            machine.parse(text)

    def check_backend(self, machine: Machine) -> None:
        """Raise BadInput where a backend is made while it runs, and a function was to take the place of one of its."""
        new = [change for change in self.changes if change[1] in ("zpool", "compressor")]
        if new and type(machine.zswap.pool.zpool) not in OWNERS.values():
            raise BadInput(f"changes={new!r} makes a new backend: functions={dict(self.functions)!r} is lost there")

    def __repr__(self) -> str:
        """What differs from the defaults, as it can be typed again."""
        found = []
        for field in fields(self):
            value = getattr(self, field.name)
            if value != field.default:
                if isinstance(value, tuple):
                    value = dict(value) if field.name == "functions" else list(value)
                found.append(f"{field.name}={value!r}")
        return f"Setup({', '.join(found)})"

    # -- what is made from it ------------------------------------------------------------------

    def machine(self) -> Machine:
        """The machine, on which nothing has happened yet."""
        arguments = {name: getattr(self, name) for name in OF_MACHINE}
        if self.compressor == Lengths.name:
            arguments["compressor"] = Lengths()
        machine = Machine(**arguments)
        machine.zswap.max_reclaim_retries = self.worker_failures
        guard_objects(machine)
        if self.functions:
            given = dict(self.functions).items()
            take_place(machine, {name: named(what, name) if isinstance(what, str) else what for name, what in given})
        return machine

    def lines(self) -> list[str]:
        """The operations of the workload."""
        return lines_of(self.workload)

    @classmethod
    def of(cls, machine: Machine, **more: Any) -> Setup | None:
        """The setup of a machine that is new; None for one that has been used: it cannot be made again."""
        if not machine.is_new or any(type(part) not in OWNERS.values() for part in parts_of(machine).values()):
            return None
        return cls(**machine.made_with, **more, worker_failures=machine.zswap.max_reclaim_retries)

    def but(self, **changed: Any) -> Setup:
        """The same with some fields changed. Raises BadInput for a field that is not there."""
        for name in changed:
            choose("field", name, [field.name for field in fields(self)])
        return replace(self, **changed)

    # -- as JSON, as a short text --------------------------------------------------------------

    def to_json(self) -> dict[str, Any]:
        """What differs from the defaults, as plain data. Raises BadInput for what has no name: a function or a
        compressor of one's own.
        """
        found: dict[str, Any] = {"version": VERSION}
        for field in fields(self):
            value = getattr(self, field.name)
            if value == field.default:
                continue
            if field.name == "compressor" and not isinstance(value, str):
                raise BadInput(f"compressor={value!r} is an object, which no text can hold: use one that has a name")
            if field.name == "functions":
                value = dict(value)
                for name, function in value.items():
                    if not isinstance(function, str):
                        raise BadInput(f"functions={{{name!r}: ...}} is your own function, which no text can hold")
            found[field.name] = [list(one) if isinstance(one, tuple) else one for one in value] if isinstance(
                value, tuple) else value  # fmt: skip
        return found

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Setup:
        """The setup that `to_json` was made from. Raises BadInput for anything else."""
        if not isinstance(data, Mapping) or data.get("version") != VERSION:
            version = data.get("version") if isinstance(data, Mapping) else data
            raise BadInput(f"a setup of version {version!r} cannot be read here: this zswaplab reads version {VERSION}")
        known = {field.name for field in fields(cls)}
        for name in data:
            choose("field", name, ["version", *sorted(known)])
        return cls(**{name: value for name, value in data.items() if name != "version"})

    def to_text(self) -> str:
        """A short text that needs no quoting in a link. A workload of one's own is there as a digest only: whoever
        reads the text must have the lines.

        >>> Setup(stage="rfc2-2", workload="revisit 10 6").to_text()
        '1.stage.rfc2-2.workload.revisit~2010~206'
        """
        parts = []
        for name, value in self.to_json().items():
            if name == "version":
                parts.append(str(value))
            elif name == "workload" and not isinstance(value, str):
                parts += [name, _escaped(_OWN + _digest(value))]
            else:
                parts += [name, _escaped(_written(value))]
        return ".".join(parts)

    @classmethod
    def from_text(cls, text: str, workload: Sequence[str] | None = None) -> Setup:
        """The setup that `to_text` was made from; `workload` are the lines, where they were the reader's own.

        Raises BadInput for a text that is none, or of another version, and for other lines than were meant.
        """
        parts = text.strip().split(".") if isinstance(text, str) else []
        if len(parts) % 2 != 1 or not parts[0].isdecimal():
            raise BadInput(f"text={text!r} is not a setup's: give what Setup.to_text() gave, like '1.stage.rfc2-2'")
        data: dict[str, Any] = {"version": int(parts[0])}
        for name, value in zip(parts[1::2], parts[2::2], strict=True):
            data[name] = _read(name, unquote(value.replace("~", "%")))
        meant = data.get("workload")
        if isinstance(meant, str) and meant.startswith(_OWN):
            data["workload"] = _own_lines(meant.removeprefix(_OWN), workload)
        elif workload is not None:
            raise BadInput(f"workload={workload!r} is not needed: the text names its own, {meant or 'none'}")
        return cls.from_json(data)


# -- fields that are more than a word or a number ---------------------------------------------------------


def _pairs_of(functions: Any) -> tuple[tuple[str, str | Function], ...]:
    """Names of the model's functions and what takes their place. Raises BadInput for anything else."""
    try:
        found = tuple(dict(functions).items())
    except (TypeError, ValueError):
        raise BadInput(f"functions={functions!r} cannot be: give {{'load_end': my_function}}") from None
    for name, function in found:
        if not isinstance(function, str) and not callable(function):
            raise BadInput(f"functions={{{name!r}: {function!r}}} cannot be: give a function, or the name of one")
    return found


def _triples_of(changes: Any) -> tuple[Parameter, ...]:
    """Parameters that are set while it runs. Raises BadInput for what is no (step, name, value)."""
    found = []
    for change in changes if isinstance(changes, Sequence) else [changes]:
        if isinstance(change, str) or not isinstance(change, Sequence) or len(change) != 3:
            raise BadInput(f"changes={changes!r} cannot be: give (step, name, value), like (120, 'enabled', False)")
        step, name, value = change
        require("changes", step, 0, 2**40, "steps")
        choose("parameter", name, PARAMETERS)
        found.append((step, name, value))
    return tuple(found)


# -- a field as a text, and back ------------------------------------------------------------------------


def _written(value: Any) -> str:
    """A field's value as a text: lists a line each, what belongs together with a bar between."""
    if isinstance(value, dict):
        return "\n".join(f"{name}|{one}" for name, one in value.items())
    if isinstance(value, list):
        return "\n".join("|".join(map(str, one)) if isinstance(one, list) else one for one in value)
    return str(value)


def _escaped(text: str) -> str:
    """The text in letters, digits, hyphens and underscores, everything else as ~ and two hexadecimal digits."""
    return quote(text, safe="").replace("~", "%7E").replace(".", "%2E").replace("%", "~")


def _plain(text: str) -> Any:
    """A number, True, False, None, or the text itself."""
    constants = {"True": True, "False": False, "None": None}
    if text in constants:
        return constants[text]
    return int(text) if text.removeprefix("-").isdecimal() else text


_TEXTS = ("stage", "zpool", "exclusive_loads", "load_end", "device", "compressor", "schedule")


def _read(name: str, text: str) -> Any:
    """A field's value from its text."""
    if name in _TEXTS:
        return text
    if name == "cpus":
        return text.split("\n")
    if name == "functions":
        return dict(line.partition("|")[::2] for line in text.split("\n"))
    if name == "changes":
        return [[_plain(part) for part in line.split("|")] for line in text.split("\n")]
    return text if name == "workload" else _plain(text)


def _digest(lines: Sequence[str]) -> str:
    """Twelve hexadecimal digits that stand for lines."""
    return sha256("\n".join(lines).encode()).hexdigest()[:12]


def _own_lines(meant: str, workload: Sequence[str] | None) -> list[str]:
    if workload is None:
        raise BadInput(f"the text was made with a workload of the writer's own ({meant}): give it, workload=[...]")
    lines = lines_of(workload)
    if _digest(lines) != meant:
        raise BadInput(f"workload has other lines ({_digest(lines)}) than the text was made with ({meant})")
    return lines


# -- freed objects ----------------------------------------------------------------------------------------


def guard_objects(machine: Machine) -> None:
    """From now on an object that is given back to a backend is freed memory, too."""
    zswap: Any = type(machine.zswap)
    if zswap.free_object is not _free_and_poison:
        machine.zswap.__class__ = _guarded(zswap)


@cache
def _guarded(zswap: Any) -> Any:
    """The same class, whose objects in a backend are freed memory once they are given back."""
    return type(zswap.__name__, (zswap,), {"free_object": _free_and_poison})


def _free_and_poison(self: Zswap, pool: Pool, handle: Handle) -> None:
    """zpool_free. What lies in a page that is being reclaimed is pinned: it stays readable until that ends."""
    if is_freed(handle):
        raise Bug(f"double-free of {handle!r}")
    pinned = pool.zpool.pins(handle)
    pool.zpool.free(handle)
    if self.hook.observer:
        self.hook.observer("object free", handle, pinned)
    if not pinned:
        poison(handle, self.hook)
