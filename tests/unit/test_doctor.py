import importlib
import json
import math
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import soundfile
from rich.console import Console

from ddspvae.audio import read_audio
from ddspvae.signals.checks import InputError
from ddspvae.training.doctor import symptoms
from ddspvae.training.doctor.examine import Report, examine, find_recordings, read_manifest
from ddspvae.training.doctor.symptoms import clipped_share, second_pitch_share
from tests.conftest import melody_take, tone

RATE = 16_000


def write(path: Path, audio: np.ndarray, sample_rate: int = RATE, subtype: str = "FLOAT") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, audio, sample_rate, subtype=subtype)
    return path


def healthy(f0_hz: float = 300.0, seconds: float = 1.0) -> np.ndarray:
    """A tone between two pauses with a little noise."""
    noise = np.random.default_rng(0).normal(size=round((seconds + 0.6) * RATE)).astype(np.float32)
    return np.pad(tone(f0_hz, seconds, RATE), round(0.3 * RATE)) + 1e-4 * noise


def examined(*paths: Path, **more: object) -> Report:
    return examine(paths, RATE, 80, "swift", **more)


def test_a_healthy_take(tmp_path: Path) -> None:
    report = examined(write(tmp_path / "a.wav", healthy()))
    file, = report.files
    assert report.left_out == () and report.usable == (tmp_path / "a.wav",)
    assert file.duration_s == pytest.approx(1.6) and file.sample_rate == RATE and file.n_channels == 1
    assert file.noise_floor_db == pytest.approx(-80, abs=3) and file.floor_is_noise
    assert file.clipped_share == 0 and abs(file.dc_offset) < 1e-4
    assert file.silence_share == pytest.approx(0.6 / 1.6, abs=0.03)
    assert file.sure_share > 0.95 and file.second_pitch_share < 0.05
    assert file.lowest_hz == pytest.approx(300, rel=0.01) and file.highest_hz == pytest.approx(300, rel=0.01)
    assert file.pitch_s.keys() == {62} and file.pitch_s[62] == pytest.approx(1.0, abs=0.05)
    assert sum(file.loudness_s.values()) == pytest.approx(1.0, abs=0.07)


def test_bad_files_are_left_out_with_a_reason_and_the_others_stay(tmp_path: Path) -> None:
    good = write(tmp_path / "good.wav", healthy())
    text = tmp_path / "text.wav"
    text.write_text("this is no sound")
    bad = {
        text: "not a sound file",
        write(tmp_path / "nan.wav", np.array([0.1, np.nan] * 4000)): "NaN",
        write(tmp_path / "empty.wav", np.zeros(0)): "no samples",
        write(tmp_path / "silent.wav", np.zeros(RATE)): "is silent",
        write(tmp_path / "faint.wav", np.full(RATE, 5e-5)): "is silent",
        write(tmp_path / "short.wav", healthy()[:1500]): "lasts 0.094 s",
        tmp_path / "gone.wav": "no file",
    }
    report = examined(*bad, good)
    assert report.usable == (good,)
    assert [left.path for left in report.left_out] == list(bad)
    for left in report.left_out:
        assert bad[left.path] in left.reason
    assert report.advice[0] == "7 files were left out; the reasons are in the list above."


def test_an_unexpected_failure_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(path: Path, sample_rate: int) -> tuple[np.ndarray, int]:
        if path.name == "a.wav":
            raise MemoryError("decoder")
        return read_audio(path, sample_rate)

    monkeypatch.setattr(importlib.import_module("ddspvae.training.doctor.examine"), "read_audio", crash)
    report = examined(write(tmp_path / "a.wav", healthy()), write(tmp_path / "b.wav", healthy()))
    assert report.usable == (tmp_path / "b.wav",)
    assert "MemoryError: decoder" in report.left_out[0].reason


def test_nothing_left(tmp_path: Path) -> None:
    report = examined(write(tmp_path / "silent.wav", np.zeros(RATE)))
    assert report.usable == () and report.advice[-1] == "Nothing is left to train on."
    json.dumps(report.to_dict())
    report.print(Console(file=StringIO()))


def test_clipping_is_counted_in_runs() -> None:
    audio = np.array([0, 1, 1, 0, 1, 1, 1, 0, -1, -1, -1, -1, 1, 1, 0, 0.5])  # 3 + 4 of 16; runs of 2 are peaks
    assert clipped_share(audio[:, None]) == pytest.approx(7 / 16)
    assert clipped_share(np.stack([audio, 0 * audio], axis=1)) == pytest.approx(7 / 32)


