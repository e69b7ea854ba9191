"""Where an interrupted operation's inner order was not recorded: one is looked for that explains what was."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator

from .findings import Problem
from .read import Recording, Row
from .replay import Replay

_STEPS_TRIED = 6  # how far an interrupted operation is let go on, when that explains a problem
_MOST_SUSPECTS = 8  # interruptions that are tried for one problem
_IN_VAIN = 3  # problems for which all tries were in vain: then no more are made


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
    """A replay that has run, or a better one: with choices that explain problems of this one.

    A problem that nothing explains stays, and the next one is looked at, until a few have been in vain.
    """
    if replay.recording.parameters.get("cpus", 1) > 1:
        return replay
    known: set[tuple[int, str]] = set()
    in_vain = 0
    while in_vain < _IN_VAIN and (suspected := _suspected(replay, known)):
        suspects, position = suspected
        better = next(filter(None, (_retry(replay, key, position, known) for key in suspects)), None)
        if better:
            replay = better
        else:
            in_vain += 1
            known |= {_name(one) for one, at in _problems(replay) if at == position}
    return replay


def _suspected(replay: Replay, known: set[tuple[int, str]]) -> tuple[list[tuple[int, int]], int] | None:
    """What may explain the first problem that anything may, and where it showed; those before it are known then."""
    for problem, at in _problems(replay):
        if _name(problem) not in known:
            if suspects := _suspects(replay, problem[0], at):
                return suspects, at
            known.add(_name(problem))
    return None


def _problems(replay: Replay) -> Iterator[tuple[Problem, int]]:
    """Each problem, and where it showed."""
    return zip(replay.findings.problems, replay.findings.found_at, strict=True)


def _name(problem: Problem) -> tuple[int, str]:
    row, what, *_ = problem
    return row.line, what


def _first(replay: Replay, known: Container[tuple[int, str]]) -> tuple[Row, int] | None:
    """The row of the first problem that is not known yet, and where it showed."""
    return next(((one[0], at) for one, at in _problems(replay) if _name(one) not in known), None)


def _suspects(replay: Replay, row: Row, position: int) -> list[tuple[int, int]]:
    """When an interrupted operation may have gone on: (position, line of its row).

    At the beginning of an interruption during which the problem's row ran, up to where it showed, and just before
    that row; the last interruptions, the last one first.
    """
    during = [one for one in reversed(replay.drive.interrupted) if one.at <= position and one.until >= row.seq]
    moments = [(one.at, one.row.line) for one in during[:_MOST_SUSPECTS]]
    moments += [(row.seq, one.row.line) for one in during[:_MOST_SUSPECTS] if one.at < row.seq]
    return [moment for moment in moments if moment not in replay.choices]


def _retry(replay: Replay, key: tuple[int, int], position: int, known: Container[tuple[int, str]]) -> Replay | None:
    """A replay in which the interrupted operation went on further, if its first problem comes later and it has fewer.

    A choice that only moves a problem to a later row explains nothing.
    """
    most = len(replay.findings.problems)
    for steps in range(1, _STEPS_TRIED + 1):
        trial = Replay(replay.recording, replay.stage, {**replay.choices, key: steps}).run(position, known)
        first = _first(trial, known)
        if (first is None or first[1] > position) and len(trial.findings.problems) < most:
            return trial
    return None
