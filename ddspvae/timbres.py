"""Which of many instruments: by name, between two, from one to another, or the one that plays in a recording."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ddspvae.audio import read_audio
from ddspvae.checks import check_choice
from ddspvae.features.extract import extract
from ddspvae.features.statistics import measure
from ddspvae.model.autoencoder import Autoencoder
from ddspvae.model.heard import Heard

OVER_TIME, BETWEEN = "..", "+"


@dataclass(frozen=True, eq=False)
class Timbre:
    """One of many instruments.

    Args:
        codes: [2, G], that a score begins and ends with.
        card: what takes the place of the file's own: statistics, and the ranges of the note controls where known.
        room: a learned one, or empty.
    """

    codes: NDArray[np.float32]
    card: Mapping[str, Any]
    room: str

    @property
    def is_steady(self) -> bool:
        """Whether it stays the same."""
        return bool(np.array_equal(*self.codes))


def find_timbre(asked: str, timbres: Mapping[str, Mapping[str, Any]], model: Autoencoder, tracker: str) -> Timbre:
    """What is meant by "violin", "violin+flute", "violin..flute" or "take.wav".

    Args:
        asked: any of these.
        timbres: by name, what the file says of each.
        model: that hears the code of a recording.
        tracker: of f0 in a recording.
    Raises:
        InputError: no such instrument, or a recording that cannot be read or holds no pitch.
    """
    if OVER_TIME in asked and not Path(asked).is_file():
        first, last = (find_timbre(one, timbres, model, tracker) for one in asked.split(OVER_TIME, 1))
        between = _between(first, last)
        return Timbre(np.stack([first.codes[0], last.codes[0]]), between.card, first.room)
    if BETWEEN in asked and not Path(asked).is_file():
        first, last = (find_timbre(one, timbres, model, tracker) for one in asked.split(BETWEEN, 1))
        return _between(first, last)
    if asked not in timbres and Path(asked).suffix:
        return _heard(Path(asked), model, tracker)
    check_choice("load", "instrument", asked, sorted(timbres))
    found = timbres[asked]
    code = np.array(found["code"], dtype=np.float32)
    card = {key: value for key, value in found.items() if key not in ("code", "room")}
    return Timbre(np.stack([code, code]), card, str(found["room"]))


@torch.no_grad()
def _heard(path: Path, model: Autoencoder, tracker: str) -> Timbre:
    """The instrument that plays in a recording."""
    audio, rate = read_audio(path, model.config.sample_rate)
    features = extract(audio, rate, model.config.hop_size, tracker)
    code = model.timbre(Heard.of(features))[0].numpy()
    return Timbre(np.stack([code, code]), {"statistics": measure([features]).to_dict()}, "")


def _between(first: Timbre, last: Timbre) -> Timbre:
    """Halfway from one to the other, in code and in habits."""
    def mean(a: Any, b: Any) -> Any:
        return [mean(x, y) for x, y in zip(a, b)] if isinstance(a, list) else (a + b) / 2

    statistics = {key: mean(value, last.card["statistics"][key]) for key, value in first.card["statistics"].items()}
    return Timbre(((first.codes + last.codes) / 2).astype(np.float32), {"statistics": statistics}, first.room)
