"""A replay's program, run again without an observer, leaves the machine exactly as the replay left it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.trace.altered import QUIET, SHIPPED, load, shared
from tests.trace.whole import otherwise, state_of
from zswaplab.trace.explain import replay_in_order
from zswaplab.trace.program import again, compiled, execute
from zswaplab.trace.read import Recording, read
from zswaplab.trace.replay import Replay
from zswaplab.trace.variants import machine_for

QUICK = (
    "base-zbud-exact", "base-zbud-exactsmall", "p1-zbud-exact", "p2-zbud-exact", "f65-zbud-exact-off",
    "f65-zbud-exact-on", "f65-zbud-exactsmall-off", "x1base-zbud-exact", "v3p4x2-zbud-exact-on",
)  # fmt: skip


def same(folder: Path, *parts: float) -> None:
    recording = read(folder)
    assert otherwise(recording, replay_in_order(recording), *parts) == []


@pytest.mark.slow
def test_the_shipped_run(tmp_path: Path) -> None:
    same(load(SHIPPED, QUIET).write(tmp_path / "run"), 0.8, 1)


@pytest.mark.slow
@pytest.mark.parametrize("run", QUICK)
def test_a_short_run(run: str) -> None:
    same(shared(run), 0.3, 0.6, 0.8, 1)


@pytest.fixture(scope="module")
def evicting(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """The shipped run up to the middle of its first worker run."""
    return read(load(SHIPPED, 9500).write(tmp_path_factory.mktemp("run") / "evicting"))


@pytest.mark.slow
def test_nobody_observes(evicting: Recording) -> None:
    recording, replay = evicting, Replay(evicting).run()
    assert any(name == "pause" for name, _, _ in replay.program), "the worker's writebacks are interrupted"
    machine = machine_for(recording)
    execute(compiled(replay.program, machine), machine)
    assert machine.hook.observer is None
    seen: list[str] = []
    watched = machine_for(recording)
    watched.hook.observer = lambda event, subject, value: seen.append(event)
    again(replay.program, watched)
    assert watched.hook.observer is not None
    assert state_of(watched) == state_of(machine) == state_of(replay.machine)
    assert seen.count("submitted") == machine.zswap.counters.written_back_pages > 0


@pytest.mark.slow
def test_a_program_can_run_more_than_once(evicting: Recording) -> None:
    program = Replay(evicting).run().program
    first, second = (state_of(again(program, machine_for(evicting))) for _ in range(2))
    assert first == second
