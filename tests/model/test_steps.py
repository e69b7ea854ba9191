"""The rules without which a generator of the model would lie: read from its source, and shown to bite."""

import ast
import functools
import inspect
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import zswaplab.model
from tests.model.kit import SAME_FILLED, cases, differing, kernels, name, on_every_backend, page_of, switches
from zswaplab.model.entry import Entry
from zswaplab.model.errors import BadInput, Fault
from zswaplab.model.machine import Machine
from zswaplab.model.source import OWNERS, diff, kernel_function, resolved, source
from zswaplab.model.stages import make_stage
from zswaplab.model.steps import Kernel, run
from zswaplab.model.steps import kernel as MARK
from zswaplab.model.zswap import Zswap
from zswaplab.run.rules import nodes

MODEL = Path(zswaplab.model.__file__).parent
FILES = sorted(MODEL.rglob("*.py"))
TREES = {path.relative_to(MODEL).as_posix(): ast.parse(path.read_text(encoding="utf-8")) for path in FILES}

Function = ast.FunctionDef | ast.Lambda


def place(file: str, node: ast.AST) -> str:
    return f"{file}:{node.lineno}: {ast.unparse(node)}"  # type: ignore[attr-defined]


def enclosing(above: list[ast.AST]) -> ast.AST | None:
    return next((node for node in above if isinstance(node, Function)), None)


# -- every yield is driven ---------------------------------------------------------------------------


def gives_steps(function: ast.FunctionDef) -> bool:
    return function.returns is not None and ast.unparse(function.returns) == "Kernel"


def step_functions(trees: dict[str, ast.Module]) -> set[str]:
    """The names by which functions that give steps are called: methods, and callbacks given to a backend."""
    found = set()
    for tree in trees.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and gives_steps(node):
                found.add(node.name)
            if isinstance(node, ast.arg) and node.annotation and ast.unparse(node.annotation) == "Evict":
                found.add(node.arg)
    return found


STEP_FUNCTIONS = step_functions(TREES)


def undriven(file: str, tree: ast.Module, names: set[str]) -> list[str]:
    """The calls of step functions whose steps go nowhere."""
    return [
        place(file, node)
        for node, above in nodes(tree)
        if isinstance(node, ast.Call) and called(node) in names and not is_driven(node, above)
    ]


def called(call: ast.Call) -> str | None:
    """The name of what is called; not where it is a plain operation of a list."""
    target = call.func
    if isinstance(target, ast.Attribute) and ast.unparse(target.value).endswith(".lru"):
        return None
    return target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", None)


def is_driven(call: ast.Call, above: list[ast.AST]) -> bool:
    """Whether the call stands under `yield from`, in `run(...)`, in a lambda handed to a backend, or is
    returned to a driver by a plain function that gives steps."""
    parent, function = above[0], enclosing(above)
    if isinstance(parent, ast.YieldFrom):
        return True
    if isinstance(parent, ast.Lambda):
        return isinstance(above[1], ast.Call) and called(above[1]) == "shrink"
    if isinstance(parent, ast.Call):
        return called(parent) == "run" and call in parent.args
    if isinstance(parent, ast.Return) and isinstance(function, ast.FunctionDef):
        return gives_steps(function) and not is_generator(function)
    return False


def is_generator(function: ast.AST) -> bool:
    return any(
        isinstance(node, (ast.Yield, ast.YieldFrom)) and enclosing([*above, function]) is function
        for node, above in nodes(function)
    )


@pytest.mark.parametrize("file", TREES)
def test_every_call_that_gives_steps_is_driven(file: str) -> None:
    assert undriven(file, TREES[file], STEP_FUNCTIONS) == []


def test_the_names_of_step_functions_are_theirs_alone() -> None:
    plain = {
        node.name
        for file, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and not gives_steps(node) and file != "lru.py"
    }
    assert STEP_FUNCTIONS & plain == set(), "else a call of the plain one would look undriven"
    assert {"load", "entry_put", "shrink", "evict", "write_fault"} <= STEP_FUNCTIONS


def test_every_generator_of_the_model_says_that_it_gives_steps() -> None:
    silent = [
        place(file, node).splitlines()[0]
        for file, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and is_generator(node) and not gives_steps(node)
    ]
    iterators = [line for line in silent if "def __iter__" in line]
    assert silent == iterators


@pytest.mark.parametrize(
    "forgotten",
    [
        "self.entry_put(tree)",
        "result = self.entry_put(tree)",
        "yield self.entry_put(tree)",
        "return self.entry_put(tree)",
        "if self.entry_put(tree): pass",
        "list(self.entry_put(tree))",
    ],
)
def test_a_forgotten_yield_from_is_found(forgotten: str) -> None:
    planted = ast.parse(f"def load(self) -> Kernel:\n    yield LOCK\n    {forgotten}")
    assert len(undriven("planted", planted, {"entry_put"})) == 1


