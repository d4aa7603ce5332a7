"""A network as the numbers of its file: enough to play scores and streams, without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ddspvae.engine.shapes import listener_shapes, player_shapes
from ddspvae.instrument.presets import arrays_of
from ddspvae.model.by_room import settled_in
from ddspvae.model.config import ModelConfig
from ddspvae.signals import Features
from ddspvae.signals.checks import InputError

if TYPE_CHECKING:
    from ddspvae.model.autoencoder import Autoencoder


@dataclass(frozen=True, eq=False)
class Stored:
    """The weights of a model that is built when something must be heard or learned.

    Args:
        config: of the model.
        weights: by name.
        path: of the file, for messages.
    """

    config: ModelConfig
    weights: Mapping[str, NDArray[np.float32]]
    path: Path

    def build(self) -> Autoencoder:
        """The model.

        Raises:
            InputError: the weights do not fit the config.
        """
        import torch

        from ddspvae.model.autoencoder import Autoencoder

        model = Autoencoder(self.config)
        own = model.state_dict()
        if self.weights.keys() != own.keys() or any(self.weights[key].shape != tuple(own[key].shape) for key in own):
            raise self.misfit()
        model.load_state_dict({key: torch.from_numpy(weight) for key, weight in self.weights.items()})
        return model.eval()

    def settled_in(self, room: str | None) -> Stored:
        """As it plays in one of its rooms; None is the first, and so is a name that is none of them.

        Raises:
            InputError: as `check_player`, where rooms are told apart.
        """
        if not self.config.n_rooms_apart:
            return self
        self.check_player()
        rooms = self.config.rooms
        return replace(self, weights=settled_in(self.weights, rooms.index(room) if room in rooms else 0))

    def check_listener(self) -> None:
        """Raise InputError unless the weights that listen fit the config of a model that can without torch."""
        for name, shape in listener_shapes(self.config).items():
            if name not in self.weights or self.weights[name].shape != shape:
                raise self.misfit()

    def check_player(self) -> None:
        """Raise InputError unless the weights that play fit the config."""
        for name, shape in player_shapes(self.config).items():
            if name not in self.weights or self.weights[name].shape != shape:
                raise self.misfit()

    def misfit(self) -> InputError:
        """What to raise where they do not."""
        return InputError(f"load: the weights in {self.path} do not fit their own config; the file is damaged.")


def with_torch() -> ModuleType:
    """What an instrument does in torch, which takes longer to import than a short score to play."""
    from ddspvae.instrument import in_torch

    return in_torch


def hear_z(model: Autoencoder | Stored, features: Features) -> NDArray[np.float32]:
    """The z [M, Z] of a take, by a model that `engine.ability.can_listen`.

    Raises:
        InputError: the weights do not fit the config.
    """
    from ddspvae.engine.listener import Listener

    if isinstance(model, Stored):
        model.check_listener()
    return Listener(model.config, weights_of(model)).hear(features)


def weights_of(model: Autoencoder | Stored) -> Mapping[str, NDArray[np.float32]]:
    """A model's numbers by name, as they are now."""
    return model.weights if isinstance(model, Stored) else arrays_of(model.state_dict())
