"""Where an interrupted operation's inner order was not recorded: one is looked for that explains what was."""

from __future__ import annotations

from collections.abc import Callable

from .read import Recording
from .replay import Replay

_STEPS_TRIED = 6  # how far an interrupted operation is let go on, when that explains a problem


def replay_in_order(
    recording: Recording, stage: str | None = None, progress: Callable[[int, int], None] | None = None
) -> Replay:
    """Replay a recording; where an interrupted operation's inner order was not recorded, find one that explains it.

    With several CPUs this is done as it goes on, see `cpus`.
    An operation that another thread interrupts is taken to have done, before that, only what was seen. If
    that leads to a problem, it is let go on by a few steps first; such a choice stands for all later rows.
    """
    return explain(Replay(recording, stage).run(progress=progress))


def explain(replay: Replay) -> Replay:
    """A replay that has run, or a better one: with choices that explain problems of this one."""
    if replay.recording.parameters.get("cpus", 1) > 1:
        return replay
    while replay.findings.problems:
        better = next(filter(None, (_retry(replay, key) for key in _suspects(replay))), None)
        if better is None:
            break
        replay = better
    return replay


def _first_position(replay: Replay) -> int:
    last = replay.recording.rows[-1]
    return min((row.seq for row, *_ in replay.findings.problems), default=last.seq_end + 1)


def _suspects(replay: Replay) -> list[tuple[int, int]]:
    """Interruptions of the operations in which the first problem lies, the last one first."""
    position = _first_position(replay)
    return [
        (row.line, number)
        for row, number in reversed(replay.drive.interrupted)
        if row.seq <= position <= row.seq_end and (row.line, number) not in replay.choices
    ]


def _retry(replay: Replay, key: tuple[int, int]) -> Replay | None:
    """A replay in which the interrupted operation went on further, if its first problem comes later."""
    position = _first_position(replay)
    for steps in range(1, _STEPS_TRIED + 1):
        trial = Replay(replay.recording, replay.stage, {**replay.choices, key: steps}).run(stop_at=position)
        if _first_position(trial) > position:
            return trial
    return None