# -- nothing lives across a yield but the model's data and locals ------------------------------------


def hidden_state(file: str, tree: ast.Module) -> list[str]:
    """Yields at which something is in neither: the place in a `for`, a `with`, an exception being handled, or
    the rest of an expression."""
    found = []
    for node, above in nodes(tree):
        function = enclosing(above)
        if not isinstance(node, (ast.Yield, ast.YieldFrom)) or not isinstance(function, ast.FunctionDef):
            continue
        if not gives_steps(function):
            continue
        within = above[: above.index(function)]
        holding = [n for n in within if isinstance(n, (ast.For, ast.With, ast.ExceptHandler))]
        if holding or not stands_alone(above[0]):
            found.append(place(file, node))
    return found


def stands_alone(statement: ast.AST) -> bool:
    """`yield x`, `name = yield x`, `return (yield x)`: nothing else is half evaluated."""
    if isinstance(statement, ast.Assign):
        return all(isinstance(target, ast.Name) for target in statement.targets)
    return isinstance(statement, (ast.Expr, ast.Return))


@pytest.mark.parametrize("file", TREES)
def test_nothing_hidden_lives_across_a_yield(file: str) -> None:
    assert hidden_state(file, TREES[file]) == []


@pytest.mark.parametrize(
    "hiding",
    [
        "for entry in entries:\n        yield STEP",
        "for entry in entries:\n        while entry:\n            yield from f()",
        "with lock:\n        yield STEP",
        "x = self.count + (yield from f())",
        "g(self.count, (yield STEP))",
        "self.count, y = yield from f()",
        "if (yield from f()):\n        pass",
        "try:\n        pass\n    except Fault:\n        yield STEP",
    ],
)
def test_hidden_state_is_found(hiding: str) -> None:
    planted = ast.parse(f"def load(self) -> Kernel:\n    {hiding}")
    assert len(hidden_state("planted", planted)) == 1


@pytest.mark.parametrize("iterator", ["iter", "enumerate", "zip", "map", "filter", "reversed", "next"])
def test_no_generator_of_the_model_keeps_an_iterator(iterator: str) -> None:
    kept = [
        place(file, node)
        for file, tree in TREES.items()
        for node, above in nodes(tree)
        if isinstance(node, ast.Call) and called(node) == iterator
        if isinstance(function := enclosing(above), ast.FunctionDef) and is_generator(function)
        if gives_steps(function)
    ]
    assert kept == []


# -- the model stands alone --------------------------------------------------------------------------


def foreign_imports(file: str, tree: ast.Module) -> list[str]:
    """Imports that are neither the standard library's nor from inside the model."""
    depth = file.count("/") + 1  # leading dots that still stay in the model
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            modules = [node.module or ""]
        elif isinstance(node, ast.ImportFrom) and node.level > depth:
            found.append(place(file, node))
            continue
        else:
            continue
        if any(module.split(".")[0] not in sys.stdlib_module_names for module in modules):
            found.append(place(file, node))
    return found


@pytest.mark.parametrize("file", TREES)
def test_the_model_imports_the_standard_library_and_itself_only(file: str) -> None:
    assert foreign_imports(file, TREES[file]) == []


@pytest.mark.parametrize(
    "line", ["import pandas as pd", "from zswaplab.run import x", "from ..run import x", "from .. import run"]
)
def test_a_foreign_import_is_found(line: str) -> None:
    assert len(foreign_imports("zswap.py", ast.parse(line))) == 1


# -- source as of a stage ----------------------------------------------------------------------------

FUNCTIONS = sorted(
    {
        function
        for owner in OWNERS
        for function, value in inspect.getmembers(owner, inspect.isfunction)
        if not function.startswith("__")
    }
)
EXISTED = list(kernels())


