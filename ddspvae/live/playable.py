"""What a stream needs of whoever plays it."""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor

from ddspvae.audio import Audio
from ddspvae.features.statistics import Statistics
from ddspvae.live.networks import LiveNetworks
from ddspvae.model.autoencoder import Autoencoder
from ddspvae.model.config import ModelConfig
from ddspvae.signals import Performance
from ddspvae.synth.reverb import Room


class Playable(Protocol):
    """An instrument, as far as streams know it; what each part is stands there."""

    @property
    def model(self) -> Autoencoder: ...

    @property
    def config(self) -> ModelConfig: ...
    @property
    def statistics(self) -> Statistics: ...
    @property
    def axis_names(self) -> tuple[str, ...]: ...
    @property
    def live_networks(self) -> LiveNetworks: ...
    def adapt(self, performance: Performance) -> Performance: ...
    def room_and_response(self, dry: bool, ir: Audio | None, wet_db: float, decay: float
                          ) -> tuple[Room | None, Tensor | None]: ...


class LiveStream(Protocol):
    """What plays an instrument live, whatever it is made of; what each part is stands in `Stream`."""

    hop_size: int
    sample: int

    @property
    def sample_rate(self) -> int: ...
    @property
    def n_sounding(self) -> int: ...
    @property
    def follow_delay_s(self) -> float: ...
    def send(self, message: Any, offset: int = 0) -> None: ...
    def turn(self, axis: str, value: float) -> None: ...
    def feed(self, performance: Performance, voice: int = 0) -> None: ...
    def follow(self, f0_hz: float, periodicity: float, loudness_db: float) -> None: ...
    def read(self, n_samples: int) -> Audio: ...
