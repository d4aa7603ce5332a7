"""Edits of a performance that `render` and `edit` take by the same options."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from ddspvae.signals.checks import InputError, fail

if TYPE_CHECKING:
    from ddspvae.instrument.instrument import Instrument
    from ddspvae.signals import Performance


def apply_edits(performance: Performance, player: Instrument, args: Namespace) -> Performance:
    """The edits that the options name, in the order in which they do not disturb each other."""
    offsets = read_offsets(args, player)
    if getattr(args, "vibrato", 1.0) != 1.0:
        performance = performance.scale_vibrato(args.vibrato)
    if args.transpose:
        performance = performance.transpose(args.transpose)
    if getattr(args, "loudness", 0.0):
        performance = performance.change_loudness(args.loudness)
    if offsets:
        performance = performance.offset_z(offsets)
    if getattr(args, "stretch", 1.0) != 1.0:
        performance = performance.stretch(args.stretch)
    return performance


def read_offsets(args: Namespace, player: Instrument) -> dict[str, float]:
    """What --set asks for: standard deviations by name of axis."""
    offsets = {}
    for option in args.offsets:
        axis, _, value = option.partition("=")
        try:
            offsets[axis] = float(value)
        except ValueError as error:
            raise fail(args.verb, "--set", "look like brightness=+1.5", f"'{option}'") from error
        if axis in player.trimmed_axes:
            raise InputError(f"{args.verb}: {axis} was trimmed off {player.name} and stays at 0; "
                             "use the preset it came from.")
    return offsets
