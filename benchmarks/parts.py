"""Where a resynthesis is lost, part by part: what the model says, and what was measured in the recording, exchanged.

    python benchmarks/parts.py violin RECORDING [--seconds 15] [--room NAME]

A spectrum is four parts: how the harmonics' power divides over them, how the noise's over its bands, the harmonics' share
of the A-weighted power, and that power itself. The model's are dry, with z drawn from its posterior and with z at 0. A row
exchanges one of them for what is measured in the recording, or takes the measured ones with one of the model.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import torch
from takes import Heard, choose_z, hear, load_for, play
from torch import Tensor

from ddspvae import load
from ddspvae.audio import Audio
from ddspvae.evaluation.ceiling import play_spectrum
from ddspvae.evaluation.perceptual import judge
from ddspvae.features.band_tables import N_NOISE_BANDS
from ddspvae.features.bands import convert_bands
from ddspvae.instrument.instrument import Instrument
from ddspvae.model.encoder_inputs import EncoderInputs as Curves
from ddspvae.synth.level import harmonic_band_power, noise_band_power

LEAST = 1e-16  # power, 160 dB down


@dataclass(frozen=True, eq=False)
class Parts:
    """A spectrum in four parts.

    Args:
        distribution: [1, F, H], amplitudes at an A-weighted power of 1.
        noise_shape: [1, F, K], magnitudes, likewise.
        balance: [1, F, 1], the harmonics' share of the A-weighted power.
        level: [1, F, 1], that power.
    """

    distribution: Tensor
    noise_shape: Tensor
    balance: Tensor
    level: Tensor

    @classmethod
    def of(cls, amplitudes: Tensor, noise_magnitudes: Tensor, f0_hz: Tensor, sample_rate: int) -> Parts:
        """Take a spectrum apart.

        Args:
            amplitudes: [1, F, H]; noise_magnitudes: [1, F, K]; f0_hz: [1, F, 1].
        """
        of_harmonics = harmonic_band_power(f0_hz, amplitudes).sum(-1, keepdim=True) + LEAST
        of_noise = noise_band_power(noise_magnitudes, sample_rate).sum(-1, keepdim=True) + LEAST
        total = of_harmonics + of_noise
        return cls(amplitudes / of_harmonics.sqrt(), noise_magnitudes / of_noise.sqrt(), of_harmonics / total, total)

    def together(self) -> tuple[Tensor, Tensor]:
        """Amplitudes and noise magnitudes."""
        return (self.distribution * (self.balance * self.level).sqrt(),
                self.noise_shape * ((1 - self.balance) * self.level).sqrt())


NAMES = {"distribution": "harmonic distribution", "noise_shape": "noise shape", "balance": "balance", "level": "level"}
assert tuple(NAMES) == tuple(field.name for field in fields(Parts))


def exchanged(own: Parts, other: Parts) -> Iterator[tuple[str, Parts]]:
    """A spectrum with one part of the other one, one after the other, by the part's name."""
    for part, words in NAMES.items():
        yield words, replace(own, **{part: getattr(other, part)})


def measured_parts(heard: Heard, instrument: Instrument) -> Parts:
    """What was measured in the recording, in as many harmonics and noise bands as the model has."""
    spectrum = torch.from_numpy(np.array(heard.features.spectrum))[None]
    noise, amplitudes = spectrum[..., :N_NOISE_BANDS], spectrum[..., N_NOISE_BANDS:]
    n_harmonics, n_bands = instrument.config.n_harmonics, instrument.config.n_noise_bands
    amplitudes = torch.nn.functional.pad(amplitudes, (0, max(0, n_harmonics - amplitudes.shape[-1])))
    if n_bands != N_NOISE_BANDS:
        noise = (noise.square() @ convert_bands(N_NOISE_BANDS, n_bands)).sqrt()
    return Parts.of(amplitudes, noise, _f0(heard), instrument.config.sample_rate)


@torch.inference_mode()
def model_parts(heard: Heard, instrument: Instrument, which: str, n_harmonics: int) -> Parts:
    """What the model plays, dry, with one z or another; padded to so many harmonics."""
    z = torch.from_numpy(choose_z(instrument, heard, which))[None]
    controls = instrument.model.decode(*Curves.of(heard.features).curves, z, None)
    amplitudes = controls.amplitude * controls.harmonic_distribution
    amplitudes = torch.nn.functional.pad(amplitudes, (0, n_harmonics - amplitudes.shape[-1]))
    noise = controls.noise_magnitudes * (1.0 if instrument.config.with_noise else 0.0)
    return Parts.of(amplitudes, noise, controls.f0_hz, instrument.config.sample_rate)


def sounds(instrument: Instrument, heard: Heard) -> Iterator[tuple[str, Audio | None, Audio | None]]:
    """What is played, with z drawn, and with z at 0; None where z has no part in it."""
    n_samples, config = len(heard.audio), instrument.config

    def together(parts: Parts) -> Audio:
        amplitudes, noise = (x[0].numpy() for x in parts.together())
        return play_spectrum(amplitudes, noise, heard.features.f0_hz, config.sample_rate, config.hop_size)[:n_samples]

    if config.with_reverb:
        yield "model, in its room", *(play(instrument, heard, which) for which in ("z drawn", "z at 0"))
    measured = measured_parts(heard, instrument)
    models = [model_parts(heard, instrument, which, measured.distribution.shape[-1]) for which in ("z drawn", "z at 0")]
    yield "model, dry", *map(together, models)
    for each in zip(*(exchanged(model, measured) for model in models)):
        yield f"model, {each[0][0]} measured", *(together(parts) for _, parts in each)
    for each in zip(*(exchanged(measured, model) for model in models)):
        yield f"measured, {each[0][0]} of the model", *(together(parts) for _, parts in each)
    yield "all measured", together(measured), None


def cell(reference: Audio, sound: Audio | None, sample_rate: int) -> str:
    """Zimtohrli and ViSQOL."""
    if sound is None:
        return "| "
    said = judge(reference, sound, sample_rate)
    return f"{said.zimtohrli:.2f} | {'–' if said.visqol is None else f'{said.visqol:.2f}'}"


def _f0(heard: Heard) -> Tensor:
    return torch.from_numpy(np.array(heard.features.f0_hz))[None, :, None]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("preset")
    parser.add_argument("recording", type=Path)
    parser.add_argument("--room", help="of the preset; default: the one named as the folder, where there is one")
    parser.add_argument("--seconds", type=float, default=15.0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    instrument = load(args.preset, args.room) if args.room else load_for(args.preset, args.recording)
    heard = hear(instrument, args.recording, args.seconds)
    print("| | Zimtohrli, z drawn | ViSQOL | Zimtohrli, z at 0 | ViSQOL |\n|---|---:|---:|---:|---:|")
    for name, drawn, typical in sounds(instrument, heard):
        cells = (cell(heard.audio, sound, instrument.config.sample_rate) for sound in (drawn, typical))
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
