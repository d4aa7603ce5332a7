"""Pictures of takes and of training, for reports, cards and the README.

Each function draws one figure with matplotlib's object interface: no window, no global state.
`target` is a path or an open binary file; the ending of a path (.png, .svg, .pdf) picks the format.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from ddspvae.evaluation.metrics import check_audio
from ddspvae.features.loudness import centred_stft
from ddspvae.features.segments import VOICED
from ddspvae.model.form import leading_axes
from ddspvae.signals import Performance
from ddspvae.signals.checks import InputError, fail
from ddspvae.signals.files import new_file
from ddspvae.signals.units import amplitude_to_db, samples_to_frames

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ddspvae.evaluation.independence.report import Cell

Target = str | Path | BinaryIO

GREY = "#7d8590"  # reads on white and on black alike (4:1 and better)
INK = "#5b646e"  # for figures on colour
BLUE, ORANGE, GREEN = "#2f81f7", "#e8590c", "#2da44e"
LINES = (BLUE, ORANGE, GREEN, "#a475f9", "#d4a72c", "#e85aad", "#39c5cf", "#8c959f")
F0_LINE = "#54e3ff"  # bright on every colour of the spectrogram
LOW_HZ, HIGH_HZ = 60.0, 12_000.0
TICKS_HZ = (100, 200, 500, 1000, 2000, 5000, 10_000)
N_ROWS, N_COLUMNS = 320, 1000  # of the spectrogram picture
SPAN_DB = 80.0  # from the loudest point down to the darkest colour
MOST_DETAILS = 4  # drawn beside the axes with names
LEAP_OCTAVES = 0.04  # half a semitone in one frame is another note, not a glide: the line breaks there


def plot_performance(audio: ArrayLike, sample_rate: int, performance: Performance, target: Target,
                     *, title: str = "", background: str | None = "white", lost_s: Sequence[tuple[float, float]] = ()
                     ) -> None:
    """Draw a take: waveform, spectrogram with the pitch on it, loudness, and the timbre axes.

    Args:
        audio: [T], the sound that the performance was taken from, or that was rendered from it.
        sample_rate: Hz.
        performance: its curves; pitch is drawn where periodicity is at least 0.5.
        target: path or binary file.
        background: a colour, or None for see-through.
        lost_s: (from, to) of stretches where the pitch was not followed, which are shaded; see `features.lost`.
    """
    audio = check_audio("plot_performance", "audio", audio)
    figure, rows = new_figure(11, 8, [1, 4, 1.3, 1.7], background)
    wave, spectrum, loudness, timbre = rows
    duration_s = len(audio) / sample_rate
    if title:
        figure.suptitle(title, color=GREY, fontsize=13, fontweight="bold", x=0.01, ha="left")

    low, high, times_s = _envelope(audio, duration_s)
    wave.fill_between(times_s, low, high, color=BLUE, linewidth=0.4)
    peak = max(1e-6, float(np.abs(audio).max()))
    wave.set(ylim=(-1.05 * peak, 1.05 * peak), ylabel="waveform")
    wave.set_yticks([])

    draw_spectrogram(spectrum, audio, sample_rate)
    frames_s = np.arange(performance.n_frames) / performance.frame_rate_hz
    voiced_hz = np.where(performance.periodicity >= VOICED, performance.f0_hz, np.nan)
    new_note = np.abs(np.diff(np.log2(performance.f0_hz), prepend=np.nan)) > LEAP_OCTAVES
    spectrum.plot(frames_s, np.log2(np.where(new_note, np.nan, voiced_hz)), color=F0_LINE, linewidth=2, label="pitch")
    for at, (start_s, stop_s) in enumerate(lost_s):
        spectrum.axvspan(start_s, stop_s, color="white", alpha=0.3, linewidth=0, label="" if at else "not followed")
    spectrum.legend(loc="upper right", fontsize=8, labelcolor="white", facecolor="black", framealpha=0.4,
                    edgecolor="none")

    loudest_db = float(performance.loudness_db.max())
    loudness.plot(frames_s, performance.loudness_db, color=ORANGE, linewidth=1.2)
    loudness.set(ylim=(max(loudest_db - 65, float(performance.loudness_db.min()) - 2), loudest_db + 4),
                 ylabel="loudness\ndB(A)")

    rows_s = np.arange(len(performance.z)) * performance.frames_per_z / performance.frame_rate_hz
    leading = leading_axes(performance.axis_names, MOST_DETAILS)
    for index, name in enumerate(leading):
        column = performance.z[:, performance.axis_names.index(name)]
        timbre.step(rows_s, column, where="post", color=LINES[index % len(LINES)], linewidth=1.1, label=name,
                    linestyle=("-", "--", ":")[index // len(LINES) % 3])
    reach = max(2.0, 1.05 * float(np.abs(performance.z).max(initial=0.0)))
    timbre.set(ylim=(-reach, reach), ylabel="timbre axes\nstd. dev.", xlabel="seconds")
    if performance.axis_names:
        timbre.legend(loc="upper left", bbox_to_anchor=(1.005, 1.02), fontsize=8, frameon=False, labelcolor=GREY,
                      borderaxespad=0, ncols=1 + (len(leading) - 1) // 8)
    for row in rows:
        row.set_xlim(0, duration_s)
    save_figure(figure, target)


def plot_comparison(original: ArrayLike, resynthesis: ArrayLike, sample_rate: int, target: Target,
                    *, titles: tuple[str, str] = ("recording", "resynthesis"),
                    background: str | None = "white") -> None:
    """Draw two spectrograms above each other on one colour scale: what was played, what was made of it.

    Args:
        original, resynthesis: [T], at one sample rate.
        target: path or binary file.
    """
    signals = [check_audio("plot_comparison", "original", original),
               check_audio("plot_comparison", "resynthesis", resynthesis)]
    figure, rows = new_figure(11, 6, [1, 1], background)
    loudest = max(_log_spectrogram(audio, sample_rate).max() for audio in signals)
    for row, audio, title in zip(rows, signals, titles, strict=True):
        draw_spectrogram(row, audio, sample_rate, loudest)
        row.set_title(title, loc="left", color=GREY, fontsize=11, fontweight="bold")
        row.set_xlim(0, len(signals[0]) / sample_rate)
    rows[-1].set_xlabel("seconds")
    save_figure(figure, target)


def plot_training_curve(rows: Sequence[Mapping[str, float]], target: Target,
                        *, background: str | None = "white") -> None:
    """Draw validation loss and pitch error against minutes of training.

    Args:
        rows: one mapping per validation with minutes, validation_loss, pitch_median_cents
            (NaN, infinity or None where no pitch was heard).
        target: path or binary file.
    Raises:
        InputError: no rows, or a row without one of the three.
    """
    if not rows:
        raise fail("plot_training_curve", "rows", "hold at least one validation", 0, "train a little longer")
    names = ("minutes", "validation_loss", "pitch_median_cents")
    for index, row in enumerate(rows):
        if missing := [name for name in names if name not in row]:
            raise fail("plot_training_curve", f"row {index}", f"have {', '.join(names)}", f"no {', '.join(missing)}")
    minutes, loss, cents = (np.array([row[name] for row in rows], dtype=float) for name in names)
    cents[~np.isfinite(cents)] = np.nan
    figure, (above, below) = new_figure(9, 5, [1, 1], background)
    above.plot(minutes, loss, color=BLUE, marker="o", markersize=3, linewidth=1.4)
    above.set_ylabel("validation loss")
    below.plot(minutes, cents, color=ORANGE, marker="o", markersize=3, linewidth=1.4)
    below.set(ylabel="pitch error\nmedian, cents", xlabel="minutes of training")
    below.set_ylim(bottom=0)
    for axes in (above, below):
        axes.grid(color=GREY, alpha=0.25, linewidth=0.6)
    save_figure(figure, target)


def plot_independence(table: Sequence[tuple[str, Sequence[Cell]]], target: Target,
                      *, background: str | None = "white") -> None:
    """Draw what each move changed: blue where it should, from clear to orange where it should not.

    Full orange is twice the limit; figures that miss their limit are boxed. Fields without a limit stay clear. Of
    pitch and loudness moved, the blue fields say how far the sound is off what was asked.

    Args:
        table: of `independence.independence_table`.
        target: path or binary file.
    Raises:
        InputError: an empty table.
    """
    if not table:
        raise fail("plot_independence", "table", "hold at least one row", 0)
    figure, (axes,) = new_figure(9, 1.3 + 0.42 * len(table), [1], background)
    columns = ("pitch\ncents", "loudness\ndB", *(f"{name}\nstd. dev." for name in
                                                 ("brightness", "breathiness", "hollowness", "bite")))
    for row, (_, cells) in enumerate(table):
        for column, cell in enumerate(cells):
            is_missed = cell.is_reached is False
            excess = abs(cell.value) / (2 * cell.limit) if cell.limit and np.isfinite(cell.value) else 0.0
            fill = 0.55 if cell.is_own else 0.75 * min(1.0, excess)
            place = (column + 0.04, row + 0.06)
            axes.add_patch(_box(place, facecolor=BLUE if cell.is_own else ORANGE, alpha=fill, edgecolor="none"))
            axes.add_patch(_box(place, facecolor="none", linewidth=2.5 if is_missed else 0.5,
                                edgecolor=ORANGE if is_missed else GREY))
            axes.text(column + 0.5, row + 0.5, describe_cell(column, cell), ha="center", va="center", fontsize=10,
                      color=GREY if background is None else INK, fontweight="bold" if cell.is_own else "normal")
    axes.set(xlim=(0, len(columns)), ylim=(len(table), 0), ylabel="what was moved",
             xlabel="boxed: beyond 3 cents (transposed 5), 0.5 dB, 0.15 of a neighbour; or less than 0.5 of its own")
    axes.set_xticks(np.arange(len(columns)) + 0.5, columns)
    axes.set_yticks(np.arange(len(table)) + 0.5, [label for label, _ in table])
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    save_figure(figure, target)


def describe_cell(column: int, cell: Cell) -> str:
    """The figure of a field as it is printed; "off" where it is what is missing to the asked pitch or loudness."""
    if np.isnan(cell.value):
        return "–"
    value = round(cell.value, 1 if column == 0 else 2) + 0.0  # no "-0.00"
    return f"{value:.{1 if column == 0 else 2}f}{' off' if cell.is_own and column < 2 else ''}"


def _box(place: tuple[float, float], **style: Any) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle(place, 0.92, 0.88, **style)


def new_figure(width: float, height: float, ratios: Sequence[float], background: str | None) -> tuple[Figure, list[Axes]]:
    """A figure with one axes per ratio above each other, sharing the time axis."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise InputError("plot: matplotlib is not installed; pip install 'ddspvae[plot]'.") from error
    figure = Figure(figsize=(width, height), dpi=110, layout="constrained",
                    facecolor="none" if background is None else background)
    grid = figure.subplots(len(ratios), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": list(ratios)})
    rows = list(grid[:, 0])
    for row in rows:
        row.set_facecolor("none")
        row.tick_params(colors=GREY, labelsize=9, length=3)
        row.xaxis.label.set_color(GREY)
        row.yaxis.label.set(color=GREY, fontsize=9)
        for name, spine in row.spines.items():
            spine.set(color=GREY, alpha=0.6, visible=name in ("left", "bottom"))
    return figure, rows


def check_drawing() -> None:
    """Raise InputError if matplotlib is missing: better before the work than after."""
    new_figure(1, 1, [1], None)


def save_figure(figure: Figure, target: Target) -> None:
    """Write a figure, the same bytes each time."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    options: dict[str, Any] = {"facecolor": figure.get_facecolor()}
    if not isinstance(target, (str, Path)):
        options["format"] = "png"
    if not isinstance(target, (str, Path)) or str(target).lower().endswith(".png"):
        options["metadata"] = {"Software": None}  # the same picture is the same bytes under any matplotlib
    try:
        if isinstance(target, (str, Path)):
            with new_file(target) as part:
                figure.savefig(part, **options)
        else:
            figure.savefig(target, **options)
    except (OSError, ValueError) as error:
        raise InputError(f"plot: cannot write {target} ({error}); "
                         "does the folder exist, and is it .png, .svg or .pdf?") from error


def _envelope(audio: NDArray, duration_s: float) -> tuple[NDArray, NDArray, NDArray]:
    """Lowest and highest sample of each picture column, and the columns' times."""
    edges = np.linspace(0, len(audio), min(len(audio), N_COLUMNS) + 1).astype(int)[:-1]
    times_s = np.linspace(0, duration_s, len(edges))
    return np.minimum.reduceat(audio, edges), np.maximum.reduceat(audio, edges), times_s


def _log_spectrogram(audio: NDArray, sample_rate: int) -> NDArray:
    """Levels in dB, [N_ROWS, frames], rows evenly spread in log frequency from LOW_HZ to HIGH_HZ."""
    n_fft = 2 ** int(np.log2(0.1 * sample_rate))  # 85 ms at 48 kHz: parts the harmonics of a low violin
    hop_size = max(1, len(audio) // N_COLUMNS, n_fft // 32)
    magnitude = centred_stft(torch.from_numpy(audio)[None], n_fft, hop_size)[0].abs().numpy() / (n_fft / 4)
    rows_hz = np.geomspace(LOW_HZ, HIGH_HZ, N_ROWS)
    position = np.clip(rows_hz / sample_rate * n_fft, 0, n_fft // 2 - 1)
    below = position.astype(int).clip(max=n_fft // 2 - 1)
    share = position - below
    read = magnitude[:, below] * (1 - share) + magnitude[:, below + 1] * share
    # several bins fall on one row up high: show the loudest, or harmonics flicker
    width = np.gradient(position)
    for row in np.flatnonzero(width > 1):
        first = max(0, int(position[row] - width[row] / 2))
        read[:, row] = magnitude[:, first : int(position[row] + width[row] / 2) + 1].max(1)
    read[:, rows_hz >= sample_rate / 2] = 0.0
    assert magnitude.shape[0] == samples_to_frames(len(audio), hop_size)
    return amplitude_to_db(read.T)


def draw_spectrogram(row: Axes, audio: NDArray, sample_rate: int, loudest_db: float | None = None) -> None:
    """Draw a spectrogram over log frequency, down from the loudest point or from another one's, dB."""
    picture = _log_spectrogram(audio, sample_rate)
    loudest_db = float(picture.max()) if loudest_db is None else loudest_db
    row.imshow(picture, origin="lower", aspect="auto", cmap="magma", interpolation="bilinear",
               extent=(0, len(audio) / sample_rate, np.log2(LOW_HZ), np.log2(HIGH_HZ)),
               vmin=loudest_db - SPAN_DB, vmax=loudest_db)
    row.set_yticks(np.log2(TICKS_HZ), [f"{hz // 1000} k" if hz >= 1000 else str(hz) for hz in TICKS_HZ])
    row.set(ylabel="Hz", ylim=(np.log2(LOW_HZ), np.log2(HIGH_HZ)))
