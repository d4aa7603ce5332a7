"""What verbs share about their outputs: checked before, written whole, reported after."""

from __future__ import annotations

import json
import os
import time
from argparse import Namespace
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddspvae.commands.progress import progress_bar
from ddspvae.commands.spool import Spool
from ddspvae.commands.writer import Writer
from ddspvae.signals.checks import InputError, check_range, fail, printable
from ddspvae.signals.jobs import in_order, tell

if TYPE_CHECKING:
    from ddspvae.audio import Audio
    from ddspvae.instrument.instrument import Instrument
    from ddspvae.signals import Performance


HALLS = ("studio", "chamber", "hall", "church")  # that --room names beside the learned ones; a test holds them to ours
STEM_BYTES = 120  # of a stem's name; a track's name may have thousands


def check_sound_options(args: Namespace) -> None:
    """Everything about the output that can be wrong, before anything is rendered or written."""
    from ddspvae.signals.sound_formats import FORMATS, check_format

    check_output(args.out, FORMATS)
    ending = Path(args.out).suffix.lower()
    if args.bit_depth == "24" and FORMATS[ending].coding:
        raise fail(args.verb, "--bit-depth", f"be left out for {ending}, which has none", "24", "write a .wav or .flac")
    if args.bit_depth == "float" and not FORMATS[ending].has_float:
        raise fail(args.verb, "--bit-depth", f"be 16 or 24 for {ending}", "float", "write a .wav instead")
    check_format(args.verb, ending, args.sample_rate, args.bit_depth)
    check_room_options(args)
    if args.sample_rate is not None:
        check_range(args.verb, "sample-rate", args.sample_rate, 8_000, 192_000)
    if args.seed is not None:
        check_range(args.verb, "seed", args.seed, 0, 2**31 - 1)
    if args.lufs is not None:
        check_range(args.verb, "lufs", args.lufs, -60, -5)


def check_room_options(args: Namespace) -> None:
    """What `options.add_room` can get wrong."""
    if args.dry and args.ir is not None:
        raise InputError(f"{args.verb}: --dry is without a room and --ir in another one; give one of them.")
    if args.room in HALLS and (args.dry or args.ir is not None):
        raise InputError(f"{args.verb}: --room {args.room} is a hall, --dry is without a room and --ir in another one; give "
                         "one of them.")
    if (args.wet, args.decay) != (0.0, 1.0) and (args.dry or args.ir is not None):
        raise InputError(f"{args.verb}: --wet and --decay change the learned room; leave out --dry and --ir.")
    check_range(args.verb, "wet", args.wet, -60, 20)
    check_range(args.verb, "decay", args.decay, 0.05, 20)


def check_output(path: str, endings: Iterable[str]) -> None:
    """The ending fits, and the folder can be written; that it is no input `paths.check_paths` has seen to."""
    if Path(path).suffix.lower() not in endings:
        raise InputError(f"{path} must end in {' or '.join(endings)}.")
    if Path(path).is_dir():
        raise InputError(f"{path} is a folder; name a file.")
    folder = Path(path).absolute().parent
    if not folder.is_dir():
        raise InputError(f"no folder {folder} to write {Path(path).name} to; make it first.")
    if not os.access(folder, os.W_OK):
        raise InputError(f"the folder {folder} cannot be written; choose another --out.")


def read_ir(args: Namespace, sample_rate: int) -> Audio | None:
    """The impulse response that --ir names, [L] or, of a stereo file, [2, L], at sample_rate, or that of a hall.

    None without one. What --wet and --decay say of a hall is in it, and no longer in the options.
    """
    if getattr(args, "room", None) in HALLS:
        from ddspvae.instrument.halls import hall_response

        response = hall_response(args.room, sample_rate, args.wet, args.decay)
        args.wet, args.decay = 0.0, 1.0
        return response
    if args.ir is None:
        return None
    from ddspvae.audio import count_channels, read_audio

    ir, _ = read_audio(args.ir, sample_rate, mono=False)
    if count_channels(ir) > 2:
        raise fail(args.verb, "--ir", "have one channel or two", count_channels(ir), "export the room in stereo")
    return ir


def learned_room(args: Namespace) -> str | None:
    """The room of a preset that --room names, if it names one."""
    return None if args.room in HALLS else args.room


@dataclass(frozen=True)
class Sound:
    """What a part will sound like in the mix; nothing is performed or rendered before its blocks are asked for.

    Args:
        name: of its stem.
        blocks: [T] or [2, T] each.
        sample_rate: Hz.
        n_samples: of all blocks together, more or less: for the progress bar, and to refuse what no WAV file holds.
        n_channels: 1 or 2.
    """

    name: str
    blocks: Iterable[Audio]
    sample_rate: int
    n_samples: int
    n_channels: int


