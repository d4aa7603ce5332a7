"""Performances at the rates of an instrument."""

from __future__ import annotations

from dataclasses import replace

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
