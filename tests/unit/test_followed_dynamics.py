"""A take's loudness, brightness and pitch, written into its notes and played from them."""

from __future__ import annotations

import mido
import numpy as np
import pytest

from ddspvae import load, read_midi
from ddspvae.editing.take_dynamics import follow_take
from ddspvae.editing.write_notes import write_take_notes
from ddspvae.performer.transcribe import hold_through
from ddspvae.signals import Note, Notes, Performance


@pytest.fixture(scope="module")
def violin():
    return load("violin")


@pytest.fixture(scope="module")
def score():
    return Notes(tuple(Note(pitch, 90, 0.1 + 0.6 * at, 0.65 + 0.6 * at) for at, pitch in enumerate((69, 71, 72, 76))))


def played_otherwise(instrument, score):
    """How the score is played, but for a swell of 5 dB within each note, a note that grows brighter, and a wide vibrato."""
    take = instrument.perform(score)
    t_s = np.arange(take.n_frames) / take.frame_rate_hz
    loudness_db = take.loudness_db - 5 + 2.5 * np.sin(2 * np.pi * t_s / 0.6).astype(np.float32)
    z = np.array(take.z)
    z[round(0.4 * instrument.config.z_rate_hz) : round(0.65 * instrument.config.z_rate_hz), 0] += 1.5
    f0_hz = take.f0_hz * 2 ** (0.4 * np.sin(2 * np.pi * 5 * t_s) / 12).astype(np.float32)
    return Performance(f0_hz, take.periodicity, loudness_db, z, take.axis_names, take.frame_rate_hz, take.frames_per_z,
                       take.instrument)


def test_notes_are_played_as_loud_and_as_bright_as_the_take(violin, score, tmp_path):
    take = played_otherwise(violin, score)
    write_take_notes(take, violin, tmp_path / "take.mid")
    again = violin.perform(read_midi(tmp_path / "take.mid")[0])
    n = min(again.n_frames, take.n_frames)
    inside = np.zeros(n, dtype=bool)
    for note in score.notes:
        inside[round((note.onset_s + 0.08) * 200) : round((note.offset_s - 0.05) * 200)] = True
    away_db = np.abs(again.loudness_db[:n] - take.loudness_db[:n])[inside]
    assert np.median(away_db) < 0.5 and np.quantile(away_db, 0.9) < 2.0
    plain = violin.perform(score)
    assert np.median(np.abs(plain.loudness_db[:n] - take.loudness_db[:n])[inside]) > 3  # what the notes alone would say
    away_cents = np.abs(1200 * np.log2(again.f0_hz[:n] / take.f0_hz[:n]))[inside]
    assert np.median(away_cents) < 5 and np.quantile(away_cents, 0.9) < 15
    assert np.median(np.abs(1200 * np.log2(plain.f0_hz[:n] / take.f0_hz[:n]))[inside]) > 20
    bright = slice(round(0.44 * violin.config.z_rate_hz), round(0.6 * violin.config.z_rate_hz))
    assert again.z[bright, 0].mean() == pytest.approx(take.z[bright, 0].mean(), abs=0.3)


def test_controllers_are_those_of_general_midi_and_begin_before_the_note(violin, score, tmp_path):
    write_take_notes(played_otherwise(violin, score), violin, tmp_path / "take.mid")
    sent = [message for message in mido.MidiFile(tmp_path / "take.mid").tracks[0]
            if message.type in ("control_change", "note_on", "pitchwheel")]
    assert {message.control for message in sent if message.type == "control_change"} == {11, 74}
    first_note = next(at for at, message in enumerate(sent) if message.type == "note_on")
    assert {message.control for message in sent[:first_note] if message.type == "control_change"} == {11, 74}
    assert max(abs(message.pitch) for message in sent if message.type == "pitchwheel") > 0.3 / 2 * 8192
    values = [message.value for message in sent if message.type == "control_change" and message.control == 11]
    assert max(values) > 120 and min(values) < 105


def test_what_needs_nothing_is_told_nothing(violin, score):
    followed = follow_take(score, violin.perform(score), violin)
    assert min(value for _, value in followed.controllers["expression"]) > 0.9
    assert all(abs(value - 0.5) < 0.02 for _, value in followed.controllers["brightness"])
    assert all(abs(bend) < 0.3 for _, bend in followed.bend_semitones)
    assert follow_take(Notes(()), violin.perform(score), violin) == Notes(())


def test_a_note_lasts_to_the_next_where_the_take_sounds_on():
    rate_hz, levels_db = 100.0, np.array([-20.0, -22.0])
    notes = Notes((Note(60, 64, 0.0, 0.5), Note(62, 64, 0.6, 1.0)))
    loudness_db = np.full(100, -20.0)
    assert hold_through(notes, levels_db, loudness_db, rate_hz).notes[0].offset_s == 0.6
    loudness_db[55] = -31
    assert hold_through(notes, levels_db, loudness_db, rate_hz) == notes
    far = Notes((Note(60, 64, 0.0, 0.5), Note(62, 64, 0.8, 1.0)))
    assert hold_through(far, levels_db, np.full(100, -20.0), rate_hz) == far