@pytest.mark.parametrize("noise", [0.0, 0.3, 1.0])
def test_a_second_voice_is_heard_and_breath_is_not(noise: float) -> None:
    random = np.random.default_rng(3)
    one = tone(440.0, 2.0, RATE)
    one = one + noise * one.std() * random.normal(size=len(one)).astype(np.float32)
    f0_hz, sure = np.full(400, 440.0), np.full(400, True)
    assert second_pitch_share(one, RATE, f0_hz, sure, 80) < 0.05
    assert second_pitch_share(one + tone(554.4, 2.0, RATE), RATE, f0_hz, sure, 80) > 0.95
    assert second_pitch_share(one, RATE, 2 * f0_hz, sure, 80) > 0.95  # f0 an octave too high
    assert second_pitch_share(one, RATE, f0_hz, ~sure, 80) == 0


def test_advice_on_single_faults(tmp_path: Path) -> None:
    base = healthy(seconds=1.0)
    both = base + np.pad(tone(300 * 2 ** (4 / 12), 1.0, RATE), round(0.3 * RATE))
    noise = np.random.default_rng(2).normal(size=len(base)).astype(np.float32)
    faults = {
        "loud": (np.clip(base * 8, -1, 1), "is clipped: record softer"),
        "centre": (base + 0.05, "off centre by +0.050"),
        "chord": (both, "two pitches at once"),
        "noisy": (base + 0.01 * noise, "dB below the playing: a quieter room"),
        "pause": (np.pad(base, (0, 3 * RATE)), "is silence: trim it"),
        "noise": (0.1 * noise, "has a sure pitch: one instrument"),
    }
    for name, (audio, sentence) in faults.items():
        report = examined(write(tmp_path / f"{name}.wav", audio))
        about = [line for line in report.advice if f"{name}.wav" in line]
        assert any(sentence in line for line in about), (name, report.advice)
    sound = examined(write(tmp_path / "sound.wav", base))
    assert not [line for line in sound.advice if "sound.wav" in line]


def test_a_low_rate_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "phone.wav", tone(300.0, 0.5, 8000), 8000)
    assert any("phone.wav has 8000 Hz, so nothing above 4000 Hz" in line for line in examined(path).advice)


