"""What a synthesizer of harmonics and noise would have to play to sound like a take: both, measured in the take itself.

Every harmonic is turned down to 0 Hz along the phase of f0 and low-passed; what is left of the take when all of them are
taken off is noise. Phases are thrown away. The noise that lies near a harmonic is taken off with it: how much that is
follows from the low-pass, so it is given back to the noise, and taken from the harmonic.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ddspvae.audio import Audio
from ddspvae.features.band_tables import N_NOISE_BANDS
from ddspvae.features.bands import band_shapes
from ddspvae.kernels.compiler import HAS_COMPILER
from ddspvae.signals.low_pass import low_pass
from ddspvae.signals.units import samples_to_frames
from ddspvae.threads import one_thread

if TYPE_CHECKING:
    from ddspvae.features.compiled_spectrum import Measure

VERSION = 2  # part of a cache key: raise it with every change of the result
HIGHEST_HZ = 16_000.0  # of a harmonic
MOST_HARMONICS = 400
BANDWIDTHS_HZ = (80.0, 40.0, 20.0, 10.0)  # each for pitches whose neighbours lie far enough away
NEAREST = 0.3  # of f0: the widest band that keeps a harmonic, and the noise between, apart from the next
SMOOTH_S = 0.08  # over which a harmonic is compared with the noise around it
LEAST_OF_HARMONIC = 0.05  # of its power: what is left where all is noise
SLOW_RATE_HZ = 2000.0  # after the first of two low-passes
FILTER_S = 2.56  # length of the second, times its bandwidth
NOISE_WINDOW_S = 0.0213
HOLE_STEP_HZ, HOLE_STEPS = 2.0, 200  # of a table of what is missing around a harmonic
LEAST_LEFT = 0.4  # of a band's noise: in a deeper hole, below a loud harmonic, noise is neither measured well nor heard
BLOCK_FRAMES = 1048  # with what is around them, at 48 kHz, whole tiles of compiled loops


@one_thread()
def measure_spectrum(audio: Audio, sample_rate: int, hop_size: int, f0_hz: NDArray[np.floating],
                     n_harmonics: int | None = None) -> NDArray[np.float32]:
    """Magnitudes of noise bands and amplitudes of harmonics around each frame's instant.

    Args:
        audio: [T], full scale +-1.
        sample_rate: Hz.
        hop_size: samples per frame.
        f0_hz: [F], F = ceil(T / hop_size), Hz.
        n_harmonics: H; None takes all that lie below 16 kHz anywhere, MOST_HARMONICS at most.
    Returns:
        [F, N_NOISE_BANDS + H]: magnitudes as `synth.noise.filtered_noise` takes them, then amplitudes as
        `synth.harmonic.harmonic` multiplies them out; 0 for harmonics above 16 kHz or 0.45 of the sample rate.
    Source: Serra & Smith, "Spectral modeling synthesis", Computer Music Journal, 1990, for the split.
    """
    n_frames = samples_to_frames(len(audio), hop_size)
    f0_hz = np.asarray(f0_hz, dtype=float)[:n_frames]
    highest_hz = min(HIGHEST_HZ, 0.45 * sample_rate)
    if n_harmonics is None:
        n_harmonics = int(np.clip(highest_hz / f0_hz.min(), 1, MOST_HARMONICS))
    reach = math.ceil(FILTER_S / BANDWIDTHS_HZ[-1] * sample_rate / hop_size)  # frames
    blocks = []
    for first in range(0, n_frames, BLOCK_FRAMES):
        low, high = max(0, first - reach), min(first + BLOCK_FRAMES + reach, n_frames)
        part = np.pad(audio[low * hop_size : high * hop_size], (0, max(0, high * hop_size - len(audio))))
        block = _measure(torch.from_numpy(part.astype(np.float32)), sample_rate, hop_size, f0_hz[low:high], n_harmonics,
                         highest_hz)
        blocks.append(block[first - low : first - low + BLOCK_FRAMES])
    return torch.cat(blocks).numpy()


def _measure(audio: Tensor, sample_rate: int, hop_size: int, f0_hz: NDArray, n_harmonics: int, highest_hz: float) -> Tensor:
    """Whole frames of audio [F * hop_size] to [F, K + H]."""
    n_frames = len(f0_hz)
    f0 = torch.from_numpy(f0_hz.astype(np.float32))
    class_of = torch.stack([f0 * NEAREST < width for width in BANDWIDTHS_HZ[:-1]]).sum(0)
    if HAS_COMPILER:
        from ddspvae.features.compiled_spectrum import measure_block

        return measure_block(audio.numpy(), f0_hz, _how(sample_rate, hop_size), class_of.numpy(), n_harmonics, highest_hz)
    cycles = np.cumsum(np.interp(np.arange(len(audio)) / hop_size, np.arange(n_frames), f0_hz)) / sample_rate
    turn = torch.from_numpy(np.exp(2j * np.pi * (cycles % 1)).astype(np.complex64))
    every = _decimation(sample_rate, hop_size)
    filters = _filters(sample_rate / every)
    rest, levels = _take_harmonics(audio, turn, f0, hop_size, every, filters, class_of, highest_hz, n_harmonics)
    taken = [_taken(at, sample_rate, hop_size) for at in range(len(filters))]
    n_taken = torch.floor((highest_hz - 1e-3) / f0).clamp(max=n_harmonics)
    holes = torch.stack([one.hole for one in taken])[class_of]
    noise, beside = _noise_power(rest, sample_rate, hop_size, f0, n_taken, holes)
    power = levels.square().sum(1)  # [H, F]
    bins = (f0 * torch.arange(1, n_harmonics + 1)[:, None] / sample_rate * 2 * (beside.shape[1] - 1)).round().long()
    of_noise = beside.T.gather(0, bins.clamp(max=beside.shape[1] - 1))
    of_noise = of_noise * torch.tensor([one.power for one in taken])[class_of]
    smooth = functools.partial(_smooth, span=2 * round(SMOOTH_S * sample_rate / hop_size / 2) + 1)
    own = 1 - smooth(of_noise) / smooth(power).clamp(min=1e-20)
    return torch.cat([noise.sqrt(), (power * own.clamp(min=LEAST_OF_HARMONIC)).sqrt().T], dim=1)


def _take_harmonics(audio: Tensor, turn: Tensor, f0: Tensor, hop_size: int, every: int, filters: Sequence[Tensor],
                    class_of: Tensor, highest_hz: float, n_harmonics: int) -> tuple[Tensor, Tensor]:
    """What is left of the audio without its harmonics, and their cosines and sines, [H, 2, F]."""
    n_frames = len(f0)
    # a triangle around every such sample: what the piece before it rises to, and what its own falls from
    ramp = torch.arange(every) / every**2
    triangle = torch.stack([ramp, 1 / every - ramp], dim=1)
    fade = torch.arange(hop_size) / hop_size
    left, turned, found = audio.clone(), turn.clone(), []
    for number in range(1, n_harmonics + 1):
        sides = torch.stack([turned.real * audio, turned.imag * audio]).view(2, -1, every) @ triangle
        slow = sides[..., 1]
        slow[:, 1:] += sides[:, :-1, 0]
        level = torch.zeros(2, n_frames)
        for at, taps in enumerate(filters):
            chosen = (class_of == at) & (number * f0 < highest_hz)
            if chosen.any():
                half = len(taps) // 2
                windows = torch.nn.functional.pad(slow, (half, half)).unfold(1, len(taps), hop_size // every)
                level = torch.where(chosen, 2 * (windows[:, :n_frames] @ taps), level)
        found.append(level)
        if level.any():  # played as cosines and sines that fade from frame to frame
            following = torch.cat([level[:, 1:], level[:, -1:]], dim=1)
            wave = torch.addcmul(level[..., None], (following - level)[..., None], fade).flatten(1)
            left.addcmul_(wave[0], turned.real, value=-1).addcmul_(wave[1], turned.imag, value=-1)
        turned = turned * turn
    return left, torch.stack(found)


def _noise_power(rest: Tensor, sample_rate: int, hop_size: int, f0_hz: Tensor, n_taken: Tensor, hole: Tensor
                 ) -> tuple[Tensor, Tensor]:
    """Noise in what is left [F * hop_size] of a take, around the holes that harmonics left; white noise of unit power is 1.

    Args:
        f0_hz: [F], Hz.
        n_taken: [F], how many harmonics were taken off.
        hole: [F, R], the share of the noise that is missing at so many HOLE_STEP_HZ from a harmonic.
    Returns:
        power of the bands [F, N_NOISE_BANDS], and of bins from 0 to Nyquist, as loud as what is around them.
    """
    n_fft = _noise_fft(sample_rate)
    window = torch.hann_window(n_fft)
    spectrum = torch.stft(rest, n_fft, hop_size, window=window, pad_mode="constant", return_complex=True)
    power = spectrum.abs().square().T[: len(f0_hz)] / window.square().sum()
    f0 = f0_hz[:, None]
    frequency = torch.linspace(0, sample_rate / 2, n_fft // 2 + 1)
    left = torch.ones_like(power)
    for below in (0, 1):  # the two harmonics around each bin
        number = torch.floor(frequency / f0) + below
        away = ((frequency - number * f0).abs() / HOLE_STEP_HZ).round().long().clamp(max=hole.shape[1] - 1)
        left -= hole.gather(1, away) * ((number >= 1) & (number <= n_taken[:, None]))
    left = left.clamp(min=0)
    reach = f0 / 2 / frequency[1]
    place = torch.arange(n_fft // 2 + 1)
    low, high = ((place + side).round().long().clamp(0, n_fft // 2) for side in (-reach, reach))
    around = _between(power, low, high) / _between(left, low, high).clamp(min=1e-3)
    bins = _band_bins(n_fft)
    return power @ bins / (left @ bins).clamp(min=LEAST_LEFT), around


@functools.lru_cache(maxsize=4)
def _band_bins(n_fft: int) -> Tensor:
    """The bands as means of the powers of bins, [bins, N_NOISE_BANDS]."""
    shapes = band_shapes(N_NOISE_BANDS, 8 * (n_fft // 2) + 1)  # a narrow band lies between two bins
    bins = torch.nn.functional.avg_pool1d(torch.nn.functional.pad(shapes[None], (4, 4), mode="replicate"), 9, 8)[0]
    return (bins / bins.sum(1, keepdim=True)).T.contiguous()


@functools.lru_cache(maxsize=4)
def _how(sample_rate: int, hop_size: int) -> Measure:
    """All of this, for compiled loops."""
    from ddspvae.features.compiled_spectrum import Measure

    every = _decimation(sample_rate, hop_size)
    filters = _filters(sample_rate / every)
    sizes = np.array([len(taps) for taps in filters])
    rows = np.stack([np.pad(taps.numpy(), (0, sizes.max() - len(taps))) for taps in filters])
    taken = [_taken(at, sample_rate, hop_size) for at in range(len(filters))]
    return Measure(sample_rate, hop_size, every, rows, sizes, np.stack([one.hole.numpy() for one in taken]), HOLE_STEP_HZ,
                   np.array([one.power for one in taken], np.float32), _band_bins(_noise_fft(sample_rate)),
                   round(SMOOTH_S * sample_rate / hop_size / 2), LEAST_LEFT, LEAST_OF_HARMONIC)


def _between(values: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Sums over bins low to high, of each frame."""
    total = torch.nn.functional.pad(values.double().cumsum(1), (1, 0))
    return (total.gather(1, high + 1) - total.gather(1, low)).float()


