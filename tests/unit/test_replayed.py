"""What the benchmark of replayed phrases is made of."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.replayed import RATE, best_lag, from_midi, with_curve
from ddspvae.instrument.loading import load
from ddspvae.signals import Note, Notes

from ..conftest import melody_take


@pytest.mark.parametrize("late_ms", [-20, 0, 35])
def test_the_best_lag_is_how_late_the_second_sound_is(late_ms):
    audio = melody_take(3.0, RATE)
    moved = np.roll(audio, round(late_ms * RATE / 1000)) * 0.3
    assert best_lag(audio, moved) == pytest.approx(late_ms * RATE / 1000, abs=RATE / 1000)


def test_a_phrase_is_written_down_and_played_again(tmp_path):
    flute = load("flute")
    phrase = Notes(tuple(Note(pitch, 80, 0.2 + 0.6 * at, 0.7 + 0.6 * at) for at, pitch in enumerate((72, 76, 74))))
    take = flute.perform(phrase)
    played = from_midi(flute, take, tmp_path)
    sounding = (take.periodicity[:300] > 0.9) & (played.periodicity[:300] > 0.9)
    assert sounding.sum() > 200
    assert np.median(np.abs(1200 * np.log2(played.f0_hz[:300] / take.f0_hz[:300]))[sounding]) < 20
    mixed = with_curve(played, take, ("loudness_db",))
    n = mixed.n_frames
    assert np.array_equal(mixed.loudness_db, take.loudness_db[:n]) and np.array_equal(mixed.f0_hz, played.f0_hz[:n])
