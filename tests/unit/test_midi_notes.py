import csv
import gc
import re
import time
import warnings

import mido
import pytest

from ddspvae.midi.notes import pitch_to_name, read_midi
from ddspvae.signals import Note
from ddspvae.signals.checks import InputError
from tests.midi_bytes import MS, chunk, part_of, spans, write


def test_running_status_and_velocity_0(tmp_path):
    path = write(tmp_path / "a.mid", "00 00  00 01  00 60", """
        00  90 3C 40     # C4 on, velocity 64
        60  3C 00        # 96 ticks later, status repeated: velocity 0 is off
        00  3E 50        # D4
        30  3E 00        # 48 ticks
        00  FF 2F 00
    """)
    (part,) = read_midi(path)
    # 96 ticks per quarter at 120 bpm: a quarter is 0.5 s
    assert part.notes == (Note(60, 64, 0.0, 0.5), Note(62, 80, 0.5, 0.75))


def test_tempo_of_one_track_moves_the_notes_of_another(tmp_path):
    path = write(tmp_path / "a.mid", "00 01  00 02  00 60", """
        00  FF 03 04 6C 65 61 64     # track name "lead"
        00  FF 51 03 07 A1 20        # 500000 us per quarter
        81 40  FF 51 03 0F 42 40     # at tick 192: 1000000 us
        00  FF 2F 00
    """, """
        00  FF 03 02 76 6E           # "vn"
        00  C1 28                    # program 40 on channel 2
        60  91 43 64                 # tick 96: G4 on
        81 40  81 43 40              # tick 288: off
        00  FF 2F 00
    """)
    (part,) = read_midi(path)
    # tick 96 = 0.5 s; tick 192 = 1.0 s; then 96 ticks at 1 s per quarter = 2.0 s
    assert spans(part) == [(67, 0.5, 2.0)]
    assert (part.name, part.channel, part.program) == ("vn", 1, 40)


def test_type_0_is_split_by_channel(tmp_path):
    path = write(tmp_path / "a.mid", "00 00  00 01  01 E0", """
        00     92 40 40
        00     90 3C 40
        83 60  82 40 00    # 480 ticks
        00     80 3C 00
        00     FF 2F 00
    """)
    parts = read_midi(path)
    assert [part.channel for part in parts] == [2, 0]  # as they appear
    assert [spans(part) for part in parts] == [[(64, 0.0, 0.5)], [(60, 0.0, 0.5)]]


def test_smpte_division_ignores_tempo(tmp_path):
    path = write(tmp_path / "a.mid", "00 00  00 01  E7 28", """
        00  FF 51 03 0F 42 40   # one quarter per second: means nothing here
        00  90 3C 40
        87 68  80 3C 00         # 1000 ticks at 25 frames * 40 ticks = 1 s
        00  FF 2F 00
    """)
    assert spans(read_midi(path)[0]) == [(60, 0.0, 1.0)]


def test_smpte_29_is_drop_frame(tmp_path):
    path = write(tmp_path / "a.mid", "00 00  00 01  E3 64", """
        00  90 3C 40
        97 38  80 3C 00         # 3000 ticks = 30 frames of 1001 / 30000 s
        00  FF 2F 00
    """)
    assert spans(read_midi(path)[0]) == [(60, 0.0, 1.001)]


def test_type_2_tracks_have_their_own_time(tmp_path):
    path = write(tmp_path / "a.mid", "00 02  00 02  00 60",
                 "00 FF 51 03 0F 42 40  00 90 3C 40  60 80 3C 00  00 FF 2F 00",
                 "00 91 3E 40  60 81 3E 00  00 FF 2F 00")
    assert [spans(part) for part in read_midi(path)] == [[(60, 0.0, 1.0)], [(62, 0.0, 0.5)]]


def warned(path):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        parts = read_midi(path)
    return parts, [str(warning.message) for warning in seen]


def test_a_pitch_that_is_struck_again_ends_and_begins(tmp_path):
    path = write(tmp_path / "a.mid", "00 00  00 01  00 60", """
        00  90 3C 40
        60  90 3C 50     # 0.5 s, the same pitch again
        60  80 3C 00     # 1.0 s
        00  90 40 40
        00  80 40 00     # no length
        60  80 3C 00     # 1.5 s: the other note off, of a note that has ended
        00  FF 2F 00
    """)
    parts, told = warned(path)
    assert spans(parts[0]) == [(60, 0.0, 0.5), (60, 0.5, 1.0), (64, 1.0, 1.01)] and not told


