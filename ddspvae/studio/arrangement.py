"""What a project amounts to: parts and takes as performances, after all edits so far. Nothing here changes in place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ddspvae.editing.given_curves import Given
from ddspvae.editing.inpainting import fill
from ddspvae.editing.note_table import read_table
from ddspvae.editing.play_table import play_table
from ddspvae.instrument.mix import MIDDLE
from ddspvae.instrument.presets import read_cards
from ddspvae.midi.programs import choose_preset
from ddspvae.midi.voices import MOST_VOICES, seed_of, to_voices
from ddspvae.scores.read import read_score
from ddspvae.signals import Notes, Performance, Steps
from ddspvae.signals.units import pitch_to_hz
from ddspvae.studio.project import Project

if TYPE_CHECKING:
    from ddspvae.instrument.instrument import Instrument

Players = Callable[[str], "Instrument"]
Drawn = Mapping[str, NDArray[np.float64]]


def with_drawn(base: Performance, drawn: Drawn) -> Performance:
    """What is drawn by hand where it is drawn, and the performer everywhere else, without a seam.

    Args:
        base: of the performer.
        drawn: by curve ("f0" in MIDI numbers, "loudness" in dB, axes of z); a value a frame or a row of z, NaN is open.
    """
    given = []
    for curve, values in drawn.items():
        own = curve in ("f0", "loudness")
        n_points = base.n_frames if own else len(base.z)
        if np.isnan(values[:n_points]).all() or not (own or curve in base.axis_names):
            continue
        rate_hz = base.frame_rate_hz / (1 if own else base.frames_per_z)
        points = pitch_to_hz(values[:n_points]) if curve == "f0" else values[:n_points]
        given.append(Given.of_frames(curve, points, rate_hz))
    return fill(base, given) if given else base


@dataclass(frozen=True, eq=False)
class Line:
    """One voice of a part.

    Args:
        ids: of its notes.
        notes: in order of onset.
        base: as the performer plays them, with the controls asked for.
        drawn: curves drawn by hand, see `with_drawn`.
        asked: controls from 0 to 1 by name, by note.
    """

    ids: tuple[str, ...]
    notes: Notes
    base: Performance
    drawn: Drawn = field(default_factory=dict)
    asked: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @cached_property
    def final(self) -> Performance:
        """What is played."""
        return with_drawn(self.base, self.drawn)


@dataclass(frozen=True, eq=False)
class Part:
    """A part of a score, who plays it, and how it stands in the mix.

    Args:
        number: from 0.
        written: as the file has it.
        lines: its voices.
        preset, performer, seed, expression: who plays, and how.
        level_db, pan, mute, solo: on the desk; pan 0 to 1, 0.5 is the middle; of a part that moves where it begins.
        first_voice: its first among all voices, for the noise.
        table: a table of notes that it came from, whose controls are asked for.
    """

    number: int
    written: Notes
    lines: tuple[Line, ...]
    preset: str
    performer: str | None = None
    seed: int | None = None
    expression: float = 1.0
    level_db: float = 0.0
    pan: float = 0.5
    mute: bool = False
    solo: bool = False
    first_voice: int = 0
    table: Path | None = None

    def play(self, player: Instrument, notes: Notes, line: int, score_s: float) -> Performance:
        """The performer's own, of some notes of a line."""
        performer = self.performer if self.performer in player.performers else None
        return player.perform(notes, expression=self.expression, performer=performer,
                              seed=seed_of(self.seed, self.first_voice + line), score_s=score_s, tail_s=player.tail_s())

    def pans(self) -> Steps:
        """Where it stands over time, 0 to 1: as the file moves it, all of that shifted to where the desk has its begin."""
        steps = self.written.controllers.get("pan", ())
        shift = self.pan - (steps[0][1] if steps else MIDDLE)
        moved = tuple((time_s, min(max(value + shift, 0.0), 1.0)) for time_s, value in steps)
        return moved if moved and moved[0][0] <= 0 else ((0.0, min(max(MIDDLE + shift, 0.0), 1.0)), *moved)

    def find(self, note: str) -> tuple[int, int] | None:
        """Line and index of a note."""
        for number, line in enumerate(self.lines):
            if note in line.ids:
                return number, line.ids.index(note)
        return None


