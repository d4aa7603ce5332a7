"""What the judges of hearing say of a long sound, with an interval: stretch by stretch, kept as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddspvae.audio import Audio
from ddspvae.evaluation.perceptual import STRETCH_S, judge_stretches, judge_take
from ddspvae.rate_distortion.measure import JUDGED_S, rate_interval


@dataclass(frozen=True, eq=False)
class Verdict:
    """Of a sound against its recording.

    Args:
        scores: [N], Zimtohrli's, of stretches of about 5 s.
        seconds: [N], how long they are.
        visqol: of the first 15 s; None where it was not asked.
    """

    scores: NDArray[np.float64]
    seconds: NDArray[np.float64]
    visqol: float | None = None

    @classmethod
    def of(cls, reference: Audio, estimate: Audio, sample_rate: int, with_visqol: bool) -> Verdict:
        """Ask."""
        said = None
        if with_visqol:
            first = round(STRETCH_S * sample_rate)
            said = judge_take(reference[:first], estimate[:first], sample_rate)
        return cls(*judge_stretches(reference, estimate, sample_rate, JUDGED_S), None if said is None else said.visqol)

    def interval(self) -> tuple[float, float, float]:
        """The mean over time, and its 95 % interval over stretches drawn anew."""
        return rate_interval(np.stack([self.scores * self.seconds, self.seconds], axis=1), 1.0)

    def above(self, other: Verdict) -> tuple[float, float, float]:
        """How much better than another sound of the same recording: the mean over time, and its interval, pair by pair."""
        if self.scores.shape != other.scores.shape or not np.allclose(self.seconds, other.seconds):
            raise ValueError("above: the two must be of the same stretches; measure both with the same --seconds.")
        return rate_interval(np.stack([(self.scores - other.scores) * self.seconds, self.seconds], axis=1), 1.0)

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {"scores": self.scores.round(4).tolist(), "seconds": self.seconds.round(4).tolist(), "visqol": self.visqol}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Verdict:
        """Read back."""
        return cls(np.array(values["scores"], dtype=float), np.array(values["seconds"], dtype=float), values["visqol"])

    def cells(self) -> str:
        """Zimtohrli with its interval, and ViSQOL, for a table."""
        return f"{spell(self.interval())} | {'' if self.visqol is None else f'{self.visqol:.2f}'}"


def spell(interval: tuple[float, float, float], sign: str = "") -> str:
    """A mean and its interval.

    >>> spell((3.2, 3.1, 3.3)), spell((0.2, -0.1, 0.5), "+")
    ('3.20 (3.10 to 3.30)', '+0.20 (-0.10 to +0.50)')
    """
    mean, low, high = (f"{value:{sign}.2f}" for value in interval)
    return f"{mean} ({low} to {high})"
