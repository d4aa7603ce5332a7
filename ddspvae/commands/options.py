"""Options that several verbs share."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

AXES = ("brightness", "breathiness", "hollowness", "bite")  # with names; a test holds them to the model's


def add_preset(sub: argparse.ArgumentParser, required: bool = True) -> None:
    """Who plays."""
    who = sub.add_argument_group("who plays")
    who.add_argument("--preset", required=required, metavar="NAME|FILE", help="see `ddspvae presets`")


def add_output(sub: argparse.ArgumentParser, name: str, what: str = ".wav, .flac, .aiff, .ogg, .opus or .mp3"
               ) -> None:
    """The sound file, the room that it is played in, and what makes it the same again."""
    file = sub.add_argument_group("the file")
    file.add_argument("--out", required=True, metavar=name, help=what)
    add_room(sub)
    file.add_argument("--sample-rate", type=int, metavar="HZ", help="of the output; default: the instrument's")
    file.add_argument("--bit-depth", choices=["16", "24", "float"], default="16")
    file.add_argument("--lufs", type=float, metavar="LUFS", help="how loud the whole is, after ITU-R BS.1770: -16, -23")
    file.add_argument("--limit", action="store_true", help="limit the peaks above -1 dBFS instead of turning all down")
    file.add_argument("--seed", type=int, metavar="N", help="of noise and timbre; the same seed gives the same bytes")


def add_room(sub: argparse.ArgumentParser) -> None:
    """The room that it is played in."""
    room = sub.add_argument_group("the room")
    room.add_argument("--dry", action="store_true", help="without the room")
    room.add_argument("--room", metavar="NAME", help="which of the preset's learned rooms to play in; or a hall: studio, "
                      "chamber, hall or church, in stereo")
    room.add_argument("--ir", metavar="ROOM.wav", help="an impulse response to play in instead of the learned room")
    room.add_argument("--wet", type=float, default=0.0, metavar="DB",
                      help="the learned room's tail louder (+) or softer (-)")
    room.add_argument("--decay", type=float, default=1.0, metavar="X", help="2: the learned room rings twice as long")


def add_jobs(sub: argparse._ActionsContainer) -> None:
    """How many cores."""
    sub.add_argument("--jobs", type=int, metavar="N", help="cores to work on (default: all); the bytes are the same")


def add_axes(sub: argparse._ActionsContainer) -> None:
    """Axes of z to move."""
    sub.add_argument("--set", action="append", default=[], dest="offsets", metavar="AXIS=VALUE",
                     help="move the timbre: brightness=+1.5 adds 1.5 standard deviations of the training "
                     f"set; {', '.join(AXES)}, or a detail")


def add_tuning(sub: argparse._ActionsContainer) -> None:
    """The pitches of the keys."""
    sub.add_argument("--tuning", action="append", default=[], metavar="FILE", help="a scale and where it lies: a Scala .scl "
                     "file, a .kbm file, or the option twice for both")
    sub.add_argument("--a4", type=float, metavar="HZ", help="pitch of the A above middle C (default: 440, or what the files "
                     "of --tuning make of it)")


def read_tuning_options(args: argparse.Namespace) -> Sequence[float | None] | None:
    """The pitches that these options ask for; None is the usual."""
    if not args.tuning and args.a4 is None:
        return None
    from ddspvae.midi.scala import read_tuning

    return read_tuning(args.tuning, args.a4)


def add_tracker(sub: argparse._ActionsContainer) -> None:
    """What finds the pitch of a recording."""
    sub.add_argument("--tracker", metavar="crepe|swift|FILE.csv", help="of f0; default: the instrument's own")
