"""Which of many instruments: by name, between two, from one to another, or the one that plays in a recording."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ddspvae.audio import read_audio
from ddspvae.features.extract import extract
from ddspvae.features.statistics import measure
from ddspvae.model.autoencoder import Autoencoder
from ddspvae.model.encoder_inputs import EncoderInputs
from ddspvae.signals.checks import InputError, check_choice

OVER_TIME, BETWEEN = r"(?<![\\/.])\.\.(?![\\/.])", r"\+"  # two dots in a path are a folder


@dataclass(frozen=True, eq=False)
class Timbre:
    """One of many instruments.

    Args:
        codes: [2, G], that a score begins and ends with.
        card: what takes the place of the file's own: statistics, and the ranges of the note controls where known.
        room: a learned one.
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
    if asked in timbres:
        return _named(asked, timbres)
    if Path(asked).is_file():
        return _recorded(Path(asked), timbres, model, tracker)
    for sign in (OVER_TIME, BETWEEN):
        parts = re.split(sign, asked)
        if len(parts) > 2:
            raise InputError(f"load: {asked} names {len(parts)} instruments; give two, as in violin+flute or violin..flute.")
        if len(parts) == 2:
            first, last = (find_timbre(part, timbres, model, tracker) for part in parts)
            between = _between(first, last)
            if sign == BETWEEN:
                return between
            return Timbre(np.stack([first.codes[0], last.codes[1]]), between.card, first.room)
    if Path(asked).suffix or len(Path(asked).parts) > 1:
        raise InputError(f"load: no recording {asked}; name one of {', '.join(sorted(timbres))}, or a file that is there.")
    check_choice("load", "instrument", asked, timbres)
    return _named(asked, timbres)


def _named(name: str, timbres: Mapping[str, Mapping[str, Any]]) -> Timbre:
    found = timbres[name]
    code = np.array(found["code"], dtype=np.float32)
    card = {key: value for key, value in found.items() if key not in ("code", "room")}
    return Timbre(np.stack([code, code]), card, str(found["room"]))


@torch.no_grad()
def _recorded(path: Path, timbres: Mapping[str, Mapping[str, Any]], model: Autoencoder, tracker: str) -> Timbre:
    """The instrument that plays in a recording, in the room of the one that is most like it."""
    audio, rate = read_audio(path, model.config.sample_rate)
    features = extract(audio, rate, model.config.hop_size, tracker)
    code = model.timbre(EncoderInputs.of(features))[0].numpy()
    nearest = min(timbres.values(), key=lambda known: float(np.square(code - known["code"]).sum()))
    return Timbre(np.stack([code, code]), {"statistics": measure([features]).to_dict()}, str(nearest["room"]))


def _between(first: Timbre, last: Timbre) -> Timbre:
    """Halfway from one to the other, in code and in habits."""
    def mean(a: Any, b: Any) -> Any:
        return [mean(x, y) for x, y in zip(a, b)] if isinstance(a, list) else (a + b) / 2

    statistics = {key: mean(value, last.card["statistics"][key]) for key, value in first.card["statistics"].items()}
    return Timbre(((first.codes + last.codes) / 2).astype(np.float32), {"statistics": statistics}, first.room)
