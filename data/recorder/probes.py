"""The kprobes of a recording, as lines for the kernel's kprobe_events, made to measure for one kernel.

A probe at a function's entry ("p") or return ("r") is an event with the values that its line names. Which
functions there are says /proc/kallsyms; where the fields lie that are read says BTF. A function that the
compiler has inlined has no probe, and the recording then has no such point; nothing else is lost by it.
"""

from __future__ import annotations

import sys
from collections.abc import Set

from btf import Btf

COUNTERS = {  # zswap's counter -> its field in an event
    "zswap_pool_limit_hit": "lim", "zswap_written_back_pages": "wbp", "zswap_reject_reclaim_fail": "rrf",
    "zswap_reject_compress_fail": "rcf", "zswap_reject_compress_poor": "rcp", "zswap_reject_alloc_fail": "raf",
    "zswap_reject_kmemcache_fail": "rkf", "zswap_duplicate_entry": "dup",
}  # fmt: skip
SIZES = {  # backend -> the struct and the field in which it counts its pages
    "zbud": ("zbud_pool", "pages_nr"),
    "z3fold": ("z3fold_pool", "pages_nr"),
    "zsmalloc": ("zs_pool", "pages_allocated"),
}
SLOT = ("type=%di:u32", "off=%si:u64")  # the swap slot, where a function is given it as two numbers
Z3FOLD = ("f", "m", "l", "sm", "fl")  # a z3fold page's chunks and flags, as an event's fields
INLINING_OFF = "zswap_rb_insert"  # a function that only a kernel built without inlining in mm/zswap.c has


def probes(symbols: Set[str], types: Btf, module: Btf, zpool: str) -> list[str]:
    """The lines for a kernel with those symbols and types; `module` has the types of the backend `zpool`."""
    if "zswap_frontswap_store" not in symbols:
        sys.exit("this kernel's zswap is not the one of Linux 6.1 to 6.5: it has no zswap_frontswap_store")
    made = Probes(symbols, types, module, zpool)
    made.entry_points()
    made.reclaim()
    made.swap()
    made.points()
    if INLINING_OFF in symbols:
        made.points_without_inlining()
        made.swap_cache()
    made.backend()
    return made.lines


