"""What the axes with names are read from, frame by frame: `model.typical.Typical` and `model.axes.find_onsets` in loops."""

from __future__ import annotations

from ddspvae.kernels.compiler import ready_made
from ddspvae.kernels.spectrum import onset_at, typical_at


@ready_made
def read_typical(f0_hz, loudness_db, middle, half_range, coefficients, grid, code, typical):  # type: ignore[no-untyped-def]
    """What attributes typically are.

    Args:
        f0_hz, loudness_db: [F].
        middle, half_range: [2]; coefficients: [1 + G, N, A]; code: [G].
        grid: [3], lowest pitch, step, number of hats.
        typical: [F, A], filled.
    """
    for frame in range(len(f0_hz)):
        typical_at(f0_hz[frame], loudness_db[frame], middle, half_range, coefficients, code, grid, typical[frame])


@ready_made
def read_onsets(curves, n_before, units, rise_db, step_semitones, onset):  # type: ignore[no-untyped-def]
    """How much of an onset every frame is.

    Args:
        curves: [n_before + F, 3], scaled.
        units: [2], dB and semitones per unit of the curves.
        rise_db, step_semitones: [2], of no onset, and of one.
        onset: [F], filled.
    """
    for frame in range(len(onset)):
        onset[frame] = onset_at(curves, n_before + frame, n_before, units[0], units[1], rise_db, step_semitones)
