"""Which controller holds the bitrate of z where it was asked for: a small VAE on the features of real recordings.

    python benchmarks/controllers.py RECORDINGS --holdout FILE --minutes 8 --out controllers.csv

An encoder hears log-mel frames and writes 16 Gaussian axes, 25 rows a second; a decoder that knows pitch, periodicity
and loudness rebuilds the frames. Same data, same seed, same number of steps for every controller; the number of
steps is what the minutes allow. Those that only follow a schedule have no target, so each is given the price that
log-dual found for that target, which is the best that trying by hand could do (free bits: ten times that).
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ddspvae.audio import read_audio
from ddspvae.features.cache import cached
from ddspvae.features.f0 import track_f0
from ddspvae.features.listening_tables import N_MELS
from ddspvae.features.loudness import a_weighted_loudness, by_blocks
from ddspvae.features.timbre import timbre_frames
from ddspvae.model.bottleneck import bits_per_second, kl_nats, sample, sounding_rows
from ddspvae.model.stack import GatedStack, scale_curves
from ddspvae.signals import Latents
from ddspvae.training.rate import CONTROLLERS, make_controller, settling
from ddspvae.training.recordings import find_recordings
from ddspvae.training.schedules import RAMP_SHARE, SEARCH_SHARE, Beta

SAMPLE_RATE, HOP = 48_000, 480
FRAMES_PER_Z, Z_RATE_HZ, N_Z = 4, 25.0, 16
CROP_FRAMES, BATCH = 160, 6  # 1.6 s
TARGETS = (500.0, 2000.0)
LEARNING_RATE = 2e-3
TRIAL_STEPS = 10  # to learn what a step takes


@dataclass(frozen=True, eq=False)
class Data:
    """Crops of 1.6 s: curves [N, F, 3] as a network hears them, timbre [N, F, 64], weight [N, M] of the rows."""

    curves: Tensor
    timbre: Tensor
    weight: Tensor

    def rows(self, index: Tensor) -> Data:
        """Some of the crops."""
        return Data(self.curves[index], self.timbre[index], self.weight[index])


@dataclass(frozen=True)
class Outcome:
    """One row of the table; bit/s, shares, and error as a share of the variance of the training frames."""

    controller: str
    asked: float
    on_training: float
    held_out: float
    error_share: float
    settled_share: float
    lowest_after_ramp: float
    distortion: float
    last_price: float
    steps: int
    seconds: float


class SmallVae(nn.Module):
    """Timbre frames to z and, with the curves, back."""

    def __init__(self, n_channels: int = 64) -> None:
        super().__init__()
        self.encoder = GatedStack(N_MELS, n_channels, (1, 2, 4))
        self.head = nn.Linear(n_channels, 2 * N_Z)
        self.decoder = GatedStack(3 + N_Z, n_channels, (1, 2, 4, 8))
        self.out = nn.Linear(n_channels, N_MELS)
        with torch.no_grad():
            self.head.bias[N_Z:] = -4.0  # start nearly deterministic

    def forward(self, data: Data, variance: float) -> tuple[Tensor, Tensor]:
        """Squared error of the frames relative to their variance, and bit/s of each axis [Z]."""
        hidden = self.encoder(data.timbre)[0].unflatten(1, (-1, FRAMES_PER_Z)).mean(2)
        z_mean, z_logvar = self.head(hidden).chunk(2, dim=-1)
        latents = Latents(z_mean, z_logvar.clamp(-10.0, 2.0))
        z = sample(latents).repeat_interleave(FRAMES_PER_Z, dim=1)
        guess = self.out(self.decoder(torch.cat([data.curves, z], dim=-1))[0])
        error = (guess - data.timbre).square().mean(-1).unflatten(1, (-1, FRAMES_PER_Z)).mean(2)
        distortion = (error * data.weight).sum() / data.weight.sum().clamp(min=1) / variance
        return distortion, bits_per_second(kl_nats(latents), Z_RATE_HZ, data.weight)


def read_crops(paths: Sequence[Path], hop_frames: int) -> Data:
    """Crops that begin every hop_frames frames."""
    curves, timbres, weights = [], [], []
    for path in paths:
        audio, _ = read_audio(path, SAMPLE_RATE)

        def listen(audio: np.ndarray = audio) -> dict[str, np.ndarray]:
            f0_hz, periodicity = track_f0(audio, SAMPLE_RATE, HOP)
            batch = torch.from_numpy(np.ascontiguousarray(audio))[None]
            return {"f0_hz": f0_hz, "periodicity": periodicity,
                    "loudness_db": by_blocks(a_weighted_loudness, batch, SAMPLE_RATE, HOP)[0].numpy(),
                    "timbre": by_blocks(timbre_frames, batch, SAMPLE_RATE, HOP)[0].numpy()}

        heard = {k: torch.from_numpy(v).float() for k, v in cached(["benchmarks/controllers 1", audio], listen).items()}
        scaled = scale_curves(*(heard[k][:, None] for k in ("f0_hz", "periodicity", "loudness_db")))
        for start in range(0, len(scaled) - CROP_FRAMES + 1, hop_frames):
            cut = slice(start, start + CROP_FRAMES)
            curves.append(scaled[cut])
            timbres.append(heard["timbre"][cut])
            weights.append(sounding_rows(heard["loudness_db"][None, cut], FRAMES_PER_Z)[0])
    return Data(torch.stack(curves), torch.stack(timbres), torch.stack(weights))


def learn(name: str, target: float, settings: dict[str, float], steps: int, training: Data, held_out: Data
          ) -> Outcome:
    """Train once and measure."""
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    network = SmallVae()
    variance = float(training.timbre.var(dim=(0, 1)).mean())
    optimizer = torch.optim.Adam(network.parameters())
    controller = make_controller(name, target, **settings)
    rates, prices = [], []
    began = time.perf_counter()
    for step in range(steps):
        progress = step / steps
        cosine = 0.05 + 0.95 * (1 + np.cos(np.pi * progress)) / 2
        optimizer.param_groups[0]["lr"] = LEARNING_RATE * min(1.0, (progress + 0.002) / 0.02) * cosine
        batch = training.rows(torch.from_numpy(random.integers(len(training.curves), size=BATCH)))
        distortion, bits = network(batch, variance)
        optimizer.zero_grad()
        (distortion + controller.cost(bits, progress)).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 3.0)
        optimizer.step()
        rates.append(float(bits.detach().sum()))
        prices.append(controller.price)
    seconds = time.perf_counter() - began
    on_training, _ = measure(network, training, variance)
    unseen, distortion_unseen = measure(network, held_out, variance)
    width = max(1, steps // 20)
    smooth = np.convolve(rates, np.ones(width) / width, mode="valid")  # a mean over 5 % of the run
    ramp_end = min(len(smooth) - 1, int((SEARCH_SHARE + RAMP_SHARE) * steps))
    return Outcome(name, target, on_training, unseen, on_training / target - 1,
                   (settling(smooth.tolist(), target) + width - 1) / steps, float(smooth[ramp_end:].min()),
                   distortion_unseen, float(np.mean(prices[-max(1, steps // 10):])), steps, seconds)


@torch.no_grad()
def measure(network: SmallVae, data: Data, variance: float) -> tuple[float, float]:
    """Bit/s and distortion over all crops."""
    torch.manual_seed(1)
    rate = distortion = 0.0
    for index in torch.arange(len(data.curves)).split(32):
        part = data.rows(index)
        part_distortion, bits = network(part, variance)
        share = float(part.weight.sum() / data.weight.sum())
        rate += share * float(bits.sum())
        distortion += share * float(part_distortion)
    return rate, distortion


def main() -> None:
    """Train every controller at every target, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", type=Path, nargs="+")
    parser.add_argument("--holdout", type=Path, nargs="+", required=True)
    parser.add_argument("--minutes", type=float, default=8.0, help="for all trainings together")
    parser.add_argument("--steps", type=int, help="a training; otherwise what the minutes allow")
    parser.add_argument("--controllers", nargs="+", default=list(CONTROLLERS), choices=list(CONTROLLERS))
    parser.add_argument("--out", type=Path, default=Path("controllers.csv"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    unheard = {path.resolve() for path in args.holdout}
    training = read_crops([p for p in find_recordings(args.recordings) if p.resolve() not in unheard], CROP_FRAMES // 4)
    held_out = read_crops(args.holdout, CROP_FRAMES)
    names = sorted(args.controllers, key=lambda name: name != "log-dual")  # it finds the price for the schedules
    steps = args.steps
    if steps is None:
        trial_s = learn("log-dual", TARGETS[0], {}, TRIAL_STEPS, training, held_out).seconds
        steps = max(100, round(args.minutes * 60 / (len(names) * len(TARGETS)) / (trial_s / TRIAL_STEPS)))
    print(f"{steps} steps each; {len(training.curves)} overlapping crops to train on, {len(held_out.curves)} held out\n")
    print("| controller | asked, bit/s | training | held out | error | settled after | lowest after the ramp "
          "| distortion | last price | s |\n|---|---|---|---|---|---|---|---|---|---|")
    outcomes: list[Outcome] = []
    prices: dict[float, float] = {}
    for target in TARGETS:
        for name in names:
            settings: dict[str, float] = {}
            if issubclass(CONTROLLERS[name], Beta) and target in prices:
                settings["top_price"] = prices[target] * (10 if name == "free-bits" else 1)
            row = learn(name, target, settings, steps, training, held_out)
            if name == "log-dual":
                prices[target] = max(row.last_price, 1e-12)
            outcomes.append(row)
            settled = f"{row.settled_share:.0%}" if row.settled_share < 1 else "never"
            print(f"| {name} | {target:.0f} | {row.on_training:.0f} | {row.held_out:.0f} | {row.error_share:+.1%} "
                  f"| {settled} | {row.lowest_after_ramp:.0f} | {row.distortion:.3f} | {row.last_price:.1e} "
                  f"| {row.seconds:.0f} |", flush=True)
    with args.out.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(asdict(outcomes[0])))
        writer.writeheader()
        writer.writerows(asdict(row) for row in outcomes)


if __name__ == "__main__":
    main()
