"""Synthesizers by name: what makes dry sound of frames, in validation, renders and streams alike.

A synthesizer remembers nothing: what it plays of a segment follows from the frames at both ends, the phase at its
beginning and its place in time. So pieces of any length, voices in any company and notes that begin anywhere agree.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ddspvae.synth.harmonic import POINTS_PER_HARMONIC, play_harmonics
from ddspvae.synth.noise import fft_size, play_noise


class Synthesizer:
    """Harmonics and noise. A subclass replaces either, or adds to what this one plays.

    The level is solved before anything sounds, for harmonics and noise of the power that the frames say: a subclass
    that plays more is as much too loud. Nothing in it is learned, since training compares spectra and makes no sound.

    Args:
        sample_rate: Hz.
        hop_size: samples per frame.
        n_noise_bands: K.
        points_per_harmonic: see harmonic.
    """

    def __init__(self, sample_rate: int, hop_size: int, n_noise_bands: int,
                 points_per_harmonic: int = POINTS_PER_HARMONIC) -> None:
        self.sample_rate, self.hop_size = sample_rate, hop_size
        self._points_per_harmonic = points_per_harmonic
        self._n_fft = fft_size(hop_size, n_noise_bands)

    def harmonics(self, f0_hz: Tensor, heights: Tensor, start: Tensor, length: int) -> Tensor:
        """What follows the pitch, in F segments from the F + 1 frames at their borders.

        Args:
            f0_hz: [V, F + 1, 1], Hz, linear in between.
            heights: [V, F + 1, H], amplitude of each harmonic, 0 for those that may not sound.
            start: [V, F, 1], phase of the fundamental at the segments' first samples in cycles, 0 to 1.
            length: samples per segment: hop_size, or fewer where a note begins inside a hop.
        Returns:
            audio [V, F * length].
        """
        return play_harmonics(f0_hz, heights, start, self.sample_rate, length, self._points_per_harmonic)

    def noise(self, noise_magnitudes: Tensor, noise_keys: NDArray[np.uint32], start_sample: int, length: int) -> Tensor:
        """What does not, in the same segments.

        Args:
            noise_magnitudes: [V, F + 1, K], linear, >= 0.
            noise_keys: [V, 1], from noise_key.
            start_sample: absolute position of the first sample.
            length: as above.
        Returns:
            audio [V, F * length].
        """
        return play_noise(noise_magnitudes, length, noise_keys, start_sample, self._n_fft)
