"""A stand-in for the latent that any learned one must beat, at every rate: no network at all.

    python benchmarks/stand_in.py HELD_OUT TRAIN... --out stand_in.json [--seconds 60] [--z-rate 50] [--visqol]

The envelopes of harmonics and noise, minus what a linear map of eight terms of pitch and level explains; the rest on the
principal axes of the training takes, at 50 rows a second, through a Gaussian channel of so many bit/s (by reverse
water-filling), drawn, and back. Takes are prepared and measured as for a training, and played by the same synthesizer
without a room; pitch and level go beside z, as in the package. TRAIN are folders or files; HELD_OUT may lie among them.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from verdicts import Verdict

from ddspvae import read_audio
from ddspvae.audio import Audio
from ddspvae.evaluation.ceiling import play_spectrum
from ddspvae.features.band_tables import N_NOISE_BANDS
from ddspvae.features.extract import extract
from ddspvae.features.ranges import find_range_hz
from ddspvae.features.spectrum import HIGHEST_HZ
from ddspvae.model.config import ModelConfig
from ddspvae.model.envelope import OUTSIDE, harmonics_below, read_nodes, to_nodes
from ddspvae.model.form import LOWEST_HZ, N_NODES, PER_OCTAVE
from ddspvae.model.stack import rows_around
from ddspvae.model.target import measured_shape
from ddspvae.signals import Features
from ddspvae.synth.level import asked_power, harmonic_band_power, noise_band_power
from ddspvae.training.prepare import prepare
from ddspvae.training.recordings import find_recordings

BITRATES = (250, 500, 1000, 2000, 4000, 8000)
SOUNDING_DB = 45.0  # below the loudest frame of the training: what is softer teaches nothing
REFERENCE_HZ, DB_PER_UNIT = 440.0, 20.0
RIDGE = 1e-3
WATER_ROUNDS = 100


@dataclass(frozen=True, eq=False)
class Heard:
    """A take as envelopes.

    Args:
        envelopes: [F, N_NODES + K], levels in nepers at an A-weighted power of 1; beyond the harmonics the last one's.
        f0_hz, loudness_db: [F, 1].
        n_harmonics: that were measured.
    """

    envelopes: Tensor
    f0_hz: Tensor
    loudness_db: Tensor
    n_harmonics: int

    @classmethod
    def of(cls, features: Features, sample_rate: int) -> Heard:
        """From a measured spectrum."""
        spectrum, f0_hz, loudness_db = (torch.from_numpy(np.array(x)) for x in (
            features.spectrum, features.f0_hz[:, None], features.loudness_db[:, None]))
        n_harmonics = spectrum.shape[1] - N_NOISE_BANDS
        shape = measured_shape(spectrum[None], f0_hz[None], n_harmonics, N_NOISE_BANDS, sample_rate)
        nodes = to_nodes(shape.harmonics, f0_hz[None], shape.n_heard)
        ratio = node_hz() / f0_hz
        nodes = torch.where(ratio <= OUTSIDE, shape.harmonics[..., :1], nodes)
        nodes = torch.where(ratio * OUTSIDE >= shape.n_heard, shape.harmonics.gather(-1, shape.n_heard - 1), nodes)
        return cls(torch.cat([nodes, shape.noise], dim=-1)[0], f0_hz, loudness_db, n_harmonics)

    def terms(self) -> Tensor:
        """Of pitch and level, [F, 8]."""
        a, b = torch.log2(self.f0_hz / REFERENCE_HZ), self.loudness_db / DB_PER_UNIT
        return torch.cat([torch.ones_like(a), a, a**2, a**3, b, b**2, a * b, a * a * b], dim=-1)

    def play(self, envelopes: Tensor, sample_rate: int, hop_size: int) -> Audio:
        """Its pitch and level with some envelopes, [F * hop_size]."""
        f0_hz, nodes, noise = self.f0_hz[None], envelopes[None, :, :N_NODES], envelopes[None, :, N_NODES:].exp()
        number = torch.arange(1, self.n_harmonics + 1)
        n_heard = harmonics_below(f0_hz, min(HIGHEST_HZ, 0.45 * sample_rate), self.n_harmonics)
        heights = read_nodes(nodes, f0_hz, torch.log2(number)).exp() * (number <= n_heard)
        power = harmonic_band_power(f0_hz, heights).sum(-1, keepdim=True)
        power = power + noise_band_power(noise, sample_rate).sum(-1, keepdim=True)
        gain = (asked_power(self.loudness_db[None]) / power).sqrt()
        return play_spectrum((heights * gain)[0].numpy(), (noise * gain)[0].numpy(), self.f0_hz[:, 0].numpy(), sample_rate,
                             hop_size)


def node_hz() -> Tensor:
    """Frequencies of the envelope's nodes, [N_NODES]."""
    return LOWEST_HZ * 2 ** (torch.arange(N_NODES) / PER_OCTAVE)


def water_filling(variance: np.ndarray, bits: float) -> np.ndarray:
    """The distortion of each axis [Z] when all share so many bits a row.

    Source: Cover & Thomas, "Elements of information theory", 10.3.3.

    >>> water_filling(np.array([4.0, 1.0]), 2.0).tolist()
    [0.5, 0.5]
    """
    low, high = 0.0, float(variance.max())
    for _ in range(WATER_ROUNDS):
        water = (low + high) / 2
        spent = 0.5 * np.log2(np.maximum(variance / max(water, 1e-300), 1)).sum()
        low, high = (water, high) if spent > bits else (low, water)
    return np.minimum(variance, high)


