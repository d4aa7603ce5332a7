"""What a set of takes says about an instrument: its range, its levels, and how its notes begin, move and end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddspvae.features.ranges import EXTREMES, pitch_range_hz, supported_pitch
from ddspvae.features.segments import VOICED, segment_notes
from ddspvae.signals import Features
from ddspvae.signals.checks import InputError, check_range, check_shape, fail
from ddspvae.signals.curves import smooth_curve
from ddspvae.signals.units import CENTS_PER_SEMITONE, DB_FLOOR, hz_to_pitch

LEVELS_DB = (-400.0, 60.0)  # that a sound can have
HELD_S = 0.4
DRIFT_S = 0.5
MOST_VIBRATO_CENTS = 100.0  # beyond, it is a trill or the tracker's octave slip
VIBRATO_RATES_HZ = np.arange(3.0, 9.01, 0.1)
LEAST_VIBRATO_CENTS = 5.0  # trackers wobble by 2 to 3
LEAST_SHARE = 0.25  # of held notes that must vibrate before the instrument counts as one that does
FEWEST = 3  # measurements behind a median; with fewer, the default below stands
DEFAULTS = {"attack_s": 0.05, "release_db_per_s": 120.0, "glide_s": 0.04, "vibrato_rate_hz": 5.5,
            "vibrato_delay_s": 0.2}


@dataclass(frozen=True)
class Statistics:
    """The numbers by which a score is turned into curves, saved with the instrument.

    Args:
        pitch_low, pitch_high: MIDI numbers between which the instrument was heard, fractional.
        loudness_quantiles_db: 101 levels of the pitched frames, quantile 0 to 1 in steps of 0.01.
        silence_db: level of the rests, the noise floor of the recordings.
        attack_s: length of the straight rise in amplitude that is as steep as the notes' own.
        release_db_per_s: how fast notes fade, > 0; in a live room, how fast the room does.
        vibrato_extent_cents: +- this far, over notes that have it; 0 for an instrument without.
        vibrato_rate_hz: cycles per second.
        vibrato_delay_s: from the start of a note to half the extent.
        glide_s: from one pitch to the next where notes are bound.
        minutes: of sound that was measured.
    """

    pitch_low: float
    pitch_high: float
    loudness_quantiles_db: tuple[float, ...]
    silence_db: float
    attack_s: float
    release_db_per_s: float
    vibrato_extent_cents: float
    vibrato_rate_hz: float
    vibrato_delay_s: float
    glide_s: float
    minutes: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "loudness_quantiles_db", tuple(float(q) for q in self.loudness_quantiles_db))
        check_shape("Statistics", "loudness_quantiles_db", (len(self.loudness_quantiles_db),), 101)
        check_range("Statistics", "loudness_quantiles_db", self.loudness_quantiles_db[0], *LEVELS_DB)
        check_range("Statistics", "loudness_quantiles_db", self.loudness_quantiles_db[-1], *LEVELS_DB)
        check_range("Statistics", "silence_db", self.silence_db, *LEVELS_DB)
        check_range("Statistics", "pitch_low", self.pitch_low, -128, 160)
        if not (np.diff(self.loudness_quantiles_db) >= 0).all():
            raise fail("Statistics", "loudness_quantiles_db", "not decrease", "a smaller value after a larger")
        check_range("Statistics", "pitch_high", self.pitch_high, self.pitch_low, 160)
        check_range("Statistics", "release_db_per_s", self.release_db_per_s, 1, 1e5)
        for name in ("attack_s", "vibrato_delay_s", "glide_s"):
            check_range("Statistics", name, getattr(self, name), 0, 10)
        check_range("Statistics", "vibrato_rate_hz", self.vibrato_rate_hz, 0, 20)
        check_range("Statistics", "vibrato_extent_cents", self.vibrato_extent_cents, 0, 400)

    @property
    def range_hz(self) -> tuple[float, float]:
        """The lowest and highest pitch to expect from the instrument: a margin beyond what was heard."""
        return pitch_range_hz(self.pitch_low, self.pitch_high)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and lists, for JSON; `from_dict` gives back an equal object."""
        return {**asdict(self), "loudness_quantiles_db": list(self.loudness_quantiles_db)}

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> Statistics:
        """What `to_dict` wrote.

        Raises:
            InputError: a number is missing, unknown or out of range.
        """
        wrong = {field.name for field in fields(Statistics)} ^ set(values)
        if wrong:
            raise fail("Statistics", "values", "hold exactly the fields that were saved",
                       f"a difference in {', '.join(sorted(wrong))}", "was it written by another version?")
        return Statistics(**values)