def _smooth(values: Tensor, span: int) -> Tensor:
    """Mean over so many frames around each, [H, F]."""
    return torch.nn.functional.avg_pool1d(values[None], span, 1, span // 2, count_include_pad=False)[0]


def _noise_fft(sample_rate: int) -> int:
    return int(2 ** round(math.log2(NOISE_WINDOW_S * sample_rate)))


@dataclass(frozen=True)
class Taken:
    """What of white noise is taken off with a harmonic.

    Args:
        hole: [R], the share that is missing at so many HOLE_STEP_HZ from it, in a spectrum of noise as it is measured.
        power: what unit noise adds to the square of the harmonic's amplitude.
    """

    hole: Tensor
    power: float


@functools.lru_cache(maxsize=16)
def _taken(at: int, sample_rate: int, hop_size: int) -> Taken:
    """For the low-pass number `at`."""
    every, frame_rate = _decimation(sample_rate, hop_size), sample_rate / hop_size
    taps = _filters(sample_rate / every)[at].double()
    away = torch.arange(-HOLE_STEPS, HOLE_STEPS + 1, dtype=torch.float64) * HOLE_STEP_HZ
    turns = 2 * math.pi * away[:, None] / sample_rate * every * (torch.arange(len(taps)) - len(taps) // 2)
    passed = (turns.cos() @ taps) * torch.sinc(away * every / sample_rate) ** 2
    # between frames it fades: so much of it stays where it was, and the rest goes to images
    stays, all_of_it = torch.sinc(away / frame_rate) ** 2, (2 + (2 * math.pi * away / frame_rate).cos()) / 3
    missing = 2 * passed * stays - passed.square() * all_of_it
    n_fft = _noise_fft(sample_rate)
    window = torch.fft.rfft(torch.hann_window(n_fft, dtype=torch.float64), round(sample_rate / HOLE_STEP_HZ)).abs().square()
    kernel = torch.cat([window[1 : HOLE_STEPS + 1].flip(0), window[: HOLE_STEPS + 1]])
    smeared = torch.nn.functional.conv1d(missing[None, None], (kernel / kernel.sum())[None, None], padding=HOLE_STEPS)[0, 0]
    return Taken(smeared[HOLE_STEPS:].float(), float(4 * passed.square().sum() * HOLE_STEP_HZ / sample_rate))


def _decimation(sample_rate: int, hop_size: int) -> int:
    """The largest divisor of the hop that leaves SLOW_RATE_HZ."""
    return max(n for n in range(1, hop_size + 1) if hop_size % n == 0 and (n == 1 or sample_rate / n >= SLOW_RATE_HZ))


@functools.lru_cache(maxsize=8)
def _filters(rate_hz: float) -> tuple[Tensor, ...]:
    """Low-passes of BANDWIDTHS_HZ for a signal at this rate, each of an odd number of taps that sum to 1."""
    sizes = [2 * round(FILTER_S / width * rate_hz / 2) + 1 for width in BANDWIDTHS_HZ]
    return tuple(torch.from_numpy(low_pass(np.hamming(size), 2 * width / rate_hz).astype(np.float32))
                 for size, width in zip(sizes, BANDWIDTHS_HZ))
