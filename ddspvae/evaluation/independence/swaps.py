"""One thing moved, everything measured again, from the sound: pitch, loudness and the attributes of the named axes.

Each performance is played as it is and with one change at a time. Both sounds go through the same ears: a pitch
tracker that was not used in training, A-weighted loudness, and the partials at the f0 that was asked for. What is
reported is the difference of the two sounds, less what was asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ddspvae.evaluation.edits import N_DETAILS, Edit, Evaluable, play
from ddspvae.evaluation.metrics import AUDIBLE_DB, PitchTrack, compare_tracks, track_pitch
from ddspvae.evaluation.summary import join_tracks
from ddspvae.features.loudness import a_weighted_loudness
from ddspvae.features.partials import measure_partials, read_attributes
from ddspvae.model.axes import find_onsets
from ddspvae.model.form import ONSET_FRAMES, leading_axes
from ddspvae.model.stack import scale_curves
from ddspvae.signals import Performance
from ddspvae.signals.checks import check_range, fail
from ddspvae.signals.jobs import in_order, tell

ATTRIBUTES = ("brightness", "breathiness", "hollowness", "bite")
PITCH_MOVES = (-5.0, 7.0)  # semitones
LOUDNESS_MOVES_DB = (-12.0, -6.0, 6.0, 12.0)
AXIS_STEPS = (-2.0, -1.0, 1.0, 2.0)  # standard deviations
SURELY_PITCHED = 0.9  # periodicity
SURE_ONSET = 0.9  # of find_onsets


@dataclass(frozen=True, eq=False)
class Measured:
    """What is measured in a sound.

    Args:
        pitch: by an independent tracker, 100 frames a second.
        loudness_db: [F], A-weighted.
        attributes: [F, 3], brightness, breathiness, hollowness.
    """

    pitch: PitchTrack
    loudness_db: NDArray
    attributes: NDArray


@dataclass(frozen=True)
class Effect:
    """What one edit did to the sound.

    Args:
        edit: what was asked for.
        cents: median absolute change of pitch beyond what was asked for.
        bias_cents: its signed median.
        db: mean change of loudness beyond what was asked for.
        attributes: name to mean change, in standard deviations of the training set.
    """

    edit: Edit
    cents: float
    bias_cents: float
    db: float
    attributes: dict[str, float]


@dataclass(frozen=True)
class AxisEffect:
    """What one axis of z does to the sound.

    Args:
        axis: its name.
        steps: by how many of its units it was moved, 0 among them.
        changes: attribute to its change at each step, in standard deviations of the training set.
        slopes: attribute to its change per unit, by least squares over the steps.
        leaks: attribute to its largest absolute change per unit at any step.
        monotone: whether the axis's own attribute rises with every step; without one, whether the attribute that it
            moves most goes one way.
        cents, db: largest absolute change of pitch and of loudness at any step.
    """

    axis: str
    steps: tuple[float, ...]
    changes: dict[str, tuple[float, ...]]
    slopes: dict[str, float]
    leaks: dict[str, float]
    monotone: bool
    cents: float
    db: float


def listen(audio: NDArray, sample_rate: int, hop_size: int, f0_hz: NDArray, tracker: str) -> Measured:
    """Measure a sound.

    Args:
        audio: [T].
        sample_rate: Hz.
        hop_size: samples per frame.
        f0_hz: [F], Hz, the pitch that was asked for, F = ceil(T / hop_size).
        tracker: of pitch; one that was not used in training.
    """
    audio = np.asarray(audio, dtype=np.float32)
    loudness_db = a_weighted_loudness(torch.from_numpy(audio)[None], sample_rate, hop_size)[0].double().numpy()
    return Measured(track_pitch(audio, sample_rate, tracker), loudness_db,
                    hear_attributes(audio, sample_rate, hop_size, f0_hz))


def hear_attributes(audio: NDArray, sample_rate: int, hop_size: int, f0_hz: NDArray) -> NDArray:
    """Brightness, breathiness and hollowness [F, 3] of audio [T] around the harmonics of f0_hz [F]."""
    partials = measure_partials(np.asarray(audio, dtype=np.float32), sample_rate, hop_size, np.asarray(f0_hz))
    brightness, hollowness, breathiness = read_attributes(torch.from_numpy(partials)).double().numpy().T
    return np.stack([brightness, breathiness, hollowness], axis=1)


def find_sustained(performance: Performance) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Where notes sound steadily and surely pitched, and where they surely begin.

    Returns:
        sustained [F]; beginning [F], as `find_onsets` finds beginnings. The first frames of the take are neither.
    """
    curves = (torch.from_numpy(np.array(curve))[None, :, None]
              for curve in (performance.f0_hz, performance.periodicity, performance.loudness_db))
    onset = np.pad(find_onsets(scale_curves(*curves))[0, :, 0].numpy(), (ONSET_FRAMES, 0), constant_values=0.5)
    sure = find_sure(performance)
    return (onset == 0) & sure, (onset >= SURE_ONSET) & sure


def find_sure(performance: Performance) -> NDArray[np.bool_]:
    """[F], where the take is surely pitched and less than 50 dB below its loudest frame."""
    loudness_db = performance.loudness_db
    return (performance.periodicity >= SURELY_PITCHED) & (loudness_db > loudness_db.max() - AUDIBLE_DB)


