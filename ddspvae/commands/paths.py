"""No output is an input, nor another output: looked at for every verb before it begins."""

from __future__ import annotations

import os
import re
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

from ddspvae.signals.checks import InputError

# options whose values are files; what a verb does not have is not there
OUTPUTS = ("out", "plot", "csv", "notes", "save_performance", "stems", "record", "record_midi")
INPUTS = ("take", "take_a", "take_b", "source", "recordings", "ir", "tracker", "plus", "minus", "holdout", "points", "given",
          "preset", "start_from", "track", "tuning")
NAME_BYTES = 255  # of one file's name, on most file systems


def check_paths(args: Namespace) -> None:
    """Raise InputError where a command would write over what it reads, or one output over another."""
    outputs = list(_named(args, OUTPUTS))
    for _, path in outputs:
        _check_name(args.verb, path)
    inputs = list(_named(args, INPUTS))
    for option, path in outputs:
        if any(_is_same(path, read) for _, read in inputs):
            raise InputError(f"{args.verb}: {path} is an input; choose another name for {_flag(option)}.")
    for index, (option, path) in enumerate(outputs):
        for other, written in outputs[:index]:
            if _is_same(path, written):
                raise InputError(f"{args.verb}: {_flag(other)} and {_flag(option)} both name {path}; name two files.")


def files_read(args: Namespace) -> list[Path]:
    """The files that a command's options name and that are there: rooms, curves, recordings, instruments of one's own."""
    return sorted({Path(path) for _, path in _named(args, INPUTS) if os.path.isfile(path)})


def _flag(option: str) -> str:
    return "--" + option.replace("_", "-")


def _named(args: Namespace, options: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for option in options:
        value = getattr(args, option, None)
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, str) and one:
                yield from ((option, path) for path in _paths_in(option, one))


def _paths_in(option: str, value: str) -> list[str]:
    """The files that an option's value names: loudness=take.wav@1-2, 2=mine.safetensors, ensemble:take.wav+b.wav."""
    if option in ("given", "track"):
        value = value.partition("=")[2]
    if option == "given":
        return [value, re.sub(r"@\d+(\.\d*)?-\d+(\.\d*)?$", "", value)]
    if option in ("preset", "track", "start_from"):
        timbres = value.partition(":")[2]
        parts = re.split(r"\.\.(?![\\/])|\+", timbres)
        return [value, timbres, *parts, *(re.sub(r"\*[\d.]+$", "", part) for part in parts)]
    return [value]


def _is_same(one: str, other: str) -> bool:
    if not one or not other:
        return False
    try:
        return os.path.samefile(one, other)
    except (OSError, ValueError):
        return os.path.realpath(one) == os.path.realpath(other)


def _check_name(verb: str, path: str) -> None:
    """What no file system takes is told before the work."""
    if "\0" in path:
        raise InputError(f"{verb}: the name of an output holds a zero byte; choose another.")
    if len(os.fsencode(Path(path).name)) > NAME_BYTES:
        raise InputError(f"{verb}: the name {Path(path).name[:40]}... is too long for a file; choose a shorter one.")
    if path.startswith("~"):
        raise InputError(f"{verb}: there is no user for {path}; write the folder out.")