def measure(features: Sequence[Features]) -> Statistics:
    """Measure the takes of one instrument together.

    Levels are dB as in `Features`; times are medians over the notes that `segment_notes` finds. Where
    fewer than three notes show a quantity (a take of one long tone has no glide), a usual value stands in.

    Raises:
        InputError: no take, or no frame with a sure pitch in any.
    """
    if not features:
        raise fail("measure", "features", "hold at least one take", 0)
    everything = np.concatenate([take.loudness_db for take in features])
    loudness, pitch = [], []
    attacks, releases, glides, vibratos = [], [], [], []
    n_held = 0
    for take in features:
        notes = segment_notes(take.f0_hz, take.periodicity, take.loudness_db, take.frame_rate_hz)
        inside = np.zeros(len(take.f0_hz), dtype=bool)
        for start, stop, _ in notes:
            inside[start:stop] = True
        sure = inside & (take.periodicity >= VOICED)
        loudness.append(take.loudness_db[sure])
        pitch.append(supported_pitch(hz_to_pitch(take.f0_hz[sure].astype(np.float64)), take.frame_rate_hz))
        level = take.loudness_db.astype(np.float64)
        curve = hz_to_pitch(take.f0_hz.astype(np.float64))
        # the same pitch going on is a new bow or tongue stroke at best, the ripple of a vibrato at worst
        fresh = [note for before, note in pairwise([(0, 0, 0.0), *notes])
                 if note[0] > before[1] or abs(note[2] - before[2]) >= 0.5]
        attacks += _known(measure_attack_s(level, note, take.frame_rate_hz) for note in fresh)
        ends = [note[0] for note in notes[1:]] + [len(level)]
        releases += _known(_release_db_per_s(level, note[0], note[1], end, take.frame_rate_hz)
                           for note, end in zip(notes, ends))
        glides += _known(measure_glide_s(curve, *pair, take.frame_rate_hz) for pair in pairwise(notes))
        held = [curve[a:b] for a, b, _ in notes if b - a > HELD_S * take.frame_rate_hz]
        n_held += len(held)
        vibratos += _known(measure_vibrato(part, take.frame_rate_hz) for part in held)
    voiced = np.concatenate(loudness)
    if len(voiced) == 0:
        raise InputError("measure: features must hold pitched frames, got none with periodicity >= 0.5; "
                         "is this a recording of a pitched instrument?")
    low, high = np.quantile(np.concatenate(pitch), EXTREMES)
    vibrates = len(vibratos) >= max(FEWEST, LEAST_SHARE * n_held)
    extent, rate, delay = np.median(vibratos, axis=0) if vibrates else (
        0.0, DEFAULTS["vibrato_rate_hz"], DEFAULTS["vibrato_delay_s"])
    return Statistics(
        pitch_low=float(low),
        pitch_high=float(high),
        loudness_quantiles_db=tuple(np.quantile(voiced, np.linspace(0, 1, 101)).tolist()),
        # digital silence before the first note is not the room's floor
        silence_db=float(np.quantile(everything[everything > DB_FLOOR + 1], 0.01)),
        attack_s=_median(attacks, "attack_s"),
        release_db_per_s=_median(releases, "release_db_per_s"),
        vibrato_extent_cents=float(extent),
        vibrato_rate_hz=float(rate),
        vibrato_delay_s=float(delay),
        glide_s=_median(glides, "glide_s"),
        minutes=sum(len(take.f0_hz) / take.frame_rate_hz for take in features) / 60,
    )


def _known(values: Iterable[Any]) -> list[Any]:
    return [value for value in values if value is not None]


def _median(values: list[float], name: str) -> float:
    return float(np.median(values)) if len(values) >= FEWEST else DEFAULTS[name]


def measure_attack_s(level_db: NDArray, note: tuple[int, int, float], rate_hz: float) -> float | None:
    """Time from -10 to -1 dB of a note's early peak, as the length of a straight amplitude ramp from 0.

    On such a ramp, -10 dB lies at 0.316 of the way and -1 dB at 0.891: 0.575 of its length apart.

    Args:
        level_db: [F], of the whole take.
        note: its first frame, the frame after its last, its pitch.
        rate_hz: frames per second.
    Returns:
        seconds; None for a note that is bound to the one before.
    """
    level, (start, stop, _) = level_db, note
    early = level[start : min(stop, start + round(0.25 * rate_hz))]
    top = start + int(early.argmax())
    peak = level[top]
    reached = start + int(np.argmax(early >= peak - 1))
    before = max(0, start - round(0.1 * rate_hz))
    quiet = np.flatnonzero(level[before : reached + 1] < peak - 10)
    if len(quiet) == 0:  # bound to the note before
        return None
    rise = _crossing(level, before + int(quiet[-1]), peak - 10)
    return max(0.0, _crossing(level, reached - 1, peak - 1) - rise) / rate_hz / 0.575 if reached > before else None


