"""Are pitch, loudness and timbre independent? Probes, disentanglement and swaps, in one set of figures and one table."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from ddspvae.audio import Audio
from ddspvae.evaluation.edits import N_DETAILS, SWEEP_S, Evaluable, most_played
from ddspvae.evaluation.independence.disentanglement import measure_disentanglement
from ddspvae.evaluation.independence.probes import N_SHUFFLES, number_blocks, probe
from ddspvae.evaluation.independence.swaps import (
    ATTRIBUTES,
    Effect,
    find_sure,
    find_sustained,
    hear_attributes,
    measure_swaps,
    summarize_axis,
)
from ddspvae.evaluation.metrics import other_tracker
from ddspvae.features.loudness import by_blocks
from ddspvae.features.timbre import timbre_frames
from ddspvae.model.form import leading_axes
from ddspvae.signals import Performance
from ddspvae.signals.checks import InputError, fail

PROBE_MARGIN = 0.05  # R^2 above the floor
OWN_SLOPE = 0.5  # standard deviations per unit of an axis
LEAK = 0.15
CENTS, DB = 3.0, 0.5
TRANSPOSED_CENTS = 5.0


class Take(Protocol):
    """A held-out recording and how it was played; `edits.Recording` is one."""

    @property
    def audio(self) -> Audio: ...

    @property
    def sample_rate(self) -> int: ...

    @property
    def performance(self) -> Performance: ...


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of z that sound and are surely pitched, over all takes.

    Args:
        z: [N, Z].
        heard: [N, C], the frames that the encoder heard, averaged over each row.
        curves: name to [N]: f0 (octaves), loudness (dB), brightness, breathiness, hollowness.
        blocks: [N], the stretch of music that each belongs to, -1 in gaps.
    """

    z: NDArray
    heard: NDArray
    curves: dict[str, NDArray]
    blocks: NDArray


@dataclass(frozen=True)
class Cell:
    """One figure of the table: what changed in the sound (column) when something was moved (row).

    Args:
        value: in the column's unit; NaN where nothing could be measured.
        limit: what it must keep below in size, or, of an axis's own attribute, reach; None where timbre rightly follows.
        is_own: whether this is what was moved. Of pitch and loudness the value is then what is missing to the asked.
        is_reached: None where there is no limit or no value.
    """

    value: float
    limit: float | None
    is_own: bool
    is_reached: bool | None


def measure_independence(instrument: Evaluable, recordings: Sequence[Take], *, tracker: str | None = None,
                         n_takes: int = 3, n_shuffles: int = N_SHUFFLES, seed: int = 0,
                         step: Callable[[str], None] | None = None, players: Sequence[Evaluable] = ()) -> dict[str, Any]:
    """Measure how far pitch, loudness and the axes of z leave each other alone.

    Args:
        instrument: a loaded `Instrument`; the deviations of its attributes are read from card["axes"], or, where that
            is missing, taken from the recordings.
        recordings: held out.
        tracker: to measure pitch with; None takes the one that the instrument was not trained with.
        n_takes: how many of the recordings, from the first on, are played with every swap: their 6 busiest seconds.
        n_shuffles: exchanges that the probes' floor is averaged over.
        seed: of the probes, the exchanges and the trees.
        step: called with a few words before each piece of work.
        players: of each recording, the instrument in its room; empty where it is the same for all.
    Returns:
        deviations, probes, disentanglement, swaps, axes, and left_out: part to the reason why it could not be measured.
        Plain values.
    Raises:
        InputError: no recording.
    """
    if not recordings:
        raise fail("measure_independence", "recordings", "hold at least one", 0)
    say = step or (lambda words: None)
    tracker = tracker or other_tracker(instrument.tracker)
    names = recordings[0].performance.axis_names
    left_out: dict[str, str] = {}
    figures: dict[str, Any] = {"deviations": {}, "probes": [], "disentanglement": {}, "swaps": [], "axes": [],
                               "left_out": left_out}
    say("independence: listening")
    rows = gather_rows(recordings)

    def attempt(part: str, measure: Callable[[], Any]) -> None:
        say(f"independence: {part}")
        try:
            figures[part] = measure()
        except InputError as error:
            left_out[part] = str(error)

    if names:
        targets = {name: rows.curves[name] for name in ("f0", "loudness")}
        attempt("probes", lambda: [{**asdict(score), "is_reached": bool(score.r2 - score.floor <= PROBE_MARGIN)}
                                   for score in probe(rows.z, rows.heard, targets, rows.blocks,
                                                         n_shuffles=n_shuffles, seed=seed)])
        leading = leading_axes(names, N_DETAILS)
        axes = {**{name: curve for name, curve in zip(names, rows.z.T, strict=True) if name in leading}, **targets}
        attempt("disentanglement", lambda: _plain(asdict(measure_disentanglement(axes, rows.curves, seed=seed))))
    attempt("deviations", lambda: read_deviations(instrument, recordings))
    if figures["deviations"]:
        excerpts = [most_played(take.performance, SWEEP_S) for take in recordings[:n_takes]]
        deviations = figures["deviations"]["of"]
        attempt("swaps", lambda: measure_swaps(list(players[:n_takes]) or instrument, excerpts, deviations, tracker, step))
        effects: list[Effect] = figures["swaps"]
        figures["axes"] = [_plain(asdict(summarize_axis(name, effects)))
                           for name in leading_axes(names, N_DETAILS) if effects]
        figures["swaps"] = [{**asdict(effect.edit), "cents": effect.cents, "bias_cents": effect.bias_cents, "db": effect.db,
                             "attributes": effect.attributes} for effect in effects]
    return figures


