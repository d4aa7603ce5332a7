"""Features as tensors, for a batch of takes: all that an encoder may hear."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ddspvae.audio import Audio
from ddspvae.signals import Features


@dataclass(frozen=True, eq=False)
class EncoderInputs:
    """What was heard of B takes.

    Args:
        f0_hz, periodicity, loudness_db: [B, F, 1].
        timbre: [B, F, C], level-normalised log-mel frames.
        partials: [B, F, N_PARTIALS + 1], see features.partials.
        audio: [B, F * hop_size], full scale +-1; [B, 0] where it is not kept.
        spectrum: [B, F, K + H], see features.spectrum; [B, F, 0] where it is not kept.
        code: [B, G], of who plays, for a model of many instruments; None hears it in the takes.
        room: where it was recorded, at one gain and with one microphone; "" is not known.
        place: [B], which of a model's rooms that is, in a batch of several; None goes by `room`.
    """

    f0_hz: Tensor
    periodicity: Tensor
    loudness_db: Tensor
    timbre: Tensor
    partials: Tensor
    audio: Tensor
    spectrum: Tensor
    code: Tensor | None = None
    room: str = ""
    place: Tensor | None = None

    @classmethod
    def of(cls, features: Features, audio: Audio | None = None, device: torch.device | str = "cpu",
           code: Tensor | None = None, room: str = "") -> EncoderInputs:
        """Of one take, who plays it, [G], and where; audio [F * hop_size] is wanted by encoders of waveforms alone."""
        def tensor(array: np.ndarray) -> Tensor:
            return torch.from_numpy(np.array(array))[None].to(device)

        f0_hz, periodicity, loudness_db = (tensor(curve)[..., None] for curve in (
            features.f0_hz, features.periodicity, features.loudness_db))
        sound = np.zeros(0, dtype=np.float32) if audio is None else np.asarray(audio, dtype=np.float32)
        return cls(f0_hz, periodicity, loudness_db, tensor(features.timbre), tensor(features.partials), tensor(sound),
                   tensor(features.spectrum), None if code is None else code[None].to(device), room)

    @property
    def curves(self) -> tuple[Tensor, Tensor, Tensor]:
        """f0_hz, periodicity, loudness_db."""
        return self.f0_hz, self.periodicity, self.loudness_db

    def to(self, device: torch.device) -> EncoderInputs:
        """Move to a device."""
        return EncoderInputs(self.f0_hz.to(device), self.periodicity.to(device), self.loudness_db.to(device),
                             self.timbre.to(device), self.partials.to(device), self.audio.to(device),
                             self.spectrum.to(device), None if self.code is None else self.code.to(device), self.room,
                             None if self.place is None else self.place.to(device))
