import pytest

from ddspvae.midi.mpe import Port
from ddspvae.midi.notes import read_midi
from ddspvae.signals import Notes
from tests.midi_bytes import END, MS, write

LOWER_3 = """
    00     B0 65 00   # RPN 6 on channel 1: MPE configuration
    00     B0 64 06
    00     B0 06 03   # channels 2 to 4 are members
"""


def parts_of(tmp_path, track: str) -> list[Notes]:
    return read_midi(write(tmp_path / "a.mid", MS, track + END))


def rounded(steps) -> list[tuple[float, float]]:
    return [(round(time_s, 6), round(value, 6)) for time_s, value in steps]


def test_members_are_one_part_and_bend_their_own_notes(tmp_path):
    (part,) = parts_of(tmp_path, LOWER_3 + """
        00     C0 28      # program 40 on the manager
        00     91 3C 40   # channel 2: C4
        00     92 40 40   # channel 3: E4
        64     E1 00 60   # 100 ms: channel 2 half way up: 24 of 48 semitones
        64     E2 00 00   # 200 ms: channel 3 all the way down
        64     E0 00 60   # 300 ms: the manager half way up: 1 of 2 semitones
        64     81 3C 00   # 400 ms
        00     82 40 00
        00     E1 00 40   # back, when the note is over
    """)
    low, high = part.notes
    assert (part.channel, part.program) == (0, 40)
    assert rounded(part.bend_semitones) == [(0.3, 1.0)]
    assert rounded(low.bend_semitones) == [(0.1, 24.0)]
    assert rounded(high.bend_semitones) == [(0.2, -48.0)]
    assert (low.pitch, low.onset_s, low.offset_s) == (60, 0.0, 0.4)


def test_pressure_and_brightness_of_a_member_are_its_notes_own(tmp_path):
    (part,) = parts_of(tmp_path, LOWER_3 + """
        00     D1 7F      # channel 2: pressure, before its note
        00     B1 4A 7F   # and brightness
        00     91 3C 40
        00     92 40 40
        64     D1 00      # 100 ms
        00     B1 4A 40
        64     D0 7F      # 200 ms: pressure of all
        00     B0 4A 00   # brightness of all
        64     81 3C 00
        00     82 40 00
    """)
    low, high = part.notes
    assert rounded(low.pressure) == [(0.0, 1.0), (0.1, 0.0)]
    assert rounded(low.brightness) == [(0.0, 1.0), (0.1, 0.0)]
    assert (high.pressure, high.brightness, high.bend_semitones) == ((), (), ())
    assert {name: rounded(steps) for name, steps in part.controllers.items()} == {
        "pressure": [(0.2, 1.0)], "brightness": [(0.2, 0.0)]}


def test_a_note_begins_with_the_bend_that_its_channel_has(tmp_path):
    (part,) = parts_of(tmp_path, LOWER_3 + """
        00     E1 00 50   # a quarter up: 12 semitones
        64     91 3C 40   # 100 ms
        64     81 3C 00
    """)
    assert rounded(part.notes[0].bend_semitones) == [(0.1, 12.0)]


def test_the_bend_range_of_one_member_is_that_of_all(tmp_path):
    (part,) = parts_of(tmp_path, LOWER_3 + """
        00     B1 65 00   # channel 2: RPN 0
        00     B1 64 00
        00     B1 06 18   # 24 semitones
        00     93 3C 40   # channel 4
        64     E3 00 60   # 100 ms: half way up
        64     83 3C 00
    """)
    assert rounded(part.notes[0].bend_semitones) == [(0.1, 12.0)]


def test_pedal_and_expression_of_the_manager_are_those_of_all(tmp_path):
    (part,) = parts_of(tmp_path, LOWER_3 + """
        00     B0 40 7F   # pedal
        00     B2 0B 40   # expression on a member is taken for the zone
        00     91 3C 40
        64     81 3C 00   # 100 ms
        64     B0 40 00   # 200 ms
    """)
    assert part.notes[0].offset_s == pytest.approx(0.2)
    assert part.controllers == {"expression": ((0.0, 64 / 127),)}


def test_notes_of_one_pitch_on_two_channels_end_with_their_own(tmp_path):
    (part,) = parts_of(tmp_path, LOWER_3 + """
        00     91 3C 40
        64     92 3C 50   # 100 ms: the same C4 on channel 3
        64     82 3C 00   # 200 ms: which ends first
        64     81 3C 00   # 300 ms
    """)
    assert [(n.velocity, round(n.offset_s, 6)) for n in part.notes] == [(64, 0.3), (80, 0.2)]


