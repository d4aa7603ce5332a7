"""Convolution with a room for sounds that nobody waits for: large transforms, whole pieces out when they are ready."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
SHORTEST = 4096


def in_room(blocks: Iterable[Array], response: Array, n_samples: int) -> Iterator[Array]:
    """Play a dry sound in a room, by overlapping transforms of about twice the response.

    Two pieces are transformed as one, the second as its imaginary part: what a real response makes of both stays apart.

    Args:
        blocks: [T] each, of any lengths.
        response: [R, L], 1 or 2 channels.
        n_samples: of the wet sound: the dry one's, or up to L - 1 more.
    Yields:
        [R, T] in pieces of other lengths, n_samples together.
    """
    past = response.shape[1] - 1
    n_fft = 2 ** int(np.ceil(np.log2(max(SHORTEST, 2 * past, min(2.5 * past, past + n_samples)))))
    step, left = n_fft - past, n_samples
    spectrum = np.fft.fft(response.astype(np.complex64), n=n_fft)
    window, filled = np.zeros(past + 2 * step, np.float32), past  # the past, and two pieces

    def play() -> Array:
        pieces = np.empty(n_fft, np.complex64)
        pieces.real, pieces.imag = window[:n_fft], window[step:]
        sounds = np.fft.ifft(np.fft.fft(pieces) * spectrum)[:, past:]
        return np.concatenate([sounds.real, sounds.imag], axis=1)[:, :left]

    for block in blocks:
        at = 0
        while at < len(block):
            n = min(len(block) - at, len(window) - filled)
            window[filled : filled + n] = block[at : at + n]
            at, filled = at + n, filled + n
            if filled == len(window):
                yield (wet := play())
                left -= wet.shape[1]
                window[:past] = window[2 * step :].copy()
                filled = past
    while left:  # silence follows
        window[filled:] = 0
        yield (wet := play())
        left -= wet.shape[1]
        window[:past] = window[2 * step :].copy()
        filled = past
