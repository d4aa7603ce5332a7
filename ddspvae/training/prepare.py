"""A folder of recordings to takes: examined by the doctor, tracked once, split."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ddspvae.audio import read_audio
from ddspvae.features.extract import extract
from ddspvae.features.f0 import VOICED
from ddspvae.features.ranges import find_range_hz
from ddspvae.instrument.halls import HALLS
from ddspvae.instrument.nearest import NEAREST
from ddspvae.model.config import ModelConfig, harmonics_needed
from ddspvae.signals.checks import InputError
from ddspvae.signals.jobs import in_order
from ddspvae.training.corpus import Corpus
from ddspvae.training.dataset import Take, split
from ddspvae.training.doctor.examine import Report, examine
from ddspvae.training.recordings import Row, find_recordings, read_manifest

LEAST_SHARED = 0.25  # of a room's frames
FEW_S = 30.0  # of recordings: too few to hold any back where a model of many instruments is there to begin with


@dataclass(frozen=True, eq=False)
class Prepared:
    """What a run trains on.

    Args:
        training, validation: takes; of a corpus a sample.
        few: all of both, where they are shorter than FEW_S together.
        corpus: where all of them are, if they are too many to hold.
    """

    training: list[Take]
    validation: list[Take]
    model: ModelConfig
    tracker: str
    holdout: list[str]
    licence: list[str]
    credits: list[dict[str, str]]
    corpus: Corpus | None = None
    few: list[Take] = field(default_factory=list)

    @property
    def is_few(self) -> bool:
        """Whether nothing was held back, as beside a model of many instruments."""
        return bool(self.few) and self.training is self.few


def prepare(recordings: str | Path | Sequence[str | Path], holdout: Sequence[str | Path], tracker: str,
            model: ModelConfig, show: Callable[[Report], None] | None = None) -> Prepared:
    """Find, examine, analyse and split recordings.

    Args:
        recordings: a folder or files.
        holdout: recordings to leave out.
        tracker: of f0.
        model: rates and widths; n_harmonics and rooms are replaced by what the recordings need, and by_room where they
            cannot tell rooms apart.
        show: called with the doctor's report before anything is decided on it.
    Raises:
        InputError: nothing usable.
    """
    roots = [Path(recordings)] if isinstance(recordings, (str, Path)) else [Path(path) for path in recordings]
    left_out = {Path(path).resolve() for path in holdout}
    found = [path.resolve() for path in find_recordings(roots)]
    for path in sorted(left_out):
        if not any(path in (take, *take.parents) for take in found):
            raise InputError(f"train: --holdout {path} is none of the recordings, nor a folder of them.")
    paths = [path for path in found if not left_out & {path, *path.parents}]
    if tracker.lower().endswith(".csv"):
        raise InputError("train: a CSV of pitch describes one take; name a tracker (swift, crepe, crepe-full).")
    rows: dict[Path, Row] = {}
    for root in roots:
        rows.update(read_manifest(root))
    report = examine(paths, model.sample_rate, model.hop_size, tracker, rows=rows)
    if show is not None:
        show(report)
    def listen(path: Path) -> Take:
        row = rows.get(path.resolve())
        audio, _ = read_audio(path, model.sample_rate)
        features = extract(audio, model.sample_rate, model.hop_size, tracker,
                           prior_hz=None if row is None else row.prior_hz)
        return Take(path, audio, features, room=path.parent.name, string_hz=0.0 if row is None else row.string_hz)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the doctor has read the files before, and said what there is to say
        takes = list(in_order(listen, report.usable))
    takes = _look_again(takes, {path for path, row in rows.items() if row.prior_hz is not None}, tracker, model)
    if not takes:
        raise InputError("train: no usable recording; see the doctor's report above.")
    takes = [_pad_to_hop(take, model.hop_size) for take in takes]
    training, validation = split(takes, model.hop_size)
    minutes: dict[str, int] = {}
    for take in training:
        minutes[take.room] = minutes.get(take.room, 0) + take.n_frames
    rooms = tuple(sorted(minutes, key=lambda room: -minutes[room]))
    model = replace(model, rooms=rooms)
    for room in sorted({*HALLS, NEAREST} & set(rooms) if len(rooms) > 1 else ()):
        warnings.warn(f"train: --room {room} means something else than the folder {room}, so nobody can ask for it; "
                      "rename the folder.", stacklevel=2)
    sure = np.concatenate([t.features.f0_hz[t.features.periodicity >= VOICED] for t in training] + [np.zeros(0)])
    if not len(sure):
        raise InputError("train: no pitch was found in any recording; is it one instrument, one note at a time?")
    lowest_hz = float(np.quantile(sure, 0.01))
    is_few = sum(take.n_frames for take in takes) < FEW_S * model.frame_rate_hz
    used = [rows[take.path.resolve()] for take in takes if take.path.resolve() in rows]
    return Prepared(
        training=training, validation=validation, tracker=tracker,
        model=replace(model, n_harmonics=harmonics_needed(lowest_hz, model.sample_rate),
                      by_room=can_tell_rooms(model, training)),
        holdout=sorted(path.name for path in found if left_out & {path, *path.parents}),
        licence=sorted({row.licence for row in used}),
        credits=[row.credit for row in used],
        few=takes if is_few else [],
    )


def can_tell_rooms(model: ModelConfig, takes: Sequence[Take]) -> bool:
    """Whether a model learns of its rooms apart: as it says, or where they play the same notes.

    Warns of a folder that does not: folders of single notes, or of loud and of soft ones, are no rooms, since what differs
    between them is what is played.

    Args:
        model: that knows its rooms.
        takes: of all rooms, or of those that are held in memory.
    """
    if not model.n_rooms_apart or model.by_room is not None:
        return model.n_rooms_apart > 0
    if {take.room for take in takes} != set(model.rooms):
        return False
    lonely = _plays_alone(takes)
    if lonely is None:
        return True
    warnings.warn(f"train: hardly anything in the folder {lonely} is as high and as loud as what the others hold, so "
                  "folders are not told apart as rooms, and what is typical is learned of all together; --rooms apart "
                  "learns it of each, --rooms together of all without a warning.", stacklevel=3)
    return False


def _plays_alone(takes: Sequence[Take]) -> str | None:
    """The smallest room that shares less than LEAST_SHARED of what is played with the others, or they with it."""
    played: dict[str, list[np.ndarray]] = {}
    for take in takes:
        heard = take.features
        sure = heard.periodicity >= VOICED
        played.setdefault(take.room, []).append(np.stack([np.log2(heard.f0_hz[sure]), heard.loudness_db[sure]]))
    rooms = {room: np.concatenate(frames, axis=1) for room, frames in played.items()}
    rooms = {room: frames for room, frames in rooms.items() if frames.size}
    for room in sorted(rooms, key=lambda name: rooms[name].shape[1]) if len(rooms) > 1 else ():
        others = np.concatenate([own for name, own in rooms.items() if name != room], axis=1)
        if max(_shared(rooms[room], others), _shared(others, rooms[room])) < LEAST_SHARED:
            return room
    return None


def _shared(frames: np.ndarray, others: np.ndarray) -> float:
    """How much of frames [2, N] is at pitches and levels of the middle nine tenths of others [2, M]."""
    low, high = np.quantile(others, (0.05, 0.95), axis=1)[..., None]
    return float(((frames >= low) & (frames <= high)).all(axis=0).mean())


def _look_again(takes: Sequence[Take], known: Collection[Path], tracker: str, model: ModelConfig) -> list[Take]:
    """Track those takes again that go beyond the range of all together: what few frames say against many is a slip.

    Args:
        known: takes whose pitch is known; they stay.
    """
    range_hz = find_range_hz([take.features for take in takes])
    if range_hz is None:
        return list(takes)
    again = []
    for take in takes:
        heard = take.features
        slipped = (heard.periodicity >= VOICED) & ((heard.f0_hz < range_hz[0]) | (heard.f0_hz > range_hz[1]))
        if slipped.any() and take.path.resolve() not in known:
            heard = extract(take.audio, model.sample_rate, model.hop_size, tracker, range_hz=range_hz)
        again.append(replace(take, features=heard))
    return again


def _pad_to_hop(take: Take, hop_size: int) -> Take:
    """Whole frames: the last one is filled up with silence."""
    missing = take.n_frames * hop_size - len(take.audio)
    return replace(take, audio=np.pad(take.audio, (0, missing))) if missing else take
