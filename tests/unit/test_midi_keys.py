import pytest

from tests.midi_bytes import part_of, spans


def test_the_sustain_pedal_holds_and_half_way_is_down(tmp_path):
    part = part_of(tmp_path, """
        00     90 3C 40
        32     B0 40 40   # 50 ms: pedal 64
        32     80 3C 00   # 100 ms: key up
        64     B0 40 3F   # 200 ms: pedal 63 is up
        64     90 3E 40   # 300 ms
        64     80 3E 00   # 400 ms
    """)
    assert spans(part) == [(60, 0.0, 0.2), (62, 0.3, 0.4)]


def test_sostenuto_holds_only_the_keys_that_were_down(tmp_path):
    part = part_of(tmp_path, """
        00     90 3C 40
        64     B0 42 7F   # 100 ms: sostenuto
        64     90 40 40   # 200 ms: a later key
        64     80 3C 00   # 300 ms
        00     80 40 00
        64     B0 42 00   # 400 ms: pedal up
    """)
    assert spans(part) == [(60, 0.0, 0.4), (64, 0.2, 0.3)]


def test_sostenuto_does_not_take_over_what_only_the_other_pedal_holds(tmp_path):
    part = part_of(tmp_path, """
        00     B0 40 7F   # sustain
        00     90 3C 40
        64     80 3C 00   # 100 ms
        00     B0 42 7F   # sostenuto
        64     B0 40 00   # 200 ms: sustain up
        64     B0 42 00   # 300 ms: sostenuto up
    """)
    assert spans(part) == [(60, 0.0, 0.2)]


def test_sostenuto_and_sustain_each_hold(tmp_path):
    part = part_of(tmp_path, """
        00     90 3C 40
        00     B0 42 7F   # sostenuto
        00     B0 40 7F   # sustain
        64     80 3C 00   # 100 ms
        64     B0 40 00   # 200 ms: sustain up, sostenuto holds on
        64     B0 40 7F   # 300 ms
        64     B0 42 00   # 400 ms: sostenuto up, sustain holds on
        64     B0 40 00   # 500 ms
    """)
    assert spans(part) == [(60, 0.0, 0.5)]


def test_all_notes_off_leaves_the_pedal_its_notes_and_all_sound_off_does_not(tmp_path):
    part = part_of(tmp_path, """
        00     B0 40 7F   # pedal
        00     90 3C 40
        64     B0 7B 00   # 100 ms: all notes off
        64     B0 78 00   # 200 ms: all sound off
        64     90 40 40   # 300 ms
        64     B0 40 00   # 400 ms
        64     B0 7B 00   # 500 ms: all notes off
        64     80 40 00
    """)
    assert spans(part) == [(60, 0.0, 0.2), (64, 0.3, 0.5)]


def test_mono_binds_what_overlaps(tmp_path):
    part = part_of(tmp_path, """
        00     B0 7E 01   # mono
        00     90 3C 40
        64     90 3E 40   # 100 ms: overlaps
        64     80 3C 00   # 200 ms
        64     80 3E 00   # 300 ms
        64     90 40 40   # 400 ms: nothing sounds
        64     90 40 50   # 500 ms: the same pitch is struck again
        64     80 40 00   # 600 ms
        00     B0 7F 00   # poly
        00     90 3C 40
        64     90 3E 40   # 700 ms
        64     80 3C 00
        00     80 3E 00
    """)
    assert spans(part) == [(60, 0.0, 0.1), (62, 0.1, 0.3), (64, 0.4, 0.5), (64, 0.5, 0.6), (60, 0.6, 0.8), (62, 0.7, 0.8)]
    assert [note.legato for note in part.notes] == [None, True, None, None, None, None]


def test_the_legato_switch_binds_until_a_rest(tmp_path):
    part = part_of(tmp_path, """
        00     90 3C 40
        64     80 3C 00   # 100 ms
        64     B0 44 7F   # 200 ms: legato down, when the first has ended
        00     90 3E 40
        64     80 3E 00   # 300 ms
        64     90 40 40   # 400 ms: 100 ms later, bound
        64     80 40 00   # 500 ms
        83 10  90 41 40   # 900 ms: 400 ms of rest
        64     B0 44 00   # 1000 ms: legato up
        00     90 43 40
        64     80 41 00
        00     80 43 00
    """)
    assert [note.legato for note in part.notes] == [None, None, True, None, None]


def test_portamento_comes_from_the_note_before(tmp_path):
    part = part_of(tmp_path, """
        00     B0 05 40   # time 64: 2 * (64 / 127) ** 2 s
        00     B0 25 40   # and a half
        00     90 3C 40
        64     80 3C 00   # 100 ms
        00     B0 41 7F   # portamento on
        00     90 40 40
        64     80 40 00   # 200 ms
        00     B0 05 20   # 32, and no fine part any more
        00     90 43 40
        64     80 43 00   # 300 ms
        00     B0 41 00   # off
        00     90 3C 40
        64     80 3C 00   # 400 ms
    """)
    assert [note.glide_from for note in part.notes] == [None, 60, 64, None]
    assert [note.glide_s for note in part.notes] == pytest.approx([0, 2 * (64.5 / 127) ** 2, 2 * (32 / 127) ** 2, 0])
    assert [note.legato for note in part.notes] == [None] * 4


def test_portamento_control_names_the_source_of_one_note_and_binds_it_to_what_sounds(tmp_path):
    part = part_of(tmp_path, """
        00     B0 05 7F   # time: 2 s
        00     B0 54 30   # from C3
        00     90 3C 40
        64     90 37 40   # 100 ms: G3 as well
        64     B0 54 3C   # 200 ms: from C4, which sounds
        00     90 40 40
        64     80 40 00   # 300 ms
        00     80 37 00
    """)
    assert spans(part) == [(60, 0.0, 0.2), (55, 0.1, 0.3), (64, 0.2, 0.3)]
    assert [note.glide_from for note in part.notes] == [48, None, 60]
    assert [note.legato for note in part.notes] == [None, None, True]
