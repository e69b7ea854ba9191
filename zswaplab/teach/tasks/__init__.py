"""The exercises themselves: a file a notebook, a `Variant` an exercise. Their words are in `bank/exercises`."""

from ..variant import Variant
from . import notebook04, notebook06, notebook08

VARIANTS: dict[str, type[Variant]] = {**notebook04.VARIANTS, **notebook06.VARIANTS, **notebook08.VARIANTS}
