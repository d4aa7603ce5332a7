"""The shape and the level of the spectrum, frame by frame: what the decoder's heads say, realised in closed form."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ddspvae.kernels.compiler import compiled, compiled_in_any_order, ready_made_in_any_order
from ddspvae.signals.units import DB_FLOOR

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
SILENCE_DB = DB_FLOOR
AT_1_KHZ = 10 ** (-1.9997 / 10)  # what the poles of A-weighting leave of 1 kHz
_F = np.float32


@compiled
def exponential(x):  # type: ignore[no-untyped-def]
    """e^x in single precision, to 2e-7 of it: without a branch or a call, so that several are reckoned at once.

    2^n e^r, where r is at most half of log 2 and its series ends after the seventh power.
    """
    x = min(max(x, _F(-87)), _F(88))
    n = np.floor(x * _F(1 / math.log(2)) + _F(0.5))
    r = (x - n * _F(0.693359375)) - n * _F(math.log(2) - 0.693359375)  # log 2 in two parts, the first with few digits
    series = _F(1 / 5040)
    for factorial in (_F(1 / 720), _F(1 / 120), _F(1 / 24), _F(1 / 6), _F(1 / 2), _F(1), _F(1)):
        series = series * r + factorial
    return series * np.int32((np.int32(n) + np.int32(127)) << np.int32(23)).view(np.float32)


@compiled
def highest(values, n):  # type: ignore[no-untyped-def]
    """The highest of the first n; four at a time, since each waits for the one before it."""
    a = b = c = d = values[0]
    n_fours = n // 4 * 4
    for k in range(0, n_fours, 4):
        a, b, c, d = max(a, values[k]), max(b, values[k + 1]), max(c, values[k + 2]), max(d, values[k + 3])
    for k in range(n_fours, n):
        a = max(a, values[k])
    return max(a, b, c, d)


@compiled
def onset_at(curves, at, n_before, db_per_unit, semitones_per_unit, rise_db, step_semitones):  # type: ignore[no-untyped-def]
    """`model.axes.find_onsets` for the frame in row `at` of curves [n, 3], with n_before rows before it."""
    pitch, loud = curves[at, 0], curves[at, 2]
    low_pitch = high_pitch = pitch
    low_loud = loud
    for row in range(at - n_before, at):
        low_pitch, high_pitch = min(low_pitch, curves[row, 0]), max(high_pitch, curves[row, 0])
        low_loud = min(low_loud, curves[row, 2])
    rise = ((loud - low_loud) * db_per_unit - rise_db[0]) / (rise_db[1] - rise_db[0])
    step = max(pitch - low_pitch, high_pitch - pitch) * semitones_per_unit
    step = (step - step_semitones[0]) / (step_semitones[1] - step_semitones[0])
    return min(max(rise, step, 0.0), 1.0)


@compiled
def typical_at(f0_hz, loudness_db, middle, half_range, coefficients, code, grid, typical):  # type: ignore[no-untyped-def]
    """`model.typical.Typical` for one frame; grid: lowest pitch, step, number of hats."""
    pitch = _F(69) + _F(12) * np.log2(f0_hz / _F(440))
    p = min(max((pitch - middle[0]) / half_range[0], _F(-1)), _F(1))
    q = min(max((loudness_db - middle[1]) / half_range[1], _F(-1)), _F(1))
    powers = (_F(1), p, q, p * p, p * q, q * q, p * p * p, p * p * q, p * q * q, q * q * q)
    n_powers, n_hats = len(powers), int(grid[2])
    place = (p * half_range[0] + middle[0] - _F(grid[0])) / _F(grid[1])
    left = int(np.floor(place))
    for axis in range(len(typical)):
        total = 0.0
        for copy in range(len(coefficients)):
            weight = 1.0 if copy == 0 else np.float64(code[copy - 1])
            c, part = coefficients[copy], 0.0
            for i, power in enumerate(powers):
                part += np.float64(power) * c[i, axis]
            for hat in range(left, left + 2):
                if 0 <= hat < n_hats:
                    height = _F(1) - abs(place - _F(hat))
                    if height > 0:
                        part += np.float64(height) * c[n_powers + hat, axis]
                        part += np.float64(height * q) * c[n_powers + n_hats + hat, axis]
            total += weight * part
        typical[axis] = total


@compiled_in_any_order
def tilt_and_hollow_at(heights, f0_hz, n_read, highest_hz, octave, odd, brightness, hollowness, n_steps, most, share):  # type: ignore[no-untyped-def]
    """`model.axes.tilt_and_hollow` for one frame, in place; `share` is room to work in."""
    n_read = min(n_read, int(np.floor(highest_hz / f0_hz)))
    hollowness = min(hollowness, most[2] * brightness)
    tilt = side = _F(0)
    peak = highest(heights, n_read) if n_read > 0 else _F(0)
    for _ in range(n_steps if n_read > 0 else 0):
        total = mean_o = mean_s = square_o = square_s = both = 0.0
        for k in range(n_read):
            share[k] = exponential(heights[k] - peak + tilt * octave[k] + side * odd[k])
        for k in range(n_read):
            weight = np.float64(share[k])
            total += weight
            mean_o += weight * octave[k]
            mean_s += weight * odd[k]
            square_o += weight * octave[k] * octave[k]
            square_s += weight * odd[k] * odd[k]
            both += weight * octave[k] * odd[k]
        mean_o, mean_s = mean_o / total, mean_s / total
        var_o, var_s = square_o / total - mean_o * mean_o + 1e-3, square_s / total - mean_s * mean_s + 1e-3
        both = both / total - mean_o * mean_s
        miss_o, miss_s = brightness - mean_o, hollowness - mean_s
        scale = 1 / max(var_o * var_s - both * both, 1e-6)
        tilt = _F(min(max(tilt + min(max((var_s * miss_o - both * miss_s) * scale, -1.0), 1.0), -most[0]), most[0]))
        side = _F(min(max(side + min(max((var_o * miss_s - both * miss_o) * scale, -1.0), 1.0), -most[1]), most[1]))
    for k in range(len(heights)):
        heights[k] += tilt * octave[k] + side * odd[k]


@compiled
def a_weight(frequency_hz):  # type: ignore[no-untyped-def]
    """`features.weighting.a_weighting`."""
    f2 = frequency_hz * frequency_hz
    ends = f2 / ((f2 + _F(20.598997**2)) * (f2 * _F(12194.217**-2) + _F(1)))
    return ends * ends * (f2 * f2 / ((f2 + _F(107.65265**2)) * (f2 + _F(737.86223**2)))) * _F(1 / AT_1_KHZ)


@compiled
def softplus(x):  # type: ignore[no-untyped-def]
    return x if x > 20 else math.log1p(math.exp(x))


@compiled
def below(f0_hz, limit_hz, most):  # type: ignore[no-untyped-def]
    """How many harmonics lie below a frequency, `most` at most."""
    count = min(max(int(limit_hz / f0_hz), 0), most)
    while count < most and f0_hz * _F(count + 1) < limit_hz:  # what is rounded decides, as in the twin
        count += 1
    while count and f0_hz * _F(count) >= limit_hz:
        count -= 1
    return count


class Form(NamedTuple):
    """What turns a network's outputs into a spectrum, of one instrument; arrays, since a compiler wants to know their kinds.

    Args:
        tilt, octave, odd: [H], what a spectrum falls by in nepers, with the head's bias; log2 of the number; which harmonics
            are odd, +-1.
        noise_tilt, is_breath, noise_weights: [K].
        noise_bands: [J, K], A-weighted power of each noise band in each of the room's.
        edges_hz: [J + 1], of the room's bands.
        middle, half_range, coefficients, deviation: of model.typical.Typical.
        hats: [3], lowest pitch, semitones between two, how many.
        nodes: [2], lowest frequency in Hz, nodes an octave.
        reading: [3], harmonics that the named axes are read from, up to which frequency in Hz, and up to which f0 as it is.
        most_tilt: [2]; most_share: [1], nepers.
        onset: [6], dB and semitones per unit of the curves, rise from and to in dB, step from and to in semitones.
    """

    tilt: Floats
    octave: Floats
    odd: Floats
    noise_tilt: Floats
    is_breath: Floats
    noise_weights: Floats
    noise_bands: Floats
    edges_hz: Doubles
    middle: Floats
    half_range: Floats
    coefficients: Doubles
    deviation: Floats
    hats: Doubles
    nodes: Doubles
    reading: Doubles
    most_tilt: Doubles
    most_share: Doubles
    onset: Doubles


class Level(NamedTuple):
    """The room's memory, as `synth.level.Tail` has it: [J] each, zeros are no room; and the least share of the source."""

    keep: Doubles
    now: Doubles
    first: Doubles
    quietest_dry: float


