"""Half precision where it is quicker, and what it costs."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ddspvae.features.extract import extract
from ddspvae.model.autoencoder import Autoencoder
from ddspvae.model.config import ModelConfig
from ddspvae.signals.checks import InputError
from ddspvae.training.dataset import Crops, Take
from ddspvae.training.pace import PLAIN, Pace, choose_pace, compile_stacks, quickest
from ddspvae.training.trainer import training_loss

from ..conftest import melody_take

CPU, HALF = torch.device("cpu"), Pace(is_half=True)


def test_the_plain_way_stays_unless_another_is_quicker(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("ddspvae.training.pace.time.perf_counter", lambda: clock[0])

    def measured(plain_s, half_s, ways=(PLAIN, HALF)):
        def attempt(way):
            clock[0] += half_s if way.is_half else plain_s
        return quickest(ways, attempt, CPU)

    assert measured(0.4, 0.1) == HALF and measured(0.4, 0.1, (HALF, PLAIN)) == HALF
    assert measured(0.1, 0.4) == PLAIN
    assert measured(0.4, 0.39) == PLAIN, "a gain that is hardly one"
    assert choose_pace("auto", CPU) == choose_pace("float32", CPU) == PLAIN and choose_pace("bfloat16", CPU) == HALF
    with pytest.raises(InputError, match="precision must be one of auto, bfloat16, float32, got 'half'"):
        choose_pace("half", CPU)


@pytest.mark.slow
def test_half_precision_learns_the_same_way(tmp_path):
    audio = melody_take(4.0, 16_000)
    take = Take(tmp_path, audio, extract(audio, 16_000, 80), room="a")
    torch.manual_seed(0)
    model = Autoencoder(ModelConfig(sample_rate=16_000, hop_size=80, decoder_channels=16, n_harmonics=30, rooms=("a",)))
    model.decoder.typical.fit([take.heard()], model.config.frames_per_z)
    batch = Crops([take], ("a",), 200, 64, 80).draw(4, np.random.default_rng(0))
    gradients = []
    for pace in (PLAIN, HALF):
        model.zero_grad()
        torch.manual_seed(1)
        with pace.on(CPU):
            loss, _ = training_loss(model, batch, with_details=True)
        loss.backward()
        gradients.append(torch.cat([weight.grad.flatten() for weight in model.parameters() if weight.grad is not None]))
    plain, half = gradients
    assert all(weight.dtype == torch.float32 for weight in model.parameters()) and torch.isfinite(half).all()
    assert float(torch.nn.functional.cosine_similarity(plain, half, dim=0)) > 0.99 and not torch.equal(plain, half)
    names = set(model.state_dict())
    compile_stacks(model)
    assert set(model.state_dict()) == names, "what is saved is the same, compiled or not"
