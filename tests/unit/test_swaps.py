from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.optimize import fsolve

from ddspvae.evaluation.edits import Edit
from ddspvae.evaluation.independence.swaps import (
    ATTRIBUTES,
    AXIS_STEPS,
    Effect,
    all_edits,
    find_sustained,
    measure_swaps,
    summarize_axis,
)
from ddspvae.features.loudness import a_weighted_loudness
from ddspvae.signals import Performance
from ddspvae.signals.checks import InputError
from ddspvae.signals.curves import resample_curve
from ddspvae.signals.units import db_to_amplitude

RATE, HOP, ROW = 24_000, 120, 8
N_HARMONICS = 20
NOTE_S, ATTACK_S = 1.0, 0.08
AXES = ("brightness", "breathiness", "hollowness", "bite", "z5")
DEVIATIONS = {"brightness": 0.15, "breathiness": 0.5, "hollowness": 0.08, "bite": 0.7}

number = np.arange(1, N_HARMONICS + 1)
octave, odd = np.log2(number), np.where(number % 2 == 1, 1.0, -1.0) * (number > 1)


def shares_of(brightness, hollowness):
    """Amplitude shares of the harmonics whose brightness and hollowness are these."""
    def shares(p):
        weights = np.exp(-p[0] * octave + p[1] * odd)
        return weights / weights.sum()
    found = fsolve(lambda p: [shares(p) @ octave - brightness, shares(p) @ odd - hollowness], [1.0, 0.0])
    return shares(found)


class Organ:
    """An additive synth whose axes do known things, and two faults that can be switched on.

    Per unit brightness moves its attribute by 1 deviation; breathiness by 1, after the attack; hollowness by 0.7;
    bite moves the noise of the attack by 1; z5 moves brightness by 0.3, the pitch by 2.5 cents and the level by 0.5 dB.
    """

    name, tracker = "organ", "swift"
    config = SimpleNamespace(sample_rate=RATE, hop_size=HOP)

    def __init__(self, stretch=1.0, compression=1.0):
        self.stretch, self.compression = stretch, compression
        self.card = {"axes": {name: {"sd": sd} for name, sd in DEVIATIONS.items()}}

    def resynthesize(self, performance, *, dry=False, seed=0):
        bright, breath, hollow, bite, z5 = performance.z[0] if performance.axis_names else np.zeros(5)
        weights = shares_of(1.0 + DEVIATIONS["brightness"] * (bright + 0.3 * z5),
                            0.1 + DEVIATIONS["hollowness"] * 0.7 * hollow)
        n = performance.n_frames * HOP
        f0_hz = 220 * (resample_curve(np.array(performance.f0_hz, dtype=float), n) / 220) ** self.stretch
        phase = 2 * np.pi * np.cumsum(f0_hz * 2 ** (2.5 * z5 / 1200)) / RATE
        tone = sum(w * np.sin(k * phase) for k, w in zip(number, weights, strict=True))
        noise = np.random.default_rng(seed).standard_normal(n) * 0.007
        in_note_s = (np.arange(n) / RATE + 0.03) % NOTE_S  # the bow is heard before the pitch is
        attack = in_note_s < 0.03 + ATTACK_S
        noise *= np.exp(np.where(attack, DEVIATIONS["bite"] * bite, DEVIATIONS["breathiness"] * breath) / 2)
        level_db = -20 + self.compression * (np.array(performance.loudness_db, dtype=float) + 20) + 0.5 * z5
        audio = tone + noise
        heard_db = a_weighted_loudness(torch.from_numpy(audio.astype(np.float32))[None], RATE, HOP)[0].numpy()
        return (audio * db_to_amplitude(resample_curve(level_db - heard_db, n))).astype(np.float32)

    def rate(self, audio, sample_rate):
        return {"bits_per_second": 100.0, "axes_in_use": 5, "per_axis": [20.0] * 5}


