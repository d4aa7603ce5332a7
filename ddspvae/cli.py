"""The command line: `ddspvae VERB --help` explains itself.

Exit codes: 0 done, 2 the input is at fault (one sentence on stderr), 130 interrupted, 1 our own bug.
Nothing heavy is imported here; each verb imports what it needs in `verbs`.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Sequence
from typing import NoReturn, TextIO

from ddspvae.checks import InputError

EPILOG = "examples:\n  ddspvae render song.mid --out song.wav\n" \
         "  ddspvae edit take.wav --preset violin --out higher.wav --transpose 7\n" \
         "  ddspvae train recordings/ --out mine.safetensors --minutes 10"


class _Parser(argparse.ArgumentParser):
    """One sentence for a wrong option, like for any other wrong input."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help.\n")


def build_parser() -> argparse.ArgumentParser:
    """The verbs and their options."""
    parser = _Parser(prog="ddspvae", description="Learn an instrument from minutes of recordings; play it from MIDI; "
                     "edit pitch, loudness and timbre apart.", epilog=EPILOG,
                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", action="store_true", help="print the version and stop")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", parser_class=_Parser)

    def verb(name: str, summary: str) -> argparse.ArgumentParser:
        sub = verbs.add_parser(name, help=summary, description=summary)
        sub.add_argument("--json", action="store_true", help="print one machine-readable object on stdout")
        return sub

    verb("presets", "list the instruments there are")

    sub = verb("render", "play a MIDI file, a table of notes, or a saved performance")
    sub.add_argument("source", metavar="SONG.mid|NOTES.csv|PERF.npz")
    sub.add_argument("--preset", default="auto", metavar="NAME|FILE",
                     help="who plays; see `ddspvae presets`; without it, every part gets the nearest there is")
    _output(sub, "song.wav")
    sub.add_argument("--track", action="append", default=[], metavar="N=PRESET",
                     help="play part N (1 is the first) with another preset; N=off leaves it out")
    sub.add_argument("--voices", type=int, metavar="N",
                     help="notes at once in a part: 1 plays one line with legato; default: what it needs, up to 16")
    sub.add_argument("--stereo", action="store_true", help="two channels, even if no part is panned")
    sub.add_argument("--transpose", type=float, default=0.0, metavar="N", help="semitones")
    _set(sub)
    sub.add_argument("--expression", type=float, default=1.0, metavar="X",
                     help="0 deadpan, 1 as recorded, 2 exaggerated")
    sub.add_argument("--performer", choices=["learned", "rules"], help="who plays the notes: default learned, from the "
                     "recordings, where the preset holds such notes")
    sub.add_argument("--given", action="append", default=[], metavar="CURVE=FILE[@FROM-TO]",
                     help="follow a curve of a take, a performance or a CSV file: loudness=take.wav, f0=hum.npz@1.5-4")
    sub.add_argument("--fold", action="store_true", help="move notes outside the learned range by octaves")
    sub.add_argument("--as-recorded", action="store_true", help="leave instruments as loud as their recordings were")
    sub.add_argument("--stems", metavar="DIR", help="write every part to its own file too, as it stands in the mix")
    sub.add_argument("--save-performance", metavar="P.npz", help="keep the curves that were played (one voice only)")

    sub = verb("analyze", "write down how a recording was played")
    sub.add_argument("take", metavar="TAKE.wav")
    _preset(sub)
    sub.add_argument("--out", required=True, metavar="take.npz")
    _tracker(sub)
    sub.add_argument("--plot", metavar="take.png", help="draw waveform, spectrogram with f0, loudness and z")
    sub.add_argument("--csv", metavar="take.csv", help="write time, Hz, periodicity, to be corrected by hand "
                     "and given back with --tracker take.csv")

    sub.add_argument("--notes", metavar="take.mid", help="write the notes that were played as a MIDI file")

    sub = verb("edit", "change pitch, loudness or timbre of a recording, each alone")
    sub.add_argument("take", metavar="TAKE.wav|take.npz")
    _preset(sub)
    _output(sub, "new.wav")
    sub.add_argument("--transpose", type=float, default=0.0, metavar="N", help="semitones")
    sub.add_argument("--loudness", type=float, default=0.0, metavar="DB", help="louder (+) or softer (-)")
    sub.add_argument("--vibrato", type=float, default=1.0, metavar="X", help="0 none, 1 as played, 2 twice as wide")
    sub.add_argument("--stretch", type=float, default=1.0, metavar="X", help="2 plays twice as long")
    sub.add_argument("--fit", action="store_true", help="move a foreign take into the learned range and levels")
    sub.add_argument("--threshold", type=float, metavar="DB", help="-40: silence what is 40 dB below the loudest, or softer")
    sub.add_argument("--autotune", type=float, default=0.0, metavar="X", help="1 moves notes onto the scale, 0.5 halfway")
    sub.add_argument("--scale", default="chromatic", metavar="NAME:TONIC", help="of --autotune: major:D, minor:F#, ...")
    _set(sub)
    _tracker(sub)

    sub = verb("train", "learn an instrument from recordings; the same command again resumes")
    sub.add_argument("recordings", nargs="+", metavar="RECORDINGS", help="a folder or files")
    sub.add_argument("--out", metavar="my.safetensors")
    budget = sub.add_mutually_exclusive_group()
    budget.add_argument("--minutes", type=float, metavar="M", help="time to train, over all resumes (default 10)")
    budget.add_argument("--steps", type=int, metavar="N", help="steps to train instead")
    sub.add_argument("--bitrate", type=float, default=2000.0, metavar="BPS", help="bit/s of timbre (default 2000)")
    sub.add_argument("--controller", default="log-dual", metavar="NAME", help="what holds the bitrate (default log-dual)")
    sub.add_argument("--bottleneck", default="gaussian", metavar="NAME",
                     help="gaussian, or whole numbers: vq, rvq, fsq (default gaussian)")
    sub.add_argument("--encoder", default="harmonics", metavar="NAME",
                     help="what hears axes without names: harmonics (default), mel, waveform or transformer")
    sub.add_argument("--many", action="store_true", help="RECORDINGS holds a folder for each of several instruments; learn "
                     "them all in one model, played as my.safetensors:NAME")
    sub.add_argument("--from", dest="start_from", metavar="PRESET", help="start from another instrument")
    sub.add_argument("--tracker", default="swift", metavar="NAME", help="swift, crepe or crepe-full")
    sub.add_argument("--holdout", action="append", default=[], metavar="FILE", help="leave this recording out entirely")
    sub.add_argument("--sample-rate", type=int, default=48_000, metavar="HZ")
    sub.add_argument("--hop", type=int, metavar="N", help="samples per frame (default: 200 frames a second)")
    sub.add_argument("--axes", type=int, metavar="N",
                     help="axes of z: four with names, the others details (default: as many as the bitrate pays for); "
                          "0 trains without z")
    sub.add_argument("--no-noise", action="store_true", help="harmonics only")
    sub.add_argument("--no-reverb", action="store_true", help="no room")
    sub.add_argument("--device", metavar="D", help="cuda, mps or cpu; default: the best there is")
    sub.add_argument("--seed", type=int, default=0, metavar="N")
    sub.add_argument("--examine", action="store_true", help="print the doctor's report and stop; needs no --out")

    sub = verb("evaluate", "measure an instrument on recordings it has not heard")
    sub.add_argument("preset", metavar="PRESET|my.safetensors")
    sub.add_argument("recordings", nargs="+", metavar="RECORDINGS")
    sub.add_argument("--out", required=True, metavar="report/")
    sub.add_argument("--tracker", metavar="NAME", help="default: one that was not used in training")
    sub.add_argument("--room", metavar="NAME", help="which of the preset's learned rooms to play in")
    sub.add_argument("--max-seconds", type=float, default=30.0, metavar="S", help="of each recording (default 30)")

    from ddspvae.latents.commands import add_latents_verb
    from ddspvae.performer.commands import add_perform_verb

    add_perform_verb(verb("perform", "the notes of a score or a take, and how each is played, as a table to edit"))
    add_latents_verb(verb("latents", "play with timbre: sample, interpolate, arithmetic, sweep, trim"))
    return parser


