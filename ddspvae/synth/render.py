"""Controls to audio: harmonics, noise, room, in that order and nowhere else."""

from __future__ import annotations

from torch import Tensor

from ddspvae.signals import Controls
from ddspvae.synth.constrain import constrain_distribution
from ddspvae.synth.convolve import fft_convolve
from ddspvae.synth.envelopes import hold_last, start_phase
from ddspvae.synth.harmonic import POINTS_PER_HARMONIC
from ddspvae.synth.noise import noise_key
from ddspvae.synth.synthesizers import Synthesizer


def render(controls: Controls, sample_rate: int, hop_size: int, *, response: Tensor | None = None,
           seed: Tensor | int = 0, voice: Tensor | int = 0, start_sample: int = 0, with_noise: bool = True,
           points_per_harmonic: int = POINTS_PER_HARMONIC, synthesizer: Synthesizer | None = None) -> Tensor:
    """Play the controls; the last frame is held for a hop.

    Args:
        controls: B takes of F frames.
        sample_rate: Hz.
        hop_size: samples per frame.
        response: impulse response [B, L] or [1, L], or [2, L] for one take in a stereo room; None is dry.
        seed, voice: of the noise; the same give the same samples.
        start_sample: absolute position of frame 0, for the noise.
        with_noise: False leaves the noise out.
        points_per_harmonic: see harmonic; of the package's own synthesizer.
        synthesizer: another one, made for these rates.
    Returns:
        audio [B, F * hop_size], or [2, F * hop_size] in stereo.
    """
    if synthesizer is None:
        synthesizer = Synthesizer(sample_rate, hop_size, controls.noise_magnitudes.shape[-1], points_per_harmonic)
    distribution = constrain_distribution(controls.harmonic_distribution, controls.f0_hz, sample_rate)
    start = start_phase(controls.f0_hz, sample_rate, hop_size)
    audio = synthesizer.harmonics(hold_last(controls.f0_hz), hold_last(controls.amplitude * distribution), start, hop_size)
    if with_noise:
        magnitudes = hold_last(controls.noise_magnitudes)
        audio = audio + synthesizer.noise(magnitudes, noise_key(seed, voice), start_sample, hop_size)
    return audio if response is None else fft_convolve(audio, response)
