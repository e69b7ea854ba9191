"""Functions of one's own are checked, and refused with words that help."""

from __future__ import annotations

from typing import Any

import pytest

from zswaplab.model.errors import BadInput
from zswaplab.model.steps import UNLOCKED
from zswaplab.model.zswap import Zswap
from zswaplab.run.rules import altered, replaced


def forgotten(self: Any, tree: Any, entry: Any, frame: Any) -> Any:
    yield UNLOCKED
    self.entry_put(tree, entry)


def hidden_in_a_for(self: Any, tree: Any, entry: Any, frame: Any) -> Any:
    for _ in range(2):
        yield from self.entry_put(tree, entry)


def half_an_expression(self: Any, tree: Any, entry: Any, frame: Any) -> Any:
    if (yield from self.entry_put(tree, entry)):
        return


def an_iterator(self: Any, tree: Any, entry: Any, frame: Any) -> Any:
    rest = iter(tree.entries)
    yield from self.entry_put(tree, next(rest))


def no_steps(self: Any, tree: Any, entry: Any, frame: Any) -> Any:
    frame.exclusive = True


TOLD = {
    forgotten: "write `yield from self.entry_put(tree, entry)`",
    hidden_in_a_for: "inside `for`",
    half_an_expression: "a line of its own",
    an_iterator: "use `while`",
    no_steps: "it never yields",
}


@pytest.mark.parametrize("function", TOLD, ids=lambda function: function.__name__)
def test_what_would_make_a_search_lie_is_refused_in_words_that_help(function: Any) -> None:
    with pytest.raises(BadInput) as refused:
        replaced(Zswap, {"load_end": function})
    assert TOLD[function] in str(refused.value)


def test_a_function_that_zswap_does_not_have_is_refused() -> None:
    with pytest.raises(BadInput, match=r"no such function; it has .*load_end"):
        replaced(Zswap, {"lode_end": no_steps})


def test_a_function_whose_source_cannot_be_read_is_refused() -> None:
    found: dict[str, Any] = {}
    exec("def f(self, tree, entry, frame):\n    yield", found)
    with pytest.raises(BadInput, match="source cannot be read"):
        replaced(Zswap, {"load_end": found["f"]})


def test_every_function_of_the_model_passes_its_own_rules() -> None:
    for name in ("load", "store", "reclaim_entry", "write_out", "shrink_worker", "load_end", "free_entry"):
        replaced(Zswap, {name: altered(name, "2")})


def test_a_change_that_does_not_fit_is_refused() -> None:
    with pytest.raises(BadInput, match="0 times"):
        altered("load", "2", ("no such line", ""))
