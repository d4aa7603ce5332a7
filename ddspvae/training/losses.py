"""The training loss: how far two sounds are, over six time-frequency resolutions."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ddspvae.model.encoder_inputs import EncoderInputs
from ddspvae.model.excitation import Excitation
from ddspvae.model.target import AT_ONCE_DB, DB_PER_NEPER, Shape, shape_error
from ddspvae.model.together import mean_over_processes
from ddspvae.signals.checks import check_shape
from ddspvae.signals.registry import Registry

LOG_FLOOR = 1e-4  # relative to the mean magnitude: below -80 dB differences count less and less
PERIODS = 2
BEND = 0.2  # of 6 dB: below, an error to the ear counts by its square, above by itself
LINES_SHARE = 0.2  # of the loss, for harmonics and bands each alone: what is not heard today may be when an axis is turned


def fft_sizes(sample_rate: int) -> tuple[int, ...]:
    """Six powers of two; the longest is near 85 ms.

    >>> fft_sizes(48_000), fft_sizes(16_000)
    ((4096, 2048, 1024, 512, 256, 128), (1024, 512, 256, 128, 64, 32))
    """
    longest = 2 ** round(math.log2(0.0853 * sample_rate))
    return tuple(longest // 2**i for i in range(6))


def beat_span(f0_hz: Tensor, sample_rate: int) -> Tensor:
    """Two periods of each take's lower pitches, samples [B], for f0 [B, F, 1] in Hz."""
    return PERIODS * sample_rate / f0_hz.flatten(1).quantile(0.25, dim=1)


def spectral_loss(reference: Tensor, estimate: Tensor, sizes: tuple[int, ...], span: Tensor | None = None) -> Tensor:
    """Mean over scales of relative linear and log magnitude differences; scale-free in the level of both.

    Windows shorter than a few periods hear two harmonics at once, louder or softer as their phases have it. A synthesizer
    whose harmonics start together cannot follow that, and would rather leave out every second harmonic of a tuba. So the
    power is averaged over `span` before it is compared: over two periods the beats of neighbours are gone.

    Args:
        reference, estimate: [B, T].
        sizes: FFT sizes, Hann windows, 50 % overlap.
        span: [B], samples, from `beat_span`; None compares every instant.
    Returns:
        scalar; 0 for equal sounds, about 2 for unrelated ones.
    Raises:
        InputError: the two are not equally long.
    Source: Engel et al., "DDSP", ICLR 2020, multi-scale spectral loss; the linear term relative, as spectral convergence.
        The averaging is ours.
    """
    check_shape("spectral_loss", "estimate", estimate.shape, *reference.shape)
    total = estimate.new_zeros(())
    for size in sizes:
        linear, log = scale_terms(reference, estimate, size, span)
        total = total + linear + log
    return total / len(sizes)


def scale_terms(reference: Tensor, estimate: Tensor, size: int, span: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The linear and the logarithmic term of one FFT size."""
    window = torch.hann_window(size, device=estimate.device)
    spectra = (torch.stft(x, size, size // 2, window=window, pad_mode="constant", return_complex=True)
               for x in (reference, estimate))
    a, b = (_averaged(spectrum.real.square() + spectrum.imag.square() + 1e-12, size // 2, span).sqrt()
            for spectrum in spectra)
    mean = a.mean().clamp(min=1e-5)
    floor = LOG_FLOOR * mean
    return (a - b).abs().mean() / mean, ((a + floor).log() - (b + floor).log()).abs().mean()


def _averaged(power: Tensor, hop_size: int, span: Tensor | None) -> Tensor:
    """Power [B, K, N] averaged over each row's span, in one line; as it is where all are nearer to one hop than to two."""
    n_frames = [1] if span is None else [min(max(1, round(s / hop_size)), power.shape[-1]) for s in span.tolist()]
    if max(n_frames) == 1:
        return power
    return torch.cat([nn.functional.avg_pool1d(row, n, stride=1).flatten() for row, n in zip(power, n_frames)])


class HeardError:
    """How far spectra are from a measured one, to the ear and line by line; near 1 for 6 dB everywhere.

    Args:
        heard: takes.
        measured: their spectra.
        weight: [B, F], >= 0, of the frames.
        sample_rate: Hz.
    """

    def __init__(self, heard: EncoderInputs, measured: Shape, weight: Tensor, sample_rate: int) -> None:
        n_harmonics, n_noise_bands = measured.harmonics.shape[-1], measured.noise.shape[-1]
        self._ear = Excitation(heard.f0_hz, measured.n_heard, n_harmonics, n_noise_bands, sample_rate)
        self._measured, self._excited = measured, self._ear(measured)
        looked_at = weight[:, self._ear.frames, None]
        in_all, looked_at_in_all = mean_over_processes(torch.stack([weight.sum(), looked_at.sum()])).clamp(min=1e-6)
        self._weight, self._looked_at = weight / in_all, looked_at / looked_at_in_all

    def __call__(self, shape: Shape) -> Tensor:
        """The error of a spectrum, scalar."""
        away = DB_PER_NEPER / AT_ONCE_DB * (self._ear(shape) - self._excited)
        away = BEND * ((1 + (away / BEND).square()).sqrt() - 1)  # a few bands far off are not worth the rest
        ear = (away * self._looked_at).mean(-1).sum()
        return (1 - LINES_SHARE) * ear + LINES_SHARE * shape_error(shape, self._measured, self._weight)


LOSSES: Registry[type[HeardError]] = Registry("loss", {"ear": HeardError})
