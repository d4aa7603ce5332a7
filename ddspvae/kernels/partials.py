"""Harmonics taken off a take, and the noise around them: what `features.spectrum` asks, in loops that stay in the cache."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ddspvae.kernels.compiler import compiled, ready_made, ready_made_as_written, ready_made_in_any_order

LANES = 64  # frames that are worked on side by side
_F = np.float32


class Tile(NamedTuple):
    """Room to work in: so many samples [every, LANES] of as many frames, and sums of them [LANES].

    Args:
        sound: of the take; cosine, sine: of the fundamental; u, v: of a harmonic.
        whole_u, whole_v, rise_u, rise_v: sums, or levels and how they go on.
    """

    sound: NDArray[np.float32]
    cosine: NDArray[np.float32]
    sine: NDArray[np.float32]
    u: NDArray[np.float32]
    v: NDArray[np.float32]
    whole_u: NDArray[np.float32]
    whole_v: NDArray[np.float32]
    rise_u: NDArray[np.float32]
    rise_v: NDArray[np.float32]

    @classmethod
    def of(cls, every: int) -> Tile:
        """For pieces of so many samples."""
        samples, sums = (every, LANES), (LANES,)
        return cls(*(np.empty(shape, np.float32) for shape in [*[samples] * 5, *[sums] * 4]))


@compiled
def _lay_out(audio, turn, begin, hop_size, tile):  # type: ignore[no-untyped-def]
    """A piece of LANES frames side by side, from sample `begin` of the first; the first harmonic is the fundamental."""
    for t in range(len(tile.sound)):
        for lane in range(LANES):
            at = begin + lane * hop_size + t
            tile.sound[t, lane] = audio[at]
            tile.cosine[t, lane], tile.sine[t, lane] = turn[0, at], turn[1, at]
            tile.u[t, lane], tile.v[t, lane] = turn[0, at], turn[1, at]


@ready_made_in_any_order
def turn_down(audio, turn, hop_size, every, tile, slow):  # type: ignore[no-untyped-def]
    """Turn every harmonic down to 0 Hz, and read it slowly, through triangles.

    Args:
        audio: [F * hop_size], F a multiple of LANES; turn: [2, F * hop_size], cosine and sine of the fundamental's phase.
        hop_size, every: samples per frame, and per slow one; the second divides the first.
        tile: room to work in.
        slow: [H, 2, hop_size / every, F + 1], zeros, to which the slow samples are added, each at its place in its frame.
    """
    n_frames, stride = len(audio) // hop_size, hop_size // every
    level_share, ramp_step = _F(1) / _F(every), _F(1) / _F(every * every)
    whole_u, whole_v, rise_u, rise_v = tile.whole_u, tile.whole_v, tile.rise_u, tile.rise_v
    for first in range(0, n_frames, LANES):
        for piece in range(stride):
            _lay_out(audio, turn, first * hop_size + piece * every, hop_size, tile)
            for harmonic in range(len(slow)):
                for lane in range(LANES):
                    whole_u[lane] = whole_v[lane] = rise_u[lane] = rise_v[lane] = _F(0)
                for t in range(every):
                    sound, c, d, u, v = tile.sound[t], tile.cosine[t], tile.sine[t], tile.u[t], tile.v[t]
                    ramp = _F(t) * ramp_step
                    for lane in range(LANES):
                        x, y = u[lane], v[lane]
                        p, q = sound[lane] * x, sound[lane] * y
                        whole_u[lane] += p
                        whole_v[lane] += q
                        rise_u[lane] += ramp * p
                        rise_v[lane] += ramp * q
                        u[lane], v[lane] = x * c[lane] - y * d[lane], x * d[lane] + y * c[lane]
                # a triangle around every sample: what the piece before it rises to, and what its own falls from
                into = slow[harmonic]
                for lane in range(LANES):
                    into[0, piece, first + lane] += whole_u[lane] * level_share - rise_u[lane]
                    into[1, piece, first + lane] += whole_v[lane] * level_share - rise_v[lane]
                following, later = (piece + 1) % stride, (piece + 1) // stride
                for lane in range(LANES):
                    into[0, following, first + lane + later] += rise_u[lane]
                    into[1, following, first + lane + later] += rise_v[lane]


@ready_made_in_any_order
def read_levels(slow, f0_hz, filters, sizes, class_of, highest_hz, line, levels):  # type: ignore[no-untyped-def]
    """Low-pass what was turned down, at every frame.

    Args:
        slow: [H, 2, S, more than F], from `turn_down`.
        f0_hz: [F], Hz; class_of: [F], which filter a frame takes.
        filters, sizes: low-passes [C, longest], of so many taps each, an odd number.
        highest_hz: no harmonic above it is read.
        line: [2, F * S], room to work in.
        levels: [H, 2, more than F], of cosine and sine, filled.
    """
    n_frames, stride = len(f0_hz), slow.shape[2]
    n_slow = n_frames * stride
    for harmonic in range(len(slow)):
        for side in range(2):
            for piece in range(stride):
                row = slow[harmonic, side, piece]
                for frame in range(n_frames):
                    line[side, frame * stride + piece] = row[frame]
        level = levels[harmonic]
        for frame in range(n_frames):
            cosine = sine = _F(0)
            if _F(harmonic + 1) * f0_hz[frame] < highest_hz:
                size = sizes[class_of[frame]]
                first = frame * stride - size // 2
                low, high = max(0, -first), min(size, n_slow - first)
                taps = filters[class_of[frame], low:high]
                u, v = line[0, first + low : first + high], line[1, first + low : first + high]
                for k in range(high - low):
                    cosine += taps[k] * u[k]
                    sine += taps[k] * v[k]
            level[0, frame], level[1, frame] = 2 * cosine, 2 * sine


@ready_made_in_any_order
def take_off(rest, turn, hop_size, every, n_heard, levels, tile):  # type: ignore[no-untyped-def]
    """Play harmonics as cosines and sines that fade from frame to frame, and subtract them.

    Args:
        rest: [F * hop_size], F a multiple of LANES, a take; turn, hop_size, every, tile: as in `turn_down`.
        n_heard: [F], how many harmonics there are.
        levels: [H, 2, F + 1].
    """
    n_frames, stride = len(rest) // hop_size, hop_size // every
    level_u, level_v, more_u, more_v = tile.whole_u, tile.whole_v, tile.rise_u, tile.rise_v
    per_sample = _F(1) / _F(hop_size)
    for first in range(0, n_frames, LANES):
        n_harmonics = 0
        for frame in range(first, min(first + LANES + 1, n_frames)):
            n_harmonics = max(n_harmonics, n_heard[frame])
        for piece in range(stride):
            _lay_out(rest, turn, first * hop_size + piece * every, hop_size, tile)
            begun = _F(piece * every) * per_sample
            for harmonic in range(n_harmonics):
                now, then = levels[harmonic, :, first : first + LANES], levels[harmonic, :, first + 1 : first + LANES + 1]
                now_u, now_v, then_u, then_v = now[0], now[1], then[0], then[1]
                for lane in range(LANES):
                    rise_u, rise_v = then_u[lane] - now_u[lane], then_v[lane] - now_v[lane]
                    level_u[lane], level_v[lane] = now_u[lane] + rise_u * begun, now_v[lane] + rise_v * begun
                    more_u[lane], more_v[lane] = rise_u * per_sample, rise_v * per_sample
                for t in range(every):
                    sound, c, d, u, v = tile.sound[t], tile.cosine[t], tile.sine[t], tile.u[t], tile.v[t]
                    far = _F(t)
                    for lane in range(LANES):
                        x, y = u[lane], v[lane]
                        sound[lane] -= (level_u[lane] + far * more_u[lane]) * x + (level_v[lane] + far * more_v[lane]) * y
                        u[lane], v[lane] = x * c[lane] - y * d[lane], x * d[lane] + y * c[lane]
            for t in range(every):
                for lane in range(LANES):
                    rest[(first + lane) * hop_size + piece * every + t] = tile.sound[t, lane]


@ready_made_as_written
def read_noise(power, f0_hz, n_taken, holes, class_of, step_hz, bin_hz, shares, sums, left, of_noise):  # type: ignore[no-untyped-def]
    """What of each bin harmonics have left, and the noise that was taken off with them.

    Args:
        power: [F, N], of what is left of a take, bins from 0 to Nyquist.
        f0_hz: [F], Hz; n_taken: [F], how many harmonics were taken off; class_of: [F], with which filter.
        holes: [C, R], the share of the noise that is missing at so many step_hz from a harmonic.
        bin_hz: Hz a bin; shares: [C], what unit noise adds to the square of an amplitude.
        sums: [2, N + 1], room to work in.
        left: [F, N]; of_noise: [H, F]; filled.
    """
    n_bins, farthest, n_harmonics = power.shape[1], holes.shape[1] - 1, len(of_noise)
    for frame in range(len(power)):
        f0, hole, taken = f0_hz[frame], holes[class_of[frame]], n_taken[frame]
        powers, lefts = power[frame], left[frame]
        total = whole = 0.0
        sums[0, 0] = sums[1, 0] = 0
        for at in range(n_bins):
            hz = bin_hz * _F(at)
            number, share = np.floor(hz / f0), _F(1)
            for _ in range(2):  # the two harmonics around each bin
                if 1 <= number <= taken:
                    away = int(np.rint(abs(hz - number * f0) / step_hz))
                    share -= hole[min(away, farthest)]
                number += _F(1)
            lefts[at] = max(share, _F(0))
            total += powers[at]
            whole += lefts[at]
            sums[0, at + 1], sums[1, at + 1] = total, whole
        reach = f0 / _F(2) / bin_hz
        for harmonic in range(n_harmonics):
            place = min(np.rint(f0 * _F(harmonic + 1) / bin_hz), _F(n_bins - 1))
            low = int(max(np.rint(place - reach), _F(0)))
            high = int(min(np.rint(place + reach), _F(n_bins - 1))) + 1
            around = _F(sums[0, high] - sums[0, low]) / max(_F(sums[1, high] - sums[1, low]), _F(1e-3))
            of_noise[harmonic, frame] = around * shares[class_of[frame]]


@ready_made
def less_noise(levels, of_noise, half, least, sums, amplitudes):  # type: ignore[no-untyped-def]
    """Amplitudes without the noise that is in them, which is compared over a span of frames.

    Args:
        levels: [H, 2, more than F]; of_noise: [H, F], power.
        half: the span, frames to either side.
        least: share of a harmonic's power that is left of it.
        sums: [2, F + 1], room to work in.
        amplitudes: [F, H], filled.
    """
    n_frames = of_noise.shape[1]
    for harmonic in range(len(of_noise)):
        sums[0, 0] = sums[1, 0] = 0
        for frame in range(n_frames):
            u, v = np.float64(levels[harmonic, 0, frame]), np.float64(levels[harmonic, 1, frame])
            sums[0, frame + 1] = sums[0, frame] + u * u + v * v
            sums[1, frame + 1] = sums[1, frame] + of_noise[harmonic, frame]
        for frame in range(n_frames):
            low, high = max(frame - half, 0), min(frame + half + 1, n_frames)
            power, noise = sums[0, high] - sums[0, low], sums[1, high] - sums[1, low]
            own = 1 - noise / max(power, 1e-20 * (high - low))
            u, v = levels[harmonic, 0, frame], levels[harmonic, 1, frame]
            amplitudes[frame, harmonic] = np.sqrt((u * u + v * v) * _F(max(own, least)))
