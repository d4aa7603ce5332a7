"""Notes from a take: what was played, as a score; and that score as a MIDI file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import mido
import numpy as np
from numpy.typing import NDArray

from ddspvae.features.segments import segment_notes
from ddspvae.features.statistics import Statistics
from ddspvae.midi.closed_forms import velocity_to_level_db
from ddspvae.midi.trained_range import fold_octaves
from ddspvae.performer.loudness_shape import inner_frames
from ddspvae.signals import Features, Note, Notes, Performance
from ddspvae.signals.checks import InputError
from ddspvae.signals.files import new_file
from ddspvae.signals.units import CENTS_PER_SEMITONE

TICKS_PER_QUARTER = 960  # at 120 bpm 0.52 ms a tick
TICKS_PER_S = 2 * TICKS_PER_QUARTER
ATTACK_S, TOUCHING_S, SOFTER_DB = 0.12, 0.01, 8.0  # of an octave below that is none
LONGEST_GAP_S = 0.25  # without a sure pitch, while the take sounds on
WRITTEN = {"volume": 7, "pan": 10, "expression": 11, "brightness": 74}  # controllers
CENTRED = ("pan",)  # 64 is the middle, 1 and 127 the ends
BEND_RANGE = 2.0  # semitones that a full pitch wheel stands for, General MIDI


def transcribe(take: Performance | Features, statistics: Statistics | None = None) -> Notes:
    """Find the notes of a take.

    Args:
        take: how a recording was played, or what was heard in it.
        statistics: of the instrument. Velocities are those that it would play as loud, and a note outside its range,
            which a chord or the tracker feigns, moves by octaves. None: velocity 127 is the loudest note of the take,
            and 40 log10(velocity / 127) dB how far another lies below.
    Returns:
        Notes with fractional pitches, in order, none overlapping, none shorter than 50 ms; no notes for silence.
    """
    rate_hz, loudness_db = take.frame_rate_hz, np.asarray(take.loudness_db, dtype=np.float64)
    segments = segment_notes(take.f0_hz, take.periodicity, loudness_db, rate_hz)
    notes = to_notes(segments, rate_hz)
    if not segments:
        return notes
    if statistics is not None:
        notes = fold_octaves(notes, statistics)
    levels_db = np.array([loudness_db[span].mean() for span in inner_frames(notes, rate_hz, len(loudness_db))])
    notes, levels_db = join_attacks(notes, levels_db)
    notes = hold_through(notes, levels_db, loudness_db, rate_hz)
    if statistics is None:
        # level = 40 log10(velocity / 127) dB: MMA, "Downloadable Sounds Level 1", velocity to attenuation
        velocities = np.clip(127 * 10 ** ((levels_db - levels_db.max()) / 40), 1, 127).round().astype(int)
    else:
        velocities = level_to_velocity(levels_db, statistics)
    return replace(notes, notes=tuple(replace(note, velocity=int(velocity))
                                      for note, velocity in zip(notes.notes, velocities)))


def join_attacks(notes: Notes, levels_db: NDArray) -> tuple[Notes, NDArray]:
    """Let a short soft octave below a note, that leads straight into it, be the note's attack, in which trackers slip.

    Args:
        notes: of one voice.
        levels_db: [N], of each.
    Returns:
        what is left of both.
    """
    kept, levels, begun_s = [], [], None
    for at, note in enumerate(notes.notes):
        following = notes.notes[at + 1] if at + 1 < len(notes.notes) else None
        if (following is not None and note.offset_s - note.onset_s <= ATTACK_S
                and following.onset_s - note.offset_s < TOUCHING_S
                and abs(following.pitch - note.pitch - 12) < 0.5 and levels_db[at] < levels_db[at + 1] - SOFTER_DB):
            begun_s = note.onset_s if begun_s is None else begun_s
            continue
        kept.append(note if begun_s is None else replace(note, onset_s=begun_s))
        levels.append(levels_db[at])
        begun_s = None
    return replace(notes, notes=tuple(kept)), np.array(levels)


def hold_through(notes: Notes, levels_db: NDArray, loudness_db: NDArray, frame_rate_hz: float) -> Notes:
    """Let a note last to the next one where the take sounds on between them, though no pitch was sure.

    Args:
        notes: of one voice.
        levels_db: [N], of each.
        loudness_db: [F], of the take.
    """
    held = list(notes.notes)
    for at, (note, following) in enumerate(pairwise(notes.notes)):
        between = loudness_db[round(note.offset_s * frame_rate_hz) : round(following.onset_s * frame_rate_hz)]
        softest_db = min(levels_db[at : at + 2]) - SOFTER_DB
        if 0 < len(between) <= LONGEST_GAP_S * frame_rate_hz and between.min() > softest_db:
            held[at] = replace(note, offset_s=following.onset_s)
    return replace(notes, notes=tuple(held))


def to_notes(segments: Sequence[tuple[int, int, float]], frame_rate_hz: float) -> Notes:
    """What `segment_notes` found, (first frame, frame after the last, pitch), as a score; every velocity is 64."""
    return Notes(tuple(Note(float(np.clip(pitch, 0, 127)), 64, start / frame_rate_hz, stop / frame_rate_hz)
                       for start, stop, pitch in segments))


def level_to_velocity(level_db: NDArray, statistics: Statistics) -> NDArray[np.int_]:
    """The velocities to which `velocity_to_level_db` gives levels nearest to these, 1 to 127, whole."""
    velocities = np.arange(1, 128)
    return np.round(np.interp(level_db, velocity_to_level_db(velocities, statistics), velocities)).astype(int)


def round_pitches(notes: Notes) -> tuple[Notes, float]:
    """Notes of the keyboard, and how the take is tuned.

    Returns:
        the notes with whole pitches, the nearest in that tuning; and its median deviation from A = 440 Hz, cents, by
        which the whole is off now.
    """
    if not notes.notes:
        return notes, 0.0
    pitch = np.array([note.pitch for note in notes.notes])
    # on the circle of a semitone, where +49 and -49 cents are neighbours
    turn = float(np.angle(np.exp(2j * np.pi * pitch).mean()) / (2 * np.pi))
    near = (pitch - turn + 0.5) % 1 - 0.5
    tuning = turn + float(np.median(near))
    whole = np.clip(np.round(pitch - tuning), 0, 127).astype(int)
    rounded = tuple(replace(note, pitch=int(number)) for note, number in zip(notes.notes, whole))
    return replace(notes, notes=rounded), tuning * CENTS_PER_SEMITONE


def write_midi(notes: Notes | Sequence[Notes], path: str | Path, *, cents: bool = False) -> None:
    """Write notes as a MIDI file, one track a part, at 120 bpm; times keep 0.3 ms.

    Args:
        notes: a part, or several. Of the controllers, volume, pan, expression and brightness are written, and bends up to 2
            semitones.
        path: ends in .mid.
        cents: whether fractions of a pitch are written, with the pitch wheel (its range the usual 2 semitones), of parts
            that have no bends.
    Raises:
        InputError: the file cannot be written.
    """
    parts = [notes] if isinstance(notes, Notes) else list(notes)
    file = mido.MidiFile(type=0 if len(parts) == 1 else 1, ticks_per_beat=TICKS_PER_QUARTER)
    for number, part in enumerate(parts):
        track = mido.MidiTrack()
        if number == 0:
            track.append(mido.MetaMessage("set_tempo", tempo=500_000, time=0))
        if part.name:
            name = part.name.encode("latin-1", "replace").decode("latin-1")  # all that a MIDI file can hold
            track.append(mido.MetaMessage("track_name", name=name, time=0))
        track.append(mido.Message("program_change", channel=part.channel, program=part.program, time=0))
        now = 0
        for tick, _, message in sorted(_events(part, cents and not part.bend_semitones), key=lambda event: event[:2]):
            track.append(message.copy(time=tick - now))
            now = tick
        file.tracks.append(track)
    path = Path(path)
    try:
        with new_file(path) as waiting:
            file.save(waiting)
    except OSError as error:
        raise InputError(f"write_midi: cannot write {path} ({error.strerror}); does the folder exist?") from error


def _events(part: Notes, cents: bool) -> list[tuple[int, int, mido.Message]]:
    """(tick, rank, message): at one tick, notes end, wheel and controllers turn, notes begin."""
    events: list[tuple[int, int, mido.Message]] = [
        (round(at_s * TICKS_PER_S), 1, mido.Message("control_change", channel=part.channel, control=number,
                                                    value=round(1 + 126 * value if name in CENTRED else 127 * value)))
        for name, number in WRITTEN.items() for at_s, value in part.controllers.get(name, ())]
    events += [(round(at_s * TICKS_PER_S), 1, _wheel(part, bend)) for at_s, bend in part.bend_semitones]
    wheel = 0.0
    for note in part.notes:
        pitch = round(note.pitch)
        start = round(note.onset_s * TICKS_PER_S)
        stop = max(round(note.offset_s * TICKS_PER_S), start + 1)
        turned = note.pitch - pitch if cents else 0.0
        if turned != wheel:
            events.append((start, 1, _wheel(part, turned)))
            wheel = turned
        events.append((start, 2, mido.Message("note_on", channel=part.channel, note=pitch, velocity=note.velocity)))
        events.append((stop, 0, mido.Message("note_off", channel=part.channel, note=pitch, velocity=0)))
    return events


def _wheel(part: Notes, semitones: float) -> mido.Message:
    turned = round(semitones / BEND_RANGE * 8192)
    return mido.Message("pitchwheel", channel=part.channel, pitch=min(max(turned, -8192), 8191))
