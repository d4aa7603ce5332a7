"""What the verbs of the command line share about their outputs: checked before, written whole, reported after."""

from __future__ import annotations

import json
import os
import time
from argparse import Namespace
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddspvae.checks import InputError, check_range, fail

if TYPE_CHECKING:
    import numpy as np


def check_sound_options(args: Namespace, source: str | Path) -> None:
    """Everything about the output that can be wrong, before anything is rendered or written."""
    from ddspvae.audio import FORMATS

    check_output(args.out, FORMATS, source)
    if args.bit_depth == "float" and Path(args.out).suffix.lower() != ".wav":
        raise fail(args.verb, "--bit-depth", f"be 16 or 24 for {Path(args.out).suffix}", "float", "write a .wav instead")
    if args.dry and args.ir is not None:
        raise InputError(f"{args.verb}: --dry is without a room and --ir in another one; give one of them.")
    if args.sample_rate is not None:
        check_range(args.verb, "sample-rate", args.sample_rate, 8_000, 192_000)
    if args.seed is not None:
        check_range(args.verb, "seed", args.seed, 0, 2**31 - 1)


def check_output(path: str, endings: Iterable[str], source: str | Path | None = None) -> None:
    """The ending fits, the folder can be written, and it is not the input."""
    if Path(path).suffix.lower() not in endings:
        raise InputError(f"{path} must end in {' or '.join(endings)}.")
    if Path(path).is_dir():
        raise InputError(f"{path} is a folder; name a file.")
    if source is not None and Path(path).resolve() == Path(source).resolve():
        raise InputError(f"{path} is the input; choose another name for the output.")
    folder = Path(path).absolute().parent
    if not folder.is_dir():
        raise InputError(f"no folder {folder} to write {Path(path).name} to; make it first.")
    if not os.access(folder, os.W_OK):
        raise InputError(f"the folder {folder} cannot be written; choose another --out.")


def read_ir(args: Namespace, sample_rate: int) -> np.ndarray | None:
    """The impulse response that --ir names, [L] at sample_rate; None without one."""
    if args.ir is None:
        return None
    from ddspvae.audio import read_audio

    return read_audio(args.ir, sample_rate)[0]


def write_sound(args: Namespace, sound: np.ndarray, rate: int, began: float, extra: dict[str, Any]) -> None:
    """Resample, keep under the peak limit, write, and say what was done."""
    from ddspvae.audio import limit_peak, resample, write_audio

    out_rate = args.sample_rate or rate
    sound, gain_db = limit_peak(resample(sound, rate, out_rate))
    write_audio(args.out, sound, out_rate, args.bit_depth)
    seconds, took_s = len(sound) / out_rate, time.perf_counter() - began
    result = {"out": args.out, "seconds": round(seconds, 3), "sample_rate": out_rate, "gain_db": round(gain_db, 2),
              "took_s": round(took_s, 2), **extra}
    turned = f", turned down by {-gain_db:.1f} dB to stay below -1 dBFS" if gain_db else ""
    say(args, result, f"{args.out}: {seconds:.1f} s in {took_s:.1f} s{turned}.")


def write_stems(args: Namespace, names: list[str], sounds: list[np.ndarray], rate: int) -> None:
    """One WAV file a part, each under the peak limit."""
    from ddspvae.audio import limit_peak, resample, write_audio

    folder = Path(args.stems)
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(f"render: cannot make the folder {folder} ({error.strerror}).") from error
    out_rate = args.sample_rate or rate
    for name, sound in zip(names, sounds):
        safe = "".join(c if c.isalnum() or c in "-_ " else "_" for c in name).strip() or "part"
        write_audio(folder / f"{safe}.wav", limit_peak(resample(sound, rate, out_rate))[0], out_rate, args.bit_depth)


def say(args: Namespace, result: dict[str, Any], sentence: str) -> None:
    """The one line on stdout: a sentence, or a JSON object with --json."""
    print(json.dumps(result) if args.json else sentence)
