"""Which notes a sampled instrument plays by itself: keys, dynamics, and how loud every velocity is."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ddspvae.features.statistics import Statistics
from ddspvae.midi.closed_forms import velocity_to_level_db
from ddspvae.signals.checks import InputError, check_range

BRIGHT = (-1.5, 0.0, 1.5)  # standard deviations, of the layers that controller 74 fades between
OUTSIDE_KEYS = 1  # that a sample also serves beyond the range


@dataclass(frozen=True)
class Span:
    """Whole numbers from low to high, both included, and the one that is sampled for them."""

    low: int
    high: int
    sampled: int


@dataclass(frozen=True)
class Plan:
    """What is sampled.

    Args:
        keys: by pitch; neighbours touch, so every key within is served by one sample.
        layers: by velocity, 1 to 127 without a gap, the softest first.
        seeds: of the performances that take turns.
        brightness: standard deviations of the layers that controller 74 fades between; (0,) is one layer.
    """

    keys: tuple[Span, ...]
    layers: tuple[Span, ...]
    seeds: tuple[int, ...]
    brightness: tuple[float, ...] = (0.0,)

    @classmethod
    def of(cls, statistics: Statistics, *, step_keys: int = 3, n_layers: int = 4, n_seeds: int = 2, seed: int = 0,
           with_brightness: bool = False, low: int | None = None, high: int | None = None) -> Plan:
        """The usual: every third key of the range, four dynamics, two performances of each.

        Args:
            statistics: of the instrument, for its range.
            step_keys: from one sampled key to the next, 1 to 12.
            n_layers: dynamics, 1 to 8.
            n_seeds: performances of each note, 1 to 8.
            seed: of the first of them, >= 0.
            with_brightness: three layers, for controller 74.
            low, high: keys, 0 to 127; None is the range.
        Raises:
            InputError: a number out of range, or no key left.
        """
        check_range("export", "step", step_keys, 1, 12)
        check_range("export", "layers", n_layers, 1, 8)
        check_range("export", "seeds", n_seeds, 1, 8)
        check_range("export", "seed", seed, 0, 2**31)
        low = max(0, math.ceil(statistics.pitch_low - 0.5)) if low is None else low
        high = min(127, math.floor(statistics.pitch_high + 0.5)) if high is None else high
        check_range("export", "lowest key", low, 0, 127)
        check_range("export", "highest key", high, 0, 127)
        if low > high:
            raise InputError(f"export: the lowest key, {low}, lies above the highest, {high}; exchange them.")
        return cls(_spans(low, high, step_keys), _layers(n_layers, statistics), tuple(range(seed, seed + n_seeds)),
                   BRIGHT if with_brightness else (0.0,))

    @property
    def n_samples(self) -> int:
        """How many notes that is."""
        return len(self.keys) * len(self.layers) * len(self.seeds) * len(self.brightness)


def _spans(low: int, high: int, step: int) -> tuple[Span, ...]:
    """Every step-th key in the middle of those it serves, which reach a little beyond the range."""
    n_keys = high - low + 1
    n_spans = -(-n_keys // step)
    first = low - (n_spans * step - n_keys) // 2
    spans = []
    for at in range(n_spans):
        begin, end = first + at * step, first + (at + 1) * step - 1
        sampled = min(max(begin + step // 2, low), high)
        spans.append([max(begin, low), min(end, high), sampled])
    spans[0][0] = max(0, spans[0][0] - OUTSIDE_KEYS)
    spans[-1][1] = min(127, spans[-1][1] + OUTSIDE_KEYS)
    return tuple(Span(*span) for span in spans)


def _layers(n_layers: int, statistics: Statistics) -> tuple[Span, ...]:
    """Velocities 1 to 127 in n_layers parts: half by number and half by level, which is steep among the softest."""
    velocity = np.arange(1, 128)
    level_db = velocity_to_level_db(velocity, statistics)
    way = (velocity - 1) / 126 + (level_db - level_db[0]) / max(level_db[-1] - level_db[0], 1e-6)
    part = np.minimum((way / way[-1] * n_layers).astype(int), n_layers - 1)
    spans = []
    for number in range(n_layers):
        inside = velocity[part == number]
        middle = inside[np.argmin(np.abs(way[part == number] - (number + 0.5) / n_layers * way[-1]))]
        spans.append(Span(int(inside[0]), int(inside[-1]), int(middle)))
    return tuple(spans)


def gains_db(layer: Span, statistics: Statistics) -> NDArray[np.float64]:
    """How much louder or softer than the sample each velocity of a layer is played, [high - low + 1], dB.

    """
    velocity = np.arange(layer.low, layer.high + 1)
    return velocity_to_level_db(velocity, statistics) - velocity_to_level_db(layer.sampled, statistics)


def steps_of(layer: Span, statistics: Statistics, step_db: float = 1.0) -> list[tuple[Span, float]]:
    """A layer cut where its velocities differ by more than step_db, for formats that know no curve of velocity.

    Returns:
        parts with the gain in dB that is in the middle of each; a gain is off by step_db / 2 at most.
    """
    gains = gains_db(layer, statistics)
    parts, begin = [], 0
    for end in range(1, len(gains) + 1):
        if end == len(gains) or gains[end] - gains[begin] > step_db:
            parts.append((Span(layer.low + begin, layer.low + end - 1, layer.sampled),
                          float(gains[begin] + gains[end - 1]) / 2))
            begin = end
    return parts
