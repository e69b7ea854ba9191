"""Which stage of the model a recorded kernel is: one table."""

from __future__ import annotations

from typing import Any

from ..model.errors import BadInput
from ..model.machine import Machine
from ..model.stages import STAGES, existed, make_stage
from .read import Recording

SYNCHRONOUS = ("/dev/ram", "/dev/zram")  # swap devices that a fault reads without the swap cache
SWITCHES = ("enabled", "same_filled_pages_enabled", "non_same_filled_pages_enabled")
# variant of the recording -> stage, form of exclusive loads, order at the end of a load (None: the stage's)
VARIANTS: dict[str, tuple[str, str, str | None]] = {
    "6.1": ("v6.1", "off", None),
    "6.4": ("v6.4", "off", None),
    "6.5": ("v6.5", "fixed", None),
    "s644": ("v6.4", "off", None),
    "base": ("base", "off", None),
    **{f"p{number}": (f"rfc2-{number}", "off", None) for number in range(1, 8)},
    "x1base": ("base", "v1", None),
    "x1p1": ("rfc2-1", "v1", None),
    "x1p2": ("rfc2-2", "v1", None),
    "x1p4": ("rfc2-4", "v1", None),
    "x1p7": ("rfc2-7", "v1", None),
    "x1p2fixA": ("rfc2-2", "v1", "move, invalidate, put"),
    "x1p2fixB": ("rfc2-2", "v1", "put, invalidate or move"),
    "x1p4fixA": ("rfc2-4", "v1", "move, invalidate, put"),
    "x1p4fixB": ("rfc2-4", "v1", "put, invalidate or move"),
    "x2base": ("base", "v2", None),
    "v3p1x2": ("1", "v2", None),
    "v3p4x2": ("4", "v2", None),
    "f65": ("v6.5", "fixed", None),
}


def machine_for(recording: Recording, stage: str | None = None) -> Machine:
    """A machine like the recorded one, in the stage of its kernel (or `stage`), fed with recorded pages.

    Raises BadInput for a kernel that no stage models, an unknown backend, or settings out of range.
    """
    parameters = recording.parameters
    id, form, load_end = variant_of(recording, stage)
    device = "synchronous" if recording.device.startswith(SYNCHRONOUS) else "ordinary"
    machine = Machine(
        stage=id, zpool=parameters["zswap.zpool"], exclusive_loads=form, load_end=load_end, device=device,
        compressor="recorded", ram_pages=parameters["totalram_pages"], swap_pages=recording.swap_pages,
        max_pool_percent=int(parameters["zswap.max_pool_percent"]),
        accept_threshold_percent=int(parameters["zswap.accept_threshold_percent"]),
    )  # fmt: skip
    machine.set(**{name: parameters.get(f"zswap.{name}", "Y") == "Y" for name in SWITCHES})
    return machine


def variant_of(recording: Recording, stage: str | None) -> tuple[str, str, str | None]:
    """Stage, form of exclusive loads ("off" where they were turned off) and order at the end of a load."""
    settings: dict[str, Any] = recording.settings
    config = settings.get("config")
    off = settings["params"].get("zswap.exclusive_loads") == "N"
    variant = settings.get("variant") or (config.get("kernel") if isinstance(config, dict) else None)
    if stage is not None:
        recorded = VARIANTS[variant][1] if isinstance(variant, str) and variant in VARIANTS else "off"
        return stage, "off" if off else form_at(stage, recorded), None
    if not isinstance(variant, str) or variant not in VARIANTS:
        raise BadInput(
            f"{recording.folder / 'counters.json'}: kernel {variant!r} is not one that a stage models "
            f"({', '.join(VARIANTS)}); name the stage to hold it against with --stage ({', '.join(STAGES)})"
        )
    id, form, load_end = VARIANTS[variant]
    return id, "off" if off else form, load_end


def form_at(stage: str, recorded: str) -> str:
    """The form of exclusive loads at another stage than the recorded kernel's: the same, or the one it had."""
    if recorded == "off":
        return "off"
    return next(form for form in (recorded, "fixed", "v2", "v1", "off") if existed(make_stage(stage, form)))
