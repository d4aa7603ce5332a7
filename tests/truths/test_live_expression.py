"""A stream hears what a file may say: what controllers, zones, pedals, modes and tunings do, in what is played."""

from __future__ import annotations

import mido
import numpy as np
import pytest

from ddspvae import load
from ddspvae.signals.checks import InputError
from ddspvae.signals.units import hz_to_pitch, pitch_to_hz

pytestmark = pytest.mark.slow  # in make check

RATE = 48_000


@pytest.fixture(scope="module")
def flute():
    return load("flute")


class Heard:
    """A dry stream and what its voices play."""

    def __init__(self, instrument, voices=4, **how):
        self.stream = instrument.stream(voices, dry=True, expression=0.0, **how)

    def on(self, note, velocity=90, channel=0):
        self.stream.send(mido.Message("note_on", note=note, velocity=velocity, channel=channel))
        return self

    def off(self, note, channel=0):
        self.stream.send(mido.Message("note_off", note=note, channel=channel))
        return self

    def control(self, control, value, channel=0):
        self.stream.send(mido.Message("control_change", control=control, value=value, channel=channel))
        return self

    def send(self, kind, **values):
        self.stream.send(mido.Message(kind, **values))
        return self

    def wait(self, seconds=0.1):
        return self.stream.read(round(seconds * RATE))

    @property
    def pitches(self):
        """Of the voices that sound, rounded to a hundredth of a semitone."""
        f0_hz = self.stream._player.last.f0_hz[self.stream._voices.sounding].astype(float)
        return sorted(np.round(hz_to_pitch(f0_hz), 2).tolist())

    @property
    def held(self):
        return len(self.stream._notes._held)

    def level_db(self, seconds=0.3):
        return 10 * np.log10((self.wait(seconds) ** 2).mean() + 1e-12)


def test_each_channel_has_its_wheel_and_the_range_of_it(flute):
    play = Heard(flute).on(72).on(79, channel=1)
    play.send("pitchwheel", pitch=8191).wait()
    assert play.pitches == [74, 79]
    for control, value in ((101, 0), (100, 0), (6, 12)):
        play.control(control, value, channel=1)
    play.send("pitchwheel", pitch=-4096, channel=1).wait()
    assert play.pitches == [73, 74]


