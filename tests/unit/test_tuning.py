"""MIDI tuning messages, in tables and in files."""

import mido
import pytest

from ddspvae.midi.notes import read_midi
from ddspvae.midi.tuning import Tunings, equal_temperament

FIRST = (0, 0)
OCTAVE_OF_COARSE = [64, 54, 68, 64, 50, 64, 64, 64, 64, 64, 64, 64]  # C# -10, D +4, E -14 cents


def heard(tunings: Tunings, key: int, program: tuple[int, int] = FIRST, channel: int = 0) -> float | None:
    return tunings.pitch(channel, program, key)


def test_single_notes_at_once_and_later():
    tunings = Tunings()
    assert tunings.receive([0x7F, 0, 8, 2, 0, 2, 60, 60, 64, 0, 62, 61, 127, 127]) is True
    assert heard(tunings, 60) == 60.5 and heard(tunings, 62) == pytest.approx(61 + 16383 / 16384)
    assert tunings.receive([0x7E, 0, 8, 7, 3, 5, 1, 69, 69, 0, 1]) is False
    assert heard(tunings, 69) == 69 and heard(tunings, 69, (3, 5)) == pytest.approx(69 + 1 / 16384)
    assert tunings.receive([0x7F, 0, 8, 2, 0, 1, 60, 127, 127, 127]) is True  # no change
    assert heard(tunings, 60) == 60.5


def test_a_dump_of_all_keys():
    tunings = Tunings()
    table = [byte for key in range(128) for byte in (max(key - 1, 0), 64, 0)]
    assert tunings.receive([0x7E, 0, 8, 1, 7, *b"half a tone down", *table, 0]) is False
    assert heard(tunings, 60, (0, 7)) == 59.5 and heard(tunings, 60) == 60
    assert tunings.receive([0x7E, 0, 8, 4, 2, 7, *b"half a tone down", *table, 0]) is False
    assert heard(tunings, 61, (2, 7)) == 60.5


def test_octaves_by_channel():
    tunings = Tunings()
    assert tunings.receive([0x7F, 0, 8, 8, 0, 0, 0b101, *OCTAVE_OF_COARSE]) is True  # channels 1 and 3
    assert heard(tunings, 64, channel=0) == pytest.approx(63.86) and heard(tunings, 76, channel=2) == pytest.approx(75.86)
    assert heard(tunings, 64, channel=1) == 64
    fine = [byte for cents in (0, 50, -100, *[0] * 9) for byte in divmod(min(8192 + round(cents * 81.92), 16383), 128)]
    assert tunings.receive([0x7E, 0, 8, 9, 0b11, 0x7F, 0x7F, *fine]) is False
    assert heard(tunings, 61, channel=15) == pytest.approx(61.5) and heard(tunings, 62, channel=8) == 61
    assert tunings.receive([0x7E, 0, 8, 5, 1, 2, *b"named with care.", *OCTAVE_OF_COARSE, 0]) is False
    assert heard(Tunings(), 64) == 64 and Tunings().pitch(0, (1, 2), 64) == 64
    assert tunings.pitch(9, (1, 2), 64) == pytest.approx(63.86)


@pytest.mark.parametrize("data", [
    [], [0x7E, 0, 8], [0x7E, 0, 6, 1], [0x7F, 0, 8, 2, 0, 5, 60, 60, 0, 0], [0x7E, 0, 8, 1, 0, 1, 2], [0x7F, 0, 8, 8, 3],
    [0x7E, 0, 8, 0, 1], [0x43, 1, 8, 2, 0, 0],
])
def test_what_is_no_tuning_message_or_is_damaged_changes_nothing(data):
    tunings = Tunings()
    assert tunings.receive(data) is None
    assert [heard(tunings, key) for key in range(128)] == list(equal_temperament())


def test_no_pitch_lies_beyond_what_a_note_may_have():
    tunings = Tunings(tuple(key + 40.0 for key in range(128)))
    assert heard(tunings, 100) == 127


def song(path, *messages):
    """Messages a quarter of a second apart."""
    mido.MidiFile(ticks_per_beat=500, tracks=[mido.MidiTrack([message.copy(time=250) for message in messages])]).save(path)
    return path


def on(note, channel=0):
    return mido.Message("note_on", note=note, velocity=80, channel=channel)


def off(note, channel=0):
    return mido.Message("note_off", note=note, channel=channel)


def sysex(*data):
    return mido.Message("sysex", data=data)


def test_a_file_is_heard_in_its_tuning(tmp_path, recwarn):
    tune = sysex(0x7E, 0, 8, 7, 0, 0, 1, 60, 60, 32, 0)
    (part,) = read_midi(song(tmp_path / "a.mid", tune, on(60), off(60), on(62), off(62)))
    assert [note.pitch for note in part.notes] == [60.25, 62]
    assert not recwarn.list


def test_a_note_that_sounds_follows_at_once_or_not(tmp_path):
    for real_time, bends in ((0x7F, ((pytest.approx(0.75), 0.5),)), (0x7E, ())):
        kind = (2, 0) if real_time == 0x7F else (7, 0, 0)
        tune = sysex(real_time, 0, 8, *kind, 1, 60, 60, 64, 0)
        (part,) = read_midi(song(tmp_path / "a.mid", on(60), on(67), tune, off(60), off(67), on(60), off(60)))
        held, other, later = part.notes
        assert (held.pitch, other.pitch, later.pitch) == (60, 67, 60.5)
        assert held.bend_semitones == bends and other.bend_semitones == ()


def test_channels_choose_a_program(tmp_path):
    choose = [mido.Message("control_change", control=control, value=value, channel=1)
              for control, value in ((101, 0), (100, 3), (6, 9))]
    tune = sysex(0x7F, 0, 8, 2, 9, 1, 60, 59, 0, 0)
    parts = read_midi(song(tmp_path / "a.mid", tune, *choose, on(60), off(60), on(60, 1), off(60, 1)))
    assert [part.notes[0].pitch for part in parts] == [60, 59]


def test_keys_without_a_note_are_silent(tmp_path):
    tuning = [None if key == 61 else key - 0.5 for key in range(128)]
    tuning[0] = 0.0
    (part,) = read_midi(song(tmp_path / "a.mid", on(60), off(60), on(61), off(61), on(62), off(62)), tuning)
    assert [note.pitch for note in part.notes] == [59.5, 61.5]


def test_a_glide_comes_from_a_tuned_pitch(tmp_path):
    tuning = [float(max(key - 1, 0)) for key in range(128)]
    messages = [mido.Message("control_change", control=control, value=value) for control, value in ((5, 64), (65, 127))]
    (part,) = read_midi(song(tmp_path / "a.mid", *messages, on(60), off(60), on(64), off(64)), tuning)
    assert part.notes[1].glide_from == 59 and part.notes[1].pitch == 63


def test_other_system_exclusive_messages_are_counted(tmp_path):
    with pytest.warns(UserWarning, match="1 system exclusive message, which are left out"):
        read_midi(song(tmp_path / "a.mid", sysex(0x41, 1, 2), sysex(0x7F, 0, 8, 2, 0, 0), on(60), off(60)))
