"""A corpus that no memory holds: its manifest, where the features of each recording lie, and the doctor's word on each."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from ddspvae.corpora.manifest import Recording, read_manifest_rows
from ddspvae.corpora.places import exists, is_url, join, listing, local, reading, write_whole
from ddspvae.features.cache import content_key
from ddspvae.signals.checks import InputError
from ddspvae.signals.jobs import in_order
from ddspvae.training.feature_shards import VERDICTS, Settings, make_feature_shard, read_rows, recording_key

SHARD_S = 120.0  # of sound
FORMAT = "ddspvae features 1"
COLUMNS = ("path", "instrument", "split", "licence", "room", "verdict", "reason", *VERDICTS, "key", "shard", "pieces")
HELD_OUT = 20  # where no split is given: one recording in so many validates
Work = tuple[str, str, list[tuple[str, str]], Settings]
Each = Callable[[Sequence[Work]], Iterable[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Entry:
    """A usable recording: who plays, where, for how long, and what it is for."""

    instrument: str
    room: str
    seconds: float
    pieces: int
    lowest_hz: float | None
    split: str


@dataclass(frozen=True, eq=False)
class Corpus:
    """Where the takes of a corpus lie.

    Args:
        place: a folder, or a URL.
        settings: that the features were made with.
        shards: name of a shard -> its recordings by key; those that are left out are not there.
        licences: of what is trained on, sorted.
    """

    place: str
    settings: Settings
    shards: dict[str, dict[str, Entry]]
    licences: tuple[str, ...]

    @property
    def instruments(self) -> list[str]:
        """Who plays in the training part, sorted."""
        return sorted({entry.instrument for entry in self.entries("train")})

    def entries(self, split: str) -> Iterator[Entry]:
        """The recordings of a split."""
        return (entry for shard in self.shards.values() for entry in shard.values() if entry.split == split)

    def hours(self, split: str) -> float:
        """Of sound in a split."""
        return sum(entry.seconds for entry in self.entries(split)) / 3600

    @property
    def content(self) -> str:
        """One name for which recordings are there, and what they are for."""
        return content_key(sorted((key, entry.split, entry.instrument) for shard in self.shards.values()
                                  for key, entry in shard.items()))


def is_corpus(recordings: Sequence[str]) -> bool:
    """Whether what is to be trained on is a manifest, or a place of features that are made already."""
    if len(recordings) != 1:
        return False
    one = str(recordings[0])
    return Path(one).suffix.lower() in (".csv", ".parquet") or is_url(one) or exists(join(one, "corpus.json"))


def plan(manifest: str | Path, place: str, settings: Settings
         ) -> tuple[list[tuple[Recording, str]], dict[str, dict[str, Any]], list[Work]]:
    """What a manifest names, what is known of it, and the shards that are to be made.

    Returns:
        recordings with their keys; what is known by key; work for `make_feature_shard`.
    Raises:
        InputError: a manifest that is wrong, or a place that cannot be read.
    """
    recordings = read_manifest_rows(manifest)
    keyed = list(zip([*recordings], _keys(recordings, place, settings)))
    known: dict[str, dict[str, Any]] = {}
    for name in listing(join(place, "shards"), ".json"):
        for row in read_rows(place, name.removesuffix(".json")) or ():
            known[row["key"]] = row
    missing = {key: str(recording.path) for recording, key in keyed if key not in known}
    return keyed, known, list(_groups(sorted(missing.items()), place, settings))


def make_corpus(manifest: str | Path, place: str, settings: Settings, each: Each | None = None,
                progress: Callable[[int, int], None] = lambda done, of: None) -> Corpus:
    """Listen to what is new in a manifest, and write the shards and `verdicts.csv`.

    Args:
        manifest: CSV or Parquet, see `read_manifest_rows`.
        place: folder or URL.
        settings: of the features.
        each: does `make_feature_shard` with each piece of work, in any order; None uses this machine's cores.
        progress: called with how many recordings are known, and of how many.
    Raises:
        InputError: as `plan`; or nothing is usable.
    """
    keyed, known, works = plan(manifest, place, settings)
    n_known = len(keyed) - sum(len(work[2]) for work in works)
    progress(n_known, len(keyed))
    for made in (each or _on_cores)(works):
        for row in made["rows"]:
            known[row["key"]] = row
        n_known += len(made["rows"])
        progress(n_known, len(keyed))
    rows = _verdicts(keyed, known)
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, extrasaction="ignore", lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    write_whole(join(place, "verdicts.csv"), text.getvalue().encode())
    write_whole(join(place, "corpus.json"), json.dumps({"format": FORMAT, **asdict(settings)}).encode())
    return _corpus(place, settings, rows)


def open_corpus(place: str) -> Corpus:
    """Features that are made already, without the recordings they were made of.

    Raises:
        InputError: there are none, or they cannot be read.
    """
    if not exists(join(place, "corpus.json")):
        raise InputError(f"corpus: {place} holds no features (no corpus.json); name a manifest, and they are made.")
    try:
        with reading(join(place, "corpus.json")) as file:
            told = json.loads(file.read())
        if told.pop("format") != FORMAT:
            raise InputError(f"corpus: {place} is of another version of ddspvae; make it again from its manifest.")
        settings = Settings(**told)
        with reading(join(place, "verdicts.csv")) as file:
            rows = list(csv.DictReader(io.TextIOWrapper(file, encoding="utf-8", newline="")))
        return _corpus(place, settings, rows)
    except (ValueError, KeyError, TypeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"corpus: {place} is damaged ({error}); make it again from its manifest.") from error


def _on_cores(works: Sequence[Work]) -> Iterator[dict[str, Any]]:
    yield from in_order(make_feature_shard, works)


def _keys(recordings: Sequence[Recording], place: str, settings: Settings) -> list[str]:
    """Keys by content; a file of the same size and time is not read again."""
    where = join(place, f"seen-{content_key([repr(settings)])[:12]}.json")
    seen: dict[str, list[Any]] = {}
    if exists(where):
        try:
            with reading(where) as file:
                seen = json.loads(file.read())
        except ValueError:
            seen = {}
    keys, n_read = [], 0
    for recording in recordings:
        stat = recording.path.stat()
        told = seen.get(str(recording.path))
        if told is None or told[:2] != [stat.st_size, stat.st_mtime_ns]:
            told = [stat.st_size, stat.st_mtime_ns, recording_key(recording.path, settings)]
            seen[str(recording.path)], n_read = told, n_read + 1
        keys.append(told[2])
    if n_read:
        write_whole(where, json.dumps(seen).encode())
    return keys


def _groups(missing: Sequence[tuple[str, str]], place: str, settings: Settings) -> Iterator[Work]:
    """Recordings in the order of their keys, which is no order: every shard is a mixture."""
    group: list[tuple[str, str]] = []
    total_s = 0.0
    for index, (key, path) in enumerate(missing):
        group.append((key, path))
        try:
            total_s += soundfile.info(path).duration
        except Exception:  # the doctor says what it has
            total_s += 1.0
        if total_s >= SHARD_S or index == len(missing) - 1:
            yield place, content_key([key for key, _ in group])[:24], group, settings
            group, total_s = [], 0.0


def _verdicts(keyed: Sequence[tuple[Recording, str]], known: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """A row of verdicts a row of the manifest."""
    rows, first = [], dict[str, Path]()
    has_validation = any(recording.split == "validation" for recording, _ in keyed)
    for recording, key in keyed:
        row = {**known[key], "path": str(recording.path), "instrument": recording.instrument, "licence": recording.licence,
               "room": recording.room, "split": recording.split or "train"}
        if key in first:
            row |= {"verdict": "left out", "reason": f"it is the same recording as {first[key]}.", "shard": "", "pieces": 0}
        elif not has_validation and row["split"] == "train" and int(key[:8], 16) % HELD_OUT == 0:
            row["split"] = "validation"
        first.setdefault(key, recording.path)
        rows.append(row)
    return rows


def _corpus(place: str, settings: Settings, rows: Iterable[dict[str, Any]]) -> Corpus:
    shards: dict[str, dict[str, Entry]] = {}
    licences = set()
    for row in rows:
        if row["shard"]:
            lowest = row["lowest_hz"]
            shards.setdefault(row["shard"], {})[row["key"]] = Entry(
                row["instrument"], row["room"] or row["instrument"], float(row["seconds"]), int(row["pieces"]),
                float(lowest) if lowest not in (None, "") else None, row["split"])
            licences |= {row["licence"]} if row["split"] == "train" and row["licence"] else set()
    corpus = Corpus(place, settings, dict(sorted(shards.items())), tuple(sorted(licences)))
    if not any(True for _ in corpus.entries("train")):
        raise InputError(f"corpus: no recording is left to train on; see {join(place, 'verdicts.csv')}.")
    return corpus


def lowest_hz(corpus: Corpus) -> float:
    """The pitch below which a hundredth of the training part's sound begins.

    Raises:
        InputError: no recording has a pitch.
    """
    found = sorted((entry.lowest_hz, entry.seconds) for entry in corpus.entries("train") if entry.lowest_hz)
    if not found:
        raise InputError("corpus: no pitch was found in any recording; is each of one instrument, one note at a time?")
    reached = np.cumsum([seconds for _, seconds in found])
    return float(found[int(np.searchsorted(reached, 0.01 * reached[-1]))][0])


def features_place(manifest: str | Path) -> str:
    """Where the features of a manifest lie unless another place is named: beside it."""
    return str(local(manifest).with_suffix(".features"))
