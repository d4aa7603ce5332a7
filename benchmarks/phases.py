"""Would a loss that hears sounds ask for the right levels of low harmonics? Or for what suits phases that we do not have?

    python benchmarks/phases.py tuba/wartuba/tuba-G1-sustain_01.flac ...

Of every recording two seconds are measured and played by harmonics that start together, which have the levels that were
measured; and again with each of the first eight 12 dB too soft. Printed is how many of the eight a spectral loss prefers to
the right levels, as it is published (at every instant) and averaged over two periods. It is why the training compares levels
that are measured in the recording (`training.losses.HeardError`), of which the right ones are by definition the best.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ddspvae import read_audio
from ddspvae.features.extract import extract
from ddspvae.features.partials import measure_partials
from ddspvae.signals import Controls
from ddspvae.signals.units import db_to_amplitude
from ddspvae.synth.render import render
from ddspvae.training.losses import beat_span, fft_sizes, spectral_loss

RATE, HOP = 48_000, 240
START_S, LENGTH_S = 1.0, 2.0
N_TRIED, SOFTER_DB = 8, -12.0


def play(levels: Tensor, f0_hz: Tensor, like: Tensor) -> Tensor:
    """Harmonics [1, F, H] of f0 [1, F, 1], as loud as a sound [1, T]."""
    controls = Controls(f0_hz=f0_hz, amplitude=torch.ones_like(f0_hz), harmonic_distribution=levels,
                        noise_magnitudes=torch.zeros(1, levels.shape[1], 65))
    audio = render(controls, RATE, HOP, with_noise=False)[:, : like.shape[-1]]
    return audio * (like.square().mean() / audio.square().mean()).sqrt()


def preferred(path: Path) -> tuple[float, int, int]:
    """Median f0; how many wrong spectra the loss prefers at every instant, and averaged."""
    audio, _ = read_audio(path, RATE)
    audio = audio[round(START_S * RATE) : round((START_S + LENGTH_S) * RATE)]
    features = extract(audio, RATE, HOP)
    f0_hz = torch.from_numpy(np.array(features.f0_hz))[None, :, None]
    levels = torch.from_numpy(measure_partials(audio, RATE, HOP, features.f0_hz)[:, :-1])[None]
    reference, sizes = torch.from_numpy(np.array(audio))[None], fft_sizes(RATE)
    spans = None, beat_span(f0_hz, RATE)

    def losses(levels: Tensor) -> list[float]:
        sound = play(levels, f0_hz, reference)
        return [float(spectral_loss(reference[:, : sound.shape[-1]], sound, sizes, span)) for span in spans]

    right, counts = losses(levels), [0, 0]
    for number in range(N_TRIED):
        wrong = levels.clone()
        wrong[..., number] *= db_to_amplitude(SOFTER_DB)
        counts = [count + (other < own) for count, other, own in zip(counts, losses(wrong), right)]
    return float(f0_hz.median()), *counts


def main() -> None:
    """Print a row for each recording."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", nargs="+", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(f"| | f0, Hz | wrong spectra that the loss prefers, of {N_TRIED} | averaged over two periods |\n|---|---|---|---|")
    for path in args.recordings:
        f0_hz, instant, averaged = preferred(path)
        print(f"| {path.stem} | {f0_hz:.0f} | {instant} | {averaged} |", flush=True)


if __name__ == "__main__":
    main()
