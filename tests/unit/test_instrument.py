"""The instrument as a user holds it: what it hears, plays, adapts and refuses."""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from ddspvae.instrument.loading import load
from ddspvae.instrument.presets import find_preset, read_card, read_weights
from ddspvae.signals import Note, Notes, Performance
from ddspvae.signals.checks import InputError

from ..conftest import tone


@pytest.fixture(scope="module")
def violin():
    return load("violin")


def test_a_take_comes_back_at_its_pitch_and_level(violin):
    take = tone(440.0, 1.5)
    performance = violin.analyze(take, 48_000)
    middle = slice(60, -60)
    assert np.abs(1200 * np.log2(performance.f0_hz[middle] / 440)).max() < 10
    sound = violin.resynthesize(performance)
    again = violin.analyze(sound, 48_000)
    assert len(sound) == len(take)
    assert np.abs(1200 * np.log2(again.f0_hz[middle] / 440)).max() < 10
    assert np.abs(again.loudness_db - performance.loudness_db)[middle].max() < 1


def test_edits_move_what_they_name(violin):
    performance = violin.analyze(tone(440.0, 1.5), 48_000)
    plain, higher, louder = (violin.analyze(violin.resynthesize(p), 48_000)
                             for p in (performance, performance.transpose(7), performance.change_loudness(6)))
    middle = slice(60, -60)
    assert np.median(12 * np.log2(higher.f0_hz / plain.f0_hz)[middle]) == pytest.approx(7, abs=0.05)
    assert np.abs(higher.loudness_db - plain.loudness_db)[middle].mean() < 1
    assert (louder.loudness_db - plain.loudness_db)[middle].mean() == pytest.approx(6, abs=0.1)
    assert np.abs(1200 * np.log2(louder.f0_hz / plain.f0_hz))[middle].max() < 3


def test_a_seed_samples_z_and_none_takes_the_mean(violin):
    notes = Notes((Note(67, 90, 0.0, 1.0),))
    plain, again, one, two = (violin.perform(notes, performer="rules", seed=seed) for seed in (None, None, 1, 2))
    assert np.array_equal(plain.z, again.z) and not np.array_equal(one.z, two.z)
    assert np.array_equal(one.f0_hz, two.f0_hz)


def test_the_learned_performer_plays_unless_it_is_told_not_to(violin):
    notes = Notes(tuple(Note(67 + step, 90, 0.6 * step, 0.6 * step + 0.6) for step in range(4)))
    plain, learned, rules = (violin.perform(notes, performer=name) for name in (None, "learned", "rules"))
    assert np.array_equal(plain.f0_hz, learned.f0_hz) and not np.array_equal(plain.f0_hz, rules.f0_hz)
    assert len({violin.perform(notes, seed=seed).f0_hz.tobytes() for seed in (1, 1, 2, 3, 4)}) > 1
    with pytest.raises(InputError, match="performer of violin must be one of learned, rules"):
        violin.perform(notes, performer="nobody")


def test_the_z_of_another_instrument_is_not_taken_for_its_own(violin):
    performance = violin.perform(Notes((Note(67, 90, 0.0, 1.0),))).offset_z({"brightness": 3.0})
    foreign = Performance(performance.f0_hz, performance.periodicity, performance.loudness_db, performance.z,
                          performance.axis_names, performance.frame_rate_hz, performance.frames_per_z, "another")
    assert np.array_equal(violin.adapt(performance).z, performance.z)
    with pytest.warns(UserWarning, match="cannot read the z of another instrument"):
        adapted = violin.adapt(foreign)
    assert not np.array_equal(adapted.z, performance.z) and np.array_equal(adapted.f0_hz, performance.f0_hz)


def test_other_rates_are_adapted(violin):
    n = 100
    z = np.zeros((25, violin.config.n_z))
    slow = Performance(np.full(n, 440.0), np.ones(n), np.full(n, -20.0), z, violin.axis_names, 100.0, 4)
    adapted = violin.adapt(slow)
    assert (adapted.n_frames, adapted.frame_rate_hz, adapted.frames_per_z) == (200, 200.0, violin.config.frames_per_z)
    assert adapted.z.shape == (200 // violin.config.frames_per_z, violin.config.n_z)


def test_rooms_dry_and_an_ir_of_ones_own(violin):
    performance = violin.perform(Notes((Note(67, 90, 0.0, 0.5),)))
    dry = violin.resynthesize(performance, dry=True)
    impulse = np.zeros(4800, dtype=np.float32)
    impulse[0] = 1
    np.testing.assert_allclose(violin.resynthesize(performance, ir=impulse)[: len(dry)], dry, atol=1e-5)
    assert len(violin.resynthesize(performance, ir=impulse)) == len(dry) + 4799
    assert not np.allclose(violin.resynthesize(performance), dry, atol=1e-4)
    with pytest.raises(InputError, match="room must be one of"):
        load("violin", room="kitchen")


def test_a_score_without_parts_and_a_silent_take(violin):
    with pytest.raises(InputError, match="the score has no parts"):
        violin.render([])
    with pytest.raises(InputError, match="the take is silent"):
        violin.analyze(np.zeros(4800, dtype=np.float32), 48_000)


def test_rate_is_kl_over_sounding_seconds(violin):
    take = np.concatenate([tone(440.0, 1.0), np.zeros(48_000, dtype=np.float32)])
    with_rest, without = violin.rate(take, 48_000), violin.rate(take[:48_000], 48_000)
    assert with_rest["bits_per_second"] == pytest.approx(without["bits_per_second"], rel=0.15)
    assert sum(with_rest["per_axis"]) == pytest.approx(with_rest["bits_per_second"])


@pytest.mark.parametrize("change, words", [
    ({"config": None}, "has no readable"),
    ({"statistics": None}, "has no readable"),
    ({"format": "one"}, "card has no format"),
    ({"format": 99}, "newer ddspvae"),
    ({"format": 1}, "older ddspvae .* train it again"),
])
def test_a_damaged_card_says_so(tmp_path, change, words):
    path = find_preset("violin")
    card = {key: value for key, value in {**read_card(path), **change}.items() if value is not None}
    damaged = tmp_path / "damaged.safetensors"
    save_file(read_weights(path), damaged, metadata={"ddspvae": json.dumps(card)})
    with pytest.raises(InputError, match=words):
        load(damaged)


def test_weights_that_do_not_fit_say_so(tmp_path):
    path = find_preset("violin")
    damaged = tmp_path / "damaged.safetensors"
    save_file({"a": np.zeros(1, np.float32)}, damaged, metadata={"ddspvae": json.dumps(read_card(path))})
    with pytest.raises(InputError, match="do not fit their own config"):
        load(damaged)
