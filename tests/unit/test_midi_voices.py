import random

import pytest

from ddspvae.midi.voices import to_one_voice, to_voices
from ddspvae.signals import Note, Notes
from ddspvae.signals.checks import InputError


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


def pitches(voices) -> list[list[float]]:
    return [[note.pitch for note in line.notes] for line in voices.lines]


def everything(voices) -> set[tuple[float, float, float]]:
    return {(note.pitch, note.onset_s, note.offset_s) for line in voices.lines for note in line.notes}


def test_legato_stays_one_voice():
    part = notes(*((60 + i % 5, 0.5 * i, 0.5 * i + 0.55) for i in range(40)))
    voices = to_voices(part)
    assert [line.duration_s for line in voices.lines] == [20.05]
    assert voices.lines[0] == to_one_voice(part).notes and voices.warning is None


def test_chords_and_overlaps_keep_every_onset_and_offset():
    rows = [(60 + i % 7, 0.5 * i, 0.5 * i + 1.25) for i in range(40)]  # three at once
    voices = to_voices(notes(*rows))
    assert everything(voices) == set(rows) and len(voices.lines) == 3
    assert (voices.n_left_out, voices.n_cut, voices.warning) == (0, 0, None)


def test_one_voice_is_what_is_asked_for():
    chord = notes((60, 0.0, 1.0), (64, 0.0, 1.0))
    voices = to_voices(chord, voices=1)
    assert pitches(voices) == [[64]] and "holds chords" in voices.warning


def test_a_melody_stays_on_its_line_above_a_held_bass():
    melody = [(72 + step, 0.5 * i, 0.5 * i + 0.5) for i, step in enumerate((0, 2, 4, 5, 4, 2, 0))]
    voices = to_voices(notes((48, 0.0, 3.5), *melody))
    assert pitches(voices) == [[48], [row[0] for row in melody]]


def test_the_longest_silent_of_equally_near_lines_goes_on():
    part = notes((60, 0.0, 1.0), (64, 0.0, 0.5), (62, 2.0, 3.0))
    assert pitches(to_voices(part)) == [[60], [64, 62]]


def test_repeated_notes_stay_on_one_line():
    rows = [(pitch, 0.5 * i, 0.5 * i + 0.5) for i in range(6) for pitch in (60, 64, 67)]
    assert pitches(to_voices(notes(*rows))) == [[60] * 6, [64] * 6, [67] * 6]


def test_a_line_waits_for_its_own_pitch():
    # the 61 is nearer to the 60, but the 60 comes again 50 ms later, and would ring on under its own onset
    free = notes((60, 0.0, 1.0), (70, 0.0, 1.0), (61, 1.0, 2.0), (60, 1.05, 2.0))
    assert pitches(to_voices(free)) == [[60, 60], [70, 61]]
    none_free = notes((60, 0.0, 1.0), (70, 0.0, 2.0), (61, 1.0, 2.0), (60, 1.05, 2.0))
    assert pitches(to_voices(none_free)) == [[60, 60], [70], [61]]
    later = notes((60, 0.0, 1.0), (70, 0.0, 1.0), (61, 1.0, 1.4), (60, 1.5, 2.0))
    assert pitches(to_voices(later)) == [[60, 61, 60], [70]], "it does not wait longer than the note would ring"


def test_a_pitch_struck_again_while_it_sounds_ends_there_and_lasts_as_long_as_either():
    part = notes((60, 0.0, 4.0), (72, 0.0, 4.0), (60, 1.0, 2.0))
    assert everything(to_voices(part)) == {(60, 0.0, 1.0), (60, 1.0, 4.0), (72, 0.0, 4.0)}
    doubled = notes((60, 0.0, 1.0), (60, 0.0, 2.0), (72, 0.0, 2.0))
    assert everything(to_voices(doubled)) == {(60, 0.0, 2.0), (72, 0.0, 2.0)} and to_voices(doubled).warning is None


