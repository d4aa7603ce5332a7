"""The notes of a held-out phrase, written down and played again from MIDI: how near does that come to the phrase?

    python benchmarks/replayed.py violin held_out.flac [...] [--seconds 15] [--soundfont FONT.sf2] [--steps]

The notes go through a MIDI file, as `ddspvae analyze --notes` writes it and `ddspvae render` reads it. Zimtohrli judges
(MOS, 1 to 5) against the recording, at matched levels, at the best lag within 50 ms. Beside it, where it is installed,
FluidSynth with the same file; and analysis and resynthesis, what a perfect player could reach. With --steps, also what lies
between: the played curves one by one replaced by those of the recording.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ddspvae import load, read_audio, read_midi
from ddspvae.audio import Audio
from ddspvae.editing.write_notes import write_take_notes
from ddspvae.instrument.instrument import Instrument
from ddspvae.midi.programs import PROGRAMS
from ddspvae.signals import Performance

RATE = 48_000
MOST_LAG_S = 0.050
FONTS = ("/usr/share/sounds/sf2/FluidR3_GM.sf2", "/usr/share/sounds/sf2/default-GM.sf2")
CURVES = ("f0_hz", "loudness_db", "periodicity", "z")
STEPS = (("f0_hz",), ("loudness_db", "periodicity"), ("z",), ("f0_hz", "loudness_db", "periodicity"), ("f0_hz", "z"),
         ("loudness_db", "periodicity", "z"))


def judged(reference: Audio, estimate: Audio) -> float:
    """Zimtohrli's opinion of a sound at the best of the lags up to 50 ms."""
    lag = best_lag(reference, estimate)
    ours, theirs = (reference, estimate[lag:]) if lag >= 0 else (reference[-lag:], estimate)
    n = min(len(ours), len(theirs))
    try:
        from ddspvae.evaluation.perceptual import judge
    except ImportError:
        import zimtohrli

        matched = theirs[:n] * np.sqrt(np.square(ours[:n]).mean() / max(np.square(theirs[:n]).mean(), 1e-20))
        return float(zimtohrli.mos_from_signals(ours[:n].astype(np.float32), matched.astype(np.float32)))
    return float(judge(ours[:n], theirs[:n], RATE, with_visqol=False).zimtohrli)


def best_lag(reference: Audio, estimate: Audio) -> int:
    """By how many samples, up to 50 ms, the second sound is late: where levels in bands of both go together best."""
    from ddspvae.features.loudness import by_blocks
    from ddspvae.features.timbre import timbre_frames

    hop, most = RATE // 1000, round(MOST_LAG_S * 1000)

    def frames(audio: Audio) -> NDArray:
        import torch

        sound = torch.from_numpy(np.asarray(audio, np.float32))[None]
        bands = by_blocks(timbre_frames, sound, RATE, hop)[0].double().numpy()
        return np.asarray(bands - bands.mean(axis=0))

    n = min(len(reference), len(estimate))
    one, other = frames(reference[:n]), frames(estimate[:n])
    inner = one[most : len(one) - most]
    match = [float((inner * other[most + lag : len(other) - most + lag]).sum()) for lag in range(-most, most + 1)]
    return (int(np.argmax(match)) - most) * hop


def from_midi(instrument: Instrument, take: Performance, folder: Path) -> Performance:
    """What is written down of a take, and played again."""
    write_take_notes(take, instrument, folder / "take.mid")
    return instrument.perform(read_midi(folder / "take.mid")[0])


def by_fluidsynth(folder: Path, font: str, program: int) -> Audio | None:
    """The same file in the same folder by FluidSynth; None where that or its sounds are not installed."""
    if shutil.which("fluidsynth") is None or not Path(font).is_file():
        return None
    import mido

    file = mido.MidiFile(folder / "take.mid")
    for message in file.tracks[0]:
        if message.type == "program_change":
            message.program = program
    file.save(folder / "fluid.mid")
    subprocess.run(["fluidsynth", "-ni", "-F", str(folder / "fluid.wav"), "-r", str(RATE), font, str(folder / "fluid.mid")],
                   check=True, capture_output=True)
    return read_audio(folder / "fluid.wav", RATE)[0]


def with_curve(played: Performance, take: Performance, names: Sequence[str]) -> Performance:
    """What was played, with some curves of the recording in place of its own; as long as both are."""
    n_rows = min(len(played.z), len(take.z))
    n_frames = min(played.n_frames, take.n_frames, n_rows * take.frames_per_z)
    cut = {name: np.array(getattr(take if name in names else played, name)[: n_rows if name == "z" else n_frames])
           for name in CURVES}
    return replace(played, **cut)


def main() -> None:
    """Print a line a phrase."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("preset")
    parser.add_argument("recordings", nargs="+", type=Path)
    parser.add_argument("--room", help="of the preset; default: the one named as the folder, where there is one")
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--soundfont", default=next((font for font in FONTS if Path(font).is_file()), FONTS[0]))
    parser.add_argument("--steps", action="store_true")
    args = parser.parse_args()
    program = next((number for number, one in enumerate(PROGRAMS) if one.instrument == args.preset), 0)
    print("| phrase | analysis and resynthesis | from MIDI | FluidSynth |\n|---|---|---|---|")
    for path in args.recordings:
        room = args.room or (path.parent.name if path.parent.name in load(args.preset).config.rooms else None)
        instrument = load(args.preset, room)
        audio = read_audio(path, RATE)[0][: round(args.seconds * RATE)]
        take = instrument.analyze(audio, RATE)

        def sound(performance: Performance, instrument: Instrument = instrument) -> Audio:
            return instrument.resynthesize(performance)

        with tempfile.TemporaryDirectory() as folder:
            played = from_midi(instrument, take, Path(folder))
            fluid = by_fluidsynth(Path(folder), args.soundfont, program)
        cells = [judged(audio, sound(take)), judged(audio, sound(played)),
                 float("nan") if fluid is None else judged(audio, fluid)]
        print(f"| {path.name} | {' | '.join(f'{cell:.2f}' for cell in cells)} |", flush=True)
        for names in STEPS if args.steps else ():
            heard = judged(audio, sound(with_curve(played, take, names)))
            print(f"|   with {', '.join(names)} of the recording | | {heard:.2f} | |", flush=True)


if __name__ == "__main__":
    main()
