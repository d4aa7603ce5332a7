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
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ddspvae import load, read_audio
from ddspvae.audio import Audio
from ddspvae.features.f0 import VOICED
from ddspvae.features.loudness import a_weighted_loudness, a_weighting, by_blocks, centred_stft, window_size
from ddspvae.features.partials import read_attributes
from ddspvae.features.segments import segment_notes
from ddspvae.instrument import Instrument
from ddspvae.performer.gestures import score_of
from ddspvae.performer.shape import inner_frames
from ddspvae.signals import Note, Notes
from ddspvae.training.recordings import find_recordings
from ddspvae.units import hz_to_pitch

VELOCITIES = (10, 40, 70, 100, 127)
N_PITCHES, NOTE_S, REST_S = 5, 1.0, 1.2
MARGIN = 0.1  # of the range, at either end, where no note is played
HELD_DB = 10.0  # below the middle of its note, a frame counts no more
MOST_RATIO = 2.0  # of the played slope to the recordings', or the other way round
CLEAR = 0.05  # octaves per 10 dB; a slope that is less steep than this in the recordings has no sign to speak of


@dataclass(frozen=True, eq=False)
class Frames:
    """Level, dB, and log2 of the centroid in Hz of frames, [N], and which semitone and folder each belongs to."""

    level_db: NDArray
    octaves: NDArray
    group: tuple[Hashable, ...]

    @property
    def slope(self) -> float:
        """Octaves per 10 dB, common to all groups; NaN where no group has two levels."""
        number = np.unique(np.array([hash(one) for one in self.group]), return_inverse=True)[1]
        count = np.bincount(number)

        def within(values: NDArray) -> NDArray:
            return np.asarray(values - (np.bincount(number, weights=values) / count)[number])

        level, octaves = within(self.level_db), within(self.octaves)
        spread = float(level @ level)
        return 10 * float(level @ octaves) / spread if spread > 0 else float("nan")


def centroid_octaves(audio: Audio, sample_rate: int, hop_size: int) -> NDArray:
    """log2 of the centroid of the A-weighted power spectrum, Hz, of every frame, [F]."""
    def octaves(piece: torch.Tensor, rate: int, hop: int) -> torch.Tensor:
        spectrum = centred_stft(piece, window_size(rate), hop)
        frequency_hz = torch.linspace(0, rate / 2, spectrum.shape[-1])
        power = (spectrum.real.square() + spectrum.imag.square()) * a_weighting(frequency_hz)
        return ((power @ frequency_hz) / power.sum(-1).clamp(min=1e-20)).clamp(min=1.0).log2()

    sound = torch.from_numpy(np.asarray(audio, np.float32))[None]
    return by_blocks(octaves, sound, sample_rate, hop_size)[0].double().numpy()


def level_db(audio: Audio, sample_rate: int, hop_size: int) -> NDArray:
    """A-weighted loudness of every frame, [F]."""
    sound = torch.from_numpy(np.asarray(audio, np.float32))[None]
    return by_blocks(a_weighted_loudness, sound, sample_rate, hop_size)[0].double().numpy()


def hear(instrument: Instrument, paths: Iterable[Path], *, as_axis: bool = False) -> Frames:
    """The sure, held frames inside the notes of recordings; as_axis: brightness, not the centroid."""
    rate, hop = instrument.config.sample_rate, instrument.config.hop_size
    levels, octaves, groups = [], [], []
    for path in paths:
        audio, _ = read_audio(path, rate)
        take = instrument.listen(audio, rate)
        level = np.asarray(take.loudness_db, dtype=float)
        found = segment_notes(take.f0_hz, take.periodicity, level, take.frame_rate_hz)
        notes = score_of(take, found, instrument.statistics)[0]
        inside = np.zeros(len(level), dtype=bool)
        for span in inner_frames(notes, take.frame_rate_hz, len(level)) if found else ():
            inside[span] = level[span] > np.median(level[span]) - HELD_DB
        inside &= take.periodicity >= VOICED
        levels.append(level[inside])
        bright = read_attributes(torch.from_numpy(np.array(take.partials)))[:, 0].double().numpy() if as_axis else \
            centroid_octaves(audio, rate, hop)
        octaves.append(bright[inside])
        groups += [(path.parent, semitone) for semitone in np.round(hz_to_pitch(take.f0_hz[inside].astype(float)))]
    return Frames(np.concatenate(levels), np.concatenate(octaves), tuple(groups))


def play(instrument: Instrument, velocities: Sequence[int] = VELOCITIES, *, dry: bool = False, performer: str | None = None
         ) -> tuple[Frames, NDArray]:
    """Notes over the range at every velocity.

    Returns:
        frames of the notes' middles; and the mean centroid, Hz (geometric), of each velocity [V].
    """
    rate, hop = instrument.config.sample_rate, instrument.config.hop_size
    low, high = instrument.statistics.pitch_low, instrument.statistics.pitch_high
    pitches = np.round(np.linspace(low + MARGIN * (high - low), high - MARGIN * (high - low), N_PITCHES))
    asked = [(float(pitch), velocity) for pitch in pitches for velocity in velocities]
    starts_s = REST_S / 2 + (NOTE_S + REST_S) * np.arange(len(asked))
    notes = Notes(tuple(Note(pitch, velocity, start_s, start_s + NOTE_S)
                        for (pitch, velocity), start_s in zip(asked, starts_s.tolist())))
    performance = instrument.perform(notes, performer=performer)
    audio = instrument.resynthesize(performance, dry=dry)
    heard_db, octaves = level_db(audio, rate, hop), centroid_octaves(audio, rate, hop)
    spans = inner_frames(notes, performance.frame_rate_hz, performance.n_frames)
    frames = Frames(np.concatenate([heard_db[span] for span in spans]), np.concatenate([octaves[span] for span in spans]),
                    tuple(pitch for (pitch, _), span in zip(asked, spans) for _ in range(span.stop - span.start)))
    means = np.array([octaves[span].mean() for span in spans]).reshape(len(pitches), len(velocities)).mean(axis=0)
    return frames, 2**means


def is_right(played: float, heard: float) -> bool:
    """Whether a played slope has the recordings' sign and is within a factor of two of theirs; near 0, whether both are."""
    if abs(heard) < CLEAR:
        return abs(played) < MOST_RATIO * CLEAR
    return played * heard > 0 and 1 / MOST_RATIO <= played / heard <= MOST_RATIO


def dynamics_row(instrument: Instrument, paths: Sequence[Path]) -> tuple[str, str, str]:
    """For a card: what is measured, of what is played, of the recordings."""
    frames, means = play(instrument)
    heard = f"{hear(instrument, paths).slope:+.2f}" if paths else ""
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
        slopes.append(hear(instrument, recordings_of(instrument, roots), as_axis=True).slope)
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
        heard = hear(instrument, own).slope if own else float("nan")
        for dry in (True, False):
            frames, means = play(instrument, dry=dry, performer=args.performer)
            print(f"| {instrument.name} | {'dry' if dry else 'in the room'} | {' | '.join(f'{hz:.0f}' for hz in means)} "
                  f"| {frames.slope:+.3f} | {heard:+.3f} |", flush=True)
        wrong += [instrument.name] if own and not is_right(frames.slope, heard) else []
    if wrong:
        print(f"\nnot as in the recordings: {', '.join(wrong)}")
        sys.exit(1)


if __name__ == "__main__":
    main()
