"""What a reader sees of a BadInput: in a notebook its message alone, in plain Python the traceback as well."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parents[1]
WRONG = "from zswaplab import Machine; Machine('v9')"
MESSAGE = "BadInput: stage='v9' is not known; choose one of "
CHAINED = f"""
try:
    {WRONG}
except ValueError as problem:
    raise RuntimeError('no machine') from problem
"""


@pytest.fixture(scope="module")
def told() -> list[str]:
    """The traceback that a notebook shows of each of three cells."""
    cells = [nbformat.v4.new_code_cell(code) for code in (WRONG, "1 / 0", CHAINED)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    resources = {"metadata": {"path": str(REPOSITORY)}}
    NotebookClient(notebook, kernel_name="python3", allow_errors=True, resources=resources).execute()
    return [re.sub(r"\x1b\[[\d;]*m", "", "\n".join(cell.outputs[0].traceback)) for cell in cells]


def test_a_notebook_shows_the_message_and_no_frame(told: list[str]) -> None:
    assert told[0].startswith(MESSAGE)
    assert len(told[0].splitlines()) == 1


def test_other_errors_keep_their_frames(told: list[str]) -> None:
    assert "Traceback" in told[1] and "ZeroDivisionError" in told[1]


def test_an_error_raised_from_it_shows_both_in_full(told: list[str]) -> None:
    for part in ("Traceback", "machine.py", MESSAGE, "direct cause", "RuntimeError", "no machine"):
        assert part in told[2]


def python(*arguments: str, typed: str = "") -> str:
    ran = subprocess.run(
        [sys.executable, *arguments], input=typed, cwd=REPOSITORY, text=True, timeout=120,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    return ran.stdout


def test_the_debugger_still_goes_to_where_it_was_raised(tmp_path: Path) -> None:
    ipython = ("-m", "IPython", "--simple-prompt", "--no-banner", "--colors=NoColor", f"--ipython-dir={tmp_path}")
    session = python(*ipython, typed=f"{WRONG}\n%debug\np parameter\nquit\n")
    assert MESSAGE in session and "Traceback" not in session
    assert "model/errors.py" in session.replace("\\", "/")
    assert "'stage'" in session


def test_plain_python_shows_the_traceback() -> None:
    printed = python("-c", WRONG)
    assert "Traceback" in printed and "in <module>" in printed
    assert printed.splitlines()[-1].startswith(f"zswaplab.model.errors.{MESSAGE}")