def test_a_pedal_beside_a_note_off_is_taken_in_the_order_of_the_file(tmp_path):
    """Legato pedalling: the pedal goes down where the keys go up."""
    path = write(tmp_path / "a.mid", MS, """
        00     90 3C 40
        83 60  80 3C 00   # 480 ms: off, and then the pedal for the next
        00     B0 40 7F
        00     90 40 40
        87 40  80 40 00   # 1440 ms
        83 60  B0 40 00   # 1920 ms
        00     FF 2F 00
    """)
    assert spans(read_midi(path)[0]) == [(60, 0.0, 0.48), (64, 0.48, 1.92)]


def test_many_lost_and_stray_notes_are_read_in_seconds(tmp_path):
    strays = [mido.Message("note_off", note=60, channel=2, time=1)] * 20_000
    struck = [mido.Message("note_on", note=60, velocity=64, channel=1, time=1)] * 20_000
    path = save(tmp_path / "a.mid", *struck, *strays)
    began = time.process_time()
    parts, told = warned(path)
    assert time.process_time() - began < 5  # it was a minute
    assert len(parts[0].notes) == 20_000 and "20000 times notes that are never ended" in told[0]


def test_a_lost_note_off_costs_one_note_its_length_and_no_rest(tmp_path):
    path = write(tmp_path / "a.mid", MS, """
        00     90 45 5A
        87 68  90 45 5A   # 1000 ms: again, and nothing has ended the first
        83 60  80 45 00   # 1480 ms
        83 60  90 45 5A   # 1960 ms
        83 60  80 45 00   # 2440 ms
        00     FF 2F 00
    """)
    parts, told = warned(path)
    assert spans(parts[0]) == [(69, 0.0, 1.0), (69, 1.0, 1.48), (69, 1.96, 2.44)]
    assert len(told) == 1 and told[0].endswith("read as players read it: notes that are never ended.")


@pytest.mark.parametrize(("events", "expected"), [
    # the next note of a line ends one whose note off is lost, of any pitch
    ("00 90 45 5A  64 90 48 5A  64 80 48 00  64 90 45 5A  64 80 45 00",
     [(69, 0.0, 0.1), (72, 0.1, 0.2), (69, 0.3, 0.4)]),
    # a note of a chord ends with the others
    ("00 90 45 5A  00 90 48 5A  64 80 48 00  64 90 4A 5A  64 80 4A 00", [(69, 0.0, 0.1), (72, 0.0, 0.1), (74, 0.2, 0.3)]),
    # the last with its track
    ("00 90 45 5A  64 80 45 00  64 90 48 5A  64 B0 07 40", [(69, 0.0, 0.1), (72, 0.2, 0.3)]),
    # note offs on another channel
    ("00 93 45 5A  64 80 45 00  64 93 45 5A  64 80 45 00", [(69, 0.0, 0.1), (69, 0.2, 0.3)]),
])
def test_what_hangs_is_ended_and_told(tmp_path, events, expected):
    parts, told = warned(write(tmp_path / "a.mid", MS, events + " 00 FF 2F 00"))
    assert spans(parts[0]) == expected
    assert len(told) == 1 and "notes that are never ended" in told[0]


def test_a_note_off_in_another_track_of_the_channel_counts(tmp_path):
    path = write(tmp_path / "a.mid", "00 01  00 02  01 F4", "00 90 45 5A  83 60 90 48 5A  64 80 48 00  00 FF 2F 00",
                 "64 80 45 00  00 FF 2F 00")
    parts, told = warned(path)
    assert spans(parts[0]) == [(69, 0.0, 0.1), (72, 0.48, 0.58)] and not told


def test_unisons_of_two_tracks_end_with_their_own(tmp_path):
    path = write(tmp_path / "a.mid", "00 01  00 02  01 F4", "00 90 45 5A  64 80 45 00  00 FF 2F 00",
                 "32 90 45 5A  64 80 45 00  00 FF 2F 00")
    parts, told = warned(path)
    assert [spans(part) for part in parts] == [[(69, 0.0, 0.1)], [(69, 0.05, 0.15)]] and not told


SCALE = "00 90 45 5A 83 60 80 45 00 14 90 47 5A 83 60 80 47 00 00 FF 2F 00"
NOTES = [(69, 0.0, 0.48), (71, 0.5, 0.98)]