@ready_made_in_any_order
def shape_frames(form, level, f0_hz, highest_hz, loudness_db, curves, rows, spectrum, nodes, noise_envelope, named, code,  # type: ignore[no-untyped-def]
                 balance, with_noise, n_onset, n_newton, nyquist_hz, voices, ringing, floats, doubles, heights, magnitudes):
    """Of F frames, what the decoder's heads say to what is played: `Decoder._heads`, `level.weigh` and `level.scale`.

    Args:
        f0_hz, highest_hz, loudness_db: [F]; the highest f0 of the frames around each.
        curves, rows: scaled curves [n, 3], and the row of each frame in them [F], with n_onset rows before it.
        spectrum: [F, H + K and a few]; nodes: [F, N]; noise_envelope: [F, K]; named: [F, N]; code: [F, G]; balance: [F, 3].
        with_noise: False gives all power to the harmonics.
        voices, ringing: [F], which row of ringing [V, J] each frame finds and leaves.
        floats, doubles: [H + K + 4] and [2 J + 4], to work in.
        heights, magnitudes: [F, H] and [F, K], filled.
    """
    n_frames, n_harmonics = heights.shape
    n_bands, n_rooms, n_nodes, n_named = magnitudes.shape[1], form.noise_bands.shape[0], nodes.shape[1], named.shape[1]
    axes, noise, work = floats[:4], floats[4 : 4 + n_bands], floats[4 + n_bands :]
    typical, harmonic_bands, noise_bands = doubles[:4], doubles[4 : 4 + n_rooms], doubles[4 + n_rooms :]
    axes[:] = 0
    typical[:] = 0
    for i in range(n_frames):
        f0, height, noise_logs = f0_hz[i], heights[i], spectrum[i, n_harmonics:]
        # levels of the harmonics, before they are balanced
        at_first = _F(form.nodes[1]) * np.log2(f0 / _F(form.nodes[0]))
        for k in range(n_harmonics):
            place = min(max(at_first + _F(form.nodes[1]) * form.octave[k], _F(0)), _F(n_nodes - 1))
            left = min(int(place), n_nodes - 2)
            low = nodes[i, left]
            height[k] = spectrum[i, k] + form.tilt[k] + (low + (nodes[i, left + 1] - low) * (place - _F(left)))
        share, more = np.float64(balance[i, 0]), _F(0)
        if n_named:
            typical_at(f0, loudness_db[i], form.middle, form.half_range, form.coefficients, code[i], form.hats, typical)
            for axis in range(n_named):
                axes[axis] = named[i, axis] * form.deviation[axis]
            tilt_and_hollow_at(height, min(f0, form.reading[2]), int(form.reading[0]), form.reading[1], form.octave,
                               form.odd, typical[0] + axes[0] + balance[i, 1], typical[2] + axes[2] + balance[i, 2],
                               n_newton, form.most_tilt, work)
            onset = onset_at(curves, rows[i], n_onset, form.onset[0], form.onset[1], form.onset[2:4], form.onset[4:6])
            breath = typical[1] + axes[1] + (typical[3] + axes[3] - typical[1] - axes[1]) * onset - share
            more = _F((axes[1] + (axes[3] - axes[1]) * onset) / 2)
        for band in range(n_bands):
            level_log = min(max(noise_logs[band] + noise_envelope[i, band] + form.noise_tilt[band], _F(-12)), _F(12))
            noise[band] = exponential(level_log + more * form.is_breath[band])
        if n_named:
            breath_power = noise_power = 0.0
            for band in range(n_bands):
                power = np.float64(noise[band]) * noise[band] * form.noise_weights[band]
                noise_power += power
                breath_power += power * form.is_breath[band]
            share = -(breath + np.log(noise_power / breath_power))
        most = form.most_share[0]
        share = softplus(most - softplus(most - share) + most) - most
        harmonic_share = 1 / (1 + np.exp(-share)) if with_noise else 1.0
        # a distribution of those that may sound
        n_audible = below(highest_hz[i], nyquist_hz, n_harmonics)
        peak, kept, beyond = highest(height, n_harmonics), 0.0, 0.0
        for k in range(n_harmonics):
            height[k] = exponential(height[k] - peak)
        for k in range(n_audible):
            kept += height[k]
        for k in range(n_audible, n_harmonics):
            beyond += height[k]
        total = kept + beyond
        scale = 1 / max(kept / total, 1e-8) / total
        for k in range(n_audible):
            height[k] = _F(height[k] * scale)
            work[k] = height[k] * height[k] * a_weight(f0 * _F(k + 1)) * _F(0.5)
        height[n_audible:] = 0
        begin, harmonic_power = 0, 0.0
        for room in range(n_rooms):
            end = max(below(f0, form.edges_hz[room + 1], n_audible), begin)
            power = 0.0
            for k in range(begin, end):
                power += work[k]
            harmonic_bands[room] = power
            harmonic_power += power
            begin = end
        noise_power = 0.0
        for room in range(n_rooms):
            power = 0.0
            for band in range(n_bands):
                power += np.float64(noise[band]) * noise[band] * form.noise_bands[room, band]
            noise_bands[room] = power
            noise_power += power
        if harmonic_power <= 1e-20:
            harmonic_share = 0.0
        harmonic_square = harmonic_share / max(harmonic_power, 1e-20)
        noise_square = (1 - harmonic_share) / max(noise_power, 1e-20)
        # the level that is asked for, of which the room rings a part already
        asked = 10.0 ** (np.float64(loudness_db[i]) / 10) if loudness_db[i] > SILENCE_DB else 0.0
        ring, gain, rung = ringing[voices[i]], 1.0, 0.0
        for j in range(n_rooms):
            harmonic_bands[j] = harmonic_square * harmonic_bands[j] + noise_square * noise_bands[j]
            gain += harmonic_bands[j] * level.now[j]
            rung += ring[j]
        dry = max(asked - rung, level.quietest_dry * asked) / gain
        for j in range(n_rooms):
            ring[j] = level.keep[j] * ring[j] + harmonic_bands[j] * level.first[j] * dry
        amplitude = np.sqrt(dry * harmonic_square + 1e-24) if dry > 0 else 0.0
        noise_gain = np.sqrt(dry * noise_square + 1e-24) if dry > 0 else 0.0
        for k in range(n_audible):
            height[k] *= amplitude
        for band in range(n_bands):
            magnitudes[i, band] = noise[band] * noise_gain
