"""A recording on disk to a performance, however long it is."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from ddspvae.audio import Audio, AudioFile, resample_blocks
from ddspvae.instrument.instrument import Instrument
from ddspvae.instrument.long_takes import analyze_in_stretches, is_long
from ddspvae.signals import Performance


def analyze_file(instrument: Instrument, path: str | Path, tracker: str | Path | None = None) -> Performance:
    """`instrument.analyze(*read_audio(path), tracker)`, the same numbers, without ever holding a long take.

    Args:
        path: of a sound file.
        tracker: as `Instrument.analyze` takes it.
    Raises:
        InputError: as `read_audio` and `Instrument.analyze`.
    """
    file, rate = AudioFile(path), instrument.config.sample_rate
    if file.mixing.said:
        warnings.warn(f"read_audio: {path}: {file.mixing.said}.", stacklevel=2)
    if instrument.config.n_timbre or not is_long(file.n_samples / file.sample_rate, tracker):
        return instrument.analyze(file.read(), file.sample_rate, tracker)
    return analyze_in_stretches(lambda piece: instrument.analyze(piece, rate, tracker),
                                resample_blocks(file.blocks(), file.sample_rate, rate), instrument.config)


def read_beginning(path: str | Path, seconds: float, quieter: float) -> tuple[Audio, int]:
    """As `read_audio`, of the first seconds that sound alone; all of it where none does.

    Args:
        quieter: peak of a block that does not sound yet, full scale +-1.
    Raises:
        InputError: as `read_audio`.
    """
    file = AudioFile(path)
    blocks: list[Audio] = []
    wanted = round(seconds * file.sample_rate)
    for block in file.blocks():
        if not blocks and not (np.abs(block) > quieter).any():
            continue
        blocks.append(block[:wanted])
        wanted -= len(blocks[-1])
        if not wanted:
            break
    return np.concatenate(blocks) if blocks else file.read(), file.sample_rate
