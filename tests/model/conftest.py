"""A test that asks for a `kernel` runs on each that differs in what the test reads of its stage, and on no other.

What a test does on a kernel follows from its backend and from what is read of its stage. So the switches that are read
are noted; a kernel of which the test would read just the same is passed over.
"""

import inspect
from collections import defaultdict
from typing import Any

import pytest

from tests.model.kit import name, of_each_backend, on_every_backend, sound_kernels, switches
from zswaplab.model.stages import STAGES, Stage

noted: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)  # test, backend -> what it read of each kernel


@pytest.fixture(params=of_each_backend(on_every_backend(sound_kernels())))
def kernel(request: pytest.FixtureRequest) -> Any:
    """Arguments of Machine. A parameter has some kernels of a backend; the test gets one after the other."""
    return request.param


def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    test, given = pyfuncitem.obj, pyfuncitem.funcargs
    if not isinstance(given.get("kernel"), list):
        return None  # then pytest calls it
    others = {argument: given[argument] for argument in inspect.signature(test).parameters if argument != "kernel"}
    skipped = [run_on(test, kernel, others) for kernel in given["kernel"] if not is_known(test, kernel, others)]
    if skipped and all(skipped):
        pytest.skip(skipped[0])
    return True


def is_known(test: Any, kernel: dict[str, Any], others: dict[str, Any]) -> bool:
    """Whether the test would read of this kernel what it has read of another."""
    now = switches(kernel)
    return any(read.items() <= now.items() for read in noted[test, kernel["zpool"], *others.items()])


def run_on(test: Any, kernel: dict[str, Any], others: dict[str, Any]) -> str:
    """Run a test on one kernel and note what it reads; why it was skipped, if it was."""
    read: dict[str, Any] = {}
    noted[test, kernel["zpool"], *others.items()].append(read)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Stage, "__getattribute__", noting(read, switches(kernel)), raising=False)
        try:
            test(kernel=kernel, **others)
        except pytest.skip.Exception as skipped:
            return str(skipped)
        except BaseException as error:
            error.add_note(f"on kernel {name(kernel)}")
            raise
    assert read, "it reads nothing of its stage, so it needs no kernel"
    return ""


def noting(read: dict[str, Any], switches: dict[str, Any]) -> Any:
    """In place of Stage.__getattribute__: notes which switches are read of a machine's stage, not of the table's."""

    def get(stage: Stage, name: str) -> Any:
        value = object.__getattribute__(stage, name)
        if name in switches and STAGES[object.__getattribute__(stage, "id")] is not stage:
            read[name] = switches[name]
        return value

    return get
