"""Examine recordings before training: what is wrong, what is left out, what to record again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray

from ddspvae.audio import read_audio
from ddspvae.checks import InputError, check_choice
from ddspvae.features.f0 import TRACKERS, VOICED, track_f0
from ddspvae.features.f0_csv import read_f0_csv
from ddspvae.features.loudness import a_weighted_loudness, by_blocks
from ddspvae.features.trackers import load_torchcrepe
from ddspvae.training import advice, symptoms
from ddspvae.training.recordings import Row, find_recordings, read_manifest
from ddspvae.units import amplitude_to_db, hz_to_pitch

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["FileReport", "LeftOut", "Report", "examine", "find_recordings", "read_manifest"]

SHORTEST_S = 0.1
SILENT_DBFS = -80.0  # a file whose peak stays below holds no instrument
LOUDNESS_STEP_DB = 6


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
        loudness_s: lower edge of a 6 dB bin of A-weighted loudness -> seconds, silence apart.
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


@dataclass(frozen=True)
class LeftOut:
    """A file that training goes on without, and why."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Report:
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

    @property
    def advice(self) -> tuple[str, ...]:
        """Plain sentences, the gravest first; empty if all is well."""
        return advice.advise(self)

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
            "lowest_hz": min(lowest, default=None),
            "highest_hz": max(highest, default=None),
            "pitch_s": _sum([file.pitch_s for file in self.files]),
            "loudness_s": _sum([file.loudness_s for file in self.files]),
        }

    def to_dict(self) -> dict[str, Any]:
        """For JSON: files, left_out, total, advice."""
        return {
            "tracker": self.tracker,
            "sample_rate": self.sample_rate,
            "total": self.total(),
            "files": [{**asdict(file), "path": str(file.path)} for file in self.files],
            "left_out": [{"path": str(file.path), "reason": file.reason} for file in self.left_out],
            "advice": list(self.advice),
        }

    def print(self, console: Console) -> None:
        """Write tables, histograms and advice to a rich console."""
        from ddspvae.training.doctor_print import print_report

        print_report(self, console)


def examine(
    paths: Sequence[Path], sample_rate: int, hop_size: int, tracker: str, *, rows: Mapping[Path, Row] | None = None
) -> Report:
    """Listen to every file; a bad one is left out and named, and never ends the run.

    Args:
        paths: sound files.
        sample_rate: Hz that training will use.
        hop_size: samples per frame.
        tracker: of f0, see `track_f0`.
        rows: what `read_manifest` knows; its pitches help the tracker, and the answer is found again in the cache.
    Raises:
        InputError: the tracker does not exist or is not installed: that is no fault of the files.
    """
    if tracker.lower().endswith(".csv"):
        read_f0_csv(tracker)
    else:
        check_choice("examine", "tracker", tracker, TRACKERS)
    if tracker.startswith("crepe"):
        load_torchcrepe()
    files: list[FileReport] = []
    left_out: list[LeftOut] = []
    for path in map(Path, paths):
        row = (rows or {}).get(path.resolve())
        try:
            files.append(_examine_file(path, sample_rate, hop_size, tracker, None if row is None else row.prior_hz))
        except InputError as error:
            left_out.append(LeftOut(path, str(error)))
        except Exception as error:  # one bad file never ends the run, whatever a decoder does with it
            left_out.append(LeftOut(path, f"{path.name} could not be examined ({type(error).__name__}: {error})."))
    return Report(tuple(files), tuple(left_out), sample_rate, tracker)


def _examine_file(path: Path, sample_rate: int, hop_size: int, tracker: str, prior_hz: float | None) -> FileReport:
    audio, _ = read_audio(path, sample_rate)
    channels, file_rate = soundfile.read(path, dtype="float32", always_2d=True)
    duration_s = len(channels) / file_rate
    peak_dbfs = float(amplitude_to_db(np.abs(channels).max()))
    if duration_s < SHORTEST_S:
        raise InputError(f"{path.name} lasts {duration_s:.3f} s; at least {SHORTEST_S:g} s are needed.")
    if peak_dbfs < SILENT_DBFS:
        raise InputError(f"{path.name} is silent (peak {peak_dbfs:.0f} dBFS); was the microphone on?")
    f0_hz, periodicity = track_f0(audio, sample_rate, hop_size, tracker, prior_hz=prior_hz)
    levels_db = symptoms.frame_levels_db(audio, sample_rate, hop_size)
    sounding = levels_db > levels_db.max() + symptoms.SILENT_DB
    sure = (periodicity >= VOICED) & sounding
    pause = symptoms.quietest_pause(levels_db, sample_rate / hop_size)
    loudness_db = by_blocks(a_weighted_loudness, torch.from_numpy(audio)[None], sample_rate, hop_size)[0].numpy()
    bins = LOUDNESS_STEP_DB * np.floor(loudness_db[sounding] / LOUDNESS_STEP_DB).astype(int)
    frame_s = hop_size / sample_rate
    return FileReport(
        path=path,
        duration_s=duration_s,
        sample_rate=file_rate,
        n_channels=channels.shape[1],
        peak_dbfs=peak_dbfs,
        clipped_share=symptoms.clipped_share(channels),
        dc_offset=float(channels.mean(dtype=np.float64)),
        noise_floor_db=float(levels_db[pause].max()),
        floor_is_noise=bool(periodicity[pause].mean() < VOICED),
        level_db=float(np.quantile(levels_db, 0.95)),
        silence_share=float(1 - sounding.mean()),
        sure_share=float(sure.sum() / sounding.sum()),
        second_pitch_share=symptoms.second_pitch_share(audio, sample_rate, f0_hz, sure, hop_size),
        lowest_hz=float(np.quantile(f0_hz[sure], 0.01)) if sure.any() else None,
        highest_hz=float(np.quantile(f0_hz[sure], 0.99)) if sure.any() else None,
        pitch_s=_seconds(np.round(hz_to_pitch(f0_hz[sure])).astype(int), frame_s),
        loudness_s=_seconds(bins, frame_s),
    )


def _seconds(labels: NDArray, frame_s: float) -> dict[int, float]:
    values, counts = np.unique(labels, return_counts=True)
    return dict(zip(values.tolist(), (counts * frame_s).tolist()))


def _sum(histograms: Sequence[Mapping[int, float]]) -> dict[int, float]:
    labels = sorted({label for histogram in histograms for label in histogram})
    return {label: sum(histogram.get(label, 0.0) for histogram in histograms) for label in labels}
