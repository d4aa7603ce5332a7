"""What the operations on z share: takes in, a sound or a performance out."""

from __future__ import annotations

import warnings
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddspvae.commands.sounds import check_output, check_sound_options, learned_room, read_ir, say, sound_of, write_sounds
from ddspvae.signals.checks import InputError, check_range
from ddspvae.signals.files import new_file

if TYPE_CHECKING:
    from ddspvae.instrument.instrument import Instrument
    from ddspvae.latents.sweep import Sweep
    from ddspvae.signals import Performance

NOTE_S = 1.2
NOTE_VELOCITY = 90
SOUND_OPTIONS = {"dry": False, "room": None, "ir": None, "wet": 0.0, "decay": 1.0, "sample_rate": None, "bit_depth": "16",
                 "lufs": None, "limit": False}


def load_with_axes(args: Namespace) -> Instrument:
    """The instrument that --preset and --room name.

    Raises:
        InputError: it has no z.
    """
    from ddspvae.instrument.loading import load

    instrument = load(args.preset, learned_room(args) if hasattr(args, "room") else None)
    if not instrument.axis_names:
        raise InputError(f"latents: {instrument.name} was trained without z; use an instrument that has axes.")
    return instrument


def check_out(args: Namespace) -> None:
    """A sound or a performance, and no options that it cannot heed."""
    from ddspvae.signals.sound_formats import FORMATS

    check_output(args.out, [*FORMATS, ".npz"])
    if not _is_performance(args.out):
        check_sound_options(args)
    elif not getattr(args, "plot", None):
        idle = [name for name, value in SOUND_OPTIONS.items() if getattr(args, name) != value]
        if idle:
            option = f"--{idle[0].replace('_', '-')}"
            raise InputError(f"latents: {option} is for sounds and {args.out} holds curves; leave it out.")
    if args.seed is not None:
        check_range("latents", "seed", args.seed, 0, 2**31 - 1)


def _is_performance(path: str) -> bool:
    return Path(path).suffix.lower() == ".npz"


def read_takes(args: Namespace, instrument: Instrument, *paths: str, keep_z: bool = True) -> list[Performance]:
    """Recordings, listened to, and saved performances; their z must be the instrument's own, unless it is not kept."""
    from ddspvae.audio import read_audio
    from ddspvae.signals import Performance

    if args.tracker is not None and all(map(_is_performance, paths)):
        raise InputError(f"latents: {paths[0]} holds its pitch already; leave out --tracker.")
    takes = []
    for path in paths:
        if not _is_performance(path):
            takes.append(instrument.analyze(*read_audio(path), args.tracker))
            continue
        take = Performance.load(path)
        if not keep_z:
            take = replace(take, z=take.z[:, :0], axis_names=(), instrument="")
        elif take.axis_names != instrument.axis_names or take.instrument not in ("", instrument.identity):
            raise InputError(f"latents: {path} holds the z of another instrument; analyze its recording with "
                             f"--preset {args.preset}.")
        takes.append(instrument.adapt(take))
    return takes


def play_score(args: Namespace, instrument: Instrument) -> Performance:
    """One part of the score that is the source, with warnings for what cannot be played as written."""
    from ddspvae.midi.trained_range import outside_range
    from ddspvae.midi.voices import to_one_voice
    from ddspvae.scores import read_score

    if args.tracker is not None:
        raise InputError(f"latents: --tracker is for recordings; {args.source} is a score.")
    parts = read_score(args.source)
    if args.part is None and len(parts) > 1:
        raise InputError(f"latents: {args.source} has {len(parts)} parts; choose one with --part N.")
    check_range("latents", "--part", args.part or 1, 1, len(parts), f"parts with notes in this file: {len(parts)}")
    one = to_one_voice(parts[(args.part or 1) - 1])
    for sentence in (one.warning, outside_range(one.notes, instrument.statistics)):
        if sentence:
            warnings.warn(f"latents: {sentence}", stacklevel=2)
    return instrument.perform(one.notes)


def play_note(instrument: Instrument, pitch: float | None) -> Performance:
    """One note with the beginning of its release; None plays the middle of the learned range."""
    from ddspvae.signals import Note, Notes

    middle = round((instrument.statistics.pitch_low + instrument.statistics.pitch_high) / 2)
    note = Note(middle if pitch is None else pitch, NOTE_VELOCITY, 0.0, NOTE_S)
    return instrument.perform(Notes((note,))).slice(0, NOTE_S + 0.3)


def write(args: Namespace, instrument: Instrument, performance: Performance, began: float, extra: dict[str, Any],
           swept: Sweep | None = None) -> None:
    """The sound, or the curves where --out ends in .npz; and the picture of a sweep."""
    import numpy as np

    ir = read_ir(args, instrument.config.sample_rate)
    sound = sound_of(instrument, performance, args, ir)
    with _new_picture(getattr(args, "plot", None)) as part:
        if part is not None and swept is not None:
            from ddspvae.latents.sweep import plot_sweep

            audio = np.concatenate(list(sound.blocks), axis=-1)
            plot_sweep(audio if audio.ndim == 1 else audio.mean(0), sound.sample_rate, swept, part)
            sound, extra = replace(sound, blocks=[audio]), {"plot": args.plot, **extra}
        if not _is_performance(args.out):
            with write_sounds(args, [sound], began, extra):
                pass
            return
        performance.save(args.out)
    seconds = round(performance.duration_s, 3)
    say(args, {"out": args.out, "seconds": seconds, **extra}, f"{args.out}: {seconds:.1f} s of curves.")


@contextmanager
def _new_picture(path: str | None) -> Iterator[Path | None]:
    """A picture that gets its name when the `with` block ends well; None where none is wanted."""
    if path is None:
        yield None
        return
    try:
        with new_file(path) as part:
            yield part
    except OSError as error:
        raise InputError(f"latents: cannot write {path} ({error.strerror}).") from error
