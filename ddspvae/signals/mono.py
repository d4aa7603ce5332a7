"""One channel of several: looked at before it is averaged, since an average can cancel what it should keep."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

EMPTY_DB = -50.0  # below the loudest channel
ALIKE = 0.8  # correlation from which channels are averaged; below, the microphones stood apart or it is another sound
OPPOSITE = -0.8


def to_mono(frames: NDArray[np.float32]) -> tuple[NDArray[np.float32], str]:
    """Make one channel of [T, C], and say what was done where it is not the plain average.

    Channels that are empty beside the loudest are left out; one that is the loudest turned over is turned back; where
    the others differ from the loudest, that one is taken alone: averaged, a spaced pair loses whatever its delay turns
    over, often the fundamental.

    Returns:
        [T], and words for a sentence; empty where nothing was out of the way.
    """
    n_channels = frames.shape[1]
    if n_channels == 1:
        return frames[:, 0], ""
    power = np.array([np.square(frames[:, channel], dtype=np.float64).mean() for channel in range(n_channels)])
    loudest = int(np.argmax(power >= 0.5 * power.max()))  # of two as loud the first
    if not power[loudest] > 0:
        return frames[:, 0], ""
    full = [channel for channel in range(n_channels) if power[channel] > power[loudest] * 10 ** (EMPTY_DB / 10)]
    left_out = [f"channel {channel + 1} is empty" for channel in range(n_channels) if channel not in full]
    sign = {loudest: 1.0}
    for channel in full:
        if channel == loudest:
            continue
        product = float(np.einsum("t,t->", frames[:, loudest], frames[:, channel], dtype=np.float64)) / len(frames)
        alike = product / np.sqrt(power[loudest] * power[channel])
        if alike < OPPOSITE:
            left_out.append(f"channel {channel + 1} is in opposite phase and was turned over")
            sign[channel] = -1.0
        elif alike < ALIKE:
            return frames[:, loudest].copy(), f"its channels differ, and channel {loudest + 1} is taken alone"
        else:
            sign[channel] = 1.0
    if len(sign) == n_channels and all(one > 0 for one in sign.values()):
        return frames.mean(axis=1), ""
    mixed = sum(one * frames[:, channel] for channel, one in sign.items()) / len(sign)
    return np.asarray(mixed, dtype=np.float32), "; ".join(left_out)
