"""What is given, and what is fitted, is heard in the sound."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

import ddspvae
from ddspvae.commands.main import main
from ddspvae.editing.inpainting import Given, apply_given, fill
from ddspvae.editing.transfer import fit
from ddspvae.features.f0 import track_f0
from ddspvae.features.loudness import a_weighted_loudness
from ddspvae.instrument.instrument import Instrument
from ddspvae.signals import Note, Notes, Performance
from ddspvae.signals.checks import InputError
from ddspvae.signals.units import pitch_to_hz

from ..conftest import melody_take, tone

SPAN_S = (0.7, 1.7)


@pytest.fixture(scope="module")
def violin() -> Instrument:
    return ddspvae.load("violin")


@pytest.fixture(scope="module")
def played(violin: Instrument) -> Performance:
    pitches = (67, 71, 74, 72)
    return violin.perform(Notes(tuple(Note(p, 90, 0.1 + 0.6 * i, 0.68 + 0.6 * i) for i, p in enumerate(pitches))))


def listen(instrument: Instrument, performance: Performance) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pitch, periodicity and loudness of the sound, frame by frame."""
    audio = instrument.resynthesize(performance)
    rate, hop = instrument.config.sample_rate, instrument.config.hop_size
    f0_hz, sure = track_f0(audio, rate, hop, "swift")
    loudness = a_weighted_loudness(torch.from_numpy(audio)[None], rate, hop)[0].numpy()
    return f0_hz, sure, loudness


def test_a_drawn_pitch_and_loudness_are_heard(violin, played):
    time_s = np.linspace(*SPAN_S, 41)
    pitch = 69 + 1.5 * np.sin(2 * np.pi * 1.0 * (time_s - SPAN_S[0])) + 0.2 * np.sin(2 * np.pi * 5 * time_s)
    level = -28 + 6 * np.sin(2 * np.pi * 0.7 * time_s)
    given = [Given("f0", time_s, pitch_to_hz(pitch)), Given("loudness", time_s, level)]
    f0_hz, sure, loudness = listen(violin, fill(played, given))
    inside = slice(round((SPAN_S[0] + 0.05) * 200), round((SPAN_S[1] - 0.05) * 200))
    asked = np.interp(np.arange(len(f0_hz)) / 200, time_s, pitch)
    off = np.abs(1200 * np.log2(f0_hz / pitch_to_hz(asked)))[inside]
    assert (sure[inside] > 0.8).all() and np.median(off) <= 3
    wanted = np.interp(np.arange(len(loudness)) / 200, time_s, level)
    assert np.median(np.abs(loudness - wanted)[inside]) <= 0.5


def test_outside_the_span_the_sound_is_the_performers(violin, played):
    time_s = np.array(SPAN_S)
    changed = fill(played, [Given("f0", time_s, np.full(2, 300.0)), Given("loudness", time_s, np.full(2, -25.0))])
    before, after = violin.resynthesize(played), violin.resynthesize(changed)
    same = round((SPAN_S[0] - 0.15) * 48_000)
    assert np.abs(after[:same] - before[:same]).max() < 0.05 * np.abs(before[:same]).max()
    ours, theirs = listen(violin, changed), listen(violin, played)
    later = slice(round(1.95 * 200), round(2.35 * 200))
    assert np.median(np.abs(1200 * np.log2(ours[0] / theirs[0]))[later]) <= 3
    assert np.median(np.abs(ours[2] - theirs[2])[later]) <= 0.5


def test_given_options_read_takes_arrays_and_csv(violin, played, tmp_path):
    soundfile.write(tmp_path / "hum.wav", tone(330.0, 2.5), 48_000)
    (tmp_path / "drawn.csv").write_text("time_s,brightness\n0.5,1\n1.5,1\n")
    played.change_loudness(-6).save(tmp_path / "soft.npz")
    out = apply_given(played, [f"f0={tmp_path}/hum.wav@0.5-1.5", f"loudness={tmp_path}/soft.npz",
                               f"brightness={tmp_path}/drawn.csv"], violin)
    time_s = np.arange(out.n_frames) / 200
    inside = (time_s >= 0.5) & (time_s <= 1.5)
    assert np.abs(1200 * np.log2(out.f0_hz[inside] / 330.0)).max() < 10
    assert np.array_equal(out.f0_hz[time_s > 1.61], played.f0_hz[time_s > 1.61])
    np.testing.assert_array_equal(out.loudness_db, np.maximum(played.change_loudness(-6).loudness_db, -120))
    axis = out.axis_names.index("brightness")
    row_s = np.arange(len(out.z)) * out.frames_per_z / 200
    assert (out.z[(row_s >= 0.52) & (row_s < 1.5), axis] == 1).all()
    assert (out.z[row_s > 1.67, axis] == played.z[row_s > 1.67, axis]).all()


