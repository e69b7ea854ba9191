"""What holds for the repository as a whole, whichever room one works in."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import zswaplab

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGE = REPOSITORY / "zswaplab"
PUBLIC = {
    "Machine", "Setup", "STAGES", "source", "diff", "record", "explore", "runs", "replay", "conform", "play", "lab",
    "compare", "scheduler", "goto", "policy", "predict", "sweep",
}  # fmt: skip
HEAVY = ("pandas", "numpy", "matplotlib", "ipywidgets", "anywidget", "IPython")
LICENCES = {"BSD-3-Clause": "LICENSE", "CC-BY-4.0": "LICENSE-TEXT", "CC0-1.0": "LICENSE-DATA"}

PYPROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
ENVIRONMENT = yaml.safe_load((REPOSITORY / "environment.yml").read_text())


def python(code: str) -> str:
    """What a fresh interpreter prints, on either stream, when it runs `code`."""
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=REPOSITORY,
        text=True,
        timeout=60,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert ran.returncode == 0, ran.stdout
    return ran.stdout


# Public names


def test_the_public_names_are_these_and_each_is_there() -> None:
    assert set(zswaplab.__all__) == PUBLIC
    assert set(dir(zswaplab)) == PUBLIC | {"__version__"}
    for name in PUBLIC:
        assert getattr(zswaplab, name) is not None


def test_editors_are_told_the_homes_that_python_uses() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    typed = next(node for node in tree.body if isinstance(node, ast.If))
    told = {
        alias.name: node.module
        for node in typed.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert told == zswaplab._HOMES


def test_an_unknown_name_is_an_attribute_error_that_lists_the_names() -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'machine'.*Machine"):
        _ = zswaplab.machine


# Light


def test_import_is_silent_and_brings_nothing_heavy() -> None:
    assert python(f"import sys, zswaplab; print(sorted(set(sys.modules) & set({HEAVY})))") == "[]\n"


@pytest.mark.parametrize("room", ["model", "run", "trace", "teach"])
def test_a_room_works_without_the_heavy_libraries(room: str) -> None:
    modules = [name for name, _ in _modules() if name.split(".")[1:2] == [room]]
    assert modules
    blocked = f"import sys; sys.modules.update(dict.fromkeys({HEAVY}))"
    assert python(f"{blocked}; import {', '.join(modules)}") == ""


def test_the_player_works_without_tables_and_plots() -> None:
    blocked = "import sys; sys.modules.update(dict.fromkeys(('pandas', 'matplotlib')))"
    played = "play(record(Machine(), ['write 1', 'page_out 1', 'read 1']))"
    assert python(f"{blocked}; from zswaplab import Machine, play, record; {played}") == ""


# Rooms

MAY_IMPORT = {
    "model": set(),
    "run": {"model"},
    "trace": {"model"},
    "show": {"model", "run", "trace"},
    "teach": {"model", "run", "trace", "show"},
    "doctor": {"model", "trace"},
    "cli": {"model", "run", "trace", "show", "teach", "doctor"},
}


def _modules() -> Iterator[tuple[str, Path]]:
    for file in sorted(PACKAGE.rglob("*.py")):
        parts = list(file.relative_to(REPOSITORY).with_suffix("").parts)
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), file


def _room(module: str) -> str:
    return module.split(".")[1]


def _imported(source: str, module: str, is_package: bool) -> Iterator[str]:
    """Every module that a module's source imports, by its full name, wherever in the file it does so."""
    package = module if is_package else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            steps = package.split(".")
            base = ".".join(steps[: len(steps) + 1 - node.level]) if node.level else ""
            origin = ".".join(filter(None, (base, node.module)))
            yield from (f"{origin}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            yield f"zswaplab.{ast.unparse(node)}"


def _home(name: str) -> str:
    """Where an imported name of ours really lives: a public name is imported from zswaplab itself."""
    public = name.removeprefix("zswaplab.").split(".")[0]
    return zswaplab._HOMES.get(public, name)


def _misplaced(source: str, module: str, is_package: bool = False) -> list[str]:
    ours = (_home(name) for name in _imported(source, module, is_package) if name.split(".")[0] == "zswaplab")
    allowed = MAY_IMPORT[_room(module)] | {_room(module), "__version__"}
    return [name for name in ours if _room(name) not in allowed]


@pytest.mark.parametrize(("module", "file"), [pytest.param(*pair, id=pair[0]) for pair in _modules()])
def test_rooms_import_one_way(module: str, file: Path) -> None:
    if module == "zswaplab":
        return
    assert _misplaced(file.read_text(), module, file.name == "__init__.py") == []


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("zswaplab.model.zswap", "from zswaplab.run import history"),
        ("zswaplab.model.zswap", "from zswaplab.run.history import record"),
        ("zswaplab.model.zswap", "import zswaplab.show.player"),
        ("zswaplab.model.zswap", "from ..run.history import record"),
        ("zswaplab.model.zswap", "from .. import run"),
        ("zswaplab.model.zpool.zbud", "from ...trace import replay"),
        ("zswaplab.model.zswap", "def late():\n    from ..show import player"),
        ("zswaplab.model.zswap", "from zswaplab import record"),
        ("zswaplab.model.zswap", "from .. import lab"),
        ("zswaplab.model.zswap", "import importlib\nimportlib.import_module('zswaplab.run')"),
        ("zswaplab.run.history", "from ..trace.replay import replay"),
        ("zswaplab.trace.replay", "from ..run.history import record"),
        ("zswaplab.trace.conform", "from zswaplab import cli"),
        ("zswaplab.show.player", "from ..teach import grade"),
        ("zswaplab.show.player", "from ..cli import main"),
    ],
)
def test_an_import_the_wrong_way_is_seen(module: str, line: str) -> None:
    assert _misplaced(line, module)


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("zswaplab.model.zswap", "from .entry import Entry"),
        ("zswaplab.model.zswap", "from .zpool import zbud"),
        ("zswaplab.model.zpool.zbud", "from ..errors import BadInput"),
        ("zswaplab.run.history", "from zswaplab import Machine"),
        ("zswaplab.show.lab", "from ..run.history import record"),
        ("zswaplab.cli", "from .trace import conform"),
    ],
)
def test_an_import_the_right_way_is_let_through(module: str, line: str) -> None:
    assert not _misplaced(line, module)


