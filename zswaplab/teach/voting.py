"""`Vote`: a class votes on a prediction in two rounds, and talks in pairs between them. No widget is needed here.

Students answer the same prediction, with the class's seed, and hand over the line that *copy my line* gives; hands can
be counted instead. Nothing of the votes is told before a round is closed, and nothing is kept but how many there were.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from time import time

from ..model.errors import BadInput, choose, require
from .prediction import Prediction
from .questions import bank

SECONDS = 40
ROUNDS = 2
PAIRS = (35, 70)  # percent right between which talking in pairs helps
FIVE = ("00.1", "01.2", "02.2", "03.1", "05.3")  # worth a vote: each early in its notebook, and read in a few seconds
LINE = re.compile(r"""(\d\d\.\d+) seed (\d+): ([^"',;\t]+)""")
TIME = re.compile(r"\b(\d{1,2}):(\d\d):(\d\d)\b(?:\s*([AP]M))?", re.IGNORECASE)
ADVICE = {
    "few": "Few are right. Let the run be looked at once more, or explain, and vote again.",
    "some": "Worth talking about: two minutes in pairs, each with somebody who voted otherwise. Then vote again.",
    "most": "Most agree. One of them says why in a sentence; go on.",
}


@dataclass
class Round:
    """One round: how many voted for what (by its label), how many lines came too late, or were not of this vote."""

    ends: float
    votes: Counter[str] = field(default_factory=Counter)
    late: int = 0
    elsewhere: int = 0
    closed: bool = False


class Vote:
    """A vote of a whole class on one prediction, at most two rounds of it.

    `prediction` is what is asked; `rounds` are those that were begun. `now` gives the time in seconds.

    >>> vote = Vote("01.2", seed=3)
    >>> vote.start()
    >>> vote.close("01.2 seed 3: 1\\n01.2 seed 3: 2\\n01.2 seed 4: 1")
    >>> vote.counts(), vote.rounds[0].elsewhere
    ({'1': 1, '2': 1, 'It faults.': 0, 'It never happens.': 0}, 1)
    >>> vote.advice
    'Worth talking about: two minutes in pairs, each with somebody who voted otherwise. Then vote again.'
    """

    def __init__(self, id: str, seed: int = 0, seconds: int = SECONDS, now: Callable[[], float] = time) -> None:
        choose("prediction", id, bank())
        require("seconds", seconds, 5, 3600, "seconds")
        self.prediction = Prediction(bank()[id].draw(seed))
        self.seconds, self.now = seconds, now
        self.rounds: list[Round] = []
        self.told = False

    # -- a round ---------------------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """Whether votes are taken."""
        return bool(self.rounds) and not self.rounds[-1].closed

    @property
    def may_start(self) -> bool:
        """Whether another round can begin."""
        return not self.is_open and not self.told and len(self.rounds) < ROUNDS

    def start(self) -> None:
        """Begin a round. Raises BadInput while one is open, after the last, and once the answer was told."""
        if not self.may_start:
            raise BadInput(f"no round can begin: a vote has {ROUNDS}, one after the other, before the answer is told")
        self.rounds.append(Round(self.now() + self.seconds))

    def close(self, lines: str = "", hands: Mapping[str, int] | None = None) -> None:
        """Close the round with the lines that came in, whatever stands around them, and with hands by option or letter.

        A line with a time after the round's end came too late, and is dropped; so is whatever comes once it is closed.
        Raises BadInput where no round is open, and for hands that cannot be; the round is still open then.
        """
        if not self.is_open:
            raise BadInput("no round is open: what comes now is too late; start() begins a round")
        last = self.rounds[-1]
        raised = {self.label(option): count for option, count in (hands or {}).items()}
        for option, count in raised.items():
            require(f"hands for {option!r}", count, 0, 100_000, "hands")
        for line in lines.splitlines():
            self.take(line, last)
        last.votes.update(raised)
        last.closed = True

    def take(self, line: str, into: Round) -> None:
        """Count one line; whatever else stands in it, a name say, is forgotten."""
        found = LINE.search(line)
        if found is None:
            into.elsewhere += bool(line.strip())
        elif (found[1], int(found[2])) != (self.prediction.id, self.prediction.seed):
            into.elsewhere += 1
        elif is_after(line[: found.start()] + line[found.end() :], into.ends):
            into.late += 1
        else:
            try:
                into.votes[self.label(found[3])] += 1
            except BadInput:
                into.elsewhere += 1

    def label(self, answer: str) -> str:
        """The option that is meant, as it is shown. Raises BadInput where there is none."""
        return Prediction(self.prediction.drawn).answer(answer.strip().removeprefix("line ")).chosen.label

    # -- what came of it -----------------------------------------------------------------------------

    def counts(self, round: int = -1) -> dict[str, int]:
        """Votes by option, others after those of the prediction. Raises BadInput before a round is closed."""
        if not self.rounds or not self.rounds[round].closed:
            raise BadInput("nothing is shown before the vote is closed: close() it first")
        votes = self.rounds[round].votes
        listed = {option.label: votes[option.label] for option in self.prediction.options}
        return {**listed, **{label: count for label, count in sorted(votes.items()) if label not in listed}}

    @property
    def percent(self) -> float | None:
        """How many percent were right in the round that was closed last; None if nobody voted."""
        counts = self.counts()
        shown = Prediction(self.prediction.drawn)
        shown.show()
        return 100 * counts.get(shown.right.label, 0) / sum(counts.values()) if any(counts.values()) else None

    @property
    def advice(self) -> str:
        """What to do now, by how many are right. It does not say which option that is."""
        percent, (few, most) = self.percent, PAIRS
        if percent is None:
            return "Nobody has voted. Let hands be raised, an option after the other."
        if len(self.rounds) == ROUNDS:
            return "Now the answer, and the run."
        return ADVICE["few" if percent < few else "some" if percent <= most else "most"]

    def tell(self) -> str:
        """The right answer and why; no round can begin afterwards. Raises BadInput before a round was closed."""
        self.counts()
        self.told = True
        return self.prediction.show()

    def save(self, file: str | Path) -> Path:
        """Keep the numbers as CSV: question, seed, round, option, votes. There is no name in it, and no time."""
        path = Path(file)
        with path.open("w", encoding="utf-8-sig", newline="") as table:
            writer = csv.writer(table)
            writer.writerow(("question", "seed", "round", "option", "votes"))
            for number in range(sum(one.closed for one in self.rounds)):
                for option, votes in self.counts(number).items():
                    writer.writerow((self.prediction.id, self.prediction.seed, number + 1, option, votes))
        return path

    def __repr__(self) -> str:
        name = f"<vote on {self.prediction.id} seed {self.prediction.seed}"
        closed = [one for one in self.rounds if one.closed]
        if not closed:
            return f"{name}: {'open' if self.is_open else 'not begun'}>"
        counts = self.counts(len(closed) - 1)
        said = ", ".join(f"{option.removesuffix('.')}: {count}" for option, count in counts.items())
        return f"{name}, round {len(closed)}: {said}>"


def is_after(text: str, ends: float) -> bool:
    """Whether a time of the day stands in a text, and is after the end."""
    found = TIME.search(text)
    if found is None:
        return False
    end = datetime.fromtimestamp(ends)
    hour = int(found[1]) % 12 + (12 if found[4].lower() == "pm" else 0) if found[4] else int(found[1])
    return (hour, int(found[2]), int(found[3])) > (end.hour, end.minute, end.second)
