"""Trainings that differ from the plain one: another loss, a stage against a discriminator, altered copies of the takes."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from types import ModuleType

import numpy as np
import torch
from torch import Tensor, nn
from variants_networks import Plain

from ddspvae.audio import Audio, resample
from ddspvae.features import band_tables, bands
from ddspvae.features.loudness import a_weighted_loudness, by_blocks
from ddspvae.features.partials import read_partials
from ddspvae.features.spectrum import measure_spectrum
from ddspvae.features.timbre import timbre_frames
from ddspvae.model import excitation
from ddspvae.model.bottleneck import sounding_rows
from ddspvae.signals import Features
from ddspvae.signals.units import db_to_amplitude, samples_to_frames
from ddspvae.synth import level, noise, tails
from ddspvae.training import losses
from ddspvae.training import trainer as running
from ddspvae.training.dataset import Batch, Take
from ddspvae.training.trainer import Run, TrainingConfig

listening = importlib.import_module("ddspvae.features.extract")  # the folder has a function of that name


WARMUP_S = 0.32
SECOND_STAGE = 2 / 3  # of the budget
ADVERSARIAL_WEIGHT, MATCHING_WEIGHT = 0.05, 1.0
DISCRIMINATOR_PACE = 5e-4
RESTING = ("encoder", "expected", "persistence", "named_bits", "room_energy", "room_decay")
SCALES_PER_STEP, DRY_UNTIL, ROOM_PACE = 3, 0.15, 5.0  # of six; of the budget; of the learning rate
RATIOS = ((18, 17), (36, 35), (35, 36), (17, 18))  # of a semitone and a half, up and down
TILT_DB, GAIN_DB = 1.0, 4.0  # standard deviations; dB per octave, dB


@contextmanager
def crowded(crowding: float) -> Iterator[None]:
    """Noise bands that lie `crowding` times as dense at 0 Hz as at Nyquist, > 1, inside."""
    def put(value: float) -> None:
        band_tables.CROWDING = value
        for kept in (noise.bin_shapes, level._noise_weights, tails.noise_weights, band_tables.band_weights,
                     bands.band_weights, excitation._noise_spread):
            kept.cache_clear()

    before = band_tables.CROWDING
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
        listening.refine_f0 = lambda audio, sample_rate, hop_size, f0_hz, periodicity, **more: f0_hz
    try:
        yield
    finally:
        listening.refine_f0 = before


@contextmanager
def within(module: ModuleType, **values: float) -> Iterator[None]:
    """Other values for some numbers of a module, inside."""
    before = {name: getattr(module, name) for name in values}
    vars(module).update(values)
    try:
        yield
    finally:
        vars(module).update(before)


class VariantRun(Run):
    """A run of the package, at any rate of frames.

    Args:
        lines_share: of the loss, for each harmonic and band alone; the rest is for the ear.
    """

    def __init__(self, model: Plain, config: TrainingConfig, lines_share: float = losses.LINES_SHARE) -> None:
        super().__init__(model, config, torch.device("cpu"))
        self.lines_share = lines_share

    def loss(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """As training_loss."""
        with (within(losses, LINES_SHARE=self.lines_share),
              within(running, WARMUP_FRAMES=round(WARMUP_S * self.model.config.frame_rate_hz))):
            return super().loss(batch)


class AudioRun(Run):
    """A run whose loss hears what the model plays, through the model's own `play`; nothing is measured in the recording.

    Args:
        n_scales: of the six FFT sizes, drawn anew each step.
    """

    def __init__(self, model: Plain, config: TrainingConfig, n_scales: int = SCALES_PER_STEP) -> None:
        super().__init__(model, config, torch.device("cpu"))
        self.sizes, self.n_scales = losses.fft_sizes(model.config.sample_rate), n_scales
        rooms = [model.room_energy, model.room_decay]
        first = self.optimizer.param_groups[0]
        first["params"] = [p for p in first["params"] if all(p is not room for room in rooms)]
        self.optimizer.add_param_group({"params": rooms, "pace": ROOM_PACE})

    def loss(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The distance of what is played with z drawn from its posterior, and what the bottleneck asks for."""
        model, heard, config = self.model, batch.heard, self.model.config
        rows = sounding_rows(heard.loudness_db[..., 0], config.frames_per_z)
        listened = model.listen(heard)
        bottled = model.bottleneck(listened.latents, rows)
        z = bottled.z
        if not self.has_details:
            at = torch.arange(z.shape[-1])
            z = z * ((at < model.n_named) | (at >= config.n_running))
        seeds = torch.arange(len(heard.audio)) + self.step * len(heard.audio)
        with_room = config.with_reverb and self.progress >= DRY_UNTIL
        audio = model.play(heard, z, batch.room if with_room else None, seeds)
        frames = round(WARMUP_S * config.frame_rate_hz)
        warm, span = frames * config.hop_size, losses.beat_span(heard.f0_hz[:, frames:], config.sample_rate)
        random = np.random.default_rng((self.config.seed, self.step, 1))
        sizes = tuple(sorted(random.choice(self.sizes, size=min(self.n_scales, len(self.sizes)), replace=False).tolist()))
        loss = self.compare(heard.audio[:, warm:], audio[:, warm:], sizes, span) + bottled.loss
        return loss + (0.0 if listened.surprise is None else listened.surprise), bottled.bits

    def compare(self, reference: Tensor, estimate: Tensor, sizes: tuple[int, ...], span: Tensor) -> Tensor:
        """What is to become small."""
        return losses.spectral_loss(reference, estimate, sizes, span)


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


class AdversarialRun(AudioRun):
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
        distance = super().compare(reference, estimate, sizes, span)
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
            if name.split(".")[0] in RESTING:
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
    spectrum = measure_spectrum(audio, sample_rate, hop_size, f0_hz)
    features = Features(
        f0_hz, np.interp(was, old, take.features.periodicity),
        by_blocks(a_weighted_loudness, batch, sample_rate, hop_size)[0].numpy(),
        by_blocks(timbre_frames, batch, sample_rate, hop_size)[0].numpy(),
        read_partials(spectrum, f0_hz, sample_rate), take.features.frame_rate_hz, spectrum)
    return replace(take, audio=audio, features=features)
