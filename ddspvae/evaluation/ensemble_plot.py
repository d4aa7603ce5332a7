"""The picture of many parts played together."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from ddspvae.evaluation.metrics import check_audio
from ddspvae.evaluation.plots import LEAP_OCTAVES, Target, draw_spectrogram, new_figure, save_figure
from ddspvae.features.segments import VOICED
from ddspvae.signals import Performance
from ddspvae.signals.checks import fail

QUIETEST_DB = -60.0
DISTINCT = "tab20"  # twenty colours in ten pairs


def plot_ensemble(audio: ArrayLike, sample_rate: int, parts: Mapping[str, Performance], target: Target, *,
                  background: str | None = "white") -> None:
    """Draw a mix: its spectrogram, and below it the pitch and the loudness of every part.

    Args:
        audio: [T], the mix.
        sample_rate: Hz.
        parts: how each was played, by name; pitch is drawn where periodicity is at least 0.5.
        target: path or binary file.
        background: a colour, or None for see-through.
    Raises:
        InputError: no parts, audio is not [T], matplotlib is not installed, or target cannot be written.
    """
    if not parts:
        raise fail("plot_ensemble", "parts", "hold at least one performance", 0)
    audio = check_audio("plot_ensemble", "audio", audio)
    figure, (spectrum, pitch, loudness) = new_figure(11, 8.5, [3, 3, 1.6], background)
    draw_spectrogram(spectrum, audio, sample_rate)
    import matplotlib

    colours = matplotlib.colormaps[DISTINCT](np.arange(20))
    for index, (name, part) in enumerate(parts.items()):
        colour = colours[(2 * index + index // 10) % 20]
        frames_s = np.arange(part.n_frames) / part.frame_rate_hz
        log2_f0 = np.log2(part.f0_hz)
        is_drawn = (part.periodicity >= VOICED) & (np.abs(np.diff(log2_f0, prepend=np.nan)) <= LEAP_OCTAVES)
        pitch.plot(frames_s, np.where(is_drawn, log2_f0, np.nan), color=colour, linewidth=2, label=name)
        heard = np.where(part.loudness_db > QUIETEST_DB, part.loudness_db, np.nan)
        loudness.plot(frames_s, heard, color=colour, linewidth=0.9)
    ticks_hz = np.array([50, 100, 200, 400, 800, 1600])
    pitch.set_yticks(np.log2(ticks_hz), [str(hz) for hz in ticks_hz])
    pitch.set(ylabel="pitch, Hz")
    legend = pitch.legend(loc="upper left", bbox_to_anchor=(1.005, 1.02), fontsize=8, frameon=False, borderaxespad=0)
    for text in legend.get_texts():
        text.set_color(pitch.yaxis.label.get_color())
    loudness.set(ylabel="loudness\ndB(A)", xlabel="seconds", xlim=(0, len(audio) / sample_rate))
    save_figure(figure, target)
