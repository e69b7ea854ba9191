"""The zswaplab command on every kind of terminal and pipe: what it prints arrives, and its exit status stays true."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_cli import short
from zswaplab import cli

REPOSITORY = Path(__file__).resolve().parents[1]
SMALL = "f65-zbud-exact-on"
OTHER = ("conform", SMALL, "--stage", "v6.4")
FAILING = ("explore", "--stage", "4", "--exclusive", "v2", "--device", "synchronous", *("--cpu", "read 3") * 2)
COMMANDS = {  # what is asked -> exit status
    ("--help",): 0, ("--version",): 0, ("conform", "--help"): 0, ("explore", "--help"): 0, ("runs",): 0,
    ("conform", SMALL): 0, ("conform", SMALL, SMALL): 0, ("conform", "--json", SMALL): 0, OTHER: 1,
    ("conform", "--json", *OTHER[1:]): 1, ("conform", "no-such-run"): 2, ("conform", "läuft·×→…"): 2, ("fly·",): 2,
    ("explore", "--list"): 0, ("explore", "M-head"): 0, ("explore", "v6.5-off", "--max-states", "20"): 2,
    FAILING: 1, ("explore", "M-head", "uaf-same-filled"): 1, ("explore", "--cpu", "flieg→ 3"): 2,
}  # fmt: skip
C_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
TERMINALS = {"utf-8": {}, "cp932": {}, "cp437": {}, "cp1252": {}, "ascii": {}, "C": C_LOCALE}
IN_ASCII = {"·": ".", "×": "x", "→": "->", "…": "...", "ä": r"\xe4"}
ALL = """
import json, sys
from zswaplab.cli import main
for command in json.loads(sys.argv[1]):
    try:
        status = main(command)
    except SystemExit as end:
        status = end.code
    print("status", status)
"""


def environment(terminal: str) -> dict[str, str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "PYTHON"))}
    encoding = {} if terminal == "C" else {"PYTHONIOENCODING": terminal}
    return {**plain, "PYTHONPATH": str(REPOSITORY), **encoding, **TERMINALS[terminal]}


def encoding_of(terminal: str) -> str:
    return "ascii" if terminal == "C" else terminal


def printed(terminal: str) -> str:
    """What all commands print on a terminal, on either stream, each followed by its exit status."""
    ran = subprocess.run(
        [sys.executable, "-u", "-c", ALL, json.dumps([*COMMANDS])], env=environment(terminal), cwd=REPOSITORY,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120,
    )  # fmt: skip
    text = ran.stdout.decode(encoding_of(terminal))
    return re.sub(r" *\d+\.\d+( s\b| +measured| +read|\n|,\n)", r" SECONDS\1", text.replace("\r\n", "\n"))


@pytest.fixture(scope="module")
def plain() -> str:
    """What they print where every character can be encoded."""
    return printed("utf-8")


@pytest.mark.slow
def test_every_command_ends_as_it_should(plain: str) -> None:
    assert [int(status) for status in re.findall(r"^status (\d+)$", plain, re.MULTILINE)] == [*COMMANDS.values()]
    assert "Traceback" not in plain
    assert set(IN_ASCII) <= set(plain), "each is tried"


@pytest.mark.slow
@pytest.mark.parametrize("terminal", ["cp932", *(
    pytest.param(name, marks=pytest.mark.slow) for name in TERMINALS if name not in ("utf-8", "cp932")
)])  # fmt: skip
def test_what_cannot_be_encoded_is_said_in_ascii(terminal: str, plain: str) -> None:
    there = plain.encode(encoding_of(terminal), "ignore").decode(encoding_of(terminal))
    shown = [character if character in there else IN_ASCII[character] for character in plain]
    assert printed(terminal) == "".join(shown)


def test_every_character_that_may_be_printed_has_its_ascii() -> None:
    package = REPOSITORY / "zswaplab"
    rooms = [package / room for room in ("model", "run", "trace")]
    files = [package / "cli.py", *(file for room in rooms for file in room.rglob("*.py"))]
    texts = [
        node.value
        for file in files
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    assert {character for character in "".join(texts) if not character.isascii()} <= set(cli.IN_ASCII)


def shell(command: tuple[str, ...], after: str = "", before: str = "", **variables: str) -> tuple[int, str]:
    """The exit status of one command with the shell's words after it, and what still came out."""
    asked = shlex.join([sys.executable, "-m", "zswaplab.cli", *command])
    ran = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {before} {asked} {after}"], cwd=REPOSITORY, timeout=120,
        env={**environment("utf-8"), **variables}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    return ran.returncode, ran.stdout


