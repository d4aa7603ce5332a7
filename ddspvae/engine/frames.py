"""What voices play at an instant, and what they are about to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Rows = slice | NDArray[np.int64]


def rows_of(voices: NDArray[np.int64], n_voices: int) -> Rows:
    """Index of some voices, in rising order, of arrays [V, ...]: a slice where they are neighbours, which copies nothing."""
    if len(voices) in (1, n_voices):
        return slice(int(voices[0]), int(voices[-1]) + 1)
    return voices


@dataclass(frozen=True, eq=False)
class Frames:
    """One frame of some voices: what sounds there.

    Args:
        f0_hz: [V], Hz.
        heights: [V, H], amplitude of each harmonic.
        noise_magnitudes: [V, K].
    """

    f0_hz: Array
    heights: Array
    noise_magnitudes: Array

    @classmethod
    def nothing(cls, n_voices: int, n_harmonics: int, n_noise_bands: int) -> Frames:
        """Silence."""
        return cls(np.full(n_voices, 440.0, np.float32), np.zeros((n_voices, n_harmonics), np.float32),
                   np.zeros((n_voices, n_noise_bands), np.float32))

    def __len__(self) -> int:
        return len(self.f0_hz)

    def __getitem__(self, rows: Rows) -> Frames:
        return Frames(self.f0_hz[rows], self.heights[rows], self.noise_magnitudes[rows])

    def copy(self) -> Frames:
        """The same, which stays as it is."""
        return Frames(self.f0_hz.copy(), self.heights.copy(), self.noise_magnitudes.copy())

    def put(self, rows: Rows, other: Frames) -> None:
        """Replace voices, in place."""
        self.f0_hz[rows], self.heights[rows] = other.f0_hz, other.heights
        self.noise_magnitudes[rows] = other.noise_magnitudes

    def between(self, other: Frames, way: NDArray[np.float64]) -> Frames:
        """The frames on the way from these to the other ones, 0 to 1 for each voice [V]."""
        one, each = way.astype(np.float32), way.astype(np.float32)[:, None]
        return Frames(self.f0_hz + (other.f0_hz - self.f0_hz) * one, self.heights + (other.heights - self.heights) * each,
                      self.noise_magnitudes + (other.noise_magnitudes - self.noise_magnitudes) * each)

    def scaled(self, factor: float) -> Frames:
        """The same pitches, louder or softer."""
        return Frames(self.f0_hz, self.heights * np.float32(factor), self.noise_magnitudes * np.float32(factor))

    @classmethod
    def joined(cls, parts: Sequence[Frames]) -> Frames:
        """The voices of all parts together."""
        if len(parts) == 1:
            return parts[0]
        return cls(np.concatenate([part.f0_hz for part in parts]), np.concatenate([part.heights for part in parts]),
                   np.concatenate([part.noise_magnitudes for part in parts]))


@dataclass(frozen=True, eq=False)
class Ahead:
    """One frame that some voices are about to play.

    Args:
        voices: [R], which, in rising order.
        f0_hz, periodicity, loudness_db: [R]; z: [R, Z].
        before_hz, after_hz: [R], f0 of the frames around it.
    """

    voices: NDArray[np.int64]
    f0_hz: Array
    periodicity: Array
    loudness_db: Array
    z: Array
    before_hz: Array
    after_hz: Array

    def only(self, chosen: NDArray[np.bool_]) -> Ahead:
        """Some of the voices."""
        return Ahead(self.voices[chosen], self.f0_hz[chosen], self.periodicity[chosen], self.loudness_db[chosen],
                     self.z[chosen], self.before_hz[chosen], self.after_hz[chosen])