def chunked(*chunks, header="00 00  00 01  01 F4"):
    return chunk("MThd", bytes.fromhex(header)) + b"".join(chunks)


def track(text=SCALE, length=None):
    body = bytes.fromhex(text)
    return chunk("MTrk", body) if length is None else b"MTrk" + length.to_bytes(4, "big") + body


@pytest.mark.parametrize(("content", "said"), [
    (chunked(chunk("XFIH", b"vendor data"), track()), "chunks that are no tracks"),
    (chunked(track(), chunk("XFKM", b"karaoke")), "chunks that are no tracks"),
    (chunked(track(), header="00 00  00 03  01 F4"), "its header says 3 tracks, and 1 are there"),
    (chunked(track(), b"junk"), "bytes after its last track"),
    (chunked(track(length=9000)), "tracks whose length is said wrong"),
    (chunked(track(length=9)), "tracks whose length is said wrong"),
    (chunked(track("00 FF 2F 00", length=10), track(), header="00 01  00 02  01 F4"), "tracks whose length is said wrong"),
    (chunked(track(SCALE[:-12])), "tracks without an end of track"),
    (chunked(track("00 F1 00 00 F8 " + SCALE)), "2 times messages that do not belong in a file"),
    (chunked(track("00 FF 51 03 00 00 00 " + SCALE)), "tempos of 0 or without a value, left out"),
    (chunked(track("00 FF 51 02 07 A1 " + SCALE)), "tempos of 0 or without a value, left out"),
    (chunked(track("00 B0 07 FF " + SCALE)), "data bytes above 127, taken for 127"),
    (chunked(track(), header="00 07  00 01  01 F4"), "its header says type 7, read as type 1"),
    (chunked(track("00 FF 20 01 00  00 FF 59 02 12 00 " + SCALE)), None),  # a channel prefix, a key of 18 flats
    (b"RIFF\x4a\0\0\0RMIDdata\x3e\0\0\0" + chunked(track()), None),
])
def test_what_every_player_reads_is_read(tmp_path, content, said):
    path = tmp_path / "a.mid"
    path.write_bytes(content)
    parts, told = warned(path)
    assert spans(parts[0]) == NOTES
    assert (not told) if said is None else len(told) == 1 and f"read it: {said}." in told[0]


def test_running_status_goes_on_after_other_messages(tmp_path):
    path = write(tmp_path / "a.mid", MS,
                 "00 90 45 5A  83 60 F0 01 F7  00 45 00  14 FF 01 00  00 47 5A  83 60 47 00  00 FF 2F 00")
    with pytest.warns(UserWarning, match="1 system exclusive message, which"):
        assert spans(read_midi(path)[0]) == NOTES


def test_frames_per_second_that_nobody_has_are_ticks_of_a_quarter(tmp_path):
    path = tmp_path / "a.mid"  # 0xD890: 40 frames/s of 144 ticks, or 55440 ticks a quarter
    path.write_bytes(chunked(track("00 90 45 5A  83 B0 90 80 45 00  00 FF 2F 00".replace("83 B0 90", "83 B1 10")),
                             header="00 00  00 01  D8 90"))
    parts, told = warned(path)
    assert spans(parts[0]) == [(69, 0.0, pytest.approx(55440 / 55440 * 0.5, abs=1e-3))]
    assert "40 frames per second, which nobody has" in told[0]


@pytest.mark.parametrize(("content", "match"), [
    (b"SMF2CLIP" + bytes(40), "is a MIDI 2.0 clip"),
    (b"RIFF\x10\0\0\0RMIDdata\0\0\0\0", "is a RIFF file without MIDI"),
    (chunked(track("00 45 5A 00 FF 2F 00")), r"damaged in track 1, byte 23: data without a message"),
    (chunked(track("00 90 45 5A  BC FC 58 80 45 00  00 FF 2F 00"), header="00 00 00 01 00 01"),
     "lasts .* hours, and 6 can be played"),
])
def test_what_means_nothing_is_refused_with_its_reason(tmp_path, content, match):
    path = tmp_path / "a.mid"
    path.write_bytes(content)
    with pytest.raises(InputError, match=match):
        read_midi(path)


