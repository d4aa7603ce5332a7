"""Examine recordings before training: what is wrong, what is left out, what to record again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray

from ddspvae.audio import read_audio
from ddspvae.features.f0 import TRACKERS, VOICED, track_f0
from ddspvae.features.f0_csv import read_f0_csv
from ddspvae.features.hum import find_hum, mains_hum
from ddspvae.features.loudness import a_weighted_loudness, by_blocks
from ddspvae.features.trackers import load_torchcrepe
from ddspvae.plucked.recognise import count_ringing
from ddspvae.signals.checks import InputError
from ddspvae.signals.jobs import in_order
from ddspvae.signals.units import amplitude_to_db, hz_to_pitch
from ddspvae.training.doctor import advice, symptoms
from ddspvae.training.doctor.findings import FileReport, Findings, LeftOut
from ddspvae.training.recordings import Row, find_recordings, read_manifest

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["FileReport", "LeftOut", "Report", "examine", "find_recordings", "read_manifest"]

SHORTEST_S = 0.1
QUIET_DB = 20.0  # below the playing: a pause, or the end of a note
SILENT_DBFS = -80.0  # a file whose peak stays below holds no instrument
LOUDNESS_STEP_DB = 6


class Report(Findings):
    """What was found, with advice."""

    @property
    def advice(self) -> tuple[str, ...]:
        """Plain sentences, the gravest first; empty if all is well."""
        return advice.advise(self)

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
        from ddspvae.training.doctor.print_report import print_report

        print_report(self, self.advice, console)


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
        TRACKERS.check("examine", tracker)
    if tracker.startswith("crepe"):
        load_torchcrepe()
    def look(path: Path) -> FileReport | LeftOut:
        row = (rows or {}).get(path.resolve())
        try:
            return _examine_file(path, sample_rate, hop_size, tracker, None if row is None else row.prior_hz)
        except InputError as error:
            return LeftOut(path, str(error))
        except Exception as error:  # one bad file never ends the run, whatever a decoder does with it
            return LeftOut(path, f"{path.name} could not be examined ({type(error).__name__}: {error}).")

    found = list(in_order(look, list(map(Path, paths))))
    return Report(tuple(one for one in found if isinstance(one, FileReport)),
                  tuple(one for one in found if isinstance(one, LeftOut)), sample_rate, tracker)


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
    hum = find_hum(f0_hz, periodicity, loudness_db, sample_rate / hop_size)
    sure &= ~hum
    quiet = levels_db < np.quantile(levels_db, 0.95) - QUIET_DB
    n_notes, n_ringing = count_ringing(f0_hz, periodicity, loudness_db, sample_rate / hop_size)
    hums = mains_hum(audio, sample_rate, quiet, hop_size, float(np.quantile(levels_db, 0.95)))
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
        hum_hz=None if hums is None else hums[0],
        hum_db=None if hums is None else hums[1],
        n_notes=n_notes,
        n_ringing=n_ringing,
    )


def _seconds(labels: NDArray, frame_s: float) -> dict[int, float]:
    values, counts = np.unique(labels, return_counts=True)
    return dict(zip(values.tolist(), (counts * frame_s).tolist()))
