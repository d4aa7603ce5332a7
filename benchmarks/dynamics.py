"""Does a louder note sound brighter, as in the recordings? The centroid at five velocities, and its slope with the level.

    python benchmarks/dynamics.py violin trumpet --recordings violin/held_out.flac trumpet/ ... [--performer learned]
    python benchmarks/dynamics.py violin trumpet ... --recordings violin/ trumpet/ ... --usual

Notes over the range of every preset, one by one, at velocity 10 to 127, dry and in the room. The centroid is that of the
A-weighted power spectrum in windows of 42 ms, as loudness is A-weighted power: what the ear makes little of, hum and hiss,
moves it little. The slope is that of log2 of the centroid over level, octaves per 10 dB, common to all notes of one semitone
and one folder of recordings (which were made at one gain); frames that are surely pitched, without the ends of notes and
what is 10 dB below their middle, since a note that dies away in its room is not one that is played softly. A recording
belongs to the preset that its folder, or the one above, is named after.

With --usual, instead: the same slope of brightness as its axis reads it, of every preset's recordings; their median and mean
are what `model.typical` takes for usual.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ddspvae import load, read_audio
from ddspvae.audio import Audio
from ddspvae.evaluation.dynamics import VELOCITIES, hear, is_met, play
from ddspvae.instrument.instrument import Instrument
from ddspvae.signals import Features
from ddspvae.training.recordings import find_recordings


def listen(instrument: Instrument, paths: Sequence[Path]) -> Iterator[tuple[Path, Audio, Features]]:
    """Recordings as `hear` wants them, each beside its folder."""
    rate = instrument.config.sample_rate
    for path in paths:
        audio, _ = read_audio(path, rate)
        yield path.parent, audio, instrument.listen(audio, rate)


def slope_of(instrument: Instrument, paths: Sequence[Path], *, as_axis: bool = False) -> float:
    """The slope of recordings."""
    config = instrument.config
    return hear(listen(instrument, paths), config.sample_rate, config.hop_size, as_axis=as_axis).slope


def dynamics_row(instrument: Instrument, paths: Sequence[Path]) -> tuple[str, str, str]:
    """For a card: what is measured, of what is played, of the recordings."""
    frames, means = play(instrument)
    heard = f"{slope_of(instrument, paths):+.2f}" if paths else ""
    return ("brightness with level, octaves per 10 dB",
            f"{frames.slope:+.2f} ({means[0]:.0f} Hz at velocity {VELOCITIES[0]}, {means[-1]:.0f} at {VELOCITIES[-1]})",
            heard)


def recordings_of(instrument: Instrument, roots: Sequence[Path]) -> list[Path]:
    """Those that lie in a folder of the instrument's name."""
    paths = [path.resolve() for path in find_recordings(roots)] if roots else []
    return [path for path in paths if instrument.name in (path.parent.name, path.parent.parent.name)]


def print_usual(presets: Sequence[str], roots: Sequence[Path]) -> None:
    """How brightness goes with the level in the recordings of every preset, and usually."""
    slopes = []
    for name in presets:
        instrument = load(name)
        slopes.append(slope_of(instrument, recordings_of(instrument, roots), as_axis=True))
        print(f"{name}: {slopes[-1]:+.3f} octaves per 10 dB", flush=True)
    print(f"median {np.median(slopes):+.3f}, mean {np.mean(slopes):+.3f}")


def main() -> None:
    """Print the table; exit with 1 where a preset's slope is not the recordings'."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("presets", nargs="+")
    parser.add_argument("--recordings", type=Path, nargs="*", default=[], help="files, or folders of them")
    parser.add_argument("--performer", choices=["learned", "rules"])
    parser.add_argument("--usual", action="store_true", help="measure the recordings' slope of the axis brightness")
    args = parser.parse_args()
    if args.usual:
        print_usual(args.presets, args.recordings)
        return
    print(f"| preset | | {' | '.join(f'{velocity}, Hz' for velocity in VELOCITIES)} | octaves per 10 dB | recordings |\n"
          f"|{'---|' * (len(VELOCITIES) + 4)}")
    wrong = []
    for name in args.presets:
        instrument = load(name)
        own = recordings_of(instrument, args.recordings)
        heard = slope_of(instrument, own) if own else float("nan")
        for dry in (True, False):
            frames, means = play(instrument, dry=dry, performer=args.performer)
            print(f"| {instrument.name} | {'dry' if dry else 'in the room'} | {' | '.join(f'{hz:.0f}' for hz in means)} "
                  f"| {frames.slope:+.3f} | {heard:+.3f} |", flush=True)
        wrong += [instrument.name] if own and not is_met(frames.slope, heard) else []
    if wrong:
        print(f"\nnot as in the recordings: {', '.join(wrong)}")
        sys.exit(1)


if __name__ == "__main__":
    main()
