"""Asked against measured: play one held-out recording back plainly and with every kind of edit."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ddspvae.audio import Audio
from ddspvae.evaluation.ceiling import play_ceiling
from ddspvae.evaluation.metrics import (
    LoudnessError,
    PitchTrack,
    harmonic_error,
    loudness_error,
    other_tracker,
    spectral_distance,
    track_pitch,
)
from ddspvae.evaluation.perceptual import Judgement, can_judge, judge_take
from ddspvae.features.f0 import TRACKERS, VOICED
from ddspvae.model.form import leading_axes
from ddspvae.signals import Performance
from ddspvae.signals.checks import fail
from ddspvae.signals.jobs import in_order, tell

TRANSPOSITIONS = (-5.0, 3.0, 7.0)  # semitones
LOUDNESS_CHANGES_DB = (-6.0, 6.0)
AXIS_OFFSETS = (-2.0, 2.0)  # standard deviations
N_DETAILS = 2  # of the axes without names, the dearest
SWEEP_S = 6.0  # each axis is played twice: a few seconds tell


class Evaluable(Protocol):
    """What the report needs of an instrument."""

    name: str
    room: str
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

    @property
    def words(self) -> str:
        """For people."""
        return f"{self.kind} {self.axis} {self.amount:+g}".replace("  ", " ") if self.amount else self.kind

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
        player: the instrument, in the room in which the recording is heard and played.
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
    player: Evaluable
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
    """Analyze, play back, edit in every way, and measure each, on all cores.

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
    plain = play(instrument, performance)
    if not plain.any():
        raise fail("try_recording", "the resynthesis", "sound", "silence", "is there more than noise in the recording?")
    excerpt = most_played(performance, SWEEP_S) if performance.axis_names else performance
    still = play(instrument, excerpt) if performance.axis_names else plain
    long = [*(Edit("transpose", by) for by in TRANSPOSITIONS), *(Edit("loudness", by) for by in LOUDNESS_CHANGES_DB)]
    short = [Edit("axis", by, name) for name in leading_axes(performance.axis_names, N_DETAILS) for by in AXIS_OFFSETS]

    def heard(sound: Audio, by: str) -> tuple[str, Callable[[], PitchTrack]]:
        return "pitch", lambda: track_pitch(sound, sample_rate, by)

    def tried(edit: Edit, source: Performance, reference: Audio) -> tuple[str, Callable[[], _Tried]]:
        def work() -> _Tried:
            played = play(instrument, edit.apply(source)) if edit.amount else plain
            return (played, track_pitch(played, sample_rate, tracker), loudness_error(reference, played, sample_rate),
                    spectral_distance(reference, played, sample_rate))

        return edit.words, work

    def harmonics() -> float:
        return harmonic_error(audio, plain, sample_rate, instrument.config.hop_size, performance.f0_hz,
                              performance.periodicity >= VOICED)

    judges = _judges(instrument, audio, performance, plain)
    # what is worked on the longest comes first, so that no core waits for another in the end
    tasks: list[tuple[str, Callable[[], Any]]] = [
        *(("judges of hearing", judge) for judge in judges.values()),
        heard(audio, tracker), heard(audio, floor_tracker(tracker, instrument.tracker)), heard(still, tracker),
        ("bits", lambda: instrument.rate(audio, sample_rate)), ("harmonics", harmonics),
        tried(Edit("resynthesis"), performance, audio), *(tried(edit, performance, plain) for edit in long),
        *(tried(edit, excerpt, still) for edit in short)]
    results = list(in_order(_work, tasks, progress=step))
    said, (original, floor, still_pitch, rate, harmonics_db, *trials) = results[: len(judges)], results[len(judges) :]
    plain_pitch = trials[0][1]
    references = [original, *(original if edit.kind == "transpose" else plain_pitch for edit in long),
                  *[still_pitch] * len(short)]
    return Recording(file, instrument, audio, sample_rate, performance, harmonics_db, (original, floor),
                     tuple(Trial(edit, played, reference, *measured) for edit, reference, (played, *measured)
                           in zip([Edit("resynthesis"), *long, *short], references, trials, strict=True)),
                     rate, _saved_bytes(performance),
                     {name: judgement for name, judgement in zip(judges, said, strict=True) if judgement is not None})


_Tried = tuple[Audio, PitchTrack, LoudnessError, float]


def _work(task: tuple[str, Callable[[], Any]]) -> Any:
    words, work = task
    tell(words)
    return work()


def play(instrument: Evaluable, performance: Performance) -> Audio:
    """The sound of a performance, the same whenever it is played."""
    return np.asarray(instrument.resynthesize(performance, seed=0), dtype=np.float32)


def _judges(instrument: Evaluable, audio: Audio, performance: Performance, plain: Audio
            ) -> dict[str, Callable[[], Judgement | None]]:
    """What the judges of hearing are asked, where there are any."""
    sample_rate = instrument.config.sample_rate

    def typical() -> Judgement | None:
        z = instrument.likely_z(performance.f0_hz, performance.periodicity, performance.loudness_db)
        return judge_take(audio, play(instrument, replace(performance, z=z)), sample_rate, with_visqol=False)

    def ceiling() -> Judgement | None:
        sound = play_ceiling(audio, sample_rate, instrument.config.hop_size, performance.f0_hz)
        return judge_take(audio, sound, sample_rate)

    if not can_judge():
        return {}
    return {"resynthesis": lambda: judge_take(audio, plain, sample_rate),
            **({"typical_z": typical} if performance.axis_names else {}), "ceiling": ceiling}


def floor_tracker(tracker: str, trained_with: str) -> str:
    """The tracker to hold against the measuring one: the training's, or another where that is the same or a file.

    >>> floor_tracker("crepe", "swift"), floor_tracker("swift", "swift"), floor_tracker("swift", "my_pitch.csv")
    ('swift', 'crepe', 'crepe')
    """
    is_other = trained_with != tracker and trained_with in TRACKERS
    return trained_with if is_other else other_tracker(tracker)


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
