"""Pitch: any tracker's answer on our frames, in the right octave, finite everywhere."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ddspvae.audio import resample
from ddspvae.features.autocorrelation import RANGE_HZ, RATE_HZ
from ddspvae.features.cache import cached
from ddspvae.features.ceiling import lift_octaves
from ddspvae.features.f0_csv import read_f0_csv, write_f0_csv
from ddspvae.features.segments import VOICED
from ddspvae.features.trackers import TRACKERS, Tracker
from ddspvae.features.vote import ask_others, settle_octave
from ddspvae.kernels.compiler import HAS_COMPILER
from ddspvae.signals.checks import InputError, check_range, fail
from ddspvae.signals.curves import read_pitch_at
from ddspvae.signals.units import samples_to_frames

__all__ = ["TRACKERS", "VOICED", "track_f0", "write_f0_csv"]

VERSION = 6  # part of the cache key: raise it with every change of the result
FILL_BELOW = 0.45  # less sure than this, a pitch is a guess: better what is known around it
FILL_OCTAVES = 1.5 / 12  # the line goes no farther: a vibrato or a scoop spans that, and a tone apart are two notes
FOREIGN_SHARE = 0.25  # of the sure frames beyond the range: more than any slips, so other music than the range is of
CSV_MAY_END_EARLY_S = 0.5
SILENCE_DB = -60.0  # below the loudest frame
LEVEL_WINDOW_S = 0.03
SOME_HZ = 440.0  # the pitch of silence


def track_f0(
    audio: NDArray, sample_rate: int, hop_size: int, tracker: str = "swift", *, prior_hz: float | None = None,
    range_hz: tuple[float, float] | None = None, audio_16k: NDArray | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Track the pitch of a monophonic recording.

    A vote with autocorrelation and a spectral comb settles the octave, and autocorrelation's curve stands in
    where the tracker is unsure or out of its range. The two neural trackers never see each other's answer, so
    that one can judge what the other trained. Answers are cached by content.

    Args:
        audio: [T], full scale +-1.
        sample_rate: Hz.
        hop_size: samples per frame.
        tracker: "swift", "crepe", "crepe-full", "autocorrelation", or the path of a .csv file of time, Hz and
            periodicity, which is taken as it is.
        prior_hz: the pitch of a single note where it is known; the result stays within 1.5 semitones of it, and
            range_hz is not asked.
        range_hz: the lowest and highest pitch that the instrument plays, where they are known. A take that has slipped
            out of it is tracked again with only what lies within to choose from. Where more than a quarter lies outside
            it is no slip: the take is another instrument's, and stays as it is.
        audio_16k: what `for_trackers` makes of it, where it is there already.
    Returns:
        f0_hz: [F], F = ceil(T / hop_size), Hz, finite and positive. A stretch without pitch is a straight line in
            log f0 between its neighbours, or, where those are two notes, holds the nearer one.
        periodicity: [F], 0 to 1, pitched from 0.5 up; 0 where the level is 60 dB below the loudest.
    Raises:
        InputError: empty, not finite or not one channel; no such tracker; a broken CSV file; torchcrepe missing.
    """
    audio = np.asarray(audio)
    _check(audio, sample_rate, hop_size, prior_hz, range_hz)
    times_s = np.arange(samples_to_frames(len(audio), hop_size)) * (hop_size / sample_rate)
    if tracker.lower().endswith(".csv"):
        track = read_f0_csv(tracker)
        if times_s[-1] - track.times_s[-1] > CSV_MAY_END_EARLY_S:
            raise InputError(f"track_f0: {tracker} ends at {track.times_s[-1]:.2f} s, the take at {times_s[-1]:.2f} s; "
                             "is it the curve of this take, and whole?")
        f0_hz = read_pitch_at(times_s, track.times_s, track.f0_hz)
        periodicity = np.interp(times_s, track.times_s, track.periodicity)
        return f0_hz.astype(np.float32), periodicity.astype(np.float32)
    TRACKERS.check("track_f0", tracker)
    key = ["f0", VERSION, tracker, TRACKERS[tracker].version(), sample_rate, hop_size, prior_hz, range_hz, audio]

    def heard() -> dict[str, NDArray]:
        return _track(audio, sample_rate, hop_size, times_s, TRACKERS[tracker], prior_hz, range_hz, audio_16k)

    # one from outside may be another tomorrow under the same name
    kept = heard() if TRACKERS.plugin_of(tracker) else cached(key, heard)
    return kept["f0_hz"], kept["periodicity"]


