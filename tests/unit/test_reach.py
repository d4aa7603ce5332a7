"""What may be asked for far outside the range: bounded, faded, and nothing within."""

from __future__ import annotations

import mido
import numpy as np
import pytest

from ddspvae import load, read_midi
from ddspvae.audio import true_peak
from ddspvae.features.reach import loudest_db, within_reach
from ddspvae.signals.units import pitch_to_hz


@pytest.fixture(scope="module")
def flute():
    return load("flute")


def test_nothing_is_bounded_within_the_range(flute):
    statistics = flute.statistics
    inside = pitch_to_hz(np.linspace(statistics.pitch_low - 0.4, statistics.pitch_high + 0.4, 200))
    assert np.isinf(loudest_db(inside, statistics)).all()
    loudness_db = np.full(200, 20.0)
    assert within_reach(inside, loudness_db, statistics) is loudness_db


def test_the_bound_falls_with_the_ear_and_an_octave_below_with_the_instrument(flute):
    low = flute.statistics.pitch_low
    most = loudest_db(pitch_to_hz(low - np.arange(1, 60)), flute.statistics)
    assert (np.diff(most) <= 0).all()
    assert most[0] > flute.statistics.loudness_quantiles_db[-1] + 3
    assert most[11] - most[23] > 60  # the second octave below


def test_above_the_range_the_bound_never_rises_and_fades_with_the_instrument(flute):
    high = flute.statistics.pitch_high
    most = loudest_db(pitch_to_hz(high + np.arange(1, 60)), flute.statistics)
    assert (np.diff(most) <= 0).all()
    loudest = flute.statistics.loudness_quantiles_db[-1] + 6
    assert most[0] == pytest.approx(loudest)  # 3.5 to 4 kHz, where the ear is keener than at 2.3
    assert most[11] == pytest.approx(loudest - 30, abs=1)  # half an octave at 5 dB a semitone; the ear falls by 0.5
    assert most[-1] == -120


def song(path, *notes, velocity=90):
    track = mido.MidiTrack()
    for pitch, length in notes:
        track.append(mido.Message("note_on", note=pitch, velocity=velocity))
        track.append(mido.Message("note_off", note=pitch, time=length))
    mido.MidiFile(tracks=[track]).save(path)
    return path


@pytest.mark.parametrize("key", [0, 12, 24, 36, 104, 105, 106, 107, 108, 110, 112, 116, 120, 127])
def test_a_keyswitch_does_not_turn_the_part_down(flute, tmp_path, key):
    """480 ticks are half a second; a keyswitch of 60 ms."""
    line = [(74, 480), (76, 480), (79, 480)]
    with_switch, = read_midi(song(tmp_path / "a.mid", (key, 58), *line))
    without, = read_midi(song(tmp_path / "b.mid", *line))
    peaks = [20 * np.log10(true_peak(flute.render(part, performer="rules"))) for part in (with_switch, without)]
    assert peaks[0] == pytest.approx(peaks[1], abs=0.5)


@pytest.mark.parametrize("name", ["flute", "clarinet", "violin"])
def test_a_loud_note_far_above_the_range_is_no_louder_than_the_highest_in_it(name, tmp_path):
    """7 to 11 semitones above, where two or three harmonics are left to be as bright as the highest note."""
    player = load(name)
    highest = round(player.statistics.pitch_high)

    def peak_db(key):
        part, = read_midi(song(tmp_path / "a.mid", (key, 480), (74, 480), velocity=127))
        return 20 * np.log10(true_peak(player.render(part, performer="rules", dry=True)))

    within = max(peak_db(highest - down) for down in range(3))
    assert max(peak_db(highest + up) for up in range(7, 12)) < within + 1


def test_a_dive_of_the_wheel_is_no_blast(tmp_path):
    oboe = load("oboe")  # without the bound 12 dB above
    track = mido.MidiTrack([mido.Message("control_change", control=number, value=value)
                            for number, value in ((101, 0), (100, 0), (6, 60))])
    track.append(mido.Message("note_on", note=74, velocity=90))
    track.append(mido.Message("pitchwheel", pitch=0, time=480))
    for step in range(1, 17):
        track.append(mido.Message("pitchwheel", pitch=-512 * step, time=10))
    track.append(mido.Message("note_off", note=74, time=200))
    mido.MidiFile(tracks=[track]).save(tmp_path / "dive.mid")
    part, = read_midi(tmp_path / "dive.mid")
    lowest, = read_midi(song(tmp_path / "b.mid", (round(oboe.statistics.pitch_low), 480)))  # which it passes on its way
    dive, low = (20 * np.log10(true_peak(oboe.render(one, performer="rules"))) for one in (part, lowest))
    assert dive < low + 3
