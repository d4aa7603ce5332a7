"""Versions that were kept to be compared: sounds in the project's folder, equally loud when they are heard."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ddspvae.audio import read_audio, write_audio
from ddspvae.signals.checks import InputError
from ddspvae.studio.folders import check_name, inside, read_json, write_json

SAMPLE_RATE = 48_000
QUIET_DB = 40.0  # below the loudest frame, what does not count for how loud a version is
LOUDEST = 0.999  # of a file
MOST_VERSIONS = 8  # the oldest goes
MOST_OPEN = 3  # sounds in memory
FOLDER, LIST = "versions", "versions.json"


@dataclass(frozen=True)
class Version:
    """A sound that was kept.

    Args:
        label: for people.
        path: of its file.
        loudness_db: A-weighted, over what is heard of it.
    """

    label: str
    path: Path
    loudness_db: float


def loudness_of(audio: NDArray[np.float32]) -> float:
    """How loud [2, T] is, A-weighted dB, over what is heard of it."""
    import torch

    from ddspvae.features.loudness import a_weighted_loudness, by_blocks

    mono = torch.from_numpy(np.ascontiguousarray(audio.mean(axis=0)))[None]
    level = by_blocks(a_weighted_loudness, mono, SAMPLE_RATE, 480)[0].numpy()
    heard = level[level > level.max() - QUIET_DB]
    return float(10 * np.log10((10 ** (heard.astype(np.float64) / 10)).mean()))


def matching_gains_db(loudness_db: Sequence[float]) -> list[float]:
    """What brings sounds to the softest one, so that nothing clips."""
    return [min(loudness_db) - one for one in loudness_db]


def kept(project: Path) -> list[Version]:
    """The versions of a project, the oldest first."""
    try:
        rows = read_json(project / FOLDER / LIST, [])
        found = [Version(str(row["label"]), inside(project / FOLDER, row["file"]), float(row["loudness_db"]))
                 for row in rows]
    except (InputError, KeyError, TypeError, ValueError):
        return []  # changed by hand; the sounds are still there
    return [version for version in found if version.path.is_file()]


def keep(project: Path, label: str, audio: NDArray[np.float32]) -> list[Version]:
    """Write a sound [2, T] beside the others of a project, and list it.

    Raises:
        InputError: the label cannot name a file, or the disk is full.
    """
    folder, label = project / FOLDER, check_name("version", label)
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(f"studio: cannot make {folder} ({error.strerror}).") from error
    peak = float(np.abs(audio).max(initial=0.0))
    audio = audio * np.float32(LOUDEST / peak) if peak > LOUDEST else audio
    path, number = inside(folder, f"{label}.flac"), 2
    while path.exists():
        path, number = inside(folder, f"{label} {number}.flac"), number + 1
    write_audio(path, audio, SAMPLE_RATE, "24")
    return _write(project, [*kept(project), Version(label, path, loudness_of(audio))])


def forget(project: Path, number: int) -> list[Version]:
    """Remove one."""
    versions = kept(project)
    gone = versions.pop(number)
    versions = _write(project, versions)
    gone.path.unlink(missing_ok=True)
    return versions


def _write(project: Path, versions: list[Version]) -> list[Version]:
    gone, left = versions[:-MOST_VERSIONS], versions[-MOST_VERSIONS:]
    rows = [{"label": one.label, "file": one.path.name, "loudness_db": round(one.loudness_db, 3)} for one in left]
    write_json(project / FOLDER / LIST, rows)
    for version in gone:
        version.path.unlink(missing_ok=True)
    return left


class Sounds:
    """Sound files that are heard now, in stereo; the last few of them stay in memory, and how loud each was."""

    def __init__(self) -> None:
        self._open: OrderedDict[tuple[str, int], NDArray[np.float32]] = OrderedDict()
        self._loudness_db: dict[tuple[str, int], float] = {}

    def read(self, path: Path, *, mono: bool = True) -> NDArray[np.float32]:
        """[2, T] at 48 kHz; mono on both sides.

        Raises:
            InputError: it is gone, or no sound.
        """
        key = _key(path)
        if key not in self._open:
            audio, _ = read_audio(path, SAMPLE_RATE, mono=mono)
            self._open[key] = np.broadcast_to(audio, (2, audio.shape[-1])).astype(np.float32)
            while len(self._open) > MOST_OPEN:
                self._open.popitem(last=False)
        self._open.move_to_end(key)
        return self._open[key]

    def loudness_db(self, path: Path) -> float:
        """See `loudness_of`; measured once a file."""
        key = _key(path)
        if key not in self._loudness_db:
            self._loudness_db[key] = loudness_of(self.read(path))
        return self._loudness_db[key]


def _key(path: Path) -> tuple[str, int]:
    try:
        return str(path), path.stat().st_mtime_ns
    except OSError as error:
        raise InputError(f"studio: {path.name} cannot be read ({error.strerror}).") from error