def _track(
    audio: NDArray, sample_rate: int, hop_size: int, times_s: NDArray, tracker: Tracker, prior_hz: float | None,
    range_hz: tuple[float, float] | None, audio_16k: NDArray | None,
) -> dict[str, NDArray]:
    silent = _silent(audio, sample_rate, times_s)
    if silent.all():
        some_hz = prior_hz or float(np.clip(SOME_HZ, *(range_hz or (0, np.inf))))
        return {"f0_hz": np.full(len(times_s), some_hz, np.float32),
                "periodicity": np.zeros(len(times_s), np.float32)}
    audio_16k = for_trackers(audio, sample_rate) if audio_16k is None else audio_16k
    track = tracker.track(audio_16k)
    tracked_hz = read_pitch_at(times_s, track.times_s, track.f0_hz)
    tracked_sure = np.interp(times_s, track.times_s, track.periodicity)

    in_range_too = range_hz is not None and prior_hz is None
    others = ask_others(audio_16k, prior_hz, [None, range_hz] if in_range_too else [None])

    def settle(range_hz: tuple[float, float] | None) -> tuple[NDArray, NDArray]:
        f0_hz, periodicity = settle_octave(audio_16k, times_s, tracked_hz, tracked_sure, tracker.range_hz,
                                           prior_hz=prior_hz, range_hz=range_hz, others=others[range_hz is not None])
        return f0_hz, np.where(silent, 0.0, periodicity)

    f0_hz, periodicity = settle(None)
    if in_range_too and range_hz is not None:
        sure = periodicity >= FILL_BELOW
        outside = sure & ((f0_hz < range_hz[0]) | (f0_hz > range_hz[1]))
        if not sure.any() or 0 < outside.sum() <= FOREIGN_SHARE * sure.sum():
            f0_hz, periodicity = settle(range_hz)
    if prior_hz is None:
        highest_hz = np.inf if range_hz is None else range_hz[1]
        lifted = lift_octaves(audio, sample_rate, hop_size, f0_hz, periodicity >= FILL_BELOW)
        f0_hz = np.where(lifted <= highest_hz, lifted, f0_hz)
    f0_hz = _fill(times_s, f0_hz, periodicity, prior_hz)
    return {"f0_hz": f0_hz.astype(np.float32), "periodicity": periodicity.astype(np.float32)}


def for_trackers(audio: NDArray, sample_rate: int) -> NDArray[np.float32]:
    """Audio [T] at 16 kHz and full scale: trackers call quiet recordings silent."""
    return resample(np.asarray(audio) / (np.abs(audio).max(initial=0) or 1), sample_rate, RATE_HZ)


def _check(audio: NDArray, sample_rate: int, hop_size: int, prior_hz: float | None,
           range_hz: tuple[float, float] | None) -> None:
    if audio.ndim != 1 or len(audio) == 0:
        raise fail("track_f0", "audio", "have shape [T], T > 0", list(audio.shape), "average the channels first")
    if not np.isfinite(audio).all():
        raise fail("track_f0", "audio", "be finite", "NaN or infinity")
    check_range("track_f0", "sample_rate", sample_rate, 4000, 768_000)
    check_range("track_f0", "hop_size", hop_size, 1, sample_rate)
    if prior_hz is not None:
        check_range("track_f0", "prior_hz", prior_hz, 20, 5000, "a prior is a pitch in Hz, not a note number")
    if range_hz is not None and not max(range_hz[0], RANGE_HZ[0]) < min(range_hz[1], RANGE_HZ[1]):
        raise fail("track_f0", "range_hz", f"go from a lower to a higher pitch within {RANGE_HZ[0]:g} to {RANGE_HZ[1]:g} Hz",
                   f"{range_hz[0]:g} to {range_hz[1]:g}", "is it in Hz?")


def _silent(audio: NDArray, sample_rate: int, times_s: NDArray) -> NDArray:
    """[F], where the mean square around the instant is 60 dB below the loudest, or digital silence."""
    window = max(1, round(LEVEL_WINDOW_S * sample_rate))
    places = np.round(times_s * sample_rate).astype(int)
    if HAS_COMPILER:
        from ddspvae.kernels.pitch import follow_power

        level, most = np.empty(len(places)), np.empty(1)
        follow_power(np.ascontiguousarray(audio), window, places, level, most)
    else:
        padded = np.zeros(len(audio) + window)
        np.square(audio, out=padded[window // 2 + 1 :][: len(audio)], dtype=np.float64)
        energy = np.cumsum(padded)
        power = (energy[window:] - energy[:-window]) / window
        level, most = power[places], power.max(keepdims=True)
    return level <= max(most[0] * 10 ** (SILENCE_DB / 10), 1e-14)


def _fill(times_s: NDArray, f0_hz: NDArray, periodicity: NDArray, prior_hz: float | None) -> NDArray:
    """Through frames without pitch: log-linear between near neighbours, the nearer of far ones, held at the ends.

    A line between far ones would be a sweep, as loud as the notes, that nobody played.
    """
    sure = periodicity >= FILL_BELOW
    if not sure.any():
        return np.full(len(f0_hz), prior_hz or float(np.median(f0_hz)))
    return read_pitch_at(times_s, times_s[sure], f0_hz[sure], FILL_OCTAVES)