def sound_of(player: Instrument, performance: Performance, args: Namespace, ir: Audio | None, *, name: str = "",
             voice: int = 0) -> Sound:
    """What the options make of a performance."""
    from ddspvae.audio import count_channels

    blocks = player.resynthesize_blocks(performance, dry=args.dry, seed=args.seed or 0, voice=voice, ir=ir,
                                        wet_db=args.wet, decay=args.decay)
    rate = player.config.sample_rate
    tail, n_channels = (0, 1) if ir is None else (ir.shape[-1], count_channels(ir))
    return Sound(name, blocks, rate, round(performance.duration_s * rate) + tail, n_channels)


@contextmanager
def write_sounds(args: Namespace, sounds: Sequence[Sound], began: float, extra: dict[str, Any]) -> Iterator[None]:
    """Render, mix, resample, keep under the peak limit, write, and say what was done; with --stems each sound as well.

    Sounds are rendered in blocks, on all cores (--jobs), and added up on disk in their order: no length costs memory.
    Stems are as they stand in the mix, so that they add up to it; one that would itself pass the limit is turned down more.
    The files get their names together when the `with` block ends well; otherwise nothing is left of any.
    """
    from ddspvae.audio import check_wav_size
    from ddspvae.signals.sound_formats import check_format

    rate, out = sounds[0].sample_rate, Path(args.out)
    out_rate = args.sample_rate or rate
    check_format(args.verb, out.suffix.lower(), out_rate, args.bit_depth)
    stems = _stem_paths(args, sounds)
    longest = max(sound.n_samples for sound in sounds) * out_rate // rate
    for path in (out, *stems):
        check_wav_size(path, longest, sounds[0].n_channels, args.bit_depth)
    with ExitStack() as files:
        if stems:
            files.enter_context(_new_folder(stems[0].parent))
        with progress_bar() as bar:
            writer = Writer(files, bar, rate, out_rate, args.bit_depth)
            rendering = bar.add_task("rendering", total=sum(sound.n_samples for sound in sounds))
            mix = files.enter_context(Spool(out))
            jobs = getattr(args, "jobs", None)
            is_alone = len(sounds) == 1 and not stems
            kept = [mix] if is_alone else [files.enter_context(Spool(path or out)) for _, path in zip_longest(sounds, stems)]
            rendered = in_order(_render, list(zip(sounds, kept)), jobs, partial(bar.advance, rendering))
            with closing(rendered):
                for spool, (n_samples, n_channels) in zip(kept, rendered):
                    spool.take_over(n_samples, n_channels)
                    if not is_alone:
                        mix.add(spool.blocks())
                    if not is_alone and not stems:
                        spool.forget()
            level = writer.write(out, mix, lufs=getattr(args, "lufs", None), limit=getattr(args, "limit", False))
            for path, stem in zip(stems, kept):
                writer.write(path, stem, level.gain)
        yield
    seconds, took_s = level.n_samples / out_rate, time.perf_counter() - began
    result = {"out": args.out, "seconds": round(seconds, 3), "sample_rate": out_rate, "channels": sounds[0].n_channels,
              **level.to_dict(), "took_s": round(took_s, 2), **extra}
    say(args, result, f"{args.out}: {seconds:.1f} s in {took_s:.1f} s{level.sentence}.")


def _render(work: tuple[Sound, Spool]) -> tuple[int, int]:
    """A sound to its spool, on any core; samples and channels."""
    sound, spool = work
    for block in spool.keep(sound.blocks):
        tell(block.shape[-1])
    return spool.n_samples, spool.n_channels


def _stem_paths(args: Namespace, sounds: Sequence[Sound]) -> list[Path]:
    """One WAV file a part; none without --stems."""
    if not getattr(args, "stems", None):
        return []
    safe = ["".join(c if c.isalnum() or c in "-_ " else "_" for c in sound.name).strip() or "part" for sound in sounds]
    safe = [name.encode()[:STEM_BYTES].decode(errors="ignore") for name in safe]
    paths = [Path(args.stems) / f"{name}.wav" for name in safe]
    if Path(args.out).resolve() in [path.resolve() for path in paths]:
        raise InputError(f"render: {args.out} is the name of a stem too; choose another --out or --stems.")
    return paths


@contextmanager
def _new_folder(folder: Path) -> Iterator[None]:
    """Make a folder, unless it is there; one that was made is gone again after a failure."""
    is_new = not folder.exists()
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(f"render: cannot make the folder {folder} ({error.strerror}).") from error
    try:
        yield
    except BaseException:
        if is_new:
            with suppress(OSError):
                folder.rmdir()
        raise


def say(args: Namespace, result: dict[str, Any], sentence: str) -> None:
    """The one line on stdout: a sentence, or a JSON object with --json."""
    print(json.dumps(result) if args.json else printable(sentence))
