from ddspvae.midi.voices import to_one_voice
from ddspvae.signals import Note, Notes


def notes(*rows) -> Notes:
    return Notes(tuple(Note(pitch, 80, onset_s, offset_s) for pitch, onset_s, offset_s in rows), name="strings")


def spans(voice) -> list[tuple[float, float, float]]:
    return [(note.pitch, note.onset_s, note.offset_s) for note in voice.notes.notes]


def test_legato_keeps_its_times():
    voice = to_one_voice(notes(*((60 + i % 5, 0.5 * i, 0.5 * i + 0.55) for i in range(40))))
    assert len(voice.notes.notes) == 40
    assert voice.notes.duration_s == 19.5 + 0.55  # not 22 s, as where overlaps add up
    assert [note.offset_s for note in voice.notes.notes[:-1]] == [0.5 * i for i in range(1, 40)]
    assert (voice.n_left_out, voice.n_cut, voice.warning) == (0, 0, None)


def test_newest_wins_and_the_older_does_not_return():
    voice = to_one_voice(notes((60, 0.0, 4.0), (67, 1.0, 2.0), (64, 3.0, 3.5)))
    assert spans(voice) == [(60, 0.0, 1.0), (67, 1.0, 2.0), (64, 3.0, 3.5)]
    assert (voice.n_left_out, voice.n_cut) == (0, 1)


def test_of_a_chord_the_highest_stays():
    voice = to_one_voice(notes((64, 0.0, 1.0), (72, 0.01, 1.0), (60, 0.025, 1.0), (65, 0.031, 1.0), (62, 2.0, 3.0)))
    assert spans(voice) == [(72, 0.01, 0.031), (65, 0.031, 1.0), (62, 2.0, 3.0)]
    assert (voice.n_left_out, voice.n_cut) == (2, 1)
    assert "part 'strings' holds chords" in voice.warning
    assert "2 notes are left out and 1 cut" in voice.warning


def test_the_longer_of_two_equal_notes_stays():
    assert spans(to_one_voice(notes((60, 0.0, 0.5), (60, 0.0, 1.0)))) == [(60, 0.0, 1.0)]


def test_gaps_name_and_bends_stay():
    part = Notes((Note(60, 1, 0.0, 0.3), Note(61, 2, 0.5, 0.9)), "a", 3, 40, ((0.1, 1.0),))
    assert to_one_voice(part).notes == part


def test_no_notes():
    assert to_one_voice(Notes(())).notes == Notes(())
