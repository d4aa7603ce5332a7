import numpy as np
import pytest

from ddspvae.midi.allocate import Allocator, Assignment
from ddspvae.signals.checks import InputError

NOTHING = Assignment()


def test_a_chord_takes_free_voices():
    voices = Allocator(4)
    assert [voices.note_on(pitch, 80 + pitch - 60) for pitch in (60, 64, 67)] == [
        Assignment(0, 60, 80), Assignment(1, 64, 84), Assignment(2, 67, 87)]
    assert voices.note_off(64) == Assignment(released=(1,))
    assert voices.note_on(72, 80) == Assignment(3, 72, 80)  # 1 is still fading


def test_a_voice_that_has_faded_is_used_again():
    voices = Allocator(2)
    voices.note_on(60, 80)
    voices.note_on(64, 80)
    voices.note_off(60)
    voices.free(0)
    assert voices.note_on(67, 80) == Assignment(0, 67, 80)


def test_only_fading_voices_are_freed():
    voices = Allocator(3)
    voices.note_on(60, 80)
    for voice in (0, 1, 99):
        voices.free(voice)
    assert voices.note_on(64, 80) == Assignment(1, 64, 80)
    assert voices.note_on(67, 80) == Assignment(2, 67, 80)
    assert voices.note_on(72, 80) == Assignment(1, 72, 80)  # the bass stays


def test_the_longest_fading_voice_is_stolen_first():
    voices = Allocator(3)
    for pitch in (60, 64, 67):
        voices.note_on(pitch, 80)
    voices.note_off(67)
    voices.note_off(60)
    assert voices.note_on(72, 80) == Assignment(2, 72, 80)
    assert voices.note_on(74, 80) == Assignment(0, 74, 80)


def test_then_the_oldest_held_note_but_the_bass():
    voices = Allocator(3)
    for pitch in (40, 67, 64):
        voices.note_on(pitch, 80)
    assert voices.note_on(72, 80) == Assignment(1, 72, 80)  # 67
    assert voices.note_on(38, 80) == Assignment(2, 38, 80)  # 64
    assert voices.note_on(60, 80) == Assignment(0, 60, 80)  # 40 is the bass no more
    assert voices.note_off(67) == NOTHING
    assert voices.note_off(72) == Assignment(released=(1,))


def test_one_voice_steals_from_itself():
    voices = Allocator(1)
    voices.note_on(40, 80)
    assert voices.note_on(60, 80) == Assignment(0, 60, 80)


def test_the_same_pitch_again_starts_on_another_voice():
    voices = Allocator(3)
    voices.note_on(60, 80)
    assert voices.note_on(60, 90) == Assignment(1, 60, 90, released=(0,))
    assert voices.note_on(60, 90) == Assignment(2, 60, 90, released=(1,))
    assert voices.note_on(60, 90) == Assignment(0, 60, 90, released=(2,))  # the longest fading
    assert voices.note_off(60) == Assignment(released=(0,))
    assert voices.note_off(60) == NOTHING


def test_the_same_pitch_again_steals_itself_from_nobody_else():
    voices = Allocator(2)
    voices.note_on(64, 80)
    voices.note_on(60, 80)
    assert voices.note_on(60, 80) == Assignment(1, 60, 80)
    assert voices.note_on(67, 80) == Assignment(0, 67, 80)  # 64 is the oldest and not the lowest


def test_the_pedal_holds_notes():
    voices = Allocator(4)
    voices.note_on(60, 80)
    voices.note_on(64, 80)
    assert voices.sustain(True) == NOTHING
    assert voices.note_off(64) == NOTHING
    assert voices.note_off(64) == NOTHING
    assert voices.note_on(67, 80) == Assignment(2, 67, 80)
    assert voices.note_off(60) == NOTHING
    assert voices.sustain(True) == NOTHING
    assert voices.sustain(False) == Assignment(released=(0, 1))
    assert voices.sustain(False) == NOTHING
    assert voices.note_off(67) == Assignment(released=(2,))


def test_a_note_struck_again_under_the_pedal_has_its_key_down():
    voices = Allocator(4)
    voices.sustain(True)
    voices.note_on(60, 80)
    voices.note_off(60)
    assert voices.note_on(60, 80) == Assignment(1, 60, 80, released=(0,))
    assert voices.sustain(False) == NOTHING
    assert voices.note_off(60) == Assignment(released=(1,))


def test_a_note_stolen_under_the_pedal_is_gone():
    voices = Allocator(2)
    voices.sustain(True)
    for pitch in (40, 60, 64):
        voices.note_on(pitch, 80)
        voices.note_off(pitch)
    assert voices.sustain(False) == Assignment(released=(0, 1))


def test_all_notes_off():
    voices = Allocator(4)
    voices.note_on(60, 80)
    voices.sustain(True)
    voices.note_on(64, 80)
    voices.note_off(64)
    assert voices.all_notes_off() == [0, 1]
    assert voices.all_notes_off() == []
    assert voices.note_off(60) == NOTHING
    voices.note_on(67, 80)
    assert voices.note_off(67) == NOTHING  # the pedal stayed down
    assert voices.sustain(False) == Assignment(released=(2,))


