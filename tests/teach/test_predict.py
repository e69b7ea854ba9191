"""A prediction: every option is what its model gives, and what is said of a choice is true of it."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from itertools import permutations
from typing import Any

import pytest

from zswaplab.model.errors import BadInput
from zswaplab.model.source import source
from zswaplab.run.history import History, record
from zswaplab.teach.misconceptions import MISCONCEPTIONS
from zswaplab.teach.outcome import FAULTS, NEVER, Outcome
from zswaplab.teach.predict import predict
from zswaplab.teach.prediction import SAID, Option, Prediction
from zswaplab.teach.questions import applied, bank

pytestmark = pytest.mark.slow

ALL = list(bank())
FEW, MANY = range(1), range(1, 13)  # seeds
SEEDS = [
    pytest.param(id, seeds, id=f"{id}-{name}", marks=[pytest.mark.slow] * (seeds is MANY))
    for id, question in bank().items()
    for name, seeds in (("few", FEW), ("many", MANY)) if question.is_drawn or seeds is FEW
]  # fmt: skip
every_question = pytest.mark.parametrize(("id", "seeds"), SEEDS)


@cache
def offered(id: str, seed: int) -> Prediction:
    """To look at, never to answer."""
    return predict(id, seed)


def fresh(id: str, seed: int) -> Prediction:
    """To answer."""
    return Prediction(offered(id, seed).drawn)


def right_of(asked: Prediction) -> Option:
    return next(option for option in asked.options if option.answer == asked.drawn.answer)


@pytest.mark.slow
@every_question
def test_every_option_is_what_its_model_gives(id: str, seeds: range) -> None:
    for asked in (offered(id, seed) for seed in seeds):
        right = Outcome(asked.setup).answer(asked.drawn.asks)
        without = [option.answer for option in asked.options if not option.models]
        assert right in without and set(without) <= {right, *SAID}
        models = {name: option.answer for option in asked.options for name in option.models}
        for name in bank()[id].models:
            assert Outcome(applied(name, asked.setup)).answer(asked.drawn.asks) == models.get(name, right)
        assert right not in models.values()


@pytest.mark.slow
@every_question
def test_the_models_part_and_no_two_options_are_equal(id: str, seeds: range) -> None:
    question = bank()[id]
    for asked in (offered(id, seed) for seed in seeds):
        for values in ([option.answer for option in asked.options], [option.label for option in asked.options]):
            assert len(set(values)) == len(values)
        computed = {option.answer for option in asked.options if option.models} | {asked.drawn.answer}
        assert len(computed) >= (2 if question.yes_or_no else 3)
        assert question.yes_or_no or any(question.models[0] in option.models for option in asked.options)


@every_question
def test_the_right_answer_and_every_wrong_one(id: str, seeds: range) -> None:
    for seed in seeds:
        for option in offered(id, seed).options:
            choose(fresh(id, seed), option)


def choose(asked: Prediction, option: Option) -> None:
    """Give an answer by its label, and the right one after it."""
    verdict, why = asked.answer(option.label), asked.drawn.question.why
    assert verdict.right is asked.over is (option.answer == asked.drawn.answer)
    line = f"{asked.id} seed {asked.seed}: {option.label.partition(':')[0].removesuffix('.')}"
    assert asked.line == line
    if verdict.right:
        assert why in repr(verdict) and not verdict.wrong and verdict.step is None
        return
    assert repr(verdict).startswith("Not here. ") and "another try" in repr(verdict) and why not in repr(verdict)
    assert {wrong.id for wrong in verdict.wrong} == {one for name in option.models for one in name.split(" + ")}
    for wrong in verdict.wrong:
        assert wrong.rule[:-1] in repr(verdict) and wrong.right in repr(verdict)
    assert (verdict.step is None) is (not option.models)
    assert asked.answer(right_of(asked)).right and asked.over
    assert asked.line == line, "the first is what counts"


@pytest.mark.slow
@pytest.mark.parametrize("id", ALL)
def test_mine_and_the_kernels_can_be_played_and_part_where_it_says(id: str) -> None:
    for option in offered(id, 1).options:
        if not option.models:
            continue
        verdict = fresh(id, 1).answer(option)
        assert isinstance(verdict.kernel, History) and isinstance(verdict.mine, History) and verdict.step is not None
        pairs = list(zip(verdict.kernel.moments, verdict.mine.moments, strict=False))
        assert all(kernel.same(mine) for kernel, mine in pairs[: verdict.step])
        assert verdict.step == len(pairs) or not pairs[verdict.step][0].same(pairs[verdict.step][1])
        for history in (verdict.kernel, verdict.mine):
            assert history.setup, "a link can hold it"
            assert record(history.setup).first_difference(history) is None


@pytest.mark.parametrize("seed", [0, 1])
def test_where_only_one_of_two_models_fails_both_take_the_schedule_on_which_it_does(seed: int) -> None:
    asked = fresh("06.2", seed)
    verdict = asked.answer(next(option for option in asked.options if option.models))
    assert verdict.kernel and verdict.mine and verdict.kernel.setup and verdict.mine.setup
    assert (verdict.kernel.fault is None) is (asked.drawn.answer == NEVER)
    assert (verdict.mine.fault is None) is (asked.drawn.answer == FAULTS)
    assert verdict.kernel.setup.schedule and verdict.mine.setup.schedule


# Nothing is given away


@pytest.mark.parametrize("id", ALL)
def test_nothing_is_given_away_before(id: str) -> None:
    asked = fresh(id, 1)
    shown = repr(asked) + repr(asked.options) + repr(asked.candidates) + asked.folded().partition("<details>")[0]
    assert asked.drawn.question.why[:30] not in shown
    assert not any(wrong.rule in shown or wrong.id in shown for wrong in MISCONCEPTIONS.values())
    for secret in ("right", "reasons", "told", "line"):
        with pytest.raises(BadInput, match=r"still open|has not been answered"):
            getattr(asked, secret)
    assert "<details><summary>The answer</summary>" in asked.folded()
    assert "open" not in asked.folded().partition("<details>")[1]


@every_question
def test_the_order_of_the_options_depends_on_them_alone(id: str, seeds: range) -> None:
    for seed in seeds:
        answers = [option.answer for option in offered(id, seed).options]
        assert answers[-2:] == [FAULTS, NEVER]
        numbers = [answer if isinstance(answer, tuple) else (answer,) for answer in answers[:-2]]
        assert numbers == sorted(numbers)


@pytest.mark.slow
def test_the_right_one_has_no_place_of_its_own() -> None:
    places = Counter(
        [option.answer for option in asked.options].index(asked.drawn.answer)
        for asked in (offered(id, seed) for id in ALL for seed in MANY)
    )
    assert len(places) >= 4 and max(places.values()) < 0.6 * places.total()


@pytest.mark.slow
@pytest.mark.parametrize("id", [id for id, question in bank().items() if question.yes_or_no])
def test_yes_and_no_come_equally_often(id: str) -> None:
    seeds = range(20)
    answers = Counter(offered(id, seed).drawn.answer for seed in seeds)
    assert set(answers.values()) == {10}
    assert len({offered(id, seed).drawn.answer for seed in seeds[::2]}) == 2, "the seed itself does not tell"


def test_a_fault_and_nothing_at_all_are_right_somewhere() -> None:
    right = {offered(id, 1).drawn.answer for id in ALL}
    assert {FAULTS, NEVER} <= right


def test_where_the_last_two_are_no_answer_to_what_is_asked_they_have_other_words() -> None:
    asked = predict("06.1", seed=1)
    assert [option.label for option in asked.options][-2:] == ["It faults.", "There is none on it."]
    assert asked.answer("there is none on it").right and asked.line == "06.1 seed 1: There is none on it"
    asked = predict("06.3", seed=1)
    asked.show()
    said = {option.label: reason for option, reason in asked.reasons}
    assert said["At a line of another function."] == "That is not so here."
    assert "At none." in said


# Answering


def test_two_wrong_tries_end_it_and_then_there_is_a_reason_for_every_option() -> None:
    asked = predict("01.2", seed=3)
    assert "another try" in repr(asked.answer(2)) and not asked.over
    last = repr(asked.answer(7))
    assert "No rule that is known here" in last and "What the kernel does: 1. One: the tree's." in last
    assert asked.over and asked.right.label == "1"
    assert [option.label for option, _ in asked.reasons] == ["1", "2", "It faults.", "It never happens.", "7"]
    assert all(reason for _, reason in asked.reasons)
    with pytest.raises(BadInput, match=r"is over: ask again with another seed, predict\('01.2', seed=\.\.\.\)"):
        asked.answer(1)


def test_it_can_just_be_shown_and_then_there_is_no_line_to_copy() -> None:
    asked = predict("01.2")
    assert asked.show().startswith("1. One: the tree's.") and asked.over
    with pytest.raises(BadInput, match="has not been answered"):
        _ = asked.line
    with pytest.raises(BadInput, match="is over"):
        asked.answer(1)


@pytest.mark.parametrize("given", ["b", "B", "b.", 2, "2", " 2 ", [2], "second"])
def test_an_answer_can_be_given_in_many_ways(given: Any) -> None:
    asked = predict("01.2", seed=3)
    assert asked.answer(asked.options[1] if given == "second" else given).chosen.answer == 2


@pytest.mark.parametrize("form", [tuple, list, lambda p: " ".join(map(str, p)), lambda p: ", ".join(map(str, p)),
                                  lambda p: [str(page) for page in p]])  # fmt: skip
def test_an_order_can_be_given_in_many_ways(form: Any) -> None:
    asked = predict("01.1", seed=5)
    assert asked.answer(form(asked.drawn.answer)).right
    asked = predict("01.1", seed=5)
    offered = [option.answer for option in asked.options]
    other = next(order for order in permutations(asked.drawn.answer) if order not in offered)
    assert "No rule that is known here" in repr(asked.answer(form(other)))


def test_it_faults_and_it_never_happens_can_be_typed() -> None:
    for given, option in (("it faults", FAULTS), ("It faults.", FAULTS), ("it never happens", NEVER)):
        assert predict("01.2", seed=3).answer(given).chosen.answer == option


@pytest.mark.parametrize(
    ("id", "given"),
    [("01.2", given) for given in ("", "z", None, True, 1.5, [], [1, 2], {}, "one", "1 2", object())]
    + [("01.1", given) for given in ("", 99, [True], [1, 1], "2 2", [None], "99 98")]
    + [("00.2", given) for given in (77, "77", -1, [0, 2], "page", True)]
    + [("06.3", given) for given in (0, 99, "load", [6, 7], True)]
    + [("00.1", given) for given in (99, "x", [], False)]
    + [("02.2", given) for given in (1, 0, True, "maybe")],
)
def test_what_cannot_be_an_answer_costs_nothing_and_says_how(id: str, given: Any) -> None:
    asked = fresh(id, 3)
    with pytest.raises(BadInput, match=re.escape(f"answer({given!r}) cannot be: give answer(...)")):
        asked.answer(given)
    assert asked.tries == [] and not asked.over


def test_any_entry_can_be_clicked_and_one_that_no_rule_takes_is_told_when_it_was_used() -> None:
    asked = predict("00.2")
    assert [option.label for option in asked.candidates] == [f"page {page}" for page in range(11)]
    verdict = asked.answer(5)
    assert not verdict.right and verdict.wrong == [] and verdict.step is None
    used = re.search(r"Page 5 was last stored or loaded at step (\d+)", repr(verdict))
    assert used and asked.drawn.kernel.history[int(used[1])].fact.page == 5
    read = repr(predict("00.2").answer(1))
    assert re.search(r"Page 1 was last stored or loaded at step (\d+)", read)
    history = asked.drawn.kernel.history
    assert history[asked.step].kind == "kick", "until then all may be shown"
    assert not any(moment.event == "writeback" for moment in history.moments[: asked.step + 1])


def test_any_line_can_be_clicked() -> None:
    asked = predict("06.3", seed=3)
    lines = source("load_end", "rfc2-1", "v1").splitlines()
    assert [option.label for option in asked.candidates] == [
        f"line {number}: {line.strip()}" for number, line in enumerate(lines, start=1)
    ]
    assert "move_to_head" in lines[6] and asked.answer(7).right and asked.line == "06.3 seed 3: line 7"
    other = predict("06.3", seed=3).answer(5)
    assert not other.right and "No rule that is known here" in repr(other)


def test_what_the_question_is_about_is_shown_with_all_that_is_needed() -> None:
    about = predict("04.2", seed=1).about
    assert "Compressed, in bytes:" in about and "write" in about and "slots" in about
    assert "zeros" in predict("03.1").about
    racing = predict("06.2").about
    assert "bypasses the swap cache" in racing and "CPU a: read" in racing and "CPU b: free" in racing


@pytest.mark.parametrize("id", ["06.99", "1.2", "", None, 3, "00"])
def test_a_question_that_is_not_there_is_refused(id: Any) -> None:
    with pytest.raises(BadInput, match=r"prediction=.* is not known; choose one of '00.1'"):
        predict(id)


@pytest.mark.parametrize("seed", [-1, 1.0, "1", None, True])
def test_what_is_no_seed_is_refused(seed: Any) -> None:
    with pytest.raises(BadInput, match="give a whole number, 0 or more"):
        predict("01.1", seed=seed)
