"""Recordings to shards of takes: examined, analysed once, addressed by what is in them."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ddspvae.audio import read_audio
from ddspvae.corpora.places import exists, join, reading, write_whole
from ddspvae.corpora.shards import read_shard, write_shard
from ddspvae.features.cache import content_key
from ddspvae.features.extract import extract
from ddspvae.features.spectrum import VERSION
from ddspvae.signals import Features
from ddspvae.signals.checks import InputError, one_line
from ddspvae.training.dataset import Take
from ddspvae.training.doctor.advice import faults
from ddspvae.training.doctor.examine import Report, examine

FEATURES_VERSION = f"1.{VERSION}"
PIECE_S = 60.0  # longer recordings are several takes
LOUDER = 4096.0  # spectra are kept in half precision: amplitudes down to -156 dB then lose nothing that is heard
VERDICTS = ("seconds", "sure_share", "second_pitch_share", "clipped_share", "noise_floor_db", "level_db", "silence_share",
            "lowest_hz", "highest_hz")


@dataclass(frozen=True)
class Settings:
    """What decides the features of a recording, beside its content."""

    sample_rate: int
    hop_size: int
    tracker: str


def recording_key(path: Path, settings: Settings) -> str:
    """Of the file's bytes and the settings."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return content_key([FEATURES_VERSION, *astuple(settings), digest.hexdigest()])[:32]


def make_feature_shard(work: tuple[str, str, list[tuple[str, str]], Settings]) -> dict[str, Any]:
    """Listen to some recordings; write one shard, and what is known of each.

    Args:
        work: the place of the corpus, the shard's name, key and path of each recording, and the settings.
    Returns:
        "rows": of each recording, key, verdict, and what the doctor measured.
    """
    place, name, recordings, settings = work
    where = join(place, f"shards/{name}.tar")
    samples: list[tuple[str, dict[str, bytes]]] = []
    rows = []
    with _cache_of_its_own(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for key, path in recordings:
            row, pieces = _listen(Path(path), settings)
            rows.append({"key": key, "shard": name if pieces else "", "pieces": len(pieces), **row})
            samples += [(f"{key}-{index:04d}", piece) for index, piece in enumerate(pieces)]
    if samples:
        write_shard(where, samples)
    write_whole(join(place, f"shards/{name}.json"), json.dumps(rows).encode())
    return {"rows": rows}


def read_rows(place: str, name: str) -> list[dict[str, Any]] | None:
    """What is known of a shard's recordings; None where it is not there, or not whole."""
    where = join(place, f"shards/{name}.json")
    if not exists(where):
        return None
    try:
        with reading(where) as file:
            rows: list[dict[str, Any]] = json.loads(file.read())
    except ValueError:
        return None
    is_whole = all(not row["shard"] for row in rows) or exists(join(place, f"shards/{name}.tar"))
    return rows if is_whole else None


def read_takes(place: str, name: str) -> Iterator[tuple[str, Take]]:
    """The takes of a shard, and the key of the recording of each.

    Raises:
        InputError: the shard is cut, damaged or missing.
    """
    where = join(place, f"shards/{name}.tar")
    for sample, content in read_shard(where):
        try:
            with np.load(io.BytesIO(content["npz"]), allow_pickle=False) as file:
                arrays = {key: file[key] for key in file.files}
        except (KeyError, ValueError, OSError) as error:
            raise InputError(f"corpus: the shard {where} is damaged at {sample}; delete it, and the same command makes it "
                             "again.") from error
        yield sample.rpartition("-")[0], _take(sample, arrays)


def _listen(path: Path, settings: Settings) -> tuple[dict[str, Any], list[dict[str, bytes]]]:
    """The doctor's row, and the pieces; none where the recording is left out."""
    report = examine([path], settings.sample_rate, settings.hop_size, settings.tracker)
    if not report.files:
        return {"verdict": "left out", "reason": one_line(report.left_out[0].reason)}, []
    try:
        audio, _ = read_audio(path, settings.sample_rate)
        step = round(PIECE_S * settings.sample_rate) // settings.hop_size * settings.hop_size
        pieces = [_pack(audio[at : at + step], settings) for at in range(0, len(audio), step)
                  if len(audio) - at >= settings.sample_rate // 10 or at == 0]
    except InputError as error:
        return {"verdict": "left out", "reason": one_line(str(error))}, []
    except Exception as error:  # one recording never ends the others
        return {"verdict": "left out", "reason": one_line(f"{type(error).__name__}: {error}")}, []
    file = report.files[0]
    told = {"seconds": file.duration_s, **{name: getattr(file, name) for name in VERDICTS if name != "seconds"}}
    found = faults(Report(report.files, (), settings.sample_rate, settings.tracker))
    return {"verdict": "look again" if found else "good", "reason": " ".join(found),
            **{name: None if value is None else round(float(value), 4) for name, value in told.items()}}, pieces


def _pack(audio: np.ndarray, settings: Settings) -> dict[str, bytes]:
    heard = extract(audio, settings.sample_rate, settings.hop_size, settings.tracker)
    audio = np.pad(audio, (0, len(heard.f0_hz) * settings.hop_size - len(audio)))
    buffer = io.BytesIO()
    np.savez(buffer, f0_hz=heard.f0_hz.astype(np.float32), periodicity=heard.periodicity.astype(np.float32),
             loudness_db=heard.loudness_db.astype(np.float32), timbre=heard.timbre.astype(np.float16),
             partials=heard.partials.astype(np.float32), spectrum=(heard.spectrum * LOUDER).astype(np.float16),
             audio=np.clip(np.round(audio * 2**15), -(2**15), 2**15 - 1).astype(np.int16),
             frame_rate_hz=np.float64(heard.frame_rate_hz))
    return {"npz": buffer.getvalue()}


def _take(sample: str, arrays: dict[str, np.ndarray]) -> Take:
    features = Features(arrays["f0_hz"], arrays["periodicity"], arrays["loudness_db"], arrays["timbre"].astype(np.float32),
                        arrays["partials"], float(arrays["frame_rate_hz"]), arrays["spectrum"].astype(np.float32) / LOUDER)
    audio = arrays["audio"].astype(np.float32) / np.float32(2**15)
    return Take(Path(sample), audio, features, room="")


@contextmanager
def _cache_of_its_own() -> Iterator[None]:
    """What is found twice within a recording is kept for that long: a corpus would push all else out of the user's cache."""
    before = os.environ.get("DDSPVAE_CACHE")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DDSPVAE_CACHE"] = folder
        try:
            yield
        finally:
            if before is None:
                del os.environ["DDSPVAE_CACHE"]
            else:
                os.environ["DDSPVAE_CACHE"] = before
