"""Start JupyterLab for a test, as a reader would, and stop it afterwards."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


class Server:
    """A running JupyterLab."""

    def __init__(self, address: Mapping[str, Any]) -> None:
        self.root_dir = Path(address["root_dir"])
        self._url, self._token = address["url"], address["token"]

    def url(self, path: str) -> str:
        return f"{self._url}{path}?token={self._token}"

    def get(self, path: str) -> bytes:
        with urlopen(self.url(path), timeout=30) as answer:
            return bytes(answer.read())

    def ask(self, method: str, path: str, body: Any = None) -> None:
        """Send a request, with `body` as JSON, whose answer is of no interest."""
        data = None if body is None else json.dumps(body).encode()
        request = Request(self.url(path), data, {"Content-Type": "application/json"}, method=method)
        urlopen(request, timeout=30).close()

    def configure(self, plugin: str, **settings: Any) -> None:
        """Change JupyterLab's settings of one plugin, as its settings editor does."""
        self.ask("PUT", f"lab/api/settings/{plugin}", {"raw": json.dumps(settings)})

    def choose_theme(self, theme: str) -> None:
        self.configure("@jupyterlab/apputils-extension:themes", theme=f"JupyterLab {theme}")

    def shut_down_kernels(self) -> None:
        for session in json.loads(self.get("api/sessions")):
            self.ask("DELETE", f"api/sessions/{session['id']}")


@contextmanager
def running_lab(
    command: Sequence[str], folder: Path, scratch: Path, environment: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """Run a command that starts JupyterLab in `folder`; `scratch` stands in for the reader's settings."""
    scratch.mkdir(parents=True, exist_ok=True)
    own = {
        name: str(scratch / name.lower())
        for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    }
    log = scratch / "server.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**(os.environ if environment is None else environment), **own},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield Server(_address(process, Path(own["JUPYTER_RUNTIME_DIR"]), log))
    finally:
        _stop(process)


def _address(process: "subprocess.Popen[bytes]", runtime: Path, log: Path) -> Mapping[str, Any]:
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline and process.poll() is None:
        for file in runtime.glob("jpserver-*.json"):
            try:
                address = json.loads(file.read_text())
                Server(address).get("api/status")
            except (OSError, ValueError):
                continue
            return address
        time.sleep(0.2)
    raise AssertionError(f"JupyterLab did not start; it said:\n{log.read_text()[-4000:]}")


def _stop(process: "subprocess.Popen[bytes]") -> None:
    for stop in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, stop)
            process.wait(timeout=20)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue


@contextmanager
def opened_notebook(
    browser: "Browser", server: Server, name: str, sources: Sequence[str], *, height: int = 1000, keep: bool = False
) -> "Iterator[tuple[Page, Path]]":
    """A notebook of these code cells, none of which has run, in a workspace of its own; and its file.

    With `keep` JupyterLab stores the state of widgets in it. Afterwards its kernel has ended.
    """
    cells = [
        {"cell_type": "code", "id": f"c{number}", "metadata": {}, "outputs": [], "execution_count": None,
         "source": source}
        for number, source in enumerate(sources)
    ]  # fmt: skip
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    content = {"nbformat": 4, "nbformat_minor": 5, "metadata": kernel, "cells": cells}
    server.ask("PUT", f"api/contents/{name}", {"type": "notebook", "content": content})
    own = {
        "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},
        "@jupyter-widgets/jupyterlab-manager:plugin": {"saveState": keep},
    }
    for plugin, settings in own.items():
        server.configure(plugin, **settings)
    tab = browser.new_page(viewport={"width": 1400, "height": height})
    tab.set_default_timeout(120_000)  # a busy machine starts JupyterLab slowly
    tab.goto(server.url(f"lab/workspaces/{name.partition('.')[0]}/tree/{name}"))
    tab.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for()
    yield tab, server.root_dir / name
    tab.close()
    server.shut_down_kernels()
    for plugin in own:
        server.configure(plugin)
