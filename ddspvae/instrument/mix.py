"""The desk: instruments brought to one level, then each part as loud and where its volume and pan controllers say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from ddspvae.audio import Audio, count_channels
from ddspvae.features.statistics import Statistics
from ddspvae.midi.closed_forms import velocity_to_level_db
from ddspvae.signals import CONTROLLERS, Steps
from ddspvae.signals.units import db_to_amplitude

GRID_S = 0.001
SMOOTH_GRID = 5  # points to either side: a step takes 10 ms, half of them before it is written
KERNEL = np.hanning(2 * SMOOTH_GRID + 3)[1:-1] / np.hanning(2 * SMOOTH_GRID + 3).sum()
MIDDLE = 0.5
SCORED = np.arange(64, 113)  # velocities from mezzopiano to fortissimo, where most notes are written


def typical_level_db(statistics: Statistics) -> float:
    """How loud an instrument is from mezzopiano to fortissimo, A-weighted dB: the mean over velocities 64 to 112."""
    return float(velocity_to_level_db(SCORED, statistics).mean())


def balance(players: Mapping[str, Statistics], level_db: float | None = None) -> dict[str, float]:
    """The gain that makes instruments equally loud, so that volume and velocity mean the same to all of them.

    Each is as loud as its recordings were, which lie 20 dB and more apart. What a velocity sounds like is known from
    the statistics in closed form (midi.closed_forms), so nothing need be rendered to be measured.

    Args:
        players: statistics of the instruments that play together, by name.
        level_db: the `typical_level_db` that all are brought to; None takes their mean, so that one alone stays as it is.
    Returns:
        dB by name; where level_db is None they add up to 0.
    """
    levels = {name: typical_level_db(statistics) for name, statistics in players.items()}
    wanted_db = sum(levels.values()) / max(len(levels), 1) if level_db is None else level_db
    return {name: wanted_db - level for name, level in levels.items()}


def is_panned(controllers: Mapping[str, Steps]) -> bool:
    """Whether a part ever leaves the middle, so that the mix must be stereo."""
    return any(value != MIDDLE for _, value in controllers.get("pan", ()))


def place(blocks: Iterable[Audio], controllers: Mapping[str, Steps], sample_rate: int, *, stereo: bool,
          gain_db: float = 0.0, first: int = 0) -> Iterator[Audio]:
    """A part as it stands in the mix.

    - Volume v is 40 log10(v / v0) dB, where v0 = 100/127 is what holds when it was never sent.
    - Pan p has constant power: mono goes left with cos(p pi/2) and right with sin(p pi/2), so that the middle is 3 dB down
      in both. What is stereo already keeps the middle as it is.
    - Both are followed on a grid of 1 ms; a step is 10 ms wide, for a click is not in the score.

    Args:
        blocks: [T] or [2, T] each, with the part's room.
        controllers: of a Notes; "volume" and "pan" are read.
        sample_rate: Hz.
        stereo: place mono in stereo; without it mono stays mono, whatever the pan.
        gain_db: of the instrument, see `balance`.
        first: the sample of the part that the blocks begin with.
    Returns:
        blocks, [2, T] each in stereo; the same ones where nothing is asked.
    Source: General MIDI 1 Developer Guidelines, volume; RP-036, default pan formula.
    """
    volume, pan = controllers.get("volume", ()), controllers.get("pan", ())
    own = db_to_amplitude(gain_db)
    for block in blocks:
        n_samples, is_mono = block.shape[-1], count_channels(block) == 1
        if is_mono and not stereo and not volume:  # one factor for all of it
            yield block * np.float32(own) if gain_db else block
            continue
        gain = own * _at_samples(_volume_to_amplitude(volume, first, n_samples, sample_rate), first, n_samples, sample_rate)
        if (not volume and not pan and not gain_db and stereo != is_mono) or not block.size:
            yield block
        elif is_mono and not stereo:
            yield (block * gain).astype(np.float32)
        else:
            position = _on_grid(pan, MIDDLE, first, n_samples, sample_rate) * np.pi / 2
            sides = [_at_samples(side, first, n_samples, sample_rate) for side in (np.cos(position), np.sin(position))]
            scale = 1.0 if is_mono else np.sqrt(2)
            yield (block * (scale * gain * np.stack(sides))).astype(np.float32)
        first += n_samples


def _volume_to_amplitude(steps: Steps, first: int, n_samples: int, sample_rate: int) -> NDArray[np.float64]:
    unity = CONTROLLERS["volume"]
    return (_on_grid(steps, unity, first, n_samples, sample_rate) / unity) ** 2


def _grid(first: int, n_samples: int, sample_rate: int) -> NDArray[np.float64]:
    """Seconds of the points around samples first to first + n_samples, the same wherever the blocks begin."""
    low, high = first / sample_rate / GRID_S, (first + n_samples) / sample_rate / GRID_S
    return np.arange(np.floor(low), np.ceil(high) + 2) * GRID_S


def _on_grid(steps: Steps, default: float, first: int, n_samples: int, sample_rate: int) -> NDArray[np.float64]:
    """Steps, smoothed, at the points of the grid."""
    grid_s = _grid(first, n_samples, sample_rate)
    if not steps:
        return np.full(len(grid_s), default)
    around = np.arange(-SMOOTH_GRID, len(grid_s) + SMOOTH_GRID) * GRID_S + grid_s[0]
    at_s, values = np.array(steps, dtype=float).T
    # what is sent at the very beginning holds from before it on; half a microsecond for rounding
    held = np.searchsorted(at_s, np.maximum(around, 0) + 5e-7, side="right")
    return np.convolve(np.concatenate([[default], values])[held], KERNEL, "valid")


def _at_samples(values: NDArray[np.float64], first: int, n_samples: int, sample_rate: int) -> NDArray[np.float64]:
    """Points of the grid to samples, in straight lines."""
    if np.ptp(values) == 0:
        return np.full(n_samples, values[0])
    return np.interp(np.arange(first, first + n_samples) / sample_rate, _grid(first, n_samples, sample_rate), values)
