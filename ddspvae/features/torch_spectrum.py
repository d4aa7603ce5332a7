"""What `features.spectrum` measures in a block of a take, in torch: where there is no compiler, and to be read first."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ddspvae.features.spectrum_tables import (
    HOLE_STEP_HZ,
    LEAST_LEFT,
    LEAST_OF_HARMONIC,
    SMOOTH_S,
    band_bins,
    decimation,
    low_passes,
    noise_fft,
    noise_taken,
)
from ddspvae.threads import one_thread


@one_thread()
def measure_block(samples: NDArray[np.float32], f0_hz: NDArray[np.float64], sample_rate: int, hop_size: int,
                  class_of_frames: NDArray[np.int64], n_harmonics: int, highest_hz: float) -> NDArray[np.float32]:
    """Whole frames of audio [F * hop_size], with filters class_of [F], to magnitudes and amplitudes [F, K + H]."""
    n_frames = len(f0_hz)
    audio, class_of = torch.from_numpy(samples), torch.from_numpy(class_of_frames)
    f0 = torch.from_numpy(f0_hz.astype(np.float32))
    cycles = np.cumsum(np.interp(np.arange(len(audio)) / hop_size, np.arange(n_frames), f0_hz)) / sample_rate
    turn = torch.from_numpy(np.exp(2j * np.pi * (cycles % 1)).astype(np.complex64))
    every = decimation(sample_rate, hop_size)
    filters = [torch.from_numpy(taps) for taps in low_passes(sample_rate / every)]
    rest, levels = _take_harmonics(audio, turn, f0, hop_size, every, filters, class_of, highest_hz, n_harmonics)
    taken = [noise_taken(at, sample_rate, hop_size) for at in range(len(filters))]
    n_taken = torch.floor((highest_hz - 1e-3) / f0).clamp(max=n_harmonics)
    holes = torch.from_numpy(np.stack([one.hole for one in taken]))[class_of]
    noise, beside = _noise_power(rest, sample_rate, hop_size, f0, n_taken, holes)
    power = levels.square().sum(1)  # [H, F]
    bins = (f0 * torch.arange(1, n_harmonics + 1)[:, None] / sample_rate * 2 * (beside.shape[1] - 1)).round().long()
    of_noise = beside.T.gather(0, bins.clamp(max=beside.shape[1] - 1))
    of_noise = of_noise * torch.tensor([one.power for one in taken])[class_of]
    smooth = functools.partial(_smooth, span=2 * round(SMOOTH_S * sample_rate / hop_size / 2) + 1)
    own = 1 - smooth(of_noise) / smooth(power).clamp(min=1e-20)
    return torch.cat([noise.sqrt(), (power * own.clamp(min=LEAST_OF_HARMONIC)).sqrt().T], dim=1).numpy()


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
    n_fft = noise_fft(sample_rate)
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
    bins = torch.from_numpy(band_bins(n_fft))
    return power @ bins / (left @ bins).clamp(min=LEAST_LEFT), around


def _between(values: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Sums over bins low to high, of each frame."""
    total = torch.nn.functional.pad(values.double().cumsum(1), (1, 0))
    return (total.gather(1, high + 1) - total.gather(1, low)).float()


def _smooth(values: Tensor, span: int) -> Tensor:
    """Mean over so many frames around each, [H, F]."""
    return torch.nn.functional.avg_pool1d(values[None], span, 1, span // 2, count_include_pad=False)[0]
