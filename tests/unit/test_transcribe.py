import mido
import numpy as np
import pytest

from ddspvae.features.segments import segment_notes
from ddspvae.features.statistics import Statistics
from ddspvae.midi.closed_forms import velocity_to_level_db
from ddspvae.midi.notes import read_midi
from ddspvae.performer.transcribe import join_attacks, level_to_velocity, round_pitches, transcribe, write_midi
from ddspvae.signals import Note, Notes, Performance
from ddspvae.signals.checks import InputError
from ddspvae.signals.units import amplitude_to_db, pitch_to_hz

RATE_HZ = 200.0
STATISTICS = Statistics(pitch_low=55, pitch_high=96, loudness_quantiles_db=tuple(np.linspace(-50, -10, 101)), silence_db=-70,
                        attack_s=0.05, release_db_per_s=120, vibrato_extent_cents=20, vibrato_rate_hz=5.5,
                        vibrato_delay_s=0.2, glide_s=0.04, minutes=5)


def segments(pitch, loudness_db=None):
    pitch = np.asarray(pitch, dtype=float)
    loudness_db = np.full(len(pitch), -20.0) if loudness_db is None else loudness_db
    return segment_notes(pitch_to_hz(pitch), np.ones(len(pitch)), loudness_db, RATE_HZ)


def take(pitch, loudness_db):
    n_frames = len(pitch)
    periodicity = (np.asarray(loudness_db) > -60).astype(float)
    return Performance(pitch_to_hz(np.asarray(pitch, dtype=float)), periodicity, loudness_db, np.zeros((n_frames, 0)), (),
                       RATE_HZ, 1)


def two_notes():
    """A4 at -20 dB from 0.1 to 0.5 s, C5 20 cents sharp at -32 dB from 0.6 to 1.0 s."""
    pitch, loudness_db = np.full(220, 69.0), np.full(220, -80.0)
    pitch[110:] = 72.2
    loudness_db[20:100], loudness_db[120:200] = -20, -32
    return take(pitch, loudness_db)


@pytest.mark.parametrize("rate_hz", [4.0, 5.5, 7.0])
@pytest.mark.parametrize("depth", [0.35, 0.5])  # of the amplitude: 6 and 10 dB from top to bottom
def test_loudness_that_swings_with_a_vibrato_splits_nothing(rate_hz, depth):
    swing = np.sin(2 * np.pi * rate_hz * np.arange(400) / RATE_HZ)
    assert len(segments(np.full(400, 69.0), amplitude_to_db(0.1 * (1 + depth * swing)))) == 1


@pytest.mark.parametrize("note_s", [0.15, 0.3])
def test_the_same_pitch_struck_again_is_another_note(note_s):
    since_s = np.arange(400) / RATE_HZ % note_s
    loudness_db = -20 - 9 * np.clip(1 - since_s / 0.03, 0, 1) - 9 * np.clip(1 - (note_s - since_s) / 0.03, 0, 1)
    found = segments(np.full(400, 69.0), loudness_db)
    assert [start / RATE_HZ for start, *_ in found][1:] == pytest.approx(np.arange(note_s, 1.99, note_s).tolist(), abs=0.006)


def test_a_scoop_belongs_to_the_note_that_it_reaches():
    scoop = np.concatenate([np.linspace(67.2, 69, 24), np.full(100, 69.0)])
    (first, last, pitch), = segments(scoop)
    assert (first, last) == (0, 124) and pitch == pytest.approx(69, abs=0.05)


@pytest.mark.parametrize(("held_s", "n_notes"), [(0.05, 1), (0.07, 3)])
def test_a_step_counts_when_it_is_held_for_60_ms(held_s, n_notes):
    grace = np.full(round(held_s * RATE_HZ), 71.0)
    assert len(segments(np.concatenate([np.full(80, 69.0), grace, np.full(80, 69.0)]))) == n_notes


def test_quick_semitones_joined_by_glides_are_not_a_vibrato():
    tune = [69, 74, 73, 71, 69, 67, 66, 71]  # 110 ms each, glides of 40 ms
    curve = np.repeat(np.array(tune, dtype=float), 22)
    curve = np.convolve(np.pad(curve, 4, mode="edge"), np.full(9, 1 / 9), mode="valid")[: len(curve)]
    assert [round(pitch) for *_, pitch in segments(curve)] == tune


def test_pitch_times_and_velocity_are_written_down():
    first, second = transcribe(two_notes()).notes
    assert (first.onset_s, first.offset_s, second.onset_s, second.offset_s) == (0.1, 0.5, 0.6, 1.0)
    assert (first.pitch, second.pitch) == (pytest.approx(69, abs=1e-3), pytest.approx(72.2, abs=1e-3))
    # without statistics the loudest is 127, and 12 dB below is 127 * 10 ** (-12 / 40)
    assert (first.velocity, second.velocity) == (127, round(127 * 10**-0.3))


