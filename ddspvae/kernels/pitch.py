"""Pitch, look by look: how fast harmonics turn along a curve, and the peaks of an autocorrelation."""

from __future__ import annotations

import numpy as np

from ddspvae.kernels.compiler import ready_made, ready_made_in_any_order

_F = np.float32


@ready_made
def follow_power(audio, window, places, level, most):  # type: ignore[no-untyped-def]
    """Mean square of a window around some samples, and around any.

    Args:
        audio: [T].
        window: samples.
        places: [F], rising; level: [F], filled.
        most: [1], the largest at any sample, filled.
    """
    total, largest, at = 0.0, 0.0, 0
    before = window - window // 2 - 1
    for t in range(-before, len(audio)):
        if t + before < len(audio):
            total += np.float64(audio[t + before]) * audio[t + before]
        if t - window // 2 - 1 >= 0:
            total -= np.float64(audio[t - window // 2 - 1]) * audio[t - window // 2 - 1]
        if t >= 0:
            largest = max(largest, total)
            while at < len(places) and places[at] == t:
                level[at] = max(total, 0.0) / window
                at += 1
    most[0] = largest / window


@ready_made
def count_cycles(f0_hz, hop, spare, rate_hz, speed_hz, cycles):  # type: ignore[no-untyped-def]
    """The speed at every sample, on straight lines between frames, and the cycles before it.

    Args:
        f0_hz: [F], held beyond its ends.
        hop: samples per frame, whole or not; spare: samples before the first frame.
        rate_hz: of the samples.
        speed_hz, cycles: [T], filled.
    """
    last, total = len(f0_hz) - 1, 0.0
    for t in range(len(cycles)):
        place = min(max((t - spare) / hop, 0.0), float(last))
        frame = min(int(place), max(last - 1, 0))
        before = f0_hz[frame]
        speed = before + (place - frame) * (f0_hz[min(frame + 1, last)] - before)
        speed_hz[t], cycles[t] = speed, total
        total += speed / rate_hz


@ready_made
def turn_by(cycles, turn):  # type: ignore[no-untyped-def]
    """Cosine and sine of so many cycles, to the last bit of single precision.

    From half a turn, which changes both signs, and a rest within a quarter of a turn, where the series end after the
    eighteenth power.

    Args:
        cycles: [T].
        turn: [2, T], filled.
    """
    cosine, sine = turn[0], turn[1]
    for t in range(len(cycles)):
        halves = np.rint(2 * cycles[t])
        angle = np.pi * (2 * cycles[t] - halves)
        sign = 1 - 2 * abs(halves - 2 * np.floor(halves / 2))
        square = angle * angle
        cosines, sines = 1 / 6402373705728000, 1 / 355687428096000
        for factor in (1 / 20922789888000, 1 / 87178291200, 1 / 479001600, 1 / 3628800, 1 / 40320, 1 / 720, 1 / 24, .5, 1.0):
            cosines = factor - square * cosines
        for factor in (1 / 1307674368000, 1 / 6227020800, 1 / 39916800, 1 / 362880, 1 / 5040, 1 / 120, 1 / 6, 1.0):
            sines = factor - square * sines
        cosine[t], sine[t] = sign * cosines, sign * angle * sines


@ready_made_in_any_order
def find_slips(audio, speed_hz, cycles, turn, centres, f0_hz, pieces, sizes, n_harmonics, highest_hz, room, slips):  # type: ignore[no-untyped-def]
    """What `features.refine` asks at some instants.

    Args:
        audio: [T]; speed_hz, cycles: [T], of the curve.
        turn: [2, T], cosine and sine of minus the fundamental's phase.
        centres: [N], samples, whole or not; f0_hz, pieces: [N], of the curve there, and periods that a window joins.
        sizes: [N], samples that a window may span; room: [4, the most of them], to work in.
        slips: [N], Hz, filled.
    """
    for look in range(len(centres)):
        centre, near = centres[look], int(np.rint(centres[look]))
        at, reach = int(centre), 1.5 * pieces[look]
        middle = cycles[at] + (centre - at) * (cycles[at + 1] - cycles[at])
        first, last = near, near
        while first > near - sizes[look] // 2 and middle - cycles[first - 1] < reach:
            first -= 1
        while last < near + sizes[look] // 2 and cycles[last] - middle < reach:
            last += 1
        size = last - first
        heard, speed, done = audio[first : first + size], speed_hz[first : first + size], cycles[first : first + size]
        cosine, sine = turn[0, first : first + size], turn[1, first : first + size]
        one, other, u, v = room[0, :size], room[1, :size], room[2, :size], room[3, :size]
        per_piece, share, per_s = 1 / pieces[look], 1 / f0_hz[look], f0_hz[look] / pieces[look]
        for t in range(size):
            place = (done[t] - middle) * per_piece
            away = abs(place)
            outer = max(1.5 - away, 0.0)
            inside = away < 0.5
            height = 0.75 - place * place if inside else 0.5 * outer * outer
            slope = -2 * place if inside else (outer if place < 0 else -outer)
            sound = heard[t] * speed[t] * share
            one[t], other[t] = sound * height, sound * slope * per_s
            u[t], v[t] = cosine[t], sine[t]
        told, weight = 0.0, 1e-12
        for k in range(1, n_harmonics + 1):
            if k * f0_hz[look] >= highest_hz:
                break
            level_real = level_imag = change_real = change_imag = _F(0)
            for t in range(size):
                x, y = u[t], v[t]
                level_real += one[t] * x
                level_imag += one[t] * y
                change_real += other[t] * x
                change_imag += other[t] * y
                c, d = cosine[t], sine[t]
                u[t], v[t] = x * c - y * d, x * d + y * c
            power = np.float64(level_real * level_real + level_imag * level_imag) + 1e-20
            trust = np.sqrt(power)
            told += trust * k * (change_real * level_imag - change_imag * level_real) / power / (2 * np.pi)
            weight += trust * k * k
        slips[look] = told / weight


@ready_made
def find_peaks(curves, first, octave_cost, top_scale, f0_hz, strength, rise, height):  # type: ignore[no-untyped-def]
    """The strongest peaks of autocorrelations, as `features.autocorrelation` finds them.

    Args:
        curves: [F, N], at rising lags from 0, 1 there.
        first: the lag below the first that may be one.
        octave_cost: of height; [N - first - 2], of lags from first + 1.
        top_scale: Hz of a lag of 1.
        f0_hz, strength, rise: [F, K], filled; what finds no peak has -1 and a pitch of the shortest lags.
        height: [K], room to work in.
    """
    n_kept, last = f0_hz.shape[1], curves.shape[1] - 1
    for frame in range(len(curves)):
        curve = curves[frame]
        for k in range(n_kept):
            f0_hz[frame, k], strength[frame, k], rise[frame, k], height[k] = top_scale / (first + 1 + k), -1, -1, -1
        dip = curve[0]
        for lag in range(first + 1):
            dip = min(dip, curve[lag])
        for lag in range(first + 1, last):
            before, middle, after = curve[lag - 1], curve[lag], curve[lag + 1]
            dip = min(dip, middle)
            if middle > before and middle >= after:
                floor = np.float64(max(dip, _F(0)))
                high = middle - floor - octave_cost[lag - first - 1]
                lowest = 0
                for k in range(1, n_kept):
                    if height[k] < height[lowest]:
                        lowest = k
                if high > height[lowest]:
                    height[lowest] = high
                    b, m, a = np.float64(before), np.float64(middle), np.float64(after)
                    curvature = min(b - 2 * m + a, -1e-9)
                    shift = min(max((a - b) / (-2 * curvature), -0.5), 0.5)  # vertex of the parabola through three points
                    top = m - (a - b) * (a - b) / (8 * curvature)
                    if top > 1:  # rounding far down the window; mirrored, so that it does not win
                        top = 1 / top
                    f0_hz[frame, lowest], strength[frame, lowest] = top_scale / (lag + shift), top
                    rise[frame, lowest] = top - floor