def test_tracks_that_share_a_channel_have_their_own_programs(tmp_path):
    path = write(tmp_path / "a.mid", "00 01  00 03  01 F4", "00 C0 28  00 90 45 5A  64 80 45 00  00 FF 2F 00",
                 "00 C0 49  00 90 48 5A  64 80 48 00  00 FF 2F 00", "00 90 4C 5A  64 80 4C 00  00 FF 2F 00")
    assert [part.program for part in read_midi(path)] == [40, 73, 73]  # the third has none of its own


def test_a_change_of_program_inside_a_track_changes_the_player(tmp_path):
    path = write(tmp_path / "a.mid", MS, """
        00 C0 28  00 90 45 5A  64 C0 2D  64 80 45 00  00 90 47 5A  64 80 47 00  00 90 48 5A  64 80 48 00
        00 C0 28  00 90 4A 5A  64 80 4A 00  00 FF 2F 00
    """)
    first, second = read_midi(path)
    assert (first.program, [note.pitch for note in first.notes]) == (40, [69, 74])
    assert (second.program, [note.pitch for note in second.notes]) == (45, [71, 72])
    assert first.notes[0].offset_s == pytest.approx(0.2), "a note off ends the note of the program before"


@pytest.mark.parametrize("name", [
    "lost_note_off", "note_off_wrong_channel", "alien_chunk", "few_tracks_half", "data_byte_255", "prefix", "rmi",
    "running_status_after_sysex", "division_negative_odd", "key_18_flats", "tempo_short"])
def test_small_inputs_that_went_wrong(shared_dir, name):
    path = next(shared_dir.glob(f"cases/midi/{name}.*"))
    parts, told = warned(path)
    assert len(told) <= 1
    notes = [note for part in parts for note in part.notes]
    assert all(0.1 < note.offset_s - note.onset_s < 1.1 for note in notes) and max(note.offset_s for note in notes) < 6


def save(path, *messages, ticks_per_beat=100):
    file = mido.MidiFile(type=0, ticks_per_beat=ticks_per_beat)
    file.tracks.append(mido.MidiTrack(messages))
    file.save(path)
    return path


def on(note, time=0, channel=0):
    return mido.Message("note_on", note=note, time=time, channel=channel)


def off(note, time=0, channel=0):
    return mido.Message("note_off", note=note, time=time, channel=channel)


def control(number, value, time=0):
    return mido.Message("control_change", control=number, value=value, time=time)


def bend(value, time=0):
    return mido.Message("pitchwheel", pitch=value, time=time)


def test_bends_follow_the_range_of_rpn_0(tmp_path):
    path = save(tmp_path / "a.mid", on(60), bend(4096, 100), control(101, 0, 100), control(100, 0), control(6, 12),
                control(38, 50), bend(-8192, 100), bend(-8192, 100), bend(0, 100), off(60))
    (part,) = read_midi(path)
    # half of +-2; then half of +-12 and of +-12.5 in one instant; then all of -12.5, once; then back
    assert part.bend_semitones == ((0.5, 1.0), (1.0, 6.0), (1.0, 6.25), (1.5, -12.5), (2.5, 0.0))


def test_a_parameter_that_is_not_rpn_0_leaves_the_range(tmp_path):
    path = save(tmp_path / "a.mid", control(101, 0), control(100, 0), control(99, 1), control(6, 12), on(60),
                bend(4096, 100), off(60, 100))
    with pytest.warns(UserWarning, match=r"has 2 messages of other controllers \(6, 99\), which are left out"):
        assert read_midi(path)[0].bend_semitones == ((0.5, 1.0),)


def test_pedal_holds_until_it_lifts_or_the_note_is_struck_again(tmp_path):
    path = save(tmp_path / "a.mid", control(64, 127), on(60), on(64), off(60, 100), off(64), on(60, 100), off(60, 100),
                control(64, 0, 100))
    assert spans(read_midi(path)[0]) == [(60, 0.0, 1.0), (64, 0.0, 2.0), (60, 1.0, 2.0)]


def test_all_notes_off_ends_what_sounds(tmp_path):
    path = save(tmp_path / "a.mid", on(60), control(123, 0, 100), on(62, 100), off(62, 100), off(60, 100))
    assert spans(read_midi(path)[0]) == [(60, 0.0, 0.5), (62, 1.0, 1.5)]


def test_program_in_the_same_instant_counts(tmp_path):
    path = save(tmp_path / "a.mid", on(60), mido.Message("program_change", program=73), off(60, 100))
    assert read_midi(path)[0].program == 73


