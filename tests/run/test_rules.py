"""Functions of one's own are checked, and refused with words that help."""

from __future__ import annotations

from typing import Any

import pytest

from zswaplab.model.errors import BadInput
from zswaplab.model.machine import Machine
from zswaplab.model.stages import STAGES
from zswaplab.model.steps import UNLOCKED
from zswaplab.model.zswap import Zswap
from zswaplab.run.history import record
from zswaplab.run.rules import OWNERS, altered, functions_of, replaced
from zswaplab.run.setup import Setup
from zswaplab.run.stand_ins import STAND_INS, named, stand_in


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


# Of every part of the machine

OUT = ["write 3", "page_out 3"]


def at_once(self: Any, offset: int) -> Any:
    self.in_use.discard(offset)
    yield from self.leave(offset)


def always_dirty(self: Any, page: int) -> Any:
    self.frames[page].dirty = True
    yield from Machine.pageout(self, page)


def first_object_only(self: Any, evict: Any) -> Any:
    page = self.isolate_page()
    failed = yield from evict(page.first)
    self.put_back(page)
    return failed


@pytest.mark.parametrize(
    ("functions", "workload", "came", "else_"),
    [  # (stores, pages stored at the end) with the function, and without
        ({"free_slot": at_once}, [*OUT, "free 3"], (1, 0), (1, 1)),
        ({"pageout": always_dirty}, [*OUT, "read 3", "page_out 3"], (2, 1), (1, 1)),
        ({"Zbud.shrink": first_object_only}, [*OUT, "write 4", "page_out 4", "worker"], (2, 1), (2, 0)),
    ],
)
def test_a_function_takes_the_place_of_whichever_part_has_it(
    functions: Any, workload: Any, came: tuple[int, int], else_: tuple[int, int]
) -> None:
    for setup, expected in ((Setup("1", workload=workload, functions=functions), came),
                            (Setup("1", workload=workload), else_)):  # fmt: skip
        history = record(setup)
        assert (history.count("store"), history.at(-1).counters["stored_pages"]) == expected


@pytest.mark.parametrize("functions", [{"free_slot": at_once}, {"Zbud.shrink": first_object_only}])
def test_its_source_is_shown_where_it_runs(functions: Any) -> None:
    history = record(Setup("1", workload=[*OUT, "worker", *OUT, "free 3"], functions=functions))
    shown = {source["function"]: source["lines"] for source in history.sources}
    (name, function), = functions.items()
    assert function.__name__ in shown, name
    assert "leave" in "".join(shown["at_once"]) if "free_slot" in functions else shown["first_object_only"]


def test_a_machine_whose_functions_are_replaced_is_not_one_that_can_be_made_again() -> None:
    for name, function in {"free_slot": at_once, "pageout": always_dirty, "Zbud.shrink": first_object_only}.items():
        assert Setup.of(Setup(functions={name: function}).machine()) is None
    assert Setup.of(Machine()) is not None


@pytest.mark.parametrize(
    ("functions", "told"),
    [
        ({"fre_slot": at_once}, r"the machine has no such function; it has .*free_slot.*pageout"),
        ({"Swap.load": at_once}, r"no such function; it has .*frontswap_load"),
        ({"Zsmalloc.shrink": first_object_only}, r"part of the machine='Zsmalloc' is not known.*'Zbud'"),
        ({"can_accept": at_once}, "gives no steps"),
        ({"__init__": no_steps}, "no such function"),
    ],
)
def test_what_cannot_take_a_place_is_refused(functions: Any, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        Setup(functions=functions)


def test_a_backend_that_is_made_while_it_runs_would_lose_the_function() -> None:
    with pytest.raises(BadInput, match="makes a new backend"):
        Setup("1", functions={"Zbud.shrink": first_object_only}, changes=[(3, "zpool", "zsmalloc")])
    assert Setup("1", functions={"free_slot": at_once}, changes=[(3, "zpool", "zsmalloc")])


def test_one_name_can_stand_for_several_functions() -> None:
    stand_in("a test", "free_slot")(lambda: at_once)
    stand_in("a test", "Zbud.shrink")(lambda: first_object_only)
    try:
        setup = Setup("1", workload="revisit 3 1", functions={"free_slot": "a test", "Zbud.shrink": "a test"})
        assert Setup.from_text(setup.to_text()) == setup
        with pytest.raises(BadInput, match="takes the place of free_slot"):
            Setup(functions={"load_end": "a test"})
    finally:
        del STAND_INS["a test"]
        named.cache_clear()


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_an_alteration_without_a_stage_fits_every_stage(stage: str) -> None:
    plain = Setup(stage, ram_pages=30, workload="revisit 8 4", zpool="zsmalloc")
    same = {name: altered(name, None) for name in ("store", "load_end", "pageout", "leave", "Zsmalloc.malloc")}
    assert record(plain).first_difference(record(plain.but(functions=same))) is None


def test_every_part_has_functions_and_none_that_is_private() -> None:
    for owner in OWNERS.values():
        assert functions_of(owner) and not [name for name in functions_of(owner) if name.startswith("_")]


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
