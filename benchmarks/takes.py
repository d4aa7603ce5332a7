"""A take as an instrument hears it and plays it back, by what becomes of z: what several benchmarks share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ddspvae import load, read_audio
from ddspvae.audio import Audio
from ddspvae.instrument.instrument import Instrument
from ddspvae.instrument.nearest import moved_to_folder
from ddspvae.signals import Features, Latents, Performance

Z = ("z as heard", "z drawn", "z at 0")


@dataclass(frozen=True, eq=False)
class Heard:
    """A take by an instrument.

    Args:
        audio: [T] at the instrument's sample rate.
        features: of it.
        latents: the posterior of z.
    """

    audio: Audio
    features: Features
    latents: Latents

    @classmethod
    def of(cls, instrument: Instrument, audio: Audio) -> Heard:
        """At the instrument's sample rate."""
        features = instrument.listen(audio, instrument.config.sample_rate)
        missing = len(features.f0_hz) * instrument.config.hop_size - len(audio)
        return cls(audio, features, instrument.encode(features, np.pad(audio, (0, missing))))


def load_for(preset: str | Path, recording: Path) -> Instrument:
    """An instrument in the room that is named as the recording's folder, where it has that one."""
    return moved_to_folder(load(preset), recording)


def hear(instrument: Instrument, recording: Path, seconds: float) -> Heard:
    """The first seconds of a recording."""
    rate = instrument.config.sample_rate
    return Heard.of(instrument, read_audio(recording, rate)[0][: round(seconds * rate)])


@torch.inference_mode()
def choose_z(instrument: Instrument, heard: Heard, which: str, seed: int = 0) -> NDArray[np.float32]:
    """z [M, Z] of a take.

    Args:
        which: "z as heard", the mean of its posterior, which costs more than was paid for; "z drawn", once from the
            posterior, as training has it and as a rate of z is defined; "z at 0", what is typical.
        seed: of the draw.
    """
    model = instrument.model
    if which == "z drawn":
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            z = model.bottleneck(heard.latents).z
    else:
        z = model.to_z(heard.latents)
        if which == "z at 0":
            z = z * (torch.arange(z.shape[-1]) >= model.config.n_running)
    array: NDArray[np.float32] = z[0].numpy()
    return array


def perform(instrument: Instrument, features: Features, z: NDArray[np.floating]) -> Performance:
    """The curves of a take with some z."""
    config = instrument.config
    return Performance(features.f0_hz, features.periodicity, features.loudness_db, z, instrument.axis_names,
                       config.frame_rate_hz, config.frames_per_z, instrument.identity)


def play(instrument: Instrument, heard: Heard, which: str, dry: bool = False, seed: int = 0) -> Audio:
    """The take, played back, [T]."""
    z = choose_z(instrument, heard, which, seed)
    return instrument.resynthesize(perform(instrument, heard.features, z), dry=dry, seed=seed)[: len(heard.audio)]
