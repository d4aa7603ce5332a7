"""`ddspvae render`: a score cast on instruments, each part performed, voiced and placed in the mix."""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddspvae.commands.edits import apply_edits, read_offsets
from ddspvae.commands.options import add_axes, add_jobs, add_output, add_tuning, read_tuning_options
from ddspvae.commands.project import is_project, render_project
from ddspvae.commands.render_table import TABLES, render_table, track_presets
from ddspvae.commands.sounds import Sound, check_output, check_sound_options, learned_room, read_ir, sound_of, write_sounds
from ddspvae.signals.checks import InputError, check_range, printable

if TYPE_CHECKING:
    from ddspvae.audio import Audio
    from ddspvae.instrument.instrument import Instrument
    from ddspvae.signals import Notes, Performance

SUMMARY = "play a score or MIDI file, a table of notes, a saved performance, or a project of the studio"
EXAMPLES = (
    "ddspvae render song.mid --out song.wav",
    "ddspvae render score.musicxml --out score.wav",
    "ddspvae render song.mid --preset violin --out song.wav --seed 3 --wet 6",
    "ddspvae render song.mid --out song.wav --track 1=flute --track 3=off --stems stems",
    "ddspvae render song.mid --preset ensemble:violin..flute --out turning.wav",
)
AUTO = "auto"


@dataclass(frozen=True, eq=False)
class Part:
    """A part of a score and who plays it.

    Args:
        number: in the file, from 1.
        notes: as they are written.
        lines: the same for one voice each.
        preset: name or file.
        player: that preset.
    """

    number: int
    notes: Notes
    lines: tuple[Notes, ...]
    preset: str
    player: Instrument

    @property
    def title(self) -> str:
        """For people and files."""
        return f"{self.number}-{self.notes.name or 'part'}"


def add_options(sub: argparse.ArgumentParser) -> None:
    """Give the verb its options."""
    sub.add_argument("source", metavar="SONG.mid|SCORE.musicxml|NOTES.csv|PERF.npz|PROJECT")
    add_playing(sub)
    add_output(sub, "song.wav")
    more = sub.add_argument_group("more files")
    add_jobs(more)
    more.add_argument("--stereo", action="store_true", help="two channels, even if no part is panned")
    more.add_argument("--stems", metavar="DIR", help="write every part to its own file too, as it stands in the mix")
    more.add_argument("--save-performance", metavar="P.npz", help="keep the curves that were played (one voice only)")


def add_playing(sub: argparse.ArgumentParser) -> None:
    """Who plays a score, and how."""
    who = sub.add_argument_group("who plays")
    who.add_argument("--preset", default="auto", metavar="NAME|FILE",
                     help="see `ddspvae presets`; without it, every part gets the nearest there is")
    who.add_argument("--track", action="append", default=[], metavar="N=PRESET",
                     help="play part N (1 is the first) with another preset; N=off leaves it out")
    who.add_argument("--voices", type=int, metavar="N",
                     help="notes at once in a part: 1 plays one line with legato; default: what it needs, up to 16")
    who.add_argument("--performer", choices=["learned", "rules"], help="who plays the notes: default learned, from the "
                     "recordings, where the preset holds such notes")
    change = sub.add_argument_group("what changes")
    change.add_argument("--transpose", type=float, default=0.0, metavar="N", help="semitones")
    add_axes(change)
    change.add_argument("--expression", type=float, default=1.0, metavar="X",
                        help="0 deadpan, 1 as recorded, 2 exaggerated")
    change.add_argument("--given", action="append", default=[], metavar="CURVE=FILE[@FROM-TO]",
                        help="follow a curve of a take, a performance or a CSV file: loudness=take.wav, f0=hum.npz@1.5-4")
    change.add_argument("--fold", action="store_true", help="move notes outside the learned range by octaves")
    add_tuning(change)
    change.add_argument("--as-recorded", action="store_true", help="leave instruments as loud as their recordings were")


