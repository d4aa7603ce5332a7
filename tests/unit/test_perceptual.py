"""The two judges of hearing: what they must not mind, what they must, and what is said where they cannot judge."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from ddspvae.evaluation.perceptual import SHORTEST_S, Judgement, judge, judge_stretches, judge_take, judges_left_out
from ddspvae.signals.checks import InputError
from ddspvae.synth.harmonic import harmonic

RATE = 48_000


def note(seconds=1.5, sample_rate=RATE, f0_hz=330.0, tilt=1.0):
    """A tone with vibrato and 20 harmonics that fall like 1 / h^tilt: [T]."""
    hop_size = sample_rate // 200
    n_frames = round(seconds * 200)
    time_s = torch.arange(n_frames) / 200
    weights = torch.arange(1.0, 21.0) ** -tilt
    return harmonic((f0_hz * (1 + 0.01 * torch.sin(2 * torch.pi * 5 * time_s)))[None, :, None],
                    torch.full((1, n_frames, 1), 0.2), (weights / weights.sum()).expand(1, n_frames, -1),
                    sample_rate, hop_size)[0].numpy()


def noisy(audio, snr_db, seed=0):
    level = np.sqrt(np.square(audio).mean()) * 10 ** (-snr_db / 20)
    return audio + level * np.random.default_rng(seed).standard_normal(len(audio)).astype(np.float32)


@pytest.fixture(scope="module")
def clean():
    return note()


def test_a_sound_is_like_itself_and_more_so_than_like_a_noisy_or_a_dull_one(clean):
    same, little, much, dull = (judge(clean, other, RATE)
                                for other in (clean, noisy(clean, 40), noisy(clean, 10), note(tilt=2.0)))
    assert same.zimtohrli == pytest.approx(5.0, abs=1e-3)
    assert 4.5 < same.visqol < 5
    assert same.zimtohrli > little.zimtohrli + 0.1 > much.zimtohrli + 0.2
    assert same.visqol > little.visqol + 0.1 > much.visqol + 0.2
    assert dull.zimtohrli < 4.8 and dull.visqol < same.visqol - 0.1


@pytest.mark.parametrize("gain_db", (-20, -6, 6))
def test_the_level_of_the_estimate_does_not_count(clean, gain_db):
    estimate = noisy(clean, 20)
    plain, moved = judge(clean, estimate, RATE), judge(clean, 10 ** (gain_db / 20) * estimate, RATE)
    assert moved.zimtohrli == pytest.approx(plain.zimtohrli, abs=0.002)
    assert moved.visqol == pytest.approx(plain.visqol, abs=0.002)


def test_the_rate_of_the_files_hardly_counts():
    at_48, at_44 = (judge(note(1.2, rate), noisy(note(1.2, rate), 20), rate, with_visqol=False) for rate in (48_000, 44_100))
    assert at_44.zimtohrli == pytest.approx(at_48.zimtohrli, abs=0.15)  # the noise ends at another Nyquist


def test_the_longer_one_is_cut_and_inputs_stay_as_they_are(clean):
    before = clean.copy()
    longer = np.concatenate([clean, noisy(clean, 0)])
    assert judge(clean, longer, RATE, with_visqol=False) == Judgement(judge(clean, clean, RATE, with_visqol=False).zimtohrli)
    assert judge(longer, clean, RATE, with_visqol=False).zimtohrli == pytest.approx(5.0, abs=1e-3)
    assert np.array_equal(clean, before)


def test_visqol_is_asked_only_where_it_is_wanted(clean, monkeypatch):
    monkeypatch.setitem(sys.modules, "visqol", None)
    assert judge(clean, clean, RATE, with_visqol=False).visqol is None
    assert judge_take(clean, clean, RATE).visqol is None
    with pytest.raises(InputError, match=r"judge: visqol-python is not installed; pip install 'ddspvae\[evaluation\]'\."):
        judge(clean, clean, RATE)
    assert judges_left_out() == ("visqol-python not installed, what ViSQOL says is left out; "
                                 "pip install 'ddspvae[evaluation]'.")


def test_without_zimtohrli_nothing_is_judged(clean, monkeypatch):
    assert judges_left_out() == ""
    monkeypatch.setitem(sys.modules, "zimtohrli", None)
    with pytest.raises(InputError, match=r"judge: zimtohrli is not installed; pip install 'ddspvae\[evaluation\]'\."):
        judge(clean, clean, RATE)
    assert judge_take(clean, clean, RATE) is None
    assert "zimtohrli not installed, what Zimtohrli and ViSQOL say is left out" in judges_left_out()


def test_what_cannot_be_judged_is_said(clean):
    with pytest.raises(InputError, match=r"judge: reference and estimate must last 1 s or more, got 0\.100 s\."):
        judge(clean, clean[: RATE // 10], RATE)
    with pytest.raises(InputError, match="judge: reference must hold some sound, got silence"):
        judge(0 * clean, clean, RATE)
    with pytest.raises(InputError, match="judge: estimate must hold some sound, got silence"):
        judge(clean, 0 * clean, RATE)
    with pytest.raises(InputError, match="judge: estimate must be finite in every sample"):
        judge(clean, np.full(RATE, np.nan), RATE)
    with pytest.raises(InputError, match="judge: reference must have shape"):
        judge(np.stack([clean, clean]), clean, RATE)
    with pytest.raises(InputError, match="judge: sample_rate must lie between"):
        judge(clean, clean, 0)
    with pytest.raises(InputError, match="judge_stretches: stretch_s must lie between 1 and 60, got 0.5"):
        judge_stretches(clean, clean, RATE, 0.5)


def test_the_shortest_sound_has_an_answer_of_both():
    shortest = note(SHORTEST_S)
    assert judge(shortest, noisy(shortest, 20), RATE).visqol is not None


@pytest.mark.slow
def test_short_and_silent_takes_are_left_out_without_a_crash():
    # a process of its own: what is too short for Zimtohrli makes it write outside its memory, and the end comes later
    code = ("import numpy as np; from ddspvae.evaluation.perceptual import judge_take, judge_stretches\n"
            "a = np.sin(np.arange(48_000) / 20)\n"
            "for n in (1, 10, 100, 1000, 3000, 40_000): assert judge_take(a[:n], a[:n], 48_000) is None, n\n"
            "assert judge_take(0 * a, a, 48_000) is None\n"
            "assert [len(column) for column in judge_stretches(0 * a, a, 48_000)] == [0, 0]")
    subprocess.run([sys.executable, "-c", code], check=True)


def test_stretches_cover_all_that_sounds_and_silence_instead_of_sound_is_the_worst(clean):
    silence = np.zeros(2 * RATE, dtype=np.float32)
    sound = note(2.0)
    reference = np.concatenate([sound, silence, sound, sound[: RATE // 2]])
    estimate = np.concatenate([sound, silence, 0 * sound, 0 * sound[: RATE // 2]])
    scores, seconds = judge_stretches(reference, estimate, RATE, 2.0)
    assert seconds.tolist() == [2.0, 2.5]  # the last one takes what is left over
    assert scores[1] == 1.0
    take = judge_take(reference, estimate, RATE, with_visqol=False)
    mean, second = judge_stretches(reference, estimate, RATE)
    assert second.tolist() == [6.5] and take.zimtohrli == mean[0]


def test_a_take_of_many_stretches_is_their_mean(monkeypatch, clean):
    from ddspvae.evaluation import perceptual

    monkeypatch.setattr(perceptual, "_ask_zimtohrli", lambda reference, estimate: float(len(reference)))
    monkeypatch.setattr(perceptual, "_ask_visqol", lambda reference, estimate: float(len(reference)))
    sound = np.tile(clean, 24)[: 32 * RATE]  # stretches of 15 and 17 s
    take = judge_take(sound, sound, RATE)
    assert take.zimtohrli == pytest.approx((15 * 15 + 17 * 17) / 32 * RATE)
    assert take.visqol == 15 * RATE
