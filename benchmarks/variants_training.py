"""Trainings that differ from the plain one: another loss, a stage against a discriminator, altered copies of the takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from variants_networks import Plain

from ddspvae.audio import Audio, resample
from ddspvae.features import extract as listening
from ddspvae.features.loudness import a_weighted_loudness, by_blocks
from ddspvae.features.partials import measure_partials
from ddspvae.features.timbre import timbre_frames
from ddspvae.model.bottleneck import sounding_rows
from ddspvae.signals import Features
from ddspvae.synth import level, noise
from ddspvae.training.dataset import Batch, Take
from ddspvae.training.losses import beat_span, scale_terms, spectral_loss
from ddspvae.training.run import Run, TrainingConfig
from ddspvae.units import db_to_amplitude, samples_to_frames

Distance = Callable[[Tensor, Tensor, tuple[int, ...], Tensor | None], Tensor]
WARMUP_S = 0.32
SECOND_STAGE = 2 / 3  # of the budget
ADVERSARIAL_WEIGHT, MATCHING_WEIGHT = 0.05, 1.0
DISCRIMINATOR_PACE = 5e-4
RATIOS = ((18, 17), (36, 35), (35, 36), (17, 18))  # of a semitone and a half, up and down
TILT_DB, GAIN_DB = 1.0, 4.0  # standard deviations; dB per octave, dB


def at_every_instant(reference: Tensor, estimate: Tensor, sizes: tuple[int, ...], span: Tensor | None = None) -> Tensor:
    """The training loss as it is published: nothing is averaged, so phases count where windows are short."""
    return spectral_loss(reference, estimate, sizes)


def one_sided(linear: float, log: float) -> Distance:
    """The training loss with other weights of its two terms."""
    def distance(reference: Tensor, estimate: Tensor, sizes: tuple[int, ...], span: Tensor | None = None) -> Tensor:
        total = estimate.new_zeros(())
        for size in sizes:
            magnitude, level = scale_terms(reference, estimate, size, span)
            total = total + linear * magnitude + log * level
        return total / len(sizes)
    return distance


@contextmanager
def crowded(crowding: float) -> Iterator[None]:
    """Noise bands that lie `crowding` times as dense at 0 Hz as at Nyquist, > 1, inside."""
    def put(value: float) -> None:
        noise.CROWDING = value
        noise._shapes.cache_clear()
        level._noise_weights.cache_clear()

    before = noise.CROWDING
    put(crowding)
    try:
        yield
    finally:
        put(before)


@contextmanager
def tracked(is_refined: bool) -> Iterator[None]:
    """Pitch as the tracker has it inside, unless it is to be refined."""
    before = listening.refine_f0
    if not is_refined:
        listening.refine_f0 = lambda audio, sample_rate, hop_size, f0_hz, periodicity: f0_hz
    try:
        yield
    finally:
        listening.refine_f0 = before


class VariantRun(Run):
    """A run whose loss is its own.

    Args:
        distance: from reference and estimate [B, T] at FFT sizes.
        every_scale: all the sizes each step, instead of those that the run draws.
    """

    def __init__(self, model: Plain, config: TrainingConfig, distance: Distance = spectral_loss, every_scale: bool = False
                 ) -> None:
        super().__init__(model, config, torch.device("cpu"))
        self.distance = distance
        if every_scale:
            self.n_scales = 1000

    def loss(self, batch: Batch, sizes: tuple[int, ...], with_room: bool) -> tuple[Tensor, Tensor]:
        """As training_loss, through the model's own `play`."""
        model, noise_seed = self.model, self.step
        heard, config = batch.heard, model.config
        rows = sounding_rows(heard.loudness_db[..., 0], config.frames_per_z)
        bottled = model.bottleneck(model.encode(heard), rows)
        seeds = torch.arange(len(heard.audio)) + noise_seed * len(heard.audio)
        audio = model.play(heard, bottled.z, batch.room if with_room and config.with_reverb else None, seeds)
        frames = round(WARMUP_S * config.frame_rate_hz)
        warm, span = frames * config.hop_size, beat_span(heard.f0_hz[:, frames:], config.sample_rate)
        return self.compare(heard.audio[:, warm:], audio[:, warm:], sizes, span) + bottled.loss, bottled.bits

    def compare(self, reference: Tensor, estimate: Tensor, sizes: tuple[int, ...], span: Tensor) -> Tensor:
        """What is to become small."""
        return self.distance(reference, estimate, sizes, span)


