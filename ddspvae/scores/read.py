"""Scores by the ending of their file: MusicXML, MEI, or MIDI."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

from ddspvae.midi import read_midi
from ddspvae.midi.tuning import Pitches
from ddspvae.scores.musicxml import read_musicxml
from ddspvae.scores.playing import play
from ddspvae.scores.source import WHERE, read_tree
from ddspvae.scores.written import WrittenScore
from ddspvae.signals import Notes
from ddspvae.signals.checks import InputError, check_duration

NOTATION = (".musicxml", ".mxl", ".xml", ".mei")
MOST_LISTED = 8


def read_score(path: str | Path, tuning: Pitches | None = None) -> list[Notes]:
    """Read a written score, or a MIDI file: one `Notes` per part that has notes, in the order of the score.

    What is written is followed: dynamics and hairpins are the velocities and their course within notes, slurs bind,
    articulations shape lengths and attacks, grace notes, ornaments and tremolos are played out, tempo marks, ritardandi and
    fermatas make time, repeats, brackets and leaps are taken, and pitches are those that sound.

    Args:
        path: MusicXML (.musicxml, .xml, or .mxl), MEI (.mei); any other ending is read as MIDI, see `read_midi`.
        tuning: the pitches of all keys, see `read_tuning`; None is equal temperament.
    Returns:
        the parts. One warning lists what was read and is not played; one says where pizzicato is written.
    Raises:
        InputError: missing, empty, damaged, without notes or longer than 6 hours; or partitura is not installed.
    Source: MusicXML 4.0; MEI 5.0; notes are read by partitura.
    """
    path = Path(path)
    if path.suffix.lower() not in NOTATION:
        return read_midi(path, tuning)
    root = read_tree(path)
    if root.tag.endswith("}mei") or root.tag == "mei":
        from ddspvae.scores.mei import read_mei

        score = read_mei(root, path)
    elif root.tag in ("score-partwise", "score-timewise"):
        score = read_musicxml(root, path)
    else:
        raise InputError(f"{WHERE}: {path} begins with <{root.tag}>, which is neither MusicXML nor MEI.")
    parts = [part if tuning is None else _tuned(part, tuning) for part in play(score)]
    parts = [part for part in parts if part.notes]
    if not parts:
        raise InputError(f"{WHERE}: {path} holds no notes that can be played; choose a score with a melody.")
    check_duration(WHERE, path, max(part.duration_s for part in parts))
    for sentence in _sentences(score, path):
        warnings.warn(sentence, stacklevel=2)
    return parts


def _tuned(part: Notes, tuning: Pitches) -> Notes:
    """As it sounds in a tuning; keys that have no note in it are left out."""
    sounding = ((note, tuning[round(note.pitch)]) for note in part.notes)
    return replace(part, notes=tuple(replace(note, pitch=pitch) for note, pitch in sounding if pitch is not None))


def _sentences(score: WrittenScore, path: Path) -> list[str]:
    """What is not played as it is written."""
    said = []
    plucked = [f"{part.name or f'part {number}'} from bar {score.bar_at(start)} to {score.bar_at(max(end - 1e-6, start))}"
               for number, part in enumerate(score.parts, start=1) for start, end in part.plucked]
    if plucked:
        said.append(f"{WHERE}: {path} asks for pizzicato, which no instrument here has learned; it is played as usual: "
                    f"{', '.join(plucked[:MOST_LISTED])}.")
    left_out = [f"{what} ({count})" if count > 1 else what for what, count in score.left_out.most_common() if count]
    if left_out:
        more = f" and {len(left_out) - MOST_LISTED} more kinds" if len(left_out) > MOST_LISTED else ""
        said.append(f"{WHERE}: {path} was read, but these are not played: {', '.join(left_out[:MOST_LISTED])}{more}.")
    return said
