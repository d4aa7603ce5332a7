"""What the note controls do to the sound of a shipped instrument, measured again from the sound."""

from __future__ import annotations

import numpy as np
import pytest

from ddspvae import load
from ddspvae.editing.calibrate import calibrate
from ddspvae.editing.realise import realise
from ddspvae.performer.controls import CONTROLS, NoteControls
from ddspvae.performer.measure import measure_controls
from ddspvae.performer.transcribe import transcribe
from ddspvae.signals import Note, Notes

VALUES = (0.0, 0.5, 1.0)
NOTES = Notes(tuple(Note(pitch, 80, 0.2 + 0.9 * at, 0.9 + 0.9 * at) for at, pitch in enumerate((67, 74, 79))))
# slope of heard against asked, at least; the neural trackers smooth vibrato, so autocorrelation hears it
LEAST_SLOPE = dict(zip(CONTROLS, (0.95, 0.85, 0.9, 0.9, 0.8, 0.5)))


@pytest.fixture(scope="module")
def violin():
    return load("violin")


def hear(instrument, performance):
    return instrument.analyze(instrument.resynthesize(performance), instrument.config.sample_rate, "autocorrelation")


@pytest.fixture(scope="module")
def middle(violin):
    """All controls in the middle of their ranges, and what is heard then."""
    ranges = violin.control_ranges
    controls = NoteControls.from_scaled({control: np.full(3, 0.5) for control in CONTROLS}, np.full(3, 5.5), ranges)
    return controls, hear(violin, realise(violin, NOTES, controls))


@pytest.mark.parametrize("name", CONTROLS)
def test_the_sound_follows_the_control(violin, middle, name):
    controls, plain = middle
    asked = violin.control_ranges.unscale(name, np.array(VALUES))
    low, high = (hear(violin, realise(violin, NOTES, controls.with_all(**{name: value}))) for value in asked[[0, 2]])
    takes = low, plain, high
    heard = np.array([getattr(measure_controls(take, NOTES), name) for take in takes])
    assert (np.diff(heard, axis=0) > 0).all(), heard
    assert np.corrcoef(np.repeat(asked, 3), heard.ravel())[0, 1] >= 0.95
    assert LEAST_SLOPE[name] <= np.polyfit(np.repeat(asked, 3), heard.ravel(), 1)[0] <= 1.25


def test_notes_with_strong_controls_are_still_the_notes_of_the_score(violin):
    """Wide vibrato, loudness that swings and energy at the end neither split a note nor move it."""
    scaled = {control: np.full(3, 1.0 if control in ("vibrato", "volume_fluctuation", "volume_peak_position") else 0.5)
              for control in CONTROLS}
    controls = NoteControls.from_scaled(scaled, np.full(3, 5.5), violin.control_ranges)
    found = transcribe(hear(violin, realise(violin, NOTES, controls)), violin.statistics).notes
    assert [round(note.pitch) for note in found] == [67, 74, 79]
    np.testing.assert_allclose([note.onset_s for note in found], [note.onset_s for note in NOTES.notes], atol=0.05)


def test_what_is_heard_is_nearer_to_what_was_asked_after_listening_again(violin):
    scaled = {control: np.full(3, 0.5) for control in CONTROLS}
    asked = NoteControls.from_scaled(scaled, np.full(3, 5.5), violin.control_ranges)
    asked = asked.with_all(brightness=0.8, attack_noise=-0.5)
    played = realise(violin, NOTES, asked)
    again = calibrate(violin, played, NOTES, asked)
    miss = []
    for take in (played, again):
        found = measure_controls(hear(violin, take), NOTES)
        miss.append([np.abs(getattr(found, name) - getattr(asked, name)).mean() for name in ("brightness", "attack_noise")])
    assert miss[1][0] < miss[0][0] + 0.02 and miss[1][1] < miss[0][1] and max(miss[1]) < 0.5, miss
    assert np.array_equal(again.f0_hz, played.f0_hz) and np.array_equal(again.loudness_db, played.loudness_db)
