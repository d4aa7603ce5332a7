"""Which files to listen to, and what a manifest beside them knows: pitch, licence, where they come from."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ddspvae.signals.checks import InputError
from ddspvae.signals.tables import read_cells
from ddspvae.signals.units import pitch_to_hz

ENDINGS = (".aif", ".aiff", ".au", ".caf", ".flac", ".mp3", ".oga", ".ogg", ".opus", ".w64", ".wav")  # libsndfile
NOT_READ = (".aac", ".ac3", ".amr", ".ape", ".m4a", ".mka", ".mp4", ".mov", ".wma", ".wv")  # sound that it does not read
CREDIT = ("file", "source", "source_repo", "commit", "original_path", "licence", "attribution")
SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


@dataclass(frozen=True)
class Row:
    """What a manifest says about one recording.

    Args:
        kind: "note" for a single note, "phrase", or empty.
        prior_hz: the pitch of a single note, Hz; None for a phrase or where it is not known.
        licence: as the manifest words it, may be empty.
        credit: file, source, source_repo, commit, original_path, licence, attribution, as far as given.
        string_hz: the open string that a note is plucked on; 0 where that is not said.
    """

    kind: str
    prior_hz: float | None
    licence: str
    credit: dict[str, str]
    string_hz: float = 0.0


def find_recordings(folder_or_files: str | Path | Sequence[str | Path]) -> list[Path]:
    """List the sound files in folders, and files named one by one, sorted and each once.

    Hidden files and folders inside a folder are skipped.

    Raises:
        InputError: a path is missing, or a folder holds no sound files.
    """
    roots = [folder_or_files] if isinstance(folder_or_files, (str, Path)) else folder_or_files
    found: dict[Path, Path] = {}
    for root in map(Path, roots):
        if root.is_dir():
            files = [path for path in root.rglob("*") if path.suffix.lower() in (*ENDINGS, *NOT_READ) and path.is_file()
                     and not any(part.startswith(".") for part in path.relative_to(root).parts)]
            inside = [path for path in files if path.suffix.lower() in ENDINGS]
            others = sorted(path.name for path in files if path.suffix.lower() in NOT_READ)
            if others:
                named = ", ".join(others[:3]) + (f" and {len(others) - 3} more" if others[3:] else "")
                verb = "is" if len(others) == 1 else "are"
                warnings.warn(f"find_recordings: {named} in {root} cannot be read here and {verb} left out; "
                              "convert to WAV or FLAC.", stacklevel=2)
            if not inside:
                raise InputError(f"find_recordings: {root} holds no sound files ({', '.join(ENDINGS)}).")
        elif root.is_file():
            inside = [root]
        else:
            raise InputError(f"find_recordings: no file or folder {root}.")
        for path in inside:
            found.setdefault(path.resolve(), path)
    return sorted(found.values())


def read_manifest(folder: str | Path) -> dict[Path, Row]:
    """Read every manifest.csv in a folder, below it, and in the folder around it, if there are any.

    Args:
        folder: of recordings.
    Returns:
        resolved path of a recording in the folder -> its row; empty without a manifest.
    Raises:
        InputError: a manifest that cannot be read, without a column `file`, or with an f0_hz that is no pitch.
    """
    folder = Path(folder).resolve()
    around, inside = folder.parent / "manifest.csv", sorted(folder.rglob("manifest.csv"))
    rows: dict[Path, Row] = {}
    for manifest in [around, *inside]:
        # a manifest around the folder may be anybody's
        if manifest in inside or (manifest.is_file() and _is_ours(manifest)):
            found = _read(manifest)
            rows.update({path: row for path, row in found.items() if path.is_relative_to(folder)})
    return rows


def _is_ours(manifest: Path) -> bool:
    try:
        return "file" in (read_cells("read_manifest", manifest) or [[]])[0]
    except InputError:
        return False


def _read(manifest: Path) -> dict[Path, Row]:
    table = read_cells("read_manifest", manifest)
    header = [name.strip() for name in table[0]] if table else []
    if {"path", "instrument"} <= set(header):
        return {}  # of a corpus, see corpora.manifest
    if "file" not in header:
        raise InputError(f"read_manifest: {manifest} must have a column named file in its first line.")
    rows = {}
    for line, cells in enumerate(table[1:], start=2):
        row = dict(zip(header, cells))
        if "\0" in row.get("file", ""):
            raise InputError(f"read_manifest: {manifest} line {line}: the name of the file holds a zero byte.")
        if row.get("file"):
            rows[(manifest.parent / row["file"]).resolve()] = _row(manifest, line, row)
    return rows


def _row(manifest: Path, line: int, cells: dict[str, str]) -> Row:
    kind = (cells.get("kind") or "").strip()
    prior_hz = _prior_hz(manifest, line, cells) if kind == "note" else None
    credit = {name: value for name in CREDIT if (value := (cells.get(name) or "").strip())}
    string = (cells.get("string") or "").strip()
    string_hz = _named_hz(f"read_manifest: {manifest} line {line}", "string", string) if string else 0.0
    return Row(kind, prior_hz, credit.get("licence", ""), credit, string_hz)


def _prior_hz(manifest: Path, line: int, cells: dict[str, str]) -> float | None:
    where = f"read_manifest: {manifest} line {line}"
    given, name = (cells.get("f0_hz") or "").strip(), (cells.get("pitch_sounding") or "").strip()
    if given:
        try:
            hz = float(given)
        except ValueError:
            hz = 0.0
        if not 20 <= hz <= 5000:
            raise InputError(f"{where}: f0_hz must lie between 20 and 5000, got '{given}'; leave it empty if unknown.")
        return hz
    if not name:
        return None
    return _named_hz(where, "pitch_sounding", name)


def _named_hz(where: str, column: str, name: str) -> float:
    match = re.fullmatch(r"([A-G])([#b]?)(-?\d)", name)
    if match is None:
        raise InputError(f"{where}: {column} must be a note such as A4 or F#2, got '{name}'.")
    letter, accidental, octave = match.groups()
    pitch = 12 * (int(octave) + 1) + SEMITONES[letter] + {"#": 1, "b": -1, "": 0}[accidental]
    return float(pitch_to_hz(pitch))
