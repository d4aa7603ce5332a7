"""Convolution with a room in blocks of any size, without delay: what streams run where there is a compiler."""

from __future__ import annotations

import numpy as np

from ddspvae.engine.network import Array
from ddspvae.kernels.partitions import convolve_newest, sum_partitions
from ddspvae.kernels.transforms import rfft


class LiveRoom:
    """Convolve a sound that arrives in pieces; any pieces give the sound of the whole.

    The response is cut into partitions. What the first one makes of the newest samples is summed tap by tap; the others hear
    the spectra of whole partitions of the past, once a partition.

    Args:
        response: [R, L], R is 1, or 2 for a stereo room.
        size: of a partition, samples.
    Source: Gardner, "Efficient convolution without input-output delay", JAES 1995.
    """

    def __init__(self, response: Array, size: int) -> None:
        self.size = size
        parts = np.pad(response, ((0, 0), (0, -response.shape[1] % size))).reshape(len(response), -1, size)
        self._first = np.ascontiguousarray(parts[:, 0])
        spectra = rfft(parts[:, 1:][:, ::-1], 2 * size).transpose(0, 2, 1)  # for the oldest input first
        self._taps_real = np.ascontiguousarray(spectra.real, dtype=np.float32)
        self._taps_imag = np.ascontiguousarray(spectra.imag, dtype=np.float32)
        self._real, self._imag = np.zeros_like(self._taps_real[0]), np.zeros_like(self._taps_imag[0])
        self._oldest = 0
        self._heard = np.zeros(2 * size, np.float32)  # the partition before, and this one
        self._n_heard = 0
        self._rung = np.zeros((len(response), size), np.float32)  # what all the partitions before make of this one

    def __call__(self, audio: Array) -> Array:
        """The next samples [T] to the next wet samples [R, T]."""
        wet = np.empty((len(self._first), len(audio)), np.float32)
        at = 0
        while at < len(audio):
            begin = self._n_heard
            n = min(self.size - begin, len(audio) - at)
            self._heard[self.size + begin : self.size + begin + n] = audio[at : at + n]
            piece = self._rung[:, begin : begin + n].copy()
            convolve_newest(self._heard, self.size + begin, self._first, piece)
            wet[:, at : at + n] = piece
            self._n_heard, at = begin + n, at + n
            if self._n_heard == self.size:
                self._next_partition()
        return wet

    def _next_partition(self) -> None:
        n_parts = self._real.shape[1]
        if n_parts:
            spectrum = rfft(self._heard)  # of the partition before as well: half of what comes back is whole
            self._real[:, self._oldest], self._imag[:, self._oldest] = spectrum.real, spectrum.imag
            self._oldest = (self._oldest + 1) % n_parts
            total = np.empty((len(self._first), len(spectrum)), np.complex64)
            sum_partitions(self._real, self._imag, self._taps_real, self._taps_imag, self._oldest, total)
            self._rung[:] = np.fft.irfft(total, n=2 * self.size)[:, self.size :]
        self._heard[: self.size] = self._heard[self.size :]
        self._n_heard = 0
