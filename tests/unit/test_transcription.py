import numpy as np
import pytest

from ddspvae.evaluation.transcription import audio_to_notes, note_scores
from ddspvae.signals import Note, Notes
from ddspvae.signals.checks import InputError
from ddspvae.signals.units import db_to_amplitude, pitch_to_hz

# pitch, seconds to the next, velocity: steps, leaps, a repeated note, a rest (0), quick notes
TUNE = [(67, 0.4, 100), (69, 0.4, 90), (71, 0.3, 80), (71, 0.5, 110), (60, 0.4, 100), (0, 0.3, 0), (72, 0.15, 100),
        (74, 0.15, 100), (76, 0.15, 100), (72, 0.6, 70)]


def melody(tune=TUNE, sample_rate=48_000, start_s=0.25):
    """The tune's Notes and a plain additive rendering of it: 10 ms attacks, 40 ms releases, 5.5 Hz vibrato."""
    notes, onset_s = [], start_s
    audio = np.zeros(int((start_s + sum(length for _, length, _ in tune) + 0.5) * sample_rate))
    for pitch, length_s, velocity in tune:
        if pitch:
            note = Note(pitch, velocity, onset_s, onset_s + length_s - 0.02)
            notes.append(note)
            time_s = np.arange(int(length_s * sample_rate)) / sample_rate
            cents = 15 * np.sin(2 * np.pi * 5.5 * time_s)
            phase = 2 * np.pi * np.cumsum(pitch_to_hz(pitch) * 2 ** (cents / 1200)) / sample_rate
            envelope = np.clip(time_s / 0.01, 0, 1) * np.clip((time_s[-1] - time_s) / 0.04, 0, 1)
            sound = sum(np.sin(h * phase) / h for h in range(1, 9)) * envelope * 0.1
            start = round(onset_s * sample_rate)
            audio[start : start + len(sound)] += sound * db_to_amplitude(40 * np.log10(velocity / 127))
        onset_s += length_s
    return Notes(tuple(notes)), audio.astype(np.float32)


@pytest.mark.parametrize("tracker", ["swift", "crepe"])
def test_a_plain_melody_is_found_whole(tracker):
    score, audio = melody()
    found = audio_to_notes(audio, 48_000, tracker)
    assert note_scores(score, found).f_measure == 1.0


@pytest.mark.parametrize("sample_rate", [16_000, 44_100])
def test_onsets_velocities_and_lengths_at_other_rates(sample_rate):
    score, audio = melody(sample_rate=sample_rate)
    found = audio_to_notes(audio, sample_rate, "swift")
    assert [round(note.pitch) for note in found.notes] == [note.pitch for note in score.notes]
    for asked, heard in zip(score.notes, found.notes, strict=True):
        assert heard.onset_s == pytest.approx(asked.onset_s, abs=0.04)
        assert heard.offset_s == pytest.approx(asked.offset_s, abs=0.08)
    assert max(note.velocity for note in found.notes) == 127
    # 110 was the loudest: 40 log10(70 / 110) dB below it comes back as 127 * 70 / 110
    assert found.notes[-1].velocity == pytest.approx(127 * 70 / 110, abs=6)


def test_another_melody_scores_low():
    _, audio = melody()
    wrong, _ = melody([(pitch + 1 if pitch else 0, length, velocity) for pitch, length, velocity in TUNE])
    assert note_scores(wrong, audio_to_notes(audio, 48_000, "swift")).f_measure == 0.0


def test_silence_has_no_notes():
    assert audio_to_notes(np.zeros(24_000), 48_000, "swift").notes == ()


def test_audio_at_fault_is_refused():
    with pytest.raises(InputError, match=r"audio_to_notes: audio must have shape \[\*\], got \[2, 100\]"):
        audio_to_notes(np.zeros((2, 100)), 48_000, "swift")
    with pytest.raises(InputError, match="audio_to_notes: audio must have at least one sample"):
        audio_to_notes(np.zeros(0), 48_000, "swift")
