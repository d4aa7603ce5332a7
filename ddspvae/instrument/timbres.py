"""Which of many instruments: by name, between two, from one to another, or the one that plays in a recording."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
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
from ddspvae.plucked.recognise import SURE_SHARE, plucked_share
from ddspvae.signals.checks import InputError, check_choice

OVER_TIME, BETWEEN = r"(?<![\\/.])\.\.(?![\\/.])", r"\+"  # two dots in a path are a folder


@dataclass(frozen=True, eq=False)
class Timbre:
    """One of many instruments.

    Args:
        codes: [2, G], that a score begins and ends with.
        card: what takes the place of the file's own: statistics, and the ranges of the note controls where known.
        room: a learned one.
        shares: of each instrument whose notes it plays, where a score begins and where it ends; the rest to 1 is held.
    """

    codes: NDArray[np.float32]
    card: Mapping[str, Any]
    room: str
    shares: tuple[Mapping[str, float], Mapping[str, float]]

    @property
    def is_steady(self) -> bool:
        """Whether it stays the same."""
        return bool(np.array_equal(*self.codes))


def find_timbre(asked: str, timbres: Mapping[str, Mapping[str, Any]], model: Autoencoder, tracker: str) -> Timbre:
    """What is meant by "violin", "violin+flute", "violin*0.5+flute*0.3+cello*0.2", "violin..flute" or "take.wav".

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
    ends = re.split(OVER_TIME, asked)
    if len(ends) > 2:
        raise InputError(f"load: {asked} turns into {len(ends)} instruments; give two, as in violin..flute.")
    if len(ends) == 2:
        first, last = (find_timbre(part, timbres, model, tracker) for part in ends)
        return Timbre(np.stack([first.codes[0], last.codes[1]]), _blend([first, last], [1.0, 1.0]).card, first.room,
                      (first.shares[0], last.shares[1]))
    blended = [_split_weight(part) for part in re.split(BETWEEN, asked)]
    if len(blended) > 1 or blended[0][1] is not None:
        weights = [1.0 if weight is None else weight for _, weight in blended]
        if not sum(weights) > 0:
            raise InputError(f"load: the weights in {asked} must not all be 0.")
        return _blend([find_timbre(part, timbres, model, tracker) for part, _ in blended], weights)
    if Path(asked).suffix or len(Path(asked).parts) > 1:
        raise InputError(f"load: no recording {asked}; name one of {', '.join(sorted(timbres))}, or a file that is there.")
    check_choice("load", "instrument", asked, timbres)
    return _named(asked, timbres)


def _named(name: str, timbres: Mapping[str, Mapping[str, Any]]) -> Timbre:
    found = timbres[name]
    code = np.array(found["code"], dtype=np.float32)
    card = {key: value for key, value in found.items() if key not in ("code", "room")}
    return Timbre(np.stack([code, code]), card, str(found["room"]), ({name: 1.0}, {name: 1.0}))


@torch.no_grad()
def _recorded(path: Path, timbres: Mapping[str, Mapping[str, Any]], model: Autoencoder, tracker: str) -> Timbre:
    """The instrument that plays in a recording, in the room of the one that is most like it."""
    audio, rate = read_audio(path, model.config.sample_rate)
    features = extract(audio, rate, model.config.hop_size, tracker)
    known = torch.tensor([one["code"] for one in timbres.values()])
    code = model.timbre.hear([EncoderInputs.of(features)], known).numpy()
    nearest = _nearest(code, timbres)
    ringing = {name: one for name, one in timbres.items() if "plucked" in one}
    falls = bool(ringing) and plucked_share([features]) >= SURE_SHARE
    shares = {_nearest(code, ringing): 1.0} if falls else {}
    return Timbre(np.stack([code, code]), {"statistics": measure([features]).to_dict()}, str(timbres[nearest]["room"]),
                  (shares, shares))


def _nearest(code: NDArray[np.floating], timbres: Mapping[str, Mapping[str, Any]]) -> str:
    return min(timbres, key=lambda name: float(np.square(code - timbres[name]["code"]).sum()))


def _split_weight(asked: str) -> tuple[str, float | None]:
    """An instrument and its share: "violin*0.5"; None where none is given."""
    found = re.fullmatch(r"(.+)\*(\d+(?:\.\d*)?|\.\d+)", asked)
    if found is None and re.search(r"\*[^*/\\]*$", asked):
        raise InputError(f"load: {asked} must look like violin*0.5, with a number of 0 or more behind the star.")
    return (asked, None) if found is None else (found.group(1), float(found.group(2)))


def _blend(timbres: Sequence[Timbre], weights: Sequence[float]) -> Timbre:
    """Between several, in code and in habits, in the room of the first; weights are shares of their sum."""
    shares = np.array(weights) / np.sum(weights)

    def mean(values: Sequence[Any]) -> Any:
        if isinstance(values[0], list):
            return [mean(row) for row in zip(*values)]
        return sum(share * value for share, value in zip(shares.tolist(), values))

    cards = [timbre.card["statistics"] for timbre in timbres]
    statistics = {key: mean([card[key] for card in cards]) for key in cards[0]}
    codes = np.tensordot(shares, np.stack([timbre.codes for timbre in timbres]), axes=1).astype(np.float32)
    begins, ends = ({name: sum(share * timbre.shares[at].get(name, 0.0) for share, timbre in zip(shares.tolist(), timbres))
                     for timbre in timbres for name in timbre.shares[at]} for at in (0, 1))
    return Timbre(codes, {"statistics": statistics}, timbres[0].room, (begins, ends))
