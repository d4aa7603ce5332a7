"""Four halls that exist nowhere: stereo impulse responses from their sizes and reverberation times, made when asked for."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ddspvae.signals.checks import check_choice, check_range
from ddspvae.signals.units import db_to_amplitude
from ddspvae.synth.tails import band_masks
from ddspvae.synth.white import noise_key, white_samples

SPEED_OF_SOUND = 343.0  # m / s
MICROPHONES_M = 0.4  # apart
HALL_SEED = 20261129
# reverberation time in octaves from below 250 Hz to above 8 kHz, beside that at 500 to 1000 Hz: walls and air take the top
DECAY_SHAPE = (1.15, 1.08, 1.0, 0.94, 0.82, 0.6, 0.38)
SHORTEST_S, LONGEST_S = 0.1, 8.0
RUNG_OUT_DB = 60.0


@dataclass(frozen=True)
class Hall:
    """A rectangular room.

    Args:
        size_m: length, width and height.
        decay_s: reverberation time (60 dB) in the middle octaves.
        distance_m: from the player to the microphones.
    """

    size_m: tuple[float, float, float]
    decay_s: float
    distance_m: float


HALLS: Mapping[str, Hall] = {
    "studio": Hall((7.0, 5.5, 3.2), 0.35, 1.5), "chamber": Hall((19.0, 11.0, 7.5), 1.1, 4.0),
    "hall": Hall((46.0, 22.0, 17.0), 2.0, 8.0), "church": Hall((58.0, 21.0, 20.0), 4.2, 9.0)}


@functools.lru_cache(maxsize=2)
def hall_response(name: str, sample_rate: int, wet_db: float = 0.0, decay: float = 1.0) -> NDArray[np.float32]:
    """The impulse response of a hall, as a pair of microphones hears a player in its middle axis.

    The first reflections are those of the walls (image sources), until there are too many to tell apart; then noise, which
    falls in each octave as the reverberation time says. How loud the room is beside the direct sound follows from size,
    time and distance.

    Args:
        name: of HALLS.
        sample_rate: Hz.
        wet_db: all but the direct sound louder (+) or softer.
        decay: the reverberation time so many times as long.
    Returns:
        [2, L]; the direct sound is 1 at the first sample of both channels.
    Raises:
        InputError: no such hall, or a change out of range.
    Source: Allen & Berkley, "Image method", 1979; Barron & Lee, "Energy relations in concert auditoriums", 1988.
    """
    check_choice("hall_response", "room", name, HALLS)
    check_range("hall_response", "wet_db", wet_db, -60, 20)
    check_range("hall_response", "decay", decay, 0.05, 20)
    hall = HALLS[name]
    decays_s = np.clip(hall.decay_s * decay * np.array(DECAY_SHAPE), SHORTEST_S, LONGEST_S)
    n_taps = round(decays_s.max() * sample_rate)
    n_fft = 2 ** (n_taps - 1).bit_length() * 2
    masks = band_masks(n_fft, sample_rate)
    mixed_s = np.sqrt(np.prod(hall.size_m)) / 1000  # seconds from which reflections overlap
    reflections = _reflections(hall, decays_s, mixed_s, n_taps, sample_rate)
    taps = np.stack([_filtered(reflections[channel], masks, n_fft)[:n_taps] + _tail(hall, decays_s, mixed_s, n_taps, masks,
                     sample_rate, channel) for channel in range(2)])
    taps *= db_to_amplitude(wet_db)
    taps[:, 0] = 1.0
    return taps.astype(np.float32)


def _filtered(bands: NDArray, masks: NDArray, n_fft: int) -> NDArray:
    """Signals [J, T], each in its octave, added."""
    return np.asarray(np.fft.irfft((np.fft.rfft(bands, n_fft) * masks).sum(0), n_fft))


def _reflections(hall: Hall, decays_s: NDArray, mixed_s: float, n_taps: int, sample_rate: int) -> NDArray:
    """Image sources that arrive before the tail has taken over, [2, J, L], beside a direct sound of 1."""
    size = np.array(hall.size_m)
    surface = 2 * (size[0] * size[1] + size[1] * size[2] + size[0] * size[2])
    absorbed = np.minimum(0.161 * np.prod(size) / (surface * decays_s), 0.95)  # Sabine
    kept = np.sqrt(1 - absorbed)  # of the amplitude, at each wall
    player = np.array([0.35 * size[0], 0.5 * size[1] + 0.37, 1.4])
    middle = player + np.array([hall.distance_m, 0.0, 0.4])
    direct_m = float(np.linalg.norm(middle - player))
    reach = int(np.ceil((mixed_s * SPEED_OF_SOUND + direct_m) / (2 * size.min()))) + 1
    counts = np.stack(np.meshgrid(*[np.arange(-reach, reach + 1)] * 3, indexing="ij"), -1).reshape(-1, 3)
    bounced = np.zeros((2, len(decays_s), n_taps))
    for mirrored in np.array(np.meshgrid(*[[0, 1]] * 3)).T.reshape(-1, 3):
        images = (1 - 2 * mirrored) * player + 2 * counts * size
        order = np.abs(2 * counts - mirrored).sum(1)
        for channel, side in enumerate((-0.5, 0.5)):
            ear = middle + np.array([0.0, side * MICROPHONES_M, 0.0])
            away_m = np.linalg.norm(images - ear, axis=1)
            late_s = (away_m - np.linalg.norm(player - ear)) / SPEED_OF_SOUND
            is_heard = (order > 0) & (late_s < mixed_s) & (late_s > 0)
            fade = np.cos(np.pi / 2 * late_s[is_heard] / mixed_s)  # into the tail
            at = np.round(late_s[is_heard] * sample_rate).astype(int)
            inside = (at > 0) & (at < n_taps)
            amplitude = fade * direct_m / away_m[is_heard] * kept[:, None] ** order[is_heard]
            for band in range(len(decays_s)):
                np.add.at(bounced[channel, band], at[inside], amplitude[band][inside])
    return bounced


def _tail(hall: Hall, decays_s: NDArray, mixed_s: float, n_taps: int, masks: NDArray, sample_rate: int, channel: int
          ) -> NDArray:
    """Noise that falls as each octave does, fading in while the reflections fade out, [L]."""
    n_fft = 2 * (masks.shape[-1] - 1)
    spectrum = np.fft.rfft(white_samples(noise_key(HALL_SEED, channel), 0, n_fft))
    noise = np.fft.irfft(spectrum * masks, n_fft)[:, :n_taps]
    t_s = np.arange(n_taps) / sample_rate
    # power of the reverberant sound beside that of the direct sound, at t = 0, and spread over the time that it takes
    volume = float(np.prod(hall.size_m))
    wet = 31_200 * decays_s / volume / (100 / hall.distance_m**2)
    per_sample = wet * 13.8 / decays_s / sample_rate
    falls = np.exp(-6.9 * t_s / decays_s[:, None]) * np.sqrt(per_sample)[:, None]
    begins = np.sin(np.pi / 2 * np.clip(t_s / mixed_s, 0, 1))
    return np.asarray((noise * falls).sum(0) * begins)