def run(args: Namespace) -> None:
    """MIDI, a table of notes, or a performance to a sound file."""
    began = time.perf_counter()
    source = Path(args.source)
    check_sound_options(args)
    if args.save_performance:
        check_output(args.save_performance, [".npz"])
    check_range("render", "transpose", args.transpose, -60, 60)
    check_range("render", "expression", args.expression, 0, 2)
    if args.jobs is not None:
        check_range("render", "jobs", args.jobs, 1, 1024)
    if args.voices is not None:
        check_range("render", "voices", args.voices, 1, 128)
    if is_project(source):
        render_project(source, args, began)
        return
    ending = source.suffix.lower()
    if ending not in (".npz", *TABLES):
        _render_score(source, args, began)
        return
    if args.preset == AUTO:
        raise InputError(f"render: {source} does not say who plays it; name the instrument with --preset.")
    if (args.fold or args.expression != 1.0 or args.voices is not None or args.performer is not None
            or args.tuning or args.a4 is not None):
        raise InputError("render: --fold, --voices, --performer, --expression, --tuning and --a4 are for scores; "
                         f"{source} says already how it is played.")
    if ending in TABLES:
        render_table(source, args, began, shape)
    else:
        _render_performance(source, args, began)


def _render_performance(source: Path, args: Namespace, began: float) -> None:
    """A saved performance."""
    from ddspvae.instrument.loading import load_to_play
    from ddspvae.instrument.mix import place
    from ddspvae.signals import Performance

    if args.track:
        raise InputError(f"render: --track is for scores and tables; {source} is one line.")
    player = load_to_play(args.preset, learned_room(args))
    ir = read_ir(args, player.config.sample_rate)
    performance = shape(Performance.load(source), player, args)
    sound = sound_of(player, performance, args, ir, name=source.stem)
    if args.stereo and sound.n_channels == 1:
        sound = replace(sound, blocks=place(sound.blocks, {}, sound.sample_rate, stereo=True), n_channels=2)
    with write_sounds(args, [sound], began, {"parts": 1}):
        if args.save_performance:
            performance.save(args.save_performance)


def _render_score(source: Path, args: Namespace, began: float) -> None:
    from ddspvae.audio import count_channels
    from ddspvae.instrument.mix import balance, is_panned

    parts = cast_parts(source, args)
    for option in ("--save-performance" if args.save_performance else "", "--given" if args.given else ""):
        if option and len(parts) > 1:
            raise InputError(f"render: {option} is for one part, {source} has {len(parts)}; leave the others out with "
                             "--track N=off.")
        if option and len(parts[0].lines) > 1:
            raise InputError(f"render: {option} is for one voice, {source} needs {len(parts[0].lines)}; play it with "
                             "--voices 1.")
    first = parts[0].player
    rate = first.config.sample_rate
    for part in parts:
        if part.player.config.sample_rate != rate:
            raise InputError(f"render: {part.player.name} runs at {part.player.config.sample_rate} Hz and {first.name} at "
                             f"{rate} Hz; use presets of one rate.")
    ir = read_ir(args, rate)
    stereo = args.stereo or any(is_panned(part.notes.controllers) for part in parts)
    n_channels = 2 if stereo or (ir is not None and count_channels(ir) == 2) else 1
    tail = 0 if ir is None else ir.shape[-1]
    gains_db = {} if args.as_recorded else balance({part.preset: part.player.statistics for part in parts})
    score_s = max(part.notes.duration_s for part in parts)
    kept: list[Performance] = []
    sounds, voice = [], 0
    players = {part.preset: 0 for part in parts}  # of each instrument, so far
    for part in parts:
        tail_s = part.player.tail_s(args.dry, ir, args.wet, args.decay)
        blocks = _play(part, args, ir, (voice, players[part.preset]), stereo, gains_db.get(part.preset, 0.0),
                       (score_s, tail_s), kept)
        players[part.preset] += len(part.lines)
        n_samples = round((part.notes.duration_s + tail_s) * rate) + tail
        sounds.append(Sound(part.title, blocks, rate, n_samples, n_channels))
        voice += len(part.lines)
    played = [{"part": part.number, "name": part.notes.name, "program": part.notes.program, "preset": part.preset,
               "voices": len(part.lines)} for part in parts]
    if sys.stderr.isatty():
        print(printable("\n".join(_describe(part) for part in parts)), file=sys.stderr)
    with write_sounds(args, sounds, began, {"parts": len(sounds), "played": played}):
        if args.save_performance:
            kept[0].save(args.save_performance)


def _describe(part: Part) -> str:
    voices = "1 voice" if len(part.lines) == 1 else f"{len(part.lines)} voices"
    named = f" '{part.notes.name}'" if part.notes.name else ""
    return f"part {part.number}{named} is played by {part.preset} ({voices})."


