"""Audio to Features: pitch, loudness and timbre frames on one grid, cached by content."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ddspvae.audio import Audio
from ddspvae.features.cache import cached
from ddspvae.features.f0 import TRACKERS, for_trackers, track_f0
from ddspvae.features.hum import find_hum, without_hum
from ddspvae.features.listening import hear_loudness_and_timbre
from ddspvae.features.partials import read_partials
from ddspvae.features.refine import refine_f0
from ddspvae.features.spectrum import VERSION, measure_spectrum
from ddspvae.signals import Features


def track_and_refine(audio: Audio, sample_rate: int, hop_size: int, tracker: str | Path, *, prior_hz: float | None = None,
                     range_hz: tuple[float, float] | None = None) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """f0_hz and periodicity [F] as `track_f0` gives them, the pitch refined unless it was read from a file."""
    if tracker not in TRACKERS:
        return track_f0(audio, sample_rate, hop_size, str(tracker), prior_hz=prior_hz, range_hz=range_hz)
    audio_16k = for_trackers(audio, sample_rate)
    f0_hz, periodicity = track_f0(audio, sample_rate, hop_size, str(tracker), prior_hz=prior_hz, range_hz=range_hz,
                                  audio_16k=audio_16k)
    return refine_f0(audio, sample_rate, hop_size, f0_hz, periodicity, audio_16k=audio_16k), periodicity


def extract(audio: Audio, sample_rate: int, hop_size: int, tracker: str | Path = "swift",
            *, prior_hz: float | None = None, range_hz: tuple[float, float] | None = None) -> Features:
    """Listen to a take.

    Args:
        audio: [T], full scale +-1.
        sample_rate: Hz.
        hop_size: samples per frame.
        tracker: "swift", "crepe", "crepe-full", whose curve is then refined; or the path of a CSV of time, Hz,
            periodicity, which is taken as it is.
        prior_hz: the pitch of a single note where it is known.
        range_hz: the lowest and highest pitch of the instrument where they are known; see `track_f0`.
    Returns:
        Features with F = ceil(T / hop_size) frames.
    """
    f0_hz, periodicity = track_and_refine(audio, sample_rate, hop_size, tracker, prior_hz=prior_hz, range_hz=range_hz)
    loudness_db, timbre = hear_loudness_and_timbre(audio, sample_rate, hop_size)
    if tracker in TRACKERS and prior_hz is None:
        hum = find_hum(f0_hz, periodicity, loudness_db, sample_rate / hop_size)
        if hum.any():
            f0_hz, periodicity = without_hum(f0_hz, periodicity, hum)
    key = ["spectrum", VERSION, sample_rate, hop_size, f0_hz, audio]
    spectrum = cached(key, lambda: {"spectrum": measure_spectrum(audio, sample_rate, hop_size, f0_hz)})["spectrum"]
    return Features(
        f0_hz=f0_hz,
        periodicity=periodicity,
        loudness_db=loudness_db,
        timbre=timbre,
        partials=read_partials(spectrum, f0_hz, sample_rate),
        frame_rate_hz=sample_rate / hop_size,
        spectrum=spectrum,
    )