class Judge(nn.Module):
    """Real or not, patch by patch, of a log-magnitude spectrogram; and what its layers saw."""

    def __init__(self, n_fft: int, n_channels: int = 12) -> None:
        super().__init__()
        self.n_fft = n_fft
        widths = (1, n_channels, n_channels, n_channels)
        self.layers = nn.ModuleList(
            nn.utils.parametrizations.weight_norm(nn.Conv2d(a, b, (5, 3), stride=(3, 1), padding=(2, 1)))
            for a, b in pairwise(widths))
        self.verdict = nn.utils.parametrizations.weight_norm(nn.Conv2d(n_channels, 1, 3, padding=1))

    def forward(self, audio: Tensor) -> tuple[Tensor, list[Tensor]]:
        """[B, T] to [B, 1, bins, frames] and the layers' outputs."""
        window = torch.hann_window(self.n_fft, device=audio.device)
        spectrum = torch.stft(audio, self.n_fft, self.n_fft // 2, window=window, pad_mode="constant", return_complex=True)
        hidden = ((spectrum.real.square() + spectrum.imag.square() + 1e-7).log() / 4)[:, None]
        seen = []
        for layer in self.layers:
            hidden = nn.functional.leaky_relu(layer(hidden), 0.2)
            seen.append(hidden)
        return self.verdict(hidden), seen


class AdversarialRun(VariantRun):
    """The last third against a discriminator: encoder and rooms rest, hinge loss and feature matching join the distance.

    Source: Larsen et al., "Autoencoding beyond pixels", ICML 2016; hinge loss and feature matching as in Kumar et al.,
        "MelGAN", NeurIPS 2019.
    """

    def __init__(self, model: Plain, config: TrainingConfig, n_ffts: tuple[int, ...] = (2048, 1024, 512)) -> None:
        super().__init__(model, config)
        self.judges = nn.ModuleList(Judge(n_fft) for n_fft in n_ffts)
        self.judging = torch.optim.Adam(self.judges.parameters(), lr=DISCRIMINATOR_PACE, betas=(0.5, 0.9))

    def compare(self, reference: Tensor, estimate: Tensor, sizes: tuple[int, ...], span: Tensor) -> Tensor:
        """In the first stage the distance alone; in the second the judges learn first, then are asked."""
        distance = self.distance(reference, estimate, sizes, span)
        if self.progress < SECOND_STAGE:
            return distance
        self._freeze_encoder()
        level = reference.square().mean(-1, keepdim=True).sqrt().clamp(min=1e-3)
        real, fake = reference / level * 0.1, estimate / level * 0.1
        hinge = sum(((1 - judge(real)[0]).clamp(min=0).mean() + (1 + judge(fake.detach())[0]).clamp(min=0).mean()
                     for judge in self.judges), reference.new_zeros(()))
        self.judging.zero_grad()
        hinge.backward()
        self.judging.step()
        for parameter in self.judges.parameters():
            parameter.requires_grad_(False)
        for judge in self.judges:
            verdict, seen = judge(fake)
            with torch.no_grad():
                _, wanted = judge(real)
            matching = sum(((a - b).abs().mean() / b.abs().mean() for a, b in zip(seen, wanted)), verdict.new_zeros(()))
            asked = MATCHING_WEIGHT * matching / len(seen) - ADVERSARIAL_WEIGHT * verdict.mean()
            distance = distance + asked / len(self.judges)
        for parameter in self.judges.parameters():
            parameter.requires_grad_(True)
        return distance

    def _freeze_encoder(self) -> None:
        for name, parameter in self.model.named_parameters():
            if name.split(".")[0] in ("encoder", "expected", "gain", "named_bits", "room_energy", "room_decay", "room_body"):
                parameter.requires_grad_(False)


def altered_copies(takes: Sequence[Take], sample_rate: int, hop_size: int, copies: int = 2, with_tilt: bool = True,
                   seed: int = 0) -> list[Take]:
    """Copies of takes at another speed, so up to a semitone higher or lower; with another gain and tilt where asked for.

    The tracked pitch is moved along; loudness, timbre and partials are heard anew, so that features and audio agree.
    """
    random = np.random.default_rng(seed)
    made = []
    for take in takes:
        for up, down in (RATIOS[i] for i in random.permutation(len(RATIOS))[:copies]):
            audio = resample(take.audio, up, down)
            if with_tilt:
                audio = _tilt(audio, sample_rate, float(np.clip(random.normal(0, TILT_DB), -2, 2)))
                gain_db = float(np.clip(random.normal(0, GAIN_DB), -8, 8))
                audio = audio * np.float32(min(db_to_amplitude(gain_db), 1 / max(np.abs(audio).max(), 1e-6)))
            made.append(_heard_anew(take, audio, up / down, sample_rate, hop_size))
    return made


def _tilt(audio: Audio, sample_rate: int, db_per_octave: float) -> Audio:
    """Around 1 kHz, between 50 Hz and 16 kHz."""
    octaves = np.log2(np.clip(np.fft.rfftfreq(len(audio), 1 / sample_rate), 50, 16_000) / 1000)
    return np.fft.irfft(np.fft.rfft(audio) * 10 ** (db_per_octave * octaves / 20), n=len(audio)).astype(np.float32)


def _heard_anew(take: Take, audio: Audio, ratio: float, sample_rate: int, hop_size: int) -> Take:
    n_frames = samples_to_frames(len(audio), hop_size)
    audio = np.pad(audio, (0, n_frames * hop_size - len(audio)))
    was, old = np.arange(n_frames) * ratio, np.arange(take.n_frames)
    f0_hz = ratio * np.exp2(np.interp(was, old, np.log2(take.features.f0_hz)))
    batch = torch.from_numpy(np.ascontiguousarray(audio))[None]
    features = Features(
        f0_hz, np.interp(was, old, take.features.periodicity),
        by_blocks(a_weighted_loudness, batch, sample_rate, hop_size)[0].numpy(),
        by_blocks(timbre_frames, batch, sample_rate, hop_size)[0].numpy(),
        measure_partials(audio, sample_rate, hop_size, f0_hz), take.features.frame_rate_hz)
    return replace(take, audio=audio, features=features)
