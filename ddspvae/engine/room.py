"""Convolution with a room for sounds that nobody waits for: large transforms, whole pieces out when they are ready."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
SHORTEST = 4096


def in_room(blocks: Iterable[Array], response: Array, n_samples: int) -> Iterator[Array]:
    """Play a dry sound in a room, by overlapping transforms of about twice the response.

    Args:
        blocks: [T] each, of any lengths.
        response: [R, L], 1 or 2 channels.
        n_samples: of the wet sound: the dry one's, or up to L - 1 more.
    Yields:
        [R, T] in pieces of other lengths, n_samples together.
    """
    n_fft = 2 ** int(np.ceil(np.log2(max(SHORTEST, 2 * response.shape[1], min(2.5 * response.shape[1], n_samples)))))
    step, past = n_fft - response.shape[1] + 1, response.shape[1] - 1
    spectrum = np.fft.rfft(response, n=n_fft)
    window, filled, left = np.zeros(n_fft, np.float32), past, n_samples

    def wet() -> Array:
        sound = np.fft.irfft(np.fft.rfft(window) * spectrum, n=n_fft)[:, past : past + min(step, left)]
        return sound.astype(np.float32, copy=False)

    for block in blocks:
        at = 0
        while at < len(block):
            n = min(len(block) - at, n_fft - filled)
            window[filled : filled + n] = block[at : at + n]
            at, filled = at + n, filled + n
            if filled == n_fft:
                yield wet()
                left -= min(step, left)
                window[:past] = window[step:]
                filled = past
    while left:  # silence follows
        window[filled:] = 0
        yield wet()
        left -= min(step, left)
        window[:past] = window[step:].copy()
        filled = past
