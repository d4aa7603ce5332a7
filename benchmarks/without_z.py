"""What pitch and loudness alone say of a spectrum, by several maps: how much is left that only z can know?

    python benchmarks/without_z.py RECORDINGS --holdout RECORDING --preset violin

Each map is fitted to the training takes by least squares, every frame as loud as a training counts it, and gives levels of
harmonics and noise bands, on the takes that it was fitted to and on the one that it was not. *Of the room* adds to each a
constant and a slope over pitch of every recording environment; the held-out take is then played as if it were from the
environment of the same name. The preset's network stands beside them, with z at 0 and with the named axes as they were
heard. The error is root mean square in dB, over harmonics (up to the 16th all alike, octaves above) and over noise bands.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ddspvae import load
from ddspvae.model.autoencoder import Autoencoder
from ddspvae.model.encoder_inputs import EncoderInputs
from ddspvae.model.envelope import read_nodes, to_nodes
from ddspvae.model.form import N_NODES
from ddspvae.model.target import DB_PER_NEPER, EVEN_UNTIL, Shape, frame_weights, measured_shape
from ddspvae.training.dataset import Take
from ddspvae.training.prepare import prepare

RIDGE = 20.0  # of frames: what speaks against a term
EIGHT = 8  # 1, p, q, p^2, pq, q^2, p^3, p^2 q: the terms of the stand-in without a network
MAPS = {"eight terms of pitch and loudness": (EIGHT, False), "eight terms, of the room": (EIGHT, True),
        "a polynomial, and hats every 1.5 semitones": (None, False), "these, of the room": (None, True)}


@dataclass(frozen=True, eq=False)
class Measured:
    """A take and its spectrum.

    Args:
        heard: the take.
        shape: what was measured; weight [F], how much each frame counts.
        room: where it was recorded.
    """

    heard: EncoderInputs
    shape: Shape
    weight: Tensor
    room: str

    @classmethod
    def of(cls, take: Take, network: Autoencoder) -> Measured:
        """As a training of this network would hear it."""
        config, heard = network.config, take.heard()
        shape = measured_shape(heard.spectrum, heard.f0_hz, config.n_harmonics, config.n_noise_bands, config.sample_rate)
        weight = frame_weights(heard.loudness_db[0, :, 0], float(network.decoder.typical.loud_db))
        return cls(heard, shape, weight, take.room)


class Linear:
    """Levels of an envelope over frequency and of noise bands from terms of pitch and loudness.

    Args:
        n_terms: so many of those that the typical values of the named axes have; None is all.
        by_room: whether each room adds a constant and a slope.
    """

    def __init__(self, network: Autoencoder, takes: Sequence[Measured], n_terms: int | None, by_room: bool) -> None:
        self._network, self._n_terms = network, n_terms
        self._rooms = sorted({take.room for take in takes}) if by_room else []
        square = product = torch.zeros(())
        for take in takes:
            terms = self._terms(take)
            nodes = to_nodes(take.shape.harmonics - network.decoder.tilt, take.heard.f0_hz, take.shape.n_heard)[0]
            levels = torch.cat([nodes, (take.shape.noise - network.decoder.noise_tilt)[0]], dim=-1).double()
            counts = torch.cat([nodes != 0, torch.ones_like(take.shape.noise[0])], dim=-1) * take.weight[:, None]
            square = square + torch.einsum("ft,fu,fo->otu", terms, terms, counts.double())
            product = product + torch.einsum("ft,fo->ot", terms, counts.double() * levels)
        ridge = RIDGE * torch.eye(square.shape[-1], dtype=torch.float64)
        self._weights = torch.linalg.solve(square + ridge, product[..., None])[..., 0].T

    def _terms(self, take: Measured) -> Tensor:
        terms = self._network.decoder.typical._terms(take.heard.f0_hz, take.heard.loudness_db)[0].double()
        beside = torch.zeros(len(terms), len(self._rooms), 2, dtype=torch.float64)
        if take.room in self._rooms:
            beside[:, self._rooms.index(take.room)] = terms[:, :2]
        return torch.cat([terms[:, : self._n_terms], beside.flatten(1)], dim=-1)

    def __call__(self, take: Measured) -> Shape:
        """What it says of a take."""
        levels, decoder = (self._terms(take) @ self._weights).float()[None], self._network.decoder
        heights = read_nodes(levels[..., :N_NODES], take.heard.f0_hz, decoder.octaves) + decoder.tilt
        return Shape(heights, levels[..., N_NODES:] + decoder.noise_tilt, take.shape.n_heard)


def errors_db(play: Callable[[Measured], Shape], takes: Sequence[Measured]) -> tuple[float, float]:
    """Of harmonics and of noise bands, root mean square over all frames as they count."""
    squares, total = np.zeros(2), 0.0
    for take in takes:
        said, number = play(take), torch.arange(1, take.shape.harmonics.shape[-1] + 1)
        counts = (EVEN_UNTIL / number).clamp(max=1) * (number <= take.shape.n_heard)
        of_harmonics = ((said.harmonics - take.shape.harmonics).square() * counts).sum(-1) / counts.sum(-1)
        of_noise = (said.noise - take.shape.noise).square().mean(-1)
        squares += [float((of_harmonics[0] * take.weight).sum()), float((of_noise[0] * take.weight).sum())]
        total += float(take.weight.sum())
    harmonics, noise = DB_PER_NEPER * np.sqrt(squares / total)
    return float(harmonics), float(noise)


@torch.inference_mode()
def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", type=Path)
    parser.add_argument("--holdout", type=Path, required=True)
    parser.add_argument("--preset", required=True, help="trained without it")
    args = parser.parse_args()
    torch.set_num_threads(1)
    network = load(args.preset).model.eval()
    config = network.config
    taught = prepare(args.recordings, [args.holdout], "swift", config).training
    unheard = prepare(args.holdout, [], "swift", config)
    training = [Measured.of(take, network) for take in taught]
    held_out = [Measured.of(take, network) for take in (*unheard.training, *unheard.validation)]

    def at_zero(take: Measured) -> Shape:
        n_rows = -(-take.heard.f0_hz.shape[1] // config.frames_per_z)
        return network.explain(take.heard, torch.zeros(1, n_rows, config.n_z))

    def named(take: Measured) -> Shape:
        explained = network.listen(take.heard).explained
        assert explained is not None
        return explained

    plays: dict[str, Callable[[Measured], Shape]] = {name: Linear(network, training, *of) for name, of in MAPS.items()}
    plays |= {f"the network of {args.preset}, z at 0": at_zero, "the same, named axes as heard": named}
    print("| | harmonics, trained on | held out | noise, trained on | held out |\n|---|---:|---:|---:|---:|")
    for name, play in plays.items():
        (harmonics, noise), (new_harmonics, new_noise) = errors_db(play, training), errors_db(play, held_out)
        print(f"| {name} | {harmonics:.1f} | {new_harmonics:.1f} | {noise:.1f} | {new_noise:.1f} |", flush=True)


if __name__ == "__main__":
    main()
