"""Where the fields of the kernel's structs lie, from the kernel's own BTF (as in /sys/kernel/btf/).

Only what the probes ask for is read: structs and their members, and the first parameter of a function.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from typing import NamedTuple

POINTER, ARRAY, STRUCT, UNION, ENUM, FUNCTION, PROTOTYPE, VARIABLE, SECTION, TAG, ENUM64 = (
    2, 3, 4, 5, 6, 12, 13, 14, 15, 17, 19,
)  # fmt: skip
INTEGER = 1
NAMED_OTHERWISE = (8, 9, 10, 11, 18)  # typedef, volatile, const, restrict, tag: what they stand for is `of`
EACH = {STRUCT: 12, UNION: 12, ENUM: 8, PROTOTYPE: 8, SECTION: 12, ENUM64: 12}  # bytes a member takes
MORE = {INTEGER: 4, ARRAY: 12, VARIABLE: 4, TAG: 4}  # bytes after the head of other kinds
MAGIC = 0xEB9F


class Type(NamedTuple):
    """One type; `of` is its size, or the type that it refers to, `members` their place in the data."""

    kind: int
    name: str
    of: int
    bit_fields: int
    members: range


class Btf:
    """The types of a kernel, or of a module on top of `base`, its kernel's."""

    def __init__(self, data: bytes, base: Btf | None = None) -> None:
        if len(data) < 24 or struct.unpack_from("<H", data)[0] != MAGIC:
            sys.exit("the kernel gives no BTF: take one built with CONFIG_DEBUG_INFO_BTF=y, as Debian's are")
        _, _, _, head, types, types_length, strings, strings_length = struct.unpack_from("<HBBIIIII", data)
        self.data = data
        self.base = base
        self.first = base.first + len(base.types) if base else 1  # type 0 is void
        self.strings = data[head + strings : head + strings + strings_length]
        self.first_string = base.first_string + len(base.strings) if base else 0
        self.types = list(self.parse(head + types, head + types + types_length))
        self.structs = {found.name: found for found in reversed(self.types) if found.kind in (STRUCT, UNION)}

    def parse(self, at: int, end: int) -> Iterator[Type]:
        while at < end:
            name, info, of = struct.unpack_from("<III", self.data, at)
            kind, count = info >> 24 & 31, info & 0xFFFF
            each = EACH.get(kind, 0)
            at += 12
            yield Type(kind, self.text(name), of, info >> 31, range(at, at + each * count, each or 1))
            at += each * count + MORE.get(kind, 0)

    def text(self, at: int) -> str:
        if at < self.first_string:
            assert self.base
            return self.base.text(at)
        at -= self.first_string
        return self.strings[at : self.strings.index(b"\0", at)].decode()

    def type(self, number: int) -> tuple[Btf, Type]:
        """A type behind its other names, and the Btf that has it."""
        if number < self.first:
            return self.base.type(number) if self.base else (self, Type(0, "void", 0, 0, range(0)))
        found = self.types[number - self.first]
        return self.type(found.of) if found.kind in NAMED_OTHERWISE else (self, found)

    def has(self, name: str) -> bool:
        return name in self.structs

    def offset(self, name: str, path: str) -> int:
        """Bytes from the start of a struct to a field, like ("folio", "swap.val"); looks through anonymous members.

        Ends the program for a field that is not there: the kernel is none of those that the probes are for.
        """
        home, found, offset = self, self.structs.get(name), 0
        for field in path.split("."):
            hit = home.member(found, field) if found else None
            if hit is None:
                sys.exit(f"this kernel has no {name}.{path}: it is not one of Linux 6.1 to 6.5")
            offset += hit[0]
            home, found = home.type(hit[1])
        return offset

    def member(self, found: Type, field: str) -> tuple[int, int] | None:
        """(offset in bytes, number of its type) of a field."""
        for at in found.members if found.kind in (STRUCT, UNION) else ():
            name, number, bits = struct.unpack_from("<III", self.data, at)
            offset = (bits & 0xFFFFFF if found.bit_fields else bits) // 8
            if name and self.text(name) == field:
                return offset, number
            home, inner = self.type(number)
            if not name and (hit := home.member(inner, field)):
                return offset + hit[0], hit[1]
        return None

    def first_parameter(self, function: str) -> str:
        """The struct that a function's first parameter points to; empty if it is no pointer to one."""
        for found in self.types:
            if found.kind == FUNCTION and found.name == function:
                _, prototype = self.type(found.of)
                for at in prototype.members[:1]:
                    _, pointer = self.type(struct.unpack_from("<II", self.data, at)[1])
                    return self.type(pointer.of)[1].name if pointer.kind == POINTER else ""
        return ""
