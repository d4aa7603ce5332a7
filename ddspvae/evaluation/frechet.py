"""The Fréchet distance between two sets of sounds: how far apart they lie as distributions, not take by take.

Every sound becomes rows of numbers (an embedding); each set of rows is summed up by its mean and covariance, and the
distance is that of two Gaussians. So it needs no aligned pairs, and tells a set that is too much alike from one that varies
as the recordings do.

Two embeddings, neither of which needs a download:

`texture`   53 numbers each 0.25 s, by formula: the spectrum's shape in bands, how far peaks stand above valleys, and how
            both move. In dB, so the distance is in dB^2. Hears up to 16 kHz.
`crepe`     256 numbers each 10 ms, from the fifth layer of CREPE tiny. A network that listens for pitch, at 16 kHz.

docs/ablation.md says how well each orders known degradations. Few rows make any Fréchet distance too large, by about D^2 / N
of what the rows scatter: compare sets of the same length, and look at the distance between two halves of the recordings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.fft import dct

from ddspvae.audio import Audio, resample
from ddspvae.evaluation.metrics import check_audio
from ddspvae.features.timbre import mel_filterbank
from ddspvae.signals.checks import check_choice, check_shape, fail

TEXTURE_RATE = 32_000
WINDOW, HOP = 2048, 320  # samples at TEXTURE_RATE: 64 ms tells harmonics 50 Hz apart; 10 ms
STRETCH_FRAMES, STRETCH_HOP = 25, 10
N_BANDS, N_CEPSTRA = 40, 18
LOWEST_HZ, HIGHEST_HZ = 60.0, 16_000.0
CONTRAST_EDGES_HZ = (60.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0, 12_000.0, 16_000.0)
SHARE_FLOOR = 1e-6  # of a frame's power: -60 dB
AUDIBLE_DB = 50.0  # below the loudest frame; quieter ones are left out
CREPE_RATE, CREPE_HOP, CREPE_BATCH = 16_000, 160, 512


def frechet_distance(reference: ArrayLike, estimate: ArrayLike) -> float:
    """How far apart two sets of rows are, each taken for a Gaussian.

        |m_r - m_e|^2 + tr(C_r + C_e - 2 (C_r^1/2 C_e C_r^1/2)^1/2)

    Args:
        reference, estimate: [N, D] and [M, D], at least two rows each, finite.
    Returns:
        >= 0, in squared units of the rows; 0 for sets with the same mean and covariance.
    Raises:
        InputError: shapes disagree, too few rows, or a number that is not finite.
    Source: Dowson and Landau, "The Fréchet distance between multivariate normal distributions", 1982; for audio Kilgour et
        al., "Fréchet Audio Distance", Interspeech 2019. The square root by eigenvalues of a symmetric matrix, which stays
        real where the covariances are singular.
    """
    sets = [np.asarray(rows, dtype=np.float64) for rows in (reference, estimate)]
    check_shape("frechet_distance", "reference", sets[0].shape, None, None)
    check_shape("frechet_distance", "estimate", sets[1].shape, None, sets[0].shape[1])
    for name, rows in zip(("reference", "estimate"), sets):
        if len(rows) < 2:
            raise fail("frechet_distance", name, "have at least 2 rows", len(rows), "give longer takes")
        if not np.isfinite(rows).all():
            raise fail("frechet_distance", name, "be finite", "NaN or infinity")
    means = [rows.mean(axis=0) for rows in sets]
    covariances = [np.atleast_2d(np.cov(rows, rowvar=False)) for rows in sets]
    root = _square_root(covariances[0])
    overlap = np.sqrt(np.clip(np.linalg.eigvalsh(root @ covariances[1] @ root), 0, None)).sum()
    distance = np.square(means[0] - means[1]).sum() + sum(np.trace(c) for c in covariances) - 2 * overlap
    return max(0.0, float(distance))


def _square_root(covariance: NDArray) -> NDArray:
    values, vectors = np.linalg.eigh(covariance)
    root: NDArray = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    return root


def texture(audio: Audio, sample_rate: int) -> NDArray[np.float64]:
    """The shape of the spectrum over 0.25 s, and how it moves, in dB.

    Of every frame: the first cepstra of its bands' shares of its power; the contrast in octaves, level of the mean over mean
    level, which falls where noise fills the valleys; and its level. Of every stretch: the mean of the former two, and the
    deviation of all.

    Args:
        audio: [T], any level; it cancels out.
        sample_rate: Hz; what lies above half of it, up to 16 kHz, counts as silent.
    Returns:
        [N, 53], a row each 0.1 s of the frames that are not silent.
    """
    sound = np.asarray(resample(audio, sample_rate, TEXTURE_RATE), dtype=np.float64)
    sound = np.pad(sound, (0, max(0, WINDOW + (STRETCH_FRAMES - 1) * HOP - len(sound))))
    pieces = np.lib.stride_tricks.sliding_window_view(sound, WINDOW)[::HOP]
    frequency_hz = np.fft.rfftfreq(WINDOW, 1 / TEXTURE_RATE)
    bands = mel_filterbank(WINDOW, TEXTURE_RATE, N_BANDS, LOWEST_HZ, HIGHEST_HZ).double().numpy()
    window = np.hanning(WINDOW)
    rows = []
    for at in range(0, len(pieces), 1024):
        power = np.square(np.abs(np.fft.rfft(pieces[at : at + 1024] * window)))
        total = power[:, frequency_hz >= LOWEST_HZ].sum(axis=1, keepdims=True) + 1e-20
        share = power / total
        levels = 10 * np.log10(share @ bands + SHARE_FLOOR)
        cepstra = dct(levels, type=2, norm="ortho", axis=1)[:, :N_CEPSTRA] / np.sqrt(N_BANDS)  # a mean over the bands
        octaves = [_contrast(share[:, (frequency_hz >= low) & (frequency_hz < high)])
                   for low, high in pairwise(CONTRAST_EDGES_HZ)]
        contrast = np.stack(octaves, axis=1) / np.sqrt(len(octaves))
        rows.append(np.concatenate([cepstra, contrast, 10 * np.log10(total)], axis=1))
    frames = np.concatenate(rows)
    frames = frames[frames[:, -1] >= frames[:, -1].max() - AUDIBLE_DB]
    frames = np.pad(frames, ((0, max(0, STRETCH_FRAMES - len(frames))), (0, 0)), mode="edge")
    stretches = np.lib.stride_tricks.sliding_window_view(frames, STRETCH_FRAMES, axis=0)[::STRETCH_HOP]
    moving = stretches.std(axis=-1)
    result: NDArray[np.float64] = np.concatenate([stretches.mean(axis=-1)[:, :-1], moving], axis=1)
    return result


def _contrast(share: NDArray) -> NDArray:
    """Level of the mean over the mean level of some bins, dB, >= 0."""
    contrast: NDArray = 10 * np.log10(share.mean(axis=1) + SHARE_FLOOR / 30) \
        - (10 * np.log10(share + SHARE_FLOOR / 30)).mean(axis=1)
    return contrast


def crepe(audio: Audio, sample_rate: int) -> NDArray[np.float64]:
    """What CREPE tiny makes of every 10 ms before it decides on a pitch.

    Args:
        audio: [T]; sample_rate: Hz.
    Returns:
        [N, 256]; without level, which CREPE takes out of every frame.
    Raises:
        InputError: torchcrepe is not installed.
    """
    import torch

    from ddspvae.features.trackers import load_torchcrepe
    from ddspvae.threads import one_thread

    sound = np.ascontiguousarray(resample(audio, sample_rate, CREPE_RATE), dtype=np.float32)
    torchcrepe = load_torchcrepe()
    with torch.no_grad(), one_thread():
        batches = torchcrepe.preprocess(torch.from_numpy(sound)[None], CREPE_RATE, CREPE_HOP, CREPE_BATCH, "cpu", True)
        heard = [torchcrepe.infer(frames, "tiny", embed=True).flatten(1) for frames in batches]
    rows: NDArray[np.float64] = torch.cat(heard).numpy().astype(np.float64)
    padded = np.pad(np.square(sound, dtype=np.float64), (CREPE_HOP, 2 * CREPE_HOP))
    power = np.lib.stride_tricks.sliding_window_view(padded, 2 * CREPE_HOP)[::CREPE_HOP][: len(rows)].mean(axis=1)
    return rows[power >= power.max() * 10 ** (-AUDIBLE_DB / 10)]


EMBEDDINGS: Mapping[str, Callable[[Audio, int], NDArray[np.float64]]] = {"texture": texture, "crepe": crepe}


def embed(takes: Sequence[ArrayLike], sample_rate: int, embedding: str = "texture") -> NDArray[np.float64]:
    """The rows of several takes, one after another.

    Args:
        takes: [T] each, finite.
        sample_rate: Hz.
        embedding: one of EMBEDDINGS.
    Returns:
        [N, D].
    Raises:
        InputError: no take, an unknown embedding, or a take that is not mono or not finite.
    """
    check_choice("embed", "embedding", embedding, EMBEDDINGS)
    if not takes:
        raise fail("embed", "takes", "hold at least one", 0)
    rows = [EMBEDDINGS[embedding](check_audio("embed", f"take {at}", take), sample_rate) for at, take in enumerate(takes)]
    return np.concatenate(rows)


def frechet_audio_distance(reference: Sequence[ArrayLike], estimate: Sequence[ArrayLike], sample_rate: int,
                           embedding: str = "texture") -> float:
    """The Fréchet distance between two sets of takes; neither number nor length of the takes need agree.

    Args:
        reference, estimate: takes [T] each.
        sample_rate: Hz, of both.
        embedding: one of EMBEDDINGS.
    """
    return frechet_distance(embed(reference, sample_rate, embedding), embed(estimate, sample_rate, embedding))