def test_the_same_fault_in_many_files_is_said_once(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{n}.wav", np.clip(healthy(seconds=0.3) * (4 + n), -1, 1)) for n in range(5)]
    lines = [line for line in examined(*paths).advice if "clipped" in line]
    assert len(lines) == 1
    assert "4.wav is clipped, and 4 files more have the same fault: record softer." in lines[0]


def test_range_and_minutes(tmp_path: Path) -> None:
    narrow = examined(write(tmp_path / "a.wav", healthy()))
    assert any("between D4 and D4" in line for line in narrow.advice)
    assert any("only 0.0 minutes" in line for line in narrow.advice)
    wide = examined(write(tmp_path / "a.wav", healthy()), write(tmp_path / "b.wav", healthy(600.0)))
    assert not any("between" in line for line in wide.advice)
    total = wide.total()
    assert total["n_files"] == 2 and total["minutes"] == pytest.approx(3.2 / 60)
    assert total["lowest_hz"] == pytest.approx(300, rel=0.01) and total["highest_hz"] == pytest.approx(600, rel=0.01)
    assert total["pitch_s"].keys() == {62, 74}


def test_report_is_json_and_prints(tmp_path: Path) -> None:
    report = examined(write(tmp_path / "[bold]a.wav", healthy()), tmp_path / "gone.wav")
    assert json.loads(json.dumps(report.to_dict()))["files"][0]["path"].endswith("[bold]a.wav")
    output = StringIO()
    report.print(Console(file=output, width=200))
    shown = output.getvalue()
    for word in ("[bold]a.wav", "left out:", "no file", "█", "! ", "D4 to D4", "octave", "A-weighted"):
        assert word in shown


def test_a_wrong_tracker_is_no_fault_of_the_files(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", healthy())
    with pytest.raises(InputError, match="did you mean 'swift'"):
        examine([path], RATE, 80, "swfit")
    with pytest.raises(InputError, match="cannot read"):
        examine([path], RATE, 80, str(tmp_path / "none.csv"))


def test_a_manifest_helps_the_tracker(tmp_path: Path) -> None:
    t = np.arange(RATE) / RATE
    audio = sum((0.3 if k % 2 else 1.0) * np.sin(2 * np.pi * 100 * k * t) for k in range(1, 12)) / 12
    path = write(tmp_path / "a.wav", audio)
    (tmp_path / "manifest.csv").write_text("file,kind,f0_hz\na.wav,note,200\n")
    report = examined(path, rows=read_manifest(tmp_path))
    assert report.files[0].lowest_hz == pytest.approx(200, rel=0.02)
    assert examined(path).files[0].lowest_hz == pytest.approx(100, rel=0.02)


def test_find_recordings(tmp_path: Path) -> None:
    for name in ("b.wav", "a.FLAC", "sub/c.ogg", ".hidden.wav", ".git/d.wav", "notes.txt", "sub/e.aiff", "x.wav/y.mp3"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    names = [str(path.relative_to(tmp_path)) for path in find_recordings(tmp_path)]
    assert names == ["a.FLAC", "b.wav", "sub/c.ogg", "sub/e.aiff", "x.wav/y.mp3"]
    assert find_recordings([tmp_path / "b.wav", tmp_path / "sub" / ".." / "b.wav"]) == [tmp_path / "b.wav"]
    assert find_recordings(tmp_path / ".git") == [tmp_path / ".git" / "d.wav"]  # asked for by name


def test_find_recordings_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file or folder"):
        find_recordings(tmp_path / "none")
    with pytest.raises(InputError, match="holds no sound files"):
        find_recordings([tmp_path])


def test_read_manifest(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text(
        "file,kind,f0_hz,pitch_sounding,licence,attribution\n"
        'in/a.wav,note,441.5,A4,CC0-1.0,"Some, one"\nin/b.wav,note,,C#3,CC0-1.0,\nin/c.wav,phrase,300,,CC-BY-4.0,X\n'
        "in/d.wav,note,,,,\nout.wav,note,100,,,\n"
    )
    (tmp_path / "in").mkdir()
    rows = read_manifest(tmp_path / "in")  # found one folder up; rows of other folders are dropped
    by_name = {path.name: row for path, row in rows.items()}
    assert set(by_name) == {"a.wav", "b.wav", "c.wav", "d.wav"}
    assert all(path.is_absolute() for path in rows)
    assert by_name["a.wav"].prior_hz == 441.5
    assert by_name["b.wav"].prior_hz == pytest.approx(440 * 2 ** ((49 - 69) / 12))
    assert by_name["c.wav"].prior_hz is None and by_name["d.wav"].prior_hz is None
    assert by_name["a.wav"].licence == "CC0-1.0"
    assert by_name["a.wav"].credit == {"file": "in/a.wav", "licence": "CC0-1.0", "attribution": "Some, one"}
    assert read_manifest(tmp_path / "in" / "deeper") == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name\na.wav\n", "column named file"),
        ("file,kind,f0_hz\na.wav,note,A4\n", "line 2: f0_hz must lie"),
        ("file,kind,pitch_sounding\na.wav,note,H4\n", "line 2: pitch_sounding must be a note"),
    ],
)
def test_read_manifest_errors(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "manifest.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        read_manifest(tmp_path)


def test_shared_manifests(shared_dir: Path) -> None:
    folder = shared_dir / "recordings" / "violin"
    rows = read_manifest(folder)
    assert {path.resolve() for path in find_recordings(folder)} == set(rows)
    assert sum(row.prior_hz is not None for row in rows.values()) == 13
    assert all(row.licence and math.isfinite(row.prior_hz or 0) for row in rows.values())


def test_sound_that_nothing_here_reads_is_named(tmp_path):
    (tmp_path / "phone.m4a").write_bytes(b"....ftypM4A ")
    soundfile.write(tmp_path / "a.wav", np.zeros(100), 8000)
    with pytest.warns(UserWarning, match=r"phone\.m4a in .* cannot be read here and is left out; convert to WAV or FLAC"):
        assert [path.name for path in find_recordings(tmp_path)] == ["a.wav"]


def test_levels_are_the_same_in_blocks(monkeypatch):
    audio = melody_take(3.0, 48_000)[:-7]
    whole = symptoms.frame_levels_db(audio, 48_000, 240)
    monkeypatch.setattr(symptoms, "LEVEL_BLOCK_S", 0.25)
    np.testing.assert_allclose(symptoms.frame_levels_db(audio, 48_000, 240), whole, atol=1e-6)
    assert len(whole) == -(-len(audio) // 240)
