"""Options that several verbs share."""

from __future__ import annotations

import argparse

AXES = ("brightness", "breathiness", "hollowness", "bite")  # with names; a test holds them to the model's


def add_preset(sub: argparse.ArgumentParser) -> None:
    """Who plays."""
    who = sub.add_argument_group("who plays")
    who.add_argument("--preset", required=True, metavar="NAME|FILE", help="see `ddspvae presets`")


def add_output(sub: argparse.ArgumentParser, name: str, what: str = ".wav, .flac or .ogg") -> None:
    """The sound file, the room that it is played in, and what makes it the same again."""
    file, room = sub.add_argument_group("the file"), sub.add_argument_group("the room")
    file.add_argument("--out", required=True, metavar=name, help=what)
    room.add_argument("--dry", action="store_true", help="without the room")
    room.add_argument("--room", metavar="NAME", help="which of the preset's learned rooms to play in")
    room.add_argument("--ir", metavar="ROOM.wav", help="an impulse response to play in instead of the learned room")
    room.add_argument("--wet", type=float, default=0.0, metavar="DB",
                      help="the learned room's tail louder (+) or softer (-)")
    room.add_argument("--decay", type=float, default=1.0, metavar="X", help="2: the learned room rings twice as long")
    file.add_argument("--sample-rate", type=int, metavar="HZ", help="of the output; default: the instrument's")
    file.add_argument("--bit-depth", choices=["16", "24", "float"], default="16")
    file.add_argument("--seed", type=int, metavar="N", help="of noise and timbre; the same seed gives the same bytes")


def add_jobs(sub: argparse._ActionsContainer) -> None:
    """How many cores."""
    sub.add_argument("--jobs", type=int, metavar="N", help="cores to work on (default: all); the bytes are the same")


def add_axes(sub: argparse._ActionsContainer) -> None:
    """Axes of z to move."""
    sub.add_argument("--set", action="append", default=[], dest="offsets", metavar="AXIS=VALUE",
                     help="move the timbre: brightness=+1.5 adds 1.5 standard deviations of the training "
                     f"set; {', '.join(AXES)}, or a detail")


def add_tracker(sub: argparse._ActionsContainer) -> None:
    """What finds the pitch of a recording."""
    sub.add_argument("--tracker", metavar="crepe|swift|FILE.csv", help="of f0; default: the instrument's own")
