"""The swap layer around zswap: device, swap cache, frontswap bitmap, swap-slot cache, for one swap type.

What zswap gets to see is decided here: frontswap asks it only about slots whose bit is set, and a slot
given up is invalidated only when the slot cache is flushed, 64 slots at a time.
"""

from __future__ import annotations

from typing import Any, Protocol

from .errors import EEXIST, ENOMEM, choose, require
from .steps import LOOKUP, READ, SUBMIT, SWAP_CACHE, Hook, Kernel, Lock, Step, kernel

SLOT_CACHE = 64  # slots given up that are freed together
ACTIVATE = 5 * SLOT_CACHE  # with more slots free than this the slot cache is used (again)
DEACTIVATE = 2 * SLOT_CACHE  # with fewer it is emptied and rests
DEVICES = ("ordinary", "synchronous")


class FolioLock(Lock):
    """The lock of a page frame. Few are ever waited for, so that its steps are made when they are."""

    __slots__ = ()

    def __init__(self) -> None:
        self.holder = None

    name = "folio lock"
    quiet = True
    acquire = property(lambda self: Step("acquire", self))
    release = property(lambda self: Step("release", self))


class Frame:
    """A page frame in RAM: its `data`, and whether it is `dirty`: changed since it was last on swap.

    `exclusive` is the kernel's out-parameter of a load: the entry is gone, only the frame has the data. `users`
    counts the faults that have found it in the swap cache and may wait for its lock.
    """

    __slots__ = ("data", "dirty", "exclusive", "lock", "users")

    def __init__(self, data: Any = None, dirty: bool = True) -> None:
        self.data = data
        self.dirty = dirty
        self.exclusive = False
        self.lock = FolioLock()
        self.users = 0


class FrontswapOps(Protocol):
    """What is asked before the device is: zswap registers itself for it (`struct frontswap_ops`)."""

    def store(self, type: int, offset: int, page: Any) -> Kernel:
        """Take a page: 0, or -errno and the page goes to the device."""

    def load(self, type: int, offset: int, frame: Frame) -> Kernel:
        """Fill a frame: 0, or -1 and the page is read from the device."""

    def invalidate_page(self, type: int, offset: int) -> Kernel:
        """The slot is free again: forget its page."""