def test_all_notes_off_on_a_member_ends_its_notes_alone(tmp_path):
    (part,) = parts_of(tmp_path, LOWER_3 + """
        00     91 3C 40
        00     92 40 40
        64     B1 7B 00   # 100 ms
        64     82 40 00   # 200 ms
    """)
    assert [round(note.offset_s, 6) for note in part.notes] == [0.1, 0.2]


def test_channels_outside_the_zone_are_parts_of_their_own(tmp_path):
    zone, other = parts_of(tmp_path, LOWER_3 + """
        00     91 3C 40
        00     94 40 40   # channel 5
        64     E4 00 60   # bends by its own 2 semitones
        64     81 3C 00
        00     84 40 00
    """)
    assert (zone.channel, other.channel) == (0, 4)
    assert rounded(other.bend_semitones) == [(0.1, 1.0)]
    assert other.notes[0].bend_semitones == ()


def test_channel_10_can_be_a_member_and_is_no_drum_then(tmp_path):
    (part,) = parts_of(tmp_path, """
        00     BF 65 00   # RPN 6 on channel 16
        00     BF 64 06
        00     BF 06 0E   # 14 members: channels 2 to 15
        00     99 3C 40   # channel 10
        64     89 3C 00
    """)
    assert part.channel == 15
    assert len(part.notes) == 1


def test_a_zone_is_one_part_whichever_tracks_it_is_written_in(tmp_path):
    (part,) = read_midi(write(tmp_path / "a.mid", "00 01  00 03  01 F4", LOWER_3 + END, """
        00     91 3C 40
        64     81 3C 00
    """ + END, """
        32     92 40 40   # 50 ms
        64     82 40 00
    """ + END))
    assert [(note.pitch, round(note.onset_s, 6)) for note in part.notes] == [(60, 0.0), (64, 0.05)]


def test_the_newer_zone_takes_what_it_needs():
    port = Port()
    port.configure(0, 10)
    port.configure(15, 7)
    assert (list(port.members(0)), list(port.members(15))) == ([1, 2, 3, 4, 5, 6, 7], [8, 9, 10, 11, 12, 13, 14])
    port.configure(0, 15)
    assert (list(port.members(0)), list(port.members(15))) == (list(range(1, 16)), [])
    assert port.manager(15) == 0
    port.configure(0, 0)
    assert [port.manager(number) for number in range(16)] == list(range(16))
    assert not port.is_zone(0)


ZONE_AFTER_100_MS = LOWER_3.replace("00     B0 65", "64     B0 65", 1)
LATER = " 64 B0 07 40 "  # the piece goes on


@pytest.mark.parametrize("number", [0, 1, 3])
def test_notes_that_sound_when_a_zone_is_made_are_ended(tmp_path, number):
    (part,) = parts_of(tmp_path, f"00 9{number} 3C 40" + ZONE_AFTER_100_MS + f"64 8{number} 3C 00" + LATER)
    (note,) = part.notes
    assert (round(note.onset_s, 6), round(note.offset_s, 6)) == (0.0, 0.2)


@pytest.mark.parametrize(("end", "offset_s"), [("B1 7B 00", 0.2), ("B1 78 00", 0.2), ("91 3C 40", 0.2)])
def test_such_notes_end_with_all_notes_off_and_when_they_are_struck_again(tmp_path, end, offset_s):
    parts = parts_of(tmp_path, "00 91 3C 40" + ZONE_AFTER_100_MS + f"64 {end}  64 81 3C 00" + LATER)
    first = min((note for part in parts for note in part.notes), key=lambda note: note.onset_s)
    assert round(first.offset_s, 6) == offset_s


def test_a_pedal_still_holds_and_lets_go_such_a_note(tmp_path):
    (part,) = parts_of(tmp_path, "00 B1 40 7F  00 91 3C 40" + ZONE_AFTER_100_MS + "64 81 3C 00  64 B1 40 00" + LATER)
    assert round(part.notes[0].offset_s, 6) == 0.3


def test_notes_that_sound_when_a_zone_ends_are_ended(tmp_path):
    (part,) = parts_of(tmp_path, LOWER_3 + "00 91 3C 40  64 B0 06 00  64 81 3C 00" + LATER)
    assert round(part.notes[0].offset_s, 6) == 0.2


def test_the_wheel_bends_a_note_from_before_the_zone_once(tmp_path):
    (part,) = parts_of(tmp_path, "00 91 3C 40" + ZONE_AFTER_100_MS + "64 E1 00 60  64 81 3C 00" + LATER)
    assert rounded(part.bend_semitones) == [(0.2, 24.0)]
    assert part.notes[0].bend_semitones == ()
