"""A laboratory for zswap, Linux's compressed swap cache.

Every public name loads on first use: importing zswaplab alone is silent and costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zswaplab.model.machine import Machine
    from zswaplab.model.source import diff, source
    from zswaplab.model.stages import STAGES
    from zswaplab.run.history import record
    from zswaplab.run.policies import policy
    from zswaplab.run.search import explore
    from zswaplab.run.setup import Setup
    from zswaplab.show.compare import compare
    from zswaplab.show.lab import lab
    from zswaplab.show.player import play
    from zswaplab.show.scheduler import scheduler
    from zswaplab.show.sweeps import sweep
    from zswaplab.teach.goto import goto
    from zswaplab.teach.predict import predict
    from zswaplab.trace.conform import conform
    from zswaplab.trace.tables import replay, runs

__version__ = "0.1.0"

__all__ = [
    "STAGES", "Machine", "Setup", "compare", "conform", "diff", "explore", "goto", "lab", "play", "policy", "predict",
    "record", "replay", "runs", "scheduler", "source", "sweep",
]  # fmt: skip

_HOMES = {
    "Machine": "zswaplab.model.machine",
    "STAGES": "zswaplab.model.stages",
    "source": "zswaplab.model.source",
    "diff": "zswaplab.model.source",
    "Setup": "zswaplab.run.setup",
    "record": "zswaplab.run.history",
    "explore": "zswaplab.run.search",
    "policy": "zswaplab.run.policies",
    "sweep": "zswaplab.show.sweeps",
    "runs": "zswaplab.trace.tables",
    "replay": "zswaplab.trace.tables",
    "conform": "zswaplab.trace.conform",
    "play": "zswaplab.show.player",
    "lab": "zswaplab.show.lab",
    "compare": "zswaplab.show.compare",
    "scheduler": "zswaplab.show.scheduler",
    "predict": "zswaplab.teach.predict",
    "goto": "zswaplab.teach.goto",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'zswaplab' has no attribute {name!r}; it has {', '.join(__all__)}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