def test_above_the_limit_the_oldest_but_the_lowest_makes_room():
    voices = to_voices(notes((40, 0.0, 4.0), (67, 0.5, 4.0), (64, 1.0, 4.0), (72, 2.0, 4.0)), voices=3)
    assert everything(voices) == {(40, 0.0, 4.0), (67, 0.5, 2.0), (64, 1.0, 4.0), (72, 2.0, 4.0)}
    assert (voices.n_left_out, voices.n_cut) == (0, 1)
    assert voices.warning == ("part 'strings' needs more than 3 voices at once: 0 notes are left out and 1 cut where a "
                              "newer one starts.")


def test_of_a_chord_above_the_limit_the_outer_notes_stay():
    voices = to_voices(notes(*((pitch, 0.0, 1.0) for pitch in (40, 60, 64, 67, 72))), voices=3)
    assert {pitch for pitch, _, _ in everything(voices)} == {40, 67, 72} and voices.n_left_out == 2


def test_a_leap_on_a_line_is_tongued_and_a_step_is_not():
    part = notes((48, 0.0, 1.0), (72, 0.0, 2.0), (60, 1.0, 2.0), (62, 2.0, 3.0), (74, 2.0, 3.0))
    low, high = to_voices(part).lines
    assert [(note.pitch, note.legato) for note in low.notes] == [(48, None), (60, False), (62, None)]
    assert [(note.pitch, note.legato) for note in high.notes] == [(72, None), (74, None)]


def test_a_bound_note_goes_on_from_the_one_before_it():
    part = Notes((Note(40, 80, 0.0, 4.0), Note(72, 80, 0.5, 2.0), Note(41, 80, 1.0, 2.0, legato=True)))
    voices = to_voices(part)
    assert pitches(voices) == [[40], [72, 41]] and voices.lines[1].notes[0].offset_s == 1.0
    glide = Notes((Note(40, 80, 0.0, 1.0), Note(72, 80, 0.0, 1.0), Note(41, 80, 1.0, 2.0, glide_from=71.0, glide_s=0.1)))
    assert pitches(to_voices(glide)) == [[40], [72, 41]]


def test_controllers_and_bends_travel_with_every_line():
    part = Notes((Note(60, 80, 0.0, 1.0), Note(64, 80, 0.0, 1.0)), "a", 3, 40, ((0.1, 1.0),), {"expression": ((0.0, 0.5),)})
    for line in to_voices(part).lines:
        assert (line.name, line.channel, line.program, line.bend_semitones, line.controllers) == (
            "a", 3, 40, part.bend_semitones, part.controllers)


@pytest.mark.parametrize("limit", [2, 3, 5, 40])
def test_no_two_notes_of_a_line_ever_overlap(limit):
    draw = random.Random(limit)
    rows = sorted((draw.randrange(200) / 20, draw.randrange(48, 72), draw.choice((0.05, 0.5, 3.0))) for _ in range(300))
    part = notes(*((pitch, onset_s, onset_s + length_s) for onset_s, pitch, length_s in rows))
    voices = to_voices(part, voices=limit)
    assert len(voices.lines) <= limit and (voices.warning is None) == (limit == 40)
    for line in voices.lines:
        assert all(after.onset_s >= before.offset_s for before, after in zip(line.notes, line.notes[1:]))
    # whatever is not left out begins when it is written
    assert {row[:2] for row in everything(voices)} <= {(pitch, onset_s) for onset_s, pitch, _ in rows}
    n_doubled = len(rows) - len({row[:2] for row in rows})
    assert sum(len(line.notes) for line in voices.lines) == len(rows) - n_doubled - voices.n_left_out


def test_a_part_has_at_least_one_voice():
    with pytest.raises(InputError, match="to_voices: voices must lie between 1 and 128, got 0"):
        to_voices(notes((60, 0.0, 1.0)), voices=0)
    assert to_voices(Notes(())).lines == (Notes(()),)
