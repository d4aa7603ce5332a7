"""A change of sample rate: one phase of a low-pass for every sample that comes out."""

from __future__ import annotations

from ddspvae.kernels.compiler import ready_made_in_any_order


@ready_made_in_any_order
def filter_phases(padded, phases, up, down, start, out):  # type: ignore[no-untyped-def]
    """Read a signal between its samples, in double precision.

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
        total = 0.0
        for k in range(n_taps):
            total += taps[k] * heard[k]
        out[at] = total
