"""The rows of the ablation differ from the package's own model in what they name, and in nothing else."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from ddspvae.evaluation.perceptual import Judgement
from ddspvae.features.bands import band_centres
from ddspvae.features.extract import extract
from ddspvae.features.f0 import track_f0
from ddspvae.instrument.presets import FILE_FORMAT
from ddspvae.model.config import ModelConfig
from ddspvae.model.encoder_inputs import EncoderInputs
from ddspvae.signals.checks import InputError
from ddspvae.signals.units import hz_to_cents
from ddspvae.training.dataset import Batch, Crops, Take
from ddspvae.training.trainer import Run, TrainingConfig, training_loss

from ..conftest import melody_take, tone

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))  # scripts import each other by their bare names

from variants import VARIANTS, Material, Outcome, gain_interval, mean_scores, resynthesize, run_row
from variants_networks import Forgetful, FreeLevel, FreeRoom, Plain, Residual, Transients
from variants_training import (
    SECOND_STAGE,
    AdversarialRun,
    AudioRun,
    VariantRun,
    altered_copies,
    crowded,
    tracked,
)

RATE, HOP = 16_000, 80
SMALL = ModelConfig(sample_rate=RATE, hop_size=HOP, n_z=8, n_harmonics=30, n_noise_bands=17, encoder_channels=16,
                    decoder_channels=16, rooms=("booth",))


@pytest.fixture(scope="module")
def take() -> Take:
    audio = melody_take(4.0, RATE)
    return Take(Path("booth/a.wav"), audio, extract(audio, RATE, HOP), "booth")


@pytest.fixture(scope="module")
def batch(take) -> Batch:
    return Crops([take], SMALL.rooms, 160, 0, HOP).draw(2, np.random.default_rng(0))


def made(network: type[Plain]) -> Plain:
    torch.manual_seed(0)
    return network(SMALL)


def test_the_plain_row_has_the_loss_of_the_package(batch):
    model = made(Plain)
    run = VariantRun(model, TrainingConfig(steps=4))
    for has_details in (False, True):
        torch.manual_seed(1)
        expected, bits = training_loss(model, batch, has_details)
        torch.manual_seed(1)
        run.has_details = has_details
        loss, own_bits = run.loss(batch)
        assert torch.equal(loss, expected)
        assert torch.equal(bits, own_bits)


def test_the_plain_row_takes_the_steps_of_the_package(take):
    crops = Crops([take], SMALL.rooms, 160, 64, HOP)
    runs = [Run(made(Plain), TrainingConfig(steps=4), torch.device("cpu")), VariantRun(made(Plain), TrainingConfig(steps=4))]
    losses = [[run.advance(crops)[0] for _ in range(3)] for run in runs]
    assert losses[0] == losses[1]


def test_lines_and_ear_are_what_the_loss_is_made_of(batch):
    losses = []
    for share in (0.0, 0.2, 1.0):
        torch.manual_seed(1)
        run = VariantRun(made(Plain), TrainingConfig(steps=4), lines_share=share)
        losses.append(float(run.loss(batch)[0].detach()))
    ear, both, lines = losses
    assert both == pytest.approx(0.8 * ear + 0.2 * lines, rel=1e-4) and abs(ear - lines) > 0.01 * both


def test_a_forgetful_prior_expects_nothing_and_learns_nothing_of_it(take):
    run = VariantRun(made(Forgetful), TrainingConfig(steps=4))
    crops = Crops([take], SMALL.rooms, 160, 64, HOP)
    run.advance(crops)
    persistence = run.model.encode(take.heard()).persistence
    assert persistence is not None and not persistence.any()
    assert made(Plain).encode(take.heard()).persistence.max() > 0.1


def test_noise_bands_lie_elsewhere_only_inside():
    before = band_centres(9)
    with crowded(1.001):
        np.testing.assert_allclose(band_centres(9), np.linspace(0, 1, 9), atol=1e-3)
    assert torch.equal(band_centres(9), before)


@pytest.mark.parametrize("network", [
    Plain, *(pytest.param(network, marks=pytest.mark.slow) for network in (FreeLevel, FreeRoom, Transients, Residual))])
def test_every_network_learns_and_plays_as_long_as_the_take(network, take):
    run = AudioRun(made(network), TrainingConfig(steps=12))
    crops = Crops([take], SMALL.rooms, 160, 64, HOP)
    distances, compare = [], run.compare
    run.compare = lambda *args: distances.append(compare(*args)) or distances[-1]
    for _ in range(12):
        run.advance(crops)
    assert np.mean([float(d.detach()) for d in distances[-3:]]) < np.mean([float(d.detach()) for d in distances[:3]])
    sound, bits = resynthesize(run.average, take)
    assert sound.shape == take.audio.shape and np.isfinite(sound).all() and np.abs(sound).max() > 0.01
    assert bits > 0 and np.array_equal(sound, resynthesize(run.average, take)[0])


@pytest.mark.parametrize(("network", "own"), [
    (FreeLevel, "level_head.weight"), (FreeRoom, "taps"), (Transients, "atoms"), (Residual, "residual_head.weight")])
def test_what_a_network_adds_gets_a_gradient(network, own, batch):
    model = made(network)
    run = AudioRun(model, TrainingConfig(steps=4))
    run.step = 2  # by then it plays in the room
    run.loss(batch)[0].backward()
    gradient = dict(model.named_parameters())[own].grad
    assert gradient is not None and gradient.abs().sum() > 0


def test_a_residual_is_small_causal_and_bounded(batch):
    model = made(Residual).eval()
    with torch.no_grad():
        model.residual_head.bias.fill_(9.0)
        before = torch.randn(2, 160 * HOP)
        z = model.to_z(model.encode(batch.heard))
        later = before.clone()
        later[:, 80 * HOP :] = 0
        one, other = (model.after_room(audio, batch.heard, z) - audio for audio in (before, later))
    assert torch.equal(one[:, : 80 * HOP], other[:, : 80 * HOP]) and not torch.equal(one, other)
    amplitude = 10 ** (batch.heard.loudness_db.amax(dim=(1, 2)) / 20)
    assert (one.abs().amax(1) <= 0.5 * amplitude.clamp(min=1e-5) * 1.001).all()
    added = sum(p.numel() for name, p in model.named_parameters() if name.startswith("residual"))
    assert added < 50_000


def test_transients_sound_at_onsets_and_nowhere_else():
    audio = np.concatenate([np.zeros(RATE // 2, dtype=np.float32), tone(300.0, 1.5, RATE)])
    heard = EncoderInputs.of(extract(audio, RATE, HOP), audio)
    model = made(Transients)
    with torch.no_grad():
        added = model.before_room(torch.zeros(1, len(audio)), heard, model.to_z(model.encode(heard)))[0]
    energy = added.square()
    near = slice(round(0.45 * RATE), round(0.65 * RATE))
    assert energy.sum() > 0 and energy[near].sum() > 0.999 * energy.sum()


def test_a_free_response_keeps_its_first_tap():
    model = made(FreeRoom)
    with torch.no_grad():
        model.taps.fill_(1.0)
    response = model.response(torch.tensor([0]), None)
    assert response.shape == (1, RATE) and response[0, 0] == 1 and torch.all(response[0, 1:] == 0.01)


def test_the_second_stage_rests_the_encoder_and_teaches_the_judges(take):
    crops = Crops([take], SMALL.rooms, 160, 64, HOP)
    run = AdversarialRun(made(Plain), TrainingConfig(steps=6), n_ffts=(512, 256))
    judge = run.judges[0].layers[0].bias.clone()
    while run.progress < SECOND_STAGE:
        run.advance(crops)
    assert torch.equal(judge, run.judges[0].layers[0].bias)
    rested = {name: p.clone() for name, p in run.model.named_parameters()}
    run.advance(crops)
    moved = {name for name, p in run.model.named_parameters() if not torch.equal(p, rested[name])}
    assert not torch.equal(judge, run.judges[0].layers[0].bias)
    assert "decoder.harmonic_head.weight" in moved and not moved & {"named_bits", "room_energy", "room_decay"}
    assert all(p.requires_grad for p in run.judges.parameters())


def test_altered_copies_sound_as_their_features_say(take):
    copies = altered_copies([take], RATE, HOP, seed=1)
    assert len(copies) == 2
    for copy in copies:
        heard = extract(copy.audio, RATE, HOP)
        sure = (heard.periodicity > 0.9) & (copy.features.periodicity > 0.9)
        cents = hz_to_cents(heard.f0_hz[sure], copy.features.f0_hz[sure])
        assert sure.mean() > 0.4 and np.median(np.abs(cents)) < 5
        np.testing.assert_allclose(heard.loudness_db, copy.features.loudness_db, atol=1e-3)
        assert len(copy.audio) == copy.n_frames * HOP and np.abs(copy.audio).max() <= 1
    shifts = [len(take.audio) / len(copy.audio) for copy in copies]
    assert all(0.01 < abs(np.log(shift)) < 0.07 for shift in shifts) and abs(shifts[0] - shifts[1]) > 0.01


def test_a_difference_that_is_chance_has_zero_in_its_interval():
    random = np.random.default_rng(0)
    plain = [random.uniform(2, 4, 10), random.uniform(2, 4, 6)]
    mean, low, high = gain_interval(plain, [row + 0.01 * random.standard_normal(len(row)) for row in plain])
    assert low < 0 < high and abs(mean) < 0.01
    mean, low, high = gain_interval(plain, [row + 0.1 for row in plain])
    assert mean == pytest.approx(low) == pytest.approx(high) == pytest.approx(0.1)
    assert all(map(math.isnan, gain_interval([], [])))


def test_a_finished_row_is_taken_as_it_is_and_another_seed_is_another_row(tmp_path):
    material = Material(tmp_path / "nowhere", (tmp_path / "held.flac",), 80.0)
    outcome = Outcome("no room", [7.0, 8.0], 6.5, 4.0, 0.99, 0.3, 2.0, [[3.0, 3.2]], 3.1, 2.8, 1990.0, {"texture": 9.0},
                      500_000, 0.4, 250, 3.0, 1.5)
    asked = {"format": FILE_FORMAT, "steps": 250, "minutes": None, "seed": 1, "bitrate": 2000.0, "tracker": "swift",
             "seconds": 80.0, "held_out": ["held.flac"], "judged": True}
    (tmp_path / "no-room.json").write_text(json.dumps({**asdict(outcome), "asked": asked}))
    assert run_row("no room", material, TrainingConfig(steps=250, seed=1), tmp_path) == outcome
    with pytest.raises(InputError, match="nowhere"):  # it goes to train
        run_row("no room", material, TrainingConfig(steps=250, seed=2), tmp_path)


def test_scores_that_are_missing_do_not_count():
    assert mean_scores([Judgement(3.0, 2.0), Judgement(4.0), None]) == (3.5, 2.0)
    assert all(math.isnan(score) for score in mean_scores([None]))


def test_every_row_has_a_model_that_the_package_takes():
    for variant in VARIANTS.values():
        ModelConfig(**{**variant.model, **variant.found})


def test_pitch_is_as_tracked_only_inside():
    audio = melody_take(2.0, RATE)
    with tracked(is_refined=False):
        rough = extract(audio, RATE, HOP)
    refined = extract(audio, RATE, HOP)
    f0_hz, _ = track_f0(audio, RATE, HOP)
    assert np.array_equal(rough.f0_hz, f0_hz) and not np.array_equal(refined.f0_hz, f0_hz)
