"""One training run: the budget, a step, and what must be saved to go on after a kill."""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from ddspvae.model.autoencoder import Autoencoder
from ddspvae.model.bottleneck import sounding_rows
from ddspvae.model.target import frame_weights
from ddspvae.model.together import mean_over_processes, sharing
from ddspvae.signals.checks import InputError, check_range
from ddspvae.training.dataset import Batch, Crops, Take
from ddspvae.training.details import DETAIL_WEIGHTS, start_details
from ddspvae.training.losses import LOSSES
from ddspvae.training.pace import Pace, choose_pace
from ddspvae.training.processes import Processes, in_parallel
from ddspvae.training.rate import CONTROLLERS, make_controller
from ddspvae.training.stream import Streamed
from ddspvae.training.validation import TrainingStopped

WARMUP_FRAMES = 64  # of each crop, left out of the loss: the stack and the room have heard nothing yet
DETAILS_FROM = 0.25  # of the budget: before, the curves and the named axes explain what they can
EXPLAINED_SHARE = 0.5  # of the loss, for what they explain alone
RATE_SETTLED = 0.5  # of the budget: the controller's ramp is over
ALONE = Processes()
GAIN_PACE = 10.0  # likewise, for one number that the bitrate is held by


@dataclass(frozen=True)
class TrainingConfig:
    """How to train.

    Args:
        minutes, steps: the budget, one of them; minutes count the loop alone, over all resumes.
        bitrate: bit/s of z to end at.
        batch_size: crops a step.
        learning_rate: at the top of the schedule; falls to a twentieth.
        seed: of everything random.
        most_steps: the run ends after these, whatever the budget; None sets no limit.
        controller: of the bitrate, one of training.rate.CONTROLLERS.
        loss: between what is played and what was measured, one of training.losses.LOSSES.
    """

    minutes: float | None = None
    steps: int | None = None
    bitrate: float = 2000.0
    batch_size: int = 4
    learning_rate: float = 2e-3
    seed: int = 0
    most_steps: int | None = None
    controller: str = "log-dual"
    loss: str = "ear"

    def __post_init__(self) -> None:
        if (self.minutes is None) == (self.steps is None):
            raise InputError("train: give either minutes or steps, not both and not neither.")
        if self.minutes is not None:
            check_range("train", "minutes", self.minutes, 0.01, 100_000)
        if self.steps is not None:
            check_range("train", "steps", self.steps, 1, 100_000_000)
        check_range("train", "bitrate", self.bitrate, 10, 20_000)
        check_range("train", "batch", self.batch_size, 1, 100_000)
        CONTROLLERS.check("train", self.controller)
        LOSSES.check("train", self.loss)
        check_range("train", "seed", self.seed, 0, 2**31 - 1)

    def progress(self, seconds: float, step: int) -> float:
        """Share of the budget that is spent, 0 to 1."""
        spent = seconds / (self.minutes * 60) if self.minutes is not None else step / (self.steps or 1)
        return min(1.0, max(spent, step / self.most_steps if self.most_steps else 0.0))

    def rate_at(self, progress: float) -> float:
        """Learning rate: linear warm-up over 2 %, then a cosine to a twentieth."""
        cosine = 0.05 + 0.95 * (1 + math.cos(math.pi * progress)) / 2
        return self.learning_rate * min(1.0, (progress + 0.002) / 0.02) * cosine


def training_loss(model: Autoencoder, batch: Batch, with_details: bool, loss_name: str = "ear"
                  ) -> tuple[torch.Tensor, torch.Tensor]:
    """Say what is to be played with z drawn from its posterior, and compare that with what was measured in the recording.

    Returns:
        loss, scalar: of the levels of harmonics and noise, of those that the axes without names had no part in, of what is
        expected of these axes, and what the bottleneck asks for; and the rate of each axis of z [Z] in bit/s.
    """
    config, heard = model.config, batch.heard
    rows = sounding_rows(heard.loudness_db[..., 0], config.frames_per_z)
    listened = model.listen(heard)
    assert listened.explained is not None and listened.measured is not None
    bottled = model.bottleneck(listened.latents, rows)
    weight = frame_weights(heard.loudness_db[..., 0], float(model.decoder.typical.loud_db))
    weight = torch.cat([torch.zeros_like(weight[:, :WARMUP_FRAMES]), weight[:, WARMUP_FRAMES:]], dim=1)
    z = bottled.z
    if model.n_unnamed and not with_details:
        z = torch.cat([z[..., : model.n_named], torch.zeros_like(z[..., model.n_named : config.n_running]),
                       z[..., config.n_running :]], dim=-1)
    error = LOSSES[loss_name](heard, listened.measured, weight, config.sample_rate)
    loss = error(model.explain(heard, z)) + bottled.loss
    if model.n_unnamed:
        loss = loss + EXPLAINED_SHARE * error(listened.explained)
    if listened.surprise is not None:
        loss = loss + listened.surprise
    return loss, bottled.bits


