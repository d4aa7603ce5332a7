"""What the judges of hearing say of sounds that are broken on purpose: a measure must be doubted first.

    python benchmarks/judges.py RECORDING --other FILE ... --preset violin [--room garner] [--seconds 15]

Each row is the recording, changed in one way, against the recording as it is. `--other` are recordings of other music, of
which the same length is taken. The last rows are the preset's resynthesis of the recording, and what its network played
before it learned anything. Beside the judges stands the spectral distance, at the levels that the judges hear.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from scipy import signal

from ddspvae import load, read_audio
from ddspvae.audio import Audio
from ddspvae.evaluation.metrics import spectral_distance
from ddspvae.evaluation.perceptual import judge
from ddspvae.instrument.instrument import Instrument
from ddspvae.model.autoencoder import Autoencoder

DELAY_S = 0.02
LOW_PASS_HZ = 2000.0


def power(audio: Audio) -> float:
    """Mean square."""
    return float(np.square(audio, dtype=float).mean())


def broken(audio: Audio, sample_rate: int) -> Iterator[tuple[str, Audio, Audio]]:
    """What was done, the reference and the changed sound."""
    white = np.random.default_rng(0).standard_normal(len(audio)).astype(np.float32) * power(audio) ** 0.5
    n_delayed = round(DELAY_S * sample_rate)
    # both ways, so that nothing is delayed: 48 dB an octave
    low_pass = signal.butter(4, LOW_PASS_HZ, fs=sample_rate, output="sos")
    yield "itself", audio, audio
    yield "itself, 6 dB softer", audio, audio * 10 ** (-6 / 20)
    for below_db in (40, 20):
        yield f"with white noise {below_db} dB below", audio, audio + white * 10 ** (-below_db / 20)
    yield "the same as the last, both 20 dB softer", 0.1 * audio, 0.1 * (audio + 0.1 * white)
    yield f"without what is above {LOW_PASS_HZ / 1000:g} kHz", audio, signal.sosfiltfilt(low_pass, audio).astype(np.float32)
    yield f"{1000 * DELAY_S:g} ms late", audio, np.concatenate([np.zeros(n_delayed, np.float32), audio])[: len(audio)]
    yield "white noise alone", audio, white


def played(audio: Audio, sample_rate: int, preset: str, room: str | None) -> Iterator[tuple[str, Audio]]:
    """The recording as the preset plays it, by what became of z."""
    instrument = load(preset, room)
    take = instrument.analyze(audio, sample_rate)
    typical = instrument.likely_z(take.f0_hz, take.periodicity, take.loudness_db)
    shuffled = np.random.default_rng(0).permutation(take.z)
    for words, z in (("z as heard", take.z), ("z at 0", typical), ("z shuffled in time", shuffled)):
        yield f"{preset}, {words}", instrument.resynthesize(replace(take, z=z))[: len(audio)]
    torch.manual_seed(0)
    newborn = Instrument(Autoencoder(instrument.config), instrument.card, f"{preset}, untrained", instrument.room)
    yield f"{preset}, untrained", newborn.resynthesize(replace(take, z=typical, instrument=""))[: len(audio)]


def row(name: str, reference: Audio, sound: Audio, sample_rate: int) -> str:
    """A line of the table."""
    said = judge(reference, sound, sample_rate)
    n_samples = min(len(reference), len(sound))
    reference, sound = reference[:n_samples], sound[:n_samples]
    level = sound * (power(reference) / power(sound)) ** 0.5
    visqol = "" if said.visqol is None else f"{said.visqol:.2f}"
    return f"| {name} | {said.zimtohrli:.2f} | {visqol} | {spectral_distance(reference, level, sample_rate):.2f} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recording", type=Path)
    parser.add_argument("--other", type=Path, nargs="+", default=[], help="recordings of other music")
    parser.add_argument("--preset", default="violin")
    parser.add_argument("--room", help="of the preset")
    parser.add_argument("--seconds", type=float, default=15.0, help="of each recording, from its start")
    args = parser.parse_args()
    torch.set_num_threads(1)
    rate = load(args.preset).config.sample_rate
    audio, *others = (read_audio(path, rate)[0][: round(args.seconds * rate)] for path in [args.recording, *args.other])
    print("| against the recording | Zimtohrli | ViSQOL | spectral distance |\n|---|---:|---:|---:|")
    for name, reference, sound in broken(audio, rate):
        print(row(name, reference, sound, rate), flush=True)
    for path, sound in zip(args.other, others):
        print(row(f"instead {path.name}", audio, sound, rate), flush=True)
    for name, sound in played(audio, rate, args.preset, args.room):
        print(row(name, audio, sound, rate), flush=True)


if __name__ == "__main__":
    main()
