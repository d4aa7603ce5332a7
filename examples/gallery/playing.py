"""A MIDI file to a sound: cast on the instruments there are, performed, brought to one level, and mixed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ddspvae import load
from ddspvae.audio import Audio, resample
from ddspvae.features.statistics import Statistics
from ddspvae.instrument.instrument import Instrument
from ddspvae.instrument.mix import balance, is_panned, place
from ddspvae.instrument.presets import find_preset, read_card, read_cards
from ddspvae.midi.programs import choose_preset
from ddspvae.midi.trained_range import fold_octaves
from ddspvae.midi.voices import to_one_voice
from ddspvae.signals import Notes, Performance

SAMPLE_RATE = 48_000
LEVEL_DB = -20.0  # A-weighted, of every instrument from mezzopiano to fortissimo


@dataclass(frozen=True, eq=False)
class Played:
    """One part: what was asked for, who played it and how, and its sound.

    Args:
        notes: in the range of the instrument.
        preset: its name.
        performance: its curves, level as it stands in the mix.
        audio: [T] or [2, T] at SAMPLE_RATE, as it stands in the mix.
    """

    notes: Notes
    preset: str
    performance: Performance
    audio: Audio


def cast(parts: Sequence[Notes]) -> list[str]:
    """The preset for each part."""
    shipped = read_cards()
    return [choose_preset(part, shipped) for part in parts]


def best_score(preset: str, scores: Mapping[str, Notes]) -> str:
    """The score to play: a preset's own, or the one that lies best in its range."""
    if preset in scores:
        return preset
    statistics = Statistics.from_dict(read_card(find_preset(preset))["statistics"])
    low, high = statistics.pitch_low - 0.5, statistics.pitch_high + 0.5

    def misfit(name: str) -> tuple[int, float]:
        pitches = [note.pitch for note in scores[name].notes]
        return sum(not low <= pitch <= high for pitch in pitches), abs(float(np.mean(pitches)) - (low + high) / 2)
    return min(scores, key=misfit)


def play(parts: Sequence[Notes], presets: Sequence[str]) -> list[Played]:
    """Play each part with its preset, all equally loud at the same velocity."""
    players: dict[str, Instrument] = {name: load(name) for name in dict.fromkeys(presets)}
    gains_db = balance({name: player.statistics for name, player in players.items()}, LEVEL_DB)
    stereo = any(is_panned(part.controllers) for part in parts)
    played = []
    for index, (part, preset) in enumerate(zip(parts, presets)):
        player, gain_db = players[preset], gains_db[preset]
        notes = to_one_voice(fold_octaves(part, player.statistics)).notes
        take = player.perform(notes)
        blocks = place(player.resynthesize_blocks(take, voice=index), part.controllers, player.config.sample_rate,
                       stereo=stereo, gain_db=gain_db)
        audio = np.concatenate(list(blocks), axis=-1)
        if player.config.sample_rate != SAMPLE_RATE:
            audio = np.stack([resample(side, player.config.sample_rate, SAMPLE_RATE) for side in np.atleast_2d(audio)])
        in_mix = replace(take, loudness_db=np.maximum(take.loudness_db + gain_db, take.loudness_db.min()))
        played.append(Played(notes, preset, in_mix, audio if stereo else audio.reshape(-1)))
    return played


def mix(played: Sequence[Played]) -> Audio:
    """All parts together, [T] or [2, T]; may exceed full scale."""
    longest = max(part.audio.shape[-1] for part in played)
    total = np.zeros((*played[0].audio.shape[:-1], longest), dtype=np.float32)
    for part in played:
        total[..., : part.audio.shape[-1]] += part.audio
    return total