def _preset(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--preset", required=True, metavar="NAME|FILE", help="see `ddspvae presets`")


def _output(sub: argparse.ArgumentParser, name: str) -> None:
    sub.add_argument("--out", required=True, metavar=name, help=".wav, .flac or .ogg")
    sub.add_argument("--dry", action="store_true", help="without the room")
    sub.add_argument("--room", metavar="NAME", help="which of the preset's learned rooms to play in")
    sub.add_argument("--ir", metavar="ROOM.wav", help="an impulse response to play in instead of the learned room")
    sub.add_argument("--wet", type=float, default=0.0, metavar="DB", help="the learned room's tail louder (+) or softer (-)")
    sub.add_argument("--decay", type=float, default=1.0, metavar="X", help="2: the learned room rings twice as long")
    sub.add_argument("--sample-rate", type=int, metavar="HZ", help="of the output; default: the instrument's")
    sub.add_argument("--bit-depth", choices=["16", "24", "float"], default="16")
    sub.add_argument("--seed", type=int, metavar="N", help="of noise and timbre; the same seed gives the same bytes")


def _set(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--set", action="append", default=[], dest="offsets", metavar="AXIS=VALUE",
                     help="move an axis of z: brightness=+1.5 adds 1.5 standard deviations of the training set")


def _tracker(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--tracker", metavar="crepe|swift|FILE.csv", help="of f0; default: the instrument's own")


def _show_warning(message: Warning | str, category: type[Warning], filename: str, lineno: int,
                  file: TextIO | None = None, line: str | None = None) -> None:
    if issubclass(category, UserWarning):
        print(f"warning: {message}", file=sys.stderr)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    parser = build_parser()
    args = parser.parse_args(argv)
    if args.version:
        import ddspvae

        print(ddspvae.__version__)
        return 0
    if args.verb is None:
        parser.print_help()
        return 0
    warnings.showwarning = _show_warning
    # Two OpenMP threads that spin beside one busy core are many times slower than threads that sleep; torch reads this
    # when it is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from ddspvae import verbs

    try:
        verbs.VERBS[args.verb](args)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
