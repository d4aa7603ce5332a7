"""A louder note is a brighter one, whatever room was recorded softly and however few loud notes there are."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ddspvae.evaluation import dynamics
from ddspvae.evaluation.dynamics import (
    LEAST_PLAYED,
    Frames,
    centroid_octaves,
    is_met,
    meet_dynamics,
    meet_gestures,
    play,
)
from ddspvae.features.attributes import N_PARTIALS
from ddspvae.instrument.instrument import Instrument
from ddspvae.instrument.loading import load
from ddspvae.model.encoder_inputs import EncoderInputs
from ddspvae.model.typical import LEAST_SLOPE, USUAL_SLOPE, Typical
from ddspvae.performer.gestures import CONTEXT, learn_gestures
from ddspvae.signals import Features

from ..conftest import tone
from .test_gestures import FRAME_RATE_HZ, learned_from, take

N = 400


def note(pitch, loudness_db, brightness, room=""):
    """A steady note whose two first harmonics are so far apart in level that its brightness is that."""
    partials = torch.zeros(1, N, N_PARTIALS + 1)
    partials[..., 0], partials[..., 1], partials[..., -1] = 1 - brightness, brightness, -10.0
    level = loudness_db + torch.linspace(-0.5, 0.5, N)
    return EncoderInputs(torch.full((1, N, 1), 440 * 2 ** ((pitch - 69) / 12)), torch.ones(1, N, 1), level[None, :, None],
                 torch.zeros(1, N, 64), partials, torch.zeros(1, 0), torch.zeros(1, N, 0), room=room)


def slope(takes, pitches=(60, 66, 72), span_db=(-34.0, -16.0)):
    """Octaves of typical brightness per dB, at pitches [P], between levels."""
    typical = Typical()
    typical.fit(takes, 8)
    f0_hz = 440 * 2 ** ((torch.tensor(pitches, dtype=torch.float32)[:, None, None].expand(-1, 2, 1) - 69) / 12)
    low, high = typical(f0_hz, torch.tensor(span_db)[None, :, None].expand(len(pitches), -1, 1))[..., 0].T
    return ((high - low) / (span_db[1] - span_db[0])).numpy()


def test_a_soft_bright_room_beside_a_loud_dull_one_is_no_dynamics():
    takes = [note(pitch, -20 + above, 0.3 + 0.015 * above, "hall") for pitch in range(58, 76) for above in (-6, 0, 6)]
    takes += [note(pitch, -32 + above, 0.7 + 0.015 * above, "studio") for pitch in range(58, 76) for above in (-6, 0, 6)]
    assert slope(takes) == pytest.approx(0.015, abs=0.004)
    assert (slope([note(float(69 + 12 * torch.log2(one.f0_hz[0, 0, 0] / 440)), float(one.loudness_db.mean()),
                        float(one.partials[0, 0, 1])) for one in takes]) < 0.012).all()  # where nobody says what a room is


def test_a_few_loud_notes_do_not_turn_the_slope_around():
    takes = [note(pitch, level_db, 0.6 + 0.01 * level_db) for pitch in range(58, 76) for level_db in (-36, -30, -24)]
    takes += [note(pitch, -14.0, 0.1) for pitch in (60, 67)]
    for span_db in ((-36.0, -24.0), (-24.0, -18.0), (-18.0, -15.0)):
        assert (slope(takes, range(58, 76), span_db) > 0.9 * LEAST_SLOPE * USUAL_SLOPE).all()


def test_where_all_is_of_one_loudness_the_usual_slope_is_taken():
    takes = [note(pitch, -25.0, 0.4) for pitch in range(58, 76)]
    assert slope(takes, span_db=(-25.4, -24.6)) == pytest.approx(USUAL_SLOPE, rel=0.25)


def test_gestures_of_a_softer_take_are_no_brighter():
    def at(level_db, brightness):
        features, z = take()
        z = z.copy()
        z[:, 0] = brightness + 0.1 * z[:, 1]
        curves = features.f0_hz, features.periodicity, features.loudness_db + level_db
        return Features(*curves, features.timbre, features.partials, FRAME_RATE_HZ), z

    gestures, _ = learned_from(at(-10, 1.0), at(0, -1.0))
    means = np.array([gestures.note(number)[2][1:-1, 0].mean() for number in range(len(gestures))])
    soft = gestures[CONTEXT[0]] == 0
    assert means[soft].mean() == pytest.approx(means[~soft].mean(), abs=0.02) and abs(means.mean()) < 0.02
    assert np.ptp(means[soft]) == pytest.approx(0.5, abs=0.05)  # what sets notes of one take apart stays
    features, z = at(0, 1.0)
    nothing = learn_gestures([features], [np.zeros((len(z), 0), np.float32)], learned_from(at(0, 1.0))[1], 8)
    assert nothing.z.shape[1] == 0


def test_the_slope_is_that_within_groups():
    level = np.array([-30.0, -20, -10, 0])
    frames = Frames(level, np.array([8.0, 8.5, 6.0, 6.5]), ("a", "a", "b", "b"))
    assert frames.slope == pytest.approx(0.5)
    assert Frames(level[:2], level[:2], ("a", "b")).slope != Frames(level[:2], level[:2], ("a", "b")).slope  # NaN
    assert is_met(0.2, 0.3) and not is_met(0.1, 0.3) and not is_met(-0.2, 0.3)
    assert not is_met(0.02, -0.01) and is_met(0.005, -0.004)


def test_the_centroid_of_a_sine_is_its_frequency():
    octaves = centroid_octaves(tone(1000.0, 0.5, 48_000, n_harmonics=1), 48_000, 240)
    assert 2 ** octaves[20:-20] == pytest.approx(1000, rel=0.01)


@pytest.mark.parametrize("heard, asked", [(0.38, 0.38), (-1.0, LEAST_PLAYED)])  # octaves per 10 dB; it plays 0.28
def test_dynamics_meet_those_that_were_heard_and_a_take_is_played_back_as_before(monkeypatch, heard, asked):
    monkeypatch.setattr(dynamics, "N_PITCHES", 2)
    cello = load("cello")
    audio = tone(np.linspace(130.0, 131.0, 48_000), 1.0) * np.linspace(0.1, 1, 48_000, dtype=np.float32)
    before = cello.resynthesize(cello.analyze(audio, 48_000))
    assert abs(play(cello, performer="rules")[0].slope - asked) > 0.06
    meet_dynamics(cello, heard)
    assert play(cello, performer="rules")[0].slope == pytest.approx(asked, abs=0.03)
    after = cello.resynthesize(cello.analyze(audio, 48_000))
    assert np.abs(after - before).max() < 0.1 * np.abs(before).max()


def test_the_notes_that_a_player_remembers_meet_them_too_and_are_left_alone_where_they_do(monkeypatch):
    monkeypatch.setattr(dynamics, "N_PITCHES", 2)
    cello = load("cello")
    played = play(cello, performer="learned")[0].slope
    assert meet_gestures(cello, 1.3 * played) is cello.gestures
    brighter = meet_gestures(cello, 2.2 * played)
    player = Instrument(cello.model, cello.card, "cello", gestures=brighter)
    assert play(player, performer="learned")[0].slope > 1.3 * played
    known = cello.gestures.z[:, 0] != 0
    assert np.array_equal(brighter.z[:, 1:], cello.gestures.z[:, 1:]) and not brighter.z[~known, 0].any()


def test_where_no_slope_was_heard_nothing_is_changed():
    cello = load("cello")
    before = cello.model.decoder.typical.coefficients.clone()
    meet_dynamics(cello, float("nan"))
    assert meet_gestures(cello, float("nan")) is cello.gestures
    assert torch.equal(before, cello.model.decoder.typical.coefficients)
