"""Lock order, learned as it runs: two orders that cannot both be kept are reported without any deadlock.

Like the kernel's lockdep it knows classes of locks, not single ones: every pool's lru_lock is "lru_lock".
"""

from __future__ import annotations

from dataclasses import dataclass

from ..model.errors import Fault

Stack = list[str]


@dataclass(frozen=True)
class Order:
    """`inner` was taken with `outer` held, for the first time at `stack` (innermost function first)."""

    outer: str
    inner: str
    task: str
    stack: tuple[str, ...]


class CircularLocking(Fault):
    """A lock is taken while another is held that elsewhere is taken inside it.

    `chain` has the new order first, then those known before that lead back from its inner lock to its outer one.
    """

    def __init__(self, chain: tuple[Order, ...]) -> None:
        self.chain = chain
        super().__init__(circle(chain[0], list(chain[1:])))


class Lockdep:
    """The order graph: `orders` has the first sight of each pair of classes."""

    def __init__(self) -> None:
        self.orders: dict[tuple[str, str], Order] = {}

    def knows(self, held: list[str], lock: str) -> bool:
        return all((outer, lock) in self.orders for outer in held)

    def acquire(self, held: list[str], lock: str, task: str, stack: Stack) -> CircularLocking | None:
        """Learn that `lock` is taken with `held` held; what to report if that closes a circle."""
        for outer in held:
            if (outer, lock) not in self.orders:
                new = self.orders[outer, lock] = Order(outer, lock, task, tuple(stack))
                if chain := self.path(lock, outer):
                    return CircularLocking((new, *chain))
        return None

    def path(self, first: str, last: str, seen: frozenset[str] = frozenset()) -> list[Order]:
        """The orders learned that lead from one class to another, if any."""
        for (outer, inner), order in self.orders.items():
            if outer == first and inner not in seen:
                if inner == last:
                    return [order]
                if rest := self.path(inner, last, seen | {inner}):
                    return [order, *rest]
        return []


def circle(new: Order, chain: list[Order]) -> str:
    """Both chains, in the kernel's words."""
    lines = [
        "WARNING: possible circular locking dependency detected",
        f"{new.task} is trying to acquire lock: {new.inner}",
        f"but task is already holding lock: {new.outer}, which already depends on the new lock.",
        "the existing dependency chain (in reverse order) is:",
    ]
    for number, order in enumerate(reversed(chain), start=1):
        lines += [f"-> #{len(chain) - number + 1} ({order.inner}), while {order.outer} was held, in {order.task}:"]
        lines += [f"       {row}" for row in order.stack]
    lines += [f"-> #0 ({new.inner}), while {new.outer} is held:", *(f"       {row}" for row in new.stack)]
    lines += [
        " Possible unsafe locking scenario:",
        f"       CPU0: lock({new.outer});",
        f"                               CPU1: lock({chain[0].outer}); lock({chain[-1].inner});",
        f"       CPU0: lock({new.inner});",
    ]
    return "\n".join(lines)
