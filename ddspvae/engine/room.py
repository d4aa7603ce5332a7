"""Convolution with a room for sounds that nobody waits for: in equal partitions, whole ones out when they are ready."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from ddspvae.kernels.transforms import rfft

Array = NDArray[np.float32]
LONGEST, SHORTEST = 16_384, 512  # partitions whose transforms fit a cache, and those of short sounds


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
    size = min(LONGEST, max(SHORTEST, 1 << (n_samples // 4).bit_length()))
    parts = np.pad(response, ((0, 0), (0, -response.shape[1] % size))).reshape(len(response), -1, size)
    taps = rfft(parts, 2 * size).transpose(1, 0, 2)
    past = deque([np.zeros(size + 1, np.complex64)] * len(taps), maxlen=len(taps))  # the newest first
    window, filled, left = np.zeros(2 * size, np.float32), size, n_samples  # the partition before, and this one

    def play() -> Array:
        past.appendleft(rfft(window))
        total = taps[0] * past[0]
        for spectrum, part in zip(list(past)[1:], taps[1:]):
            total += part * spectrum
        window[:size] = window[size:]
        sound = np.fft.irfft(total, n=2 * size)[:, size : size + min(size, left)]
        return sound.astype(np.float32, copy=False)

    for block in blocks:
        at = 0
        while at < len(block):
            n = min(len(block) - at, 2 * size - filled)
            window[filled : filled + n] = block[at : at + n]
            at, filled = at + n, filled + n
            if filled == 2 * size:
                yield (wet := play())
                left -= wet.shape[1]
                filled = size
    while left > 0:  # silence follows
        window[filled:] = 0
        yield (wet := play())
        left -= wet.shape[1]
        filled = size
