"""Asked against measured: play one held-out recording back plainly and with every kind of edit."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ddspvae.audio import Audio
from ddspvae.evaluation.ceiling import play_ceiling
from ddspvae.evaluation.metrics import (
    LoudnessError,
    PitchTrack,
    compare_tracks,
    harmonic_error,
    loudness_error,
    other_tracker,
    spectral_distance,
    track_pitch,
)
from ddspvae.evaluation.perceptual import Judgement, judge_take
from ddspvae.features.f0 import TRACKERS, VOICED
from ddspvae.model.form import leading_axes
from ddspvae.signals import Performance
from ddspvae.signals.checks import fail

TRANSPOSITIONS = (-5.0, 3.0, 7.0)  # semitones
LOUDNESS_CHANGES_DB = (-6.0, 6.0)
AXIS_OFFSETS = (-2.0, 2.0)  # standard deviations
N_DETAILS = 2  # of the axes without names, the dearest
SWEEP_S = 6.0  # each axis is played twice: a few seconds tell


class Evaluable(Protocol):
    """What the report needs of an instrument."""

    name: str
    tracker: str
    config: Any  # .sample_rate, .hop_size

    def analyze(self, audio: Audio, sample_rate: int, tracker: str | None = None) -> Performance: ...

    def resynthesize(self, performance: Performance, *, dry: bool = False, seed: int = 0) -> Audio: ...

    def likely_z(self, f0_hz: NDArray, periodicity: NDArray, loudness_db: NDArray) -> NDArray: ...

    def rate(self, audio: Audio, sample_rate: int) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Edit:
    """One thing that was asked of the instrument.

    Args:
        kind: "resynthesis", "transpose", "loudness" or "axis".
        amount: semitones, dB, or standard deviations; 0 for the plain resynthesis.
        axis: the axis's name where kind is "axis".
    """

    kind: str
    amount: float = 0.0
    axis: str = ""

    def apply(self, performance: Performance) -> Performance:
        """The edited performance."""
        if self.kind == "transpose":
            return performance.transpose(self.amount)
        if self.kind == "loudness":
            return performance.change_loudness(self.amount)
        return performance.offset_z({self.axis: self.amount}) if self.kind == "axis" else performance


@dataclass(frozen=True, eq=False)
class Trial:
    """An edit, what came out, and how far it is from its references.

    The pitch reference is the recording for the resynthesis and for transpositions, and the plain
    resynthesis for the rest; the references of loudness and spectrum are the recording for the
    resynthesis and the plain resynthesis for the rest, so that a *change* is measured.
    """

    edit: Edit
    audio: Audio
    pitch_reference: PitchTrack
    pitch: PitchTrack
    loudness: LoudnessError
    spectral_distance: float


@dataclass(frozen=True, eq=False)
class Recording:
    """All that was tried with one held-out recording.

    Args:
        file: its name.
        audio: [T] at the instrument's sample rate.
        harmonics_db: `harmonic_error` of the resynthesis.
        floor: what two trackers hear in the recording: the one that measures, and `floor_tracker`.
        trials: the plain resynthesis first.
        rate: bits_per_second, axes_in_use, per_axis.
        performance_bytes: size of the saved performance.
        judges: what was played to how alike it is to the recording: "resynthesis", "typical_z" with z at 0 where there
            are axes, and "ceiling", see `ceiling.py`; empty where it cannot be judged.
    """

    file: str
    audio: Audio
    sample_rate: int
    performance: Performance
    harmonics_db: float
    floor: tuple[PitchTrack, PitchTrack]
    trials: tuple[Trial, ...]
    rate: dict[str, Any]
    performance_bytes: int
    judges: Mapping[str, Judgement] = field(default_factory=dict)

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.audio) / self.sample_rate


def try_recording(instrument: Evaluable, file: str, audio: Audio, tracker: str,
                  step: Callable[[str], None]) -> Recording:
    """Analyze, play back, edit in every way, and measure each.

    Args:
        instrument: see `Evaluable`.
        audio: [T] at instrument.config.sample_rate.
        tracker: the one to measure with.
        step: called with a few words before each piece of work.
    Raises:
        InputError: the recording or the resynthesis is silent, or the recording cannot be analyzed.
    """
    sample_rate = instrument.config.sample_rate
    step("listening")
    performance = instrument.analyze(audio, sample_rate)
    original = track_pitch(audio, sample_rate, tracker)
    floor = (original, track_pitch(audio, sample_rate, floor_tracker(tracker, instrument.tracker)))

    def attempt(edit: Edit, source: Performance, reference: Audio, pitch_reference: PitchTrack) -> Trial:
        step(f"{edit.kind} {edit.axis} {edit.amount:+g}".replace("  ", " ") if edit.amount else edit.kind)
        played = np.asarray(instrument.resynthesize(edit.apply(source), seed=0), dtype=np.float32)
        return Trial(edit, played, pitch_reference, track_pitch(played, sample_rate, tracker),
                     loudness_error(reference, played, sample_rate), spectral_distance(reference, played, sample_rate))

    plain = attempt(Edit("resynthesis"), performance, audio, original)
    if not plain.audio.any():
        raise fail("try_recording", "the resynthesis", "sound", "silence", "is there more than noise in the recording?")
    trials = [plain]
    trials += [attempt(Edit("transpose", by), performance, plain.audio, original) for by in TRANSPOSITIONS]
    trials += [attempt(Edit("loudness", by), performance, plain.audio, plain.pitch) for by in LOUDNESS_CHANGES_DB]
    if performance.axis_names:
        excerpt = most_played(performance, SWEEP_S)
        step("resynthesis of the excerpt")
        still = np.asarray(instrument.resynthesize(excerpt, seed=0), dtype=np.float32)
        still_pitch = track_pitch(still, sample_rate, tracker)
        trials += [attempt(Edit("axis", by, name), excerpt, still, still_pitch)
                   for name in leading_axes(performance.axis_names, N_DETAILS) for by in AXIS_OFFSETS]
    harmonics_db = harmonic_error(audio, plain.audio, sample_rate, instrument.config.hop_size, performance.f0_hz,
                                  performance.periodicity >= VOICED)
    return Recording(file, audio, sample_rate, performance, harmonics_db, floor, tuple(trials),
                     instrument.rate(audio, sample_rate), _saved_bytes(performance),
                     _ask_judges(instrument, audio, performance, plain.audio, step))


def _ask_judges(instrument: Evaluable, audio: Audio, performance: Performance, plain: Audio,
                step: Callable[[str], None]) -> dict[str, Judgement]:
    step("judges of hearing")
    sample_rate = instrument.config.sample_rate
    said = {"resynthesis": judge_take(audio, plain, sample_rate)}
    if said["resynthesis"] is None:
        return {}
    if performance.axis_names:
        z = instrument.likely_z(performance.f0_hz, performance.periodicity, performance.loudness_db)
        typical = instrument.resynthesize(replace(performance, z=z), seed=0)
        said["typical_z"] = judge_take(audio, typical, sample_rate, with_visqol=False)
    ceiling = play_ceiling(audio, sample_rate, instrument.config.hop_size, performance.f0_hz)
    said["ceiling"] = judge_take(audio, ceiling, sample_rate)
    return {name: judgement for name, judgement in said.items() if judgement is not None}


def floor_tracker(tracker: str, trained_with: str) -> str:
    """The tracker to hold against the measuring one: the training's, or another where that is the same or a file.

    >>> floor_tracker("crepe", "swift"), floor_tracker("swift", "swift"), floor_tracker("swift", "my_pitch.csv")
    ('swift', 'crepe', 'crepe')
    """
    is_other = trained_with != tracker and trained_with in TRACKERS
    return trained_with if is_other else other_tracker(tracker)


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


def most_played(performance: Performance, duration_s: float) -> Performance:
    """The stretch of duration_s with the most pitched frames."""
    if performance.duration_s <= duration_s:
        return performance
    size = round(duration_s * performance.frame_rate_hz)
    played = np.concatenate([[0.0], np.cumsum(performance.periodicity, dtype=float)])
    start_s = int(np.argmax(played[size:] - played[:-size])) / performance.frame_rate_hz
    return performance.slice(start_s, start_s + duration_s)


def _saved_bytes(performance: Performance) -> int:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "take.npz"
        performance.save(path)
        return path.stat().st_size