def _play(part: Part, args: Namespace, ir: Audio | None, first: tuple[int, int], stereo: bool, gain_db: float,
          lasts_s: tuple[float, float], kept: list[Performance]) -> Iterator[Audio]:
    """The sound of a part as it stands in the mix; performed when its first block is asked for, then forgotten.

    Args:
        first: number of its first voice among all, for the noise, and among those of its instrument, for the choices.
        lasts_s: the whole score, and what comes after its last note.
    """
    from ddspvae.instrument.mix import place
    from ddspvae.instrument.plucking import play_plucked
    from ddspvae.midi.voices import seed_of

    player, (voice, at) = part.player, first
    how: dict[str, Any] = {"dry": args.dry, "seed": args.seed or 0, "voice": voice, "ir": ir, "wet_db": args.wet,
                           "decay": args.decay}
    if player.plucks is not None and not args.given:
        blocks = play_plucked(player.plucks, player.rooms, [part.notes], transpose=args.transpose, mono=args.voices == 1,
                              tones=read_offsets(args, player), tail_s=lasts_s[1], **how)
        yield from place(blocks, part.notes.controllers, player.config.sample_rate, stereo=stereo, gain_db=gain_db)
        if not args.save_performance:
            return
    takes = [shape(player.perform(line, expression=args.expression, performer=args.performer,
                                   seed=seed_of(args.seed, at + index), score_s=lasts_s[0], tail_s=lasts_s[1]), player, args)
             for index, line in enumerate(part.lines)]
    if args.save_performance:
        kept.extend(takes)
    if player.plucks is not None and not args.given:
        return
    blocks = player.resynthesize_blocks(takes, **how)
    yield from place(blocks, part.notes.controllers, player.config.sample_rate, stereo=stereo, gain_db=gain_db)


def cast_parts(source: Path, args: Namespace) -> list[Part]:
    """The parts of a score and who plays each, with warnings for what cannot be played as written."""
    from ddspvae.instrument.loading import load_to_play
    from ddspvae.midi.trained_range import fold_octaves, outside_range
    from ddspvae.midi.voices import MOST_VOICES, to_voices
    from ddspvae.scores import read_score

    loaded: dict[str, Instrument] = {}
    if args.preset != AUTO:
        loaded[args.preset] = load_to_play(args.preset, learned_room(args))
    elif learned_room(args) is not None:
        raise InputError("render: --room is one of a preset's own; name that with --preset.")
    scored = read_score(source, read_tuning_options(args))
    chosen = _choose_presets(scored, args)
    parts = []
    for number, (written, preset) in enumerate(zip(scored, chosen), start=1):
        if preset == "off":
            continue
        if preset not in loaded:
            loaded[preset] = load_to_play(preset)
        player = loaded[preset]
        moved = replace(player.statistics, pitch_low=player.statistics.pitch_low - args.transpose,
                        pitch_high=player.statistics.pitch_high - args.transpose)
        notes = fold_octaves(written, moved) if args.fold else written
        if not args.fold and (sentence := outside_range(notes, moved)):
            warnings.warn(f"render: part {number}: {sentence}", stacklevel=2)
        if player.plucks is not None and not (args.given or args.save_performance):
            lines: tuple[Notes, ...] = (notes,)  # its strings sort out who plays what
        else:
            voices = to_voices(notes, voices=args.voices or MOST_VOICES)
            if voices.warning:
                warnings.warn(f"render: {voices.warning}", stacklevel=2)
            lines = voices.lines
        parts.append(Part(number, notes, lines, preset, player))
    if not parts:
        raise InputError(f"render: every part of {source} is off; there is nothing to play.")
    return parts


def _choose_presets(parts: Sequence[Notes], args: Namespace) -> list[str]:
    """Who plays each part: as --track says, else --preset, else the nearest there is."""
    from ddspvae.instrument.presets import read_cards
    from ddspvae.midi.programs import choose_preset, told_replacement

    chosen = track_presets(args.track, len(parts))
    if args.preset != AUTO:
        return [chosen.get(number, args.preset) for number in range(1, len(parts) + 1)]
    cards, taken = read_cards(), []
    for number, part in enumerate(parts, start=1):
        taken.append(chosen.get(number) or choose_preset(part, cards, transpose=args.transpose))
        if number not in chosen and (sentence := told_replacement(part, taken[-1])):
            warnings.warn(f"render: part {number} {sentence} (another with --track {number}=PRESET).", stacklevel=2)
    return taken


def shape(performance: Performance, player: Instrument, args: Namespace) -> Performance:
    """The edits that the options name, then the curves that are given and must be met as they are."""
    from ddspvae.editing.inpainting import apply_given

    edited = apply_edits(performance, player, args)
    return apply_given(edited, args.given, player) if args.given else edited
