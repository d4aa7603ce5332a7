"""What a rate-distortion curve is made of: trainings, and how they are measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddspvae.signals.checks import InputError, check_range

if TYPE_CHECKING:
    from ddspvae.model.config import ModelConfig

RATES = (100.0, 250.0, 500.0, 1000.0, 2000.0)
MINUTES = 2.0
BASE_STEPS_SHARE = 3  # times the steps of a point


@dataclass(frozen=True)
class Plan:
    """What to train and how to measure it.

    Args:
        recordings: folders or files.
        out: a folder, made if missing.
        rates: bit/s, 10 to 20000.
        minutes, steps: of each training, one of them (default 2 minutes).
        base_minutes: of the base, where minutes count; with steps it gets three times as many.
        seeds: how many, 1 to 100.
        start_from: a preset or file to take for the base; None trains one a seed.
        holdout: recordings to leave out of all training and to measure on, beside the validation part.
        tracker: of f0; None takes the base's, or swift.
        measured_with: the tracker of the pitch error; None takes one that did not train.
        max_seconds: of each held-out take, from its start, 0.1 to 3600.
        model: of a base that is trained here.
        device: "cuda", "mps", "cpu"; None takes the best there is.
    """

    recordings: Sequence[str | Path]
    out: Path
    rates: Sequence[float] = RATES
    minutes: float | None = None
    steps: int | None = None
    base_minutes: float = 6.0
    seeds: int = 2
    start_from: str | Path | None = None
    holdout: Sequence[str | Path] = ()
    tracker: str | None = None
    measured_with: str | None = None
    max_seconds: float = 120.0
    model: ModelConfig | None = None
    device: str | None = None

    def __post_init__(self) -> None:
        for rate in self.rates:
            check_range("curve", "rates", rate, 10, 20_000)
        check_range("curve", "seeds", self.seeds, 1, 100)
        check_range("curve", "max_seconds", self.max_seconds, 0.1, 3600)
        if self.minutes is not None and self.steps is not None:
            raise InputError("curve: give either minutes or steps, not both.")
        for name, minutes in (("minutes", self.minutes), ("base_minutes", self.base_minutes)):
            if minutes is not None:
                check_range("curve", name, minutes, 0.01, 100_000)
        if self.steps is not None:
            check_range("curve", "steps", self.steps, 1, 10_000_000)

    def budget(self, *, base: bool = False) -> dict[str, Any]:
        """Of a point, or of the base, as `train` wants it."""
        if self.steps is not None:
            return {"steps": self.steps * (BASE_STEPS_SHARE if base else 1)}
        return {"minutes": self.base_minutes if base else MINUTES if self.minutes is None else self.minutes}
