"""What is heard in a recording, before any network."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ddspvae.signals.checks import check_shape
from ddspvae.signals.curves import Curve, check_frames, freeze_curves
from ddspvae.signals.shown import short_repr


@dataclass(frozen=True, eq=False, repr=False)
class Features:
    """What is heard in a recording, frame by frame, before any network.

    Args:
        f0_hz: [F], Hz, > 0 everywhere, filled in through unvoiced stretches.
        periodicity: [F], 0 (noise, silence) to 1 (surely pitched).
        loudness_db: [F], A-weighted, dB; a full-scale 1 kHz sine is -3 dB.
        timbre: [F, C], level-normalised frames for the encoder.
        partials: [F, P], levels of the harmonics and of the noise between them, see features.partials.
        frame_rate_hz: frames per second.
        spectrum: [F, K + H], magnitudes of noise bands and amplitudes of harmonics, see features.spectrum; [F, 0] where it
            was not measured.
    """

    f0_hz: Curve
    periodicity: Curve
    loudness_db: Curve
    timbre: Curve
    partials: Curve
    frame_rate_hz: float
    spectrum: Curve = field(default_factory=lambda: np.zeros((0, 0), np.float32))

    __repr__ = short_repr

    def __post_init__(self) -> None:
        freeze_curves(self, f0_hz=self.f0_hz, periodicity=self.periodicity,
                loudness_db=self.loudness_db, timbre=self.timbre, partials=self.partials,
                spectrum=self.spectrum if np.size(self.spectrum) else np.zeros((len(self.f0_hz), 0)))
        check_frames("Features", self.f0_hz, self.periodicity, self.loudness_db)
        check_shape("Features", "timbre", self.timbre.shape, len(self.f0_hz), None)
        check_shape("Features", "partials", self.partials.shape, len(self.f0_hz), None)
        check_shape("Features", "spectrum", self.spectrum.shape, len(self.f0_hz), None)

    def slice(self, start_frame: int, stop_frame: int) -> Features:
        """The frames from start to stop."""
        cut = slice(start_frame, stop_frame)
        return Features(self.f0_hz[cut], self.periodicity[cut], self.loudness_db[cut], self.timbre[cut],
                        self.partials[cut], self.frame_rate_hz, self.spectrum[cut])
