"""How an instrument plays held-out recordings back: what several benchmarks measure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ddspvae import load, read_audio
from ddspvae.evaluation.metrics import loudness_error, pitch_error, spectral_distance
from ddspvae.evaluation.perceptual import judge_take
from ddspvae.instrument.presets import split_timbre

HEADINGS = "Zimtohrli | spectral distance | pitch, median cents | loudness error, dB"


@dataclass(frozen=True)
class Measures:
    """Means over takes: Zimtohrli's opinion (NaN where it has none), spectral distance, median pitch error in cents,
    loudness error in dB."""

    zimtohrli: float
    distance: float
    cents: float
    db: float

    def cells(self) -> str:
        """Of a row of a table, as in HEADINGS."""
        return f"{self.zimtohrli:.2f} | {self.distance:.2f} | {self.cents:.1f} | {self.db:.2f}"


def play_back(name: str | Path, paths: Sequence[Path], tracker: str, seconds: float = 40.0) -> Measures:
    """Measure an instrument on recordings, each played back in the room it was made in if the instrument knows that.

    Args:
        name: as `load` takes it.
        paths: of recordings.
        tracker: of the pitch error.
        seconds: of each recording.
    """
    rows = []
    for path in paths:
        rooms, timbre = load(name).config.rooms, split_timbre(name)[1]
        place = f"{timbre}/{path.parent.name}" if timbre else path.parent.name
        instrument = load(name, place if place in rooms else None)
        rate = instrument.config.sample_rate
        audio = read_audio(path, rate)[0][: round(seconds * rate)]
        sound = instrument.resynthesize(instrument.analyze(audio, rate))[: len(audio)]
        said = judge_take(audio, sound, rate, with_visqol=False)
        rows.append((np.nan if said is None else said.zimtohrli, spectral_distance(audio, sound, rate),
                     pitch_error(audio, sound, rate, tracker).median_cents, loudness_error(audio, sound, rate).mean_abs_db))
    opinions = [row[0] for row in rows if not np.isnan(row[0])]  # Zimtohrli has none of half a second
    return Measures(float(np.mean(opinions)) if opinions else np.nan, *np.mean(rows, axis=0)[1:].tolist())
