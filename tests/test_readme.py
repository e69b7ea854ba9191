"""What the README says can be done is done here: each snippet, command and link, and what its prose quotes."""

from __future__ import annotations

import ast
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

import zswaplab
from tests import test_install, test_make
from tests.trace.test_conformance import TABLE, counts
from zswaplab.cli import main
from zswaplab.trace.conform import conform
from zswaplab.trace.shipped import clone_runs, shipped_runs

REPOSITORY = Path(__file__).resolve().parents[1]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = [(block[1], block[2]) for block in FENCE.finditer(README)]
PROSE = FENCE.sub("", README)
WORDS = dict.fromkeys(re.findall(r"`([^`\n]+)`", PROSE))  # everything in backquotes, once
SHELL = [line for language, block in BLOCKS if language == "sh" for line in block.splitlines() if line]
SMALL = "f65-zbud-exact-on"
PUBLIC = {name: getattr(zswaplab, name) for name in zswaplab.__all__}


def starting(*beginnings: str) -> list[str]:
    """The lines for a shell, and what the prose quotes, that begin so."""
    return [text for text in (*SHELL, *WORDS) if text.startswith(beginnings)]


MAKE = starting("make ")
COMMANDS = starting("zswaplab ")
CONDA = starting("conda ", "jupyter ")
PLAIN = starting("python3 ", ".venv/bin/python ")  # test_install runs them
INSTALLED = starting(".venv/bin/zswaplab", ".venv\\Scripts\\zswaplab")
OPTIONS = starting("--")
FILES = [word for word in WORDS if re.fullmatch(r"[\w.-]+/|\w+\.(yml|toml)", word) or word == ".venv"]
PYTHON = [word for word in WORDS if re.match(r"[a-z]+\(|import ", word)]
NAMES = [word for word in WORDS if word in (*PUBLIC, "zswaplab", "make", "venv", "pip")]  # plain nouns
RUNS = [word for word in WORDS if re.fullmatch(r"\d+-\w+-lzo[\w-]*", word)]
SCHEDULES = [word for word in WORDS if re.fullmatch(r"([a-z]\d+)+", word)]


def test_nothing_in_the_readme_is_left_out_here() -> None:
    assert {language for language, _ in BLOCKS} == {"sh", "bat", "python", "text"}
    assert set(SHELL) == {*MAKE, *COMMANDS, *PLAIN} & set(SHELL)
    held = {*MAKE, *COMMANDS, *CONDA, *INSTALLED, *OPTIONS, *FILES, *PYTHON, *NAMES, *RUNS, *SCHEDULES}
    assert set(WORDS) - held == set()


@pytest.fixture(scope="module")
def ran() -> list[dict[str, Any]]:
    """What there is after each block of Python; all run in one namespace, as a reader goes on."""
    names: dict[str, Any] = {}
    after = []
    for language, block in BLOCKS:
        if language == "python":
            *statements, last = ast.parse(block).body
            exec(compile(ast.Module(statements, []), "README.md", "exec"), names)
            assert isinstance(last, ast.Expr)
            after.append({**names, "last": eval(compile(ast.Expression(last.value), "README.md", "eval"), names)})
    return after


@pytest.mark.slow
def test_the_first_python_shows_what_there_is(ran: list[dict[str, Any]]) -> None:
    assert set(PUBLIC) - set(ran[0]) == {"explore", "goto", "policy", "scheduler", "STAGES"}, "what it does not import"
    assert ran[0]["m"].zswap.counters.stored_pages == 2, "of two pages out, one came back"
    assert ran[0]["last"].agrees


@pytest.mark.slow
def test_the_second_python_finds_and_replays_the_schedule_of_the_prose(
    ran: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    found, recorded = ran[1]["found"], ran[1]["last"]
    assert [found.schedule] == SCHEDULES
    assert "slab-use-after-free" in str(found) and "slab-use-after-free" in str(recorded)
    (command,) = [line for line in SHELL if line.endswith("# use after free")]
    assert main(shlex.split(command, comments=True)[1:]) == 1
    assert f"schedule {found.schedule}:" in capsys.readouterr().out


@pytest.mark.parametrize("line", MAKE)
def test_make_has_the_goal_and_its_test(line: str) -> None:
    goal = shlex.split(line, comments=True)[1]
    assert re.search(rf"^{goal}:", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
    assert f'"{goal}"' in Path(test_make.__file__).read_text()


def test_the_plain_commands_are_those_that_are_installed_with() -> None:
    assert test_install._plain_commands(README, "sh") == PLAIN


@pytest.mark.parametrize("line", [
    pytest.param(line, marks=[pytest.mark.slow] if "--all" in line else []) for line in COMMANDS
])  # fmt: skip
def test_a_command_does_what_is_said_beside_it(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    command, _, said = line.partition("  # ")
    status = main([SMALL if word == "RUN..." else word for word in shlex.split(command)[1:]])
    fails = said == "use after free" or "--all" in command  # of all the cases some must fail
    assert status == (1 if fails else 0)
    printed = capsys.readouterr()
    assert printed.err == ""
    if said in ("use after free", "no schedule fails"):
        assert said in printed.out.replace("-", " ")


def test_the_options_are_there(capsys: pytest.CaptureFixture[str]) -> None:
    helps = ""
    for command in ("conform", "explore"):
        with pytest.raises(SystemExit):
            main([command, "--help"])
        helps += capsys.readouterr().out
    assert OPTIONS
    for option in OPTIONS:
        assert re.search(rf"^  {option.split()[0]}\b", helps, re.MULTILINE), option


@pytest.mark.parametrize("code", PYTHON)
def test_what_the_prose_quotes_runs(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    exec(code, dict(PUBLIC))
    assert bool(capsys.readouterr().out) == code.startswith("print(")


def test_conda_makes_an_environment_of_that_name_with_what_is_called() -> None:
    environment = yaml.safe_load((REPOSITORY / "environment.yml").read_text())
    create, activate, lab = CONDA
    assert (create, lab) == ("conda env create -f environment.yml", "jupyter lab notebooks")
    assert activate == f"conda activate {environment['name']}"
    assert any(str(package).startswith("jupyterlab ") for package in environment["dependencies"])


def test_the_command_is_installed_under_its_name() -> None:
    scripts = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["scripts"]
    assert {re.split(r"[/\\]", path)[-1] for path in INSTALLED} == set(scripts) == {"zswaplab"}
    assert len(INSTALLED) == 2


def test_every_file_and_link_is_there() -> None:
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", README) if not link.startswith("https://")]
    assert len(links) > 10
    shipped = [word for word in FILES if word not in (".venv", "my-notebooks/")]  # those two are made
    for path in (*links, *shipped):
        assert (REPOSITORY / path).exists(), path


def test_which_runs_of_the_table_ship() -> None:
    runs = set(TABLE) - {"all"}
    assert f"<summary>The table, {len(runs)} runs</summary>" in README
    assert f"all {len(runs)} recordings" in README
    shipped = set(shipped_runs())
    assert shipped < runs
    said = re.search(r"(\d+) of its runs ship,.* the other (\d+) ", PROSE, re.DOTALL)
    assert said and (int(said[1]), int(said[2])) == (len(shipped), len(runs - shipped - set(clone_runs())))


def test_a_shipped_run_gives_its_line_of_the_table() -> None:
    assert counts(conform(SMALL)) == TABLE[SMALL]
