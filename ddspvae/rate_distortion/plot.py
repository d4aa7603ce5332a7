"""The picture of a rate-distortion curve, as SVG whose text stays text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ddspvae.evaluation.plots import BLUE, GREEN, GREY, ORANGE, check_drawing, new_figure
from ddspvae.rate_distortion.points import FREE, NONE, SIDE, Codec, Point, average
from ddspvae.signals.checks import InputError, fail
from ddspvae.signals.files import new_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

ROWS = (("spectral_distance", "spectral distance"), ("log_mel_db", "log-mel\ndistance, dB"),
        ("zimtohrli", "Zimtohrli, MOS\n(up is better)"))
LOWEST_BITS = 1.0  # a rate of nothing has no place on a logarithmic axis
SVG_STYLE: dict[Any, Any] = {"svg.fonttype": "none", "svg.hashsalt": "ddspvae", "font.family": "sans-serif"}


def plot_curve(points: Sequence[Point], codecs: Sequence[Codec], target: str | Path, *, title: str = "",
               background: str | None = "white") -> None:
    """Draw distortion against bit/s, and how much of the gap between no z and a free z each rate closes.

    Lines go through the means of the seeds, bars from the lowest to the highest (of Zimtohrli: from the lowest end of the
    seeds' intervals to the highest), small dots are single seeds. What was not measured has no panel. The dotted line
    counts the curves of pitch, loudness and periodicity as well: it is the one to compare codecs with.

    Args:
        points: measured, of at least one rate above 0.
        codecs: points of others, drawn with their names where their distortion is known.
        target: path that ends in .svg, .png or .pdf.
        background: a colour, or None for see-through.
    Raises:
        InputError: nothing to draw, matplotlib is not installed, or target cannot be written.
    """
    rows = [row for row in average(points) if row["bits_per_second"] >= LOWEST_BITS]
    rows.sort(key=lambda row: row["bits_per_second"])
    if not rows:
        raise fail("plot_curve", "points", "hold a measured rate above 0", len(points))
    none = next((row for row in average(points) if row["point"] == NONE), None)
    check_drawing()
    import matplotlib

    with matplotlib.rc_context(SVG_STYLE):
        measured = [(name, label) for name, label in ROWS if not np.isnan(_column(rows, name)).all()]
        figure, panels = new_figure(8.5, 2 + 2.8 * len(measured), [*(3.0 for _ in measured), 2.0], background)
        if title:
            figure.suptitle(title, color=GREY, fontsize=13, fontweight="bold", x=0.01, ha="left")
        side = sum(rows[0][name] for name in SIDE)
        for panel, (measure, label) in zip(panels, measured):
            _distortion(panel, points, rows, none, side, measure)
            _codecs(panel, codecs, measure)
            panel.set_ylabel(label)
            panel.margins(x=0.09, y=0.12)
            panel.set_ylim(bottom=0 if panel.get_ylim()[0] < 0 else None)
        _closed(panels[-1], rows)
        panels[0].legend(fontsize=9, frameon=False, labelcolor=GREY, loc="lower left", bbox_to_anchor=(0, 1), ncols=4)
        _label_rates(panels[-1])
        for panel in panels:
            panel.grid(color=GREY, alpha=0.25, linewidth=0.6)
            panel.yaxis.label.set_fontsize(10)
        try:
            with new_file(target) as part:
                figure.savefig(part, facecolor=figure.get_facecolor(),
                               metadata={"Date": None} if str(target).endswith(".svg") else None)
        except (OSError, ValueError) as error:
            raise InputError(f"plot: cannot write {target} ({error}); "
                             "does the folder exist, and is it .png, .svg or .pdf?") from error


def _distortion(panel: Axes, points: Sequence[Point], rows: Sequence[Mapping[str, Any]], none: Mapping[str, Any] | None,
                side: float, measure: str) -> None:
    """One measure against the rate."""
    bits, mean = _column(rows, "bits_per_second"), _column(rows, measure)
    if none is not None and not math.isnan(none[measure]):
        panel.axhspan(none[f"{measure}_low"], none[f"{measure}_high"], color=GREY, alpha=0.25, linewidth=0)
        panel.axhline(none[measure], color=GREY, linestyle="--", linewidth=1.2, label="no z")
    if side > 0:
        panel.plot(bits + side, mean, color=BLUE, linestyle=":", linewidth=1.4, label="z, pitch and loudness")
    _with_spread(panel, rows, measure, BLUE, "z alone")
    single = [point for point in points if point.bits_per_second >= LOWEST_BITS]
    panel.plot([point.bits_per_second for point in single], [getattr(point, measure) for point in single], "o", color=BLUE,
               alpha=0.4, markersize=3)
    for row in rows:
        if row["point"] == FREE:
            panel.annotate("free", (row["bits_per_second"], row[measure]), textcoords="offset points", xytext=(-8, -15),
                           color=BLUE, fontsize=9)


def _codecs(panel: Axes, codecs: Sequence[Codec], measure: str) -> None:
    known = [codec for codec in codecs if not math.isnan(getattr(codec, measure))]
    for codec in known:
        panel.annotate(codec.name, (codec.bits_per_second, getattr(codec, measure)), textcoords="offset points",
                       xytext=(6, 5), color=GREEN, fontsize=9)
    if known:
        panel.plot([codec.bits_per_second for codec in known], [getattr(codec, measure) for codec in known], "D",
                   color=GREEN, markersize=6, label="other codecs")


def _closed(panel: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    """Shares of the gap."""
    for measure, colour, label in (("closed", BLUE, "spectral"), ("log_mel_closed", ORANGE, "log-mel")):
        _with_spread(panel, rows, measure, colour, label)
    panel.axhline(0, color=GREY, linewidth=0.8)
    panel.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    panel.set(ylabel="gap closed,\nno z to free", xlabel="bit/s, held out")
    panel.legend(fontsize=9, frameon=False, labelcolor=GREY, loc="lower right")


def _with_spread(panel: Axes, rows: Sequence[Mapping[str, Any]], measure: str, colour: str, label: str) -> None:
    """The mean over seeds, with bars from the lowest to the highest."""
    mean = _column(rows, measure)
    below, above = mean - _column(rows, f"{measure}_low"), _column(rows, f"{measure}_high") - mean
    panel.errorbar(_column(rows, "bits_per_second"), mean, yerr=[below.clip(min=0), above.clip(min=0)], color=colour,
                   marker="o", markersize=5, linewidth=1.6, capsize=3, label=label)


def _label_rates(panel: Axes) -> None:
    """A logarithmic axis with whole numbers at 1, 2 and 5."""
    panel.set_xscale("log")
    low, high = panel.get_xlim()
    ticks = [digit * 10.0**power for power in range(7) for digit in (1, 2, 5)]
    panel.set_xticks([tick for tick in ticks if low <= tick <= high] or [low], minor=False)
    panel.set_xticks([], minor=True)
    panel.xaxis.set_major_formatter(lambda bits, _: f"{bits / 1000:g} k" if bits >= 1000 else f"{bits:g}")


def _column(rows: Sequence[Mapping[str, Any]], name: str) -> NDArray:
    return np.array([row[name] for row in rows], dtype=float)
