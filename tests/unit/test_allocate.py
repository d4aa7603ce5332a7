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


def test_keys_tell_notes_of_one_pitch_apart():
    voices = Allocator(3)
    assert voices.note_on(60, 80, "one") == Assignment(0, 60, 80)
    assert voices.note_on(60, 90, "other") == Assignment(1, 60, 90)
    assert voices.note_on(60, 70, "again", again="one") == Assignment(2, 60, 70, released=(0,))
    assert voices.note_off("one") == NOTHING
    assert voices.note_off("other") == Assignment(released=(1,))


def test_a_bound_note_goes_on_from_its_voice_and_gives_it_back():
    voices = Allocator(3)
    voices.note_on(60, 80)
    voices.note_on(48, 80)
    assert voices.note_on(62, 90, bound_to=60) == Assignment(0, 62, 90, legato=True)
    assert voices.note_off(62) == Assignment(0, 60, 80, legato=True)
    assert voices.note_off(60) == Assignment(released=(0,))
    assert voices.note_on(65, 70, bound_to=60) == Assignment(0, 65, 70, legato=True)  # which still fades
    voices.note_off(65)
    voices.free(0)
    assert voices.note_on(67, 70, bound_to=65) == Assignment(0, 67, 70)  # too late


def test_a_note_struck_again_and_bound_to_another_leaves_nothing_behind():
    voices = Allocator(3)
    voices.note_on(60, 80, "first")
    voices.note_on(64, 80, "other")
    assert voices.note_on(60, 80, "again", again="first", bound_to="other") == Assignment(1, 60, 80, legato=True)
    assert voices.note_off("first") == Assignment(released=(0,))
    assert voices.note_off("again") == Assignment(1, 64, 80, legato=True)
    assert voices.note_off("other") == Assignment(released=(1,))


def test_who_is_stolen_loses_all_that_its_voice_held():
    voices = Allocator(2)
    voices.note_on(50, 80)
    voices.note_on(60, 80)
    voices.note_on(62, 80, bound_to=60)
    assert voices.note_on(70, 80) == Assignment(1, 70, 80)
    assert voices.note_off(62) == voices.note_off(60) == NOTHING
    assert voices.note_off(70) == Assignment(released=(1,))


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
        elif what < 0.85:
            change = allocator.note_off(pitch)
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
    for pitch in range(40, 52):
        for voice in allocator.note_off(pitch).released:
            del playing[voice]
    assert not playing


def test_errors():
    with pytest.raises(InputError, match="Allocator: n_voices must lie between 1 and 10000, got 0"):
        Allocator(0)
