"""What plays a stream here: compiled loops where there is a compiler and all parts are the package's own, else torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ddspvae.engine.ability import can_play
from ddspvae.engine.frames import Array
from ddspvae.engine.live import LiveNetwork
from ddspvae.engine.live_player import LivePlayer
from ddspvae.engine.live_room import LiveRoom
from ddspvae.kernels.compiler import HAS_COMPILER
from ddspvae.live.player import Player
from ddspvae.model.config import ModelConfig
from ddspvae.synth.tails import RoomTail

if TYPE_CHECKING:
    from ddspvae.live.networks import LiveNetworks
    from ddspvae.model.autoencoder import Autoencoder


def networks_of(config: ModelConfig, weights: Callable[[], Mapping[str, Array]], model: Callable[[], Autoencoder]
                ) -> LiveNetwork | LiveNetworks:
    """What streams of an instrument run once a frame, whatever it is made of: its weights alone, or its model in torch."""
    if can_play(config):
        return LiveNetwork(config, weights())
    from ddspvae.live.networks import LiveNetworks

    return LiveNetworks.of(model())


def open_player(networks: LiveNetwork | LiveNetworks, tail: RoomTail | None, n_voices: int, seed: int) -> Player:
    """Voices that have played nothing."""
    if isinstance(networks, LiveNetwork):
        return LivePlayer(networks, tail, n_voices, seed)
    from ddspvae.live.torch_voices import TorchPlayer

    return TorchPlayer(networks, tail, n_voices, seed)


def open_room(response: Array, hop_size: int) -> Callable[[Array], Array]:
    """What plays mono samples [T] in a room [R, L], to [R, T], piece by piece."""
    if HAS_COMPILER:
        return LiveRoom(response, hop_size)
    import torch

    from ddspvae.synth.convolve import Convolver

    convolver = Convolver(torch.from_numpy(response), hop_size)

    def play(dry: Array) -> Array:
        with torch.inference_mode():
            wet: Array = convolver(torch.from_numpy(dry)[None]).numpy()
        return wet

    return play
