"""Notebook 09, exercises: the right functions of the LRU, and wrong ones that a student may write."""


def stored(lru, slot):
    lru.insert(0, slot)


def loaded(lru, slot):
    lru.remove(slot)
    lru.insert(0, slot)


def failed(lru, slot):
    lru.insert(0, slot)


def load_moves_nothing(lru, slot):
    lru.sort(key=lambda other: 0)


def load_takes_it_off(lru, slot):
    if slot in lru:
        lru.remove(slot)


def load_only_adds(lru, slot):
    lru.insert(0, slot)


def stored_at_the_tail(lru, slot):
    lru.append(slot)


def failed_to_the_tail(lru, slot):
    lru.append(slot)


RIGHT = (stored, loaded, failed)
WRONG = {
    "loads-move-nothing": (stored, load_moves_nothing, failed),
    "load-takes-it-off": (stored, load_takes_it_off, failed),
    "there-twice": (stored, load_only_adds, failed), "stored-at-the-tail": (stored_at_the_tail, loaded, failed),
    "failure-to-the-tail": (stored, loaded, failed_to_the_tail),
}  # fmt: skip
