"""What the engine is measured against: oscillator banks, and the decoder of the DDSP paper played through one.

Written from Engel et al., "DDSP: Differentiable Digital Signal Processing", ICLR 2020, at our sample and frame rates.
All banks compute the sum that `ddspvae.synth.harmonic.harmonic` computes, from the same arguments.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from scipy.fft import next_fast_len
from torch import Tensor, nn

from ddspvae.audio import Audio
from ddspvae.evaluation.metrics import LOG_OFFSET, N_FFTS
from ddspvae.signals import Features
from ddspvae.signals.units import hz_to_pitch
from ddspvae.synth.constrain import constrain_distribution
from ddspvae.synth.envelopes import crossfade, hold_last, segment_phase, start_phase
from ddspvae.training.dataset import Crops, Take

N_UNITS = 512
N_HARMONICS = 100
N_NOISE_BANDS = 65
REVERB_S = 1.0
PUBLISHED_RATE, PUBLISHED_HOP = 16_000, 64  # Hz; 250 frames a second
PUBLISHED_CROP_S = 4.0
PUBLISHED_BATCH = 16
LEARNING_RATE, DECAY, DECAY_STEPS = 1e-3, 0.98, 10_000
CLIP_NORM = 3.0
Bank = Callable[[Tensor, Tensor, Tensor, int, int], Tensor]
NOISE_BIAS = -5.0  # the noise starts 86 dB below the harmonics
# Tuned on one thread of a core with 1 MiB of its own cache, 100 harmonics at 48 kHz. As a multiple of the time with 32
# frames: 8 take 1.17, 16 take 1.05, 64 take 1.05, 128 take 1.25. With the harmonics, not the samples, side by side in
# memory it takes 1.5 at every size; with angles wrapped to one turn before the sine, 1.15.
BANK_CHUNK_FRAMES = 32
# The factored bank likewise, to 64 frames: 16 take 1.3, 32 take 1.1, 128 take 1.1; a reach of 5, 7, 12 or 15 takes 1 to 1.1.
FACTORED_CHUNK_FRAMES = 64
REACH = 10


def plain_bank(f0_hz: Tensor, amplitude: Tensor, harmonic_distribution: Tensor, sample_rate: int, hop_size: int) -> Tensor:
    """The textbook: every harmonic's amplitude and angle at every sample, in float32, and their sum.

    The running sum counts a sample's own step, as is usual, so the sound is one sample ahead of the exact bank's.

    Args:
        f0_hz, amplitude: [B, F, 1].
        harmonic_distribution: [B, F, H].
    Returns:
        audio [B, F * hop_size]; differentiable in every tensor.
    """
    heights = _upsample(amplitude * constrain_distribution(harmonic_distribution, f0_hz, sample_rate), hop_size)
    angle = torch.cumsum(2 * math.pi / sample_rate * _upsample(f0_hz, hop_size), dim=1)  # rad
    return (heights * torch.sin(angle * _numbers(heights))).sum(-1)


def best_bank(f0_hz: Tensor, amplitude: Tensor, harmonic_distribution: Tensor, sample_rate: int, hop_size: int,
              chunk_frames: int = BANK_CHUNK_FRAMES) -> Tensor:
    """The best bank we know of with one sine per harmonic and sample, as exact as float32 sines are.

    The phase is wrapped in float64. The sines of a few frames, which fit the cache, are multiplied with the amplitudes
    of the frames on both sides in one batch of matrices, and the two sums are cross-faded.

    Args and returns: as in plain_bank.
    """
    sounds = []
    for cycles, heights in _chunks(f0_hz, amplitude, harmonic_distribution, sample_rate, hop_size, chunk_frames):
        sines = (cycles[:, None] * (2 * math.pi * _numbers(heights))[:, None]).sin_()  # [S, H, hop]
        sums = torch.bmm(heights, sines)
        sounds.append(torch.lerp(sums[:, 0], sums[:, 1], crossfade(hop_size, sums)).view(len(f0_hz), -1))
    return torch.cat(sounds, dim=1)


def factored_bank(f0_hz: Tensor, amplitude: Tensor, harmonic_distribution: Tensor, sample_rate: int, hop_size: int,
                  chunk_frames: int = FACTORED_CHUNK_FRAMES, reach: int = REACH) -> Tensor:
    """A bank that nobody uses: by the addition theorem it needs 32 sines and cosines a sample for 100 harmonics.

    With M = 2 reach + 1 and k = M a + b, b from -reach to reach,
        sum_k h_k sin(k p) = sum_a sin(M a p) sum_b h_ab cos(b p) + cos(M a p) sum_b h_ab sin(b p)
    and b and -b share their cosine and, but for the sign, their sine.

    Args and returns: as in plain_bank.
    """
    spacing = 2 * reach + 1
    sounds = []
    for cycles, heights in _chunks(f0_hz, amplitude, harmonic_distribution, sample_rate, hop_size, chunk_frames):
        n_harmonics = heights.shape[-1]
        n_groups = 1 + max(0, -(-(n_harmonics - reach) // spacing))
        grouped = nn.functional.pad(heights, (reach + 1, n_groups * spacing - reach - 1 - n_harmonics))
        above, below = grouped.unflatten(-1, (n_groups, spacing)).tensor_split([reach], dim=-1)[::-1]
        mirrored = nn.functional.pad(below.flip(-1), (1, 0))
        near = (2 * math.pi * torch.arange(reach + 1).to(heights))[:, None] * cycles[:, None]
        far = (2 * math.pi * torch.arange(n_groups).to(heights))[:, None] * (cycles * spacing).frac()[:, None]
        even = torch.bmm((above + mirrored).flatten(1, 2), near.cos()).unflatten(1, (2, n_groups))
        odd = torch.bmm((above - mirrored).flatten(1, 2), near.sin()).unflatten(1, (2, n_groups))
        sums = (far.sin()[:, None] * even + far.cos()[:, None] * odd).sum(2)
        sounds.append(torch.lerp(sums[:, 0], sums[:, 1], crossfade(hop_size, sums)).view(len(f0_hz), -1))
    return torch.cat(sounds, dim=1)


def plain_noise(noise_magnitudes: Tensor, hop_size: int) -> Tensor:
    """White noise through one filter a frame: windowed impulse responses, FFT, overlap-add.

    Args:
        noise_magnitudes: [B, F, K], linear.
    Returns:
        audio [B, F * hop_size], delayed by K - 1 samples as the paper's; differentiable.
    """
    batch, n_frames, n_bands = noise_magnitudes.shape
    n_taps = 2 * (n_bands - 1)
    window = torch.hann_window(n_taps, dtype=noise_magnitudes.dtype, device=noise_magnitudes.device)
    taps = torch.fft.irfft(noise_magnitudes, n=n_taps).roll(n_taps // 2, dims=-1) * window
    white = torch.rand(batch, n_frames, hop_size, device=taps.device, dtype=taps.dtype) * 2 - 1
    n_hops = -(-(hop_size + n_taps - 1) // hop_size)  # that the noise of one frame lasts
    n_fft = next_fast_len(hop_size + n_taps - 1, real=True)
    filtered = torch.fft.irfft(torch.fft.rfft(white, n=n_fft) * torch.fft.rfft(taps, n=n_fft), n=n_fft)
    filtered = nn.functional.pad(filtered, (0, max(0, n_hops * hop_size - n_fft)))
    audio = filtered[..., :hop_size]
    for late in range(1, min(n_hops, n_frames)):
        part = filtered[:, :-late, late * hop_size : (late + 1) * hop_size]
        audio = audio + nn.functional.pad(part, (0, 0, late, 0))
    return audio.flatten(1)


def plain_reverb(audio: Tensor, impulse_response: Tensor) -> Tensor:
    """Convolve the whole [B, T] with [L] in one FFT, keep the length."""
    n_fft = next_fast_len(audio.shape[-1] + len(impulse_response) - 1, real=True)
    wet = torch.fft.irfft(torch.fft.rfft(audio, n=n_fft) * torch.fft.rfft(impulse_response, n=n_fft), n=n_fft)
    return wet[:, : audio.shape[-1]]


def exp_sigmoid(x: Tensor) -> Tensor:
    """The paper's output nonlinearity, 1e-7 to 2."""
    return 2 * torch.sigmoid(x) ** math.log(10) + 1e-7