class Swap:
    """One swap device and what the kernel keeps for it.

    `slots`: its size in slots of one page; slot 0 is the device's header. `in_use` holds the slots that
    an owner has (a count above 0 in the kernel's swap map), `cache` the swap cache, `bitmap` frontswap's
    bits, `given` the slots waiting in the slot cache, `leaving` those that zswap is being told of, and by which task;
    `free_slots` counts the others (`nr_swap_pages`; those that a CPU takes from the device before it needs them count
    too). A synchronous device (like zram or a RAM disk) is one for which a fault reads into a page of its own and
    leaves the swap cache out; `claimed` has the slots that such faults have claimed (6.1.192). `off` says that
    swapoff has begun, `users` the tasks that have got the device.
    """

    def __init__(self, type: int, slots: int, device: str, hook: Hook, frontswap_ops: FrontswapOps) -> None:
        require("swap_pages", slots, 2, 2**40, "pages")
        choose("device", device, DEVICES)
        self.type = type
        self.slots = slots
        self.synchronous = device == "synchronous"
        self.hook = hook
        self.frontswap_ops = frontswap_ops
        self.in_use: set[int] = set()
        self.cache: dict[int, Frame] = {}
        self.bitmap: set[int] = set()
        self.given: list[int] = []
        self.leaving: dict[int, int] = {}
        self.stranded = 0  # frames that left the swap cache locked, for ever
        self.free_slots = slots - 1
        self.slot_cache_active = self.free_slots > ACTIVATE
        self.disk: dict[int, Any] = {}
        self.claimed: dict[int, Lock] = {}
        self.off = False
        self.users: set[int] = set()
        self.unused = Lock("swap device", quiet=True)  # free for swapoff once nobody uses the device any more

    # -- the swap cache ------------------------------------------------------------------------

    def add_to_cache(self, offset: int, frame: Frame) -> None:
        """A frame enters the swap cache, under its slot (`add_to_swap_cache`)."""
        self.cache[offset] = frame
        if self.hook.observer:
            self.hook.observer("swapcache add", self, offset)

    def delete_from_cache(self, offset: int) -> None:
        """A slot's frame leaves the swap cache (`delete_from_swap_cache`)."""
        del self.cache[offset]
        if self.hook.observer:
            self.hook.observer("swapcache delete", self, offset)

    def uncache(self, offset: int) -> Kernel:
        """A frame leaves the swap cache; if its slot has no owner any more, the slot goes too (put_swap_folio)."""
        self.delete_from_cache(offset)
        if offset not in self.in_use:
            yield from self.free_slot(offset)

    def is_leaving(self, offset: int) -> bool:
        """Whether a slot without an owner is not free yet."""
        return offset in self.given or offset in self.leaving or offset in self.cache or offset in self.claimed

    # -- a slot claimed by a fault that leaves the swap cache out ------------------------------

    def swapcache_prepare(self, offset: int) -> None:
        """A task claims a slot (`SWAP_HAS_CACHE`): until it is done nobody else reads it, and it stays in use."""
        claim = self.claimed[offset] = Lock("swap slot", quiet=True)
        claim.take(self.hook.task)

    def swapcache_clear(self, offset: int) -> Kernel:
        """The claim ends; if the slot has no owner any more, the slot goes."""
        self.claimed.pop(offset).drop()
        if offset not in self.in_use:
            yield from self.free_slot(offset)

    def wait_for_claim(self, offset: int) -> Kernel:
        """Another task has claimed the slot: wait until it is done."""
        claim = self.claimed[offset]
        yield claim.acquire
        claim.drop()

    def get_swap_cache_page(self, offset: int) -> Kernel:
        """For writeback: a new frame in the swap cache, -EEXIST if the slot has one, -ENOMEM if it was given up."""
        yield LOOKUP
        while offset in self.claimed:
            yield from self.wait_for_claim(offset)
        if offset in self.cache:
            found: Frame | int = -EEXIST
        elif offset not in self.in_use:
            found = -ENOMEM
        else:
            found = Frame(dirty=False)
            found.lock.take(self.hook.task)
            self.add_to_cache(offset, found)
        if self.hook.observer:
            self.hook.observer("looked", self, int(found != -ENOMEM))
            self.hook.observer("cached", self, {-EEXIST: 1, -ENOMEM: 2}.get(found, 0) if isinstance(found, int) else 0)
        yield SWAP_CACHE
        return found

    # -- reading and writing a slot ------------------------------------------------------------

    def write(self, offset: int, frame: Frame) -> None:
        """The bytes of a frame reach the swap device."""
        self.disk[offset] = frame.data
        if self.hook.observer:
            self.hook.observer("disk", self, offset)

    @kernel("swap_writepage")
    def writepage(self, offset: int, frame: Frame) -> Kernel:
        """Write a page to its slot: into zswap if it takes the page, else to the device."""
        frame.dirty = False
        refused = yield from self.frontswap_store(offset, frame)
        if refused:
            yield SUBMIT
            self.write(offset, frame)

    @kernel("swap_readpage")
    def readpage(self, offset: int, frame: Frame) -> Kernel:
        """Read a slot: from zswap if it has the page, else from the device."""
        missing = yield from self.frontswap_load(offset, frame)
        if missing:
            yield READ
            frame.data = self.disk.get(offset, bytes(4096))

    # -- frontswap -----------------------------------------------------------------------------

    def frontswap_store(self, offset: int, frame: Frame) -> Kernel:
        """Ask zswap to take a page, an old copy being invalidated first; the slot's bit says whether it did
        (`__frontswap_store`).
        """
        if offset in self.bitmap:
            self.bitmap.discard(offset)
            yield from self.frontswap_ops.invalidate_page(self.type, offset)
        refused = yield from self.frontswap_ops.store(self.type, offset, frame.data)
        if not refused:
            self.bitmap.add(offset)
        return refused

    def frontswap_load(self, offset: int, frame: Frame) -> Kernel:
        """Ask zswap for a page, if the slot's bit is set; an exclusive load clears the bit (`__frontswap_load`)."""
        if offset not in self.bitmap:
            return -1
        frame.exclusive = False
        missing = yield from self.frontswap_ops.load(self.type, offset, frame)
        if not missing and frame.exclusive:
            frame.dirty = True
            self.bitmap.discard(offset)
        return missing

    def frontswap_invalidate_page(self, offset: int) -> Kernel:
        """Tell zswap that a slot is freed, if its bit is set (`__frontswap_invalidate_page`)."""
        if self.hook.observer:
            self.hook.observer("slot free", self, offset)
        if offset in self.bitmap:
            yield from self.frontswap_ops.invalidate_page(self.type, offset)
            self.bitmap.discard(offset)

    # -- taking a slot, giving it up -----------------------------------------------------------

    def check_cache_active(self) -> Kernel:
        """Before a new slot is taken: the slot cache is used while many slots are free, emptied once few are."""
        if not self.slot_cache_active:
            self.slot_cache_active = self.free_slots > ACTIVATE and not self.off
        elif self.free_slots < DEACTIVATE:
            self.slot_cache_active = False
            yield from self.flush_slots()

    @kernel("free_swap_slot")
    def free_slot(self, offset: int) -> Kernel:
        """An owner gives its slot up: it waits in the slot cache, which is flushed when 64 have gathered."""
        self.in_use.discard(offset)
        if self.slot_cache_active:
            self.given.append(offset)
            if len(self.given) > SLOT_CACHE:
                yield from self.flush_slots(SLOT_CACHE)
        else:
            yield from self.leave(offset)

    def flush_slots(self, count: int = SLOT_CACHE) -> Kernel:
        """Free so many of the slots that wait, in the order in which they were given (`swapcache_free_entries`)."""
        while self.given and count:
            offset = self.given.pop(0)
            yield from self.leave(offset)
            count -= 1

    def leave(self, offset: int) -> Kernel:
        """Free a slot: nobody gets it before zswap has forgotten it; si->lock is held till then (`swap_entry_free`)."""
        self.free_slots += 1
        self.leaving[offset] = self.hook.task
        yield from self.frontswap_invalidate_page(offset)
        del self.leaving[offset]
        if self.off:
            self.unused.holder = self.user()

    @property
    def inuse_pages(self) -> int:
        """How many slots are not free."""
        return len(self.in_use.union(self.cache, self.given, self.claimed))

    # -- turning it off --------------------------------------------------------------------------

    def get_device(self) -> None:
        """Nobody turns the device off until it is put (`get_swap_device`)."""
        self.users.add(self.hook.task)

    def put_device(self) -> None:
        """The task that has got the device is done with it (`put_swap_device`)."""
        self.users.discard(self.hook.task)
        if self.off:
            self.unused.holder = self.user()

    def user(self) -> int | None:
        """A task that swapoff has to wait for: it has got the device, or holds si->lock."""
        return min({*self.users, *self.leaving.values()}, default=None)

    def wait_until_unused(self) -> Kernel:
        """What swapoff does once no slot is in use: it waits for everybody who still has to do with the device."""
        self.unused.holder = self.user()
        yield self.unused.acquire
        self.unused.drop()

    def __repr__(self) -> str:
        return f"<swap type {self.type}: {len(self.in_use)} of {self.slots} slots in use, {len(self.cache)} cached>"
