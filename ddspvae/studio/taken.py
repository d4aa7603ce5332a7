"""What can be taken away beside sound: notes, tables, performances, presets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ddspvae.editing.note_table import NoteTable, write_table
from ddspvae.editing.write_notes import write_take_notes
from ddspvae.instrument.presets import find_preset
from ddspvae.performer.measure import measure_controls
from ddspvae.performer.transcribe import write_midi
from ddspvae.signals import Notes
from ddspvae.signals.checks import InputError, check_choice
from ddspvae.studio.arrangement import Arrangement, Part, Players
from ddspvae.studio.edits import played

KINDS = ("midi", "table", "performance", "take-performance", "take-midi")


def export(now: Arrangement, players: Players, kind: str, folder: Path, take: int = 0) -> list[str]:
    """Write files of one kind into a folder.

    Args:
        kind: one of KINDS.
        take: which, of kinds that are of one.
    Returns:
        their names.
    Raises:
        InputError: there is nothing of the kind.
    """
    check_choice("studio", "export", kind, KINDS)
    if kind.startswith("take"):
        if not 0 <= take < len(now.takes):
            raise InputError("studio: there is no take to write; drop a recording on the view Take first.")
        one = now.takes[take]
        player, stem = players(one.preset), Path(one.file).stem
        if kind == "take-performance":
            played(one, player).save(folder / f"{stem} edited.npz")
            return [f"{stem} edited.npz"]
        write_take_notes(played(one, player), player, folder / f"{stem}.mid")
        return [f"{stem}.mid"]
    if not now.parts:
        raise InputError("studio: there is no score to write; drop a MIDI file on the view Score first.")
    if kind == "midi":
        write_midi([edited_notes(part) for part in now.parts], folder / "score.mid")
        return ["score.mid"]
    written = []
    for part in now.parts:
        player = players(part.preset)
        for number, line in enumerate(part.lines):
            if not line.ids:
                continue
            stem = f"part {part.number + 1}" + (f" voice {number + 1}" if len(part.lines) > 1 else "")
            name = f"{stem}.csv" if kind == "table" else f"{stem}.npz"
            if kind == "table":
                controls = measure_controls(line.final, line.notes)
                write_table(NoteTable.of(line.notes, controls, player.control_ranges), folder / name)
            else:
                line.final.save(folder / name)
            written.append(name)
    return written


def edited_notes(part: Part) -> Notes:
    """The notes of a part as they are now, all lines together."""
    notes = sorted((note for line in part.lines for note in line.notes.notes), key=lambda note: note.onset_s)
    return replace(part.written, notes=tuple(notes))


def preset_file(preset: str) -> Path:
    """The file of an instrument."""
    return find_preset(preset.partition(":")[0] if not preset.endswith(".safetensors") else preset)


