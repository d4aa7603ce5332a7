"""The measures against independent implementations: scipy's STFT, mir_eval's melody scores, a slow bipartite match."""

import itertools

import numpy as np
import pytest
from scipy import signal

from ddspvae.evaluation.metrics import PitchTrack, compare_tracks, loudness_error, spectral_distance
from ddspvae.evaluation.transcription import note_scores
from ddspvae.signals import Note, Notes


def test_spectral_distance_is_scipys_stft():
    rng = np.random.default_rng(1)
    reference = rng.normal(size=24_000) * 0.1 * np.linspace(0, 1, 24_000)
    estimate = signal.lfilter([1], [1, -0.9], reference) * 0.3
    expected = 0.0
    for n_fft in (2048, 1024, 512, 256, 128, 64):
        hop_size, window = n_fft // 4, signal.get_window("hann", n_fft)  # periodic
        magnitudes = []
        for audio in (reference, estimate):
            _, _, spectrum = signal.stft(audio, window=window, nperseg=n_fft, noverlap=n_fft - hop_size,
                                         boundary="zeros", padded=False)
            magnitudes.append(np.abs(spectrum) * window.sum())  # scipy divides by the window's sum
        a, b = magnitudes
        expected += np.abs(a - b).mean() + np.abs(np.log(a + 1e-5) - np.log(b + 1e-5)).mean()
    assert spectral_distance(reference, estimate, 16_000) == pytest.approx(expected, rel=1e-4)


def test_pitch_shares_are_mir_evals_melody_measures():
    melody = pytest.importorskip("mir_eval.melody", reason="mir_eval is in the extra 'evaluation'")
    rng = np.random.default_rng(2)
    voiced = rng.random((2, 4000)) < 0.6
    f0_hz = rng.uniform(100, 800, 4000).astype(np.float32)
    cents_off = rng.normal(size=4000) * 40
    # 1 or 0: where sure and pitched mean the same, mir_eval's one voicing is both
    reference = PitchTrack(f0_hz, voiced[0].astype(np.float32), "swift")
    estimate = PitchTrack((f0_hz * 2 ** (cents_off / 1200)).astype(np.float32), voiced[1].astype(np.float32), "swift")
    error = compare_tracks(reference, estimate)
    recall, false_alarm = melody.voicing_measures(voiced[0], voiced[1])
    assert error.heard == pytest.approx(recall)
    assert error.ghost == pytest.approx(false_alarm * (~voiced[0]).mean())
    within = melody.raw_pitch_accuracy(voiced[0], melody.hz2cents(reference.f0_hz), voiced[1],
                                       melody.hz2cents(estimate.f0_hz), cent_tolerance=error.median_cents)
    # mir_eval counts all voiced frames, ours the ones that both hear: half of either is within the median
    both = voiced[0] & voiced[1]
    assert (np.abs(cents_off[both]) < error.median_cents).mean() == pytest.approx(0.5, abs=1e-3)
    assert within == pytest.approx((np.abs(cents_off[voiced[0]]) < error.median_cents).mean(), abs=2e-3)


def test_loudness_of_a_tone_follows_the_a_curve_of_iec_61672():
    # table 3 of IEC 61672-1: 0 dB at 1 kHz, -19.1 dB at 100 Hz
    time_s = np.arange(96_000) / 48_000
    low, middle = (0.1 * np.sin(2 * np.pi * f * time_s) for f in (100, 1000))
    assert loudness_error(middle, low, 48_000).mean_difference_db == pytest.approx(-19.1, abs=0.3)


def test_note_scores_are_a_largest_matching():
    rng = np.random.default_rng(3)
    for _ in range(20):
        # several notes of one pitch within 100 ms: greedy matching goes wrong here
        onsets = [np.sort(rng.uniform(0, 0.3, 5)) for _ in range(2)]
        pitches = [rng.choice([60, 60.4, 61], 5) for _ in range(2)]
        reference, estimate = (
            Notes(tuple(Note(float(p), 80, float(t), float(t) + 0.1) for p, t in zip(*part, strict=True)))
            for part in zip(pitches, onsets, strict=True))
        fits = [[abs(r.onset_s - e.onset_s) <= 0.05 and abs(r.pitch - e.pitch) <= 0.5 for e in estimate.notes]
                for r in reference.notes]
        best = max(sum(fits[i][j] for i, j in enumerate(order)) for order in itertools.permutations(range(5)))
        assert note_scores(reference, estimate).f_measure == pytest.approx(best / 5)
