"""Recordings as takes, the split between them, and random crops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ddspvae.audio import Audio
from ddspvae.checks import InputError
from ddspvae.signals import Features
from ddspvae.units import hz_to_pitch

GAP_S = 2.0  # between the training part and the validation part of one long file
SURE = 0.5  # periodicity from which a frame has a pitch


@dataclass(frozen=True, eq=False)
class Take:
    """A recording or a part of one, analysed. `room` names the environment it was recorded in."""

    path: Path
    audio: Audio
    features: Features
    room: str

    def part(self, start_frame: int, stop_frame: int, hop_size: int) -> Take:
        """The frames from start to stop."""
        f, cut = self.features, slice(start_frame, stop_frame)
        features = Features(f.f0_hz[cut], f.periodicity[cut], f.loudness_db[cut], f.timbre[cut], f.frame_rate_hz)
        return Take(self.path, self.audio[start_frame * hop_size : stop_frame * hop_size], features, self.room)

    @property
    def n_frames(self) -> int:
        """Frames in the take."""
        return len(self.features.f0_hz)

    @property
    def median_pitch(self) -> float:
        """MIDI number of the typical sure frame."""
        sure = self.features.periodicity >= SURE
        return float(np.median(hz_to_pitch(self.features.f0_hz[sure]))) if sure.any() else 0.0


def split(takes: Sequence[Take], hop_size: int) -> tuple[list[Take], list[Take]]:
    """Training and validation takes: by recording, about a tenth, pitches inside the range.

    A recording that is more than a fifth of the whole is not given away: it gives its last tenth, after a gap
    of 2 s, so that phrases are validated beside single notes.
    """
    total = sum(take.n_frames for take in takes)
    ordered = sorted(takes, key=lambda take: (take.median_pitch, str(take.path)))
    given: list[Take] = []
    for take in ordered[3:-1:7]:  # never the lowest or the highest
        if sum(g.n_frames for g in given) + take.n_frames <= 0.1 * total:
            given.append(take)
    training, validation = [], list(given)
    for take in takes:
        if any(take is g for g in given):
            continue
        border = take.n_frames - take.n_frames // 10
        stop = border - round(GAP_S * take.features.frame_rate_hz)
        if take.n_frames > 0.2 * total and stop > 0:
            training.append(take.part(0, stop, hop_size))
            validation.append(take.part(border, take.n_frames, hop_size))
        else:
            training.append(take)
    return training, validation or training


@dataclass(frozen=True, eq=False)
class Batch:
    """Crops: audio [B, T], curves [B, F, 1], timbre [B, F, C], room index [B], sounding [B, F]."""

    audio: Tensor
    f0_hz: Tensor
    periodicity: Tensor
    loudness_db: Tensor
    timbre: Tensor
    room: Tensor

    def to(self, device: torch.device) -> Batch:
        """Move to a device."""
        return Batch(*(getattr(self, name).to(device) for name in self.__dataclass_fields__))


class Crops:
    """Draws crops of n_frames frames, each frame of the training set as likely as any other.

    Takes shorter than a crop are padded with their own silence. Raises InputError when all takes together are
    shorter than one crop.
    """

    def __init__(self, takes: Sequence[Take], rooms: Sequence[str], n_frames: int, hop_size: int) -> None:
        self.takes, self.rooms, self.n_frames, self.hop_size = list(takes), list(rooms), n_frames, hop_size
        seconds = sum(t.n_frames / t.features.frame_rate_hz for t in takes)
        needed = n_frames / takes[0].features.frame_rate_hz if takes else 0.0
        if seconds < needed:
            raise InputError(f"train: the recordings hold {seconds:.1f} s in all, one training window is {needed:.1f} s; "
                             "record more (5 to 20 minutes are good).")
        lengths = np.array([max(t.n_frames - n_frames + 1, n_frames // 4) for t in takes], dtype=float)
        self.weights = lengths / lengths.sum()

    def draw(self, n_crops: int, random: np.random.Generator) -> Batch:
        """n_crops random crops."""
        picks = random.choice(len(self.takes), size=n_crops, p=self.weights)
        rows = [self.crop(self.takes[i], int(random.integers(0, max(1, self.takes[i].n_frames - self.n_frames + 1))))
                for i in picks]
        return Batch(*(torch.stack(column) for column in zip(*rows)))

    def crop(self, take: Take, start: int) -> tuple[Tensor, ...]:
        """One crop, padded to its length if the take ends before."""
        f, stop = take.features, start + self.n_frames
        missing = max(0, stop - take.n_frames)

        def frames(curve: np.ndarray, fill: float | None = None) -> Tensor:
            part = curve[start:stop]
            width = [(0, missing)] + [(0, 0)] * (part.ndim - 1)
            part = np.pad(part, width, mode="edge") if fill is None else np.pad(part, width, constant_values=fill)
            return torch.from_numpy(np.ascontiguousarray(part))

        audio = take.audio[start * self.hop_size : stop * self.hop_size]
        audio = np.pad(audio, (0, self.n_frames * self.hop_size - len(audio)))
        return (torch.from_numpy(audio), frames(f.f0_hz)[:, None], frames(f.periodicity, 0.0)[:, None],
                frames(f.loudness_db, -120.0)[:, None], frames(f.timbre, -1.0),
                torch.tensor(self.rooms.index(take.room) if take.room in self.rooms else 0))
