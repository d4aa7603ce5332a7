"""What was found in recordings, in numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class FileReport:
    """One usable recording in numbers; shares are 0 to 1.

    Args:
        path: the file.
        duration_s, sample_rate, n_channels: as stored.
        peak_dbfs: the largest sample.
        clipped_share: of samples in runs of three or more at full scale.
        dc_offset: mean, full scale 1.
        noise_floor_db: mean square that the quietest 0.1 s stay under, dB full scale.
        floor_is_noise: whether those are unpitched, a pause and not a soft note.
        level_db: mean square that the loudest twentieth exceeds, dB full scale.
        silence_share: of frames 50 dB or more below the loudest.
        sure_share: of the other frames, those with a sure pitch.
        second_pitch_share: of sure frames, those with partials that the pitch does not explain.
        lowest_hz, highest_hz: 1 % and 99 % quantiles of the sure pitch; None without any.
        pitch_s: MIDI note number -> seconds of sure pitch.
        hum_hz, hum_db: of the mains in the pauses, and how far below the playing; None without any.
        loudness_s: lower edge of a 6 dB bin of A-weighted loudness -> seconds, silence apart.
        n_notes, n_ringing: notes long enough to tell, and those that fall by themselves, as plucked or struck.
    """

    path: Path
    duration_s: float
    sample_rate: int
    n_channels: int
    peak_dbfs: float
    clipped_share: float
    dc_offset: float
    noise_floor_db: float
    floor_is_noise: bool
    level_db: float
    silence_share: float
    sure_share: float
    second_pitch_share: float
    lowest_hz: float | None
    highest_hz: float | None
    pitch_s: Mapping[int, float]
    loudness_s: Mapping[int, float]
    hum_hz: float | None = None
    hum_db: float | None = None
    n_notes: int = 0
    n_ringing: int = 0


@dataclass(frozen=True)
class LeftOut:
    """A file that training goes on without, and why."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Findings:
    """What was found in all recordings.

    Args:
        files: the usable recordings.
        left_out: the others.
        sample_rate: Hz that training will use.
        tracker: of f0.
    """

    files: tuple[FileReport, ...]
    left_out: tuple[LeftOut, ...]
    sample_rate: int
    tracker: str

    @property
    def usable(self) -> tuple[Path, ...]:
        """The recordings to train on."""
        return tuple(file.path for file in self.files)

    def total(self) -> dict[str, Any]:
        """All files taken together: sums, means weighted by duration, and the joint range."""
        seconds = np.array([file.duration_s for file in self.files])

        def mean(name: str) -> float:
            values = [getattr(file, name) for file in self.files]
            return float(np.average(values, weights=seconds)) if len(seconds) else 0.0

        lowest = [file.lowest_hz for file in self.files if file.lowest_hz is not None]
        highest = [file.highest_hz for file in self.files if file.highest_hz is not None]
        return {
            "n_files": len(self.files),
            "minutes": float(seconds.sum()) / 60,
            **{name: mean(name) for name in ("clipped_share", "dc_offset", "noise_floor_db", "silence_share",
                                             "sure_share", "second_pitch_share")},
            "ringing_share": sum(file.n_ringing for file in self.files) / max(sum(file.n_notes for file in self.files), 1),
            "lowest_hz": min(lowest, default=None),
            "highest_hz": max(highest, default=None),
            "pitch_s": _sum([file.pitch_s for file in self.files]),
            "loudness_s": _sum([file.loudness_s for file in self.files]),
        }


def _sum(histograms: Sequence[Mapping[int, float]]) -> dict[int, float]:
    labels = sorted({label for histogram in histograms for label in histogram})
    return {label: sum(histogram.get(label, 0.0) for histogram in histograms) for label in labels}
