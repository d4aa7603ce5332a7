"""What a model does on takes it was not trained on, and the reasons to stop a run."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ddspvae.features.extract import track_and_refine
from ddspvae.features.f0 import VOICED
from ddspvae.model.autoencoder import Autoencoder
from ddspvae.model.bottleneck import sounding_rows
from ddspvae.model.parts import SYNTHESIZERS
from ddspvae.model.target import frame_weights
from ddspvae.signals.checks import InputError
from ddspvae.signals.units import hz_to_cents
from ddspvae.synth.render import render
from ddspvae.synth.reverb import impulse_response
from ddspvae.training.dataset import Take
from ddspvae.training.losses import HeardError

MAX_SECONDS = 24.0
MAX_SECONDS_PER_TAKE = 8.0
STEPS_TO_USE_Z = 300  # before, nobody can tell
LEAST_Z_GAIN = 0.003  # a working z is worth ten times that


class TrainingStopped(InputError):
    """The run ended by itself; the sentence says why and what to try."""


@dataclass(frozen=True)
class Validation:
    """One measurement.

    Args:
        loss: mean square of the levels' errors, 1 at 6 dB, with z drawn from its posterior.
        pitch_median_cents: of the output against the take's own f0, by the training tracker; None if none is heard.
        pitch_heard: share of sure frames where the output has a pitch.
        bits_per_second: rate of z.
        harmonic_share: mean A-weighted share of the harmonics in sure frames.
        z_gain: how much the loss rises when z is 0, what is typical, relative.
    """

    loss: float
    pitch_median_cents: float | None
    pitch_heard: float
    bits_per_second: float
    harmonic_share: float
    z_gain: float


def excerpts(takes: Sequence[Take], hop_size: int, instead: Sequence[Take] = ()) -> list[Take]:
    """About 24 s in all: an equal share of each take, at most 8 s, from its middle, or where most of it has a pitch.

    Args:
        takes: to validate on; those without any pitch tell nothing and are left out.
        hop_size: samples a frame.
        instead: takes to look at where none of the others has a pitch: the training's own, which flatter.
    Raises:
        InputError: no take has a pitch.
    """
    parts = []
    share_s = max(1.0, min(MAX_SECONDS_PER_TAKE, MAX_SECONDS / max(1, len(takes))))
    for take in [take for take in takes if _counts(take).any()][: int(MAX_SECONDS)]:
        frames = min(take.n_frames, int(share_s * take.features.frame_rate_hz))
        start = (take.n_frames - frames) // 2
        sure = np.concatenate([[0], np.cumsum(_counts(take))])
        if sure[start + frames] == sure[start]:
            start = int(np.argmax(sure[frames:] - sure[: len(sure) - frames]))
        parts.append(take.part(start, start + frames, hop_size))
    if parts:
        return parts
    if instead:
        warnings.warn("train: what was kept for validation has no pitch, so the training's own takes are validated on; "
                      "record more.", stacklevel=2)
        return excerpts(instead, hop_size)
    raise InputError("train: no take has a pitch that could be validated; see the doctor's report.")


def _counts(take: Take) -> np.ndarray:
    """[F], which frames are pitched and within 60 dB of the loudest."""
    return (take.features.periodicity >= VOICED) & (take.features.loudness_db > take.features.loudness_db.max() - 60)


@torch.inference_mode()
def reconstruct(model: Autoencoder, take: Take, rooms: Sequence[str], device: torch.device
                ) -> tuple[np.ndarray, float, float]:
    """Resynthesize a take with z at its posterior's mean.

    Returns:
        audio [T], bits per second, harmonic share in sure frames.
    """
    config = model.config
    heard = take.heard(device)
    latents = model.encode(heard)
    z = model.to_z(latents)
    index = torch.tensor([rooms.index(take.room) if take.room in rooms else 0], device=device)
    room = model.room(index)
    beside = model.beside(heard)
    controls = model.decode(*heard.curves, z, room, **beside)
    response = None if room is None else impulse_response(room, config.sample_rate)
    synthesizer = SYNTHESIZERS[config.synthesizer](config.sample_rate, config.hop_size, config.n_noise_bands)
    audio = render(controls, config.sample_rate, config.hop_size, response=response, synthesizer=synthesizer)
    share = model.decoder(*heard.curves, z, **beside)[2][0, :, 0]
    sure = torch.from_numpy(take.features.periodicity >= VOICED).to(device)
    rows = sounding_rows(heard.loudness_db[..., 0], config.frames_per_z)
    bits = float(model.bits_per_axis(latents, rows).sum())
    return audio[0].cpu().numpy(), bits, float(share[sure].mean()) if sure.any() else 1.0


@torch.inference_mode()
def explained_loss(model: Autoencoder, take: Take, device: torch.device, typical: bool = False) -> float:
    """How far the levels of harmonics and noise are from those measured, with z drawn from its posterior.

    Args:
        typical: z as is typical instead, 0.
    """
    heard = take.heard(device)
    listened = model.listen(heard)
    assert listened.measured is not None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # the same draw at every validation
        z = model.bottleneck(listened.latents).z
    if typical:
        z = torch.cat([torch.zeros_like(z[..., : model.config.n_running]), z[..., model.config.n_running :]], dim=-1)
    weight = frame_weights(heard.loudness_db[..., 0], float(model.decoder.typical.loud_db))
    return float(HeardError(heard, listened.measured, weight, model.config.sample_rate)(model.explain(heard, z)))


def validate(model: Autoencoder, takes: Sequence[Take], rooms: Sequence[str], tracker: str,
             device: torch.device) -> Validation:
    """Measure a model on excerpts."""
    config = model.config
    losses, flat_losses, bits, shares, cents, heard = [], [], [], [], [], []
    for take in takes:
        audio, take_bits, share = reconstruct(model, take, rooms, device)
        losses.append(explained_loss(model, take, device))
        if config.n_z:
            flat_losses.append(explained_loss(model, take, device, typical=True))
        bits.append(take_bits)
        shares.append(share)
        sure = take.features.periodicity >= VOICED
        f0_hz, periodicity = track_and_refine(audio, config.sample_rate, config.hop_size, tracker)
        n = min(len(f0_hz), len(sure))
        both = sure[:n] & (periodicity[:n] >= VOICED)
        heard.append((both.sum(), sure.sum()))
        cents.append(np.abs(hz_to_cents(f0_hz[:n][both], take.features.f0_hz[:n][both])))
    all_cents = np.concatenate(cents) if cents else np.zeros(0)
    n_sure = sum(s for _, s in heard)
    loss = float(np.mean(losses))
    return Validation(
        loss=loss,
        pitch_median_cents=float(np.median(all_cents)) if len(all_cents) else None,
        pitch_heard=float(sum(b for b, _ in heard) / n_sure) if n_sure else 1.0,
        bits_per_second=float(np.mean(bits)),
        harmonic_share=float(np.mean(shares)),
        z_gain=float(np.mean(flat_losses)) / max(loss, 1e-9) - 1 if flat_losses else 0.0,
    )


def check_health(v: Validation, progress: float, step: int, n_inferred: int, tail_energy: float) -> None:
    """Stop a run that has failed in one of the known ways.

    Args:
        n_inferred: axes of z that an encoder infers; those with names cannot be ignored.

    Raises:
        TrainingStopped: the loss is not finite, the harmonics are unused, the reverb has eaten the note, or z is
            ignored.
    """
    if not np.isfinite(v.loss):
        raise TrainingStopped("train: the validation loss is not finite; try another --seed, or look for broken recordings "
                              "in the doctor's report.")
    if progress < 0.3:
        return
    if v.harmonic_share < 0.1:
        raise TrainingStopped(f"train: the harmonics carry {v.harmonic_share:.0%} of the sound and noise the rest; are the "
                              "recordings pitched and the tracked f0 right? See the doctor's report.")
    if v.pitch_heard < 0.5 and tail_energy > 0.5:
        raise TrainingStopped(f"train: the reverb has eaten the note (tail at {tail_energy:.2f} of the direct sound, pitch "
                              f"heard in {v.pitch_heard:.0%} of the frames); train with --no-reverb.")
    if n_inferred and progress > 0.6 and step >= STEPS_TO_USE_Z and v.z_gain < LEAST_Z_GAIN:
        raise TrainingStopped(f"train: z is ignored (the loss rises by only {v.z_gain:.2%} when it is the same everywhere); "
                              "ask for a higher --bitrate, or train longer.")
