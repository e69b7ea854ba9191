"""Every misconception is a model: in its situation the kernel and it give what the course says, computed by both."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zswaplab.model.errors import BadInput
from zswaplab.model.stages import STAGES
from zswaplab.run.history import record
from zswaplab.run.setup import Setup
from zswaplab.teach.misconceptions import ALSO, MISCONCEPTIONS, TABLE, Misconception
from zswaplab.teach.outcome import FAULTS, NEVER, Outcome, along

DISK, ZSWAP = "on the swap device", "in zswap"
COURSE: dict[str, tuple[Any, Any]] = {  # the course's table, row by row: what the kernel gives, what the wrong rule
    "loads-move-nothing": ((0, 1), (1, 0)),
    "resident-reads-count": ((1, 0), (0, 1)),
    "page-out-stores": (1, 2),
    "loads-take": (1, 0),
    "stores-make-room": (9, 5),
    "not-full-is-open": (DISK, ZSWAP),
    "limit-counts-bytes": (DISK, ZSWAP),
    "zbud-evicts-one": ((0, 1), (0,)),
    "clean-copy-stays": (1, 0),
    "freed-at-once": (1, 0),
    "lru-holds-reference": (1, 2),
    "lock-spans-load": (FAULTS, NEVER),
    "full-at-the-limit": (ZSWAP, DISK),
    "zeros-always-fit": (DISK, ZSWAP),
    "failure-to-the-tail": ((0, 1), (1, 0)),
    "exclusive-leaves-clean": (2, 1),
}
BESIDES: dict[str, tuple[Any, Any]] = {
    "newest-first": ((0,), (1,)),
    "largest-first": ((1,), (0,)),
    "backend-decides": ((0,), (0, 1)),
    "zswap-decides": ((0, 1), (0,)),
    "put-frees": (1, 0),
    "patch-1-dormant": (FAULTS, NEVER),
    "slots-wait": (0, 1),
    "one-object-a-page": (1, 2),
    "lowest-page": (5, 0),
    "oldest-of-list": (10, 6),
    "any-lock-order": (FAULTS, NEVER),
    "taken-is-owned": (NEVER, FAULTS),
    "free-takes-all": (("load", 14), ("load", 11)),
    "met-in-the-swap-cache": (FAULTS, NEVER),
    "never-met": (NEVER, FAULTS),
    "loads-leave": (0, 1),
    "writeback-tidied": (NEVER, FAULTS),
    "held-is-safe": (FAULTS, NEVER),
    "header-stays": (1, 2),
    "swapoff-waits-for-all": (FAULTS, NEVER),
    "swapoff-waits-for-nobody": (NEVER, FAULTS),
    "zeros-are-not-read": (1, 0),
}
ALL = list(MISCONCEPTIONS.values())


def test_every_row_of_the_course_is_here_in_its_order() -> None:
    assert [wrong.id for wrong in TABLE] == list(COURSE)
    assert [wrong.id for wrong in ALSO] == list(BESIDES)
    assert len(MISCONCEPTIONS) == 16 + len(BESIDES)


@pytest.mark.parametrize("wrong", ALL, ids=lambda wrong: wrong.id)
def test_both_models_give_what_the_course_says(wrong: Misconception) -> None:
    kernel, mine = Outcome(wrong.situation), Outcome(wrong.applied(wrong.situation))
    assert (kernel.answer(wrong.asks), mine.answer(wrong.asks)) == (COURSE | BESIDES)[wrong.id]
    assert kernel.history.first_difference(mine.history) is not None


def test_on_a_small_device_a_freed_slot_s_entry_does_go_at_once() -> None:
    wrong = MISCONCEPTIONS["freed-at-once"]
    small = wrong.situation.but(swap_pages=64)
    assert Outcome(small).answer(wrong.asks) == Outcome(wrong.applied(small)).answer(wrong.asks) == 0


def test_who_waits_for_the_threshold_is_refused_and_counted_nowhere() -> None:
    history = Outcome(MISCONCEPTIONS["not-full-is-open"].situation).history
    reasons = [moment.reason for moment in history if moment.event == "refuse"]
    assert reasons == ["limit", "limit", "threshold"]
    assert history.at(-1).counters["pool_limit_hit"] == 2


def test_the_race_is_the_one_that_is_known_and_a_lock_kept_would_keep_it_away() -> None:
    wrong = MISCONCEPTIONS["lock-spans-load"]
    explored = Outcome(wrong.situation).explored
    assert (explored.schedule, explored.states, explored.failures[0].kind) == ("a7b3a3", 59, "UseAfterFree")
    assert Outcome(wrong.applied(wrong.situation)).explored.schedules, "searched to the end"


def test_reads_of_resident_pages_part_at_such_a_read_and_not_before() -> None:
    wrong = MISCONCEPTIONS["resident-reads-count"]
    kernel, mine = Outcome(wrong.situation).history, Outcome(wrong.applied(wrong.situation)).history
    parted = kernel.first_difference(mine)
    assert parted is not None and kernel[parted].operation == len(kernel.operations) - 1


def test_what_cannot_follow_a_schedule_follows_it_as_far_as_it_can() -> None:
    wrong = MISCONCEPTIONS["lock-spans-load"]
    kernel = Outcome(wrong.situation).history
    mine = record(along(wrong.applied(wrong.situation), "a7b3a3"))
    assert mine.fault is None and kernel.fault is not None
    parted = kernel.first_difference(mine)
    assert parted is not None and kernel[parted - 1].cpu == 0 and kernel[parted].cpu == 0
    assert along(wrong.situation, "a7b3a3").schedule == "a7b3a3"


@pytest.mark.parametrize("wrong", ALL, ids=lambda wrong: wrong.id)
def test_it_is_a_setup_that_can_be_written_down(wrong: Misconception) -> None:
    applied = wrong.applied(wrong.situation)
    assert Setup.from_json(applied.to_json()) == applied
    assert Setup.from_text(applied.to_text(), applied.lines()) == applied
    assert (applied == wrong.situation) is False


@pytest.mark.parametrize("wrong", ALL, ids=lambda wrong: wrong.id)
def test_its_situation_is_the_smallest(wrong: Misconception) -> None:
    """Without any one of its operations nobody could tell."""
    lines = wrong.situation.lines()
    for number, line in enumerate(lines):
        if line.startswith("write"):
            continue  # without it the page-out has no page
        fewer = wrong.situation.but(workload=lines[:number] + lines[number + 1 :])
        try:
            answers = [Outcome(setup).answer(wrong.asks) for setup in (fewer, wrong.applied(fewer))]
        except BadInput:
            continue
        assert answers[0] == answers[1], f"without {line!r} both still part: {answers}"


@pytest.mark.parametrize("wrong", ALL, ids=lambda wrong: wrong.id)
def test_it_is_said_in_plain_sentences(wrong: Misconception) -> None:
    for text in (wrong.rule, wrong.right):
        assert text[0].isupper() or text.startswith(("zbud", "zswap")), text
        assert text.endswith(".") and len(text) < 130
    assert str(wrong) == f"<misconception {wrong.id}: {wrong.rule}>"


PAGES = st.integers(0, 5)
LINES = st.one_of(
    st.builds("page_out {}".format, PAGES), st.builds("read {}".format, PAGES), st.builds("write {}".format, PAGES),
    st.just("worker"),
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("wrong", ALL, ids=lambda wrong: wrong.id)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(STAGES)), st.sampled_from(["zbud", "z3fold", "zsmalloc"]), st.lists(LINES, max_size=30))
def test_it_runs_on_any_workload_of_any_stage(wrong: Misconception, stage: str, zpool: str, lines: list[str]) -> None:
    workload = [line for page in range(6) for line in (f"write {page}", f"page_out {page}")] + lines
    setup = Setup(stage, zpool, compressor="lengths", ram_pages=15, workload=workload)
    history = record(wrong.applied(setup))
    assert history.fault is None or wrong.id in ("exclusive-leaves-clean", "put-frees"), history.fault