def read_deviations(instrument: Evaluable, takes: Sequence[Take]) -> dict[str, Any]:
    """The unit of each attribute's change: its standard deviation in the training set, or else in these takes.

    Returns:
        from: "training" or "recordings"; of: attribute to its deviation.
    Raises:
        InputError: neither is there: the card says nothing and no note of the takes sounds steadily.
    """
    axes: Mapping[str, Any] = getattr(instrument, "card", {}).get("axes") or {}
    if all(name in axes for name in ATTRIBUTES):
        return {"from": "training", "of": {name: float(axes[name]["sd"]) for name in ATTRIBUTES}}
    sustained, beginning = [], []
    for take in takes:
        heard = _attributes_of(take)
        steady, onsets = find_sustained(take.performance)
        sustained.append(heard[steady])
        beginning.append(heard[onsets, 1])
    values = [*np.concatenate(sustained).T, np.concatenate(beginning)]
    if not all(len(value) > 1 and value.std() > 1e-9 for value in values):
        raise fail("measure_independence", "recordings", "hold notes that sound for 0.2 s or more", "none")
    return {"from": "recordings", "of": {name: float(value.std()) for name, value in zip(ATTRIBUTES, values, strict=True)}}


def gather_rows(takes: Sequence[Take]) -> Rows:
    """Bring everything that was heard to the rows of z; keep those whose frames all sound and are surely pitched."""
    z, heard, curves, kept = [], [], [], []
    for take in takes:
        performance = take.performance
        hop_size = round(take.sample_rate / performance.frame_rate_hz)
        timbre = by_blocks(timbre_frames, torch.from_numpy(np.ascontiguousarray(take.audio))[None], take.sample_rate,
                           hop_size)[0].double().numpy()
        columns = np.column_stack([np.log2(performance.f0_hz), performance.loudness_db, _attributes_of(take)])
        z.append(performance.z)
        heard.append(_by_row(timbre[: performance.n_frames], performance))
        curves.append(_by_row(columns, performance))
        kept.append(_by_row(find_sure(performance)[:, None].astype(float), performance)[:, 0] == 1)
    first = takes[0].performance
    blocks = number_blocks([len(part) for part in z], first.frame_rate_hz / first.frames_per_z)
    mask = np.concatenate(kept)
    names = ("f0", "loudness", *ATTRIBUTES[:3])
    table = np.concatenate(curves)[mask]
    return Rows(np.concatenate(z)[mask].astype(float), np.concatenate(heard)[mask],
                dict(zip(names, table.T, strict=True)), blocks[mask])


def independence_table(figures: Mapping[str, Any]) -> list[tuple[str, list[Cell]]]:
    """What was moved, and what changed: pitch (cents), loudness (dB), and the attributes (standard deviations).

    Of pitch and loudness each cell is the change of largest size over the moves; of an axis, cents and dB likewise
    over all its steps, an attribute the change per unit: its own by least squares, the others at their worst step.

    Args:
        figures: of `measure_independence`, fresh or from metrics.json.
    Returns:
        a label and six cells per row: "pitch", "loudness", then the axes.
    """
    rows = []
    for label, kind in (("pitch", "transpose"), ("loudness", "loudness")):
        moves = [swap for swap in figures["swaps"] if swap["kind"] == kind]
        if not moves:
            continue
        is_pitch = kind == "transpose"
        cells = [_cell(_largest([move["cents"] for move in moves]), TRANSPOSED_CENTS if is_pitch else CENTS, is_pitch),
                 _cell(_largest([move["db"] for move in moves]), DB, not is_pitch)]
        cells += [_cell(_largest([move["attributes"][name] for move in moves]), None) for name in ATTRIBUTES]
        rows.append((label, cells))
    for axis in figures["axes"]:
        is_named = axis["axis"] in ATTRIBUTES
        cells = [_cell(axis["cents"], CENTS), _cell(axis["db"], DB)]
        for name in ATTRIBUTES:
            slope, leak = axis["slopes"][name], axis["leaks"][name]
            if name == axis["axis"]:
                reached = None if _is_missing(slope) else bool(slope >= OWN_SLOPE and axis["monotone"])
                cells.append(Cell(_number(slope), OWN_SLOPE, True, reached))
            else:
                sign = -1.0 if not _is_missing(slope) and slope < 0 else 1.0
                cells.append(_cell(None if _is_missing(leak) else sign * leak, LEAK if is_named else None))
        rows.append((axis["axis"], cells))
    return rows


def _cell(value: float | None, limit: float | None, is_own: bool = False) -> Cell:
    reached = None if limit is None or _is_missing(value) else bool(abs(_number(value)) <= limit)
    return Cell(_number(value), limit, is_own, reached)


def _is_missing(value: float | None) -> bool:
    return value is None or not math.isfinite(value)


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _largest(values: Sequence[float | None]) -> float:
    there = [_number(value) for value in values if not _is_missing(value)]
    return max(there, key=abs, default=math.nan)


def _attributes_of(take: Take) -> NDArray:
    hop_size = round(take.sample_rate / take.performance.frame_rate_hz)
    return hear_attributes(take.audio, take.sample_rate, hop_size, take.performance.f0_hz)


def _by_row(curve: NDArray, performance: Performance) -> NDArray:
    """Means [M, C] of a curve [F, C] over the frames of each row of z."""
    starts = np.arange(0, performance.n_frames, performance.frames_per_z)
    sizes = np.diff(np.append(starts, performance.n_frames))
    return np.add.reduceat(curve.astype(float), starts, axis=0) / sizes[:, None]


def _plain(value: Any) -> Any:
    """Arrays and tuples to lists, as JSON will have them."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return np.asarray(value).tolist() if isinstance(value, (np.ndarray, tuple, np.generic)) else value