class StandIn:
    """A linear map and principal axes.

    Args:
        takes: of the training.
        frames_per_z: frames that share a row.
    """

    def __init__(self, takes: list[Heard], frames_per_z: int) -> None:
        self.frames_per_z = frames_per_z
        loudest = max(float(take.loudness_db.max()) for take in takes)
        counts = [take.loudness_db[:, 0] > loudest - SOUNDING_DB for take in takes]
        x = torch.cat([take.terms()[count] for take, count in zip(takes, counts)]).double()
        y = torch.cat([take.envelopes[count] for take, count in zip(takes, counts)]).double()
        self.map = torch.linalg.solve(x.T @ x + RIDGE * torch.eye(x.shape[1]), x.T @ y).float()
        rows = torch.cat([self.rows(take)[self._rows_of(count)] for take, count in zip(takes, counts)]).double()
        variance, axes = torch.linalg.eigh(rows.T @ rows / len(rows))
        self.variance = variance.flip(0).clamp(min=1e-12).numpy()
        self.axes = axes.flip(1).T.float()

    def typical(self, take: Heard) -> Tensor:
        """What pitch and level explain, [F, N_NODES + K]."""
        return take.terms() @ self.map

    def rows(self, take: Heard) -> Tensor:
        """What they leave, [M, N_NODES + K]."""
        return rows_around((take.envelopes - self.typical(take))[None], self.frames_per_z, 0)[0]

    def sent(self, take: Heard, bits: float, seed: int = 0) -> tuple[Tensor, int]:
        """The envelopes of a take after a channel of so many bits a row, [F, N_NODES + K]; and how many axes it uses."""
        distortion = water_filling(self.variance, bits)
        gain = torch.from_numpy(1 - distortion / self.variance).float()
        noise = torch.from_numpy(np.random.default_rng(seed).standard_normal((-(-len(take.f0_hz) // self.frames_per_z),
                                                                              len(gain)))).float()
        z = self.rows(take) @ self.axes.T * gain + noise * (torch.from_numpy(distortion).float() * gain).sqrt()
        return self.typical(take) + self._frames(z @ self.axes, len(take.f0_hz)), int((distortion < self.variance).sum())

    def _rows_of(self, counts: Tensor) -> Tensor:
        return rows_around(counts.float()[None, :, None], self.frames_per_z, 0)[0, :, 0] > 0.5

    def _frames(self, rows: Tensor, n_frames: int) -> Tensor:
        """On straight lines between rows."""
        place = torch.arange(n_frames) / self.frames_per_z
        left = place.long().clamp(max=len(rows) - 1)
        right = (left + 1).clamp(max=len(rows) - 1)
        return torch.lerp(rows[left], rows[right], (place - left)[:, None])


def main() -> None:
    """Print the table, and keep what it is made of."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("held_out", type=Path)
    parser.add_argument("train", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True, help="JSON, for benchmarks/curve.py")
    parser.add_argument("--seconds", type=float, default=60.0, help="of the held-out take, from its start")
    parser.add_argument("--z-rate", type=float, default=50.0, help="rows per second")
    parser.add_argument("--bitrates", type=float, nargs="+", default=BITRATES)
    parser.add_argument("--tracker", default="swift")
    parser.add_argument("--visqol", action="store_true", help="ask ViSQOL, too, of the first 15 s")
    args = parser.parse_args()
    torch.set_num_threads(1)
    config = ModelConfig()
    rate, hop = config.sample_rate, config.hop_size
    inside = [path for path in find_recordings(args.train) if path.resolve() == args.held_out.resolve()]
    prepared = prepare(args.train, inside, args.tracker, config)
    stand_in = StandIn([Heard.of(take.features, rate) for take in prepared.training],
                       round(config.frame_rate_hz / args.z_rate))
    audio = read_audio(args.held_out, rate)[0][: round(args.seconds * rate)]
    take = Heard.of(extract(audio, rate, hop, args.tracker,
                            range_hz=find_range_hz([one.features for one in prepared.training])), rate)
    points = {}
    print("| bit/s of z | axes | Zimtohrli (95 % interval) | ViSQOL |\n|---|---:|---:|---:|")

    def say(name: str, axes: str, envelopes: Tensor) -> None:
        sound = take.play(envelopes, rate, hop)[: len(audio)]
        points[name] = Verdict.of(audio, sound, rate, args.visqol)
        print(f"| {name} | {axes} | {points[name].cells()} |", flush=True)

    say("none", "0", stand_in.typical(take))
    for bitrate in args.bitrates:
        envelopes, n_axes = stand_in.sent(take, bitrate * stand_in.frames_per_z / config.frame_rate_hz)
        say(f"{bitrate:g}", str(n_axes), envelopes)
    say("envelopes as they are", "", take.envelopes)
    args.out.write_text(json.dumps({"recording": args.held_out.name, "seconds": args.seconds, "z_rate_hz": args.z_rate,
                                    "points": {name: said.to_dict() for name, said in points.items()}}) + "\n",
                        encoding="utf-8")


if __name__ == "__main__":
    main()
