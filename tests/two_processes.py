"""A training in as many processes as torchrun has started.

    torchrun --nproc-per-node 2 tests/two_processes.py steps TAKES OUT.pt             gradients of each step to a file
    torchrun --nproc-per-node 2 tests/two_processes.py train TAKES OUT.safetensors [STEP]   the process dies at that step
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from unittest.mock import patch

import soundfile
import torch

from ddspvae.features.extract import extract
from ddspvae.model import excitation
from ddspvae.model.autoencoder import Autoencoder
from ddspvae.model.config import ModelConfig
from ddspvae.training.dataset import Crops, Take
from ddspvae.training.processes import joined
from ddspvae.training.trainer import Run, TrainingConfig

CPU = torch.device("cpu")
RATE, HOP, STEPS, BATCH = 16_000, 80, 6, 8  # details begin at step 2
WEIGHT = "weight before: "


def steps(folder: Path, begin: list[dict[str, torch.Tensor]] | None = None) -> list[dict[str, torch.Tensor]]:
    """Gradients of each step, and the weights that it begins with: its own, or those that are given."""
    torch.set_num_threads(1)
    with joined(CPU) as processes, patch.object(excitation, "MOST_NUMBERS", 2_000_000):  # which looks at every third frame
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
        for step in range(STEPS):
            if begin is not None:
                model.load_state_dict({name.removeprefix(WEIGHT): value for name, value in begin[step].items()
                                       if name.startswith(WEIGHT)})
            weights = {WEIGHT + name: value.clone() for name, value in model.state_dict().items()}
            loss, bits = run.advance(crops)
            found.append({"loss": torch.tensor(loss), "bits": bits, **weights, **{
                name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None}})
    return found


def learn(folder: Path, out: Path, stop: int = 0) -> None:
    """A whole training of 40 steps, of which each is saved; or a part of it."""
    from ddspvae.training import export, loop

    torch.set_num_threads(1)
    loop.SAVE_EVERY_S, export.PRIOR_STEPS = 0.0, 5

    def progress(row: dict[str, float]) -> None:
        if stop and row["step"] >= stop:
            if int(os.environ.get("WORLD_SIZE", "1")) > 1:
                os._exit(9)
            sys.exit(9)

    loop.train(folder, out, steps=40, batch=BATCH, device="cpu", progress=progress,
               model=ModelConfig(sample_rate=RATE, hop_size=HOP, decoder_channels=16))


if __name__ == "__main__":
    if sys.argv[1] == "train":
        learn(Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]) if len(sys.argv) > 4 else 0)
    else:
        torch.save(steps(Path(sys.argv[2])), sys.argv[3])