def _crossing(level: NDArray, frame: int, target: float) -> float:
    """Where between frame and frame + 1 the rising level passes the target, in frames."""
    low, high = level[max(frame, 0)], level[frame + 1]
    return frame + float(np.clip((target - low) / (high - low), 0, 1)) if high > low else float(frame)


def _release_db_per_s(level: NDArray, start: int, stop: int, following: int, rate_hz: float) -> float | None:
    """Slope from -3 to -18 dB after the note's last loud instant, where it falls by 10 dB or more before the next."""
    begin = max(start, stop - round(0.15 * rate_hz))
    tail = level[begin : min(following, stop + round(0.6 * rate_hz))]
    if len(tail) < 3:
        return None
    loud = int(np.flatnonzero(tail >= tail.max() - 3)[-1])
    below = np.flatnonzero(tail[loud:] <= tail[loud] - 15)
    bottom = loud + (int(below[0]) if len(below) else int(tail[loud:].argmin()))
    fall_db = tail[loud] - tail[bottom]
    return float(fall_db / (bottom - loud) * rate_hz) if fall_db >= 10 else None


def measure_glide_s(pitch: NDArray, note: tuple[int, int, float], following: tuple[int, int, float],
                    rate_hz: float) -> float | None:
    """Time from a tenth to nine tenths of a bound interval, as the length of the whole.

    Args:
        pitch: [F], MIDI numbers, of the whole take.
        note, following: first frame, frame after the last, pitch.
        rate_hz: frames per second.
    Returns:
        seconds; None where the notes do not touch, or lie less than 0.8 semitone or more than an octave apart.
    """
    interval = following[2] - note[2]
    if following[0] != note[1] or not 0.8 <= abs(interval) <= 12:
        return None
    reach = round(0.1 * rate_hz)
    low, high = max(note[0], note[1] - reach), min(following[1], note[1] + reach)
    way = (pitch[low:high] - note[2]) / interval
    middle = note[1] - low
    early = np.flatnonzero(way[:middle] <= 0.1)
    late = np.flatnonzero(way[middle:] >= 0.9)
    if len(early) == 0 or len(late) == 0:
        return None
    first, last = int(early[-1]), middle + int(late[0])
    # straight lines through the frames on both sides of the two marks
    start = first + np.clip((0.1 - way[first]) / max(way[first + 1] - way[first], 1e-9), 0, 1)
    stop = last - 1 + np.clip((0.9 - way[last - 1]) / max(way[last] - way[last - 1], 1e-9), 0, 1)
    return float(max(stop - start, 0.0) / rate_hz / 0.8)


def measure_vibrato(pitch: NDArray, rate_hz: float) -> tuple[float, float, float] | None:
    """How one held note vibrates once it does, and from when on; what `Statistics` is made of.

    `performer.vibrato` measures another thing: the mean extent over all of a note, which a table can ask for.

    Args:
        pitch: [F], MIDI numbers, of the note.
        rate_hz: frames per second.
    Returns:
        extent in cents, rate in Hz, delay in s; None where there is none.
    """
    edge = round(0.04 * rate_hz)
    part = pitch[edge : len(pitch) - edge]
    time_s = (np.arange(len(part)) + edge) / rate_hz
    # a line, then a running mean over two or three cycles: what is left is faster than any intonation
    straight = part - np.polyval(np.polyfit(time_s, part, 1), time_s)
    swing = straight - smooth_curve(straight, round(DRIFT_S * rate_hz))
    swing = np.clip(swing, -1.5, 1.5) * CENTS_PER_SEMITONE
    taper = np.hanning(len(swing) + 2)[1:-1]
    spectrum = np.abs(np.exp(-2j * np.pi * VIBRATO_RATES_HZ[:, None] * time_s) @ (swing * taper))
    best = int(spectrum.argmax())
    if best in (0, len(spectrum) - 1):  # a slope, or the tracker's jitter
        return None
    rate = float(VIBRATO_RATES_HZ[best])
    carrier = swing * np.exp(-2j * np.pi * rate * time_s)
    window = np.hanning(round(1.5 * rate_hz / rate) + 2)[1:-1]
    window /= window.sum()
    # zeros outside the note: an onset of the vibrato, the note's start too, is read at half height
    extent = 2 * np.abs(np.convolve(carrier, window, mode="full")[len(window) // 2 :][: len(carrier)])
    typical = float(np.quantile(extent, 0.75))
    fitted = typical**2 / 2
    if not LEAST_VIBRATO_CENTS <= typical <= MOST_VIBRATO_CENTS or fitted < 0.5 * float(np.mean(swing**2)):
        return None
    return typical, rate, float(time_s[np.argmax(extent >= typical / 2)] - edge / rate_hz)
