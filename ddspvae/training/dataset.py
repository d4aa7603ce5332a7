"""Recordings as takes, the split between them, and random crops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ddspvae.audio import Audio
from ddspvae.features.f0 import VOICED
from ddspvae.model.encoder_inputs import EncoderInputs
from ddspvae.model.timbre import TimbreCode
from ddspvae.model.together import Share
from ddspvae.signals import Features
from ddspvae.signals.checks import InputError
from ddspvae.signals.units import DB_FLOOR, hz_to_pitch

MOST_TAKES = 2  # that make a code of a few seconds
GAP_S = 2.0  # between the training part and the validation part of one long file


@dataclass(frozen=True, eq=False)
class Take:
    """A recording or a part of one, analysed.

    Args:
        room: the environment it was recorded in.
        code: [G], of who plays, while a model of many instruments is trained.
        instrument: who plays, likewise.
        string_hz: the open string that it is plucked on; 0 where that is not known.
    """

    path: Path
    audio: Audio
    features: Features
    room: str
    code: Tensor | None = None
    instrument: str = ""
    string_hz: float = 0.0

    def part(self, start_frame: int, stop_frame: int, hop_size: int) -> Take:
        """The frames from start to stop."""
        audio = self.audio[start_frame * hop_size : stop_frame * hop_size]
        return replace(self, audio=audio, features=self.features.slice(start_frame, stop_frame))

    def heard(self, device: torch.device | str = "cpu") -> EncoderInputs:
        """As tensors, a batch of one."""
        return EncoderInputs.of(self.features, self.audio, device, self.code, self.room)

    @property
    def n_frames(self) -> int:
        """Frames in the take."""
        return len(self.features.f0_hz)

    @property
    def median_pitch(self) -> float:
        """MIDI number of the typical sure frame."""
        sure = self.features.periodicity >= VOICED
        return float(np.median(hz_to_pitch(self.features.f0_hz[sure]))) if sure.any() else 0.0


def split(takes: Sequence[Take], hop_size: int) -> tuple[list[Take], list[Take]]:
    """Training and validation takes: by recording, about a tenth, pitches inside the range.

    A recording that is more than a fifth of the whole is not given away: it gives its last tenth, after a gap
    of 2 s, so that phrases are validated beside single notes. Where that leaves nothing, the longest does.
    """
    total = sum(take.n_frames for take in takes)
    ordered = sorted(takes, key=lambda take: (take.median_pitch, str(take.path)))
    given: list[Take] = []
    for take in ordered[3:-1:7]:  # never the lowest or the highest
        if sum(g.n_frames for g in given) + take.n_frames <= 0.1 * total:
            given.append(take)
    longest = max(takes, key=lambda take: take.n_frames)
    training, validation = [], list(given)
    for take in takes:
        if any(take is g for g in given):
            continue
        if take.n_frames > 0.2 * total or (take is longest and not given):
            border = take.n_frames - max(1, take.n_frames // 10)
            gap = min(round(GAP_S * take.features.frame_rate_hz), border // 4)
            training.append(take.part(0, max(1, border - gap), hop_size))
            validation.append(take.part(border, take.n_frames, hop_size))
        else:
            training.append(take)
    return training, validation


@dataclass(frozen=True, eq=False)
class Batch:
    """Crops: what was heard, and the room index [B] of each."""

    heard: EncoderInputs
    room: Tensor

    def to(self, device: torch.device) -> Batch:
        """Move to a device."""
        return Batch(self.heard.to(device), self.room.to(device))


class Crops:
    """Draws crops of n_frames frames. A take is as likely as it is long; the first n_lead frames of a crop may lie
    before its take, in silence, so that attacks at the very start are heard after a loss's warm-up.

    Raises InputError when all takes together are shorter than one crop.

    Args:
        ear: of a model of many instruments, who are then drawn equally often; half of the crops come with the code of
            a few takes of theirs instead of all, as an instrument will have that is heard for seconds.
        said: what the ear gathers of each take, where that is known already.
    """

    def __init__(self, takes: Sequence[Take], rooms: Sequence[str], n_frames: int, n_lead: int, hop_size: int,
                 ear: TimbreCode | None = None, said: Sequence[tuple[Tensor, Tensor]] | None = None) -> None:
        self.takes, self.rooms, self.hop_size = list(takes), list(rooms), hop_size
        self.n_frames, self.n_lead = n_frames, n_lead
        self._width = max(take.features.spectrum.shape[1] for take in takes)  # of spectra: low takes have more harmonics
        lengths = np.array([take.n_frames for take in takes], dtype=float)
        rate = takes[0].features.frame_rate_hz
        if lengths.sum() < n_frames:
            raise InputError(f"train: the recordings hold {lengths.sum() / rate:.1f} s in all, one training window is "
                             f"{n_frames / rate:.1f} s; record more (5 to 20 minutes are good).")
        names = np.array([take.instrument for take in takes])
        for name in set(names):
            lengths[names == name] /= lengths[names == name].sum()
        self.weights = lengths / lengths.sum()
        self.ear = ear
        with torch.no_grad():
            self._said = () if ear is None else tuple(zip(*(said or (ear.gather(take.heard()) for take in takes))))
        self._own = {name: np.flatnonzero(names == name) for name in set(names)}

    def draw(self, n_crops: int, random: np.random.Generator, share: Share | None = None, step: int = 0) -> Batch:
        """n_crops random crops; of a batch that processes share, this one's; whatever the step."""
        rows, codes = [], []
        own = range(n_crops) if share is None else share.rows(n_crops)
        for row, index in enumerate(random.choice(len(self.takes), size=n_crops, p=self.weights)):
            take = self.takes[index]
            last = max(-self.n_lead, take.n_frames - self.n_frames)
            start, code = int(random.integers(-self.n_lead, last + 1)), self._code(take, random)
            if row in own:
                rows.append(self.crop(take, start))
                codes.append(code)
        f0_hz, sure, loudness_db, timbre, partials, audio, spectrum, room = (torch.stack(column) for column in zip(*rows))
        code = None if self.ear is None else torch.stack([one for one in codes if one is not None])
        return Batch(EncoderInputs(f0_hz, sure, loudness_db, timbre, partials, audio, spectrum, code, place=room), room)

    def _code(self, take: Take, random: np.random.Generator) -> Tensor | None:
        """Of the instrument, or of a few takes of it."""
        if self.ear is None or random.random() < 0.5:
            return take.code
        own = self._own[take.instrument]
        few = random.choice(own, size=min(len(own), MOST_TAKES), replace=False)
        total, weight = (torch.cat([said[index] for index in few]).sum(0, keepdim=True) for said in self._said)
        return self.ear.place(total, weight)[0]

    def crop(self, take: Take, start: int) -> tuple[Tensor, ...]:
        """The fields of EncoderInputs, and the room; from frame start on. Before the take and after it is silence."""
        f, stop = take.features, start + self.n_frames
        inside = slice(max(0, start), min(stop, take.n_frames))
        around = (max(0, -start), max(0, stop - take.n_frames))

        def frames(curve: np.ndarray, fill: float | None = None) -> Tensor:
            width = [around] + [(0, 0)] * (curve.ndim - 1)
            if fill is None:
                return torch.from_numpy(np.pad(curve[inside], width, mode="edge"))
            return torch.from_numpy(np.pad(curve[inside], width, constant_values=fill))

        audio = take.audio[inside.start * self.hop_size : inside.stop * self.hop_size]
        audio = np.pad(audio, (around[0] * self.hop_size, around[1] * self.hop_size))
        spectrum = frames(f.spectrum, 0.0)
        spectrum = torch.nn.functional.pad(spectrum, (0, self._width - spectrum.shape[1]))
        return (frames(f.f0_hz)[:, None], frames(f.periodicity, 0.0)[:, None], frames(f.loudness_db, DB_FLOOR)[:, None],
                frames(f.timbre, -1.0), frames(f.partials), torch.from_numpy(audio), spectrum,
                torch.tensor(self.rooms.index(take.room) if take.room in self.rooms else 0))