SHOWS = "zswaplab.teach.predict"  # a question as a sheet; nothing in its room stands on it


@pytest.mark.slow
def test_what_grades_shows_nothing() -> None:
    """It runs where there is no widget: on a server, in a browser's Python."""
    for module, file in _modules():
        assert SHOWS not in _imported(file.read_text(), module, file.name == "__init__.py") or module == "zswaplab"
        if module.startswith("zswaplab.teach") and module != SHOWS:
            ours = map(_home, _imported(file.read_text(), module, file.name == "__init__.py"))
            assert [name for name in ours if name.startswith("zswaplab.show")] == [], module


# Inside a room

SOURCES = {name: file.read_text() for name, file in _modules()}


def _round(sources: dict[str, str]) -> list[str]:
    """Files of one room that import each other in a ring, lazily too; none if its arrows run one way.

    Inside the model what is imported for types alone does not count: an entry, its pool and its list name each other.
    """
    arrows: TopologicalSorter[str] = TopologicalSorter()
    for module, source in sources.items():
        for name in _imported(_that_runs(source, module), module, _is_package(module)):
            if other := _module_of(name, sources):
                arrows.add(module, other)
    try:
        arrows.prepare()
    except CycleError as ring:
        return list(ring.args[1])
    return []


def _that_runs(source: str, module: str) -> str:
    tree = ast.parse(source)
    if _room(module) == "model":
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                node.body = [ast.Pass()]
    return ast.unparse(tree)


def _is_package(module: str) -> bool:
    return any(other.startswith(f"{module}.") for other in SOURCES)


def _module_of(name: str, sources: dict[str, str]) -> str | None:
    """The file of the room from which a name is imported, None if that is elsewhere."""
    name = _home(name)
    return next((found for found in (name, name.rpartition(".")[0]) if found in sources), None)


def _files_of(room: str) -> dict[str, str]:
    return {module: source for module, source in SOURCES.items() if module.startswith(f"zswaplab.{room}")}


