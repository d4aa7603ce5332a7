"""The weights that play, and those that listen, by name and size."""

from __future__ import annotations

from ddspvae.model.by_room import N_ROOM_TERMS
from ddspvae.model.config import ModelConfig
from ddspvae.model.form import (
    DILATIONS,
    KERNEL,
    N_BALANCE,
    N_EXPECTED,
    N_HATS,
    N_NODES,
    N_POWERS,
    NAMED_AXES,
    TAPS,
    harmonic_knots,
)
from ddspvae.synth.tails import N_ROOM_BANDS


def player_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """What the weights that play must be named, and how large they must be."""
    wide, n_named, n_bands = config.decoder_channels, min(config.n_running, len(NAMED_AXES)), config.n_noise_bands
    n_envelope, n_knots = N_NODES + n_bands, len(harmonic_knots(config.n_harmonics))
    layers = {"stack.inlet": (wide, 3 + config.n_z - n_named), "envelope_head": (n_envelope, wide),
              "frame_inlet": (wide, 3 * TAPS), "frame_layer": (wide, wide), "harmonic_head": (n_knots, wide),
              "noise_head": (n_bands, wide), "balance_layer": (N_BALANCE, 3 * TAPS),
              "balance_head": (3, N_BALANCE if n_named else wide)}
    layers |= _stack_layers(wide)
    shapes: dict[str, tuple[int, ...]] = {f"{name}.weight": shape for name, shape in layers.items()}
    shapes |= {f"{name}.bias": shape[:1] for name, shape in layers.items()}
    if (n_detail := config.n_running - n_named) > 0:
        shapes["detail_head.weight"] = (n_envelope, n_detail)
    shapes |= {"stack.norm.weight": (wide,), "stack.norm.bias": (wide,), "typical.middle": (2,), "typical.half_range": (2,),
               "typical.coefficients": (1 + config.n_timbre, N_POWERS + 2 * N_HATS, len(NAMED_AXES)),
               "typical.deviation": (len(NAMED_AXES),)}
    if config.n_rooms_apart:
        shapes |= {"room_inlet": (config.n_rooms_apart, wide), "room_envelope": (config.n_rooms_apart, n_envelope),
                   "typical.of_rooms": (config.n_rooms_apart, N_ROOM_TERMS, len(NAMED_AXES))}
    rooms = {name: (len(config.rooms), N_ROOM_BANDS) for name in ("room_energy", "room_decay")}
    return {**{f"decoder.{name}": shape for name, shape in shapes.items()}, **rooms}


def listener_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """What else the weights that listen must be named, and how large they must be, of a model that `can_listen`."""
    wide, n_left = config.encoder_channels, N_NODES + config.n_noise_bands
    n_unnamed = config.n_running - len(NAMED_AXES)
    layers = {"encoder.stack.inlet": (wide, n_left), "encoder.head": (2 * n_unnamed, wide),
              "expected.hidden.0": (N_EXPECTED, 3), "expected.hidden.2": (N_EXPECTED, N_EXPECTED),
              "expected.mean": (n_unnamed, N_EXPECTED)}
    layers |= {f"encoder.{name}": shape for name, shape in _stack_layers(wide).items()}
    shapes: dict[str, tuple[int, ...]] = {f"{name}.weight": shape for name, shape in layers.items()}
    shapes |= {f"{name}.bias": shape[:1] for name, shape in layers.items()}
    return {**shapes, "encoder.principal.weight": (n_unnamed, n_left), "encoder.stack.norm.weight": (wide,),
            "encoder.stack.norm.bias": (wide,), "named_bits": (), "coarseness": (), "decoder.typical.loud_db": ()}


def _stack_layers(wide: int) -> dict[str, tuple[int, int]]:
    """Of a gated stack, without its inlet."""
    layers: dict[str, tuple[int, int]] = {}
    for at in range(len(DILATIONS)):
        layers |= {f"stack.layers.{at}.taps": (2 * wide, KERNEL * wide), f"stack.layers.{at}.out": (wide, wide)}
    return layers
