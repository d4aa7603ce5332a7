"""A whole score on one instrument."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ddspvae.audio import Audio
from ddspvae.instrument.plucking import play_plucked
from ddspvae.midi.voices import seed_of, to_voices
from ddspvae.signals import Notes
from ddspvae.signals.checks import InputError


def render_score(player: Any, parts: Sequence[Notes], voices: int, seed: int | None, playing: Mapping[str, Any],
                 room: Mapping[str, Any]) -> Audio:
    """What `Instrument.render` does.

    Args:
        player: the `Instrument`.
        parts: of the score.
        voices, seed: as there.
        playing: expression and performer, as there; plucked notes ask for neither.
        room: dry, ir, wet_db and decay, as there.
    """
    if not parts:
        raise InputError("render: the score has no parts.")
    tail_s = player.tail_s(**room)
    if player.plucks is not None:
        return np.concatenate(list(play_plucked(player.plucks, player.rooms, parts, mono=voices == 1, seed=seed or 0,
                                                tail_s=tail_s, **room)), axis=-1)
    lines = [line for part in parts for line in to_voices(part, voices=voices).lines]
    score_s = max(line.duration_s for line in lines)
    performances = [player.perform(line, **playing, seed=seed_of(seed, at), score_s=score_s, tail_s=tail_s)
                    for at, line in enumerate(lines)]
    audio: Audio = player.resynthesize(performances, seed=seed or 0, **room)
    return audio
