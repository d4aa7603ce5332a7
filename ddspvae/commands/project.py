"""A project of the studio, rendered: its parts as they were edited, and as they stand on its desk. No verb."""

from __future__ import annotations

import warnings
from argparse import Namespace
from functools import lru_cache
from pathlib import Path
from typing import Any

from ddspvae.commands.sounds import Sound, read_ir, write_sounds
from ddspvae.signals.checks import InputError

OWN: dict[str, Any] = {  # what a project says itself
    "preset": "auto", "track": [], "voices": None, "performer": None, "transpose": 0.0, "offsets": [], "expression": 1.0,
    "given": [], "fold": False, "as_recorded": False, "save_performance": None, "seed": None}


def is_project(source: Path) -> bool:
    """Whether a path is the folder of a project."""
    return (source / "project.json").is_file()


def render_project(source: Path, args: Namespace, began: float) -> None:
    """What `ddspvae render PROJECT --out song.wav` writes: what the studio plays."""
    from ddspvae.instrument.loading import load_to_play
    from ddspvae.instrument.mix import balance, place
    from ddspvae.studio.edits import arrangement_of, audible
    from ddspvae.studio.project import Project

    for name, usual in OWN.items():
        if getattr(args, name) != usual:
            option = "set" if name == "offsets" else name.replace("_", "-")
            raise InputError(f"render: --{option} is for scores; the project {source} says already how it is played.")
    players = lru_cache(load_to_play)
    now, skipped = arrangement_of(Project(source), players)
    for sentence in skipped:
        warnings.warn(f"render: {sentence}", stacklevel=2)
    heard = audible(now.parts)
    if not heard:
        raise InputError(f"render: the project {source} holds no score that is heard; its takes are written by the studio's "
                         "view Take it away.")
    rate = players(heard[0].preset).config.sample_rate
    ir = read_ir(args, rate)
    gains_db = balance({part.preset: players(part.preset).statistics for part in now.parts})
    sounds = []
    for part in heard:
        player, lines = players(part.preset), [line.final for line in part.lines]
        if player.config.sample_rate != rate:
            raise InputError(f"render: {player.name} runs at {player.config.sample_rate} Hz and another part at {rate} Hz; "
                             "use presets of one rate.")
        blocks = player.resynthesize_blocks(lines, dry=args.dry, seed=part.seed or 0, voice=part.first_voice, ir=ir,
                                            wet_db=args.wet, decay=args.decay)
        desk = {"volume": part.written.controllers.get("volume", ()), "pan": part.pans()}
        placed = place(blocks, desk, rate, stereo=True, gain_db=gains_db[part.preset] + part.level_db)
        n_samples = max(line.n_frames for line in lines) * player.config.hop_size
        sounds.append(Sound(f"{part.number + 1}-{part.written.name or 'part'}", placed, rate, n_samples, 2))
    with write_sounds(args, sounds, began, {"parts": len(sounds), "project": str(source)}):
        pass
