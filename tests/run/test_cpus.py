"""Several CPUs: schedules replay exactly, locks block, and what cannot be is said."""

from __future__ import annotations

from typing import Any

import pytest

from tests.run.kit import finish, follow
from zswaplab.model.errors import BadInput, Fault
from zswaplab.model.machine import Machine
from zswaplab.run.cpus import Cpus, Deadlock, packed, unpacked
from zswaplab.run.history import record
from zswaplab.run.lockdep import Lockdep
from zswaplab.run.rules import altered
from zswaplab.run.search import Case, explore
from zswaplab.run.state import Checkpoint, Namer

OPERATIONS = ["read 3", "write 3 9; page_out 3", "free 4", "page_out 5; worker"]


def machine(stage: str = "2", **options: Any) -> Machine:
    m = Machine(stage, **{"swap_pages": 64, **options})
    for page in (3, 4, 5):
        m.write(page)
    for page in (3, 4):
        m.page_out(page)
    return m


def outcome(m: Machine) -> Any:
    return dict(m.zswap.counters), sorted(m.frames), dict(m.slots), [entry.offset for entry in m.zswap.pool.lru]


# -- schedules -------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [[], [0], [0, 0, 1], [1, 0, 1, 1, 1, 2] + [0] * 12])
def test_a_schedule_is_a_short_text_and_back(steps: list[int]) -> None:
    assert unpacked(packed(steps), 3) == steps


def test_a_schedule_reads_as_it_is_pasted() -> None:
    assert unpacked(" A2 b3\na ", 2) == [0, 0, 1, 1, 1, 0]
    assert packed([0] * 5 + [1] * 3 + [0]) == "a5b3a"


@pytest.mark.parametrize("device", ["ordinary", "synchronous"])
@pytest.mark.parametrize("stage", ["base", "2", "v6.5"])
@pytest.mark.parametrize("seed", range(6))
def test_a_schedule_replays_exactly_observed_or_not(stage: str, device: str, seed: int) -> None:
    def played(schedule: str | None, observed: bool) -> tuple[str, Any, str]:
        m = machine(stage, device=device)
        if observed:
            m.hook.observer = lambda *event: None
        cpus, fault = Cpus(m, OPERATIONS), ""
        try:
            if schedule is None:
                finish(cpus, seed)
            else:
                follow(cpus, schedule)
        except Fault as problem:
            fault = str(problem)
        return packed(cpus.taken), outcome(m), fault

    chance = played(None, observed=False)
    assert played(chance[0], observed=False) == chance
    assert played(chance[0], observed=True) == chance


def test_seeds_differ() -> None:
    runs = set()
    for seed in range(5):
        cpus = Cpus(machine(), OPERATIONS)
        finish(cpus, seed)
        runs.add(packed(cpus.taken))
    assert len(runs) > 1


