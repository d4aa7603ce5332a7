"""What a stream needs of whoever plays it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from ddspvae.audio import Audio
from ddspvae.engine.frames import Array
from ddspvae.engine.live import LiveNetwork
from ddspvae.features.statistics import Statistics
from ddspvae.model.config import ModelConfig
from ddspvae.signals import Performance
from ddspvae.synth.tails import RoomTail

if TYPE_CHECKING:
    from ddspvae.live.networks import LiveNetworks


class Responding(Protocol):
    """The rooms of an instrument."""

    def response(self, dry: bool, ir: Audio | None, wet_db: float, decay: float) -> tuple[RoomTail | None, Array | None]: ...


class Playable(Protocol):
    """An instrument, as far as streams know it; what each part is stands there."""

    @property
    def config(self) -> ModelConfig: ...
    @property
    def statistics(self) -> Statistics: ...
    @property
    def axis_names(self) -> tuple[str, ...]: ...
    @property
    def rooms(self) -> Responding: ...
    @property
    def live_networks(self) -> LiveNetwork | LiveNetworks: ...
    def adapt(self, performance: Performance) -> Performance: ...


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
