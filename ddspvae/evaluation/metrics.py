"""How far a sound is from the one that was asked for: defined here once.

Conventions
-----------
Reference before estimate, everywhere: the original, the score or the unedited sound comes first.
Audio is mono, numpy [T], both signals at one sample rate and aligned to the sample: nothing is
shifted, warped or level-matched to look better. A tail of up to 0.1 s that only one of the two has
is not looked at; a larger difference in length is an error, because then the takes are not the same.
Smaller is better for every distance, larger for every share. A share lies between 0 and 1.
Where nothing can be compared (no pitched frame at all) a number is NaN, never 0.

Measures
--------
`spectral_distance`  is it the same sound? Six resolutions, linear and log magnitudes, at 16 kHz.
                     It is a report and stays as it is, whatever loss a model is trained with.
`pitch_error`        is it in tune? Both signals are tracked by one tracker, which should not be the
                     one that trained the model: a model can learn its tracker's mistakes.
                     `tracker_floor` tells how far two trackers differ on the original alone;
                     an error near that floor cannot be told from none.
`loudness_error`     is it as loud? A-weighted, the mean difference reported on its own.
`harmonic_error`     has every harmonic its level? The mean difference of those that count, dB.
`note_scores`        (`transcription`) are the notes of the score heard? Onsets within 50 ms, pitches within 50 cents.

A frame *has a pitch* where the tracker's periodicity reaches `VOICED` = 0.5. The tracker is *sure* of it
from `SURE` on, and sure that there is *none* below `UNPITCHED`. The middle counts for nobody: on a solo
violin CREPE hovers between 0.2 and 0.5 for 8 % of the frames, nearly all of which SwiftF0 and the ear hear as
pitched, so that a perfect copy with a little less bow noise would be called a ghost.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from ddspvae.audio import Audio, resample
from ddspvae.features.f0 import TRACKERS, VOICED, track_f0
from ddspvae.features.loudness import a_weighted_loudness
from ddspvae.features.partials import measure_partials
from ddspvae.signals.checks import check_range, check_shape, fail
from ddspvae.signals.units import hz_to_cents, samples_to_frames, semitones_to_ratio

N_FFTS = (2048, 1024, 512, 256, 128, 64)
SPECTRAL_RATE = 16_000  # Hz; what a recording of any rate can be compared at
LOG_OFFSET = 1e-5
FRAME_RATE_HZ = 100  # CREPE's own rate; twice as fine as the 50 ms that the notes allow
SPARE_S = 0.1  # longest tail that one signal may have and the other not: a row of z is 0.04 s
AUDIBLE_DB = 50.0  # below the loudest frame; quieter ones are room and recording noise
AUDIBLE_HARMONIC_DB = 30.0  # below the strongest

# From here on two trackers agree on solo violin as well as they do at all: medians of 4 to 6 cents, 95th
# percentiles of 20 to 30. Below, octaves and note borders of the fast passages come in (50 to 400 cents).
SURE = {"swift": 0.9, "crepe": 0.8, "autocorrelation": 0.9}
UNPITCHED = 0.2
EDGE_SEMITONES = 1.0  # at either end of its range a tracker reports the end, not the pitch


@dataclass(frozen=True, eq=False)
class PitchTrack:
    """What one tracker hears in one signal, at 100 frames a second.

    Args:
        f0_hz: [F], Hz, > 0.
        periodicity: [F], 0 to 1.
        tracker: one of `ddspvae.features.f0.TRACKERS`.
    """

    f0_hz: NDArray[np.float32]
    periodicity: NDArray[np.float32]
    tracker: str

    def __post_init__(self) -> None:
        TRACKERS.check("PitchTrack", self.tracker)
        check_shape("PitchTrack", "periodicity", self.periodicity.shape, len(self.f0_hz))

    @property
    def sure(self) -> NDArray[np.bool_]:
        """[F], where the tracker is sure of the pitch."""
        return self.periodicity >= SURE[self.tracker.partition("-")[0]]

    @property
    def pitched(self) -> NDArray[np.bool_]:
        """[F], where the tracker hears a pitch at all."""
        return self.periodicity >= VOICED

    @property
    def unpitched(self) -> NDArray[np.bool_]:
        """[F], where the tracker is sure that there is no pitch."""
        return self.periodicity < UNPITCHED


@dataclass(frozen=True)
class PitchError:
    """How well the pitch of the reference is kept.

    Args:
        median_cents, p95_cents: of the absolute differences, over the frames sure in the reference and
            pitched in the estimate.
        bias_cents: median of the signed differences; positive is sharp.
        heard: share of the frames sure in the reference where the estimate has a pitch.
        ghost: share of all frames where the estimate has a pitch and the reference surely none.
        n_frames: frames sure in the reference (and, transposed, still inside the tracker's range).
    """

    median_cents: float
    p95_cents: float
    bias_cents: float
    heard: float
    ghost: float
    n_frames: int


@dataclass(frozen=True)
class LoudnessError:
    """How well the loudness of the reference is kept.

    Args:
        mean_abs_db: mean absolute difference after the mean difference is taken out.
        mean_difference_db: estimate minus reference minus the change that was asked for.
    """

    mean_abs_db: float
    mean_difference_db: float


def other_tracker(trained_with: str) -> str:
    """The tracker to evaluate with: the one that did not train the instrument.

    >>> other_tracker("swift"), other_tracker("crepe-full")
    ('crepe', 'swift')
    """
    return "crepe" if trained_with.startswith("swift") else "swift"


def spectral_distance(reference: ArrayLike, estimate: ArrayLike, sample_rate: int) -> float:
    """Multi-resolution spectral distance at 16 kHz; 0 for equal signals, no upper end.

    For n_fft in 2048, 1024, 512, 256, 128, 64, Hann windows and 75 % overlap, with A and B the magnitudes
    of the two short-time Fourier transforms (frames centred, zeros outside the signal, no normalisation):
    mean |A - B| + mean |ln(A + 1e-5) - ln(B + 1e-5)|, summed over the six.

    Args:
        reference, estimate: [T], full scale +-1.
        sample_rate: Hz of both.
    Raises:
        InputError: not [T], not finite, empty, or lengths more than 0.1 s apart.
    Source: the multi-scale loss of Engel et al., "DDSP", ICLR 2020, eq. 4, at one fixed rate.
    """
    pair = np.stack(align("spectral_distance", reference, estimate, sample_rate))
    audio = torch.from_numpy(np.ascontiguousarray(resample(pair, sample_rate, SPECTRAL_RATE)))
    distance = 0.0
    for n_fft in N_FFTS:
        a, b = torch.stft(audio, n_fft, n_fft // 4, window=torch.hann_window(n_fft), center=True,
                          pad_mode="constant", return_complex=True).abs()
        distance += (a - b).abs().mean().item()
        distance += ((a + LOG_OFFSET).log() - (b + LOG_OFFSET).log()).abs().mean().item()
    return distance


def track_pitch(audio: ArrayLike, sample_rate: int, tracker: str) -> PitchTrack:
    """Track audio [T] at 100 frames a second."""
    audio = check_audio("track_pitch", "audio", audio)
    f0_hz, periodicity = track_f0(audio, sample_rate, round(sample_rate / FRAME_RATE_HZ), tracker)
    return PitchTrack(np.asarray(f0_hz), np.asarray(periodicity), tracker)


def compare_tracks(reference: PitchTrack, estimate: PitchTrack, transposed_by_semitones: float = 0.0) -> PitchError:
    """`pitch_error` for signals that were tracked before; trailing frames that only one has are left out."""
    n_frames = min(len(reference.f0_hz), len(estimate.f0_hz))
    target_hz = reference.f0_hz[:n_frames] * semitones_to_ratio(transposed_by_semitones)
    low_hz, high_hz = TRACKERS[estimate.tracker].range_hz
    edge = semitones_to_ratio(EDGE_SEMITONES)
    sure = reference.sure[:n_frames] & (target_hz > low_hz * edge) & (target_hz < high_hz / edge)
    pitched = estimate.pitched[:n_frames]
    ghost = pitched & reference.unpitched[:n_frames]
    both = sure & pitched
    cents = hz_to_cents(estimate.f0_hz[:n_frames][both].astype(float), target_hz[both].astype(float))
    return PitchError(
        median_cents=float(np.median(np.abs(cents))) if len(cents) else math.nan,
        p95_cents=float(np.percentile(np.abs(cents), 95)) if len(cents) else math.nan,
        bias_cents=float(np.median(cents)) if len(cents) else math.nan,
        heard=float(both.sum() / sure.sum()) if sure.any() else math.nan,
        ghost=float(ghost.mean()) if n_frames else math.nan,
        n_frames=int(sure.sum()),
    )


def pitch_error(reference: ArrayLike, estimate: ArrayLike, sample_rate: int, tracker: str,
                *, transposed_by_semitones: float = 0.0) -> PitchError:
    """Cents between two signals that one and the same tracker follows.

    Args:
        reference, estimate: [T].
        sample_rate: Hz of both.
        tracker: one of `ddspvae.features.f0.TRACKERS`; the one that did not train the model (`other_tracker`).
        transposed_by_semitones: what was asked for; the reference is shifted by it before comparing.
    Returns:
        PitchError; NaN where no frame can be compared.
    Raises:
        InputError: signals as in `spectral_distance`, or an unknown tracker.
    """
    check_range("pitch_error", "transposed_by_semitones", transposed_by_semitones, -60, 60)
    reference, estimate = align("pitch_error", reference, estimate, sample_rate)
    return compare_tracks(track_pitch(reference, sample_rate, tracker), track_pitch(estimate, sample_rate, tracker),
                          transposed_by_semitones)


def tracker_floor(reference: ArrayLike, sample_rate: int, tracker_a: str, tracker_b: str) -> PitchError:
    """How far two trackers differ on the original alone, over the frames that tracker_a is sure of.

    Args:
        reference: [T].
        tracker_a: the tracker of the measurement.
        tracker_b: the tracker that trained the model.
    """
    a, b = (track_pitch(reference, sample_rate, tracker) for tracker in (tracker_a, tracker_b))
    return compare_tracks(a, b)


def loudness_error(reference: ArrayLike, estimate: ArrayLike, sample_rate: int,
                   *, expected_change_db: float = 0.0) -> LoudnessError:
    """A-weighted loudness difference over the frames above -50 dB of the reference's loudest.

    Args:
        reference, estimate: [T].
        sample_rate: Hz of both.
        expected_change_db: the change that was asked for; taken off the difference.
    Raises:
        InputError: signals as in `spectral_distance`, or a silent reference.
    """
    check_range("loudness_error", "expected_change_db", expected_change_db, -120, 120)
    pair = np.stack(align("loudness_error", reference, estimate, sample_rate))
    if not pair[0].any():
        raise fail("loudness_error", "reference", "hold some sound", "silence")
    hop_size = round(sample_rate / FRAME_RATE_HZ)
    reference_db, estimate_db = a_weighted_loudness(torch.from_numpy(pair), sample_rate, hop_size).double().numpy()
    audible = reference_db > reference_db.max() - AUDIBLE_DB
    difference_db = (estimate_db - reference_db)[audible] - expected_change_db
    mean_db = difference_db.mean()
    return LoudnessError(float(np.abs(difference_db - mean_db).mean()), float(mean_db))


def harmonic_error(reference: ArrayLike, estimate: ArrayLike, sample_rate: int, hop_size: int,
                   f0_hz: NDArray[np.floating], is_pitched: NDArray[np.bool_]) -> float:
    """How far the levels of the harmonics are from the reference's, dB: the mean over those that count.

    What the spectral distance hardly hears below 200 Hz: whether a low note has all its harmonics. Of the first forty up
    to 10 kHz those count that lie within 30 dB of the strongest; a harmonic is 30 dB off at most. Levels are beside the sum
    of all, so how loud the whole is does not matter.

    Args:
        reference, estimate: [T].
        sample_rate: Hz of both.
        hop_size: samples per frame.
        f0_hz: [F], of the reference, Hz.
        is_pitched: [F], frames to look at; silent ones are left out.
    Returns:
        dB, NaN where there is no such frame.
    Raises:
        InputError: signals as in `spectral_distance`.
    """
    pair = align("harmonic_error", reference, estimate, sample_rate)
    n_frames = samples_to_frames(len(pair[0]), hop_size)
    rows = [measure_partials(audio, sample_rate, hop_size, f0_hz[:n_frames])[is_pitched[:n_frames], :-1] for audio in pair]
    asked, found = (20 * np.log10(np.maximum(levels, 1e-9)) for levels in rows)
    sounds = rows[0].sum(axis=1, keepdims=True) > 0.5  # they sum to 1, in silence to nothing
    counts = sounds & (asked > asked.max(axis=1, keepdims=True, initial=-180) - AUDIBLE_HARMONIC_DB)
    return float(np.abs(found - asked)[counts].clip(max=AUDIBLE_HARMONIC_DB).mean()) if counts.any() else math.nan


def check_audio(where: str, name: str, audio: ArrayLike) -> Audio:
    """Return audio as float32 [T]; raise InputError where it is no finite mono signal."""
    array = np.asarray(audio, dtype=np.float32)
    check_shape(where, name, array.shape, None)
    if not len(array):
        raise fail(where, name, "have at least one sample", 0)
    if not np.isfinite(array).all():
        raise fail(where, name, "be finite in every sample", "NaN or infinity")
    return array


def align(where: str, reference: ArrayLike, estimate: ArrayLike, sample_rate: int) -> tuple[Audio, Audio]:
    """Check two signals and cut both to the shorter one."""
    check_range(where, "sample_rate", sample_rate, 1, 10_000_000)
    reference, estimate = check_audio(where, "reference", reference), check_audio(where, "estimate", estimate)
    n_samples = min(len(reference), len(estimate))
    if abs(len(reference) - len(estimate)) > SPARE_S * sample_rate:
        raise fail(where, "estimate", f"be as long as the reference ({len(reference) / sample_rate:.2f} s)",
                   f"{len(estimate) / sample_rate:.2f} s", "are they the same take, at the same sample rate?")
    return reference[:n_samples], estimate[:n_samples]
