"""Convolution by FFT in equal partitions, with no delay, in pieces of any length."""

from __future__ import annotations

import torch
from torch import Tensor

FEW = 4  # partitions; so many transforms at once are faster than one after the other


def partition_size(n_samples: int) -> int:
    """A good size for a piece of so many samples, or for blocks of them: several partitions, none very large.

    >>> partition_size(48_000), partition_size(10_000_000)
    (8192, 16384)
    """
    return min(16_384, max(512, 1 << (n_samples // 8).bit_length()))


class Convolver:
    """Convolve a sound that arrives in pieces; any pieces give the sound of the whole.

    The response is cut into partitions of equal size, each multiplied with the spectrum of the input that many
    partitions ago. The current partition is transformed again with whatever of it has arrived, so nothing waits.

    Args:
        impulse_response: [R, L]; R is 1, the batch of the audio, or 2 for mono audio in a stereo room.
        size: of a partition, samples; any gives the same sound.
    Source: Gardner, "Efficient convolution without input-output delay", JAES 1995, with equal partitions.
    """

    def __init__(self, impulse_response: Tensor, size: int) -> None:
        self.size = size
        missing = -impulse_response.shape[-1] % size
        parts = torch.nn.functional.pad(impulse_response, (0, missing)).unflatten(-1, (-1, size))
        spectra = torch.fft.rfft(parts, n=2 * size)
        self._now, self._past = spectra[:, :1], spectra[:, 1:].flip(1)  # the past: for the oldest input first
        self.reset()

    def reset(self) -> None:
        """Fall silent."""
        self._history = self._past.new_zeros(1, *self._past.shape[1:])  # spectra of the inputs before this partition
        self._tail = self._past.real.new_zeros(1, self.size)  # what the partitions before ring into this one
        self._inputs = self._tail[:, :0]  # what has arrived of this partition
        self._ringing: Tensor | None = None  # what older inputs make of this partition and of its tail

    def __call__(self, audio: Tensor) -> Tensor:
        """The next samples [B, T] to the next wet samples [max(B, R), T]."""
        wet, at = [], 0
        while at < audio.shape[-1]:
            n_whole = (audio.shape[-1] - at) // self.size
            many = self._inputs.shape[-1] == 0 and n_whole >= FEW
            n = n_whole * self.size if many else min(self.size - self._inputs.shape[-1], audio.shape[-1] - at)
            piece = audio[:, at : at + n]
            wet.append(self._play_whole(piece) if many else self._play_part(piece))
            at += n
        if not wet:
            return audio.new_zeros(max(len(audio), len(self._now)), 0)
        return wet[0] if len(wet) == 1 else torch.cat(wet, dim=-1)

    def _play_whole(self, audio: Tensor) -> Tensor:
        spectra = torch.fft.rfft(audio.unflatten(-1, (-1, self.size)), n=2 * self.size)
        inputs = torch.cat([self._history.expand(len(spectra), -1, -1), spectra], dim=1)
        total = spectra * self._now
        for past in range(self._past.shape[1]):
            total = total + inputs[:, past : past + spectra.shape[1]] * self._past[:, past, None]
        sounds = torch.fft.irfft(total, n=2 * self.size)
        tails = torch.cat([self._tail.expand(len(sounds), -1)[:, None], sounds[..., self.size :]], dim=1)
        self._tail, self._history = tails[:, -1], inputs[:, spectra.shape[1] :]
        return (sounds[..., : self.size] + tails[:, :-1]).flatten(1)

    def _play_part(self, audio: Tensor) -> Tensor:
        if self._ringing is None:
            self._ringing = torch.fft.irfft((self._history * self._past).sum(1), n=2 * self.size)
        begin = self._inputs.shape[-1]
        self._inputs = torch.cat([self._inputs.expand(len(audio), -1), audio], dim=-1)
        spectrum = torch.fft.rfft(self._inputs, n=2 * self.size)[:, None]
        sound = torch.fft.irfft((spectrum * self._now)[:, 0], n=2 * self.size) + self._ringing
        end = self._inputs.shape[-1]
        wet = sound[:, begin:end] + self._tail[:, begin:end]
        if end == self.size:
            history = torch.cat([self._history.expand(len(spectrum), -1, -1), spectrum], dim=1)
            self._history, self._tail = history[:, 1:], sound[:, self.size :]
            self._inputs, self._ringing = self._inputs[:, :0], None
        return wet


def fft_convolve(audio: Tensor, impulse_response: Tensor) -> Tensor:
    """Convolve, keep the input's length: output t depends on inputs up to t only, with no delay.

    Args:
        audio: [B, T].
        impulse_response: [B, L], [1, L], or [2, L] for mono audio [1, T] in a stereo room.
    Returns:
        [B, T] or [2, T]; differentiable in both.
    """
    return Convolver(impulse_response, partition_size(audio.shape[-1]))(audio)
