"""Performances at the rates of an instrument."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ddspvae.model.config import ModelConfig
from ddspvae.signals import Performance
from ddspvae.signals.checks import check_duration
from ddspvae.signals.curves import resample_curve, resample_pitch


def to_rates(performance: Performance, config: ModelConfig) -> Performance:
    """The same performance at a model's frame rate and its rate of z; itself where it has them."""
    check_duration("resynthesize", "the performance", performance.duration_s)
    if (performance.frame_rate_hz, performance.frames_per_z) == (config.frame_rate_hz, config.frames_per_z):
        return performance
    n_frames = max(1, round(performance.duration_s * config.frame_rate_hz))
    return replace(performance, f0_hz=resample_pitch(performance.f0_hz, n_frames),
                   periodicity=resample_curve(performance.periodicity, n_frames),
                   loudness_db=resample_curve(performance.loudness_db, n_frames),
                   z=resample_curve(performance.z, -(-n_frames // config.frames_per_z)),
                   frame_rate_hz=config.frame_rate_hz, frames_per_z=config.frames_per_z)


def on_the_way(codes: NDArray[np.float32], n_steps: int, n_whole: float) -> NDArray[np.float32]:
    """The codes [n_steps, G] of an instrument that turns from one code to another, [2, G], in n_whole steps."""
    way = np.clip(np.arange(n_steps) / max(n_whole - 1, 1), 0, 1)[:, None]
    return np.asarray(codes[0] + way * (codes[1] - codes[0]), dtype=np.float32)
