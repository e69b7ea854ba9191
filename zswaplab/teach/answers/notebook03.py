"""Notebook 03, exercises: the right worker, and wrong ones that a student may write."""

from zswaplab.model.errors import EAGAIN
from zswaplab.model.steps import UNLOCKED


def shrink_worker(self, pool):
    pool.work_pending = False
    failures = 0
    while True:
        failed = yield from self.shrink(pool)
        if failed:
            yield UNLOCKED
            self.counters.reject_reclaim_fail += 1
            failures += 1
            if failed != -EAGAIN or failures == self.max_reclaim_retries:
                break
        yield UNLOCKED
        if self.can_accept():
            break
    self.pool_put(pool)


def looks_first(self, pool):
    pool.work_pending = False
    failures = 0
    while not self.can_accept():
        failed = yield from self.shrink(pool)
        if failed:
            yield UNLOCKED
            self.counters.reject_reclaim_fail += 1
            failures += 1
            if failed != -EAGAIN or failures == self.max_reclaim_retries:
                break
        yield UNLOCKED
    self.pool_put(pool)


def stops_at_the_limit(self, pool):
    pool.work_pending = False
    failures = 0
    while True:
        failed = yield from self.shrink(pool)
        if failed:
            yield UNLOCKED
            self.counters.reject_reclaim_fail += 1
            failures += 1
            if failed != -EAGAIN or failures == self.max_reclaim_retries:
                break
        yield UNLOCKED
        if not self.is_full():
            break
    self.pool_put(pool)


def success_resets(self, pool):
    pool.work_pending = False
    failures = 0
    while True:
        failed = yield from self.shrink(pool)
        if failed:
            yield UNLOCKED
            self.counters.reject_reclaim_fail += 1
            failures += 1
            if failed != -EAGAIN or failures == self.max_reclaim_retries:
                break
        else:
            failures = 0
        yield UNLOCKED
        if self.can_accept():
            break
    self.pool_put(pool)


def fresh_size(self, pool):
    pool.work_pending = False
    failures = 0
    while True:
        failed = yield from self.shrink(pool)
        if failed:
            yield UNLOCKED
            self.counters.reject_reclaim_fail += 1
            failures += 1
            if failed != -EAGAIN or failures == self.max_reclaim_retries:
                break
        yield UNLOCKED
        self.update_total_size()
        if self.can_accept():
            break
    self.pool_put(pool)


def gives_up_at_once(self, pool):
    pool.work_pending = False
    while True:
        failed = yield from self.shrink(pool)
        if failed:
            yield UNLOCKED
            self.counters.reject_reclaim_fail += 1
            break
        yield UNLOCKED
        if self.can_accept():
            break
    self.pool_put(pool)


def keeps_the_pool(self, pool):
    pool.work_pending = False
    failures = 0
    while True:
        failed = yield from self.shrink(pool)
        if failed:
            yield UNLOCKED
            self.counters.reject_reclaim_fail += 1
            failures += 1
            if failed != -EAGAIN or failures == self.max_reclaim_retries:
                break
        yield UNLOCKED
        if self.can_accept():
            break


RIGHT = (shrink_worker,)
WRONG = {
    "looks-first": (looks_first,), "stops-at-the-limit": (stops_at_the_limit,), "success-resets": (success_resets,),
    "fresh-size": (fresh_size,), "gives-up-at-once": (gives_up_at_once,), "keeps-the-pool": (keeps_the_pool,),
}  # fmt: skip
