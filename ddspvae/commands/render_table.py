"""`ddspvae render notes.csv`: a table of notes and their controls, of one line or of many."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ddspvae.commands.sounds import Sound, learned_room, read_ir, write_sounds
from ddspvae.signals.checks import InputError, check_range, fail

if TYPE_CHECKING:
    from ddspvae.audio import Audio
    from ddspvae.editing import TableLine
    from ddspvae.instrument.instrument import Instrument
    from ddspvae.signals import Performance

TABLES = (".csv", ".tsv")


def render_table(source: Path, args: Namespace, began: float,
                 shape: Callable[[Performance, Instrument, Namespace], Performance]) -> None:
    """Every part of a table on the instrument of --preset, or as --track says.

    Args:
        source: of the table.
        args: of render.
        began: seconds, for the report.
        shape: the edits and curves that the options ask for.
    """
    from ddspvae.audio import check_wav_size, count_channels
    from ddspvae.editing import read_lines
    from ddspvae.instrument.instrument import LEAST_TAIL_S
    from ddspvae.instrument.loading import load_to_play
    from ddspvae.instrument.mix import balance

    lines = read_lines(source)
    for option in ("--save-performance" if args.save_performance else "", "--given" if args.given else ""):
        if option and len(lines) > 1:
            raise InputError(f"render: {option} is for one line, {source} has {len(lines)} voices and parts.")
    numbers = sorted({line.part for line in lines})
    chosen = track_presets(args.track, max(numbers))
    presets = {number: preset for number in numbers if (preset := chosen.get(number, args.preset)) != "off"}
    if not presets:
        raise InputError(f"render: every part of {source} is off; there is nothing to play.")
    rooms = {args.preset: learned_room(args)}
    players = {preset: load_to_play(preset, rooms.get(preset)) for preset in presets.values()}
    rates = {player.config.sample_rate for player in players.values()}
    if len(rates) > 1:
        raise InputError(f"render: the presets run at {sorted(rates)} Hz; use presets of one rate.")
    rate, = rates
    lasts_s = max(line.table.notes.duration_s for line in lines if line.part in presets)
    # milliseconds taken for seconds would fill the memory before they are found out
    check_wav_size(args.out, round((lasts_s + LEAST_TAIL_S) * (args.sample_rate or rate)), 1 + args.stereo, args.bit_depth)
    ir = read_ir(args, rate)
    n_channels = 2 if args.stereo or (ir is not None and count_channels(ir) == 2) else 1
    gains_db = {} if args.as_recorded else balance({name: player.statistics for name, player in players.items()})
    kept: list[Performance] = []
    sounds, voice = [], 0
    for number, preset in presets.items():
        own = [line for line in lines if line.part == number]
        player = players[preset]
        tail_s = player.tail_s(args.dry, ir, args.wet, args.decay)
        blocks = _play(own, player, args, ir, (voice, tail_s, gains_db.get(preset, 0.0)), shape, kept)
        n_samples = round((max(line.table.notes.duration_s for line in own) + tail_s) * rate)
        sounds.append(Sound(f"{number}-{preset}", blocks, rate, n_samples + (0 if ir is None else ir.shape[-1]), n_channels))
        voice += len(own)
    extra = {"parts": len(sounds)} if len(lines) == 1 else {"parts": len(sounds), "lines": len(lines)}
    with write_sounds(args, sounds, began, extra):
        if args.save_performance:
            kept[0].save(args.save_performance)


def _play(lines: list[TableLine], player: Instrument, args: Namespace, ir: Audio | None, how: tuple[int, float, float],
          shape: Callable[[Performance, Instrument, Namespace], Performance], kept: list[Performance]) -> Iterator[Audio]:
    """The sound of a part; played when its first block is asked for.

    Args:
        how: number of its first voice among all, seconds after its last note, and dB of its instrument in the mix.
    """
    from ddspvae.editing.play_table import play_lines
    from ddspvae.instrument.mix import place

    voice, tail_s, gain_db = how
    takes = [shape(take, player, args)
             for take in play_lines([line.table for line in lines], player, args.seed, tail_s)]
    if args.save_performance:
        kept.extend(takes)
    blocks = player.resynthesize_blocks(takes, dry=args.dry, seed=args.seed or 0, voice=voice, ir=ir, wet_db=args.wet,
                                        decay=args.decay)
    yield from place(blocks, {}, player.config.sample_rate, stereo=args.stereo, gain_db=gain_db)


def track_presets(options: list[str], n_parts: int) -> dict[int, str]:
    """What --track says, by number of the part."""
    chosen = {}
    for option in options:
        number, sign, preset = option.partition("=")
        if not sign or not number.isdecimal() or not preset:
            raise fail("render", "--track", "look like 2=flute", f"'{option}'")
        check_range("render", "--track", int(number), 1, n_parts, f"parts with notes in this file: {n_parts}")
        chosen[int(number)] = preset
    return chosen
