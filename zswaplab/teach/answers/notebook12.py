"""Notebook 12, exercise: a rule by which an entry leaves, and some that are not good enough."""


def choice(entries):
    able = [entry for entry in entries if entry.can_leave] or list(entries)
    return min(able, key=lambda entry: (entry.loads > 0, entry.used))


def the_tail(entries):
    return entries[-1]


def most_recently_used(entries):
    able = [entry for entry in entries if entry.can_leave] or list(entries)
    return max(able, key=lambda entry: entry.used)


def first_in_first_out(entries):
    able = [entry for entry in entries if entry.can_leave] or list(entries)
    return min(able, key=lambda entry: entry.stored)


def largest_first(entries):
    able = [entry for entry in entries if entry.can_leave] or list(entries)
    return max(able, key=lambda entry: entry.length)


def knows_the_pages(entries):
    able = [entry for entry in entries if entry.can_leave] or list(entries)
    return max(able, key=lambda entry: entry.page is not None and entry.page > 3)


RIGHT = (choice,)
WRONG = {
    "the-tail": the_tail, "most-recently-used": most_recently_used, "first-in-first-out": first_in_first_out,
    "largest-first": largest_first, "knows-the-pages": knows_the_pages,
}  # fmt: skip
