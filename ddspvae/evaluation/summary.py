"""What was tried with one recording or several, in figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from ddspvae.evaluation.edits import Recording
from ddspvae.evaluation.metrics import PitchTrack, compare_tracks


def summarize(recordings: Sequence[Recording]) -> dict[str, Any]:
    """Figures over one recording or several: pitch over all their frames, the rest weighted by duration.

    Returns:
        duration_s, resynthesis {spectral_distance, harmonics_db, pitch, floor, loudness}, judges {of what was played:
        {zimtohrli, visqol}}, edits [...], rate and sizes; plain Python values, NaN where nothing could be compared.
    """
    durations_s = np.array([recording.duration_s for recording in recordings])

    def weighted(values: Sequence[float]) -> float:
        known = np.isfinite(values)
        return float(np.average(np.asarray(values)[known], weights=durations_s[known])) if known.any() else math.nan

    def pitch(pairs: Sequence[tuple[PitchTrack, PitchTrack]], semitones: float = 0.0) -> dict[str, float]:
        return asdict(compare_tracks(*join_tracks(pairs), semitones))

    by_edit = list(zip(*(recording.trials for recording in recordings), strict=True))
    rows = []
    for trials in by_edit:
        edit = trials[0].edit
        shift = edit.amount if edit.kind == "transpose" else 0.0
        rows.append({
            **asdict(edit),
            "pitch": pitch([(trial.pitch_reference, trial.pitch) for trial in trials], shift),
            "loudness": {name: weighted([getattr(trial.loudness, name) for trial in trials])
                         for name in ("mean_abs_db", "mean_difference_db")},
            "spectral_distance": weighted([trial.spectral_distance for trial in trials]),
        })
    resynthesis = {key: value for key, value in rows[0].items() if key not in ("kind", "amount", "axis")}
    resynthesis["harmonics_db"] = weighted([recording.harmonics_db for recording in recordings])
    resynthesis["floor"] = pitch([recording.floor for recording in recordings])
    rates = [recording.rate for recording in recordings]
    return {
        "duration_s": float(durations_s.sum()),
        "resynthesis": resynthesis,
        "judges": {name: {judge: weighted([_score(recording, name, judge) for recording in recordings])
                          for judge in ("zimtohrli", "visqol")}
                   for name in dict.fromkeys(name for recording in recordings for name in recording.judges)},
        "edits": rows[1:],
        "rate": {
            "bits_per_second": weighted([rate["bits_per_second"] for rate in rates]),
            "axes_in_use": max(int(rate["axes_in_use"]) for rate in rates),
            "per_axis": [weighted(values) for values in zip(*(rate["per_axis"] for rate in rates), strict=True)],
        },
        "sizes": {
            "performance_bytes": sum(recording.performance_bytes for recording in recordings),
            "wav_bytes": sum(2 * len(recording.audio) for recording in recordings),  # 16 bits a sample
        },
    }


def _score(recording: Recording, name: str, judge: str) -> float:
    score = getattr(recording.judges.get(name), judge, None)
    return math.nan if score is None else score


def join_tracks(pairs: Sequence[tuple[PitchTrack, PitchTrack]]) -> tuple[PitchTrack, PitchTrack]:
    """Set pairs of tracks end to end, each pair cut to its shorter member."""
    columns = []
    for side in (0, 1):
        parts = [(pair[side], min(len(pair[0].f0_hz), len(pair[1].f0_hz))) for pair in pairs]
        columns.append(replace(pairs[0][side], f0_hz=np.concatenate([part.f0_hz[:size] for part, size in parts]),
                               periodicity=np.concatenate([part.periodicity[:size] for part, size in parts])))
    return columns[0], columns[1]
