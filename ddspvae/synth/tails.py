"""Rooms without torch: what their two numbers a band mean, and the impulse response that they make."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ddspvae.features.band_tables import N_FREQUENCIES, band_weights, even_steps
from ddspvae.signals.units import db_to_power
from ddspvae.synth.white import noise_key, white_samples

BAND_EDGES_HZ = (0.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0, 1e9)
N_ROOM_BANDS = len(BAND_EDGES_HZ) - 1
MAX_DECAY_S = 1.0
MIN_DECAY_S = 0.05
MAX_TAIL_ENERGY = 2.0  # a tail 3 dB louder than the direct sound, at the very most
TAIL_LENGTH_S = 1.0  # no shorter than the longest decay, or `level` would wait for a tail that never comes
PREDELAY_S = 0.002
RUNG_OUT, INAUDIBLE = 1e-6, 1e-12  # of the power, 60 and 120 dB down
TAIL_SEED = 20200426
QUIETEST_DRY = 1e-4  # of the asked power: where the tail alone is loud enough, the source fades to -40 dB, not to 0


@dataclass(frozen=True, eq=False)
class RoomTail:
    """The tail of one room: `synth.reverb.Room` in numpy.

    Args:
        energy: [J], power of the tail of a steady sound in the band, relative to the direct sound's.
        decay_s: [J], seconds until the tail has fallen by 60 dB.
    """

    energy: NDArray[np.float32]
    decay_s: NDArray[np.float32]

    @classmethod
    def learned(cls, energy: NDArray[np.float32], decay: NDArray[np.float32]) -> RoomTail:
        """From the numbers that a network learned, [J] each, whose logistic functions lie between the bounds."""
        rises, falls = (1 / (1 + np.exp(-number.astype(np.float64))) for number in (energy, decay))
        return cls((MAX_TAIL_ENERGY * rises).astype(np.float32),
                   (MIN_DECAY_S + (MAX_DECAY_S - MIN_DECAY_S) * falls).astype(np.float32))

    def changed(self, wet_db: float = 0.0, decay: float = 1.0) -> RoomTail:
        """The same room with its tail wet_db louder and ringing `decay` times as long, within MIN_ and MAX_DECAY_S."""
        return RoomTail(self.energy * np.float32(db_to_power(wet_db)),
                    (self.decay_s * np.float32(decay)).clip(MIN_DECAY_S, MAX_DECAY_S))

    def response(self, sample_rate: int) -> NDArray[np.float32]:
        """Direct sound, 1, and tail: [TAIL_LENGTH_S * sample_rate]."""
        bands = carriers(sample_rate)
        t_s = np.arange(bands.shape[-1], dtype=np.float32) / np.float32(sample_rate)
        rate = np.float32(math.log(1000)) / self.decay_s[:, None]  # power falls by 60 dB in decay_s
        shape = np.exp(-rate * (t_s - np.float32(PREDELAY_S))) * (t_s >= np.float32(PREDELAY_S))
        energy = np.square(shape).sum(-1, keepdims=True)  # divided out, so that `energy` alone says how wet the room is
        taps = (np.sqrt(self.energy[:, None] / energy) * shape * bands).sum(0).astype(np.float32)
        taps[0] += 1
        return taps

    def memory(self, sample_rate: int, hop_size: int) -> tuple[NDArray[np.float64], ...]:
        """What a frame's power leaves ringing, [J] each: keep, now, first; see `synth.level.Tail`."""
        energy = self.energy.astype(np.float64)
        keep = 10 ** (-6 * hop_size / sample_rate / self.decay_s.astype(np.float64))
        half = np.sqrt(keep)  # the frame's own share ends half a hop after its instant
        return keep, energy * (1 - half), energy * half * (1 - keep)


def ringing_s(response: NDArray[np.float32], sample_rate: int) -> float:
    """Seconds after a sound until all that the room still holds of it has fallen by 60 dB."""
    left = np.square(response.astype(np.float64))[::-1].cumsum()[::-1]
    return float((left > RUNG_OUT * left[0]).sum()) / sample_rate


def heard_part(response: NDArray[np.float32]) -> NDArray[np.float32]:
    """An impulse response [R, L] without its end where all that is left is 120 dB below the whole, [R, up to L]."""
    left = np.square(response.astype(np.float64)).sum(0)[::-1].cumsum()[::-1]
    return response[:, : max(int((left > INAUDIBLE * left[0]).sum()), 1)]


def band_masks(n_fft: int, sample_rate: int) -> NDArray[np.float32]:
    """Octave bands with raised-cosine flanks on a log axis, [J, n_fft // 2 + 1], amplitude; powers sum to 1 at every bin."""
    log_f = np.log2(even_steps(sample_rate / 2, n_fft // 2 + 1).clip(1.0))
    rise = np.ones((N_ROOM_BANDS + 1, len(log_f)), dtype=np.float32)
    rise[-1] = 0.0
    for edge in range(1, N_ROOM_BANDS):
        x = (log_f - np.float32(math.log2(BAND_EDGES_HZ[edge]))) / np.float32(0.5) + np.float32(0.5)  # half an octave
        rise[edge] = np.sin(x.clip(0, 1) * np.float32(math.pi / 2))
    return rise[:-1] * np.sqrt((1 - np.square(rise[1:])).clip(0))


@functools.lru_cache(maxsize=4)
def carriers(sample_rate: int) -> NDArray[np.float32]:
    """Steady noise [J, TAIL_LENGTH_S * sample_rate], one octave band each, the carrier of every tail."""
    n_taps = round(TAIL_LENGTH_S * sample_rate)
    n_fft = 2 ** n_taps.bit_length()
    masks = band_masks(n_fft, sample_rate)
    spectrum = np.fft.rfft(white_samples(noise_key(TAIL_SEED, 0), 0, n_fft))
    bands = np.fft.irfft(spectrum * masks, n=n_fft)[:, :n_taps].astype(np.float32)
    # A tail of energy E spread over a share w of the spectrum answers a tone in its band with power E / w.
    width = np.square(masks).mean(-1, keepdims=True)
    power = np.square(bands).mean(-1, keepdims=True).clip(1e-20)  # of nothing, in a band above Nyquist
    return bands / np.sqrt(power) * np.sqrt(width)


@functools.lru_cache(maxsize=8)
def noise_weights(n_bands: int, sample_rate: int) -> NDArray[np.float32]:
    """A-weighted power of each noise band at magnitude 1, in each of the room's bands, [K, J]."""
    room = np.searchsorted(np.array(BAND_EDGES_HZ[1:-1], dtype=np.float32), even_steps(sample_rate / 2, N_FREQUENCIES))
    return band_weights(n_bands, sample_rate) @ np.eye(N_ROOM_BANDS, dtype=np.float32)[room]