def all_edits(axis_names: Sequence[str]) -> list[Edit]:
    """Every move that `measure_swaps` makes, in order: of the details only the dearest are moved."""
    return [*(Edit("transpose", by) for by in PITCH_MOVES), *(Edit("loudness", by) for by in LOUDNESS_MOVES_DB),
            *(Edit("axis", by, name) for name in leading_axes(axis_names, N_DETAILS) for by in AXIS_STEPS)]


def measure_swaps(instrument: Evaluable | Sequence[Evaluable], performances: Sequence[Performance],
                  deviations: Mapping[str, float], tracker: str, step: Callable[[str], None] | None = None) -> list[Effect]:
    """Move pitch, loudness and each axis of z, one at a time, and measure what changes in the sound.

    Args:
        instrument: what plays, see `Evaluable`; or what plays each of the performances, one in several rooms.
        performances: a few seconds each, at the instrument's rates and with its axes.
        deviations: name of each of ATTRIBUTES to its standard deviation in the training set, > 0.
        tracker: of pitch; one that was not used in training.
        step: called with a few words before each piece of work.
    Returns:
        one Effect for each of `all_edits`, over the sustained sure frames of all performances (bite: over those of
        beginnings); NaN where there is no such frame.
    Raises:
        InputError: no performance, or a deviation missing or not positive.
    """
    if not performances:
        raise fail("measure_swaps", "performances", "hold at least one", 0)
    for name in ATTRIBUTES:
        if name not in deviations:
            raise fail("measure_swaps", "deviations", f"name {', '.join(ATTRIBUTES)}", f"no {name}")
        check_range("measure_swaps", f"deviation of {name}", deviations[name], 1e-9, 1e9)
    players = list(instrument) if isinstance(instrument, Sequence) else [instrument] * len(performances)
    edits = all_edits(performances[0].axis_names)
    moves = [(number, edit) for number in range(len(performances)) for edit in (None, *edits)]

    def hear(move: tuple[int, Edit | None]) -> Measured:
        number, edit = move
        performance = performances[number]
        if edit is not None:
            tell(f"swap {number + 1} of {len(performances)}: {edit.words}")
            performance = edit.apply(performance)
        return _play(players[number], performance, tracker)

    differences: dict[Edit, list[_Difference]] = {edit: [] for edit in edits}
    for (number, edit), heard in zip(moves, in_order(hear, moves, progress=step), strict=True):
        if edit is None:
            plain, frames = heard, find_sustained(performances[number])
        else:
            differences[edit].append(_compare(plain, heard, *frames))
    return [_pool(edit, parts, deviations) for edit, parts in differences.items()]


def summarize_axis(axis: str, effects: Sequence[Effect]) -> AxisEffect:
    """What an axis does, from the effects of its steps; effects of other edits are left out.

    Raises:
        InputError: the axis was not moved.
    """
    own = {effect.edit.amount: effect for effect in effects if effect.edit.kind == "axis" and effect.edit.axis == axis}
    if not own:
        raise fail("summarize_axis", "axis", "have been moved", f"'{axis}'")
    steps = sorted({0.0, *own})
    changes = {name: tuple(own[by].attributes[name] if by else 0.0 for by in steps) for name in ATTRIBUTES}
    slopes = {name: float(np.dot(steps, values) / np.dot(steps, steps)) for name, values in changes.items()}
    leaks = {name: max(abs(value / by) for by, value in zip(steps, values) if by) for name, values in changes.items()}
    main = axis if axis in ATTRIBUTES else max(ATTRIBUTES, key=lambda name: leaks[name])
    rises = np.diff(changes[main]) * (1.0 if axis in ATTRIBUTES else np.sign(slopes[main]))
    return AxisEffect(axis, tuple(steps), changes, slopes, leaks, bool((rises > 0).all()),
                      float(np.max([effect.cents for effect in own.values()])),
                      float(np.max([abs(effect.db) for effect in own.values()])))


@dataclass(frozen=True, eq=False)
class _Difference:
    """Moved less plain, in the frames that count."""

    pitch: tuple[PitchTrack, PitchTrack]
    loudness_db: NDArray
    sustained: NDArray
    beginning: NDArray


def _play(instrument: Evaluable, performance: Performance, tracker: str) -> Measured:
    config = instrument.config
    audio = play(instrument, performance)[: performance.n_frames * config.hop_size]
    return listen(audio, config.sample_rate, config.hop_size, performance.f0_hz, tracker)


def _compare(plain: Measured, moved: Measured, sustained: NDArray, beginning: NDArray) -> _Difference:
    audible = plain.loudness_db > plain.loudness_db.max() - AUDIBLE_DB
    change = moved.attributes - plain.attributes
    return _Difference((plain.pitch, moved.pitch), (moved.loudness_db - plain.loudness_db)[audible],
                       change[sustained], change[beginning, 1])


def _pool(edit: Edit, parts: Sequence[_Difference], deviations: Mapping[str, float]) -> Effect:
    pitch = compare_tracks(*join_tracks([part.pitch for part in parts]),
                           edit.amount if edit.kind == "transpose" else 0.0)
    asked_db = edit.amount if edit.kind == "loudness" else 0.0
    curves = [*np.concatenate([part.sustained for part in parts]).T, np.concatenate([part.beginning for part in parts])]
    attributes = {name: _mean(curve) / deviations[name] for name, curve in zip(ATTRIBUTES, curves, strict=True)}
    change_db = _mean(np.concatenate([part.loudness_db for part in parts]))
    return Effect(edit, pitch.median_cents, pitch.bias_cents, change_db - asked_db, attributes)


def _mean(values: NDArray) -> float:
    return float(values.mean()) if len(values) else float("nan")