class Run:
    """One training run: what changes from step to step, and how it is saved."""

    def __init__(self, model: Autoencoder, config: TrainingConfig, device: torch.device,
                 processes: Processes = ALONE, precision: str = "float32") -> None:
        self.model, self.processes = model.to(device), processes
        self._parallel: nn.Module | None = None
        self.precision, self._pace = precision, None if precision == "auto" else choose_pace(precision, device)
        self.average = copy.deepcopy(self.model).eval()
        quick = [model.named_bits, model.persistence]
        self._weights, self._averaged = [*model.parameters()], [*self.average.parameters()]
        others = [p for p in self._weights if all(p is not q for q in quick)]
        self.optimizer = torch.optim.Adam([{"params": others, "pace": 1.0}, {"params": quick, "pace": GAIN_PACE}],
                                          fused=device.type in ("cpu", "cuda"))
        self.rate = make_controller(config.controller, config.bitrate)
        self.is_charged = model.config.n_z > 0 and not model.bottleneck.discrete
        self.config, self.device = config, device
        self.step = 0
        self.seconds = 0.0
        self.best_loss = float("inf")
        self.best = copy.deepcopy(self.average.state_dict())
        self.rows: list[dict[str, Any]] = []
        self.failure = ""
        self.has_details = not model.n_unnamed

    @property
    def progress(self) -> float:
        """Share of the budget that is spent."""
        return self.config.progress(self.seconds, self.step)

    def advance(self, crops: Crops | Streamed) -> tuple[float, torch.Tensor]:
        """One optimizer step; loss, and bit/s of each axis [Z]."""
        began = time.perf_counter()
        random = np.random.default_rng((self.config.seed, self.step))
        torch.manual_seed(int(random.integers(2**31)))
        progress = self.progress
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.rate_at(progress) * group["pace"]
        batch = crops.draw(self.config.batch_size, random, self.processes.share, self.step).to(self.device)
        self.model.train()
        if not self.has_details and progress >= DETAILS_FROM and self.model.n_unnamed:
            self.start_details(crops.takes)
        if self._pace is None:
            self._pace = self.processes.agree(choose_pace(self.precision, self.device, partial(self._attempt, batch)))
        with sharing(self.processes.share), self._pace.on(self.device):
            if self._parallel is None and self.processes.count > 1:
                self._parallel = in_parallel(self.model, self.loss, self.device)
            loss, bits = (self._parallel or self.loss)(batch)
            told, whole = mean_over_processes(torch.cat([loss.detach()[None], bits.detach()])).tensor_split([1])
        if not torch.isfinite(told):
            raise TrainingStopped(f"train: the loss is not finite at step {self.step}; the last checkpoint is kept. "
                                  "Try another --seed, or look for broken recordings in the doctor's report.")
        bits = bits + (whole - bits).detach()  # the rate of the whole batch, the gradient of these rows
        cost = self.rate.cost(bits, progress) if self.is_charged else loss.new_zeros(())
        self.optimizer.zero_grad()
        (loss + cost).backward()
        torch.nn.utils.clip_grad_norm_(self._weights, 3.0, foreach=True if self.device.type == "cpu" else None)
        self.optimizer.step()
        self._average()
        self.step += 1
        self.seconds = self.processes.agree_number(self.seconds + time.perf_counter() - began, self.device)
        return float(told), bits.detach()

    def _attempt(self, batch: Batch, pace: Pace) -> None:
        """A loss and its gradients, for the clock alone; each process for itself."""
        with pace.on(self.device):
            loss, _ = self.loss(batch)
        loss.backward()
        self.optimizer.zero_grad()

    def loss(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Of this step, as `training_loss`; an experiment may put its own in this place."""
        return training_loss(self.model, batch, self.has_details, self.config.loss)

    def start_details(self, takes: Sequence[Take]) -> None:
        """Let the axes without names begin as the principal axes of what is left unexplained."""
        start_details(self.model, takes, self.config.bitrate, self.device)
        self.processes.align(self.model)
        names = [name for name, _ in self.model.named_parameters() if name in DETAIL_WEIGHTS]
        ours, averaged = dict(self.model.named_parameters()), dict(self.average.named_parameters())
        with torch.no_grad():
            for name in names:
                averaged[name].copy_(ours[name])
        self.has_details, self._parallel = True, None  # what learns is not the same any more

    @torch.no_grad()
    def _average(self) -> None:
        decay = min(0.995, (1 + self.step) / (10 + self.step))
        follow = torch.optim.swa_utils.get_ema_multi_avg_fn(decay)
        follow(self._averaged, self._weights, None)
        for kept, fresh in zip(self.average.buffers(), self.model.buffers()):
            kept.copy_(fresh)

    def state(self) -> dict[str, Any]:
        """For the checkpoint."""
        return {"rows": json.dumps(self.rows), "failure": self.failure,
                "model": self.model.state_dict(), "average": self.average.state_dict(), "best": self.best,
                "optimizer": self.optimizer.state_dict(), "rate": json.dumps(self.rate.state()), "step": self.step,
                "seconds": self.seconds, "best_loss": self.best_loss, "has_details": self.has_details}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.rate = make_controller(self.config.controller, self.config.bitrate, **json.loads(state["rate"]))
        self.step, self.seconds, self.best_loss = state["step"], state["seconds"], state["best_loss"]
        self.best, self.rows, self.failure = state["best"], json.loads(state["rows"]), state["failure"]
        self.has_details, self._parallel = state["has_details"], None

    def keep_if_best(self, loss: float) -> None:
        """Remember the averaged weights if they are the best so far, once the rate of z has come down."""
        if self.progress >= RATE_SETTLED and loss < self.best_loss:
            self.best_loss = loss
            self.best = {key: value.clone() for key, value in self.average.state_dict().items()}
