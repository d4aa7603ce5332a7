"""One training run: the budget, a step, and what must be saved to go on after a kill."""

from __future__ import annotations

import copy
import json
import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ddspvae.checks import InputError, check_choice, check_range
from ddspvae.model.autoencoder import Autoencoder
from ddspvae.model.bottleneck import sounding_rows
from ddspvae.synth.render import render
from ddspvae.synth.reverb import impulse_response
from ddspvae.training.dataset import Batch, Crops
from ddspvae.training.losses import beat_span, spectral_loss
from ddspvae.training.rate import CONTROLLERS, make_controller
from ddspvae.training.validation import TrainingStopped

WARMUP_FRAMES = 64  # of each crop, left out of the loss: the stack and the room have heard nothing yet
TABLE_POINTS = 8  # per harmonic while training: 65 dB is more than a loss can see
DRY_UNTIL = 0.15  # of the budget; a room learned beside an untrained instrument eats it
RATE_SETTLED = 0.5  # of the budget: the controller's ramp is over
SCALES_PER_STEP = 3  # of the six, drawn anew each step
GAIN_PACE = 10.0  # likewise, for one number that the bitrate is held by
ROOM_PACE = 5.0  # of the learning rate: 14 bounded numbers on a logistic scale, with far to go


@dataclass(frozen=True)
class TrainingConfig:
    """How to train.

    Args:
        minutes, steps: the budget, one of them; minutes count the loop alone, over all resumes.
        bitrate: bit/s of z to end at.
        batch_size: crops a step.
        learning_rate: at the top of the schedule; falls to a twentieth.
        seed: of everything random.
        controller: of the bitrate, one of training.rate.CONTROLLERS.
    """

    minutes: float | None = None
    steps: int | None = None
    bitrate: float = 500.0
    batch_size: int = 4
    learning_rate: float = 3e-3
    seed: int = 0
    controller: str = "log-dual"

    def __post_init__(self) -> None:
        if (self.minutes is None) == (self.steps is None):
            raise InputError("train: give either minutes or steps, not both and not neither.")
        if self.minutes is not None:
            check_range("train", "minutes", self.minutes, 0.01, 100_000)
        if self.steps is not None:
            check_range("train", "steps", self.steps, 1, 100_000_000)
        check_range("train", "bitrate", self.bitrate, 10, 20_000)
        check_choice("train", "controller", self.controller, CONTROLLERS)
        check_range("train", "seed", self.seed, 0, 2**31 - 1)

    def progress(self, seconds: float, step: int) -> float:
        """Share of the budget that is spent, 0 to 1."""
        spent = seconds / (self.minutes * 60) if self.minutes is not None else step / (self.steps or 1)
        return min(1.0, spent)

    def rate_at(self, progress: float) -> float:
        """Learning rate: linear warm-up over 2 %, then a cosine to a twentieth."""
        cosine = 0.05 + 0.95 * (1 + math.cos(math.pi * progress)) / 2
        return self.learning_rate * min(1.0, (progress + 0.002) / 0.02) * cosine


def training_loss(model: Autoencoder, batch: Batch, sizes: tuple[int, ...], with_room: bool, noise_seed: int
                  ) -> tuple[torch.Tensor, torch.Tensor]:
    """Play a batch back with z drawn from its posterior.

    Returns:
        spectral loss and what the bottleneck asks for, scalar; and the rate of each axis of z [Z] in bit/s.
    """
    config, heard = model.config, batch.heard
    rows = sounding_rows(heard.loudness_db[..., 0], config.frames_per_z)
    bottled = model.bottleneck(model.encode(heard), rows)
    room = model.room(batch.room) if with_room else None
    controls = model.decode(*heard.curves, bottled.z, room)
    each, which = batch.room.unique(return_inverse=True)  # an impulse response is a second long
    alone = None if room is None else model.room(each)
    response = None if alone is None else impulse_response(alone, config.sample_rate)[which]
    seeds = torch.arange(len(heard.audio), device=heard.audio.device) + noise_seed * len(heard.audio)
    audio = render(controls, config.sample_rate, config.hop_size, response=response, seed=seeds,
                   with_noise=config.with_noise, points_per_harmonic=TABLE_POINTS)
    warm = WARMUP_FRAMES * config.hop_size
    span = beat_span(heard.f0_hz[:, WARMUP_FRAMES:], config.sample_rate)
    loss = spectral_loss(heard.audio[:, warm:], audio[:, warm:], sizes, span)
    return loss + bottled.loss, bottled.bits


