"""Some steps of a training, in as many processes as torchrun has started; the gradients of each step go to a file.

    torchrun --nproc-per-node 2 tests/two_processes.py TAKES OUT.pt
"""

from __future__ import annotations

import sys
from pathlib import Path

import soundfile
import torch

from ddspvae.features.extract import extract
from ddspvae.model.autoencoder import Autoencoder
from ddspvae.model.config import ModelConfig
from ddspvae.training.dataset import Crops, Take
from ddspvae.training.processes import joined
from ddspvae.training.trainer import Run, TrainingConfig

CPU = torch.device("cpu")
RATE, HOP, STEPS, BATCH = 16_000, 80, 6, 8  # details begin at step 2


def steps(folder: Path) -> list[dict[str, torch.Tensor]]:
    """Gradients, and at the end the weights."""
    torch.set_num_threads(1)
    with joined(CPU) as processes:
        takes = []
        for path in sorted(folder.glob("*.wav")):
            audio = soundfile.read(path, dtype="float32")[0]
            takes.append(Take(path, audio, extract(audio, RATE, HOP), room="a"))
        torch.manual_seed(0)
        model = Autoencoder(ModelConfig(sample_rate=RATE, hop_size=HOP, decoder_channels=16, n_harmonics=40, rooms=("a",)))
        model.decoder.typical.fit([take.heard() for take in takes], model.config.frames_per_z)
        crops = Crops(takes, ("a",), 200, 64, HOP)
        run = Run(model, TrainingConfig(steps=STEPS, batch_size=BATCH), CPU, processes)
        found = []
        for _ in range(STEPS):
            loss, bits = run.advance(crops)
            found.append({"loss": torch.tensor(loss), "bits": bits, **{
                name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None}})
        found.append({name: weight.detach().clone() for name, weight in model.named_parameters()})
    return found


if __name__ == "__main__":
    torch.save(steps(Path(sys.argv[1])), f"{sys.argv[2]}.{sys.argv[3] if len(sys.argv) > 3 else ''}")
