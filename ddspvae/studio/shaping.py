"""A few notes of a line played anew, the others left as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ddspvae.editing.given_curves import Given
from ddspvae.editing.inpainting import fill
from ddspvae.editing.realise import move_axes, realise
from ddspvae.performer.controls import CONTROLS, NoteControls
from ddspvae.performer.measure import measure_controls
from ddspvae.signals import Note, Notes, Performance
from ddspvae.signals.checks import check_choice, check_range
from ddspvae.signals.units import DB_FLOOR
from ddspvae.studio.arrangement import Line, Part

if TYPE_CHECKING:
    from ddspvae.instrument.instrument import Instrument

NEIGHBOURS = 3  # notes to either side that the performer sees
SEAM_S = 0.04  # from what was there to what is new
MARGIN_S = 0.3
SHAPES = {"volume": "loudness", "volume_fluctuation": "loudness", "volume_peak_position": "loudness", "vibrato": "f0"}


def replay(player: Instrument, part: Part, number: int, line: Line, changed_s: tuple[float, float], score_s: float) -> Line:
    """A line whose notes have changed between two times: performed anew there, from the middle of the note before to the
    middle of the note after; the rest as it was."""
    notes = line.notes.notes
    n_frames = int(np.ceil((line.notes.duration_s + player.tail_s()) * line.base.frame_rate_hz))
    is_before = [note.offset_s <= changed_s[0] + 1e-6 for note in notes]
    is_after = [note.onset_s >= changed_s[1] - 1e-6 and not earlier for note, earlier in zip(notes, is_before)]
    before = [note for note, earlier in zip(notes, is_before) if earlier]
    after = [note for note, later in zip(notes, is_after) if later]
    between = [note for note, earlier, later in zip(notes, is_before, is_after) if not earlier and not later]
    window = before[-NEIGHBOURS:] + between + after[:NEIGHBOURS]
    start_s = (before[-1].onset_s + before[-1].offset_s) / 2 if before else 0.0
    stop_s = (after[0].onset_s + after[0].offset_s) / 2 if after else np.inf
    fresh = part.play(player, replace(line.notes, notes=tuple(window)), number, score_s) if window else silenced(line.base)
    base = splice(line.base, fresh, start_s, stop_s, n_frames)
    line = replace(line, base=base)
    for index, (note, own) in enumerate(zip(line.ids, notes)):
        if note in line.asked and own.offset_s > start_s and own.onset_s < stop_s:
            line = shape_note(player, line, index, line.asked[note])
    return line


def silenced(performance: Performance) -> Performance:
    """The same, as a rest."""
    return replace(performance, loudness_db=np.full(performance.n_frames, DB_FLOOR),
                   periodicity=np.zeros(performance.n_frames), z=np.zeros_like(performance.z))


def splice(old: Performance, new: Performance, start_s: float, stop_s: float, n_frames: int) -> Performance:
    """`new` from start_s to stop_s, `old` before and after; both go over into each other within 40 ms.

    Args:
        n_frames: of the result.
    """
    rate_hz, per_row = old.frame_rate_hz, old.frames_per_z

    def blend(name: str, n: int, points_per_s: float) -> NDArray:
        rest = DB_FLOOR if name == "loudness_db" else 0.0
        whole = _sized(getattr(old, name), n, rest)
        first = max(0, int(np.ceil(start_s * points_per_s)))
        last = n if np.isinf(stop_s) else max(first, min(n, int(stop_s * points_per_s) + 1))
        ours, theirs = whole[first:last], _sized(getattr(new, name), last, rest)[first:]
        time_s = np.arange(first, last) / points_per_s
        weight = np.clip((time_s - start_s) / SEAM_S, 0, 1) if start_s > 0 else np.ones(last - first)
        if np.isfinite(stop_s):
            weight = np.minimum(weight, np.clip((stop_s - time_s) / SEAM_S, 0, 1))
        weight = weight if theirs.ndim == 1 else weight[:, None]
        if name == "f0_hz":
            whole[first:last] = np.exp2(np.log2(ours) * (1 - weight) + np.log2(theirs) * weight)
        else:
            whole[first:last] = ours * (1 - weight) + theirs * weight
        return whole

    return replace(old, f0_hz=blend("f0_hz", n_frames, rate_hz), periodicity=blend("periodicity", n_frames, rate_hz),
                   loudness_db=blend("loudness_db", n_frames, rate_hz),
                   z=blend("z", -(-n_frames // per_row), rate_hz / per_row))


def _sized(curve: NDArray, n: int, rest: float) -> NDArray[np.float64]:
    """A copy that is cut, or continued: pitch is held, all else rests."""
    curve = np.array(curve[:n], dtype=np.float64)
    missing = n - len(curve)
    if not missing:
        return curve
    held = curve.ndim == 1 and curve[-1] > 1  # a pitch in Hz
    return np.concatenate([curve, np.full((missing, *curve.shape[1:]), curve[-1] if held else rest)])


def _around(performance: Performance, notes: Sequence[Note]) -> tuple[Performance, Notes, int]:
    """The piece of a performance that holds some notes; these, from its start on; and that frame."""
    start_s = max(0.0, notes[0].onset_s - MARGIN_S)
    every = performance.frames_per_z
    first = int(start_s * performance.frame_rate_hz) // every * every
    start_s = first / performance.frame_rate_hz
    piece = performance.slice(start_s + 1e-9, min(performance.duration_s, notes[-1].offset_s + MARGIN_S))
    moved = tuple(replace(note, onset_s=max(0.0, note.onset_s - start_s), offset_s=note.offset_s - start_s,
                          bend_semitones=(), pressure=(), brightness=()) for note in notes)
    return piece, Notes(moved), first


def note_controls(player: Instrument, line: Line, index: int) -> dict[str, float]:
    """The six controls of a note, as it is played, from 0 to 1."""
    piece, notes, _ = _around(line.final, line.notes.notes[index : index + 1])
    scaled = measure_controls(piece, notes).scaled(player.control_ranges)
    return {name: round(float(scaled[name][0]), 4) for name in CONTROLS}


def shape_note(player: Instrument, line: Line, index: int, scaled: Mapping[str, float]) -> Line:
    """A line in which one note has the controls asked for, from 0 to 1; what is not asked for stays."""
    for name, value in scaled.items():
        check_choice("studio", "control", name, CONTROLS)
        check_range("studio", name, value, 0, 1)
    first_note = max(0, index - 1)
    near = line.notes.notes[first_note : index + 2]
    at = index - first_note
    piece, notes, first = _around(line.base, near)
    found, ranges = measure_controls(piece, notes), player.control_ranges
    wanted = {name: np.array(getattr(found, name)) for name in (*CONTROLS, "vibrato_hz")}
    for name, value in scaled.items():
        wanted[name][at] = float(ranges.unscale(name, np.array(value)))
    asked = NoteControls(**wanted)
    shaped = piece
    curves = {SHAPES[name] for name in scaled if name in SHAPES}
    if curves:
        played = realise(player, notes, asked, tail_s=player.tail_s())
        onset_s, offset_s = notes.notes[at].onset_s, min(notes.notes[at].offset_s, piece.duration_s)
        known = played.f0_hz if "f0" in curves else None
        given = [] if known is None else [Given.of_frames("f0", known, piece.frame_rate_hz)]
        if "loudness" in curves:
            given.append(Given.of_frames("loudness", np.maximum(played.loudness_db, DB_FLOOR), piece.frame_rate_hz))
        shaped = fill(shaped, [one.within(onset_s, offset_s) for one in given])
    axes = [name for name in scaled if name not in SHAPES]
    if axes:
        alone = NoteControls(**{name: np.where((np.arange(len(found)) == at) & (name in axes), values, np.nan)
                                for name, values in vars(asked).items()})
        shaped = move_axes(shaped, notes, alone, measure_controls(shaped, notes))
    return replace(line, base=_put(line.base, shaped, first))


def _put(whole: Performance, piece: Performance, first: int) -> Performance:
    """A whole with a piece in its place."""
    def put(name: str, at: int) -> NDArray:
        curve, own = np.array(getattr(whole, name)), getattr(piece, name)
        curve[at : at + len(own)] = own
        return curve

    return replace(whole, f0_hz=put("f0_hz", first), periodicity=put("periodicity", first),
                   loudness_db=put("loudness_db", first), z=put("z", first // whole.frames_per_z))
