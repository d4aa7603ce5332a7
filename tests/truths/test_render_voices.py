"""A score in several voices, as it sounds in the file that `render` writes: times, repeated notes, volume and pan."""

from __future__ import annotations

from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile

from ddspvae.commands.main import main

TICKS_PER_S = 960


def save_song(path: Path, *rows: tuple[int, float, float], controls: tuple[tuple[float, int, int], ...] = ()) -> Path:
    """Notes (pitch, onset_s, offset_s) and controllers (time_s, number, value) at velocity 80, on a violin."""
    events = [(round(at_s * TICKS_PER_S), 0, mido.Message("control_change", control=number, value=value))
              for at_s, number, value in controls]
    for pitch, onset_s, offset_s in rows:
        events.append((round(onset_s * TICKS_PER_S), 2, mido.Message("note_on", note=pitch, velocity=80)))
        events.append((round(offset_s * TICKS_PER_S), 1, mido.Message("note_off", note=pitch)))
    track, now = mido.MidiTrack([mido.Message("program_change", program=40)]), 0
    for tick, _, message in sorted(events, key=lambda event: event[:2]):
        track.append(message.copy(time=tick - now))
        now = tick
    mido.MidiFile(ticks_per_beat=TICKS_PER_S // 2, tracks=[track]).save(path)
    return path


def play(song: Path, *options: str) -> np.ndarray:
    out = song.with_suffix(".wav")
    words = ["--preset", "violin", "--performer", "rules"]  # who plays every note alike
    assert main(["render", str(song), "--out", str(out), "--bit-depth", "float", *words, *options]) == 0
    return soundfile.read(out, dtype="float32")[0].T


def level_db(audio: np.ndarray, pitch: float | None = None, window_s: float = 0.03) -> np.ndarray:
    """Level every 5 ms, of everything or of what lies a quarter tone around the harmonics 1 to 3 of a pitch."""
    hop, size = 240, round(window_s * 48_000)
    padded = np.pad(audio, (size // 2, size))
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[::hop] * np.hanning(size)
    if pitch is None:
        return 10 * np.log10((frames**2).sum(1) + 1e-12)
    f0_hz = 440 * 2 ** ((pitch - 69) / 12)
    waves = np.exp(2j * np.pi * f0_hz * np.arange(1, 4)[:, None] * np.arange(size) / 48_000)
    return 10 * np.log10((np.abs(frames @ waves.T) ** 2).sum(1) + 1e-12)


@pytest.mark.parametrize("options", [(), ("--dry",)])
def test_forty_overlapping_notes_end_at_20_05_s(tmp_path, options):
    audio = play(save_song(tmp_path / "legato.mid", *((67 + i % 5, 0.5 * i, 0.5 * i + 0.55) for i in range(40))), *options)
    assert len(audio) == pytest.approx(21.05 * 48_000, abs=240)
    level = level_db(audio)
    loud = np.median(level[:4000])
    end_s = np.flatnonzero(level > loud - 10)[-1] * 0.005
    assert end_s == pytest.approx(20.05, abs=0.06)
    for i in range(40):  # none is cut short or missing
        body = level[round((0.5 * i + 0.1) * 200) : round((0.5 * i + 0.45) * 200)]
        assert body.min() > loud - 8, f"note {i}"


def test_chords_sound_for_as_long_as_they_are_written(tmp_path):
    rows = [(67, 0.1, 1.1), (71, 0.1, 2.1), (73, 0.6, 1.6)]
    audio = play(save_song(tmp_path / "chord.mid", *rows), "--dry")
    for pitch, onset_s, offset_s in rows:
        level = level_db(audio, pitch, window_s=0.1)
        heard = np.flatnonzero(level > np.median(level[round(onset_s * 200) + 20 : round(offset_s * 200) - 20]) - 6) * 0.005
        assert heard[0] == pytest.approx(onset_s, abs=0.07) and heard[-1] == pytest.approx(offset_s, abs=0.07), pitch


@pytest.mark.parametrize("options", [(), ("--dry",)])
@pytest.mark.parametrize("chord", [(67,), (67, 74)])
def test_between_repeated_notes_the_level_dips_by_6_db(tmp_path, chord, options):
    rows = [(pitch, 0.4 * i, 0.4 * i + 0.4) for i in range(8) for pitch in chord]
    audio = play(save_song(tmp_path / "repeated.mid", *rows), *options)
    level = level_db(audio)
    for i in range(1, 8):
        onset = round(0.4 * i * 200)
        around = min(level[onset - 40 : onset - 20].mean(), level[onset + 20 : onset + 40].mean())
        dip_db = around - level[onset - 20 : onset + 8].min()
        assert dip_db >= 6, f"{dip_db:.1f} dB before note {i}"


def test_volume_and_pan_are_heard(tmp_path):
    controls = ((0.0, 7, 100), (0.0, 10, 64), (1.0, 7, 50), (2.0, 7, 100), (2.0, 10, 127))
    song = save_song(tmp_path / "mix.mid", (69, 0.0, 3.0), controls=controls)
    left, right = play(song, "--dry", "--expression", "0")
    power = left**2 + right**2
    steady = [power[round(at_s * 48_000) : round((at_s + 0.6) * 48_000)].mean() for at_s in (0.3, 1.3, 2.3)]
    assert 10 * np.log10(steady[1] / steady[0]) == pytest.approx(40 * np.log10(0.5), abs=0.3)
    assert 10 * np.log10(steady[2] / steady[0]) == pytest.approx(0, abs=0.3)
    assert np.abs(left[:95_000] - right[:95_000]).max() < 1e-6 and np.abs(left[97_000:]).max() < 1e-6
