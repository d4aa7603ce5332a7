"""The decoder's network one step and one frame at a time, for some of many voices, in memory that stays where it is."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ddspvae.kernels.compiler import compiled_in_any_order, ready_made_in_any_order
from ddspvae.kernels.spectrum import exponential
from ddspvae.kernels.stack import awaken, gate, normalize

Floats = NDArray[np.float32]
Whole = NDArray[np.int64]
_F = np.float32
EPSILON = 1e-5  # of the norm


class Stack(NamedTuple):
    """What the decoder's stack has learned: L layers of C channels, each on K steps of its own past.

    Args:
        inlet: [C, 3 + D]; inlet_bias: [C]; of the curves, and of the axes without names.
        taps: [L, 2 C, K C]; taps_bias: [L, 2 C]; out: [L, C, C]; out_bias: [L, C].
        norm, norm_bias: [C].
        envelope: [E, C]; envelope_bias: [E]; detail: [E, D'], what the first of those axes weigh envelopes by.
        frame: [C, C]; frame_bias: [C]; of the frames' layer, brought forward: see `engine.network.brought_forward`.
        dilations: [L].
    """

    inlet: Floats
    inlet_bias: Floats
    taps: Floats
    taps_bias: Floats
    out: Floats
    out_bias: Floats
    norm: Floats
    norm_bias: Floats
    envelope: Floats
    envelope_bias: Floats
    detail: Floats
    frame: Floats
    frame_bias: Floats
    dilations: Whole


class Heads(NamedTuple):
    """What the layers at the frame rate have learned; a weight has a row for every number that comes out.

    Args:
        taps: [3 T, C]; what the frames' layer makes of the curves of the last T frames.
        spectrum: [H + K and a few, C], of harmonics and noise.
        balance_layer: [B, 3 T]; balance: [3, B], or [3, C] without names.
        balance_layer_bias, balance_bias: of each.
    """

    taps: Floats
    spectrum: Floats
    balance_layer: Floats
    balance_layer_bias: Floats
    balance: Floats
    balance_bias: Floats


@compiled_in_any_order
def _dot(row, x):  # type: ignore[no-untyped-def]
    total = _F(0)
    for i in range(len(row)):
        total += row[i] * x[i]
    return total


@compiled_in_any_order
def _scale(f0_hz, periodicity, loudness_db, units, curves):  # type: ignore[no-untyped-def]
    """`engine.network.scale_curves` of one frame; units: semitones and dB a unit, and the quietest that is heard in dB."""
    pitch = _F(69) + _F(12) * np.log2(f0_hz / _F(440))
    curves[0] = (pitch - _F(60)) / units[0]
    curves[1] = periodicity * _F(2) - _F(1)
    curves[2] = max(loudness_db, units[2]) / units[1] + _F(1.5)


@ready_made_in_any_order
def step_stack(stack, rows, frames, units, inputs, others, pasts, n_steps, hidden, taps, gates, gated, before, now):  # type: ignore[no-untyped-def]
    """Let the stacks of R voices hear the next step: `Network._listen`, one step at a time.

    Args:
        rows: [R], the voices.
        frames: [3, R], f0 in Hz, periodicity and loudness in dB; units: see `_scale`.
        inputs: [R, 3 + D], what the stack hears: the first three are filled here.
        others: [R, G], what goes past it.
        pasts: [V, S, C], of each layer its own last inputs, in rings of 2 d + 1 one after the other.
        n_steps: [V], steps heard so far, moved on.
        hidden, taps, gates, gated: [R, C], [R, K C], [R, 2 C] and [R, C], to work in.
        before, now: [V, C + E + G], the last two steps, filled.
    """
    n_channels, n_kernel = stack.inlet.shape[0], stack.taps.shape[2] // stack.inlet.shape[0]
    n_envelope, n_detail, n_voices = stack.envelope.shape[0], stack.detail.shape[1], len(rows)
    for r in range(n_voices):
        _scale(frames[0, r], frames[1, r], frames[2, r], units, inputs[r])
        for c in range(n_channels):
            hidden[r, c] = stack.inlet_bias[c] + _dot(stack.inlet[c], inputs[r])
    first = 0
    for layer in range(len(stack.dilations)):
        dilation = stack.dilations[layer]
        size = (n_kernel - 1) * dilation + 1
        for r in range(n_voices):
            step = n_steps[rows[r]]
            ring = pasts[rows[r]]
            for c in range(n_channels):
                ring[first + step % size, c] = hidden[r, c]
            for tap in range(n_kernel):
                slot = first + (step + size - (n_kernel - 1 - tap) * dilation) % size
                for c in range(n_channels):
                    taps[r, tap * n_channels + c] = ring[slot, c]
        for c in range(2 * n_channels):
            row, bias = stack.taps[layer, c], stack.taps_bias[layer, c]
            for r in range(n_voices):
                gates[r, c] = bias + _dot(row, taps[r])
        gate(gates, gated)
        for c in range(n_channels):
            row, bias = stack.out[layer, c], stack.out_bias[layer, c]
            for r in range(n_voices):
                hidden[r, c] += bias + _dot(row, gated[r])
        first += size
    normalize(hidden, stack.norm, stack.norm_bias, EPSILON)
    for r in range(n_voices):
        voice = rows[r]
        for c in range(before.shape[1]):
            before[voice, c] = now[voice, c]
        for c in range(others.shape[1]):
            now[voice, n_channels + n_envelope + c] = others[r, c]
        n_steps[voice] += 1
    for c in range(n_channels):
        for r in range(n_voices):
            now[rows[r], c] = stack.frame_bias[c] + _dot(stack.frame[c], hidden[r])
    for e in range(n_envelope):
        for r in range(n_voices):
            now[rows[r], n_channels + e] = stack.envelope_bias[e] + _dot(stack.envelope[e], hidden[r]) \
                + _dot(stack.detail[e], inputs[r, 3 : 3 + n_detail])


@compiled_in_any_order
def _copy(values, at, part):  # type: ignore[no-untyped-def]
    """Fill a part from the place where it begins; where the next one does."""
    for c in range(len(part)):
        part[c] = values[at + c]
    return at + len(part)


@ready_made_in_any_order
def read_heads(heads, rows, frames, units, seen, before, now, n_frames, pace, n_named, mixed, taps, hidden, lines,  # type: ignore[no-untyped-def]
               spectrum, nodes, noise_envelope, named, code, balance):
    """What the heads say of the next frame of R voices: `Network.play`, up to where the spectrum is shaped.

    Args:
        rows: [R], the voices.
        frames, units: as in step_stack.
        seen: [V, S + 1, 3], scaled curves: of the frames before and, when this returns, of this one, which is the last.
        before, now: [V, C + N + K + A + G], the last two steps.
        n_frames: [V], frames played so far, moved on; pace: frames a step.
        n_named: of the axes with names; 0 is a network that was given none.
        mixed, taps, hidden, lines: [C + N + K + A + G], [1, 3 T], [1, C] and [B], to work in.
        spectrum: [R, H + K and a few]; nodes: [R, N]; noise_envelope: [R, K]; named: [R, A]; code: [R, G]; balance: [R, 3];
            all filled.
    """
    heard, awake = taps[0], hidden[0]
    n_channels, n_taps, n_seen = len(awake), len(heard) // 3, seen.shape[1]
    for r in range(len(rows)):
        voice = rows[r]
        own = seen[voice]
        for at in range(n_seen - 1):
            for i in range(3):
                own[at, i] = own[at + 1, i]
        _scale(frames[0, r], frames[1, r], frames[2, r], units, own[n_seen - 1])
        for i in range(3):
            for tap in range(n_taps):
                heard[i * n_taps + tap] = own[n_seen - n_taps + tap, i]
        fade = _F(n_frames[voice] % pace + 1) / _F(pace)
        for c in range(len(mixed)):
            mixed[c] = before[voice, c] + (now[voice, c] - before[voice, c]) * fade
        n_frames[voice] += 1
        for c in range(n_channels):
            awake[c] = mixed[c]
        awaken(taps, heads.taps, hidden)
        for k in range(spectrum.shape[1]):
            spectrum[r, k] = _dot(heads.spectrum[k], awake)
        at = _copy(mixed, n_channels, nodes[r])
        at = _copy(mixed, at, noise_envelope[r])
        at = _copy(mixed, at, named[r])
        _copy(mixed, at, code[r])
        if n_named:
            for c in range(heads.balance_layer.shape[0]):
                x = heads.balance_layer_bias[c] + _dot(heads.balance_layer[c], heard)
                lines[c] = _F(1) - _F(2) / (_F(1) + exponential(_F(2) * x))
            for c in range(3):
                balance[r, c] = heads.balance_bias[c] + _dot(heads.balance[c], lines[: heads.balance_layer.shape[0]])
        else:
            for c in range(3):
                balance[r, c] = heads.balance_bias[c] + _dot(heads.balance[c], awake)
