"""Curves that a person gives, and how they are joined to those that the performer plays."""

from __future__ import annotations

import numpy as np
import pytest

from ddspvae.editing.inpainting import Given, fill, read_given_csv
from ddspvae.features.f0_csv import write_f0_csv
from ddspvae.signals import Performance
from ddspvae.signals.checks import InputError
from ddspvae.signals.units import hz_to_pitch, pitch_to_hz

RATE = 200.0


def melody(seconds: float = 4.0, cents: float = 0.0, vibrato_cents: float = 20.0, rate_hz: float = 5.0) -> Performance:
    """Half-second notes on a third, joined by 60 ms glides, with vibrato, swells, and the unrest of measured curves."""
    n = round(seconds * RATE)
    time_s = np.arange(n) / RATE
    step = np.where((time_s % 1) < 0.5, 0.0, 4.0)
    kernel = np.hanning(14)[1:-1]
    glided = np.convolve(np.pad(step, 6, mode="edge"), kernel / kernel.sum(), mode="same")[6:-6]
    pitch = 67 + glided + cents / 100 + vibrato_cents / 100 * np.sin(2 * np.pi * rate_hz * time_s)
    level = -25 + 4 * np.sin(2 * np.pi * 0.4 * time_s) - 3 * np.cos(2 * np.pi * 2 * time_s)
    random = np.random.default_rng(round(abs(cents)))
    pitch += 0.005 * random.standard_normal(n)
    level += 0.2 * random.standard_normal(n)  # second differences up to 1 dB, as in recordings of a violin
    z = random.standard_normal((-(-n // 8), 2))
    return Performance(pitch_to_hz(pitch), np.ones(n), level, z, ("brightness", "b"), RATE, 8)


def only(take: Performance, curve: str, *spans: tuple[float, float]) -> list[Given]:
    whole = Given.of_take(curve, take)
    return [whole.within(*span) for span in spans]


def second_differences(curve: np.ndarray, is_open: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Magnitudes where all three frames are given, and where given and open frames meet."""
    bend = np.abs(np.diff(curve, 2))
    n_open = is_open[:-2].astype(int) + is_open[1:-1] + is_open[2:]
    return bend[n_open == 0], bend[(n_open == 1) | (n_open == 2)]


SPANS = ((0.8, 1.6), (2.1, 2.13), (3.0, 3.37))


@pytest.mark.parametrize("cents, db", [(0, 0), (35, 2), (-300, -12), (1200, 20)])
def test_the_second_difference_at_borders_is_no_larger_than_inside(cents, db):
    played, take = melody(), melody(cents=cents, vibrato_cents=40, rate_hz=6.3).change_loudness(db)
    spans = (*SPANS[::2], (2.0, 2.4))
    out = fill(played, [*only(take, "f0", *spans), *only(take, "loudness", *spans)])
    time_s = np.arange(played.n_frames) / RATE
    is_open = ~np.any([(time_s > a - 1e-9) & (time_s < b + 1e-9) for a, b in spans], axis=0)
    for curve in (1200 * np.log2(out.f0_hz.astype(float)), out.loudness_db.astype(float)):
        inside, across = second_differences(curve, is_open)
        assert len(across) == 12
        assert across.max() <= np.quantile(inside, 0.99)


def test_without_the_join_there_would_be_a_seam():
    played, take = melody(), melody(cents=35)
    pasted = np.where(np.arange(800) < 400, take.f0_hz, played.f0_hz).astype(float)
    inside, across = second_differences(1200 * np.log2(pasted), np.arange(800) >= 400)
    assert across.max() > 2 * inside.max()


def test_what_is_given_is_played_as_it_is_given():
    played, take = melody(), melody(cents=700, vibrato_cents=50)
    out = fill(played, [*only(take, "f0", *SPANS), *only(take, "loudness", *SPANS)])
    for start_s, stop_s in SPANS:
        frames = slice(round(start_s * RATE), round(stop_s * RATE) + 1)
        np.testing.assert_allclose(1200 * np.log2(out.f0_hz[frames] / take.f0_hz[frames]), 0, atol=0.01)
        np.testing.assert_array_equal(out.loudness_db[frames], take.loudness_db[frames])


def test_the_performer_is_left_alone_a_tenth_of_a_second_away():
    played, take = melody(), melody(cents=700)
    out = fill(played, only(take, "f0", (1.0, 2.0)))
    assert np.array_equal(out.f0_hz[:180], played.f0_hz[:180]) and np.array_equal(out.f0_hz[421:], played.f0_hz[421:])
    assert not np.array_equal(out.f0_hz[185:200], played.f0_hz[185:200])
    for name in ("loudness_db", "periodicity", "z"):
        assert np.array_equal(getattr(out, name), getattr(played, name))


def test_a_note_change_of_the_performer_beside_a_border_is_drawn_into_the_join():
    played = melody(vibrato_cents=0)
    jump = played.transpose(np.where(np.arange(800) < 402, 0.0, 7.0))  # 10 ms after the border
    out = fill(jump, [Given("f0", np.array([1.0, 2.0]), np.array([300.0, 300.0]))])
    bend = np.abs(np.diff(1200 * np.log2(out.f0_hz[398:430].astype(float)), 2))
    assert bend.max() < 50  # the jump itself is 700


def test_a_short_gap_is_drawn_from_end_to_end():
    before = melody(vibrato_cents=0)
    played = before.transpose(np.where(np.arange(800) < 44, -24.0, 24.0))  # changes its note in the gap
    out = fill(played, only(before, "f0", (0.1, 0.2), (0.245, 0.4)))
    np.testing.assert_allclose(hz_to_pitch(out.f0_hz[20:80].astype(float)), 67, atol=0.05)


def test_a_gap_shorter_than_two_joins_fits_both_its_ends():
    flat = Performance(np.full(200, 440.0), np.ones(200), np.full(200, -30.0), np.zeros((25, 0)), (), RATE, 8)
    given = [Given("loudness", np.array([0.0, 0.4]), np.full(2, -20.0)),
             Given("loudness", np.array([0.48, 1.0]), np.full(2, -26.0))]
    level = fill(flat, given).loudness_db
    middle = level[81:96]
    assert (np.diff(middle) <= 1e-5).all() and middle.max() <= -20 and middle.min() >= -26
    assert middle[7] == pytest.approx(-23, abs=0.01)  # as far from both


def test_one_axis_of_z_is_given_and_the_others_stay():
    played, take = melody(), melody()
    given = Given.of_frames("brightness", np.where(np.arange(100) < 50, 2.0, np.nan), RATE / 8)
    out = fill(played, [given])
    assert np.array_equal(out.z[:, 1], played.z[:, 1])
    assert (out.z[:50, 0] == 2).all() and np.array_equal(out.z[52:, 0], played.z[52:, 0])
    assert fill(played, [Given.of_take("b", take)]).z[:, 1] == pytest.approx(take.z[:, 1])


def test_the_later_of_two_holds():
    given = [Given("loudness", np.array([0.0, 2.0]), np.array([-20.0, -20.0])),
             Given("loudness", np.array([1.0, 3.0]), np.array([-40.0, -40.0]))]
    level = fill(melody(), given).loudness_db
    assert level[100] == -20 and level[300] == -40 and level[500] == -40


def test_a_rest_that_is_lifted_gets_a_pitch():
    played = melody()
    resting = Performance(played.f0_hz, np.where(np.arange(800) < 400, 1, 0), np.where(np.arange(800) < 400, -20, -120),
                          played.z, played.axis_names, RATE, 8)
    out = fill(resting, [Given("loudness", np.array([3.0, 3.5]), np.array([-30.0, -30.0]))])
    assert out.periodicity[650] == 1 and out.periodicity[500] == 0
    assert out.f0_hz[650] == resting.f0_hz[650]


def test_a_take_gives_its_pitch_only_where_it_has_one():
    take = melody()
    periodicity = np.array(take.periodicity)
    periodicity[100:200] = 0.2
    slip = np.array(take.f0_hz)
    slip[300:304] *= 0.5
    one = Given.of_take("f0", Performance(slip, periodicity, take.loudness_db, take.z, take.axis_names, RATE, 8))
    is_open = np.isnan(one.values)
    assert is_open[100:200].all() and is_open[300:304].all() and is_open.sum() == 104


def test_points_are_joined_by_straight_lines_and_nan_ends_a_span():
    one = Given("loudness", np.array([0.0, 0.01, 0.02, 0.03]), np.array([-40.0, -20.0, np.nan, -30.0]))
    assert np.array_equal(one.at(9, RATE), [-40, -30, -20, np.nan, np.nan, np.nan, -30, np.nan, np.nan], equal_nan=True)
    octave = Given("f0", np.array([0.0, 0.01]), np.array([220.0, 440.0])).at(3, RATE)
    np.testing.assert_allclose(octave, [57, 63, 69])  # straight in pitch, not in Hz


def test_another_frame_rate_is_read_at_the_same_times():
    ramp = Given.of_frames("loudness", np.linspace(-60, -20, 101), 100.0)
    np.testing.assert_allclose(ramp.at(201, RATE), np.linspace(-60, -20, 201))


def test_a_csv_drawn_by_hand(tmp_path):
    path = tmp_path / "drawn.csv"
    path.write_text("time_s,loudness_db\n0,-40\n0.5,-20\n0.6,\n1.0,-30\n")
    one = read_given_csv(path, "loudness")
    assert one.at(101, 100.0)[25] == -30 and np.isnan(one.at(101, 100.0)[[51, 70, 99]]).all()
    assert one.at(101, 100.0)[100] == -30


def test_the_csv_of_analyze_is_read_where_it_is_pitched(tmp_path):
    path = tmp_path / "take.csv"
    write_f0_csv(path, np.array([440.0, 441.0, 442.0]), np.array([0.9, 0.3, 0.9]), RATE)
    np.testing.assert_array_equal(np.isnan(read_given_csv(path, "f0").values), [False, True, False])


@pytest.mark.parametrize("text, words", [
    ("", "line 1 must be the header 'time_s,f0_hz'"),
    ("0,440\n1,441\n", "line 1 must be the header 'time_s,f0_hz', got '0,440'"),
    ("time_s,loudness_db\n0,-20\n", "got 'time_s,loudness_db'"),
    ("time_s,f0_hz\n0,440\n0.1,do\n", "line 3 must hold a time and a value"),
    ("time_s,f0_hz\n0,440,1\n", "line 2 must hold a time and a value"),
    ("time_s,f0_hz\n1,440\n0.5,450\n", "line 3: time_s must increase from 0, got 0.5 after 1"),
    ("time_s,f0_hz\n0,0\n", "line 2: f0_hz must lie between 10 and 10000, got 0"),
    ("time_s,f0_hz\n0,\n1,\n", "holds no value"),
    ("time_s,f0_hz\n", "holds no value"),
])
def test_a_wrong_csv_gets_one_sentence(tmp_path, text, words):
    path = tmp_path / "drawn.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=words):
        read_given_csv(path, "f0")


def test_wrong_curves_are_refused():
    with pytest.raises(InputError, match=r"curve must be one of .*, got 'loudnes'; did you mean 'loudness'"):
        fill(melody(), [Given("loudnes", np.array([0.0]), np.array([1.0]))])
    with pytest.raises(InputError, match=r"f0 must be given within the 4.00 s that are played, got 9.00 to 9.50 s"):
        fill(melody(), [Given("f0", np.array([9.0, 9.5]), np.array([440.0, 440.0]))])
    with pytest.raises(InputError, match="time_s must increase"):
        Given("f0", np.array([0.0, 0.0]), np.array([440.0, 440.0]))
    with pytest.raises(InputError, match="values must hold a number somewhere"):
        Given("f0", np.array([0.0]), np.array([np.nan]))
    with pytest.raises(InputError, match="loudness_db must lie between -120 and 20, got 30"):
        Given("loudness", np.array([0.0]), np.array([30.0]))
    with pytest.raises(InputError, match="f0 must come from a take with a pitch"):
        Given.of_take("f0", Performance([440.0] * 8, [0.1] * 8, [-30.0] * 8, np.zeros((1, 0)), (), RATE, 8))
    with pytest.raises(InputError, match="read_given_csv: cannot read"):
        read_given_csv("nowhere.csv", "f0")
