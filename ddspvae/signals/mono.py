"""One channel of several: looked at before it is averaged, since an average can cancel what it should keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

EMPTY_DB = -50.0  # below the loudest channel
ALIKE = 0.8  # correlation from which channels are averaged; below, the microphones stood apart or it is another sound
OPPOSITE = -0.8


@dataclass(frozen=True)
class Mixing:
    """How one channel is made of several.

    Args:
        signs: of the channels that are averaged, by their number; of one alone it is that one.
        is_average: whether all are averaged as they are.
        said: words for a sentence; empty where nothing was out of the way.
    """

    signs: Mapping[int, float]
    is_average: bool = False
    said: str = ""

    def mix(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        """[T, C] to [T]."""
        if self.is_average:
            return frames.mean(axis=1)
        if self.signs == {0: 1.0}:
            return frames[:, 0]
        mixed = sum(sign * frames[:, channel] for channel, sign in self.signs.items()) / len(self.signs)
        return np.asarray(mixed, dtype=np.float32)


class Look:
    """What a sound's channels have to do with each other, found block by block."""

    def __init__(self) -> None:
        self._products: NDArray = np.zeros((0, 0))
        self._n_samples = 0

    def add(self, frames: NDArray[np.float32]) -> None:
        """Look at [T, C] more."""
        n_channels = frames.shape[1]
        if not self._n_samples:
            self._products = np.zeros((n_channels, n_channels))
        if n_channels > 1:
            exact = frames.astype(np.float64)
            self._products += exact.T @ exact
        self._n_samples += len(frames)

    def decide(self) -> Mixing:
        """As `to_mono` says."""
        products = self._products / self._n_samples
        n_channels, power = len(products), np.diag(products)
        if n_channels == 1:
            return Mixing({0: 1.0})
        loudest = int(np.argmax(power >= 0.5 * power.max()))  # of two as loud the first
        if not power[loudest] > 0:
            return Mixing({0: 1.0})
        full = [channel for channel in range(n_channels) if power[channel] > power[loudest] * 10 ** (EMPTY_DB / 10)]
        left_out = [f"channel {channel + 1} is empty" for channel in range(n_channels) if channel not in full]
        signs = {loudest: 1.0}
        for channel in full:
            if channel == loudest:
                continue
            alike = products[loudest, channel] / np.sqrt(power[loudest] * power[channel])
            if alike < OPPOSITE:
                left_out.append(f"channel {channel + 1} is in opposite phase and was turned over")
                signs[channel] = -1.0
            elif alike < ALIKE:
                return Mixing({loudest: 1.0}, said=f"its channels differ, and channel {loudest + 1} is taken alone")
            else:
                signs[channel] = 1.0
        is_average = len(signs) == n_channels and all(sign > 0 for sign in signs.values())
        return Mixing(signs, is_average, "; ".join(left_out))


def to_mono(frames: NDArray[np.float32]) -> tuple[NDArray[np.float32], str]:
    """Make one channel of [T, C], and say what was done where it is not the plain average.

    Channels that are empty beside the loudest are left out; one that is the loudest turned over is turned back; where
    the others differ from the loudest, that one is taken alone: averaged, a spaced pair loses whatever its delay turns
    over, often the fundamental.

    Returns:
        [T], and words for a sentence; empty where nothing was out of the way.
    """
    look = Look()
    look.add(frames)
    mixing = look.decide()
    return mixing.mix(frames), mixing.said