@dataclass(frozen=True, eq=False)
class Take:
    """A recording, or a saved performance, and what is changed in it.

    Args:
        number: from 0.
        file: of the project.
        preset: who plays it.
        heard: how it was played.
        settings: transpose, loudness, vibrato, stretch, autotune, scale, fit, and axes by name.
        drawn: curves drawn by hand, over time as it is heard.
        has_sound: whether there is a recording beside the performance.
    """

    number: int
    file: str
    preset: str
    heard: Performance
    settings: Mapping[str, Any] = field(default_factory=dict)
    drawn: Drawn = field(default_factory=dict)
    has_sound: bool = True


@dataclass(frozen=True, eq=False)
class Arrangement:
    """All parts and takes of a project."""

    parts: tuple[Part, ...] = ()
    takes: tuple[Take, ...] = ()

    @property
    def duration_s(self) -> float:
        """When the last note ends."""
        return max((line.notes.duration_s for part in self.parts for line in part.lines), default=0.0)

    def with_part(self, part: Part) -> Arrangement:
        """With one part in the place of the one of its number."""
        return replace(self, parts=tuple(part if one.number == part.number else one for one in self.parts))

    def with_take(self, take: Take) -> Arrangement:
        """With one take in the place of the one of its number."""
        return replace(self, takes=tuple(take if one.number == take.number else one for one in self.takes))

    @staticmethod
    def opened(project: Project, players: Players) -> Arrangement:
        """The files of a project as they came, before any edit.

        Raises:
            InputError: a file that cannot be read; the sentence is the command line's.
        """
        parts: list[Part] = []
        scored = [(part, path) for path in map(project.folder.joinpath, project.scores) for part in read_parts(path)]
        cards = read_cards() if scored else {}
        score_s = max((part.duration_s for part, _ in scored), default=0.0)
        first_voice = 0
        for number, (written, path) in enumerate(scored):
            table = path if path.suffix.lower() == ".csv" else None
            pan = written.controllers.get("pan", ())
            part = Part(number, written, (), choose_preset(written, cards), pan=pan[0][1] if pan else 0.5,
                        first_voice=first_voice, table=table)
            part = perform_part(part, players(part.preset), score_s)
            parts.append(part)
            first_voice += len(part.lines)
        takes = [Take(number, one["file"], one["preset"], Performance.load(project.folder / one["performance"]),
                      has_sound=not one["file"].endswith(".npz")) for number, one in enumerate(project.takes)]
        return Arrangement(tuple(parts), tuple(takes))


def read_parts(path: Path) -> list[Notes]:
    """The parts of a score, whatever kind of file it is."""
    return [read_table(path).notes] if path.suffix.lower() == ".csv" else read_score(path)


def perform_part(part: Part, player: Instrument, score_s: float) -> Part:
    """All lines of a part played anew: those it has, or those that its notes need."""
    if part.lines:
        lines = tuple(replace(line, base=part.play(player, line.notes, number, score_s)) if line.ids else line
                      for number, line in enumerate(part.lines))
        return replace(part, lines=lines)
    if part.table is not None:
        table = read_table(part.table)
        asked = {f"{part.number}.0.{index}": {name: float(values[index]) for name, values in table.scaled.items()
                                              if not np.isnan(values[index])} for index in range(len(table.notes.notes))}
        base = play_table(part.table, player, part.seed, player.tail_s())
        line = Line(tuple(f"{part.number}.0.{index}" for index in range(len(table.notes.notes))), table.notes, base,
                    asked={note: values for note, values in asked.items() if values})
        return replace(part, lines=(line,))
    lines = tuple(
        Line(tuple(f"{part.number}.{number}.{index}" for index in range(len(notes.notes))), notes,
             part.play(player, notes, number, score_s))
        for number, notes in enumerate(to_voices(part.written, voices=MOST_VOICES).lines))
    return replace(part, lines=lines)
