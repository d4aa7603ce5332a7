"""The six note controls: what a note sounds like beyond its pitch and its times, in units and from 0 to 1."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddspvae.features.statistics import Statistics
from ddspvae.midi.closed_forms import velocity_to_level_db
from ddspvae.signals.checks import check_choice, check_shape, fail

CARD_KEY = "note_controls"  # where an instrument's card keeps its ranges
QUANTILES = (0.05, 0.95)  # of the training notes, that 0 and 1 stand for
FEWEST_NOTES = 10  # behind quantiles; with fewer, the usual ranges stand
# no range is narrower: recordings of one dynamic, or without vibrato, still have knobs
LEAST_SPANS = {"volume": 12.0, "volume_fluctuation": 2.0, "volume_peak_position": 0.3, "vibrato": 20.0,
               "brightness": 3.0, "attack_noise": 4.0}
FROM_ZERO = ("volume_fluctuation", "vibrato")  # 0 is none of it
Range = tuple[float, float]


@dataclass(frozen=True)
class ControlRanges:
    """What 0 and 1 of each control stand for on one instrument: (low, high), in the units of `NoteControls`."""

    volume: Range
    volume_fluctuation: Range
    volume_peak_position: Range
    vibrato: Range
    brightness: Range
    attack_noise: Range

    def __post_init__(self) -> None:
        for field in fields(self):
            low, high = (float(end) for end in getattr(self, field.name))
            object.__setattr__(self, field.name, (low, high))
            if not low < high:
                raise fail("ControlRanges", field.name, "rise from low to high", f"{low:g}, {high:g}")

    def scale(self, name: str, values: NDArray) -> NDArray:
        """Units to 0 to 1, clipped."""
        low, high = self._range(name)
        return np.asarray(np.clip((np.asarray(values, dtype=float) - low) / (high - low), 0, 1))

    def unscale(self, name: str, scaled: NDArray) -> NDArray:
        """0 to 1 to units."""
        low, high = self._range(name)
        return np.asarray(low + np.asarray(scaled, dtype=float) * (high - low))

    def to_dict(self) -> dict[str, list[float]]:
        """Plain lists, for JSON; `from_dict` gives back an equal object."""
        return {name: list(ends) for name, ends in asdict(self).items()}

    @staticmethod
    def from_dict(values: Mapping[str, Sequence[float]]) -> ControlRanges:
        """What `to_dict` wrote.

        Raises:
            InputError: a control is missing or unknown.
        """
        wrong = set(CONTROLS) ^ set(values)
        if wrong:
            raise fail("ControlRanges", "values", f"hold {', '.join(CONTROLS)}", f"another {', '.join(sorted(wrong))}")
        return ControlRanges(**{name: (values[name][0], values[name][1]) for name in CONTROLS})

    def _range(self, name: str) -> Range:
        check_choice("ControlRanges", "control", name, CONTROLS)
        ends: Range = getattr(self, name)
        return ends


CONTROLS = tuple(field.name for field in fields(ControlRanges))


@dataclass(frozen=True, eq=False)
class NoteControls:
    """Six numbers a note, and the rate of its vibrato; NaN is open: it is played as the rules have it.

    All of loudness is read in the note's inner frames, without its attack and release (`loudness_shape.inner_frames`).

    Args:
        volume: [N], mean loudness, A-weighted dB.
        volume_fluctuation: [N], standard deviation of the loudness around its arch, dB, >= 0.
        volume_peak_position: [N], centre of the energy, 0 to 1; 0.5 for an even note.
        vibrato: [N], extent, +- cents, >= 0.
        brightness: [N], mean of the axis of that name: octaves of the centre of the harmonics that there are above what
            is typical at that pitch and loudness, in standard deviations.
        attack_noise: [N], the axis "bite" where the note begins: noise over harmonics likewise.
        vibrato_hz: [N], rate of the vibrato, Hz; 0 where there is none.
    """

    volume: NDArray
    volume_fluctuation: NDArray
    volume_peak_position: NDArray
    vibrato: NDArray
    brightness: NDArray
    attack_noise: NDArray
    vibrato_hz: NDArray

    def __post_init__(self) -> None:
        for field in fields(self):
            values = np.array(getattr(self, field.name), dtype=np.float64)
            check_shape("NoteControls", field.name, values.shape, len(self))
            values.setflags(write=False)
            object.__setattr__(self, field.name, values)

    def __len__(self) -> int:
        return len(np.atleast_1d(self.volume))

    def scaled(self, ranges: ControlRanges) -> dict[str, NDArray]:
        """The six, from 0 to 1 on the instrument whose ranges these are, [N] each; NaN stays."""
        return {name: ranges.scale(name, getattr(self, name)) for name in CONTROLS}

    @staticmethod
    def from_scaled(scaled: Mapping[str, NDArray], vibrato_hz: NDArray, ranges: ControlRanges) -> NoteControls:
        """The controls that numbers from 0 to 1, [N] each, stand for on an instrument."""
        return NoteControls(**{name: ranges.unscale(name, scaled[name]) for name in CONTROLS}, vibrato_hz=vibrato_hz)

    def filled(self, usual: NoteControls) -> NoteControls:
        """These, and where they are open those of another."""
        return NoteControls(**{field.name: np.where(np.isnan(getattr(self, field.name)), getattr(usual, field.name),
                                                    getattr(self, field.name)) for field in fields(self)})

    def with_all(self, **values: Any) -> NoteControls:
        """A copy in which controls, in their units, are the same number in every note, or [N] numbers."""
        return replace(self, **{name: np.broadcast_to(value, len(self)) for name, value in values.items()})


def typical_ranges(statistics: Statistics) -> ControlRanges:
    """The usual ranges, for instruments whose notes were not measured."""
    quiet_db, loud_db = velocity_to_level_db(np.array([1, 127]), statistics).tolist()
    return ControlRanges(
        volume=_widen((quiet_db, loud_db), "volume"),
        volume_fluctuation=(0.0, 3.0),
        volume_peak_position=(0.3, 0.7),
        vibrato=(0.0, max(3 * statistics.vibrato_extent_cents, LEAST_SPANS["vibrato"])),
        brightness=(-2.0, 2.0),
        attack_noise=(-2.0, 2.0))


def measure_ranges(takes: Iterable[NoteControls], statistics: Statistics) -> ControlRanges:
    """The ranges of an instrument: the quantiles 0.05 and 0.95 of the notes of its recordings.

    Args:
        takes: controls measured in the recordings, without NaN.
        statistics: of the same recordings, whose usual ranges stand in where there are fewer than ten notes.
    """
    heard = list(takes)
    usual = typical_ranges(statistics)
    if sum(map(len, heard)) < FEWEST_NOTES:
        return usual
    found = {}
    for name in CONTROLS:
        low, high = np.quantile(np.concatenate([getattr(controls, name) for controls in heard]), QUANTILES).tolist()
        found[name] = _widen((0.0 if name in FROM_ZERO else low, high), name)
    return ControlRanges(**found)


def _widen(ends: Range, name: str) -> Range:
    """Around its middle, or upwards from 0."""
    lacking = max(LEAST_SPANS[name] - (ends[1] - ends[0]), 0.0)
    return (ends[0], ends[1] + lacking) if name in FROM_ZERO else (ends[0] - lacking / 2, ends[1] + lacking / 2)