def dense_stack(n_inputs: int) -> nn.Sequential:
    """Three dense layers of 512, each normalised and rectified."""
    layers: list[nn.Module] = []
    for width in (n_inputs, N_UNITS, N_UNITS):
        layers += [nn.Linear(width, N_UNITS), nn.LayerNorm(N_UNITS), nn.LeakyReLU()]
    return nn.Sequential(*layers)


class ReferenceDecoder(nn.Module):
    """The decoder of the paper: a stack for each input, a GRU, a stack over all of them, two heads.

    Args:
        n_z: axes of z; the paper takes 16, and 0 for a single instrument.
    """

    def __init__(self, n_z: int = 0) -> None:
        super().__init__()
        self.stacks = nn.ModuleList(dense_stack(n) for n in (1, 1, n_z) if n)
        n_stacked = N_UNITS * len(self.stacks)
        self.gru = nn.GRU(n_stacked, N_UNITS, batch_first=True)
        self.last_stack = dense_stack(n_stacked + N_UNITS)
        self.harmonic_head = nn.Linear(N_UNITS, 1 + N_HARMONICS)
        self.noise_head = nn.Linear(N_UNITS, N_NOISE_BANDS)

    def forward(self, f0_hz: Tensor, loudness_db: Tensor, z: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Curves [B, F, 1] and z [B, F, Z] to amplitude [B, F, 1], harmonic_distribution (not normalised), magnitudes."""
        inputs = [hz_to_pitch(f0_hz) / 127, loudness_db / 80 + 1]
        if z is not None:
            inputs.append(z)
        stacked = torch.cat([stack(x) for stack, x in zip(self.stacks, inputs)], dim=-1)
        hidden = self.last_stack(torch.cat([stacked, self.gru(stacked)[0]], dim=-1))
        amplitude, distribution = exp_sigmoid(self.harmonic_head(hidden)).split([1, N_HARMONICS], dim=-1)
        return amplitude, distribution, exp_sigmoid(self.noise_head(hidden) + NOISE_BIAS)


class Reference(nn.Module):
    """The whole chain of the paper: decoder, plain bank, noise, and a learned room of one second."""

    def __init__(self, sample_rate: int = 48_000, hop_size: int = 240, n_z: int = 0) -> None:
        super().__init__()
        self.sample_rate, self.hop_size = sample_rate, hop_size
        self.decoder = ReferenceDecoder(n_z)
        self.tail = nn.Parameter(1e-3 * torch.randn(round(REVERB_S * sample_rate) - 1))

    @property
    def impulse_response(self) -> Tensor:
        """[L]; the direct sound is 1 and not learned."""
        return torch.cat([self.tail.new_ones(1), self.tail])

    def forward(self, f0_hz: Tensor, loudness_db: Tensor, z: Tensor | None = None, *, bank: Bank = plain_bank) -> Tensor:
        """Curves [B, F, 1] to audio [B, F * hop_size]."""
        amplitude, distribution, magnitudes = self.decoder(f0_hz, loudness_db, z)
        dry = bank(f0_hz, amplitude, distribution, self.sample_rate, self.hop_size)
        return plain_reverb(dry + plain_noise(magnitudes, self.hop_size), self.impulse_response)


def published_loss(reference: Tensor, estimate: Tensor) -> Tensor:
    """Linear and log magnitude differences [B, T] at six sizes: what `spectral_distance` measures, with a gradient."""
    total = estimate.new_zeros(())
    for n_fft in N_FFTS:
        window = torch.hann_window(n_fft)
        a, b = (torch.stft(audio, n_fft, n_fft // 4, window=window, pad_mode="constant", return_complex=True).abs()
                for audio in (reference, estimate))
        total = total + (a - b).abs().mean() + ((a + LOG_OFFSET).log() - (b + LOG_OFFSET).log()).abs().mean()
    return total


class PublishedRun:
    """The published recipe for one instrument: crops of 4 s at 16 kHz, Adam, its learning rate falling 2 % in 10 000 steps.

    Changed for a processor: the bank is `best_bank`, the same sum in less time.

    Args:
        takes: at 16 kHz, 250 frames a second.
        batch_size: crops a step; PUBLISHED_BATCH as published.
        seed: of weights, crops and noise; other users of torch's generator are not disturbed.
    """

    def __init__(self, takes: Sequence[Take], batch_size: int = PUBLISHED_BATCH, seed: int = 0) -> None:
        self.batch_size, self.step, self.seconds = batch_size, 0, 0.0
        n_frames = round(PUBLISHED_CROP_S * PUBLISHED_RATE / PUBLISHED_HOP)
        self.crops = Crops(takes, sorted({take.room for take in takes}), n_frames, 0, PUBLISHED_HOP)
        self.random = np.random.default_rng(seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.model = Reference(PUBLISHED_RATE, PUBLISHED_HOP)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=LEARNING_RATE)

    def advance(self) -> float:
        """One step; its loss."""
        began = time.perf_counter()
        for group in self.optimizer.param_groups:
            group["lr"] = LEARNING_RATE * DECAY ** (self.step / DECAY_STEPS)
        heard = self.crops.draw(self.batch_size, self.random).heard
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(self.random.integers(2**31)))
            loss = published_loss(heard.audio, self.model(heard.f0_hz, heard.loudness_db, bank=best_bank))
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), CLIP_NORM)
        self.optimizer.step()
        self.step += 1
        self.seconds += time.perf_counter() - began
        return float(loss.detach())

    @torch.no_grad()
    def play(self, features: Features) -> Audio:
        """What it makes of a take, [F * hop_size]."""
        curves = (torch.tensor(curve)[None, :, None] for curve in (features.f0_hz, features.loudness_db))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            sound: Audio = self.model(*curves, bank=best_bank)[0].numpy()
        return sound


def _numbers(heights: Tensor) -> Tensor:
    """1 to H."""
    return torch.arange(1, heights.shape[-1] + 1, device=heights.device, dtype=heights.dtype)


def _upsample(frames: Tensor, hop_size: int) -> Tensor:
    """Linearly, [B, F, C] to [B, F * hop_size, C]."""
    borders = hold_last(frames)
    weight = crossfade(hop_size, frames)[:, None]
    return torch.lerp(borders[:, :-1, None], borders[:, 1:, None], weight).flatten(1, 2)


def _chunks(f0_hz: Tensor, amplitude: Tensor, harmonic_distribution: Tensor, sample_rate: int, hop_size: int,
            chunk_frames: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Cycles [S, hop_size] in -1/2 to 1/2 and the heights [S, 2, H] on both sides, for S segments at a time.

    Harmonics that are silent throughout a chunk are left out of it.
    """
    heights = hold_last(amplitude * constrain_distribution(harmonic_distribution, f0_hz, sample_rate))
    borders, start = hold_last(f0_hz), start_phase(f0_hz, sample_rate, hop_size)
    step = max(1, chunk_frames // len(f0_hz))
    for at in range(0, f0_hz.shape[1], step):
        cycles = segment_phase(borders[:, at : at + step + 1], start[:, at : at + step], sample_rate, hop_size).flatten(0, 1)
        here = heights[:, at : at + step + 1]
        used = here.detach().amax((0, 1)).nonzero()
        here = here[..., : int(used[-1]) + 1 if len(used) else 1]
        sides = torch.stack([here[:, :-1], here[:, 1:]], dim=2).flatten(0, 1)
        yield (cycles - cycles.round()).to(heights), sides
