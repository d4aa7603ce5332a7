"""One point of a rate-distortion curve: what z costs, and what comes back of takes that no training has heard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from ddspvae.audio import read_audio
from ddspvae.evaluation.metrics import (
    PitchTrack,
    align,
    compare_tracks,
    loudness_error,
    spectral_distance,
    track_pitch,
)
from ddspvae.evaluation.perceptual import can_judge, judge_stretches
from ddspvae.features.extract import extract
from ddspvae.features.timbre import mel_power
from ddspvae.instrument.instrument import Instrument
from ddspvae.instrument.loading import load
from ddspvae.instrument.nearest import moved_to
from ddspvae.model.bottleneck import SOUNDING_DB, kl_nats, sample, sounding_rows
from ddspvae.model.config import ModelConfig
from ddspvae.rate_distortion.points import Point
from ddspvae.signals import Features, Latents, Performance
from ddspvae.signals.checks import InputError, check_range
from ddspvae.signals.units import hz_to_cents, nats_to_bits, power_to_db
from ddspvae.training.dataset import Take
from ddspvae.training.recordings import Row, find_recordings, read_manifest

BLOCK_S = 2.0  # neighbouring rows say the same: they are drawn together
N_RESAMPLED = 2000
CENTS_STEP, LOUDNESS_STEP_DB, PERIODICITY_STEP = 5.0, 1.0, 0.1
MEL_SPAN_DB = 80.0  # below the loudest band of the original; quieter bands are recording noise
FRAMES_PER_S = 100
JUDGED_S = 5.0  # a stretch, of which Zimtohrli's interval is drawn
TRACKED_S = 30.0  # of each take, for the pitch error: a median needs no more, and trackers are slow
SILENT_PEAK = 1e-5


def listen(recordings: Sequence[str | Path], holdout: Sequence[str | Path], tracker: str, model: ModelConfig) -> list[Take]:
    """The takes that are held out, analysed as `prepare` does those of the training.

    Args:
        recordings: folders or files, for the manifests that know the pitch of single notes.
        holdout: folders or files.
        tracker: of f0.
        model: for its rates.
    Raises:
        InputError: a path that is missing, or cannot be read.
    """
    rows: dict[Path, Row] = {}
    for root in recordings:
        rows.update(read_manifest(root))
    takes = []
    for path in find_recordings([Path(path) for path in holdout]):
        audio, _ = read_audio(path, model.sample_rate)
        row = rows.get(path.resolve())
        features = extract(audio, model.sample_rate, model.hop_size, tracker, prior_hz=None if row is None else row.prior_hz)
        missing = len(features.f0_hz) * model.hop_size - len(audio)
        takes.append(Take(path, np.pad(audio, (0, missing)), features, room=path.resolve().parent.name))
    return takes


def side_information(takes: Sequence[Features]) -> tuple[float, float, float]:
    """What the curves beside z cost: entropy of the steps from frame to frame, over sounding frames.

    f0 is rounded to 5 cents, loudness to 1 dB, periodicity to 0.1; a coder that knows how often each step occurs, and
    nothing else, needs that many bits. Few frames give too low a figure: by about (kinds of steps) / (1.4 n) bits a frame.

    Args:
        takes: at one frame rate.
    Returns:
        bit/s of f0, of loudness and of periodicity; 0 where nothing changes.
    """
    steps: list[list[NDArray]] = [[], [], []]
    for take in takes:
        sounding = take.loudness_db > take.loudness_db.max() - SOUNDING_DB
        both = sounding[1:] & sounding[:-1]
        curves = (np.asarray(hz_to_cents(take.f0_hz.astype(float), np.float64(1))) / CENTS_STEP,
                  np.asarray(take.loudness_db, dtype=float) / LOUDNESS_STEP_DB,
                  np.asarray(take.periodicity, dtype=float) / PERIODICITY_STEP)
        for kept, curve in zip(steps, curves):
            kept.append(np.diff(np.round(curve))[both])
    f0, loudness, periodicity = (entropy_bits(np.concatenate(kept)) * takes[0].frame_rate_hz for kept in steps)
    return f0, loudness, periodicity


def entropy_bits(values: NDArray) -> float:
    """First-order entropy of values [N] as they occur, bits a value; 0 for none at all.

    >>> entropy_bits(np.array([0, 1, 0, 1]))
    1.0
    """
    share = np.unique(values, return_counts=True)[1] / max(1, len(values))
    return float(abs((share * np.log2(share)).sum()))  # -0.0 is no entropy


def log_mel_distance(reference: ArrayLike, estimate: ArrayLike, sample_rate: int) -> float:
    """Mean absolute difference of 64 mel bands, dB, over frames less than 50 dB below the loudest of the reference.

    100 frames a second; bands more than 80 dB below the loudest of the reference count as that.

    Args:
        reference, estimate: [T], full scale +-1.
        sample_rate: Hz of both.
    Returns:
        dB; NaN where the reference is silent.
    Raises:
        InputError: not [T], not finite, empty, or lengths more than 0.1 s apart.
    """
    pair = np.stack(align("log_mel_distance", reference, estimate, sample_rate))
    original, sound = mel_power(torch.from_numpy(pair), sample_rate, round(sample_rate / FRAMES_PER_S)).double()
    if not float(original.max()) > 0:
        return float("nan")
    whole = original.sum(-1)
    audible = whole > whole.max() * 10 ** (-SOUNDING_DB / 10)
    top = original.max()
    difference = power_to_db(original / top, -MEL_SPAN_DB) - power_to_db(sound / top, -MEL_SPAN_DB)
    return float(difference[audible].abs().mean())


def rate_interval(blocks: NDArray, z_rate_hz: float, seed: int = 0) -> tuple[float, float, float]:
    """Rate of z with its 95 % interval, by drawing blocks anew.

    Args:
        blocks: [N, 2], bits of the sounding rows of each block, and how many there are.
        z_rate_hz: rows per second.
    Returns:
        bit/s of all, and the 2.5th and 97.5th percentile of 2000 bootstrap samples; NaN where nothing sounds.
    Source: Efron & Tibshirani, "An Introduction to the Bootstrap", 1993; blocks because rows depend on each other.
    """
    blocks = blocks[blocks[:, 1] > 0]
    if not len(blocks):
        return float("nan"), float("nan"), float("nan")
    random = np.random.default_rng(seed)
    sums = np.stack([blocks[random.integers(len(blocks), size=len(blocks))].sum(0) for _ in range(N_RESAMPLED)])
    low, high = np.percentile(sums[:, 0] / sums[:, 1] * z_rate_hz, [2.5, 97.5])
    bits, rows = blocks.sum(0)
    return float(bits / rows * z_rate_hz), float(low), float(high)


@torch.inference_mode()
def price_blocks(instrument: Instrument, take: Take) -> tuple[Latents, NDArray]:
    """The posterior of z for a take, and blocks of 2 s of it as `rate_interval` wants them."""
    latents = instrument.encode(take.features, take.audio)
    bits = nats_to_bits(kl_nats(latents)[0].sum(-1)).double().numpy()
    loudness_db = torch.from_numpy(np.array(take.features.loudness_db))
    counted = sounding_rows(loudness_db[None], instrument.config.frames_per_z)[0].double().numpy()
    starts = np.arange(0, len(bits), max(1, round(BLOCK_S * instrument.config.z_rate_hz)))
    return latents, np.stack([np.add.reduceat(bits * counted, starts), np.add.reduceat(counted, starts)], axis=1)


class Yardstick:
    """Takes to measure points on: those held out, tracked once, and those of the training, for their rate alone.

    Args:
        training: takes.
        held_out: takes; the silent ones are left out.
        tracker: to measure pitch with, not the one that trained.
        max_seconds: how much of each held-out take is used, from its start, 0.1 to 3600.
    Raises:
        InputError: everything held out is silent, or max_seconds is out of range.
    """

    def __init__(self, training: Sequence[Take], held_out: Sequence[Take], tracker: str, max_seconds: float) -> None:
        check_range("curve", "max_seconds", max_seconds, 0.1, 3600)
        self.training, self.tracker = list(training), tracker
        parts = []
        for take in held_out:
            hop_size = len(take.audio) // take.n_frames
            parts.append(take.part(0, max(1, round(max_seconds * take.features.frame_rate_hz)), hop_size))
        self.held_out = [take for take in parts if np.abs(take.audio).max() > SILENT_PEAK]
        if not self.held_out:
            raise InputError("curve: all that is held out is silent; hold out other recordings with --holdout.")
        self.side = side_information([take.features for take in self.held_out])
        self.seconds = [take.n_frames / take.features.frame_rate_hz for take in self.held_out]
        self.tracks: list[PitchTrack] = []

    def measure(self, point: Point, path: Path) -> Point:
        """Fill in the numbers of a point whose instrument is at path."""
        instrument = load(path)
        rate = instrument.config.sample_rate
        heard = round(TRACKED_S * rate)
        self.tracks = self.tracks or [track_pitch(take.audio[:heard], rate, self.tracker) for take in self.held_out]
        blocks, pairs, tracks, judged = [], [], [], [np.zeros((0, 2))]
        places = {take.room for take in (*self.held_out, *self.training)} & set(instrument.config.rooms)
        there = {room: moved_to(instrument, room) for room in places}
        for index, take in enumerate(self.held_out):
            player = there.get(take.room, instrument)
            latents, priced = price_blocks(player, take)
            blocks.append(priced)
            drawn = sample(latents, torch.Generator().manual_seed(index))
            sounds = [play(player, take, latents.to_z(numbers)) for numbers in (drawn, None)]
            tracks.append(track_pitch(sounds[0][:heard], rate, self.tracker))
            if can_judge():
                scores, seconds = judge_stretches(take.audio, sounds[0], rate, JUDGED_S)
                judged.append(np.stack([scores * seconds, seconds], axis=1))
            pairs.append([loudness_error(take.audio, sounds[0], rate).mean_abs_db,
                          *(measure(take.audio, sound, rate) for sound in sounds
                            for measure in (spectral_distance, log_mel_distance))])
        loudness_db, spectral, mel_db, mean_spectral, mean_mel_db = np.average(pairs, axis=0, weights=self.seconds).tolist()
        z_rate_hz = instrument.config.z_rate_hz
        bits, low, high = rate_interval(np.concatenate(blocks), z_rate_hz)
        score, worst, best = rate_interval(np.concatenate(judged), 1.0)  # the same draw: of sums, one by the other
        trained_bits, trained_rows = sum(price_blocks(there.get(take.room, instrument), take)[1].sum(0)
                                         for take in self.training)
        f0, loudness, periodicity = self.side
        return replace(
            point, bits_per_second=bits, bits_low=low, bits_high=high,
            training_bits_per_second=float(trained_bits / max(trained_rows, 1) * z_rate_hz),
            spectral_distance=spectral, log_mel_db=mel_db, loudness_db=loudness_db,
            pitch_median_cents=compare_tracks(join(self.tracks), join(tracks)).median_cents,
            zimtohrli=score, zimtohrli_low=worst, zimtohrli_high=best,
            mean_z_spectral_distance=mean_spectral, mean_z_log_mel_db=mean_mel_db,
            f0_bits_per_second=f0, loudness_bits_per_second=loudness, periodicity_bits_per_second=periodicity,
            held_out_s=sum(self.seconds))


def play(instrument: Instrument, take: Take, z: torch.Tensor) -> NDArray[np.float32]:
    """Resynthesize a take with z [1, M, Z]."""
    features, config = take.features, instrument.config
    performance = Performance(features.f0_hz, features.periodicity, features.loudness_db, z[0].numpy(),
                              instrument.axis_names, config.frame_rate_hz, config.frames_per_z, instrument.identity)
    return instrument.resynthesize(performance)


def join(tracks: Sequence[PitchTrack]) -> PitchTrack:
    """One track after another."""
    return PitchTrack(np.concatenate([track.f0_hz for track in tracks]),
                      np.concatenate([track.periodicity for track in tracks]), tracks[0].tracker)