def test_a_note_off_without_a_note_is_ignored():
    for mono in (False, True):
        assert Allocator(2, mono=mono).note_off(60) == NOTHING


def test_mono_binds_what_overlaps():
    voice = Allocator(8, mono=True)
    assert voice.note_on(60, 80) == Assignment(0, 60, 80)
    assert voice.note_on(64, 90) == Assignment(0, 64, 90, legato=True)
    assert voice.note_off(60) == NOTHING
    assert voice.note_off(64) == Assignment(released=(0,))


def test_mono_returns_to_the_newest_that_is_held():
    voice = Allocator(1, mono=True)
    for pitch, velocity in ((60, 80), (64, 90), (67, 100)):
        voice.note_on(pitch, velocity)
    assert voice.note_off(67) == Assignment(0, 64, 90, legato=True)
    assert voice.note_on(62, 70) == Assignment(0, 62, 70, legato=True)
    assert voice.note_off(64) == NOTHING
    assert voice.note_off(62) == Assignment(0, 60, 80, legato=True)
    assert voice.note_off(60) == Assignment(released=(0,))


def test_mono_attacks_after_a_rest():
    voice = Allocator(1, mono=True)
    voice.note_on(60, 80)
    voice.note_off(60)
    assert voice.note_on(64, 80) == Assignment(0, 64, 80)  # 60 is still heard
    voice.free(0)  # too late: it plays
    assert voice.note_on(64, 80) == Assignment(0, 64, 80)
    voice.note_off(64)
    voice.free(0)
    assert voice.note_on(64, 80) == Assignment(0, 64, 80)


def test_mono_strikes_the_same_pitch_again():
    voice = Allocator(1, mono=True)
    voice.note_on(60, 80)
    assert voice.note_on(60, 90) == Assignment(0, 60, 90)
    voice.note_on(64, 80)
    assert voice.note_on(60, 70) == Assignment(0, 60, 70, legato=True)  # held, but not what sounds
    assert voice.note_off(60) == Assignment(0, 64, 80, legato=True)
    assert voice.note_off(64) == Assignment(released=(0,))


def test_mono_with_the_pedal():
    voice = Allocator(1, mono=True)
    voice.note_on(60, 80)
    voice.sustain(True)
    assert voice.note_on(64, 90) == Assignment(0, 64, 90, legato=True)
    assert voice.note_off(64) == NOTHING
    assert voice.sustain(False) == Assignment(0, 60, 80, legato=True)  # its key is still down
    voice.sustain(True)
    voice.note_on(67, 90)
    assert voice.note_off(60) == NOTHING
    assert voice.sustain(False) == NOTHING  # 67 sounds and its key is down
    assert voice.note_off(67) == Assignment(released=(0,))
    voice.sustain(True)
    for pitch in (60, 64):
        voice.note_on(pitch, 80)
        voice.note_off(pitch)
    assert voice.all_notes_off() == [0]
    voice.free(0)
    assert voice.note_on(60, 80) == Assignment(0, 60, 80)


@pytest.mark.parametrize("mono", [False, True])
@pytest.mark.parametrize("n_voices", [1, 3, 8])
def test_any_playing_keeps_the_books(mono, n_voices):
    """Against a plain record of which voice sounds which held note, as a stream keeps it."""
    random = np.random.default_rng(n_voices)
    allocator = Allocator(n_voices, mono=mono)
    playing: dict[int, int] = {}  # voice to pitch
    fading: set[int] = set()
    for _ in range(5000):
        what, pitch = random.random(), int(random.integers(40, 52))
        if what < 0.4:
            change = allocator.note_on(pitch, 64)
            assert (change.voice is not None, change.pitch, change.velocity) == (True, pitch, 64)
        elif what < 0.75:
            change = allocator.note_off(pitch)
        elif what < 0.85:
            change = allocator.sustain(bool(random.random() < 0.5))
        elif what < 0.87:
            change = Assignment(released=tuple(allocator.all_notes_off()))
            assert set(change.released) == set(playing)
        else:
            if fading:
                voice = int(random.choice(sorted(fading)))
                allocator.free(voice)
                fading.remove(voice)
            continue
        for voice in change.released:
            del playing[voice]  # only what plays is released
            fading.add(voice)
        if change.voice is None:
            continue
        assert 0 <= change.voice < (1 if mono else n_voices)
        assert change.voice not in change.released
        assert change.legato <= (mono and change.voice in playing)
        if not mono and (change.voice in playing or change.voice in fading):  # stolen: only where none is silent
            assert set(range(n_voices)) == set(playing) | fading
        playing[change.voice] = change.pitch
        fading.discard(change.voice)
        assert len(set(playing.values())) == len(playing)  # no pitch on two voices
    allocator.sustain(False)
    assert set(allocator.all_notes_off()) <= set(range(n_voices))


def test_errors():
    with pytest.raises(InputError, match="Allocator: n_voices must lie between 1 and 10000, got 0"):
        Allocator(0)