@pytest.mark.parametrize("room", ["model", "run", "trace", "teach"])
def test_the_arrows_inside_a_room_run_one_way(room: str) -> None:
    assert _round(_files_of(room)) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("zswaplab.model.swap", "from .zswap import Zswap"),
        ("zswaplab.model.stages", "def late():\n    from .zpool import ZPOOLS"),
        ("zswaplab.model.zpool.zbud", "from ..machine import Machine"),
        ("zswaplab.model.zpool.interface", "from . import zsmalloc"),
        ("zswaplab.model.lru", "from . import pools"),
        ("zswaplab.model.steps", "from zswaplab import Machine"),
        ("zswaplab.model.freed", "import zswaplab.model.entry"),
    ],
)
def test_an_import_of_what_stands_on_a_file_is_seen(module: str, line: str) -> None:
    files = _files_of("model")
    assert module in _round({**files, module: f"{files[module]}\n{line}"})


def test_imports_for_types_alone_are_for_the_model() -> None:
    of_types = "if TYPE_CHECKING:\n    from .{} import it"
    for room, counts in (("model", False), ("run", True)):
        ring = {f"zswaplab.{room}.a": of_types.format("b"), f"zswaplab.{room}.b": of_types.format("a")}
        assert bool(_round(ring)) is counts


# The model's size and means

BACKENDS = (("zbud",), ("z3fold", "z3fold_page"), ("zsmalloc", "zspages", "size_classes"))  # their files
MODEL = [(name, file) for name, file in _modules() if name.startswith("zswaplab.model")]


def test_the_model_needs_only_the_standard_library() -> None:
    for module, file in MODEL:
        imported = {
            name.split(".")[0] for name in _imported(file.read_text(), module, file.name == "__init__.py")
        }
        assert imported <= sys.stdlib_module_names | {"zswaplab"}, file


def test_no_verdict_of_the_model_can_be_left_out() -> None:
    """An `assert` is, under `python -O`."""
    asserts = [
        f"{module}:{node.lineno}"
        for module, file in MODEL
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Assert)
    ]
    assert asserts == []


def test_the_model_is_small() -> None:
    lines = {str(file.relative_to(REPOSITORY)): len(file.read_text().splitlines()) for _, file in MODEL}
    assert {file: count for file, count in lines.items() if count >= 300} == {}
    code = {name.removeprefix("zswaplab.model."): lines_of_code(file.read_text()) for name, file in MODEL}
    assert sum(count for name, count in code.items() if not name.startswith("zpool.")) < 1700
    for backend in BACKENDS:
        assert sum(code.pop(f"zpool.{name}") for name in backend) <= 400, backend
    assert {name for name in code if name.startswith("zpool.")} == {"zpool.interface"}


def lines_of_code(text: str) -> int:
    """Lines that are not blank, comment or docstring."""
    skipped = {
        line
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    rows = enumerate(text.splitlines(), start=1)
    return sum(number not in skipped and bool(row.strip()) and row.strip()[0] != "#" for number, row in rows)


def test_a_function_of_the_model_fits_a_screen() -> None:
    long = [
        f"{module}.{node.name}: {node.end_lineno - node.lineno + 1} lines"
        for module, file in MODEL
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef) and node.end_lineno and node.end_lineno - node.lineno >= 50
    ]
    assert long == []


# Dependencies


def _bounds(requirements: list[str]) -> dict[str, SpecifierSet]:
    return {(parsed := Requirement(text)).name: parsed.specifier for text in requirements}


def test_conda_and_pip_users_get_the_same_packages() -> None:
    conda = [text for text in ENVIRONMENT["dependencies"] if isinstance(text, str) and text != "pip"]
    project = PYPROJECT["project"]
    wanted = _bounds([*project["dependencies"], *project["optional-dependencies"]["lab"]])
    wanted["matplotlib-base"] = wanted.pop("matplotlib")
    wanted["python"] = SpecifierSet(project["requires-python"])
    assert _bounds(conda) == wanted
    assert {"pip": ["-e ."]} in ENVIRONMENT["dependencies"]


def test_the_lock_is_of_these_dependencies_and_names_only_the_public_index() -> None:
    text = (REPOSITORY / "uv.lock").read_text()
    assert set(re.findall(r"https?://([^/\"]+)", text)) == {"pypi.org", "files.pythonhosted.org"}
    ours = next(package for package in tomllib.loads(text)["package"] if package["name"] == "zswaplab")
    locked = {
        (entry["name"], entry.get("marker", ""), SpecifierSet(entry.get("specifier", "")))
        for entry in ours["metadata"]["requires-dist"]
    }
    assert locked == set(_required())


