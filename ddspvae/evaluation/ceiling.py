"""How good harmonics and filtered noise can sound: what was measured in a take itself, played back by our own synthesizer.

No network has a part in it, nor has a room. What is lost is what no model with this synthesizer can bring back: phases, and
what changes faster than the frames or lies finer than the noise bands.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ddspvae.audio import Audio
from ddspvae.features.band_tables import N_NOISE_BANDS
from ddspvae.features.spectrum import measure_spectrum
from ddspvae.signals.checks import check_shape
from ddspvae.synth.envelopes import hold_last, start_phase
from ddspvae.synth.harmonic import play_harmonics
from ddspvae.synth.noise import filtered_noise
from ddspvae.threads import one_thread


@torch.inference_mode()
@one_thread()
def play_spectrum(amplitudes: NDArray[np.floating], noise_magnitudes: NDArray[np.floating], f0_hz: NDArray[np.floating],
                  sample_rate: int, hop_size: int, seed: int = 0) -> Audio:
    """Play levels as they are: no level is solved, all harmonics start at phase 0, and there is no room.

    Args:
        amplitudes: [F, H], linear, of the harmonics; 0 for those at or above Nyquist.
        noise_magnitudes: [F, K], linear, as `synth.noise.filtered_noise` takes them.
        f0_hz: [F], Hz, > 0.
        sample_rate: Hz.
        hop_size: samples per frame.
        seed: of the noise.
    Returns:
        audio [F * hop_size].
    Raises:
        InputError: shapes disagree.
    """
    check_shape("play_spectrum", "amplitudes", np.shape(amplitudes), len(f0_hz), None)
    check_shape("play_spectrum", "noise_magnitudes", np.shape(noise_magnitudes), len(f0_hz), None)
    heights, noise, f0 = (torch.from_numpy(np.array(x, dtype=np.float32))[None]
                          for x in (amplitudes, noise_magnitudes, np.asarray(f0_hz)[:, None]))
    tones = play_harmonics(hold_last(f0), hold_last(heights), start_phase(f0, sample_rate, hop_size), sample_rate, hop_size)
    audio: Audio = (tones + filtered_noise(noise, hop_size, seed=seed))[0].numpy()
    return audio


def play_ceiling(audio: Audio, sample_rate: int, hop_size: int, f0_hz: NDArray[np.floating]) -> Audio:
    """The ceiling of a take: its own harmonics and noise, without their phases.

    Args:
        audio: [T], full scale +-1.
        sample_rate: Hz.
        hop_size: samples per frame.
        f0_hz: [F], F = ceil(T / hop_size), Hz, as `Instrument.listen` gives it.
    Returns:
        audio [T].
    Source: Serra & Smith, "Spectral modeling synthesis", Computer Music Journal, 1990.
    """
    spectrum = measure_spectrum(audio, sample_rate, hop_size, f0_hz)
    played = play_spectrum(spectrum[:, N_NOISE_BANDS:], spectrum[:, :N_NOISE_BANDS], f0_hz[: len(spectrum)], sample_rate,
                           hop_size)
    return played[: len(audio)]
