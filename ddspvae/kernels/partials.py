"""Harmonics taken off a take: each turned down to 0 Hz, low-passed, and played back to be subtracted."""

from __future__ import annotations

import numpy as np

from ddspvae.kernels.compiler import compiled_in_any_order


@compiled_in_any_order
def take_harmonics(rest, turn, f0_hz, hop_size, every, filters, sizes, class_of, highest_hz, levels):  # type: ignore[no-untyped-def]
    """What `features.spectrum` asks of each harmonic.

    Args:
        rest: [F * hop_size], a take; of which the harmonics are taken.
        turn: [F * hop_size], complex: a turn of the fundamental's phase.
        f0_hz: [F], Hz.
        hop_size, every: samples per frame, and per sample of what is turned down; the second divides the first.
        filters, sizes: low-passes [C, longest], of so many taps each, an odd number.
        class_of: [F], which of them a frame takes.
        highest_hz: no harmonic above it is taken.
        levels: [H, 2, F], of cosine and sine, filled.
    """
    n_harmonics, n_frames = levels.shape[0], levels.shape[2]
    n_slow, stride = len(rest) // every, hop_size // every
    audio = rest.copy()
    real, imag = np.empty(len(rest), np.float32), np.empty(len(rest), np.float32)
    for t in range(len(rest)):
        real[t], imag[t] = turn[t].real, turn[t].imag
    ramp, fade = np.empty(every, np.float32), np.empty(hop_size, np.float32)
    for t in range(every):
        ramp[t] = np.float32(t) / np.float32(every * every)
    for t in range(hop_size):
        fade[t] = np.float32(t) / np.float32(hop_size)
    level_share = np.float32(1) / np.float32(every)
    slow_real, slow_imag = np.empty(n_slow, np.float32), np.empty(n_slow, np.float32)
    for number in range(1, n_harmonics + 1):
        # a triangle around every sample: what the piece before it rises to, and what its own falls from
        last_real = last_imag = np.float32(0)
        for piece in range(n_slow):
            rise_real = rise_imag = all_real = all_imag = np.float32(0)
            at = piece * every
            for t in range(every):
                x, y = audio[at + t] * real[at + t], audio[at + t] * imag[at + t]
                rise_real += x * ramp[t]
                rise_imag += y * ramp[t]
                all_real += x
                all_imag += y
            slow_real[piece] = all_real * level_share - rise_real + last_real
            slow_imag[piece] = all_imag * level_share - rise_imag + last_imag
            last_real, last_imag = rise_real, rise_imag
        level, any_level = levels[number - 1], False
        for frame in range(n_frames):
            cosine = sine = np.float32(0)
            if np.float32(number) * f0_hz[frame] < highest_hz:
                taps, size = filters[class_of[frame]], sizes[class_of[frame]]
                first = frame * stride - size // 2
                for k in range(max(0, -first), min(size, n_slow - first)):
                    cosine += taps[k] * slow_real[first + k]
                    sine += taps[k] * slow_imag[first + k]
            level[0, frame], level[1, frame] = 2 * cosine, 2 * sine
            any_level = any_level or cosine != 0 or sine != 0
        for frame in range(n_frames):
            after = min(frame + 1, n_frames - 1)
            cosine, sine = level[0, frame], level[1, frame]
            more_cosine, more_sine = level[0, after] - cosine, level[1, after] - sine
            at = frame * hop_size
            if any_level:
                for t in range(hop_size):
                    rest[at + t] -= ((cosine + more_cosine * fade[t]) * real[at + t]
                                     + (sine + more_sine * fade[t]) * imag[at + t])
            for t in range(hop_size):
                u, v = real[at + t], imag[at + t]
                c, d = turn[at + t].real, turn[at + t].imag
                real[at + t], imag[at + t] = u * c - v * d, u * d + v * c