def test_drums_are_left_out_with_one_warning(tmp_path):
    path = save(tmp_path / "a.mid", on(36, channel=9), on(60), off(36, 100, 9), on(38, 0, 9), off(38, 100, 9), off(60))
    with pytest.warns(UserWarning, match=r"2 drum notes \(channel 10\), which are left out") as seen:
        parts = read_midi(path)
    assert len(seen) == 1
    assert [part.channel for part in parts] == [0]


def test_all_that_is_left_out_is_counted_in_one_warning(tmp_path):
    path = write(tmp_path / "a.mid", MS, """
        00  F0 05 7E 7F 09 01 F7   # GM system on
        00  B0 5B 28               # reverb send: there is a room already
        00  B0 5D 10               # chorus send
        00  B0 5B 30
        00  B0 00 01               # bank select, of which nothing is missed
        00  B0 20 02
        00  99 24 40               # a drum
        00  90 3C 40
        64  89 24 00
        00  80 3C 00
        00  FF 2F 00
    """)
    with pytest.warns(UserWarning) as seen:
        read_midi(path)
    assert [str(warning.message) for warning in seen] == [
        f"read_midi: {path} has 1 drum note (channel 10), 1 system exclusive message and "
        "3 messages of other controllers (91, 93), which are left out."]


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match=r"read_midi: no file .*none\.mid\.$"):
        read_midi(tmp_path / "none.mid")


def test_folder(tmp_path):
    with pytest.raises(InputError, match=f"read_midi: {tmp_path} is a folder"):
        read_midi(tmp_path)


@pytest.mark.parametrize(("content", "match"), [
    (b"", r"a\.mid is empty \(0 bytes\)"),
    (b"do re mi fa so la", r"a\.mid is not a MIDI file \(it does not begin with MThd\)"),
    (b"MThd\0\0\0\6\0\0\0\1\0\0MTrk\0\0\0\4\0\xff\x2f\0", "header says 0 ticks per beat"),
    (b"MThd\0\0\0\6\0\0\0\1\0\x60Junk\0\0\0\4\0\xff\x2f\0", r"a\.mid is not a readable MIDI file \(no MTrk"),
    (b"MThd\0\0\0\6\0\0\0\1\0\x60MTrk\0\0\0\4\0\xff\x2f\0", r"a\.mid holds no notes"),
])
def test_bad_content(tmp_path, content, match):
    path = tmp_path / "a.mid"
    path.write_bytes(content)
    with pytest.raises(InputError, match=match):
        read_midi(path)


def test_truncated_file(tmp_path):
    path = save(tmp_path / "a.mid", on(60), off(60, 100))
    for size in range(5, len(path.read_bytes())):
        cut = tmp_path / "cut.mid"
        cut.write_bytes(path.read_bytes()[:size])
        with pytest.raises(InputError, match=r"cut\.mid ends too early, it is truncated"):
            read_midi(cut)


def test_only_drums(tmp_path):
    path = save(tmp_path / "a.mid", on(36, channel=9), off(36, 100, 9))
    with pytest.raises(InputError, match="holds only drums"):
        read_midi(path)


def test_the_collector_of_garbage_is_left_as_it_was(tmp_path):
    part_of(tmp_path, "00 90 3C 40  64 80 3C 00 ")
    assert gc.isenabled()
    gc.disable()
    try:
        part_of(tmp_path, "00 90 3C 40  64 80 3C 00 ")
        assert not gc.isenabled()
    finally:
        gc.enable()


@pytest.mark.parametrize(("pitch", "name"), [(0, "C-1"), (60, "C4"), (69.4, "A4"), (127, "G9")])
def test_pitch_to_name(pitch, name):
    assert pitch_to_name(pitch) == name


def test_real_files_hold_as_many_notes_as_their_provenance_says(shared_dir):
    with (shared_dir / "midi" / "provenance.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 20
    for row in rows:
        path = shared_dir / "midi" / row["file"]
        n_notes = int(re.search(r"notes(\d+)", row["mido"]).group(1))
        file = mido.MidiFile(path)
        n_drums = sum(message.type == "note_on" and message.velocity > 0 and message.channel == 9
                      for track in file.tracks for message in track)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parts = read_midi(path)
        assert sum(len(part.notes) for part in parts) == n_notes - n_drums, row["file"]
        # the last sound ends where mido's own clock says the file does, give or take a rest at the end
        length_s = file.length
        assert 0.9 * length_s < max(part.duration_s for part in parts) <= length_s + 0.011, row["file"]
