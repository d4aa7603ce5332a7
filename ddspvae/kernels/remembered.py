"""What remembered notes have in common, row by row; `performer.learned` has the twin in numpy."""

from __future__ import annotations

import math

from ddspvae.kernels.compiler import ready_made


@ready_made
def mean_of_notes(rows, first, n_rows, heard_s, weight, time_s, length_s, row_rate_hz, head_s, tail_s, seam_s, found):  # type: ignore[no-untyped-def]
    """The weighted mean of K notes, each read where `performer.learned.stretch` says.

    Args:
        rows: [M, Z] of all notes; first, n_rows: [K], which of them are a note's.
        heard_s: [K], how long each lasted; weight: [K].
        time_s: [R], since the onset of the note that is played; length_s: of that note.
        row_rate_hz: rows a second.
        head_s, tail_s, seam_s: at most, of what is left as it is, and of the fade between.
        found: [R, Z], zeros at first; filled.
    """
    n_columns = found.shape[1]
    for k in range(len(first)):
        heard, last = heard_s[k], n_rows[k] - 1
        tail = min(tail_s, 0.4 * heard, 0.4 * length_s)
        begin = min(head_s, 0.4 * heard)
        span = max(heard - tail - begin, 1e-3)
        for r in range(len(time_s)):
            time = time_s[r]
            head = time
            if length_s > heard and time >= begin:  # to and fro in the middle
                beyond = (time - begin) - 2 * span * math.floor((time - begin) / (2 * span))
                head = begin + min(beyond, 2 * span - beyond)
            fade = min(max((time - (length_s - tail - seam_s)) / seam_s, 0.0), 1.0)
            for side in range(2):
                share = weight[k] * (fade if side else 1 - fade)
                if share == 0:
                    continue
                at = heard - (length_s - time) if side else head
                place = min(max(min(max(at, 0.0), heard) * row_rate_hz, 0.0), float(last))
                left = min(int(place), max(last - 1, 0))
                right = min(left + 1, last)
                more = place - left
                for c in range(n_columns):
                    found[r, c] += share * ((1 - more) * rows[first[k] + left, c] + more * rows[first[k] + right, c])
