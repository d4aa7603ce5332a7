"""The last step before a file: how loud a whole sound is, and a limiter for those who want no turning down."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from ddspvae.audio import BLOCK_SIZE, PEAK_LIMIT_DBFS, Audio
from ddspvae.signals.blocks import with_context
from ddspvae.signals.true_peak import between_samples, interpolator_reach
from ddspvae.signals.units import db_to_amplitude

STEPS_A_BLOCK = 4  # a gating block lasts 0.4 s, and begins every 0.1 s
STEP_S = 0.1
SILENT_LUFS, BELOW_LU = -70.0, 10.0  # the absolute gate, and the relative one
OFFSET_LUFS = -0.691  # so that a sine of 997 Hz at full scale in one channel is -3.01
# the limiter's two stages: the slow one takes half of the decibels, the quick one what is left
SLOW_S, QUICK_S = 0.15, 0.005  # to either side of a peak
MARGIN_DB = 0.05  # a gain that moves moves what is between the samples, too


def integrated_loudness(blocks: Iterable[NDArray], sample_rate: int) -> float:
    """How loud a sound is as a whole, in LUFS.

    Args:
        blocks: [T] or [2, T] each; mono counts as one channel.
        sample_rate: Hz.
    Returns:
        LUFS; minus infinity where nothing is louder than -70 LUFS for 0.4 s.
    Source: ITU-R BS.1770-4, annex 1; the filters for other rates than 48 kHz by the bilinear transform.
    """
    power = _step_powers(blocks, sample_rate)
    if len(power) < STEPS_A_BLOCK:
        return -math.inf
    gated = np.convolve(power, np.full(STEPS_A_BLOCK, 1 / STEPS_A_BLOCK), "valid")
    gated = gated[_lufs(gated) > SILENT_LUFS]
    if not len(gated):
        return -math.inf
    gated = gated[_lufs(gated) > _lufs(gated.mean()) - BELOW_LU]
    return float(_lufs(gated.mean()))


def _lufs(power: NDArray | float) -> NDArray:
    return OFFSET_LUFS + 10 * np.log10(np.maximum(power, 1e-30))


def k_weighting(sample_rate: int) -> list[tuple[NDArray, NDArray]]:
    """The two filters of BS.1770 as (b, a): a shelf for the head, and a high-pass."""
    def parts(f0_hz: float, quality: float) -> tuple[float, float, NDArray]:
        k = math.tan(math.pi * f0_hz / sample_rate)
        a0 = 1 + k / quality + k * k
        return k, a0, np.array([1.0, 2 * (k * k - 1) / a0, (1 - k / quality + k * k) / a0])

    quality, gain = 0.7071752369554196, 10 ** (3.999843853973347 / 20)
    k, a0, shelf = parts(1681.974450955533, quality)
    middle = gain**0.4996667741545416
    b = np.array([gain + middle * k / quality + k * k, 2 * (k * k - gain), gain - middle * k / quality + k * k]) / a0
    _, _, high = parts(38.13547087602444, 0.5003270373238773)
    return [(b, shelf), (np.array([1.0, -2.0, 1.0]), high)]


def _step_powers(blocks: Iterable[NDArray], sample_rate: int) -> NDArray:
    """Weighted power of each tenth of a second, channels added."""
    from scipy import signal  # half a second to import, which sounds that are not measured do without

    filters = k_weighting(sample_rate)
    states: list[NDArray] = []
    power: list[float] = []
    held, taken = 0.0, 0  # of the step that is under way, and samples so far
    for block in blocks:
        weighted = np.atleast_2d(np.asarray(block, dtype=np.float64))
        if not states:
            states = [np.zeros((len(weighted), 2)) for _ in filters]
        for index, (b, a) in enumerate(filters):
            weighted, states[index] = signal.lfilter(b, a, weighted, axis=-1, zi=states[index])
        squares = np.square(weighted).sum(0)
        at = 0
        while at < len(squares):
            ends = round((len(power) + 1) * STEP_S * sample_rate)
            size = min(ends - taken, len(squares) - at)
            held += float(squares[at : at + size].sum())
            at, taken = at + size, taken + size
            if taken == ends:
                power.append(held / (ends - round(len(power) * STEP_S * sample_rate)))
                held = 0.0
    return np.array(power)


def limit_blocks(blocks: Iterable[NDArray], sample_rate: int, limit_dbfs: float = PEAK_LIMIT_DBFS) -> Iterator[Audio]:
    """Turn a sound down only around the peaks that are above the limit.

    The gain is known before each peak (it looks 0.15 s ahead), moves without corners, is the same for both channels, and
    is 1 where no peak is near. Half of the decibels are taken within 0.15 s to either side, so that a crest is leaned on;
    what is left within 5 ms.

    Args:
        blocks: [T] or [2, T] each, of any peak.
        sample_rate: Hz.
        limit_dbfs: of the true peak.
    Returns:
        blocks of the same sound; true peak at most limit_dbfs but for 0.01 dB.
    """
    slow, quick = max(round(SLOW_S * sample_rate), 2) // 2 * 2, max(round(QUICK_S * sample_rate), 2) // 2 * 2
    limit = db_to_amplitude(limit_dbfs - MARGIN_DB)
    for around, first, last in with_context(blocks, max(BLOCK_SIZE, 4 * slow), 2 * (slow + quick) + 64):
        needed = np.minimum(limit / np.maximum(_peaks(around), 1e-9), 1.0)
        if needed[first:last].min(initial=1.0) == 1.0 and needed.min() == 1.0:
            yield np.asarray(around[..., first:last], dtype=np.float32)
            continue
        gain = _ease(np.sqrt(needed), slow)
        gain *= _ease(np.minimum(needed / gain, 1.0), quick)
        yield (around * gain)[..., first:last].astype(np.float32)


def _peaks(audio: NDArray) -> NDArray:
    """Largest absolute value around each sample, over the channels and between the samples."""
    taps, reach = between_samples(), interpolator_reach()
    channels = np.atleast_2d(np.asarray(audio, dtype=np.float32))
    found = np.abs(channels).max(0).astype(np.float64)
    for channel in channels:
        padded = np.pad(channel, reach)
        for phase in taps:
            between = np.abs(np.convolve(padded, phase[::-1], "valid"))
            np.maximum(found, between, out=found)  # a value between two samples belongs to both
            np.maximum(found[1:], between[:-1], out=found[1:])
    return found


def _ease(needed: NDArray, half: int) -> NDArray:
    """A smooth curve that is nowhere above `needed`: the lowest within half to either side, averaged twice over half."""
    from scipy import ndimage

    lowest = ndimage.minimum_filter1d(needed, 2 * half + 1, mode="nearest")
    once = ndimage.uniform_filter1d(lowest, half + 1, mode="nearest")
    return np.minimum(ndimage.uniform_filter1d(once, half + 1, mode="nearest"), 1.0)
