"""Long takes, listened to in stretches, so that half an hour takes no more memory than minutes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from ddspvae.audio import Audio
from ddspvae.features.hum import find_hum, without_hum
from ddspvae.model.config import ModelConfig
from ddspvae.signals import Performance
from ddspvae.signals.blocks import with_context
from ddspvae.signals.units import DB_FLOOR

LONG_S = 360.0  # a take longer than this is cut
STRETCH_S = 40.0
AROUND_S = 4.0  # heard on either side of a stretch, and not kept: longer than any window, path or memory of the encoder
SILENT = 1e-5


def is_long(seconds: float, tracker: str | Path | None) -> bool:
    """Whether a take is to be cut; one whose pitch is in a file is not, since that holds for the whole."""
    return seconds > LONG_S and not str(tracker or "").lower().endswith(".csv")


def stretches(blocks: Iterable[Audio], config: ModelConfig) -> Iterator[tuple[Audio, slice]]:
    """What to listen to, and which of its frames to keep; borders lie between rows of z."""
    row = config.hop_size * config.frames_per_z
    step, around = (round(seconds * config.sample_rate / row) * row for seconds in (STRETCH_S, AROUND_S))
    for audio, first, last in with_context(blocks, step, around):
        yield audio, slice(first // config.hop_size, (last + config.hop_size - 1) // config.hop_size)


def analyze_in_stretches(analyze: Callable[[Audio], Performance], blocks: Iterable[Audio], config: ModelConfig
                         ) -> Performance:
    """Write down a long take.

    Args:
        analyze: writes down a short one.
        blocks: [T] each, at the model's rate.
    """
    curves: list[list[np.ndarray]] = [[], [], [], []]
    whole: Performance | None = None
    waiting: list[int] = []  # silent stretches, in frames, before anything was heard
    for audio, kept in stretches(blocks, config):
        n_frames = kept.stop - kept.start
        if np.abs(audio).max(initial=0.0) < SILENT:
            if whole is None:
                waiting.append(n_frames)
            else:
                _add_silence(curves, n_frames, config.frames_per_z)
            continue
        heard = analyze(audio)
        whole = heard
        rows = slice(kept.start // config.frames_per_z, -(-kept.stop // config.frames_per_z))
        parts = heard.f0_hz[kept], heard.periodicity[kept], heard.loudness_db[kept], heard.z[rows]
        for column, curve in zip(curves, parts):
            column.append(np.array(curve))
    if whole is None:
        return analyze(audio[: config.sample_rate])  # silence, which says so
    f0_hz, periodicity, loudness_db, z = (np.concatenate(curves.pop(0)) for _ in range(4))  # each held once
    n_before = sum(waiting)
    if n_before:
        n_rows = -(-n_before // config.frames_per_z)
        f0_hz = np.concatenate([np.full(n_before, f0_hz[0]), f0_hz])
        periodicity = np.concatenate([np.zeros(n_before, np.float32), periodicity])
        loudness_db = np.concatenate([np.full(n_before, DB_FLOOR, np.float32), loudness_db])
        z = np.concatenate([np.zeros((n_rows, z.shape[1]), np.float32), z])
    hum = find_hum(f0_hz, periodicity, loudness_db, whole.frame_rate_hz)  # a stretch that only hums does not know it
    if hum.any():
        f0_hz, periodicity = without_hum(f0_hz, periodicity, hum)
    return Performance(f0_hz, periodicity, loudness_db, z, whole.axis_names, whole.frame_rate_hz, whole.frames_per_z,
                       whole.instrument)


def _add_silence(curves: list[list[np.ndarray]], n_frames: int, frames_per_z: int) -> None:
    f0_hz, periodicity, loudness_db, z = curves
    f0_hz.append(np.full(n_frames, f0_hz[-1][-1]))
    periodicity.append(np.zeros(n_frames, np.float32))
    loudness_db.append(np.full(n_frames, DB_FLOOR, np.float32))
    z.append(np.zeros((-(-n_frames // frames_per_z), z[-1].shape[1]), np.float32))