def performance(notes_hz=(220.0, 330.0), axis_names=AXES):
    """Notes of 1 s, the last 0.1 s of each unpitched; the organ plays on, from its middle at the next pitch."""
    n = round(NOTE_S * RATE / HOP)
    sounding = np.tile(np.arange(n) < 0.9 * n, len(notes_hz))
    f0_hz = np.roll(np.repeat(notes_hz, n), -n // 20)
    return Performance(f0_hz, sounding.astype(float), np.full(len(f0_hz), -20.0),
                       np.zeros((-(-len(f0_hz) // ROW), len(axis_names))), axis_names, RATE / HOP, ROW)


def measure(organ, *takes):
    return {effect.edit: effect for effect in measure_swaps(organ, takes, DEVIATIONS, "autocorrelation")}


@pytest.fixture(scope="module")
def effects():
    return measure(Organ(), performance())


@pytest.fixture(scope="module")
def axes(effects):
    return {name: summarize_axis(name, list(effects.values())) for name in AXES}


def test_an_axis_that_moves_brightness_by_one_deviation_reads_one(axes):
    bright = axes["brightness"]
    assert bright.steps == (-2, -1, 0, 1, 2)
    assert bright.slopes["brightness"] == pytest.approx(1, abs=0.03)
    assert bright.changes["brightness"] == pytest.approx((-2, -1, 0, 1, 2), abs=0.06)
    assert bright.monotone
    assert bright.leaks["hollowness"] < 0.05
    assert bright.cents < 0.5 and bright.db < 0.05


def test_breath_is_read_after_the_attack_and_bite_in_it(axes):
    assert axes["breathiness"].slopes["breathiness"] == pytest.approx(1, abs=0.08)
    assert axes["breathiness"].leaks["bite"] < 0.15
    assert axes["bite"].slopes["bite"] == pytest.approx(1, abs=0.05)
    assert axes["bite"].leaks["breathiness"] < 0.05
    # breath is not brightness, but noise that falls on a missing harmonic is read as one
    assert axes["breathiness"].leaks["brightness"] < 0.15
    assert axes["bite"].monotone and axes["breathiness"].monotone


def test_an_axis_that_falls_short_reads_so(axes):
    hollow = axes["hollowness"]
    assert hollow.slopes["hollowness"] == pytest.approx(0.7, abs=0.03)
    assert hollow.leaks["brightness"] < 0.05
    assert hollow.cents < 0.5
    assert hollow.db < 0.05


def test_an_axis_that_leaks_five_cents_and_a_decibel_reads_so(axes):
    assert axes["z5"].cents == pytest.approx(5, abs=0.3)
    assert axes["z5"].db == pytest.approx(1, abs=0.05)
    assert axes["z5"].slopes["brightness"] == pytest.approx(0.3, abs=0.03)
    assert axes["z5"].monotone  # of the attribute that it moves most


def test_an_organ_that_obeys_reads_nothing_beyond_what_was_asked(effects):
    for edit in all_edits(())[:6]:
        assert effects[edit].cents < 0.5
        assert abs(effects[edit].db) < 0.1
        assert abs(effects[edit].attributes["brightness"]) < 0.3  # breath counts a little where harmonics are missing
    assert [effect.amount for effect in effects][:6] == [-5, 7, -12, -6, 6, 12]


def test_a_pitch_that_is_stretched_and_a_loudness_that_is_squeezed_are_seen():
    found = measure(Organ(stretch=1.01, compression=0.9), performance(axis_names=()))
    assert found[Edit("transpose", 7.0)].bias_cents == pytest.approx(7, abs=0.5)  # a hundredth of 700
    assert found[Edit("transpose", -5.0)].bias_cents == pytest.approx(-5, abs=0.5)
    assert found[Edit("transpose", -5.0)].cents == pytest.approx(5, abs=0.5)
    assert found[Edit("loudness", 12.0)].db == pytest.approx(-1.2, abs=0.05)
    assert found[Edit("loudness", -6.0)].db == pytest.approx(0.6, abs=0.05)


def test_sustained_frames_leave_out_attacks_ends_and_doubt():
    take = performance()
    sustained, beginning = find_sustained(take)
    n = 200
    assert np.flatnonzero(sustained[:n])[0] == 18  # 90 ms
    first, last = np.flatnonzero(beginning[n:])[[0, -1]]
    assert 0 <= first <= 3 and 5 <= last <= 20
    assert not beginning[:n].any()  # where the take begins, a note need not
    assert not (sustained & beginning).any()
    doubtful = replace(take, periodicity=np.where(np.arange(2 * n) < 100, 0.7, take.periodicity))
    assert not find_sustained(doubtful)[0][:100].any()


def effect(by, own, other=0.0, cents=0.0, db=0.0, axis="hollowness"):
    return Effect(Edit("axis", by, axis), cents, cents, db,
                  {"brightness": other, "breathiness": 0.0, "hollowness": own, "bite": 0.0})


def test_an_axis_is_summed_up_by_hand():
    one = summarize_axis("hollowness", [effect(-2.0, -1.0), effect(-1.0, -0.5, 0.2), effect(1.0, 0.5, db=-0.7),
                                        effect(2.0, 1.5, 0.2, cents=4.0), effect(2.0, 9.0, axis="bite")])
    assert one.slopes["hollowness"] == pytest.approx((2 + 0.5 + 0.5 + 3) / 10)
    assert one.leaks["brightness"] == pytest.approx(0.2)  # 0.2 for one unit, not 0.1 for each of two
    assert (one.cents, one.db, one.monotone) == (4.0, 0.7, True)


@pytest.mark.parametrize(("values", "is_monotone"), [
    ((-2, -1, 1, 2), True), ((2, 1, -1, -2), False), ((-2, 0.1, 1, 2), False), ((-2, -1, 1, 1), False)])
def test_a_named_axis_is_monotone_where_its_attribute_rises_with_every_step(values, is_monotone):
    steps = [effect(by, value) for by, value in zip(AXIS_STEPS, values, strict=True)]
    assert summarize_axis("hollowness", steps).monotone is is_monotone


def test_an_axis_without_a_name_may_go_either_way():
    down = [effect(by, -by, axis="z5") for by in AXIS_STEPS]
    assert summarize_axis("z5", down).monotone


def test_inputs_at_fault():
    with pytest.raises(InputError, match="measure_swaps: performances must hold at least one, got 0"):
        measure_swaps(Organ(), [], DEVIATIONS, "autocorrelation")
    with pytest.raises(InputError, match=f"deviations must name {', '.join(ATTRIBUTES)}, got no bite"):
        measure_swaps(Organ(), [performance()], {name: 1.0 for name in ATTRIBUTES[:3]}, "autocorrelation")
    with pytest.raises(InputError, match="deviation of bite must lie between"):
        measure_swaps(Organ(), [performance()], {**DEVIATIONS, "bite": 0.0}, "autocorrelation")
    with pytest.raises(InputError, match="summarize_axis: axis must have been moved, got 'z9'"):
        summarize_axis("z9", [])