def undecidable(file: str, tree: ast.AST) -> list[str]:
    """Tests of the stage that are not the whole test of an `if` without `elif`, against constants."""
    found = []
    for node, above in nodes(tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "stage":
            whole = isinstance(above[0], (ast.Compare, ast.UnaryOp)) or getattr(above[0], "func", None) is node
            test = above[0] if whole else node
            statement = above[1] if whole else above[0]
            constants = getattr(test, "comparators", []) or getattr(test, "args", [])
            alone = isinstance(statement, ast.If) and statement.test is test
            if not (alone and all(isinstance(constant, ast.Constant) for constant in constants)):
                found.append(place(file, node))
            elif has_elif(statement) or is_elif(statement, above):
                found.append(place(file, node))
    return found


def has_elif(statement: ast.If) -> bool:
    branch = statement.orelse
    return len(branch) == 1 and isinstance(branch[0], ast.If) and branch[0].col_offset == statement.col_offset


def is_elif(statement: ast.If, above: list[ast.AST]) -> bool:
    parent = above[above.index(statement) + 1]
    return isinstance(parent, ast.If) and has_elif(parent) and parent.orelse[0] is statement


@pytest.mark.parametrize("file", sorted(TREES.keys() - {"stages.py", "machine.py", "pools.py"}))
def test_every_test_of_the_stage_stands_alone_in_its_if(file: str) -> None:
    functions = [node for node in ast.walk(TREES[file]) if isinstance(node, ast.FunctionDef)]
    kept = [undecidable(file, function) for function in functions if function.name != "__init__"]
    assert not any(kept), kept


@pytest.mark.parametrize(
    "line",
    [
        "if stage.header and ready:\n    pass",
        "if ready:\n    pass\nelif stage.header:\n    pass",
        "if stage.header:\n    pass\nelif ready:\n    pass",
        "x = 8 if stage.header else 0",
        "while stage.header:\n    pass",
        "if stage.load_end == wanted:\n    pass",
        "f(stage.header)",
        "if stage.evicts(name):\n    pass",
        "if stage.evicts('zbud') and ready:\n    pass",
    ],
)
def test_a_test_of_the_stage_that_cannot_be_decided_is_found(line: str) -> None:
    assert len(undecidable("planted", ast.parse(line))) == 1


@pytest.mark.slow
@pytest.mark.parametrize("kernel", EXISTED, ids=name)
def test_the_source_of_a_stage_is_python_without_a_stage(kernel: dict[str, Any]) -> None:
    for function in FUNCTIONS:
        text = source(function, **kernel)
        definition = ast.parse(text).body[0]
        assert isinstance(definition, ast.FunctionDef) and definition.name == function
        assert "stage" not in {node.id for node in ast.walk(definition) if isinstance(node, ast.Name)}
        assert "type: ignore" not in text


def test_a_source_leaves_the_observer_out() -> None:
    assert [function for function in FUNCTIONS if "observer" in source(function)] == []


def test_the_lines_of_a_source_are_numbered_as_in_the_file() -> None:
    rows = Path(inspect.getfile(Zswap)).read_text(encoding="utf-8").splitlines()
    lines = resolved(kernel_function("load_end"), make_stage("rfc2-1", "v1"))
    assert len(lines) > 5
    for number, text in lines[1:]:
        assert rows[number - 1].strip() == text.strip()


def test_comments_stay_in_a_source() -> None:
    assert "# from here others may free the entry" in source("reclaim_entry", "1")


def test_page_faults_and_the_swap_layer_have_a_source_too() -> None:
    assert source("swap_in").startswith("def swap_in(self, page, write):")
    assert source("frontswap_load").startswith("def frontswap_load(self, offset, frame):")


EDITED_TWICE = """
import os, pathlib
from IPython.core.interactiveshell import InteractiveShell

shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "autoreload")
shell.run_line_magic("autoreload", "2")
shell.run_cell("from zswaplab import source; len(source('load'))")
file, line = pathlib.Path("zswaplab/model/zswap.py"), "        tree = self.trees[type]\\n"
before = file.read_text()
for number in (1, 2):
    file.write_text(before.replace(line, f"        {number}\\n" * 3 * number + line))
    os.utime(file, (2_000_000_000 + number, 2_000_000_000 + number))
    for name in ("load", "load_end"):
        shell.user_ns["name"] = name
        shell.run_cell('''
try:
    print(source(name).splitlines()[2])
except BaseException as problem:
    print(type(problem).__name__, problem)
''')
"""


def test_a_source_that_has_been_edited_is_shown_as_it_is_or_not_at_all(tmp_path: Path) -> None:
    """Autoreload takes the first edit as a whole and patches the functions from the second on."""
    shutil.copytree(MODEL.parent, tmp_path / "zswaplab", ignore=shutil.ignore_patterns("__pycache__"))
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "IPYTHONDIR": str(tmp_path)}
    script = [sys.executable, "-c", EDITED_TWICE]
    ran = subprocess.run(script, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    _, *told = ran.stdout.splitlines()
    assert told[:2] == ["    1", "    if self.exclusive_loads:"]
    assert [line.split(": ")[0] for line in told[2:] if line] == ["BadInput load", "BadInput load_end"]
    assert all("restart the kernel" in line for line in told[2:] if line)


def test_a_function_that_is_no_longer_where_it_was_loaded_from_is_not_shown() -> None:
    def moved(self: Any) -> None:
        pass

    first = moved.__code__.co_firstlineno
    assert resolved(moved, make_stage("base"))[0] == (first, "def moved(self):")
    for elsewhere in (first - 2, first + 1, 10**6):
        moved.__code__ = moved.__code__.replace(co_firstlineno=elsewhere)
        with pytest.raises(BadInput, match=r"moved: its source cannot be shown.*restart the kernel"):
            resolved(moved, make_stage("base"))


def test_a_diff_shows_what_a_patch_changed() -> None:
    changed = [line for line in diff("load_end", "rfc2-1", "1").splitlines() if line[:1] in "+-"]
    assert any(line.startswith("-") and "move_to_head" in line for line in changed)
    assert any(line.startswith("+") and "else:" in line for line in changed)
    assert diff("load", "base", "v6.5") == ""


# -- the source of a stage behaves as the stage does -------------------------------------------------


@functools.cache
def rebuilt(**kernel: str) -> type[Zswap]:
    """A Zswap made of the sources that the stage has, each compiled where its function was written."""
    functions = inspect.getmembers(Zswap, inspect.isfunction)
    marks = {name_of: value.kernel for name_of, value in functions if hasattr(value, "kernel")}
    methods: dict[str, Callable[..., Any]] = {}
    for name_of, value in functions:
        if name_of != "__init__":
            original, found = inspect.unwrap(value), {}
            exec(source(name_of, **kernel), original.__globals__, found)
            method = found[name_of]
            if inspect.isgeneratorfunction(original) and not inspect.isgeneratorfunction(method):
                method = with_no_steps(method)
            methods[name_of] = MARK(marks[name_of])(method) if name_of in marks else method
    return type("Rebuilt", (Zswap,), methods)


def with_no_steps(function: Callable[..., Any]) -> Callable[..., Kernel]:
    """As a generator, a function that the stage leaves no `yield` (free_entry before the series)."""

    def generator(*arguments: Any) -> Kernel:
        return function(*arguments)
        yield

    return generator


def zswaps_own_events() -> set[str]:
    """Those that its own lines emit, which a source leaves out."""
    written = "".join(inspect.getsource(owner) for owner in Zswap.__mro__[:-1])
    return set(re.findall(r'observer\("([a-z ]+)"', written))


def play(machine: Machine, dice: random.Random) -> list[Any]:
    """A random workload: everything seen of it but Zswap's own events, and the state after each operation."""
    told: list[Any] = []
    own = zswaps_own_events()

    def see(event: str, subject: Any, value: Any) -> None:
        if event not in own:
            who = subject.offset if isinstance(subject, Entry) else type(subject).__name__
            told.append((event, who, value if isinstance(value, int) else None))

    machine.hook.observer = see
    contents = [page_of(noise) for noise in (300, 1000, 2500, 3900)] + [SAME_FILLED]
    for _ in range(150):
        page = dice.randrange(20)
        verb = dice.choice(["write", "page_out", "page_out", "read", "free", "worker"])
        if verb in ("read", "free", "page_out") and page not in machine.written:
            continue
        try:
            if verb == "worker":
                run(machine.worker())
                machine.settle()
            elif verb == "write":
                machine.write(page, dice.choice(contents))
            else:
                getattr(machine, verb)(page)
        except Fault as fault:
            return [*told, str(fault)]
        listed = [entry.offset for entry in machine.zswap.pool.lru]
        told.append((verb, page, dict(machine.zswap.counters), listed, machine.zswap.pool.refcount))
    return told


@pytest.mark.parametrize("kernel", cases(differing(on_every_backend(EXISTED))))
def test_the_source_of_a_stage_does_what_the_stage_does(kernel: dict[str, Any]) -> None:
    stage = {key: value for key, value in kernel.items() if key != "zpool"}
    for evictable in {None, False} if switches(kernel)["evictable"] else {None}:
        original, copy = (Machine(**kernel, evictable=evictable, swap_pages=64, ram_pages=20) for _ in range(2))
        copy.zswap.__class__ = rebuilt(**stage)
        assert play(copy, random.Random(3)) == play(original, random.Random(3))


def test_a_source_can_be_called_as_its_callers_call_it() -> None:
    assert "writeback_entry(pool, handle)" in source("reclaim_entry", "1")
    definition = ast.parse(source("writeback_entry", "1")).body[0]
    assert isinstance(definition, ast.FunctionDef)
    assert len(definition.args.args) - len(definition.args.defaults) == len(["self", "pool", "handle"])
