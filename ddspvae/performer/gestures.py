"""What the recordings do beyond the rules, note by note: the memory of the learned performer."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ddspvae.features.segments import VOICED, segment_notes
from ddspvae.features.statistics import Statistics, measure_attack_s, measure_glide_s
from ddspvae.midi.rules import LEGATO_GAP_S, SAME_SEMITONES, Habits, perform
from ddspvae.model.form import BRIGHTNESS
from ddspvae.performer.transcribe import to_notes
from ddspvae.signals import Features, Notes
from ddspvae.signals.checks import check_shape, fail
from ddspvae.signals.curves import deepest_hole
from ddspvae.signals.units import CENTS_PER_SEMITONE, hz_to_pitch

RATE_HZ = 100.0
MOST_ROWS_EVERY = 16  # of these frames there is one row of z, at least
NO_NEIGHBOUR_S = 9.0  # of rest before the first note and after the last
UNKNOWN = -1.0
MOST_CENTS, MOST_DB = 60.0, 5.0  # beyond, it is the tracker's slip or another note
STRUCK_DB = 8.0  # the same pitch goes on, unless it falls this far in between
AUDIBLE_DB = 25.0  # below a note's level, the rules' own ramp says how it begins and ends
MOST_BYTES = 2_500_000  # of a preset file; the network takes 1 MB
LONGEST_S = 20.0  # half precision, in which files keep n_frames, counts to 2048
PREFIX, PARTS = "gestures.", ("context", "cents", "level_db", "z")
EDGE_FRAMES, MOST_SLIPS, DEEPEST_DB = 4, 2, (5.0, 9.0)  # what passes for one note; more where rests are around it
CONTEXT = ("take", "place", "n_frames", "pitch", "level_db", "gap_before_s", "gap_after_s", "interval_before",
           "interval_after", "attack_s", "glide_s")


@dataclass(frozen=True, eq=False)
class Gestures:
    """Notes that were heard, each as what it adds to the rules' deadpan playing of the same note.

    Args:
        context: [N, len(CONTEXT)], one row a note; its take and its place there; pitch as a MIDI number, intervals in
            semitones from the note before and to the note after, a gap below LEGATO_GAP_S is a bound note; attack_s and
            glide_s are -1 where they could not be measured.
        cents: [K], all notes one after another, 100 a second: vibrato, scoops, drifts around the rules' pitch.
        level_db: [K], likewise around the rules' loudness.
        z: [R, Z], ceil(n_frames / rows_every) of each note, from the row in which it begins.
    """

    context: NDArray[np.float32]
    cents: NDArray[np.float32]
    level_db: NDArray[np.float32]
    z: NDArray[np.float32]

    def __post_init__(self) -> None:
        check_shape("Gestures", "context", self.context.shape, None, len(CONTEXT))
        n_frames = self["n_frames"].astype(int)
        check_shape("Gestures", "cents", self.cents.shape, int(n_frames.sum()))
        check_shape("Gestures", "level_db", self.level_db.shape, int(n_frames.sum()))
        check_shape("Gestures", "z", self.z.shape, int((-(-n_frames // self.rows_every)).sum()), None)

    def __len__(self) -> int:
        return len(self.context)

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        """A column of the context, [N]."""
        return self.context[:, CONTEXT.index(name)]

    @functools.cached_property
    def rows_every(self) -> int:
        """How many frames share a row of z: as many as its length says."""
        n_frames = self["n_frames"].astype(np.int64)
        fits = [every for every in range(1, MOST_ROWS_EVERY + 1) if (-(-n_frames // every)).sum() == len(self.z)]
        return fits[0] if fits else 1

    def note(self, number: int) -> tuple[NDArray, NDArray, NDArray]:
        """Cents [n], level_db [n] and z [ceil(n / rows_every), Z] of one note."""
        (start, row), (stop, last) = self._borders[number : number + 2]
        return self.cents[start:stop], self.level_db[start:stop], self.z[row:last]

    def rows(self, numbers: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where the rows of z of some notes [K] begin, and how many each has."""
        first = self._borders[numbers, 1]
        return first, self._borders[numbers + 1, 1] - first

    @functools.cached_property
    def _borders(self) -> NDArray[np.int64]:
        """Where each note begins, and the last one ends, in the curves and in z: [N + 1, 2]."""
        n_frames = self["n_frames"].astype(np.int64)
        return np.pad(np.stack([n_frames, -(-n_frames // self.rows_every)], axis=1).cumsum(axis=0), ((1, 0), (0, 0)))

    @property
    def n_bound(self) -> int:
        """How many notes are bound to the one before: none where the recordings hold single notes only."""
        return int((self["gap_before_s"] < LEGATO_GAP_S).sum())

    @staticmethod
    def nothing(n_z: int) -> Gestures:
        """Of an instrument that remembers no note."""
        none = np.zeros(0, np.float32)
        return Gestures(np.zeros((0, len(CONTEXT)), np.float32), none, none, np.zeros((0, n_z), np.float32))

    def brightened(self, deviations_per_db: float) -> Gestures:
        """The same notes, the louder ones of a take so much brighter than its softer ones; what is not known stays."""
        even = self["level_db"] - self["level_db"].mean()
        n_rows = -(-self["n_frames"].astype(np.int64) // self.rows_every)
        z = self.z.copy()
        z[:, BRIGHTNESS] += deviations_per_db * np.repeat(even, n_rows) * (z[:, BRIGHTNESS] != 0)
        return replace(self, z=z)

    def to_arrays(self) -> dict[str, NDArray[np.float32]]:
        """As a preset file keeps them; half precision is enough."""
        return {PREFIX + name: np.array(getattr(self, name)) for name in PARTS}

    @staticmethod
    def split(arrays: Mapping[str, NDArray[np.float32]]) -> tuple[dict[str, NDArray[np.float32]], Gestures | None]:
        """The arrays of a preset file to the weights of its network and what `to_arrays` wrote beside them, if anything.

        Raises:
            InputError: parts that do not fit each other.
        """
        weights = {name: array for name, array in arrays.items() if not name.startswith(PREFIX)}
        if len(weights) == len(arrays):
            return weights, None
        try:
            return weights, Gestures(*(arrays[PREFIX + name] for name in PARTS))
        except KeyError as error:
            raise fail("Gestures", "arrays", f"hold {', '.join(PARTS)}", f"no {error}") from error


def learn_gestures(takes: Sequence[Features], z: Sequence[NDArray], statistics: Statistics, frames_per_z: int,
                   most_bytes: int = MOST_BYTES) -> Gestures:
    """Take every note of the takes apart.

    Args:
        takes: what was heard.
        z: [M, Z] of each take, M = ceil(F / frames_per_z).
        statistics: by which the rules play.
        frames_per_z: frames that share a row of z.
        most_bytes: in half precision. Where all notes are more, those are kept that are least alike.
    """
    heard = [note for number, (take, rows) in enumerate(zip(takes, z, strict=True))
             for note in _take_apart(number, take, rows, statistics, frames_per_z)]
    if not heard:
        return Gestures.nothing(z[0].shape[1] if z else 0)
    context, cents, level_db, rows = zip(*heard)
    told = np.array(context, dtype=np.float32)
    n_bytes = [2 * (len(CONTEXT) + len(one) + len(other) + three.size) for one, other, three in zip(cents, level_db, rows)]
    kept = _least_alike(told, np.array(n_bytes), most_bytes)
    curves = cents, level_db, _even_out(told, rows)
    return Gestures(told[kept], *(np.concatenate([curve[number] for number in kept]).astype(np.float32)
                                  for curve in curves))


def _least_alike(context: NDArray, n_bytes: NDArray, most_bytes: int) -> NDArray[np.int64]:
    """Which notes [K], in their order, to keep within most_bytes: each next the one that is farthest from all that are kept.

    Source: Gonzalez, "Clustering to minimize the maximum intercluster distance", 1985.
    """
    if n_bytes.sum() <= most_bytes:
        return np.arange(len(context))
    columns = {name: context[:, CONTEXT.index(name)] for name in CONTEXT}
    bound = [columns[name] < LEGATO_GAP_S for name in ("gap_before_s", "gap_after_s")]
    # in the units in which `learned.choose` counts what differs
    place = np.stack([np.log(columns["n_frames"]) / 0.5, columns["pitch"] / 12, columns["level_db"] / 10, 3.0 * bound[0],
                      1.0 * bound[1], columns["interval_before"] / 6 * bound[0], columns["interval_after"] / 6 * bound[1]],
                     axis=1)
    far = np.full(len(place), np.inf)
    now, left = int(np.abs(place - np.median(place, axis=0)).sum(axis=1).argmin()), most_bytes
    kept: list[int] = []
    while n_bytes[now] <= left or not kept:
        kept.append(now)
        left -= int(n_bytes[now])
        far = np.minimum(far, np.abs(place - place[now]).sum(axis=1))
        far[kept] = -1.0
        now = int(far.argmax())
        if far[now] < 0:
            break
    return np.sort(np.array(kept))


def _even_out(context: NDArray, rows: Sequence[NDArray]) -> list[NDArray]:
    """The z of notes, their brightness without what all notes of a take have in common, nor what goes with their level.

    Notes are chosen by their level too; where the softer take is the brighter one, soft notes would sound brighter. How
    brightness goes with the level is known to the model (`model.typical`).
    """
    if not rows[0].shape[1]:
        return list(rows)
    told = np.array([np.count_nonzero(one[:, BRIGHTNESS]) for one in rows], dtype=float)
    mean = np.array([one[:, BRIGHTNESS].sum() for one in rows]) / np.maximum(told, 1)
    _, take = np.unique(context[:, CONTEXT.index("take")], return_inverse=True)

    def around_take(values: NDArray) -> NDArray:
        total = np.bincount(take, weights=told * values) / np.maximum(np.bincount(take, weights=told), 1)
        return np.asarray(values - total[take])

    own, level = around_take(mean), around_take(context[:, CONTEXT.index("level_db")])
    slope = (told * level) @ own / max((told * level) @ level, 1e-9)
    even = [np.array(one) for one in rows]
    for one, too_much in zip(even, mean - own + slope * level):
        one[:, BRIGHTNESS] -= too_much * (one[:, BRIGHTNESS] != 0)  # 0 is not known
    return even


def find_notes(take: Features) -> list[tuple[int, int, float]]:
    """Notes (start, stop, pitch) as `segment_notes` finds them, but one where a pitch goes on through a shallow dip."""
    found: list[tuple[int, int, float]] = []
    for start, stop, pitch in segment_notes(take.f0_hz, take.periodicity, take.loudness_db, take.frame_rate_hz):
        if found and found[-1][1] == start and abs(found[-1][2] - pitch) < SAME_SEMITONES:
            begin, _, before = found[-1]
            sides = [np.median(take.loudness_db[part]) for part in (slice(begin, start), slice(start, stop))]
            if min(sides) - take.loudness_db[start - 1 : start + 2].min() < STRUCK_DB:
                share = (start - begin) / (stop - begin)
                found[-1] = begin, stop, share * before + (1 - share) * pitch
                continue
        found.append((start, stop, pitch))
    return found


def score_of(take: Features, found: Sequence[tuple[int, int, float]], statistics: Statistics
             ) -> tuple[Notes, Habits, NDArray[np.bool_]]:
    """Notes (start, stop, pitch) of a take as a score, and how each was begun: what the rules need to play them again.

    Returns:
        score; habits; and [N, 2], whether attack and glide were measured, or are the instrument's usual.
    """
    rate_hz = take.frame_rate_hz
    level, pitch = take.loudness_db.astype(float), hz_to_pitch(take.f0_hz.astype(float))
    notes = to_notes(found, rate_hz)
    fresh = [measure_attack_s(level, one, rate_hz) for one in found]
    bound = [None, *(measure_glide_s(pitch, *pair, rate_hz) for pair in pairwise(found))]
    habits = Habits(
        level_db=np.array([np.median(level[start:stop]) for start, stop, _ in found]),
        attack_s=np.array([statistics.attack_s if value is None else value for value in fresh]),
        glide_s=np.array([statistics.glide_s if value is None else value for value in bound]))
    return notes, habits, np.array([[value is not None for value in pair] for pair in zip(fresh, bound)])


def _take_apart(number: int, take: Features, rows: NDArray, statistics: Statistics, frames_per_z: int
                ) -> Iterator[tuple[list[float], NDArray, NDArray, NDArray]]:
    """Context, cents, level_db and z of each note of a take that passes for one."""
    rate_hz, found = take.frame_rate_hz, find_notes(take)
    rows_every = int(np.clip(round(RATE_HZ * frames_per_z / rate_hz), 1, MOST_ROWS_EVERY))
    if not found:
        return
    notes, habits, is_measured = score_of(take, found, statistics)
    played = perform(notes, statistics, rate_hz, expression=0.0, tail_s=len(take.f0_hz) / rate_hz - notes.duration_s,
                     habits=habits)
    time_s = np.arange(len(played.f0_hz)) / rate_hz
    real_f0, real_level = (curve[: len(time_s)].astype(float) for curve in (take.f0_hz, take.loudness_db))
    cents = CENTS_PER_SEMITONE * (hz_to_pitch(real_f0) - hz_to_pitch(played.f0_hz.astype(float)))
    level_db = real_level - played.loudness_db
    sure = take.periodicity[: len(time_s)] >= VOICED
    for at, (start, stop, pitch) in enumerate(found):
        length_s = min((stop - start) / rate_hz, LONGEST_S)
        n_frames = max(int(length_s * RATE_HZ), 1)
        instants = start / rate_hz + np.arange(n_frames) / RATE_HZ
        inside = slice(start, stop)
        heard = played.loudness_db[inside] > habits.level_db[at] - AUDIBLE_DB
        before, after = (found[at - 1] if at else None), (found[at + 1] if at + 1 < len(found) else None)
        gap_before_s = min((start - before[1]) / rate_hz, NO_NEIGHBOUR_S) if before else NO_NEIGHBOUR_S
        gap_after_s = min((after[0] - stop) / rate_hz, NO_NEIGHBOUR_S) if after else NO_NEIGHBOUR_S
        own_cents = _read(time_s[inside], cents[inside], sure[inside], instants)
        own_level_db = _read(time_s[inside], level_db[inside], heard, instants)
        if not _is_clean(own_cents, own_level_db, min(gap_before_s, gap_after_s) >= LEGATO_GAP_S):
            continue
        # the row in which the note begins and those after it, as they are: what a row says is not blurred with the next
        row_at = start // frames_per_z + np.arange(0, n_frames, rows_every) * rate_hz / (RATE_HZ * frames_per_z) + 1e-6
        begun = (value if known else UNKNOWN for value, known in zip((habits.attack_s[at], habits.glide_s[at]),
                                                                    is_measured[at]))
        context = [number, at, n_frames, pitch, habits.level_db[at], gap_before_s, gap_after_s,
                   pitch - before[2] if before else 0.0, after[2] - pitch if after else 0.0, *begun]
        yield context, own_cents.clip(-MOST_CENTS, MOST_CENTS), own_level_db.clip(-MOST_DB, MOST_DB), \
            rows[row_at.astype(int).clip(0, len(rows) - 1)]


def _is_clean(cents: NDArray, level_db: NDArray, is_alone: bool) -> bool:
    """Whether it is one note: not two that were taken for one, nor a chord between whose notes the tracker jumps."""
    inside = slice(EDGE_FRAMES, max(len(cents) - EDGE_FRAMES, EDGE_FRAMES))
    holes = deepest_hole(level_db[inside]) >= DEEPEST_DB[is_alone]
    return not holes and int((np.abs(cents[inside]) >= MOST_CENTS).sum()) <= MOST_SLIPS


def _read(time_s: NDArray, curve: NDArray, known: NDArray, instants: NDArray) -> NDArray:
    """A curve at instants, straight through where it is not known; 0 where nothing of it is."""
    return np.interp(instants, time_s[known], curve[known]) if known.any() else np.zeros(len(instants))
