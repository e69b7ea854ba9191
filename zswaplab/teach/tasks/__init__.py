"""The exercises themselves: a file a notebook, a `Variant` an exercise. Their words are in `bank/exercises`."""

from ..variant import Variant
from . import (
    notebook01,
    notebook03,
    notebook04,
    notebook05,
    notebook06,
    notebook08,
    notebook09,
    notebook10,
    notebook11,
    notebook12,
)  # fmt: skip

_NOTEBOOKS = (
    notebook01, notebook03, notebook04, notebook05, notebook06, notebook08, notebook09, notebook10, notebook11,
    notebook12,
)  # fmt: skip
VARIANTS: dict[str, type[Variant]] = {id: made for notebook in _NOTEBOOKS for id, made in notebook.VARIANTS.items()}
