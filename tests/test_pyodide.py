"""The core runs as it is in the Python of a browser: Pyodide 314, from npm, in node, without a single wheel."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from zswaplab.run.cases import table

REPOSITORY = Path(__file__).resolve().parents[1]
HEAVY = ("numpy", "pandas", "matplotlib", "IPython", "ipywidgets", "anywidget", "micropip")
LONG = ("v6.5-off-worker", "O-5", "O-6", "O-7")  # these four take as long as all the others together
RECORDING = "f65-zbud-exact-on"

START = """
import { loadPyodide } from "pyodide";
import { readFileSync } from "node:fs";
const pyodide = await loadPyodide();
pyodide.mountNodeFS("/clone", process.argv[2]);
pyodide.globals.set("asked", process.argv[3]);
const found = JSON.parse(pyodide.runPython(readFileSync(0, "utf8")));
found.wheels = Object.keys(pyodide.loadedPackages);
console.log(JSON.stringify(found));
"""

# What Python does there: `asked` is JSON, the last value is its answer.
CORE = """
import contextlib, io, json, sys

asked = json.loads(asked)
sys.path.insert(0, "/clone")
sys.dont_write_bytecode = True

from zswaplab import Machine, conform
from zswaplab.cli import main
from zswaplab.run.cases import table

def printed(*arguments):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        status = main(arguments)
    return status, out.getvalue()

machine = Machine()
machine.write(3, 17)
before = machine.read(3)
machine.page_out(3)
results = [case.run() for case in table() if case.name not in asked["long"]]
json.dumps({
    "version": sys.version_info[:2], "platform": sys.platform,
    "stored": machine.zswap.counters.stored_pages, "came back": machine.read(3) == before and len(before) == 4096,
    "verdict": repr(conform(asked["recording"])), "command": printed("conform", asked["recording"]),
    "cases": {result.named.name: [bool(result.found), result.as_known] for result in results},
    "imported": sorted(sys.modules),
})
"""


@pytest.fixture(scope="module")
def pyodide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with npm's pyodide in it. A test skips where none can be had, but not where everything must hold."""
    if os.environ.get("ZSWAPLAB_OFFLINE"):
        pytest.skip("ZSWAPLAB_OFFLINE is set")
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        pytest.skip("no node and npm to run Pyodide with; on Debian or Ubuntu: sudo apt-get install npm")
    folder = tmp_path_factory.mktemp("pyodide")
    (folder / "package.json").write_text("{}")
    installing = [npm, "install", "--no-audit", "--no-fund", "--no-update-notifier", "pyodide@314"]
    try:
        subprocess.run(installing, cwd=folder, check=True, capture_output=True, text=True, timeout=300)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as problem:
        if os.environ.get("CI"):
            pytest.fail(f"npm cannot install pyodide@314: {problem.stderr or problem}")
        pytest.skip("npm cannot install pyodide@314: no network?")
    (folder / "start.mjs").write_text(START)
    return folder


@pytest.fixture(scope="module")
def found(pyodide: Path) -> dict[str, Any]:
    """What the core did there, all in one go."""
    asked = json.dumps({"recording": RECORDING, "long": LONG})
    ran = subprocess.run(
        ["node", "start.mjs", str(REPOSITORY), asked], input=CORE, cwd=pyodide, capture_output=True, text=True,
        timeout=600,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-4000:]
    answer: dict[str, Any] = json.loads(ran.stdout)
    return answer


pytestmark = pytest.mark.slow


def test_it_needs_the_standard_library_alone(found: dict[str, Any]) -> None:
    assert (found["version"], found["platform"]) == ([3, 14], "emscripten")
    assert found["wheels"] == []
    assert set(HEAVY) & set(found["imported"]) == set()


def test_a_page_comes_back(found: dict[str, Any]) -> None:
    assert found["stored"] == 1
    assert found["came back"]


def test_a_recording_agrees(found: dict[str, Any]) -> None:
    assert found["verdict"] == f"<{RECORDING} against stage v6.5: 487 operations, no operation disagrees>"
    status, printed = found["command"]
    assert status == 0
    assert printed.startswith(f"{RECORDING}  (held against stage v6.5)\n")


def test_every_case_comes_out_as_known(found: dict[str, Any]) -> None:
    """All but the four longest."""
    cases = found["cases"]
    assert set(cases) == {case.name for case in table()} - set(LONG)
    assert {name: case for name, case in cases.items() if not case[1]} == {}
    assert {failed for failed, _ in cases.values()} == {True, False}


def test_the_longest_are_cases() -> None:
    assert set(LONG) < {case.name for case in table()}