def test_wrong_given_options_get_one_sentence(violin, played, tmp_path):
    for option, words in (("f0", "look like loudness=take.wav"), ("loud=a.wav", "--given must be one of"),
                          ("f0=nowhere.wav", "nowhere.wav"), ("f0=nowhere.npz", "nowhere.npz")):
        with pytest.raises(InputError, match=words):
            apply_given(played, [option], violin)
    foreign = replace(played, instrument="other")
    foreign.save(tmp_path / "foreign.npz")
    with pytest.raises(InputError, match="was analyzed with another preset"):
        apply_given(played, [f"brightness={tmp_path}/foreign.npz"], violin)


def test_edit_fits_tunes_and_says_so(capsys, tmp_path):
    soundfile.write(tmp_path / "low.wav", tone(104.5, 2.0), 48_000)  # 11 cents above G#2, which C major does not have
    argv = ["edit", str(tmp_path / "low.wav"), "--preset", "violin", "--out", str(tmp_path / "out.wav"), "--fit",
            "--threshold", "-30", "--autotune", "1", "--scale", "major:C", "--json", "--tracker", "swift"]
    assert main(argv) == 0
    said, heard = capsys.readouterr()
    result = json.loads(said)
    assert result["octaves"] == 1 and "fitted: 1 octave up" in heard
    assert result["level_shift_db"] != 0 and result["outside_pitch"] == 0
    audio, rate = soundfile.read(tmp_path / "out.wav", dtype="float32")
    f0_hz, sure = track_f0(audio, rate, 240, "swift")
    assert abs(1200 * np.log2(np.median(f0_hz[sure > 0.9]) / 220.0)) <= 8  # swift is 3 to 6 cents off so low


def test_edit_warns_of_a_take_out_of_range_and_refuses_wrong_options(capsys, tmp_path):
    soundfile.write(tmp_path / "low.wav", tone(82.4, 1.5), 48_000)
    argv = ["edit", str(tmp_path / "low.wav"), "--preset", "violin", "--out", str(tmp_path / "out.wav")]
    assert main(argv) == 0
    assert "100% of the sounding frames lie outside the trained range in pitch" in capsys.readouterr().err
    for option, words in ((("--threshold", "6"), "threshold must lie between -120 and 0"),
                          (("--autotune", "2"), "autotune must lie between 0 and 1"),
                          (("--autotune", "1", "--scale", "mayor"), "did you mean 'major'"),
                          (("--scale", "minor"), "add --autotune 1")):
        assert main([*argv, *option]) == 2
        assert words in capsys.readouterr().err


def test_a_melody_is_fitted_to_another_instrument_in_tune(violin):
    audio = melody_take(3.0, 48_000)
    flute = ddspvae.load("flute")
    take = flute.analyze(audio, 48_000, "swift").transpose(-24)
    fitted = fit(take, flute.statistics)
    ready = fitted.apply(take)
    f0_hz, sure, _ = listen(flute, ready)
    clear = (sure > 0.9) & (take.periodicity > 0.9) & (ready.loudness_db > ready.loudness_db.max() - 20)
    assert fitted.octaves in (1, 2, 3)
    assert np.median(np.abs(1200 * np.log2(f0_hz / ready.f0_hz))[clear]) <= 5


def test_a_real_phrase_is_joined_without_a_seam(violin, played, shared_dir: Path):
    path = shared_dir / "recordings" / "violin" / "garner" / "violin-mov8B_01.flac"
    audio, rate = soundfile.read(path, frames=8 * 44_100, dtype="float32")
    take = violin.analyze(audio, rate)
    song = violin.perform(Notes(tuple(Note(67 + i % 5, 90, 0.5 * i, 0.5 * i + 0.45) for i in range(14))))
    out = fill(song, [Given.of_take(curve, take).within(2.0, 5.0) for curve in ("f0", "loudness")])
    inside = slice(400, 1001)
    np.testing.assert_array_equal(out.loudness_db[inside], take.loudness_db[inside])
    given = np.isfinite(Given.of_take("f0", take).values[inside])
    assert np.abs(1200 * np.log2(out.f0_hz[inside] / take.f0_hz[inside]))[given].max() < 0.1
    for curve in (1200 * np.log2(out.f0_hz.astype(float)), out.loudness_db.astype(float)):
        bend = np.abs(np.diff(curve, 2))  # index i is about frame i + 1
        across = bend[[398, 399, 999, 1000]]
        assert across.max() <= np.quantile(bend[400:999], 0.99)
