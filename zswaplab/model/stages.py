"""`Stage`: each state of the kernel as data, and STAGES: the table of them all, by the names that readers type.

>>> list(STAGES)[:4]
['v6.1', 'v6.4', 'base', 'rfc2-1']
>>> STAGES["2"]
<stage 2: patch 2 as merged: zbud no longer evicts>
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from .errors import BadInput, choose

EXCLUSIVE_LOADS = ("off", "v1", "v2", "fixed")
LOAD_ENDS = (
    "invalidate, put", "put, invalidate", "invalidate, put, move",
    "move, invalidate, put", "put, invalidate or move", "invalidate or move, put",
)  # fmt: skip
TREE = "https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git/tree/mm/{file}?id={commit}"
STABLE = "https://git.kernel.org/pub/scm/linux/kernel/git/stable/linux.git/tree/mm/{file}?h={commit}"
MAIL = "https://lore.kernel.org/linux-mm/?q=s%3A%22zswap%3A+move+writeback+LRU+from+zpool+to+zswap%22"


@dataclass(frozen=True)
class Stage:
    """One state of the kernel: what it is called, and the switches in which it differs from the others.

    `id` is the name by which Machine and the others take it, `title` says in words what it is, `commit` which commit or
    release of Linux ("" for patches as reviewed, which never became one). The rest are switches:

    `evictable`: backends that can reclaim by themselves. `header`: an object in the backend starts with
    its swap slot (8 bytes), `header_always` even where the backend is not evictable. `entry_lru`: zswap
    has an LRU of entries. `asks_evictable`: it asks the backend before using it. `reclaim_finds`:
    reclaim takes its reference while searching. `writeback_finds`: writeback looks the entry up itself,
    and it `maps_once`: the object stays mapped all the while. `until_accept`: the worker shrinks until
    zswap can accept, and a store that waits for that kicks it. `invalidate_once`: a second invalidation
    of an entry does nothing. `unlocks_recycled`: a writeback that finds its slot recycled unlocks the frame it
    has taken for it. `claims_slot`: a fault that leaves the swap cache out claims its slot, so that a second one
    waits. `load_end` and `reclaim_end`: in which order a load and a reclaim end.
    `chain`: pages of zsmalloc's longest zspage. `tree`: where `commit` can be read.

    >>> STAGES["v6.1"]
    <stage v6.1: Linux 6.1.192>
    >>> STAGES["2"].evicts("zbud"), STAGES["2"].evicts("z3fold")
    (False, True)
    """

    id: str
    title: str
    commit: str
    evictable: frozenset[str]
    exclusive_loads: str = "off"
    load_end: str = "invalidate, put"
    header: bool = True
    header_always: bool = False
    entry_lru: bool = False
    asks_evictable: bool = True
    reclaim_finds: bool = False
    writeback_finds: bool = True
    maps_once: bool = False
    until_accept: bool = True
    reclaim_end: str = "put"
    invalidate_once: bool = False
    chain: int = 8
    unlocks_recycled: bool = False
    claims_slot: bool = False
    tree: str = TREE

    def evicts(self, zpool: str) -> bool:
        """Whether that backend can write its own pages back (`zpool_evictable`).

        >>> STAGES["base"].evicts("zbud")
        True
        """
        return zpool in self.evictable

    @property
    def exclusive_at_run_time(self) -> bool:
        """Whether exclusive loads can be turned on and off while it runs: v1 was fixed when the kernel was built."""
        return self.exclusive_loads in ("v2", "fixed") or self.id == "v6.5" or self.id.isdecimal()

    def link(self, file: str = "zswap.c") -> str:
        """Where the kernel's own source of this stage can be read, `file` being one of the kernel's mm/.

        >>> STAGES["v6.5"].link("zbud.c")
        'https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git/tree/mm/zbud.c?id=v6.5'
        """
        return self.tree.format(file=file, commit=self.commit) if self.commit else MAIL

    def __repr__(self) -> str:
        return f"<stage {self.id}: {self.title}>"


ALL = frozenset({"zbud", "z3fold", "zsmalloc"})
NONE: frozenset[str] = frozenset()
V6_1 = Stage(
    "v6.1", "Linux 6.1.192", "v6.1.192", ALL - {"zsmalloc"}, tree=STABLE, maps_once=True, until_accept=False, chain=4,
    unlocks_recycled=True, claims_slot=True,
)  # fmt: skip
V6_4 = replace(
    V6_1, id="v6.4", title="Linux 6.4", commit="v6.4", tree=TREE, evictable=ALL, maps_once=False, chain=8,
    unlocks_recycled=False, claims_slot=False,
)  # fmt: skip
BASE = replace(
    V6_4, id="base", title="just before the series", until_accept=True,
    commit="b9c91c43412f2e07a5287dfe7027acdd8fb0b1ef",
)  # fmt: skip
RFC2_1 = replace(
    BASE, id="rfc2-1", title="patch 1 as reviewed: zswap gets an LRU", commit="",
    header_always=True, entry_lru=True, reclaim_finds=True, load_end="invalidate, put, move",
)  # fmt: skip
MERGED_1 = replace(
    RFC2_1, id="1", title="patch 1 as merged: zswap gets an LRU", reclaim_finds=False,
    load_end="put, invalidate or move",
)  # fmt: skip
COMMITS = (
    "f999f38b4e6f6fd444acdc289a156ad781919a9c", "1be537c6451b7203776063a8655c9096ebc50790", "e774a7bc7f0a",
    "b3067742ae36b36b959835a33937c4dc458f8183", "35499e2b79ff", "ff9d5ba202f9", "0bb488498c98",
)  # fmt: skip
PATCHES: tuple[tuple[str, dict[str, Any]], ...] = (  # what each patch after the first changes
    ("zbud no longer evicts", {"evictable": ALL - {"zbud"}}),
    ("z3fold no longer evicts", {"evictable": frozenset({"zsmalloc"})}),
    ("zsmalloc no longer evicts", {"evictable": NONE}),
    ("zpool loses its shrink interface", {"asks_evictable": False}),
    ("writeback is given the entry", {"writeback_finds": False}),
    ("objects lose their header", {"header": False, "header_always": False}),
)


def series(first: Stage, prefix: str, form: str, commits: tuple[str, ...]) -> list[Stage]:
    """The seven stages of the series, each the one before with a patch on top."""
    stages = [replace(first, commit=commits[0])]
    for number, (what, changes) in enumerate(PATCHES, start=2):
        if not changes.get("writeback_finds", True):
            changes = {**changes, "reclaim_end": "put, put base" if prefix else "put base, put"}
        title, commit = f"patch {number} as {form}: {what}", commits[number - 1]
        stages.append(replace(stages[-1], id=f"{prefix}{number}", title=title, commit=commit, **changes))
    return stages


REVIEWED = series(RFC2_1, "rfc2-", "reviewed", ("",) * 7)
MERGED = series(MERGED_1, "", "merged", COMMITS)
V6_5 = replace(
    MERGED[-1], id="v6.5", title="Linux 6.5: the whole series and two fixes", commit="v6.5",
    reclaim_end="invalidate, put", invalidate_once=True, load_end="invalidate or move, put",
)  # fmt: skip
STAGES: dict[str, Stage] = {stage.id: stage for stage in (V6_1, V6_4, BASE, *REVIEWED, *MERGED, V6_5)}
FORMS = {  # the forms of exclusive loads that existed; with patches 1..7 as merged: off and v2
    "v6.1": ("off",), "v6.4": ("off",), "base": ("off", "v1", "v2"), "rfc2": ("off", "v1"), "v6.5": ("off", "fixed"),
}  # fmt: skip


def make_stage(id: str, exclusive_loads: str = "off", load_end: str | None = None) -> Stage:
    """The stage `id` with that form of exclusive loads, and if asked with another order at a load's end.

    Raises BadInput for a name that is not in STAGES, EXCLUSIVE_LOADS ("on" stands for the stage's own) or LOAD_ENDS.
    """
    choose("stage", id, STAGES)
    choose("exclusive_loads", exclusive_loads, (*EXCLUSIVE_LOADS, "on"))
    if load_end is not None:
        choose("load_end", load_end, LOAD_ENDS)
    stage = STAGES[id]
    form = own_form(stage) if exclusive_loads == "on" else exclusive_loads
    order = load_end or load_end_of(stage, form)
    once = stage.invalidate_once or form == "fixed"
    return replace(stage, exclusive_loads=form, load_end=order, invalidate_once=once)


def forms_of(stage: Stage) -> tuple[str, ...]:
    """The forms of exclusive loads that existed with a stage: "off", then what "on" means, then any other."""
    return FORMS.get(stage.id.split("-")[0], ("off", "v2"))


def own_form(stage: Stage) -> str:
    """What "on" means at a stage. Raises BadInput for one that had no exclusive loads yet."""
    off, *others = forms_of(stage)
    if not others:
        raise BadInput(f"exclusive_loads='on' cannot be at stage {stage.id}: there were none yet; choose {off!r}, or a "
                       "stage from 'base' on, or a later form by its name: 'v1', 'v2', 'fixed'")
    return others[0]


def load_end_of(stage: Stage, exclusive_loads: str) -> str:
    """The order that a form of exclusive loads brought with it: v1 and v2 differ in nothing else."""
    moves = stage.entry_lru
    return {
        "off": stage.load_end,
        "v1": "invalidate, put, move" if moves else "invalidate, put",
        "v2": "put, invalidate or move" if moves else "put, invalidate",
        "fixed": "invalidate or move, put" if moves else "invalidate, put",
    }[exclusive_loads]


def existed(stage: Stage) -> bool:
    """Whether some kernel had this stage with this form of exclusive loads."""
    return stage.exclusive_loads in forms_of(stage)
