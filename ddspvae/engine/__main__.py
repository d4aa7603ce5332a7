"""Compile the loops that play and listen, ahead of the first time: `python -m ddspvae.engine`, half a minute, once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ddspvae.engine.ability import can_play
from ddspvae.engine.listener import Listener
from ddspvae.engine.live import LiveNetwork
from ddspvae.engine.live_player import LivePlayer
from ddspvae.engine.live_room import LiveRoom
from ddspvae.engine.network import FEW_STEPS, Network
from ddspvae.engine.playing import play_takes
from ddspvae.engine.shapes import listener_shapes, player_shapes
from ddspvae.features.extract import extract
from ddspvae.kernels.peaks import find_peak
from ddspvae.kernels.remembered import mean_of_notes
from ddspvae.model.config import ModelConfig
from ddspvae.model.form import axis_names
from ddspvae.signals import Performance
from ddspvae.synth.tails import RoomTail


def main() -> None:
    """Play a moment of an instrument that has learned nothing, by everything that a render compiles; and listen."""
    config = ModelConfig()
    if not can_play(config):
        return
    weights = {name: np.full(shape, 0.01, np.float32) for name, shape in player_shapes(config).items()}
    tail = RoomTail.learned(weights["room_energy"][0], weights["room_decay"][0])
    for n_rows in (2, FEW_STEPS):
        f0_hz, periodicity, loudness_db = (np.full(n_rows * config.frames_per_z, value, np.float32)
                                           for value in (440.0, 1.0, -30.0))
        take = Performance(f0_hz, periodicity, loudness_db, np.zeros((n_rows, config.n_z), np.float32),
                           axis_names(config.n_z), config.frame_rate_hz, config.frames_per_z)
        for sound in play_takes(Network(config, weights), [take], tail, tail.response(config.sample_rate)[None], 0, seed=0,
                                first_voice=0):
            find_peak(sound, 0.0)
    one, few = np.zeros(1), np.zeros(1, np.int64)
    mean_of_notes(np.zeros((1, 1), np.float32), few, few + 1, one + 1, one, one, 1.0, 1.0, 1.0, 1.0, 1.0, np.zeros((1, 1)))
    _stream(config, weights, tail, take)
    _listen(config, weights)


def _stream(config: ModelConfig, weights: dict[str, NDArray[np.float32]], tail: RoomTail, take: Performance) -> None:
    """A moment of a note and of a take, by everything that a stream compiles."""
    player = LivePlayer(LiveNetwork(config, weights), tail, 1)
    curve, one = np.ones((1, 3), np.float32), np.zeros(1, np.int64)
    frame = player.attack(one, 440 * curve, curve, -30 * curve, np.zeros((1, config.n_z), np.float32))
    sound, _ = player.harmonics(player.last, frame, player.phase, config.hop_size)
    player.replay(0, take, 0, 4, 3)
    room = LiveRoom(tail.response(config.sample_rate)[None], config.hop_size)
    room(sound[0] + player.noise(player.last, frame, 0, player.noise_keys, config.hop_size)[0])


def _listen(config: ModelConfig, weights: dict[str, NDArray[np.float32]]) -> None:
    """To a moment of a tone, by everything that an analysis compiles."""
    weights |= {name: np.full(shape, 0.01, np.float32) for name, shape in listener_shapes(config).items()}
    tone = np.sin(2 * np.pi * 440 * np.arange(config.sample_rate // 2) / config.sample_rate).astype(np.float32)
    Listener(config, weights).hear(extract(tone, config.sample_rate, config.hop_size, "swift", range_hz=(200.0, 800.0)))


if __name__ == "__main__":
    main()
