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
        before, now: [1, C + E + N + G], the last two steps, see `Network.heads`; None before the first.
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
        self._weights.update(brought_forward(self._weights))
        self.n_named = min(config.n_running, len(NAMED_AXES))
        n_bands, rate = config.n_noise_bands, config.sample_rate
        self._sizes = (len(self._weights["stack.norm.bias"]), N_NODES, n_bands, self.n_named, config.n_timbre)
        self._knots = harmonic_knots(config.n_harmonics) if len(self._weights["harmonic_head.weight"]) < config.n_harmonics \
            else None
        doubles, own = np.float64, self._weights
        highest_hz = highest_read_hz(own["typical.middle"][0], own["typical.half_range"][0])
        self._form = Form(
            tilt=string_tilt(config.n_harmonics), octave=octaves_above(config.n_harmonics),
            odd=odd_or_even(config.n_harmonics),
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
             state: State) -> tuple[Array, Array]:
        """The frames that follow; every piece but the last is as long as `model.decoder.Decoder.forward` wants it.

        Args:
            f0_hz, periodicity, loudness_db: [F]; z: [M, Z].
            highest_hz: [F], the highest f0 of the frames around each.
            level: of the room.
            state: of the voice; moved on.
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
        return self.heads(f0_hz, loudness_db, highest_hz, parts, taps, seen, ONSET_FRAMES + np.arange(n_frames), level,
                          np.zeros(n_frames, np.int64), state.ringing)

    def _linear(self, name: str, x: Array) -> Array:
        return linear(self._weights, name, x)

    def _listen(self, curves: Array, z: Array, pasts: list[Array]) -> Array:
        """The stack on the curves and the axes without names, to what is faded from step to step.

        Args:
            curves: [n, 3]; z: [n, Z].
            pasts: of its layers, [left, C] each; moved on.
        Returns:
            [n, C + E + N + G], see `heads`.
        """
        named, others = z[:, : self.n_named], z[:, self.n_named :]
        hidden = gated_stack(self._weights, np.concatenate([curves, others], axis=1), pasts)
        envelope = self._linear("envelope_head", hidden)
        if "detail_head.weight" in self._weights:
            envelope += self._linear("detail_head", others[:, : others.shape[1] - self.config.n_timbre])
        return np.concatenate([self._linear("frame_layer", hidden), envelope, named,
                               z[:, z.shape[1] - self.config.n_timbre :]], axis=1)

    def heads(self, f0_hz: Array, loudness_db: Array, highest_hz: Array, parts: tuple[Array, ...], taps: Array,
              curves: Array, rows: NDArray[np.int64], level: Level, voices: NDArray[np.int64], ringing: NDArray[np.float64]
              ) -> tuple[Array, Array]:
        """From the stack's output to what is played; F frames of one voice, or one frame of each of F voices.

        Args:
            f0_hz, loudness_db, highest_hz: [F].
            parts: of the steps: what the frames' layer makes of the stack, which is written over, nodes, noise envelope,
                named axes, code.
            taps: [F, 3 * TAPS], the last curves of each frame: pitches, then periodicities, then loudnesses.
            curves, rows: scaled curves [n, 3], and where each frame is in them, with ONSET_FRAMES before it.
            voices, ringing: which row of ringing [V, J] each frame finds and leaves.
        Returns:
            heights [F, H] of the harmonics, and noise magnitudes [F, K].
        """
        n_frames, config = len(f0_hz), self.config
        hidden, nodes, noise_envelope, named, code = parts
        awaken(taps, self._weights["frame_taps"], hidden)
        logits = self._linear("harmonic_head", hidden)
        if self._knots is not None:
            logits = logits @ self._knots
        noise_logs = self._linear("noise_head", hidden)
        noise_logs += noise_envelope
        balance = self._linear("balance_head", np.tanh(self._linear("balance_layer", taps)) if self.n_named else hidden)
        heights = np.empty((n_frames, config.n_harmonics), np.float32)
        magnitudes = np.empty((n_frames, config.n_noise_bands), np.float32)
        shape_frames(self._form, level, f0_hz, highest_hz, loudness_db, curves, rows, logits, nodes, noise_logs, named, code,
                     balance, config.with_noise, ONSET_FRAMES, NEWTON_STEPS, config.sample_rate / 2, voices, ringing,
                     np.empty(config.n_harmonics + config.n_noise_bands + 4, np.float32), np.empty(2 * N_ROOM_BANDS + 4),
                     heights, magnitudes)
        return heights, magnitudes


def scale_curves(f0_hz: Array, periodicity: Array, loudness_db: Array) -> Array:
    """Curves [F] each as a network hears them, [F, 3]: `model.stack.scale_curves`."""
    pitch = (hz_to_pitch(f0_hz) - 60) / np.float32(SEMITONES_PER_UNIT)
    loudness = np.maximum(loudness_db, np.float32(QUIETEST_DB)) / np.float32(DB_PER_UNIT) + np.float32(1.5)
    return np.stack([pitch, periodicity * 2 - 1, loudness], axis=1).astype(np.float32)


def brought_forward(weights: Mapping[str, Array]) -> dict[str, Array]:
    """The frames' layer for the stack's steps, which are fewer, and what it makes of a frame's own curves, "frame_taps".

    It is linear and so is the fade from step to step, so it may as well come before it.
    """
    layer = weights["frame_layer.weight"].astype(np.float64)
    return {"frame_layer.bias": (weights["frame_layer.bias"] + layer @ weights["frame_inlet.bias"]).astype(np.float32),
            "frame_taps": np.ascontiguousarray((layer @ weights["frame_inlet.weight"]).T, dtype=np.float32)}


def linear(weights: Mapping[str, Array], name: str, x: Array) -> Array:
    """The layer of that name, of rows [n, C]."""
    y: Array = x @ weights[f"{name}.weight"].T
    bias = weights.get(f"{name}.bias")
    if bias is not None:
        y += bias
    return y


def gated_stack(weights: dict[str, Array], x: Array, pasts: list[Array]) -> Array:
    """`model.stack.GatedStack` of rows [n, C], after pasts [left, C'] of its layers, which are moved on."""
    hidden = linear(weights, "stack.inlet", x)
    gated, n_steps = np.empty_like(hidden), len(hidden)
    for at, dilation in enumerate(DILATIONS):
        if n_steps < FEW_STEPS:
            seen = np.concatenate([pasts[at], hidden])
            taps = np.concatenate([seen[tap * dilation :][:n_steps] for tap in range(KERNEL)], axis=1)
            gate(linear(weights, f"stack.layers.{at}.taps", taps), gated)
        else:
            nothing = np.zeros((-n_steps % (OUTPUTS * dilation), hidden.shape[1]), np.float32)
            seen = np.concatenate([pasts[at], hidden, nothing])
            gated = _gate_many(weights, at, seen)[:n_steps]
        pasts[at] = seen[n_steps : n_steps + len(pasts[at])].copy()
        hidden = hidden + linear(weights, f"stack.layers.{at}.out", gated)
    normalize(hidden, weights["stack.norm.weight"], weights["stack.norm.bias"], EPSILON)
    return hidden


def _gate_many(weights: dict[str, Array], at: int, seen: Array) -> Array:
    """Of a layer the gated outputs [n, C] of many steps; seen: [left + n, C], n a multiple of OUTPUTS times its dilation."""
    name, dilation = f"stack.layers.{at}.taps", DILATIONS[at]
    if f"{name}.mixed" not in weights:  # not before it is needed: streams never do
        weights[f"{name}.mixed"] = mix_taps(weights[f"{name}.weight"])
    n_steps = len(seen) - (KERNEL - 1) * dilation
    tiles = np.empty((PRODUCTS, n_steps // OUTPUTS, seen.shape[1]), np.float32)
    mix_inputs(seen, dilation, tiles)
    gated = np.empty((n_steps, seen.shape[1]), np.float32)
    gate_tiles(tiles @ weights[f"{name}.mixed"], weights[f"{name}.bias"], dilation, gated)
    return gated


def stack_silence(weights: Mapping[str, Array]) -> list[Array]:
    """What the layers of a stack remember that has heard nothing."""
    n_channels = len(weights["stack.inlet.bias"])
    return [np.zeros(((KERNEL - 1) * dilation, n_channels), np.float32) for dilation in DILATIONS]
