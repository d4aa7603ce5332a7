"""The decoder without torch: from curves and z to what is played, a piece at a time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ddspvae.features.attributes import HIGHEST_HZ, N_PARTIALS, octaves_above, odd_or_even
from ddspvae.features.band_tables import band_weights, breath_shares
from ddspvae.kernels.spectrum import Form, Level, shape_frames
from ddspvae.kernels.stack import awaken, gate, normalize, spread
from ddspvae.kernels.stepping import EPSILON
from ddspvae.kernels.tiles import OUTPUTS, PRODUCTS, gate_tiles, mix_inputs, mix_taps
from ddspvae.model.form import (
    DB_PER_UNIT,
    DILATIONS,
    KERNEL,
    LOWEST_HZ,
    LOWEST_PITCH,
    MOST,
    MOST_SHARE,
    N_HATS,
    N_NODES,
    NAMED_AXES,
    NEWTON_STEPS,
    ONSET_FRAMES,
    PER_OCTAVE,
    PITCH_STEP,
    QUIETEST_DB,
    RISE_DB,
    SEMITONES_PER_UNIT,
    STEP_SEMITONES,
    TAPS,
    breath_tilt,
    frames_per_step,
    harmonic_knots,
    highest_read_hz,
    string_tilt,
)
from ddspvae.signals.units import hz_to_pitch
from ddspvae.synth.tails import BAND_EDGES_HZ, N_ROOM_BANDS, QUIETEST_DRY, RoomTail, noise_weights

if TYPE_CHECKING:
    from ddspvae.model.config import ModelConfig

Array = NDArray[np.float32]
FEW_STEPS = 128  # fewer are not worth laying out


@dataclass
class State:
    """What is remembered of one voice between pieces.

    Args:
        pasts: of the stack, [left, C] each.
        before, now: [1, C + E + N + G], the last two steps, see `Network._listen`; None before the first.
        curves: [ONSET_FRAMES, 3], of the last frames.
        ringing: [1, J], what the room still rings, as power.
    """

    pasts: list[Array]
    before: Array | None = None
    now: Array | None = None
    curves: Array = field(default_factory=lambda: np.zeros((ONSET_FRAMES, 3), np.float32))
    ringing: NDArray[np.float64] = field(default_factory=lambda: np.zeros((1, N_ROOM_BANDS)))


class Network:
    """The decoder of an instrument and the level of what it plays: `model.decoder.Decoder` without torch.

    Args:
        config: sizes of the model.
        weights: of the model by name, as a preset file has them.
    """

    def __init__(self, config: ModelConfig, weights: Mapping[str, Array]) -> None:
        self.config = config
        self._weights = {name.removeprefix("decoder."): np.ascontiguousarray(value, dtype=np.float32)
                         for name, value in weights.items() if name.startswith("decoder.")}
        knots = harmonic_knots(config.n_harmonics)
        self._weights.update(brought_forward(self._weights, knots))
        self.n_named = min(config.n_running, len(NAMED_AXES))
        n_bands, rate = config.n_noise_bands, config.sample_rate
        self._sizes = (len(self._weights["stack.norm.bias"]), N_NODES, n_bands, self.n_named, config.n_timbre)
        doubles, own = np.float64, self._weights
        highest_hz = highest_read_hz(own["typical.middle"][0], own["typical.half_range"][0])
        self._form = Form(
            tilt=string_tilt(config.n_harmonics) + own["harmonic_head.bias"] @ knots,
            octave=octaves_above(config.n_harmonics), odd=odd_or_even(config.n_harmonics),
            noise_tilt=breath_tilt(n_bands), is_breath=breath_shares(n_bands, rate),
            noise_weights=band_weights(n_bands, rate).sum(-1),
            noise_bands=np.ascontiguousarray(noise_weights(n_bands, rate).T),
            edges_hz=np.array(BAND_EDGES_HZ), middle=own["typical.middle"], half_range=own["typical.half_range"],
            coefficients=own["typical.coefficients"].astype(doubles), deviation=own["typical.deviation"],
            hats=np.array([LOWEST_PITCH, PITCH_STEP, N_HATS], doubles), nodes=np.array([LOWEST_HZ, PER_OCTAVE], doubles),
            reading=np.array([min(N_PARTIALS, config.n_harmonics), HIGHEST_HZ, highest_hz], doubles),
            most_tilt=np.array(MOST), most_share=np.array([MOST_SHARE]),
            onset=np.array([DB_PER_UNIT, SEMITONES_PER_UNIT, *RISE_DB, *STEP_SEMITONES]))

    def state(self) -> State:
        """Of a voice that has played nothing."""
        return State(stack_silence(self._weights))

    def level(self, tail: RoomTail | None) -> Level:
        """What the level must know of a room; None is dry."""
        nothing = np.zeros(N_ROOM_BANDS)
        if tail is None:
            return Level(nothing, nothing, nothing, QUIETEST_DRY)
        keep, now, first = tail.memory(self.config.sample_rate, self.config.hop_size)
        return Level(keep, now, first, QUIETEST_DRY)

    def play(self, f0_hz: Array, periodicity: Array, loudness_db: Array, z: Array, highest_hz: Array, level: Level,
             state: State, into: tuple[Array, Array] | None = None) -> tuple[Array, Array]:
        """The frames that follow; every piece but the last is as long as `model.decoder.Decoder.forward` wants it.

        Args:
            f0_hz, periodicity, loudness_db: [F]; z: [M, Z].
            highest_hz: [F], the highest f0 of the frames around each.
            level: of the room.
            state: of the voice; moved on.
            into: what is returned, where there is a place for it.
        Returns:
            heights [F, H] of the harmonics, and noise magnitudes [F, K].
        """
        curves = scale_curves(f0_hz, periodicity, loudness_db)
        n_frames, config = len(curves), self.config
        pace = frames_per_step(config.frames_per_z)
        every = math.gcd(pace, config.frames_per_z)
        stepped = curves[::pace]
        held = np.repeat(z, config.frames_per_z // every, axis=0)[:: pace // every][: len(stepped)]
        steps = self._listen(stepped, held, state.pasts)
        if state.now is None:
            state.now, state.curves = steps[:1], np.repeat(curves[:1], ONSET_FRAMES, axis=0)
        ends = np.concatenate([state.now, steps])
        parts = tuple(np.empty((n_frames, size), np.float32) for size in self._sizes)
        spread(ends, pace, *parts)
        seen = np.concatenate([state.curves, curves])
        state.before, state.now, state.curves = ends[-2:-1], ends[-1:], seen[-ONSET_FRAMES:]
        taps = np.lib.stride_tricks.sliding_window_view(seen[ONSET_FRAMES + 1 - TAPS :], TAPS, axis=0).reshape(n_frames, -1)
        hidden, nodes, noise_envelope, named, code = parts
        awaken(taps, self._weights["frame_taps"], hidden)
        spectrum = self._linear("spectrum_head", hidden)
        balance = self._linear("balance_head", np.tanh(self._linear("balance_layer", taps)) if self.n_named else hidden)
        heights, magnitudes = into or (np.empty((n_frames, config.n_harmonics), np.float32),
                                       np.empty((n_frames, config.n_noise_bands), np.float32))
        shape_frames(self._form, level, f0_hz, highest_hz, loudness_db, seen, ONSET_FRAMES + np.arange(n_frames), spectrum,
                     nodes, noise_envelope, named, code, balance, config.with_noise, ONSET_FRAMES, NEWTON_STEPS,
                     config.sample_rate / 2, np.zeros(n_frames, np.int64), state.ringing,
                     np.empty(config.n_harmonics + config.n_noise_bands + 4, np.float32), np.empty(2 * N_ROOM_BANDS + 4),
                     heights, magnitudes)
        return heights, magnitudes

    def _linear(self, name: str, x: Array) -> Array:
        return linear(self._weights, name, x)

    def _listen(self, curves: Array, z: Array, pasts: list[Array]) -> Array:
        """The stack on the curves and the axes without names, to what is faded from step to step.

        Args:
            curves: [n, 3]; z: [n, Z].
            pasts: of its layers, [left, C] each; moved on.
        Returns:
            [n, C + E + N + G]: what the frames' layer makes of it, envelopes, named axes, code.
        """
        named, others = z[:, : self.n_named], z[:, self.n_named :]
        hidden = gated_stack(self._weights, np.concatenate([curves, others], axis=1), pasts)
        envelope = self._linear("envelope_head", hidden)
        if "detail_head.weight" in self._weights:
            envelope += self._linear("detail_head", others[:, : others.shape[1] - self.config.n_timbre])
        return np.concatenate([self._linear("frame_layer", hidden), envelope, named,
                               z[:, z.shape[1] - self.config.n_timbre :]], axis=1)


def scale_curves(f0_hz: Array, periodicity: Array, loudness_db: Array) -> Array:
    """Curves [F] each as a network hears them, [F, 3]: `model.stack.scale_curves`."""
    pitch = (hz_to_pitch(f0_hz) - 60) / np.float32(SEMITONES_PER_UNIT)
    loudness = np.maximum(loudness_db, np.float32(QUIETEST_DB)) / np.float32(DB_PER_UNIT) + np.float32(1.5)
    return np.stack([pitch, periodicity * 2 - 1, loudness], axis=1).astype(np.float32)


def brought_forward(weights: Mapping[str, Array], knots: Array) -> dict[str, Array]:
    """What is linear may as well come before the fade from step to step, of which there are fewer than frames.

    Args:
        weights: of the decoder.
        knots: [N, H], how the N numbers of its head become harmonics.
    Returns:
        the frames' layer for the steps, and what it makes of a frame's own curves, "frame_taps"; one head for harmonics and
        noise, "spectrum_head" [H + K and a few, C], whose biases are the noise envelope's and (not here) the form's tilt.
        (A matrix whose rows are a multiple of eight takes 8 % less time than one with a few fewer.)
    """
    layer, noise_bias = weights["frame_layer.weight"].astype(np.float64), weights["noise_head.bias"]
    harmonics = knots.T.astype(np.float64) @ weights["harmonic_head.weight"]
    spectrum = np.concatenate([harmonics, weights["noise_head.weight"]])
    moved = {"frame_layer.bias": weights["frame_layer.bias"] + layer @ weights["frame_inlet.bias"],
             "frame_taps": (layer @ weights["frame_inlet.weight"]).T,
             "envelope_head.bias": weights["envelope_head.bias"] + np.pad(noise_bias, (N_NODES, 0)),
             "spectrum_head.weight": np.pad(spectrum, ((0, -len(spectrum) % 8), (0, 0)))}
    return {name: np.ascontiguousarray(value, dtype=np.float32) for name, value in moved.items()}


def linear(weights: Mapping[str, Array], name: str, x: Array) -> Array:
    """The layer of that name, of rows [n, C]."""
    y: Array = x @ weights[f"{name}.weight"].T
    bias = weights.get(f"{name}.bias")
    if bias is not None:
        y += bias
    return y


def gated_stack(weights: dict[str, Array], x: Array, pasts: list[Array]) -> Array:
    """`model.stack.GatedStack` of rows [n, C], after pasts [left, C'] of its layers, which are moved on."""
    inlet = linear(weights, "stack.inlet", x)
    (n_steps, n_channels), longest = inlet.shape, max(DILATIONS)
    left, beyond = (KERNEL - 1) * longest, -n_steps % (OUTPUTS * longest)
    seen = np.zeros((left + n_steps + beyond, n_channels), np.float32)  # what was before, these steps, and whole tiles
    hidden = seen[left : left + n_steps]
    hidden[:] = inlet
    gated = np.empty((n_steps + beyond, n_channels), np.float32)
    in_tiles = (PRODUCTS, len(gated) // OUTPUTS)
    tiles, products = (np.empty((*in_tiles, size), np.float32) for size in (n_channels, 2 * n_channels))
    for at, dilation in enumerate(DILATIONS):
        first = left - (KERNEL - 1) * dilation
        seen[first:left] = pasts[at]
        pasts[at] = seen[first + n_steps : left + n_steps].copy()
        if n_steps < FEW_STEPS:
            taps = np.concatenate([seen[first + tap * dilation :][:n_steps] for tap in range(KERNEL)], axis=1)
            gate(linear(weights, f"stack.layers.{at}.taps", taps), gated[:n_steps])
        else:
            _gate_many(weights, at, seen[first:], tiles, products, gated)
        hidden += linear(weights, f"stack.layers.{at}.out", gated[:n_steps])
    normalize(hidden, weights["stack.norm.weight"], weights["stack.norm.bias"], EPSILON)
    return hidden


def _gate_many(weights: dict[str, Array], at: int, seen: Array, tiles: Array, products: Array, gated: Array) -> None:
    """What a layer makes of many steps.

    Args:
        weights: of the stack; at: which layer.
        seen: [left + n, C], n a multiple of OUTPUTS times its dilation.
        tiles, products: [PRODUCTS, n / OUTPUTS, C] and [PRODUCTS, n / OUTPUTS, 2 C], to work in.
        gated: [n, C], filled.
    """
    name, dilation = f"stack.layers.{at}.taps", DILATIONS[at]
    if f"{name}.mixed" not in weights:  # not before it is needed: streams never do
        weights[f"{name}.mixed"] = mix_taps(weights[f"{name}.weight"])
    mix_inputs(seen, dilation, tiles)
    gate_tiles(np.matmul(tiles, weights[f"{name}.mixed"], out=products), weights[f"{name}.bias"], dilation, gated)


def stack_silence(weights: Mapping[str, Array]) -> list[Array]:
    """What the layers of a stack remember that has heard nothing."""
    n_channels = len(weights["stack.inlet.bias"])
    return [np.zeros(((KERNEL - 1) * dilation, n_channels), np.float32) for dilation in DILATIONS]