def test_velocities_are_those_that_the_instrument_plays_as_loud():
    velocities = np.arange(1, 128)
    np.testing.assert_array_equal(level_to_velocity(velocity_to_level_db(velocities, STATISTICS), STATISTICS), velocities)
    assert level_to_velocity(np.array([-200.0, 0.0]), STATISTICS).tolist() == [1, 127]
    for note, level_db in zip(transcribe(two_notes(), STATISTICS).notes, (-20, -32)):
        assert velocity_to_level_db(note.velocity, STATISTICS) == pytest.approx(level_db, abs=0.2)


def test_a_pitch_below_the_instrument_is_a_chords_and_moves_by_octaves():
    low = take(np.full(100, 45.1), np.full(100, -20.0))
    assert transcribe(low).notes[0].pitch == pytest.approx(45.1, abs=1e-3)
    assert transcribe(low, STATISTICS).notes[0].pitch == pytest.approx(57.1, abs=1e-3)


def test_silence_has_no_notes():
    silence = take(np.full(100, 69.0), np.full(100, -90.0))
    assert transcribe(silence).notes == transcribe(silence, STATISTICS).notes == ()


@pytest.mark.parametrize("tuning_cents", [-49.0, -8.0, 0.0, 7.85, 49.0])
def test_the_tuning_is_kept_when_pitches_are_rounded(tuning_cents):
    scale, slips = [60, 62, 64, 65, 67], [0.03, -0.02, 0.0, 0.01, -0.04]
    notes = Notes(tuple(Note(pitch + slip + tuning_cents / 100, 80, at, at + 0.5)
                        for at, (pitch, slip) in enumerate(zip(scale, slips))))
    rounded, found = round_pitches(notes)
    assert [note.pitch for note in rounded.notes] == scale
    assert found == pytest.approx(tuning_cents, abs=0.01)


def test_a_note_becomes_these_bytes(tmp_path):
    write_midi(Notes((Note(60, 80, 0.0, 0.5),)), tmp_path / "one.mid")
    assert (tmp_path / "one.mid").read_bytes() == bytes.fromhex(
        "4D546864 00000006 0000 0001 03C0"  # type 0, one track, 960 ticks a quarter
        "4D54726B 00000017"
        "00 FF5103 07A120"  # 500,000 us a quarter
        "00 C000"
        "00 903C50"
        "8740 803C00"  # 7 * 128 + 64 = 960 ticks
        "00 FF2F00")


def test_times_keep_a_third_of_a_millisecond_and_cents_come_back_as_bends(tmp_path):
    random = np.random.default_rng(1)
    times_s = np.cumsum(random.uniform(0.06, 0.5, 41))
    notes = Notes(tuple(Note(float(pitch), int(velocity), start, stop) for pitch, velocity, start, stop in zip(
        random.uniform(55, 90, 40), random.integers(1, 128, 40), times_s, times_s[1:])), name="Flöte ♪")
    for cents in (True, False):
        write_midi(notes, tmp_path / "take.mid", cents=cents)
        (part,) = read_midi(tmp_path / "take.mid")
        assert part.name == "Flöte ?"
        for wrote, read in zip(notes.notes, part.notes, strict=True):
            assert read.velocity == wrote.velocity
            assert abs(read.onset_s - wrote.onset_s) < 3e-4 and abs(read.offset_s - wrote.offset_s) < 6e-4
            bend = [semitones for at_s, semitones in part.bend_semitones if at_s <= read.onset_s]
            heard = read.pitch + (bend[-1] if bend else 0.0)
            assert heard == pytest.approx(wrote.pitch if cents else round(wrote.pitch), abs=2e-4)


def test_several_parts_are_several_tracks(tmp_path):
    parts = [Notes((Note(60, 80, 0.0, 0.5),), channel=0), Notes((Note(72, 80, 0.25, 0.5),), channel=1, program=73)]
    write_midi(parts, tmp_path / "two.mid")
    assert mido.MidiFile(tmp_path / "two.mid").type == 1
    assert [(part.channel, part.program, part.notes[0].pitch) for part in read_midi(tmp_path / "two.mid")] == [
        (0, 0, 60), (1, 73, 72)]


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match="write_midi: cannot write .*nowhere.* does the folder exist"):
        write_midi(Notes((Note(60, 80, 0.0, 0.5),)), tmp_path / "nowhere" / "one.mid")


def test_a_soft_octave_below_that_leads_into_a_note_is_its_attack():
    slip, note, other = Note(55, 64, 0.1, 0.19), Note(67, 64, 0.19, 0.9), Note(55, 64, 1.0, 1.09)
    joined, levels_db = join_attacks(Notes((slip, note, other)), np.array([-40.0, -24.0, -40.0]))
    assert [(one.pitch, one.onset_s) for one in joined.notes] == [(67, 0.1), (55, 1.0)]
    np.testing.assert_array_equal(levels_db, [-24, -40])
    loud, _ = join_attacks(Notes((slip, note)), np.array([-26.0, -24.0]))  # as loud as the note: somebody played it
    assert len(loud.notes) == 2