REFUSED = {
    "empty": (["read 3"], "a2b", "there are 1: a"),
    "no letters": (["read 3"], "12", "write letters of CPUs"),
    "blocked": (["read 3", "read 3"], "a4b3", "CPU b is blocked on the folio lock, which CPU a has; ready: a"),
    "finished": (["free 4", "read 3"], "a7", "CPU a has finished"),
    "short": (["read 3"], "a3", "is too short: after 3 steps there is left CPU a in 'read 3'"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_schedule_that_cannot_be_followed_says_how_far_it_got(name: str) -> None:
    operations, schedule, told = REFUSED[name]
    with pytest.raises(BadInput) as refused:
        record(machine(), cpus=operations, schedule=schedule)
    assert told in str(refused.value)


def test_a_refused_schedule_names_the_steps_it_has_taken() -> None:
    with pytest.raises(BadInput, match=r"cannot go on after 6 steps \(a4b2\)"):
        record(machine(), cpus=["read 3", "read 3"], schedule="a4b3a")


@pytest.mark.parametrize("schedule", [[0, 0, 1], 3, None, b"a3"])
def test_a_schedule_that_is_no_text_is_refused(schedule: Any) -> None:
    with pytest.raises(BadInput, match="give it as a text, like 'a5b3a'"):
        unpacked(schedule, 2)


@pytest.mark.parametrize("schedule", ["a999999999999", "a9999999", "a900000b900000"])
def test_a_schedule_longer_than_any_run_is_refused_before_it_is_made(schedule: str) -> None:
    with pytest.raises(BadInput, match="give at most 1,000,000 steps"):
        unpacked(schedule, 2)


@pytest.mark.parametrize(
    "cpus", ["read 3", [], [""], ["fly 3"], ["read"], [[]], ["read 77"], ["read 3; free 99"], ["page_out 77"], [3], 3,
             [["read 3", 3]], None],
)  # fmt: skip
def test_cpus_that_cannot_be_are_refused(cpus: Any) -> None:
    with pytest.raises(BadInput):
        Cpus(machine(), cpus)


def test_a_page_may_be_written_by_another_cpu_first() -> None:
    finish(Cpus(machine(), ["write 77", "read 77"]))


# -- locks -----------------------------------------------------------------------------------------


def test_a_second_fault_on_a_slot_waits_for_the_first_ones_read() -> None:
    m = machine()
    cpus = Cpus(m, ["read 3", "read 3"])
    follow(cpus, "a4b2")
    lock = cpus.waits(1)
    assert lock is not None and lock.name == "folio lock" and lock.holder == 0
    assert "CPU b 'read 3': blocked on the folio lock" in repr(cpus)
    finish(cpus)
    assert m.zswap.counters.stored_pages == 2


def test_a_synchronous_device_lets_two_faults_read_at_once() -> None:
    m = machine(device="synchronous")
    cpus = Cpus(m, ["read 3", "read 3"])
    follow(cpus, "a5b5")
    entry = m.zswap.trees[0].entries[1]
    assert entry.refcount == 3


def test_the_worker_never_runs_twice_at_once() -> None:
    cpus = Cpus(machine(), ["worker", "worker"])
    follow(cpus, "a4b")
    lock = cpus.waits(1)
    assert lock is not None and lock.name == "workqueue"


def backwards(stage: str) -> Any:
    """A load that takes the two locks the other way round."""
    return altered("load", stage, (
        "    yield tree.lock.acquire\n    yield from self.load_end(tree, entry, frame)\n    yield tree.lock.release",
        "    yield entry.pool.lru_lock.acquire\n    yield tree.lock.acquire\n    entry.refcount -= 1\n"
        "    yield tree.lock.release\n    yield entry.pool.lru_lock.release",
    ))  # fmt: skip


def test_a_deadlock_is_reported_as_one_with_who_waits_for_whom() -> None:
    case = Case(("read 3", "page_out 4"), {"stage": "2"}, functions={"load": backwards("2")})
    found = {failure.kind: failure for failure in explore(case, every=True).failures}
    assert set(found) == {"CircularLocking", "Deadlock"}
    told = str(found["Deadlock"].fault)
    assert "CPU a (read 3) waits for the tree lock, which CPU b has" in told
    assert "CPU b (page out 4) waits for the lru_lock, which CPU a has" in told
    cpus = case.session().cpus
    follow(cpus, packed(found["Deadlock"].schedule))
    problem = cpus.deadlock()
    assert isinstance(problem, Deadlock) and str(problem) == told
    assert [(wait.cpu, wait.lock, wait.holder, wait.finished) for wait in problem.waits] == [
        (0, "tree lock", 1, False), (1, "lru_lock", 0, False)
    ]  # fmt: skip


def test_lockdep_needs_no_deadlock() -> None:
    lockdep = Lockdep()
    assert lockdep.acquire(["tree lock"], "lru_lock", "a store", ["store"]) is None
    assert lockdep.acquire(["lru_lock"], "zspage lock", "a worker", ["map"]) is None
    told = str(lockdep.acquire(["zspage lock"], "tree lock", "a load", ["load"]))
    assert "possible circular locking dependency" in told
    for part in ("a load is trying to acquire lock: tree lock", "already holding lock: zspage lock", "store", "map"):
        assert part in told


# -- the state, put back and named ------------------------------------------------------------------


@pytest.mark.parametrize("stage", ["base", "rfc2-1", "2", "v6.5"])
@pytest.mark.parametrize("seed", range(4))
def test_a_checkpoint_puts_everything_back(stage: str, seed: int) -> None:
    m = machine(stage)
    cpus, namer = Cpus(m, OPERATIONS), Namer()
    checkpoint, name, before = Checkpoint(m), namer.name(cpus), outcome(m)
    ends = []
    for _ in range(2):
        finish(cpus, seed)
        ends.append((namer.name(cpus), outcome(m)))
        checkpoint.restore()
        cpus.begin()
        assert (namer.name(cpus), outcome(m)) == (name, before)
    assert ends[0] == ends[1] and ends[0][0] != name
    m.check()


def test_which_object_it_is_makes_no_difference_to_a_name() -> None:
    names = set()
    for waste in range(3):
        m = machine()
        kept = [object() for _ in range(waste * 1000)]
        names.add(Namer().name(Cpus(m, ["read 3"])))
        del kept
    assert len(names) == 1


def test_every_field_that_decides_changes_the_name() -> None:
    namer = Namer()

    def changed(change: Any) -> Any:
        m = machine()
        change(m)
        return namer.name(Cpus(m, ["read 3"]))

    def entry(m: Machine) -> Any:
        return m.zswap.trees[0].entries[1]

    changes = [
        lambda m: None,
        lambda m: setattr(entry(m), "refcount", 2),
        lambda m: setattr(entry(m), "length", 9),
        lambda m: m.zswap.pool.lru.move(entry(m)),
        lambda m: m.zswap.pool.lru.delete(entry(m)),
        lambda m: setattr(m.zswap.trees[0].lock, "holder", 1),
        lambda m: setattr(m.zswap.pool, "work_pending", True),
        lambda m: setattr(m.zswap, "reached_full", True),
        lambda m: setattr(m.zswap.counters, "pool_total_size", 0),
        lambda m: m.swap.bitmap.discard(1),
        lambda m: m.swap.disk.update({1: bytes(4096)}),
        lambda m: setattr(m.frames[5], "dirty", not m.frames[5].dirty),
        lambda m: setattr(m.frames[5], "data", bytes(4096)),
        lambda m: setattr(entry(m).handle, "data", b""),
    ]
    assert len({changed(change) for change in changes}) == len(changes)
