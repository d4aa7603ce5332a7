"""Convolution with a room for sounds that nobody waits for: in equal partitions, many of them at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from ddspvae.kernels.lanes import LANES, turns_of
from ddspvae.kernels.memory import in_lines
from ddspvae.kernels.rooms import AT_ONCE, TAPS, answer, hear
from ddspvae.kernels.transforms import rfft
from ddspvae.synth.tails import heard_part

Array = NDArray[np.float32]
LONGEST, SHORTEST = 4096, 512  # partitions whose transforms fit a cache, and those of short responses
MOST_PARTITIONS = 16  # of a response that need not be longer


def in_room(blocks: Iterable[Array], response: Array, n_samples: int) -> Iterator[Array]:
    """Play a dry sound in a room.

    Args:
        blocks: [T] each, of any lengths.
        response: [R, L], 1 or 2 channels.
        n_samples: of the wet sound: the dry one's, or up to L - 1 more.
    Yields:
        [R, T] in pieces of other lengths, n_samples together.
    Source: Gardner, "Efficient convolution without input-output delay", JAES 1995, with equal partitions.
    """
    response = heard_part(response[:, : max(n_samples, 1)])
    size = min(LONGEST, max(SHORTEST, 1 << (-(-response.shape[1] // MOST_PARTITIONS) - 1).bit_length()))
    parts = np.pad(response, ((0, 0), (0, -response.shape[1] % (TAPS * size)))).reshape(len(response), -1, size)
    spectra = (rfft(parts, 2 * size) / np.float32(4 * size)).transpose(0, 2, 1)
    taps = [(np.ascontiguousarray(spectrum.real), np.ascontiguousarray(spectrum.imag)) for spectrum in spectra]
    past = tuple(np.zeros((size + 1, parts.shape[1] + AT_ONCE), np.float32) for _ in range(2))
    places, turns = tuple(in_lines(2 * size * LANES) for _ in range(4)), turns_of(2 * size)
    totals = in_lines(AT_ONCE), in_lines(AT_ONCE)
    window, filled, left = np.zeros((AT_ONCE + 1) * size, np.float32), size, n_samples  # the partition before, and these

    def play() -> Array:
        hear(window, *places, turns, *past)
        wet = np.empty((len(response), AT_ONCE * size), np.float32)
        for channel, spectrum in zip(wet, taps):
            answer(*past, *spectrum, *totals, *places, turns, channel)
        window[:size] = window[AT_ONCE * size :]
        return wet[:, :left]

    for block in blocks:
        at = 0
        while at < len(block):
            n = min(len(block) - at, len(window) - filled)
            window[filled : filled + n] = block[at : at + n]
            at, filled = at + n, filled + n
            if filled == len(window):
                yield (wet := play())
                left -= wet.shape[1]
                filled = size
    while left > 0:  # silence follows
        window[filled:] = 0
        yield (wet := play())
        left -= wet.shape[1]
        filled = size
