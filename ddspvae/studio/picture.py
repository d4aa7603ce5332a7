"""Waveform and spectrogram of a take, as numbers that a page can draw."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

LOWEST_HZ, HIGHEST_HZ, ROWS = 55.0, 14_080.0, 128  # eight octaves, sixteen rows each
WINDOW = 4096
DYNAMIC_DB = 70.0
MOST_COLUMNS = 1600


def picture(audio: NDArray[np.float32], sample_rate: int) -> dict[str, Any]:
    """What a take looks like.

    Args:
        audio: [T].
        sample_rate: Hz.
    Returns:
        columns; low and high [columns], of the waveform; levels, bytes [rows, columns] from 0, 70 dB below the loudest, to
        255; their frequencies from lowest_hz to highest_hz are evenly spaced in octaves.
    """
    columns = int(np.clip(len(audio) / (0.01 * sample_rate), 1, MOST_COLUMNS))
    edges = np.linspace(0, len(audio), columns + 1).astype(int)
    low = np.minimum.reduceat(audio, edges[:-1])
    high = np.maximum.reduceat(audio, edges[:-1])
    padded = np.pad(audio, WINDOW // 2)
    window = np.hanning(WINDOW)
    frequencies = np.geomspace(LOWEST_HZ, HIGHEST_HZ, ROWS)
    bins = frequencies * WINDOW / sample_rate
    levels = np.empty((columns, ROWS), np.float32)
    middles = (edges[:-1] + edges[1:]) // 2
    for first in range(0, columns, 64):
        pieces = np.stack([padded[at : at + WINDOW] for at in middles[first : first + 64]]) * window
        power = np.abs(np.fft.rfft(pieces, axis=1)) ** 2
        for row, spectrum in enumerate(power):
            levels[first + row] = np.interp(bins, np.arange(len(spectrum)), spectrum)
    level_db = 10 * np.log10(np.maximum(levels, 1e-12))
    shade = np.clip((level_db - level_db.max()) / DYNAMIC_DB + 1, 0, 1) * 255
    return {"columns": columns, "rows": ROWS, "lowest_hz": LOWEST_HZ, "highest_hz": HIGHEST_HZ,
            "low": np.round(low, 3).tolist(), "high": np.round(high, 3).tolist(),
            "levels": shade.astype(np.uint8).T.tobytes()}