class Probes:
    """Collects the lines; a method for each part of the kernel."""

    def __init__(self, symbols: Set[str], types: Btf, module: Btf, zpool: str) -> None:
        self.lines: list[str] = []
        self.symbols = symbols
        self.types = types
        self.module = module
        self.zpool = zpool
        self.pages = self.backend_pages()
        self.state = (
            "full=@zswap_pool_reached_full:u8", "sp=@zswap_stored_pages:s32", "sf=@zswap_same_filled_pages:s32",
            "tot=@zswap_pool_total_size:u64", self.pages,
        )  # fmt: skip
        self.counters = tuple(f"{field}=@{name}:u64" for name, field in COUNTERS.items() if name in symbols)
        self.page_slot = f"swp=+{types.offset('page', 'private')}(%di):x64"
        index = types.offset("page", "index")
        self.page_index = f"idx=+{index}(%di):u64"
        self.stored_index = f"idx=+{index}(%dx):u64"

    def backend_pages(self) -> str:
        """How many pages the backend itself counts: by way of the first of zswap's pools, which is the current one."""
        struct, field = SIZES[self.zpool]
        if not self.module.has(struct):
            sys.exit(f"this kernel has no BTF for {self.zpool}: build it in, or with CONFIG_DEBUG_INFO_BTF_MODULES=y")
        to_zpool = self.types.offset("zswap_pool", "zpool") - self.types.offset("zswap_pool", "list")
        pool = f"+{self.types.offset('zpool', 'pool')}({to_zpool:+d}(@zswap_pools))"
        return f"pg=+{self.module.offset(struct, field)}({pool}):u64"

    def enter(self, name: str, function: str, *values: str) -> None:
        self.probe("p", name, function, values)

    def leave(self, name: str, function: str, *values: str) -> None:
        self.probe("r", name, function, values)

    def probe(self, kind: str, name: str, function: str, values: tuple[str, ...]) -> None:
        if function in self.symbols:
            self.lines.append(" ".join((f"{kind}:z/{name}", function, *values)))

    def entry_points(self) -> None:
        """zswap's own: store, load, the two invalidates, and an entry's end."""
        entry = self.types.offset
        self.enter("store_in", "zswap_frontswap_store", *SLOT, self.stored_index, *self.state)
        self.leave("store_out", "zswap_frontswap_store", "ret=$retval:s32", *self.state, *self.counters)
        self.enter("load_in", "zswap_frontswap_load", *SLOT, self.pages)
        self.leave("load_out", "zswap_frontswap_load", "ret=$retval:s32", *self.state)
        self.enter("inval_in", "zswap_frontswap_invalidate_page", *SLOT, self.pages)
        self.leave("inval_out", "zswap_frontswap_invalidate_page", *self.state)
        self.enter("area", "zswap_frontswap_invalidate_area", SLOT[0])
        self.enter(
            "efree", "zswap_free_entry", f"off=+{entry('zswap_entry', 'offset')}(%di):u64",
            f"len=+{entry('zswap_entry', 'length')}(%di):u32", f"h=+{entry('zswap_entry', 'handle')}(%di):x64",
            self.pages,
        )  # fmt: skip

    def reclaim(self) -> None:
        """The worker, one step of its work (before the patch series the backend's own), and writeback."""
        self.enter("work_in", "shrink_worker", *self.state)
        self.leave("work_out", "shrink_worker", *self.state, *self.counters)
        self.enter("shrink_in", "zpool_shrink", "pages=%si:u32", *self.state)
        self.leave("shrink_out", "zpool_shrink", "ret=$retval:s32", *self.state)
        for name, function in (("zshrink", "zswap_shrink"), ("reclaim", "zswap_reclaim_entry")):
            self.enter(f"{name}_in", function, *self.state)
            self.leave(f"{name}_out", function, "ret=$retval:s32", *self.state)
        if self.types.first_parameter("zswap_writeback_entry") == "zswap_entry":
            which = (f"off=+{self.types.offset('zswap_entry', 'offset')}(%di):u64",)
        else:
            which = ("h=%si:x64", "hv=+0(%si):x64")
        self.enter("wb_in", "zswap_writeback_entry", *which, self.pages)
        self.leave("wb_out", "zswap_writeback_entry", "ret=$retval:s32", *self.state, *self.counters)

    def swap(self) -> None:
        """The swap layer around zswap: pages that go out and come in, slots that are given up."""
        self.enter("swapout", "swap_writepage", self.page_slot, self.page_index)
        self.enter("diskwrite", "__swap_writepage", self.page_slot)
        self.enter("swapin", "swap_readpage", self.page_slot)
        self.enter("slot_give", "free_swap_slot", "swp=%di:x64")
        self.enter("slot_free", "__frontswap_invalidate_page", *SLOT)

    def swap_cache(self) -> None:
        """Two more rows for every page: left out for a kernel like Debian's, whose long runs they would fill."""
        self.enter("sc_add", "add_to_swap_cache", "swp=%si:x64")
        self.leave("sc_added", "add_to_swap_cache", "ret=$retval:s32")
        self.enter("sc_del", "__delete_from_swap_cache", "swp=%si:x64")

    def points(self) -> None:
        """Points inside an operation."""
        self.enter("malloc", "zpool_malloc", "size=%si:u64")
        self.leave("malloc_out", "zpool_malloc", "ret=$retval:s32", self.pages)
        self.enter("map", "zpool_map_handle", "h=%si:x64", "hv=+0(%si):x64", "mode=%dx:u32")
        self.enter("i_unmap", "zpool_unmap_handle")
        self.enter("i_zfree", "zpool_free", "h=%si:x64", self.pages)
        self.leave("i_zfreed", "zpool_free", self.pages)
        self.enter("rsca", "__read_swap_cache_async", "swp=%di:x64")
        self.leave("i_looked", "__read_swap_cache_async", "ret=$retval:x64")
        self.leave("i_submitted", "__swap_writepage", "wbp=@zswap_written_back_pages:u64")
        self.leave("i_full", "zswap_is_full", "ret=$retval:u8")
        self.leave("i_accept", "zswap_can_accept", "ret=$retval:u8")
        self.leave("i_cached", "zswap_get_swap_cache_page", "ret=$retval:s32")
        if "zswap_update_total_size" in self.symbols:
            self.leave("i_update", "zswap_update_total_size", "tot=@zswap_pool_total_size:u64")
        else:  # zswap asks for the size there only
            self.leave("i_update", "zpool_get_total_size", "ret=$retval:u64")

    def points_without_inlining(self) -> None:
        """The tree and the reference counts. With inlining some of these functions are left, but not in every place."""
        refcount = self.types.offset("zswap_entry", "refcount")
        self.leave("i_insert", "zswap_rb_insert", "ret=$retval:s32")
        self.enter("i_erase", "zswap_rb_erase")
        self.enter("i_put", "zswap_entry_put", f"ref=+{refcount}(%si):s32")
        self.leave("i_search", "zswap_rb_search", "ret=$retval:x64")
        self.leave("i_find", "zswap_entry_find_get", "ret=$retval:x64")

    def backend(self) -> None:
        """Points inside the backend."""
        {"zbud": self.zbud, "z3fold": self.z3fold, "zsmalloc": self.zsmalloc}[self.zpool]()

    def zbud(self) -> None:
        self.enter("i_pagefree", "free_zbud_page", "h=%di:x64")

    def zsmalloc(self) -> None:
        self.enter("i_object", "obj_malloc", "h=%si:x64")
        self.enter("i_pagefree", "__free_zspage", "h=%dx:x64")

    def z3fold(self) -> None:
        """Where compaction moves an object to is seen in the page's slots, which outlive the page."""
        page = self.z3fold_header("%di")
        at = self.module.offset("z3fold_header", "slots")
        slots = (f"sl=+{at}(%di):x64", *(f"s{i}=+{8 * i}(+{at}(%di)):x64" for i in range(4)))
        self.enter("z3c_in", "do_compact_page", "h=%di:x64", "lk=%si:u8", *page, *slots, self.pages)
        self.leave("z3c_out", "do_compact_page", self.pages)
        self.leave("i_move", "compact_single_buddy", "ret=$retval:x64")
        self.enter("i_slide", "mchunk_memmove", "h=%di:x64", "sm=%si:u16")
        self.enter("i_list", "add_to_unbuddied", "h=%si:x64", *self.z3fold_header("%si"))
        if "add_to_unbuddied" in self.symbols:  # where it is inlined, __z3fold_alloc is too
            self.leave("i_pick", "__z3fold_alloc", "ret=$retval:x64")
        release = "__release_z3fold_page"
        cloned = release if release in self.symbols else release + ".constprop.0"  # the compiler's name for it
        self.enter("z3release", cloned, "h=%di:x64", *page, *slots, self.pages)

    def z3fold_header(self, register: str) -> tuple[str, ...]:
        fields = ("first_chunks", "middle_chunks", "last_chunks", "start_middle", "first_num")
        at = (self.module.offset("z3fold_header", field) for field in fields)
        return tuple(f"{name}=+{offset}({register}):u16" for name, offset in zip(Z3FOLD, at, strict=True))
