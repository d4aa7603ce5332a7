"""What a person changes: each edit is a small dictionary, kept in project.json, and a new arrangement."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ddspvae.editing.given_curves import RANGES
from ddspvae.editing.transfer import check_transfer_options, transfer
from ddspvae.signals import Note, Performance
from ddspvae.signals.checks import InputError, check_choice, check_range, fail
from ddspvae.signals.units import pitch_to_hz
from ddspvae.studio.arrangement import Arrangement, Line, Part, Players, Take, perform_part, with_drawn
from ddspvae.studio.project import Project
from ddspvae.studio.shaping import replay, shape_note

if TYPE_CHECKING:
    from ddspvae.instrument.instrument import Instrument

Edit = Mapping[str, Any]
DESK = {"level_db": (-60.0, 12.0), "pan": (0.0, 1.0)}
TAKE_RANGES = {"transpose": (-60, 60), "loudness": (-60, 60), "vibrato": (0, 10), "stretch": (0.05, 20), "autotune": (0, 1)}
MOST_POINTS = 100_000  # of a stroke
REST_S = 3.0  # after the last note of a score that grows


def apply(arrangement: Arrangement, edit: Edit, players: Players) -> Arrangement:
    """The arrangement after one edit.

    Raises:
        InputError: an edit that cannot be; nothing has changed then.
    """
    kind = edit.get("do")
    check_choice("studio", "edit", str(kind), APPLIED)
    try:
        return APPLIED[str(kind)](arrangement, edit, players)
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise InputError(f"studio: the edit {kind} lacks something, or holds what it may not ({error}).") from error


def arrangement_of(project: Project, players: Players) -> tuple[Arrangement, list[str]]:
    """What a project amounts to, and sentences about edits that no longer can be."""
    return apply_all(Arrangement.opened(project, players), project.done, players)


def apply_all(arrangement: Arrangement, edits: Sequence[Edit], players: Players) -> tuple[Arrangement, list[str]]:
    """All edits in order; one that cannot be, because an instrument has gone, say, is left out and named."""
    skipped = []
    for number, edit in enumerate(edits):
        try:
            arrangement = apply(arrangement, edit, players)
        except InputError as error:
            skipped.append(f"edit {number + 1} is left out: {error}")
    return arrangement, skipped


def audible(parts: Sequence[Part]) -> list[Part]:
    """The parts that are heard: those on solo if there are any, else those that are not mute."""
    return [part for part in parts if part.solo] or [part for part in parts if not part.mute]


def _part(arrangement: Arrangement, edit: Edit) -> Part:
    number = edit["part"]
    if not isinstance(number, int) or not 0 <= number < len(arrangement.parts):
        raise fail("studio", "part", f"be one of the {len(arrangement.parts)} there are", number)
    return arrangement.parts[number]


def _take(arrangement: Arrangement, edit: Edit) -> Take:
    number = edit["take"]
    if not isinstance(number, int) or not 0 <= number < len(arrangement.takes):
        raise fail("studio", "take", f"be one of the {len(arrangement.takes)} there are", number)
    return arrangement.takes[number]


def _of_note(arrangement: Arrangement, edit: Edit) -> tuple[Part, int, int]:
    for part in arrangement.parts:
        found = part.find(str(edit["note"]))
        if found is not None:
            return part, *found
    raise fail("studio", "note", "be one that is there", f"'{edit['note']}'")


def _change_note(arrangement: Arrangement, edit: Edit, players: Players) -> Arrangement:
    part, number, index = _of_note(arrangement, edit)
    line = part.lines[number]
    old = line.notes.notes[index]
    new = replace(old, **{name: edit[name] for name in ("pitch", "velocity", "onset_s", "offset_s") if name in edit})
    if {"pitch", "onset_s"} & set(edit):
        new = replace(new, bend_semitones=(), pressure=(), brightness=()) if new.onset_s != old.onset_s else new
        new = replace(new, glide_from=None, glide_s=0.0)
    return _renoted(arrangement, part, number, players, without=index, new=(line.ids[index], new),
                    changed_s=(min(old.onset_s, new.onset_s), max(old.offset_s, new.offset_s)))


def _add_note(arrangement: Arrangement, edit: Edit, players: Players) -> Arrangement:
    part = _part(arrangement, edit)
    new = Note(edit["pitch"], edit.get("velocity", 80), edit["onset_s"], edit["offset_s"])
    name = str(edit["note"])
    if part.find(name) is not None:
        raise fail("studio", "note", "be a new one", f"'{name}'")
    free = [all(note.offset_s <= new.onset_s or note.onset_s >= new.offset_s for note in line.notes.notes)
            for line in part.lines]
    number = free.index(True) if any(free) else 0
    return _renoted(arrangement, part, number, players, new=(name, new), changed_s=(new.onset_s, new.offset_s))


def _remove_note(arrangement: Arrangement, edit: Edit, players: Players) -> Arrangement:
    part, number, index = _of_note(arrangement, edit)
    old = part.lines[number].notes.notes[index]
    return _renoted(arrangement, part, number, players, without=index, changed_s=(old.onset_s, old.offset_s))


def _renoted(arrangement: Arrangement, part: Part, number: int, players: Players, *, changed_s: tuple[float, float],
             without: int | None = None, new: tuple[str, Note] | None = None) -> Arrangement:
    line = part.lines[number]
    kept = [pair for at, pair in enumerate(zip(line.ids, line.notes.notes)) if at != without]
    kept = sorted(kept + ([new] if new else []), key=lambda pair: pair[1].onset_s)
    notes = replace(line.notes, notes=tuple(note for _, note in kept))
    line = replace(line, ids=tuple(name for name, _ in kept), notes=notes)
    score_s = max(arrangement.duration_s, line.notes.duration_s)
    return _with_line(arrangement, part, number, replay(players(part.preset), part, number, line, changed_s, score_s))


def _with_line(arrangement: Arrangement, part: Part, number: int, line: Line) -> Arrangement:
    return arrangement.with_part(replace(part, lines=(*part.lines[:number], line, *part.lines[number + 1 :])))


def _ask_controls(arrangement: Arrangement, edit: Edit, players: Players) -> Arrangement:
    part, number, index = _of_note(arrangement, edit)
    line = part.lines[number]
    values = {str(name): float(value) for name, value in edit["values"].items()}
    name = line.ids[index]
    line = replace(line, asked={**line.asked, name: {**line.asked.get(name, {}), **values}})
    return _with_line(arrangement, part, number, shape_note(players(part.preset), line, index, values))


def _draw(arrangement: Arrangement, edit: Edit, players: Players) -> Arrangement:
    if "take" in edit:
        take = _take(arrangement, edit)
        base = settled(take, players(take.preset))
        return arrangement.with_take(replace(take, drawn=_drawn_on(base, take.drawn, edit)))
    part, number = _part(arrangement, edit), edit.get("line", 0)
    line = part.lines[number]
    return _with_line(arrangement, part, number, replace(line, drawn=_drawn_on(line.base, line.drawn, edit)))


def _drawn_on(base: Performance, drawn: Mapping[str, NDArray[np.float64]], edit: Edit) -> dict[str, NDArray[np.float64]]:
    """What was drawn before, and a stroke over it: points in time, straight from one to the next; or, erased, open again."""
    curve = str(edit["curve"])
    own = curve in ("f0", "loudness")
    check_choice("studio", "curve", curve, ("f0", "loudness", *base.axis_names))
    n_points = base.n_frames if own else len(base.z)
    rate_hz = base.frame_rate_hz / (1 if own else base.frames_per_z)
    before = drawn.get(curve, np.zeros(0))[:n_points]
    known = np.concatenate([before, np.full(n_points - len(before), np.nan)])
    time_s = np.asarray(edit["time_s"], dtype=np.float64)
    in_order = time_s.ndim == 1 and np.isfinite(time_s).all() and (np.diff(time_s) >= 0).all()
    if not in_order or not 2 <= len(time_s) <= MOST_POINTS:
        raise fail("studio", "time_s", "be two numbers or more that do not decrease", "others")
    at_s = np.arange(n_points) / rate_hz
    inside = (at_s >= time_s[0] - 0.5 / rate_hz) & (at_s <= time_s[-1] + 0.5 / rate_hz)
    if edit.get("erase"):
        known[inside] = np.nan
    else:
        values = np.asarray(edit["values"], dtype=np.float64)
        if values.shape != time_s.shape or not np.isfinite(values).all():
            raise fail("studio", "values", "be as many numbers as times", "others")
        low, high = RANGES.get(curve, (-10.0, 10.0))
        heights = pitch_to_hz(values) if curve == "f0" else values
        check_range("studio", curve, float(heights.min()), low, high)
        check_range("studio", curve, float(heights.max()), low, high)
        known[inside] = np.interp(at_s[inside], time_s, values)
    return {**drawn, curve: known}


def _set_part(arrangement: Arrangement, edit: Edit, players: Players) -> Arrangement:
    part, values = _part(arrangement, edit), dict(edit["values"])
    for name, value in values.items():
        check_choice("studio", "setting", name, (*DESK, "mute", "solo", "preset", "performer", "seed", "expression"))
        if name in DESK:
            check_range("studio", name, value, *DESK[name])
    if "expression" in values:
        check_range("studio", "expression", values["expression"], 0, 2)
    changed = replace(part, **values)
    if not {"preset", "performer", "seed", "expression"} & set(values):
        return arrangement.with_part(changed)
    player = players(changed.preset)
    if changed.performer is not None:
        check_choice("studio", "performer", changed.performer, ("learned", "rules"))
    changed = perform_part(changed, player, arrangement.duration_s)
    return arrangement.with_part(replace(changed, lines=tuple(_shaped(player, line) for line in changed.lines)))


def _shaped(player: Instrument, line: Line) -> Line:
    for index, name in enumerate(line.ids):
        if name in line.asked:
            line = shape_note(player, line, index, line.asked[name])
    return line


def _set_take(arrangement: Arrangement, edit: Edit, players: Players) -> Arrangement:
    take, values = _take(arrangement, edit), dict(edit["values"])
    preset = values.pop("preset", take.preset)
    player = players(preset)
    for name, value in values.items():
        check_choice("studio", "setting", name, (*TAKE_RANGES, "scale", "fit", "threshold", *player.axis_names))
        if name in TAKE_RANGES:
            check_range("studio", name, value, *TAKE_RANGES[name])
    changed = replace(take, preset=preset, settings={**take.settings, **values})
    settled(changed, player)  # raises for what cannot be
    return arrangement.with_take(changed)


def settled(take: Take, player: Instrument) -> Performance:
    """A take with its settings, as `ddspvae edit` makes it, before anything is drawn on it."""
    asked = {"transpose": 0.0, "loudness": 0.0, "vibrato": 1.0, "stretch": 1.0, "autotune": 0.0, "scale": "chromatic",
             "fit": False, "threshold": None, **take.settings}
    if not asked["autotune"]:
        asked["scale"] = "chromatic"
    args = Namespace(verb="edit", **{name: asked[name] for name in ("threshold", "autotune", "scale", "fit")})
    check_transfer_options(args)
    performance, _ = transfer(player.adapt(take.heard), player.statistics, args)
    offsets = {name: value for name, value in asked.items() if name in player.axis_names and value}
    performance = performance.scale_vibrato(asked["vibrato"]) if asked["vibrato"] != 1.0 else performance
    performance = performance.transpose(asked["transpose"]) if asked["transpose"] else performance
    performance = performance.change_loudness(asked["loudness"]) if asked["loudness"] else performance
    performance = performance.offset_z(offsets) if offsets else performance
    return performance.stretch(asked["stretch"]) if asked["stretch"] != 1.0 else performance


def played(take: Take, player: Instrument) -> Performance:
    """What is played of a take: settled, and with what is drawn on it."""
    return with_drawn(settled(take, player), take.drawn)


APPLIED: Mapping[str, Callable[[Arrangement, Edit, Players], Arrangement]] = {
    "note": _change_note, "add": _add_note, "remove": _remove_note, "controls": _ask_controls, "draw": _draw,
    "part": _set_part, "take": _set_take,
}
