"""What the page is shown: lists of plain numbers and names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddspvae.features.statistics import Statistics
from ddspvae.instrument.mix import MIDDLE
from ddspvae.model.form import NAMED_AXES
from ddspvae.performer.controls import CONTROLS
from ddspvae.performer.measure import measure_controls
from ddspvae.signals import Performance
from ddspvae.signals.checks import check_range
from ddspvae.signals.units import hz_to_pitch
from ddspvae.studio.arrangement import Arrangement, Part, Players
from ddspvae.studio.canvas import Canvas
from ddspvae.studio.edits import played
from ddspvae.studio.project import Project
from ddspvae.studio.shaping import note_controls

MOST_POINTS = 4000  # of a curve at once, on any screen


def view(project: Project, now: Arrangement, canvases: Mapping[str, Canvas], gains_db: Mapping[str, float], players: Players,
         skipped: list[str], only: set[int] | None = None) -> dict[str, Any]:
    """A project: parts with their notes, takes, how many edits, and where their sounds are.

    Args:
        only: the parts that have changed, where the others are known; the view is partial then.
    """
    return {
        "name": project.folder.name, "duration_s": now.duration_s, "edits": project.n_done,
        "undone": len(project.edits) - project.n_done, "skipped": skipped, "partial": only is not None,
        "parts": [_part(part, canvases, gains_db, players(part.preset).statistics) for part in now.parts
                  if only is None or part.number in only],
        "takes": [{"number": take.number, "name": take.file, "preset": take.preset, "settings": dict(take.settings),
                   "has_sound": take.has_sound, "duration_s": played(take, players(take.preset)).duration_s,
                   "heard_s": take.heard.duration_s, "canvas": _where(canvases[f"take-{take.number}"])}
                  for take in now.takes]}


def _where(canvas: Canvas) -> dict[str, Any]:
    return {"file": canvas.path.name, "n_samples": len(canvas.audio), "n_tiles": len(canvas.ready), "tile": canvas.tile,
            "sample_rate": canvas.sample_rate}


def _part(part: Part, canvases: Mapping[str, Canvas], gains_db: Mapping[str, float], statistics: Statistics
          ) -> dict[str, Any]:
    rows = [{"id": name, "line": number, "pitch": round(note.pitch, 3), "velocity": note.velocity,
             "onset_s": round(note.onset_s, 4), "offset_s": round(note.offset_s, 4)}
            for number, line in enumerate(part.lines) for name, note in zip(line.ids, line.notes.notes)]
    return {"number": part.number, "name": part.written.name, "preset": part.preset, "performer": part.performer,
            "seed": part.seed, "expression": part.expression, "level_db": part.level_db, "pan": part.pan,
            "pans": [list(step) for step in part.pans()],
            "mute": part.mute, "solo": part.solo, "gain_db": gains_db.get(part.preset, 0.0), "n_lines": len(part.lines),
            "low": statistics.pitch_low, "high": statistics.pitch_high, "notes": rows,
            "canvas": _where(canvases[f"part-{part.number}"])}


def curves(now: Arrangement, players: Players, *, part: int | None = None, take: int | None = None, line: int = 0,
           from_s: float = 0.0, to_s: float = 1e9, points: int = 1000) -> dict[str, Any]:
    """The curves of a line or a take between two times, as they are played, and which spans of them are drawn by hand.

    Returns:
        time_s [N]; pitch [N], null where nothing sounds; loudness [N]; pan [N], 0 to 1; every axis with a name [N]; drawn,
        by curve a list of spans.
    """
    check_range("studio", "points", points, 2, MOST_POINTS)
    if take is None:
        one = now.parts[part or 0].lines[line]
        performance, drawn = one.final, one.drawn
    else:
        performance, drawn = played(now.takes[take], players(now.takes[take].preset)), now.takes[take].drawn
    rate_hz = performance.frame_rate_hz
    first = int(max(0.0, from_s) * rate_hz)
    last = int(min(performance.n_frames, max(to_s, from_s + 0.01) * rate_hz))
    step = max(1, (last - first) // points)
    at = np.arange(first, max(last, first + 1), step).clip(0, performance.n_frames - 1)
    sounds = performance.loudness_db[at] > -90
    pitch = hz_to_pitch(performance.f0_hz[at].astype(np.float64))
    axes = [name for name in performance.axis_names if name in NAMED_AXES]
    steps = now.parts[part or 0].pans() if take is None else ((0.0, MIDDLE),)
    held = np.searchsorted([time_s for time_s, _ in steps], at / rate_hz, side="right") - 1
    return {
        "time_s": _rounded(at / rate_hz, 4), "pitch": [round(float(p), 3) if s else None for p, s in zip(pitch, sounds)],
        "loudness": _rounded(np.maximum(performance.loudness_db[at], -90), 2),
        "pan": _rounded(np.array([value for _, value in steps])[np.maximum(held, 0)], 3),
        "periodicity": _rounded(performance.periodicity[at], 2),
        "axes": {name: _rounded(performance.z[at // performance.frames_per_z, performance.axis_names.index(name)], 3)
                 for name in axes},
        "drawn": {curve: spans_of(values, performance, curve) for curve, values in drawn.items()}}


def spans_of(values: NDArray, performance: Performance, curve: str) -> list[list[float]]:
    """Where a curve is drawn by hand: pairs of seconds."""
    rate_hz = performance.frame_rate_hz / (1 if curve in ("f0", "loudness") else performance.frames_per_z)
    known = np.concatenate([[False], ~np.isnan(values), [False]])
    return [[round(float(a) / rate_hz, 4), round(float(b) / rate_hz, 4)]
            for a, b in np.flatnonzero(np.diff(known)).reshape(-1, 2)]


def _rounded(values: NDArray, digits: int) -> list[float]:
    return [float(value) for value in np.round(np.asarray(values, dtype=np.float64), digits)]


def controls(now: Arrangement, players: Players, note: str) -> dict[str, float]:
    """The six controls of a note as it is played, from 0 to 1."""
    for part in now.parts:
        found = part.find(note)
        if found is not None:
            return note_controls(players(part.preset), part.lines[found[0]], found[1])
    return {}


def table(now: Arrangement, players: Players, part: int, line: int) -> list[dict[str, Any]]:
    """All notes of a line with their controls, a row each."""
    one, player = now.parts[part].lines[line], players(now.parts[part].preset)
    if not one.ids:
        return []
    scaled = measure_controls(one.final, one.notes).scaled(player.control_ranges)
    return [{"id": name, "onset_s": note.onset_s, "offset_s": note.offset_s, "pitch": note.pitch,
             "velocity": note.velocity, **{control: round(float(scaled[control][index]), 3) for control in CONTROLS}}
            for index, (name, note) in enumerate(zip(one.ids, one.notes.notes))]
