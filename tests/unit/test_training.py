"""Training on a small synthetic instrument: it learns, resumes, refuses, and stops with a reason."""

from __future__ import annotations

import json
import math
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from ddspvae.features.extract import extract
from ddspvae.instrument.loading import load
from ddspvae.instrument.presets import find_preset, read_card, read_weights
from ddspvae.model.config import ModelConfig
from ddspvae.signals.checks import InputError
from ddspvae.training.checkpoint import read_state
from ddspvae.training.dataset import Crops, Take, split
from ddspvae.training.loop import pick_device, train
from ddspvae.training.losses import HeardError, beat_span, fft_sizes, scale_terms, spectral_loss
from ddspvae.training.monitor import Monitor
from ddspvae.training.trainer import TrainingConfig
from ddspvae.training.validation import TrainingStopped, Validation, check_health, excerpts

from ..conftest import melody_take, tone

RATE, HOP = 16_000, 80
SMALL = ModelConfig(sample_rate=RATE, hop_size=HOP, n_z=7, encoder_channels=8, decoder_channels=16)


@pytest.fixture(scope="session")
def recordings(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("recordings")
    for index in range(3):
        soundfile.write(folder / f"take{index}.wav", melody_take(6.0, RATE, seed=index), RATE)
    soundfile.write(folder / "short.wav", tone(440.0, 0.3, RATE), RATE)
    (folder / "corrupt.wav").write_bytes(b"RIFF....")
    return folder


def take(seconds: float = 6.0, name: str = "a.wav", seed: int = 0, room: str = "booth") -> Take:
    audio = melody_take(seconds, RATE, seed)
    return Take(Path(name), audio, extract(audio, RATE, HOP), room)


@pytest.fixture(scope="module")
def trained(recordings, tmp_path_factory):
    out = tmp_path_factory.mktemp("trained") / "mine.safetensors"
    reports = []
    train(recordings, out, steps=16, model=SMALL, seed=3, report=reports.append)
    return out, reports[0]


@pytest.fixture(scope="module")
def short_run(recordings, tmp_path_factory):
    """A run that was trained for two steps, and what its folder holds."""
    folder = tmp_path_factory.mktemp("short")
    train(recordings, folder / "x.safetensors", steps=2, model=SMALL)
    return folder


def test_it_learns_and_writes_one_small_file(trained, recordings):
    out, report = trained
    card = read_card(out)
    rows = card["metrics"]["log"]
    assert rows[-1]["validation_loss"] < rows[0]["validation_loss"]
    assert out.stat().st_size < 4_000_000
    assert card["training"]["steps_done"] == 16
    assert "short.wav" in card["training"]["files"] + card["training"]["validation_files"]
    assert [left.path.name for left in report.left_out] == ["corrupt.wav"]
    instrument = load(out)
    audio, rate = soundfile.read(recordings / "take0.wav", dtype="float32")
    sound = instrument.resynthesize(instrument.analyze(audio, rate))
    assert len(sound) == len(audio) and np.isfinite(sound).all() and np.abs(sound).max() > 0.01


def test_tensorboard_has_audio_and_pictures(trained):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    out, _ = trained
    events = EventAccumulator(str(out.with_name("mine.training") / "tensorboard"))
    events.Reload()
    tags = events.Tags()
    assert {"original", "resynthesis"} <= set(tags["audio"])
    assert {"spectrogram/original", "spectrogram/resynthesis"} <= set(tags["images"])
    assert {"training/loss", "validation/pitch_median_cents"} <= set(tags["scalars"])


def test_a_finished_run_is_left_as_it_is(trained, recordings):
    out, _ = trained
    before = out.read_bytes()
    train(recordings, out, steps=16, model=SMALL, seed=3)
    assert out.read_bytes() == before


def test_an_older_file_under_the_name_is_not_taken_for_the_result(trained, recordings, tmp_path):
    """What a kill leaves between the last state and the instrument."""
    out, _ = trained
    shutil.copytree(out.with_name("mine.training"), tmp_path / "mine.training")
    older = tmp_path / "mine.safetensors"
    shutil.copy(find_preset("flute"), older)
    os.utime(older, (0, 0))
    train(recordings, older, steps=16, model=SMALL, seed=3)
    assert read_card(older)["training"] == read_card(out)["training"]
    assert read_weights(older).keys() == read_weights(out).keys()


def test_a_full_disk_ends_tensorboard_and_not_the_run(tmp_path):
    class Full:
        def add_scalar(self, *_):
            raise OSError(28, "No space left on device")

        def close(self):
            raise OSError(28, "No space left on device")

    with Monitor(tmp_path, SMALL) as monitor:
        if monitor.writer is None:
            pytest.skip("no TensorBoard here")
        monitor.writer.close()
        monitor.writer = Full()
        with pytest.warns(UserWarning, match="train: TensorBoard cannot write .No space left on device.; no more curves"):
            monitor.step(1, 0.5, torch.ones(4), 1.0)
        monitor.step(2, 0.5, torch.ones(4), 1.0)
    assert monitor.writer is None


def test_another_seed_needs_another_name(trained, recordings):
    out, _ = trained
    with pytest.raises(InputError, match="holds a run with another seed; choose another --out"):
        train(recordings, out, steps=16, model=SMALL, seed=4)


def test_a_killed_run_goes_on_where_it_was(trained, recordings, tmp_path):
    class Killed(Exception):
        pass

    def kill_at_10(row):
        if row["step"] >= 10:
            raise Killed

    (whole, _), cut = trained, tmp_path / "cut.safetensors"
    with pytest.raises(Killed):
        train(recordings, cut, steps=16, model=SMALL, seed=3, progress=kill_at_10)
    assert not cut.exists()
    train(recordings, cut, steps=16, model=SMALL, seed=3)
    logs = [path.with_suffix(".training") / "log.jsonl" for path in (whole, cut)]
    last = [json.loads(log.read_text().splitlines()[-1]) for log in logs]
    assert last[0]["step"] == last[1]["step"] == 16
    assert last[0]["validation_loss"] == pytest.approx(last[1]["validation_loss"], rel=1e-3)


def test_start_from_takes_the_weights(trained, short_run, recordings, tmp_path):
    out, _ = trained
    train(recordings, tmp_path / "x.safetensors", steps=2, model=SMALL, start_from=out)
    warm, fresh = (read_card(folder / "x.safetensors")["metrics"]["validation"]["loss"] for folder in (tmp_path, short_run))
    assert warm < fresh


def test_validation_is_by_recording_or_the_end_of_a_long_one():
    many = [take(1.0, f"{i}.wav", i) for i in range(12)]
    training, validation = split(many, HOP)
    assert 1 <= len(validation) <= 2 and not {t.path for t in training} & {v.path for v in validation}
    long = take(30.0)
    (train_part,), (validation_part,) = split([long], HOP)
    assert validation_part.n_frames == long.n_frames // 10
    assert train_part.n_frames == long.n_frames - long.n_frames // 10 - 2 * 200  # a gap of 2 s
    np.testing.assert_array_equal(validation_part.audio, long.audio[-len(validation_part.audio) :])


@pytest.mark.parametrize("n_takes", [1, 2, 3, 5, 7, 9])
def test_there_is_always_something_left_out(n_takes):
    takes = [take(1.0, f"{i}.wav", i) for i in range(n_takes)]
    training, validation = split(takes, HOP)
    assert validation and all(not np.shares_memory(t.audio, v.audio) for t in training for v in validation)


def test_holdout_leaves_out_files_and_folders_and_refuses_strangers(recordings, tmp_path):
    from ddspvae.training.prepare import prepare

    prepared = prepare(recordings, [recordings / "take0.wav"], "swift", SMALL)
    assert "take0.wav" not in {t.path.name for t in prepared.training + prepared.validation}
    assert prepared.holdout == ["take0.wav"]
    with pytest.raises(InputError, match="none of the recordings"):
        prepare(recordings, [tmp_path], "swift", SMALL)
    with pytest.raises(InputError, match="a CSV of pitch describes one take"):
        prepare(recordings, [], "pitch.csv", SMALL)


def test_crops_are_aligned_and_padded():
    long, short = take(3.0), take(1.0, seed=1, room="hall")
    crops = Crops([long, short], ["booth", "hall"], 320, 64, HOP)
    f0_hz, _, _, _, _, audio, _, _ = crops.crop(long, 100)
    np.testing.assert_array_equal(audio.numpy(), long.audio[100 * HOP : 420 * HOP])
    np.testing.assert_array_equal(f0_hz[:, 0].numpy(), long.features.f0_hz[100:420])
    f0_hz, _, loudness_db, _, _, audio, spectrum, room = crops.crop(short, 0)
    assert len(audio) == 320 * HOP and float(loudness_db[-1]) == -120 and float(f0_hz.min()) > 0 and int(room) == 1
    assert not spectrum[200:].any() and spectrum[:200].any()
    _, _, loudness_db, timbre, partials, audio, spectrum, _ = crops.crop(long, -64)  # the very first attack, after silence
    assert float(audio[: 64 * HOP].abs().max()) == 0 and float(loudness_db[:64].max()) == -120
    np.testing.assert_array_equal(audio[64 * HOP :].numpy(), long.audio[: 256 * HOP])
    for cropped, whole in ((timbre, long.features.timbre), (partials, long.features.partials)):
        np.testing.assert_array_equal(cropped[64:].numpy(), whole[:256])
    n_measured = long.features.spectrum.shape[1]
    np.testing.assert_array_equal(spectrum[64:, :n_measured].numpy(), long.features.spectrum[:256])
    assert not spectrum[:64].any() and not spectrum[:, n_measured:].any()
    batch = crops.draw(4, np.random.default_rng(0))
    assert batch.heard.audio.shape == (4, 320 * HOP) and batch.heard.f0_hz.shape == (4, 320, 1)
    most = max(one.features.spectrum.shape[1] for one in (long, short))
    assert batch.heard.spectrum.shape == (4, 320, most)  # the lowest take has the most harmonics
    with pytest.raises(InputError, match=r"hold 1\.0 s in all, one training window is 1\.6 s"):
        Crops([short], ["hall"], 320, 64, HOP)


def test_loss_is_zero_for_equal_sounds_and_blind_to_level():
    a, b = (torch.from_numpy(melody_take(1.0, RATE, s))[None] for s in (0, 1))
    sizes = fft_sizes(RATE)
    assert float(spectral_loss(a, a, sizes)) == 0
    assert float(spectral_loss(a, b, sizes)) > 0.5
    assert float(spectral_loss(a * 0.01, b * 0.01, sizes)) == pytest.approx(float(spectral_loss(a, b, sizes)), rel=0.05)


def tuba(phases, levels):
    """Two seconds of 55 Hz."""
    t = torch.arange(2 * RATE) / RATE
    number = torch.arange(1, len(levels) + 1)[:, None]
    return (torch.tensor(levels)[:, None] * torch.cos(2 * math.pi * (55 * number * t + phases[:, None]))).sum(0)[None] / 10


def test_the_loss_asks_for_the_levels_of_low_harmonics_whatever_their_phases():
    """Which it would not if nothing were averaged: then a synthesizer whose harmonics start together leaves some out."""
    levels = [0.7, 1.0, 1.0, 1.0, 0.8, 0.6, 0.5, 0.4]
    span, sizes = beat_span(torch.full((1, 100, 1), 55.0), RATE), fft_sizes(RATE)
    assert span.tolist() == [pytest.approx(2 * RATE / 55)]
    together, told, untold = torch.zeros(len(levels)), 0, 0
    for seed in range(8):
        reference = tuba(torch.rand(len(levels), generator=torch.Generator().manual_seed(seed)), levels)
        for missing in range(4):
            less = [level * (0.25 if i == missing else 1) for i, level in enumerate(levels)]
            right, wrong = tuba(together, levels), tuba(together, less)
            told += float(spectral_loss(reference, right, sizes, span)) < float(spectral_loss(reference, wrong, sizes, span))
            untold += float(spectral_loss(reference, right, sizes)) < float(spectral_loss(reference, wrong, sizes))
    assert told == 32 and untold < 24


def test_a_span_nearer_to_one_hop_than_to_two_changes_nothing():
    a, b = (torch.from_numpy(melody_take(1.0, RATE, s))[None] for s in (0, 1))
    assert torch.equal(spectral_loss(a, b, (1024, 512), torch.tensor([300.0])), spectral_loss(a, b, (1024, 512)))
    assert not torch.equal(spectral_loss(a, b, (1024, 512), torch.tensor([500.0])), spectral_loss(a, b, (1024, 512)))


def test_every_take_is_averaged_over_its_own_span():
    """The linear term of two takes is that of each, weighted by what it has in the sum."""
    a, b = (torch.from_numpy(np.stack([melody_take(1.0, RATE, s) for s in seeds])) for seeds in ((0, 1), (2, 3)))
    spans = torch.tensor([1600.0, 16.0])
    together, _ = scale_terms(a, b, 256, spans)
    alone = [scale_terms(a[i : i + 1], b[i : i + 1], 256, spans[i : i + 1])[0] for i in range(2)]
    swapped, _ = scale_terms(a, b, 256, spans.flip(0))
    assert min(alone) < together < max(alone) and float((together - swapped).abs()) > 1e-3
    torch.testing.assert_close(scale_terms(a.flip(0), b.flip(0), 256, spans.flip(0))[0], together)


@pytest.mark.parametrize("change, words", [
    ({"harmonic_share": 0.05}, "harmonics carry 5%"),
    ({"pitch_heard": 0.3}, "reverb has eaten the note"),
    ({"z_gain": 0.001}, "z is ignored"),
    ({"loss": float("nan")}, "validation loss is not finite"),
])
def test_a_failed_run_stops_with_its_reason(change, words):
    good = Validation(1.0, 3.0, 0.99, 500.0, 0.9, 0.05)
    check_health(good, 0.9, 500, 8, tail_energy=1.0)
    with pytest.raises(TrainingStopped, match=words):
        check_health(replace(good, **change), 0.9, 500, 8, tail_energy=1.0)
    if "loss" not in change:
        check_health(replace(good, **change), 0.1, 500, 8, tail_energy=1.0)  # too early to tell


def test_a_failed_run_stays_failed(recordings, tmp_path, monkeypatch):
    from ddspvae.training import loop

    def fail(*args, **named):
        raise TrainingStopped("train: the reverb has eaten the note.")

    with monkeypatch.context() as patch:
        patch.setattr(loop, "check_health", fail)
        with pytest.raises(TrainingStopped, match="reverb has eaten"):
            train(recordings, tmp_path / "x.safetensors", steps=2, model=SMALL)
    with pytest.raises(TrainingStopped, match="has ended; delete"):
        train(recordings, tmp_path / "x.safetensors", steps=2, model=SMALL)
    assert not (tmp_path / "x.safetensors").exists()


def test_a_loss_that_is_not_finite_stops_the_run(recordings, tmp_path, monkeypatch):
    monkeypatch.setattr(HeardError, "__call__", lambda *a: torch.tensor(float("nan")))
    with pytest.raises(TrainingStopped, match="loss is not finite at step 0"):
        train(recordings, tmp_path / "x.safetensors", steps=2, model=SMALL)


@pytest.mark.parametrize("call, words", [
    (lambda r, o: train(r, o / "x.bin", steps=1), "out must end in .safetensors"),
    (lambda r, o: train(r, o / "x.safetensors", steps=1, minutes=1), "either minutes or steps"),
    (lambda r, o: train(r, o / "x.safetensors", steps=0), "steps must lie between"),
    (lambda r, o: train(r, o / "x.safetensors", steps=1, seed=-1), "seed must lie between"),
    (lambda r, o: train(r, o / "no" / "x.safetensors", steps=1, model=SMALL), "cannot write beside"),
    (lambda r, o: train(r / "corrupt.wav", o / "x.safetensors", steps=1, model=SMALL), "no usable recording"),
])
def test_training_says_what_is_wrong(recordings, tmp_path, call, words):
    with pytest.raises(InputError, match=words):
        call(recordings, tmp_path)


def test_a_corrupt_checkpoint_says_so(recordings, tmp_path):
    (tmp_path / "x.training").mkdir()
    (tmp_path / "x.training" / "state.pt").write_bytes(b"nonsense")
    with pytest.raises(InputError, match="is corrupt; delete"):
        train(recordings, tmp_path / "x.safetensors", steps=1, model=SMALL)


def test_flipped_bytes_of_a_checkpoint_are_noticed_and_the_one_before_goes_on(recordings, short_run, tmp_path):
    shutil.copytree(short_run, tmp_path / "a")
    out, folder = tmp_path / "a" / "x.safetensors", tmp_path / "a" / "x.training"
    whole = (folder / "state.pt").read_bytes()
    (folder / "state.before.pt").write_bytes(whole)
    random = np.random.default_rng(0)
    for at in random.integers(0, len(whole), 40):
        broken = bytearray(whole)
        broken[at] ^= 1 << int(random.integers(8))
        (folder / "state.pt").write_bytes(broken)
        assert read_state(folder / "state.pt", torch.device("cpu")) is None
    with pytest.warns(UserWarning, match="is corrupt; the run goes on from the state before it"):
        assert train(recordings, out, steps=2, model=SMALL) == out
    (folder / "state.before.pt").write_bytes(whole[:100])
    with pytest.raises(InputError, match="is corrupt; delete"):
        train(recordings, out, steps=2, model=SMALL)


def test_other_recordings_under_the_same_names_are_another_run(recordings, short_run, tmp_path):
    shutil.copytree(short_run, tmp_path / "a")
    shutil.copytree(recordings, tmp_path / recordings.name)
    again = tmp_path / recordings.name
    for path in again.glob("take*.wav"):
        sound, rate = soundfile.read(path)
        soundfile.write(path, 0.5 * sound, rate)
    with pytest.raises(InputError, match="over other recordings under the same names"):
        train(again, tmp_path / "a" / "x.safetensors", steps=2, model=SMALL)


def test_takes_without_a_pitch_give_way_to_those_of_the_training():
    silent = np.zeros(RATE, np.float32)
    rest = Take(Path("rest.wav"), silent, extract(silent, RATE, HOP), "booth")
    sung = take(2.0)
    assert [part.path.name for part in excerpts([rest, sung], HOP)] == ["a.wav"]
    with pytest.warns(UserWarning, match="what was kept for validation has no pitch"):
        assert [part.path.name for part in excerpts([rest], HOP, [sung])] == ["a.wav"]
    with pytest.raises(InputError, match="no take has a pitch that could be validated"):
        excerpts([rest], HOP)


@pytest.mark.slow
def test_where_nothing_kept_for_validation_has_a_pitch_the_training_is_looked_at(tmp_path):
    sound = np.concatenate([melody_take(12.0, RATE, 3), np.zeros(3 * RATE, np.float32)])
    soundfile.write(tmp_path / "take.wav", sound, RATE)
    with pytest.warns(UserWarning, match="what was kept for validation has no pitch"):
        out = train(tmp_path / "take.wav", tmp_path / "x.safetensors", steps=2, model=SMALL)
    assert read_card(out)["metrics"]["validation"]["loss"] > 0.1


def test_schedule_and_device():
    config = TrainingConfig(steps=100)
    assert config.rate_at(0.0) < 0.2 * config.learning_rate
    assert config.rate_at(1.0) == pytest.approx(config.learning_rate / 20)
    assert TrainingConfig(minutes=2).progress(60, 0) == 0.5
    assert pick_device("cpu").type == "cpu"
    with pytest.raises(InputError, match="device abacus cannot be used"):
        pick_device("abacus")


def test_a_run_that_cannot_begin_leaves_nothing(tmp_path):
    soundfile.write(tmp_path / "short.wav", tone(440.0, 0.5, RATE), RATE)
    with pytest.raises(InputError, match="one training window is"):
        train(tmp_path / "short.wav", tmp_path / "out.safetensors", steps=1, device="cpu")
    assert [path.name for path in tmp_path.iterdir()] == ["short.wav"]