def _required() -> Iterator[tuple[str, str, SpecifierSet]]:
    project, extras = PYPROJECT["project"], PYPROJECT["project"]["optional-dependencies"]
    included = [text for text in extras["test"] if text != "zswaplab[codecs,lab]"]
    for extra, requirements in {
        "": project["dependencies"],
        "codecs": extras["codecs"],
        "dask": extras["dask"],
        "lab": extras["lab"],
        "test": extras["codecs"] + extras["lab"] + included,
    }.items():
        for requirement in map(Requirement, requirements):
            markers = [str(requirement.marker or "").replace('"', "'"), f"extra == '{extra}'" if extra else ""]
            yield requirement.name, " and ".join(filter(None, markers)), requirement.specifier


# Said once, and the same everywhere


def test_version_and_licences_agree_everywhere() -> None:
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text())
    assert citation["version"] == zswaplab.__version__
    assert f"## [{zswaplab.__version__}]" in (REPOSITORY / "CHANGELOG.md").read_text()
    assert citation["license"] == list(LICENCES)
    assert PYPROJECT["project"]["license"] == " AND ".join(LICENCES)
    assert PYPROJECT["project"]["license-files"] == list(LICENCES.values())
    assert {file.name for file in REPOSITORY.glob("LICENSE*")} == set(LICENCES.values())
    readme = (REPOSITORY / "README.md").read_text()
    for licence, file in LICENCES.items():
        assert re.search(rf"{licence}\s+\(\[{file}\]\({file}\)\)", readme)
    assert "CC0-1.0" in (REPOSITORY / "data" / "README.md").read_text()


# Shipped text

SHIPPED = [
    file
    for folder in ("zswaplab", "data", "notebooks", "benchmarks")
    for file in sorted((REPOSITORY / folder).rglob("*"))
    if file.is_file()
    and file.suffix in {".py", ".js", ".css", ".md", ".ipynb", ".json", ".txt", ".csv", ".html"}
    if not {"__pycache__", ".ipynb_checkpoints"} & set(file.parts)
]
MACHINE_PATH = re.compile(r"(?<![\w.~:/-])/(?:home/\w|root/|tmp/\w|work/\w|Users/\w)|\b[A-Z]:\\\\?Users\b")
ELSEWHERE = re.compile(r"unpkg|jsdelivr|cdnjs|esm\.sh|skypack|googleapis|\bcdn\.", re.IGNORECASE)
FETCHED = re.compile(r"""(?:\bfrom|\bimport|src\s*=|url\(|fetch\()\s*\(?["']?https?://""")


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: str(file.relative_to(REPOSITORY)))
def test_shipped_files_name_no_machine_and_fetch_nothing(file: Path) -> None:
    text = _without_pictures(file)
    for rule in (MACHINE_PATH, ELSEWHERE, FETCHED):
        assert not rule.search(text), rule.search(text)


def _without_pictures(file: Path) -> str:
    if file.suffix != ".ipynb":
        return file.read_text()

    def plain(part: Any) -> Any:
        if isinstance(part, dict):
            return {key: plain(value) for key, value in part.items() if not key.startswith("image/png")}
        return [plain(item) for item in part] if isinstance(part, list) else part

    return json.dumps(plain(json.loads(file.read_text())), ensure_ascii=False)


@pytest.mark.parametrize(
    "line",
    [
        'open("/home/ada/trace.csv")',
        "File /tmp/ipykernel_12/3.py",
        "/root/.venv/lib",
        "C:\\Users\\ada",
        '<script src="https://example.org/x.js">',
        'import lib from "https://example.org/lib.js"',
        'import "https://example.org/lib.js"',
        '@import url("https://example.org/x.css")',
        'await import("https://example.org/x.js")',
        "https://cdn.jsdelivr.net/npm/x",
    ],
)
def test_a_machine_path_or_a_fetched_script_is_seen(line: str) -> None:
    assert any(rule.search(line) for rule in (MACHINE_PATH, ELSEWHERE, FETCHED))


# Style


def test_ruff_has_nothing_to_say() -> None:
    _clean("ruff", "check")


@pytest.mark.slow
def test_mypy_has_nothing_to_say() -> None:
    _clean("mypy")


def _clean(*tool: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", *tool], cwd=REPOSITORY, capture_output=True, text=True, timeout=300
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
