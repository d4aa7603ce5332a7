"""A change of sample rate: one phase of a low-pass for every sample that comes out."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ddspvae.kernels.compiler import HAS_COMPILER, ready_made_in_any_order
from ddspvae.signals.low_pass import kaiser_window, low_pass


@lru_cache(maxsize=8)
def resampling_taps(ratio: int) -> NDArray[np.float64]:
    """100 dB of stop band over a transition of 8 % of the lower Nyquist, which is 1 / ratio of the higher."""
    return low_pass(kaiser_window(100.0, 0.08 / ratio), 0.96 / ratio)


def resample_block(audio: NDArray, up: int, down: int, begin: int, end: int) -> NDArray[np.float32]:
    """Samples begin to end of what comes out of [..., T], at up / down times its rate; what is off is 138 dB down."""
    taps = resampling_taps(max(up, down))
    if not HAS_COMPILER:
        from scipy import signal  # half a second to import

        whole = signal.resample_poly(np.asarray(audio, dtype=np.float64), up, down, axis=-1, window=taps)
        return np.asarray(whole[..., begin:end], dtype=np.float32)
    n_taps = -(-len(taps) // up)
    phases = np.ascontiguousarray(up * np.pad(taps, (0, n_taps * up - len(taps))).reshape(n_taps, up)[::-1].T, np.float32)
    out = np.empty((*audio.shape[:-1], max(end - begin, 0)), np.float32)
    for channel in np.ndindex(audio.shape[:-1]):
        padded = np.zeros(audio.shape[-1] + 2 * n_taps, np.float32)
        padded[n_taps : n_taps + audio.shape[-1]] = audio[channel]
        _filter_phases(padded, phases, up, down, begin * down + (len(taps) - 1) // 2, out[channel])
    return out


@ready_made_in_any_order
def _filter_phases(padded, phases, up, down, start, out):  # type: ignore[no-untyped-def]
    """Read a signal between its samples.

    Args:
        padded: [T + 2 * J], with J samples before the first that counts.
        phases: [up, J], taps of each phase, the last first.
        up, down: samples that come out of so many.
        start: `up` times the place of the first sample, from the newest that its taps look at.
        out: filled.
    """
    n_taps = phases.shape[1]
    for at in range(len(out)):
        place = start + at * down
        newest = place // up
        taps, heard = phases[place - newest * up], padded[newest + 1 : newest + 1 + n_taps]
        total = np.float32(0)
        for k in range(n_taps):
            total += taps[k] * heard[k]
        out[at] = total
