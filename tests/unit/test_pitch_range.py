"""The pitches that an instrument plays bound what a tracker may say; what it cannot say is not made up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ddspvae.features import f0
from ddspvae.features.autocorrelation import Track, autocorrelation
from ddspvae.features.comb import comb
from ddspvae.features.f0 import FILL_BELOW, VOICED, track_f0
from ddspvae.features.lost import find_lost
from ddspvae.features.ranges import find_range_hz
from ddspvae.features.segments import segment_notes
from ddspvae.features.trackers import TRACKERS
from ddspvae.features.vote import Others, settle_octave
from ddspvae.signals import Features, Performance
from ddspvae.signals.checks import InputError
from ddspvae.signals.units import hz_to_cents
from tests.conftest import tone

TIMES_S = np.arange(200) / 200
WIDE = (20.0, 5000.0)
VIOLIN = (170.0, 4700.0)


def says(monkeypatch: pytest.MonkeyPatch, f0_hz: np.ndarray, sure: np.ndarray | float = 0.9) -> None:
    """The tracker "swift" answers this curve, every 5 ms."""
    track = Track(np.arange(len(f0_hz)) / 200, f0_hz.astype(float), np.broadcast_to(sure, f0_hz.shape).astype(float))
    monkeypatch.setitem(TRACKERS.own, "swift", replace(TRACKERS["swift"], track=lambda audio: track))


@pytest.fixture(autouse=True)
def nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f0, "cached", lambda key, compute: compute())


def test_the_voters_search_only_within_the_range() -> None:
    audio = tone(150.0, 1.0, 16_000)
    for search in (autocorrelation, comb):
        assert np.median(search(audio).f0_hz) == pytest.approx(150, rel=0.01)
        inside = search(audio, range_hz=(200.0, 1000.0)).f0_hz
        assert inside.min() > 195 and inside.max() < 1010


def test_nothing_out_of_the_range_is_chosen_and_sure() -> None:
    audio = tone(98.0, 1.0, 16_000)
    f0_hz, periodicity = settle_octave(audio, TIMES_S, np.full(200, 98.0), np.full(200, 0.9), WIDE, range_hz=VIOLIN)
    outside = (f0_hz < VIOLIN[0]) | (f0_hz > VIOLIN[1])
    assert (periodicity[outside] == 0).all()
    # an octave of the tracker's that nobody else hears is no pitch either
    assert (periodicity[20:-20] < VOICED).mean() > 0.9


def test_a_range_above_all_that_there_is_leaves_every_frame_unsure() -> None:
    f0_hz, periodicity = settle_octave(tone(98.0, 1.0, 16_000), TIMES_S, np.full(200, 98.0), np.full(200, 0.9), WIDE,
                                       range_hz=(2000.0, 2400.0))
    assert (periodicity == 0).all() and (f0_hz > 0).all()


def test_two_strings_are_not_their_common_fundamental() -> None:
    """A fifth of equal strength, 293.7 and 440.5 Hz, repeats every 146.8 Hz: what all three trackers are ready to say."""
    one, both = tone(440.5, 3.0, level=0.2), tone(440.5, 3.0, level=0.2) + tone(293.7, 3.0, level=0.2)
    audio = np.where((np.arange(len(one)) >= 48_000) & (np.arange(len(one)) < 60_000), both, one).astype(np.float32)
    free_hz, free_sure = track_f0(audio, 48_000, 240, "autocorrelation")
    assert (free_hz[210:240] < 150).all() and (free_sure[210:240] > VOICED).all()
    f0_hz, _ = track_f0(audio, 48_000, 240, "autocorrelation", range_hz=VIOLIN)
    assert f0_hz.min() > VIOLIN[0]
    np.testing.assert_allclose(f0_hz[100:190], 440.5, rtol=0.005)


def test_a_take_of_another_instrument_is_not_forced_into_the_range() -> None:
    audio = np.concatenate([tone(98.0, 1.0), tone(330.0, 1.0)])
    f0_hz, periodicity = track_f0(audio, 48_000, 240, range_hz=VIOLIN)
    assert (np.abs(hz_to_cents(f0_hz[20:180], 98.0)) < 30).all() and (periodicity[20:180] > VOICED).all()


def test_a_take_within_the_range_stays_to_the_bit() -> None:
    audio = np.concatenate([tone(330.0, 0.5), np.zeros(9600, np.float32), tone(220.0, 0.5)])
    for free, bound in zip(track_f0(audio, 48_000, 240), track_f0(audio, 48_000, 240, range_hz=VIOLIN)):
        np.testing.assert_array_equal(free, bound)


def test_a_prior_is_believed_against_the_range() -> None:
    audio = np.concatenate([tone(175.0, 0.9), tone(166.0, 0.2)])
    for prior_hz, lowest_hz in ((172.0, 167.0), (None, 171.0)):
        f0_hz, _ = track_f0(audio, 48_000, 240, prior_hz=prior_hz, range_hz=VIOLIN)
        assert (f0_hz[190:210] < lowest_hz).all() == (prior_hz is not None)


def test_one_voter_alone_is_not_believed_in_the_margin() -> None:
    def constant(f0_hz: float, sure: float) -> Track:
        return Track(np.arange(100) / 100, np.full(100, f0_hz), np.full(100, sure))

    for margin_hz, wanted_hz in ((187.0, 374.0), (210.0, 210.0)):
        others = Others(constant(margin_hz, 0.95), constant(374.0, 0.2))
        f0_hz, _ = settle_octave(np.zeros(16_000), TIMES_S, np.full(200, 374.0), np.full(200, 0.5), WIDE, range_hz=VIOLIN,
                                 others=others)
        np.testing.assert_allclose(f0_hz, wanted_hz)


@pytest.mark.parametrize("range_hz", [(300.0, 200.0), (3000.0, 4000.0), (5.0, 20.0)])
def test_an_impossible_range_is_refused(range_hz: tuple[float, float]) -> None:
    with pytest.raises(InputError, match="track_f0: range_hz must go from a lower to a higher pitch"):
        track_f0(tone(300.0, 0.1), 48_000, 240, range_hz=range_hz)


def test_silence_lies_in_the_range() -> None:
    assert track_f0(np.zeros(4800, np.float32), 48_000, 240, range_hz=(30.0, 200.0))[0][0] == pytest.approx(200)


def unsure_between(monkeypatch: pytest.MonkeyPatch, before_hz: float, after_hz: float) -> np.ndarray:
    """f0 of a note, 100 ms in which every tracker is at a loss, 0.5 to 0.6 s, and another note."""
    noise = 0.1 * np.random.default_rng(0).normal(size=4800).astype(np.float32)
    audio = np.concatenate([tone(before_hz, 0.5), noise, tone(after_hz, 0.5)])
    curve = np.concatenate([np.full(105, before_hz), np.full(115, after_hz)])
    sure = np.where((np.arange(220) >= 98) & (np.arange(220) < 122), 0.1, 0.9)
    says(monkeypatch, curve, sure)
    f0_hz, periodicity = track_f0(audio, 48_000, 240)
    assert (periodicity[105:115] < FILL_BELOW).all()
    return f0_hz


@pytest.mark.parametrize("after_hz", [582.0, 279.5])  # far, and a tone
def test_an_unsure_stretch_between_two_notes_steps_once(monkeypatch: pytest.MonkeyPatch, after_hz: float) -> None:
    f0_hz = unsure_between(monkeypatch, 249.0, after_hz)
    moved = np.abs(hz_to_cents(f0_hz[81:140], f0_hz[80:139]))
    assert (moved > 100).sum() == 1
    assert all(min(abs(hz_to_cents(hz, 249.0)), abs(hz_to_cents(hz, after_hz))) < 30 for hz in f0_hz)


def test_an_unsure_stretch_between_near_notes_is_a_straight_line(monkeypatch: pytest.MonkeyPatch) -> None:
    f0_hz = unsure_between(monkeypatch, 400.0, 430.0)
    moved = hz_to_cents(f0_hz[96:125], f0_hz[95:124])
    assert moved.max() < 40 and (moved > -2).all()


def features(f0_hz: np.ndarray, periodicity: np.ndarray | None = None) -> Features:
    n = len(f0_hz)
    sure = np.ones(n) if periodicity is None else periodicity
    return Features(f0_hz, sure, np.full(n, -20.0), np.zeros((n, 4)), np.zeros((n, 8)), 200.0)


def test_the_range_of_takes_is_what_many_frames_say() -> None:
    assert find_range_hz([features(np.full(400, 440.0), np.zeros(400))]) is None
    slipped = np.full(4000, 440.0)
    slipped[100:140] = 98.0
    low_hz, high_hz = find_range_hz([features(slipped), features(np.full(400, 220.0))])
    assert low_hz == pytest.approx(220 * 2 ** (-2 / 12), rel=1e-3)
    assert high_hz == pytest.approx(880, rel=1e-3)


def performance(f0_hz: np.ndarray, periodicity: np.ndarray, loudness_db: np.ndarray | float = -20.0) -> Performance:
    n = len(f0_hz)
    return Performance(f0_hz, periodicity, np.broadcast_to(loudness_db, n), np.zeros((-(-n // 8), 0)), (), 200.0, 8)


def test_what_was_lost_is_counted_where_it_sounds() -> None:
    sure, level = np.ones(400), np.full(400, -20.0)
    sure[100:120], sure[200:204], sure[300:400], level[300:400] = 0.2, 0.2, 0.2, -70.0
    f0_hz = np.full(400, 440.0)
    f0_hz[40:60] = 98.0
    lost = find_lost(performance(f0_hz, sure, level))
    assert (lost.seconds, lost.outside_s, lost.first_s) == (0.1, 0.0, 0.5)
    lost = find_lost(performance(f0_hz, sure, level), VIOLIN)
    assert (lost.seconds, lost.outside_s) == (0.2, 0.1) and lost.spans_s == ((0.2, 0.3), (0.5, 0.6))
    assert "0.20 s" in lost.sentence and "first at 0.20 s" in lost.sentence and "0.10 s of them out of" in lost.sentence
    assert find_lost(performance(f0_hz, np.ones(400))).sentence == ""


@pytest.mark.parametrize("factor", [2.0, 3.7, 0.5])
def test_a_stretch_keeps_steps(factor: float) -> None:
    stepped = performance(np.repeat([490.0, 98.0, 500.0], 100), np.ones(300)).stretch(factor)
    assert set(np.round(np.unique(stepped.f0_hz))) == {490, 98, 500}
    near = performance(np.repeat([440.0, 460.0], 100), np.ones(200)).stretch(4.0)
    assert len(np.unique(near.f0_hz)) == 5  # within a glide it is linear


@pytest.mark.parametrize("n", [20, 21, 60])
def test_a_note_of_two_equal_halves_has_a_pitch(n: int) -> None:
    """Its median lies between the halves, more than a semitone from every frame."""
    f0_hz = np.concatenate([np.full(n // 2, 490.0), np.full(n // 2, 98.0)])
    found = segment_notes(f0_hz, np.ones(len(f0_hz)), np.full(len(f0_hz), -20.0), 200.0)
    assert found and all(np.isfinite(pitch) for _, _, pitch in found)


def test_what_was_lost_is_drawn() -> None:
    from io import BytesIO

    from ddspvae.evaluation.plots import plot_performance

    pictures = []
    for lost_s in ((), ((0.2, 0.4),)):
        pictures.append(BytesIO())
        steady = performance(np.full(200, 440.0), np.ones(200))
        plot_performance(tone(440.0, 1.0), 48_000, steady, pictures[-1], lost_s=lost_s)
    assert pictures[0].getvalue() != pictures[1].getvalue()
