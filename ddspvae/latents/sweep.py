"""One axis of z from one end to the other, as a sound and as a picture."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from ddspvae.evaluation.metrics import check_audio
from ddspvae.evaluation.plots import GREY, Target, draw_spectrogram, new_figure, save_figure
from ddspvae.signals import Performance
from ddspvae.signals.checks import check_choice, check_range
from ddspvae.signals.units import DB_FLOOR

FADE_S = 0.03  # of a piece into the rest after it, where it was cut off


@dataclass(frozen=True, eq=False)
class Sweep:
    """A take played several times, one axis a step further each time.

    Args:
        performance: the pieces one after the other, with rests between.
        axis: the name of the axis.
        values: what was added to it in each piece, in its own unit (standard deviations).
        spans_s: (start, end) of each piece, in seconds.
    """

    performance: Performance
    axis: str
    values: tuple[float, ...]
    spans_s: tuple[tuple[float, float], ...]


def sweep(take: Performance, axis: str, *, reach: float = 2.0, steps: int = 5, rest_s: float = 0.25) -> Sweep:
    """Play a take again and again, with an axis moved from -reach to +reach in equal steps.

    Args:
        take: a note or more.
        axis: one of the take's axis_names.
        reach: standard deviations.
        steps: pieces; an odd number has the take as it is in the middle.
        rest_s: seconds of silence between the pieces.
    Raises:
        InputError: unknown axis, or a number out of range.
    """
    check_choice("sweep", "axis", axis, take.axis_names)
    check_range("sweep", "reach", reach, 0.01, 10)
    check_range("sweep", "steps", steps, 2, 101)
    check_range("sweep", "rest_s", rest_s, 0.05, 10)
    values = tuple(float(value) for value in np.linspace(-reach, reach, steps).round(6))
    pieces = [take.offset_z({axis: value}) for value in values]
    parts, spans_s, n_frames = [], [], 0
    for index, piece in enumerate(pieces):
        parts.append(piece)
        spans_s.append((n_frames / take.frame_rate_hz, (n_frames + piece.n_frames) / take.frame_rate_hz))
        if index + 1 < steps:
            parts.append(_rest(piece, pieces[index + 1], rest_s))
            n_rows = len(piece.z) + len(parts[-1].z)  # a piece is held to the end of its last row
            n_frames += n_rows * take.frames_per_z
    return Sweep(Performance.concatenate(parts), axis, values, tuple(spans_s))


def plot_sweep(audio: ArrayLike, sample_rate: int, swept: Sweep, target: Target, *,
               background: str | None = "white") -> None:
    """Draw the spectrogram of a sweep, with the value of the axis under each piece.

    Args:
        audio: [T], rendered from swept.performance.
        sample_rate: Hz.
        swept: what was played.
        target: path or open binary file.
        background: a colour, or None for see-through.
    """
    audio = check_audio("plot_sweep", "audio", audio)
    figure, (spectrum,) = new_figure(11, 4.2, [1], background)
    draw_spectrogram(spectrum, audio, sample_rate)
    spectrum.set_xlim(0, len(audio) / sample_rate)
    middles_s = [(start + end) / 2 for start, end in swept.spans_s]
    spectrum.set_xticks(middles_s, [f"{value:+.3g}" if value else "0" for value in swept.values])
    spectrum.set_xlabel(f"{swept.axis}, standard deviations from the take", color=GREY)
    save_figure(figure, target)


def _rest(before: Performance, after: Performance, rest_s: float) -> Performance:
    """Silence of whole rows of z that fades out as one piece and wakes as the next."""
    step = before.frames_per_z
    n_rows = max(2, round(rest_s * before.frame_rate_hz / step))
    n_frames, half = n_rows * step, n_rows // 2
    first, second = half * step, n_frames - half * step
    n_fade = min(first, max(1, round(FADE_S * before.frame_rate_hz)))
    loudness_db = np.full(n_frames, float(DB_FLOOR))
    loudness_db[:n_fade] = np.linspace(before.loudness_db[-1], min(DB_FLOOR, before.loudness_db[-1]), n_fade + 1)[1:]
    return replace(before, f0_hz=np.repeat([before.f0_hz[-1], after.f0_hz[0]], [first, second]),
                   periodicity=np.zeros(n_frames), loudness_db=loudness_db,
                   z=np.repeat([before.z[-1], after.z[0]], [half, n_rows - half], axis=0))
