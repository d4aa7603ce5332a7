"""The shipped model of many instruments, listened to: its sound has the timbre that was asked for."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import soundfile

from ddspvae import load
from ddspvae.instrument.nearest import moved_to
from ddspvae.model.encoder_inputs import EncoderInputs
from ddspvae.signals import Note, Notes

SCALE = Notes(tuple(Note(60 + step, 90, 0.2 + 0.45 * at, 0.6 + 0.45 * at)
                    for at, step in enumerate((0, 2, 4, 5, 7, 9, 11, 12, 11, 9, 7, 5, 4, 2, 0))))


@pytest.fixture(scope="module")
def ensemble():
    return load("ensemble")


@pytest.fixture(scope="module")
def scale_of():
    """The scale as an instrument of the ensemble, or one between two, plays it."""
    return functools.cache(lambda timbre: load(f"ensemble:{timbre}").render(SCALE))


def place(ensemble, sound, first, last):
    """Where between two instruments a sound lies: 0 the first, 1 the last."""
    codes = [np.array(ensemble.card["timbres"][name]["code"]) for name in (first, last)]
    heard = ensemble.model.timbre(EncoderInputs.of(ensemble.listen(sound, 48_000)))[0].numpy()
    way = codes[1] - codes[0]
    return float((heard - codes[0]) @ way / (way @ way))


@pytest.mark.parametrize(("first", "last"), [
    pytest.param("clarinet", "trumpet", marks=pytest.mark.slow), ("violin", "flute")])
def test_between_two_instruments_lies_what_sounds_between_them(ensemble, scale_of, first, last):
    places = [place(ensemble, scale_of(timbre), first, last)
              for timbre in (first, f"{first}+{last}", last)]
    assert places[0] < places[1] - 0.1 and places[1] < places[2] - 0.1
    assert places[0] < 0.35 and places[2] > 0.65


@pytest.mark.slow
def test_three_instruments_together_lie_nearer_to_the_larger_share(ensemble, scale_of):
    near, far = (place(ensemble, scale_of(f"violin*{violin}+flute*{flute}+cello*0.1"), "violin", "flute")
                 for violin, flute in ((0.7, 0.2), (0.2, 0.7)))
    assert near < far - 0.15


def test_a_morph_is_heard_to_go_from_the_one_to_the_other(ensemble, scale_of):
    sound = load("ensemble:violin..flute").render(SCALE)
    thirds = [place(ensemble, part, "violin", "flute") for part in np.array_split(sound, 3)]
    ends = [place(ensemble, scale_of(timbre), "violin", "flute") for timbre in ("violin", "flute")]
    assert thirds[0] < thirds[1] < thirds[2]
    assert ends[1] - ends[0] > 0.3
    assert thirds[2] - thirds[0] > (ends[1] - ends[0]) / 2  # the middles of the thirds lie two thirds of the way apart


def test_between_a_bow_and_a_pluck_a_note_falls_half_as_fast():
    note = Notes((Note(57, 90, 0.2, 3.4),))

    def falls_db_per_s(timbre):
        sound = load(f"ensemble:{timbre}").render(note)
        early, late = (np.mean(np.square(sound[round(at * 48_000) :][:9600])) for at in (0.8, 2.8))
        return 10 * np.log10(early / late) / 2

    bowed, between, plucked = map(falls_db_per_s, ("violin", "violin+guitar-electric", "guitar-electric"))
    assert abs(bowed) < 1.5 and plucked > 4
    assert between == pytest.approx((bowed + plucked) / 2, abs=1.5)


def test_a_held_recording_is_held_whoever_sounds_most_like_it(tmp_path):
    t = np.arange(4 * 48_000) / 48_000
    tone = sum(np.sin(2 * np.pi * 82.4 * k * t) / k**2 for k in range(1, 40)) * np.minimum(1, 20 * np.minimum(t, 4 - t))
    soundfile.write(tmp_path / "held.wav", 0.2 * tone, 48_000)
    instrument = load(f"ensemble:{tmp_path / 'held.wav'}")
    assert instrument.plucks is None and not instrument.rings.plucks
    pluck = 0.2 * tone * 10 ** (-10 * t / 20)
    soundfile.write(tmp_path / "rings.wav", pluck, 48_000)
    instrument = load(f"ensemble:{tmp_path / 'rings.wav'}")
    assert len(instrument.rings.plucks) == 1
    assert moved_to(instrument, instrument.config.rooms[1]).rings is instrument.rings


def test_a_bow_that_turns_into_a_pluck_ends_ringing():
    notes = Notes(tuple(Note(57, 90, 0.2 + 2.5 * at, 2.5 + 2.5 * at) for at in range(3)))
    sound = load("ensemble:violin..guitar-electric").render(notes)
    falls = []
    for at in range(3):
        early, late = (np.mean(np.square(sound[round((2.5 * at + since) * 48_000) :][:9600])) for since in (0.7, 2.1))
        falls.append(10 * np.log10(early / late))
    assert falls[0] < falls[1] < falls[2] and falls[2] > falls[0] + 3