posix = pytest.mark.skipif(os.name == "nt", reason="a shell for Linux and macOS")
SOME = [("runs",), ("conform", SMALL), OTHER, ("conform", "no-such-run"), ("--help",), ("fly",)]
some = pytest.mark.parametrize("command", SOME, ids=" ".join)


@posix
@pytest.mark.slow
@some
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_changes_no_exit_status(command: tuple[str, ...], closed: str) -> None:
    status, said = shell(command, closed, **C_LOCALE)
    assert status == COMMANDS.get(command, 2)
    assert "Traceback" not in said
    if ">&- 2>&-" in closed:
        assert said == ""


@posix
def test_a_name_that_is_no_text_is_named() -> None:
    assert shell(("conform", os.fsdecode(b"\xff/"))) == (2, (
        "zswaplab: \\udcff: no such folder; give a run's folder, with counters.json and trace.csv.gz in it\n"
    ))  # fmt: skip


@posix
def test_what_goes_wrong_is_not_printed_among_results() -> None:
    assert shell(("conform", "no-such-run"), "2>&-") == (2, "")


@posix
@pytest.mark.slow
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", [("runs",), ("explore", "--list"), ("conform", SMALL), OTHER])
def test_a_reader_who_leaves_early_is_no_verdict(command: tuple[str, ...], unbuffered: str) -> None:
    assert shell(command, "| true", PYTHONUNBUFFERED=unbuffered) == (141, "")


@posix
@pytest.mark.parametrize("command", [("conform", "no-such-run"), ("fly",)])
def test_a_complaint_that_nobody_reads_keeps_its_status(command: tuple[str, ...]) -> None:
    assert shell(command, "2>&1 >/dev/null | true") == (2, "")


@posix
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("command", [("runs",), ("conform", SMALL), OTHER])
def test_a_full_disk_is_said(command: tuple[str, ...]) -> None:
    assert shell(command, ">/dev/full") == (2, "zswaplab: [Errno 28] No space left on device\n")


def test_what_breaks_in_zswaplab_is_no_verdict() -> None:
    broken = "from zswaplab import cli; cli.runs = lambda options: [][0]; raise SystemExit(cli.main(['runs']))"
    ran = subprocess.run([sys.executable, "-c", broken], cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 70
    assert ran.stderr.startswith("zswaplab: Traceback") and "IndexError" in ran.stderr


@posix
@pytest.mark.slow
@pytest.mark.parametrize(("terminal", "full", "empty"), [("utf-8", "█", "░"), ("cp437", "█", "░"), ("C", "#", ".")])
def test_progress_is_shown_on_a_terminal(terminal: str, full: str, empty: str, tmp_path: Path) -> None:
    import pty

    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "zswaplab.cli", "conform", str(short(tmp_path / "run"))]
    with subprocess.Popen(command, env=environment(terminal), stdout=subprocess.DEVNULL, stderr=theirs) as running:
        os.close(theirs)
        shown = b""
        while part := _read(ours):
            shown += part
    os.close(ours)
    assert running.returncode == 0
    text = shown.decode(encoding_of(terminal))
    bars = re.findall(r"\r(\S+) +\d+ % of 1 recordings", text)
    assert bars
    for bar in bars:
        assert bar == f"{full * bar.count(full):{empty}<30}"
    assert text.endswith("\r\033[K"), "the bar is gone in the end"


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # Linux: whoever wrote to it is gone
        return b""
