"""What an encoder hears in a take, without torch: `model.autoencoder.Autoencoder.encode`, and the means as z."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ddspvae.engine.network import Network, gated_stack, linear, scale_curves, stack_silence
from ddspvae.features.attributes import N_PARTIALS, octaves_above, odd_or_even
from ddspvae.features.band_tables import N_NOISE_BANDS, band_centres, band_weights, triangles
from ddspvae.features.listening_tables import hann_window
from ddspvae.features.segments import VOICED
from ddspvae.features.spectrum_tables import HIGHEST_HZ
from ddspvae.features.weighting import a_weighting
from ddspvae.kernels.envelopes import left_over
from ddspvae.kernels.named_axes import read_onsets, read_typical
from ddspvae.model.form import (
    COUNTS_DB,
    DB_PER_UNIT,
    LEAST_LEVEL,
    LEAST_TOLD,
    LIMIT,
    LOWEST_HZ,
    LOWEST_PITCH,
    MOST_LEFT,
    N_HATS,
    N_NODES,
    ONSET_FRAMES,
    OUTSIDE,
    PER_OCTAVE,
    PITCH_STEP,
    RISE_DB,
    SEMITONES_PER_UNIT,
    STEP_SEMITONES,
    TELLS_DB,
    row_middle,
)
from ddspvae.signals import Features

if TYPE_CHECKING:
    from ddspvae.model.config import ModelConfig

Array = NDArray[np.float32]
LEAST_BITS, TINY, LEAST_POWER = 1e-3, 1e-12, 1e-14


class Listener:
    """The encoder of an instrument, and the decoder that says what is left for it to hear.

    Args:
        config: of a model that `can_listen`.
        weights: of the model by name, as a preset file has them.
    """

    def __init__(self, config: ModelConfig, weights: Mapping[str, Array]) -> None:
        self.config, self._decoder = config, Network(config, weights)
        self._weights = {name: np.ascontiguousarray(value, dtype=np.float32) for name, value in weights.items()}
        self._encoder = {name.removeprefix("encoder."): value for name, value in self._weights.items()
                         if name.startswith("encoder.")}
        self._n_named = self._decoder.n_named

    def hear(self, features: Features) -> Array:
        """The z of a take [M, Z]: the axes with names, read in closed form; then what the encoder hears beside them."""
        curves = scale_curves(features.f0_hz, features.periodicity, features.loudness_db)
        named = self._read_named(features, curves)
        blank = np.zeros((len(named), self.config.n_running - self._n_named), np.float32)
        left = self._left(features, np.concatenate([named, blank], axis=1))
        step, own = self.config.frames_per_z, self._encoder
        rows, told = rows_around(left, step), rows_around(curves, step)
        mean = linear(own, "head", gated_stack(own, rows, stack_silence(own)))[:, : blank.shape[1]]
        mean += linear(own, "principal", rows)
        hidden = np.tanh(linear(self._weights, "expected.hidden.0", told))
        mean -= linear(self._weights, "expected.mean", np.tanh(linear(self._weights, "expected.hidden.2", hidden)))
        return np.concatenate([named, mean], axis=1)

    def _read_named(self, features: Features, curves: Array) -> Array:
        """`model.typical.Typical.read`, and as much of it as its bits can say: [M, n_named]."""
        own, step, n_frames = self._weights, self.config.frames_per_z, len(curves)
        onset, typical = np.empty(n_frames), np.empty((n_frames, len(own["decoder.typical.deviation"])))
        before = np.concatenate([np.repeat(curves[:1], ONSET_FRAMES, axis=0), curves])
        read_onsets(before, ONSET_FRAMES, np.array([DB_PER_UNIT, SEMITONES_PER_UNIT]), np.array(RISE_DB),
                    np.array(STEP_SEMITONES), onset)
        read_typical(features.f0_hz, features.loudness_db, own["decoder.typical.middle"], own["decoder.typical.half_range"],
                     own["decoder.typical.coefficients"].astype(np.float64),
                     np.array([LOWEST_PITCH, PITCH_STEP, N_HATS]), np.zeros(0, np.float32), typical)
        shares, breath = features.partials[:, :N_PARTIALS], features.partials[:, N_PARTIALS]
        bright, hollow = shares @ octaves_above(N_PARTIALS), shares @ odd_or_even(N_PARTIALS)
        deviations = (np.stack([bright, breath, hollow, breath], axis=1) - typical) / own["decoder.typical.deviation"]
        sure = (features.periodicity >= VOICED) & (features.loudness_db > own["decoder.typical.loud_db"] - TELLS_DB)
        always = np.ones_like(onset)
        # a frame that is half an onset tells of neither
        tells = np.maximum(np.stack([always, 1 - 2 * onset, always, 2 * onset - 1], axis=1), 0) * sure[:, None]
        total, count = rows_around(tells * deviations, step), rows_around(tells, step)
        seen = (count > LEAST_TOLD)[:, : self._n_named]
        heard = (total / np.maximum(count, 1e-3)).clip(-LIMIT, LIMIT)[:, : self._n_named] * seen
        bits = np.logaddexp(0, own["named_bits"].item()) - own["coarseness"].item() / (2 * math.log(2))
        noise = np.exp(-2 * math.log(2) * max(bits, LEAST_BITS) * seen)
        return np.asarray(heard * (1 - noise + TINY) * seen, dtype=np.float32)

    def _left(self, features: Features, z: Array) -> Array:
        """What pitch, loudness and the named axes do not explain of the measured spectrum, [F, N_NODES + K], nepers."""
        config, f0_hz, loudness_db = self.config, features.f0_hz, features.loudness_db
        n_harmonics, n_bands = config.n_harmonics, config.n_noise_bands
        nothing = np.zeros(len(f0_hz), np.float32)  # of what is above Nyquist: all of it counts here
        explained = self._decoder.play(f0_hz, features.periodicity, loudness_db, z, nothing, self._decoder.level(None),
                                       self._decoder.state())
        heights = np.zeros((len(f0_hz), n_harmonics), np.float32)
        measured = features.spectrum[:, N_NOISE_BANDS : N_NOISE_BANDS + n_harmonics]
        heights[:, : measured.shape[1]] = measured
        noise = np.square(features.spectrum[:, :N_NOISE_BANDS])
        if n_bands != N_NOISE_BANDS:
            noise = noise @ triangles(band_centres(N_NOISE_BANDS), band_centres(n_bands))
        weights = a_weighting(f0_hz[:, None] * np.arange(1, n_harmonics + 1, dtype=np.float32)) / 2
        band_weight = band_weights(n_bands, config.sample_rate).sum(axis=1)
        powers = []
        for power, noise_power in ((np.square(heights), noise), tuple(map(np.square, explained))):
            total = np.maximum(np.einsum("fh,fh->f", power, weights) + noise_power @ band_weight, LEAST_POWER)[:, None]
            powers.append((power / total + np.float32(LEAST_LEVEL), noise_power / total + np.float32(LEAST_LEVEL)))
        levels, noise_levels = (np.log(here / there) / 2 for here, there in zip(*powers))
        highest_hz = np.float32(min(HIGHEST_HZ, 0.45 * config.sample_rate) - 1e-3)
        n_heard = np.floor(highest_hz / f0_hz).clip(1, n_harmonics).astype(np.int64)
        loud_db = self._weights["decoder.typical.loud_db"].item()
        counts = ((loudness_db - (loud_db - COUNTS_DB[1])) / (COUNTS_DB[1] - COUNTS_DB[0])).clip(0, 1).astype(np.float32)
        left = np.empty((len(f0_hz), N_NODES + n_bands), np.float32)
        frequency_hz = (LOWEST_HZ * 2 ** (np.arange(N_NODES) / PER_OCTAVE)).astype(np.float32)
        left_over(levels, noise_levels, f0_hz, n_heard, counts, np.float32(MOST_LEFT), np.float32(OUTSIDE), frequency_hz,
                  octaves_above(n_harmonics), left)
        return left


def rows_around(frames: NDArray[np.floating], frames_per_z: int) -> Array:
    """`model.stack.rows_around` the frames that rows describe: [F, C] to [ceil(F / frames_per_z), C]."""
    n_frames, middle = len(frames), row_middle(frames_per_z)
    n_rows = -(-n_frames // frames_per_z)
    window = hann_window(2 * frames_per_z)[1:]
    window = window / window.sum()
    rows = np.zeros((n_rows, frames.shape[1]), np.float32)
    for tap, share in enumerate(window):
        at = np.arange(n_rows) * frames_per_z + (middle - frames_per_z + 1 + tap)
        rows += share * frames[at.clip(0, n_frames - 1)]
    return rows