class Run:
    """One training run: what changes from step to step, and how it is saved."""

    n_scales = SCALES_PER_STEP

    def __init__(self, model: Autoencoder, config: TrainingConfig, device: torch.device) -> None:
        self.model = model.to(device)
        self.average = copy.deepcopy(self.model).eval()
        rooms = [model.room_energy, model.room_decay]
        others = [p for p in model.parameters() if p is not model.named_bits and all(p is not r for r in rooms)]
        self.optimizer = torch.optim.Adam([
            {"params": others, "pace": 1.0}, {"params": rooms, "pace": ROOM_PACE},
            {"params": [model.named_bits], "pace": GAIN_PACE}])
        self.rate = make_controller(config.controller, config.bitrate)
        self.is_charged = model.config.n_z > 0 and not model.bottleneck.discrete
        self.config, self.device = config, device
        self.step = 0
        self.seconds = 0.0
        self.best_loss = float("inf")
        self.best = copy.deepcopy(self.average.state_dict())
        self.rows: list[dict[str, Any]] = []
        self.failure = ""

    @property
    def progress(self) -> float:
        """Share of the budget that is spent."""
        return self.config.progress(self.seconds, self.step)

    def advance(self, crops: Crops, sizes: tuple[int, ...]) -> tuple[float, torch.Tensor]:
        """One optimizer step; loss, and bit/s of each axis [Z]."""
        began = time.perf_counter()
        random = np.random.default_rng((self.config.seed, self.step))
        torch.manual_seed(int(random.integers(2**31)))
        progress = self.progress
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.rate_at(progress) * group["pace"]
        batch = crops.draw(self.config.batch_size, random).to(self.device)
        chosen = tuple(random.choice(sizes, size=min(self.n_scales, len(sizes)), replace=False).tolist())
        self.model.train()
        loss, bits = self.loss(batch, chosen, progress >= DRY_UNTIL)
        if not torch.isfinite(loss):
            raise TrainingStopped(f"train: the loss is not finite at step {self.step}; the last checkpoint is kept. "
                                  "Try another --seed, or look for broken recordings in the doctor's report.")
        cost = self.rate.cost(bits, progress) if self.is_charged else loss.new_zeros(())
        self.optimizer.zero_grad()
        (loss + cost + self.model.expectation_loss(batch.heard)).backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 3.0)
        self.optimizer.step()
        self._average()
        self.step += 1
        self.seconds += time.perf_counter() - began
        return float(loss.detach()), bits.detach()

    def loss(self, batch: Batch, sizes: tuple[int, ...], with_room: bool) -> tuple[torch.Tensor, torch.Tensor]:
        """Of this step, as `training_loss`; an experiment may put its own in this place."""
        return training_loss(self.model, batch, sizes, with_room, self.step)

    @torch.no_grad()
    def _average(self) -> None:
        decay = min(0.995, (1 + self.step) / (10 + self.step))
        for mean, now in zip(self.average.parameters(), self.model.parameters()):
            mean.lerp_(now, 1 - decay)
        for kept, fresh in zip(self.average.buffers(), self.model.buffers()):
            kept.copy_(fresh)

    def state(self) -> dict[str, Any]:
        """For the checkpoint."""
        return {"rows": json.dumps(self.rows), "failure": self.failure,
                "model": self.model.state_dict(), "average": self.average.state_dict(), "best": self.best,
                "optimizer": self.optimizer.state_dict(), "rate": json.dumps(self.rate.state()), "step": self.step,
                "seconds": self.seconds, "best_loss": self.best_loss}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.rate = make_controller(self.config.controller, self.config.bitrate, **json.loads(state["rate"]))
        self.step, self.seconds, self.best_loss = state["step"], state["seconds"], state["best_loss"]
        self.best, self.rows, self.failure = state["best"], json.loads(state["rows"]), state["failure"]

    def keep_if_best(self, loss: float) -> None:
        """Remember the averaged weights if they are the best so far, once the rate of z has come down."""
        if self.progress >= RATE_SETTLED and loss < self.best_loss:
            self.best_loss = loss
            self.best = {key: value.clone() for key, value in self.average.state_dict().items()}
