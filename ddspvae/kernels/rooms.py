"""A room for sounds that nobody waits for: thirty-two partitions at once, two in each lane of a transform."""

from __future__ import annotations

from ddspvae.kernels.compiler import compiled_in_place, ready_made
from ddspvae.kernels.lanes import LANES, transform

AT_ONCE = 2 * LANES  # partitions
TAPS = 4  # partitions of the response that are summed in one go; it has a whole number of these


@ready_made
def hear(sound, re, im, other_re, other_im, turns, past_re, past_im):  # type: ignore[no-untyped-def]
    """The spectra of the next partitions, after those that are remembered.

    Args:
        sound: [(AT_ONCE + 1) * P], the partition before, and these.
        re, im, other_re, other_im: [2 P * LANES] each, to work in.
        turns: for 2 P samples.
        past_re, past_im: [P + 1, J + AT_ONCE], of each bin what was heard, the oldest first; moved on.
    """
    size = len(sound) // (AT_ONCE + 1)
    n_kept = past_re.shape[1] - AT_ONCE
    for begin in range(0, 2 * size, LANES):  # squares that stay in the cache while they are turned
        for lane in range(LANES):
            at = lane * size + begin
            first, second = sound[at : at + LANES], sound[at + LANES * size : at + LANES * size + LANES]
            to_re, to_im = re[begin * LANES + lane :], im[begin * LANES + lane :]
            for t in range(LANES):
                to_re[t * LANES], to_im[t * LANES] = first[t], second[t]
    transform(re, im, other_re, other_im, turns)
    for f in range(size + 1):
        row_re, row_im = past_re[f], past_im[f]
        for j in range(n_kept):
            row_re[j], row_im[j] = row_re[j + AT_ONCE], row_im[j + AT_ONCE]
        here, there = f * LANES, (2 * size - f if f else 0) * LANES
        x_re, x_im, y_re, y_im = (other_re[here : here + LANES], other_im[here : here + LANES],
                                  other_re[there : there + LANES], other_im[there : there + LANES])
        to_re, to_im = row_re[n_kept : n_kept + AT_ONCE], row_im[n_kept : n_kept + AT_ONCE]
        for lane in range(LANES):
            to_re[lane], to_im[lane] = x_re[lane] + y_re[lane], x_im[lane] - y_im[lane]
            to_re[lane + LANES], to_im[lane + LANES] = x_im[lane] + y_im[lane], y_re[lane] - x_re[lane]


@ready_made
def answer(past_re, past_im, taps_re, taps_im, total_re, total_im, re, im, other_re, other_im, turns, wet):  # type: ignore[no-untyped-def]
    """What one channel of a room makes of the newest partitions that it has heard.

    Args:
        past_re, past_im: [P + 1, J + AT_ONCE], see `hear`.
        taps_re, taps_im: [P + 1, J], spectra of the response's partitions over 4 P, the first one first.
        total_re, total_im: [AT_ONCE], to work in.
        re, im, other_re, other_im, turns: as of `hear`.
        wet: [AT_ONCE * P], filled.
    """
    size, n_taps = past_re.shape[0] - 1, taps_re.shape[1]
    newest = past_re.shape[1] - AT_ONCE
    for f in range(size + 1):
        total_re[:] = 0
        total_im[:] = 0
        for j in range(0, n_taps, TAPS):
            _sum(past_re[f, newest - j - TAPS + 1 : newest - j + AT_ONCE], past_im[f, newest - j - TAPS + 1 :
                 newest - j + AT_ONCE], taps_re[f, j : j + TAPS], taps_im[f, j : j + TAPS], total_re, total_im)
        here, there = f * LANES, (2 * size - f if f else 0) * LANES
        x_re, x_im, y_re, y_im = (re[here : here + LANES], im[here : here + LANES], re[there : there + LANES],
                                  im[there : there + LANES])
        for lane in range(LANES):  # two spectra of real sounds as one
            x_re[lane], x_im[lane] = total_re[lane] - total_im[lane + LANES], total_im[lane] + total_re[lane + LANES]
            y_re[lane], y_im[lane] = total_re[lane] + total_im[lane + LANES], total_re[lane + LANES] - total_im[lane]
    transform(im, re, other_im, other_re, turns)
    for begin in range(0, size, LANES):
        for lane in range(LANES):
            at, row = lane * size + begin, (size + begin) * LANES + lane
            first, second = wet[at : at + LANES], wet[at + LANES * size : at + LANES * size + LANES]
            from_re, from_im = other_re[row:], other_im[row:]
            for t in range(LANES):
                first[t], second[t] = from_re[t * LANES], from_im[t * LANES]


@compiled_in_place
def _sum(x_re, x_im, h_re, h_im, total_re, total_im):  # type: ignore[no-untyped-def]
    """Add what four partitions of the response make of what was heard, which begins three partitions before."""
    a, b, c, d = h_re
    p, q, r, s = h_im
    for m in range(AT_ONCE):
        x0, x1, x2, x3 = x_re[m + 3], x_re[m + 2], x_re[m + 1], x_re[m]
        y0, y1, y2, y3 = x_im[m + 3], x_im[m + 2], x_im[m + 1], x_im[m]
        total_re[m] += a * x0 - p * y0 + b * x1 - q * y1 + c * x2 - r * y2 + d * x3 - s * y3
        total_im[m] += a * y0 + p * x0 + b * y1 + q * x1 + c * y2 + r * x2 + d * y3 + s * x3