def test_in_a_zone_each_note_bends_presses_and_shines_alone(flute):
    play = Heard(flute)
    for control, value in ((101, 0), (100, 6), (6, 5)):
        play.control(control, value)
    play.on(72, channel=1).on(76, channel=2)
    play.send("pitchwheel", pitch=8192 // 48, channel=1).wait()  # a semitone of 48
    assert play.pitches == [73, 76]
    play.send("pitchwheel", pitch=4096)  # the manager's: half of 2, for all
    play.wait()
    assert play.pitches == [74, 77]
    before = play.level_db()
    play.send("aftertouch", value=127, channel=1).send("aftertouch", value=127, channel=2).wait()
    assert play.level_db() - before == pytest.approx(3, abs=0.5)
    play.control(74, 127, channel=2).wait()
    axis = flute.axis_names.index("brightness")
    assert play.stream._notes._offsets[:2, axis].tolist() == [0, 2]
    play.off(72, channel=1).send("aftertouch", channel=2).wait(2)
    assert play.pitches == [77]


@pytest.mark.parametrize(("control", "change_db"), [(11, -12.04), (2, -12.04)])
def test_expression_and_breath_turn_it_down(flute, control, change_db):
    play = Heard(flute).on(72, 100)
    play.wait(0.3)
    before = play.level_db()
    play.control(control, 64).wait()  # 40 log10(64 / 127) = -11.9 dB
    assert play.level_db() - before == pytest.approx(change_db, abs=1)


def test_volume_is_of_the_mix_and_leaves_no_step(flute):
    play = Heard(flute).on(72, 100)
    play.wait(0.3)
    before = play.level_db()
    play.control(7, 50)
    sound = play.wait()
    assert np.abs(np.diff(sound)).max() < 1.5 * np.abs(np.diff(play.wait() * 4)).max()
    assert play.level_db() - before == pytest.approx(40 * np.log10(50 / 100), abs=0.3)


def test_pan_is_heard_in_stereo(flute):
    play = Heard(flute, stereo=True).on(72)
    assert play.wait(0.3).shape == (2, round(0.3 * RATE))
    middle = play.wait()
    np.testing.assert_allclose(middle[0], middle[1])
    play.control(10, 127).wait()
    left, right = play.wait()
    assert np.abs(left).max() < 1e-6 and np.abs(right).max() > 0.01
    assert play.stream.read(0).shape == (2, 0)


def test_modulation_and_pressure_make_vibrato(flute):
    play = Heard(flute).on(72)
    play.wait(0.3)

    def swing():
        found = []
        for _ in range(80):
            play.wait(0.005)
            found += play.pitches
        return (max(found) - min(found)) / 2

    assert swing() < 0.005
    play.control(1, 127).wait()
    assert swing() == pytest.approx(0.5, abs=0.03)
    play.control(1, 0).send("polytouch", note=72, value=127).wait()
    assert swing() == pytest.approx(0.25, abs=0.03)
    play.control(121, 0).wait()
    assert swing() < 0.005


def test_pedals_hold_what_they_hold(flute):
    play = Heard(flute).on(72).control(66, 127).on(76).off(72).off(76)  # sostenuto
    play.wait()
    assert play.held == 1
    play.control(66, 0).wait()
    assert play.held == 0
    play.on(72).control(64, 127).off(72).wait()
    assert play.held == 1
    play.control(64, 0).wait()
    assert play.held == 0
    play.on(72).control(64, 127, channel=3).off(72).wait()  # the pedal of another channel
    assert play.held == 0


def test_a_mono_mode_binds_and_goes_back(flute):
    play = Heard(flute).control(126, 1).on(72)
    play.wait(0.2)
    play.on(76).wait(0.2)
    assert play.pitches == [76] and play.stream.n_sounding == 1
    play.on(74).wait(0.2)
    play.off(74).wait(0.2)
    assert play.pitches == [76]
    play.off(76).wait(0.2)
    assert play.pitches == [72] and play.held == 1
    play.off(72).control(127, 0).on(72).on(76).wait(0.2)  # poly again
    assert play.pitches[-1] == 76 and play.held == 2


def test_the_legato_pedal_binds(flute):
    play = Heard(flute).control(68, 127).on(72)
    play.wait(0.2)
    play.on(77).wait(0.2)
    assert play.pitches == [77]
    play.off(77).off(72).wait(0.1)
    play.on(79).wait(0.2)  # across a short rest, in the same voice
    assert play.pitches == [79]


def test_portamento_glides_for_as_long_as_it_says(flute):
    play = Heard(flute).control(65, 127).control(5, 90).on(72)  # 2 (90 / 127)^2 = 1.004 s
    play.wait(0.3)
    play.on(84).off(72).wait(0.5)
    assert play.pitches[-1] == pytest.approx(78, abs=0.3)
    play.wait(0.6)
    assert play.pitches[-1] == 84
    play.control(65, 0).control(84, 72).on(76).wait(0.02)
    assert any(72 <= pitch < 72.2 for pitch in play.pitches)


def test_tunings_are_heard_and_followed(flute):
    tuning = [key + 0.25 for key in range(127)] + [127.0]
    play = Heard(flute, tuning=tuning).on(72)
    play.wait()
    assert play.pitches == [72.25]
    play.send("sysex", data=(0x7F, 0, 8, 2, 0, 1, 72, 72, 96, 0)).wait()
    assert play.pitches == [72.75]
    play.send("sysex", data=(0x7E, 0, 8, 7, 0, 0, 1, 72, 71, 0, 0)).wait()  # not in real time: the next note
    assert play.pitches == [72.75]
    play.on(72).wait(2)
    assert play.pitches == [71]
    play.send("reset").wait()
    play.on(72).wait()
    assert play.pitches == [72.25]


def test_keys_without_a_note_stay_silent(flute):
    play = Heard(flute, tuning=[None if key == 73 else key for key in range(128)]).on(73)
    assert not np.abs(play.wait()).any()
    assert play.off(73).on(72).wait().any()


def test_breath_is_the_level_and_velocity_the_attack(flute):
    def rise(velocity):
        play = Heard(flute, controllers="breath").control(11, 100).on(76, velocity)
        sound = play.wait(0.6)
        level = np.sqrt((sound.reshape(-1, 240) ** 2).mean(axis=1))
        return np.flatnonzero(level > 0.5 * level[-20:].mean())[0] * 0.005, play

    slow_s, play = rise(10)
    quick_s, other = rise(127)
    assert slow_s > 2.5 * quick_s
    assert play.level_db() == pytest.approx(other.level_db(), abs=1)  # which velocity leaves alone
    loud = play.level_db()
    play.control(2, 30).wait()  # breath moved last
    assert play.level_db() < loud - 6
    play.control(2, 0).wait()
    assert play.level_db() < -70
    with pytest.raises(InputError, match="stream: controllers must be one of breath, usual, got 'wind'"):
        flute.stream(controllers="wind")


def test_in_breath_vibrato_has_a_rate(flute):
    def crossings(value):
        play = Heard(flute, 1, controllers="breath").control(1, 127).control(19, value).on(72)
        play.wait(0.4)
        found = []
        for _ in range(200):
            play.wait(0.005)
            found += play.pitches
        return int((np.diff(np.sign(np.array(found) - 72)) > 0).sum())  # in a second

    assert crossings(0) == pytest.approx(3, abs=1) and crossings(127) == pytest.approx(9, abs=1)


def test_in_breath_velocity_is_the_glide_of_a_bound_note(flute):
    def after(velocity):
        play = Heard(flute, mono=True, controllers="breath").control(5, 64).on(72)
        play.wait(0.3)
        play.on(84, velocity).wait(0.25)  # 0.51 s at velocity 64
        return play.pitches[0]

    slow, usual, quick = after(20), after(64), after(127)
    assert slow < 74 and 76 < usual < 80 < quick


def test_all_sound_off_is_of_its_channel(flute):
    play = Heard(flute).on(72).on(76, channel=2)
    play.wait()
    play.control(120, 0, channel=2).wait(0.05)
    assert play.pitches == [72] and play.held == 1


def random_playing(n_messages, seed):
    """Of all kinds, on all channels, and then keys and pedals up, as a player lifts them."""
    random, messages = np.random.default_rng(seed), []
    for _ in range(n_messages):
        channel, first, second = (int(random.integers(0, top)) for top in (16, 128, 128))
        kind = random.choice(["note_on", "note_off", "control_change", "pitchwheel", "aftertouch", "polytouch"],
                             p=[0.4, 0.25, 0.2, 0.08, 0.04, 0.03])
        if kind in ("note_on", "note_off"):
            message = mido.Message(kind, note=50 + first % 40, velocity=second, channel=channel)
        elif kind == "control_change":
            control = int(random.choice([1, 2, 5, 6, 7, 11, 64, 65, 66, 67, 68, 74, 84, 100, 101, 121, 123, 126, 127]))
            message = mido.Message(kind, control=control, value=second, channel=channel)
        elif kind == "pitchwheel":
            message = mido.Message(kind, pitch=int(random.integers(-8192, 8192)), channel=channel)
        elif kind == "aftertouch":
            message = mido.Message(kind, value=second, channel=channel)
        else:
            message = mido.Message(kind, note=50 + first % 40, value=second, channel=channel)
        messages.append(message)
    up = [mido.Message("control_change", control=pedal, channel=channel) for pedal in (64, 66, 68) for channel in range(16)]
    return messages, up + [mido.Message("note_off", note=note, channel=channel)
                           for note in range(50, 90) for channel in range(16)]


@pytest.mark.parametrize(("n_messages", "samples"), [(400, 20), pytest.param(10_000, 100, marks=pytest.mark.slow)])
def test_no_note_is_left_hanging(flute, n_messages, samples):
    stream = flute.stream(8, dry=True)
    messages, up = random_playing(n_messages, seed=n_messages)
    for message in messages:
        stream.send(message)
        stream.read(samples)
    for message in up:
        stream.send(message)
    stream.read(round(RATE * (flute.tail_s(dry=True) + 0.5)))
    assert stream.n_sounding == 0 and not stream._notes._held and not stream._notes._notes
    assert np.abs(stream.read(4800)).max() < 1e-4
    # and nothing of what was is kept
    kept = [channel for channel in stream._notes._port.channels]
    assert all(len(steps) <= 1 for channel in kept for steps in channel._steps.values())
    assert not any(channel.keys.finished or channel.keys.strays or channel.bend_semitones for channel in kept)


def test_what_is_followed_is_played(flute):
    stream = flute.stream(1, dry=True)
    stream.follow(float(pitch_to_hz(76.0)), 1.0, -30.0)
    stream.read(RATE // 4)
    assert float(hz_to_pitch(float(stream._player.last.f0_hz[0]))) == pytest.approx(76, abs=1e-3)
    assert np.abs(stream.read(4800)).max() > 0.01
    stream.follow(float(pitch_to_hz(79.0)), 1.0, -30.0)
    stream.read(3 * 240)
    assert float(hz_to_pitch(float(stream._player.last.f0_hz[0]))) == pytest.approx(79, abs=1e-3)
    stream.follow(400.0, 0.0, -120.0)
    stream.read(4800)
    assert np.abs(stream.read(4800)).max() < 1e-4
    other = flute.stream(1)
    other.send(mido.Message("note_on", note=60))
    with pytest.raises(InputError, match="stream.follow: this stream plays something else"):
        other.follow(400.0, 1.0, -30.0)
    with pytest.raises(InputError, match="stream.follow: f0_hz must lie between 1 and 100000, got 0"):
        flute.stream(1).follow(0.0, 1.0, -30.0)
