"""The neural pitch trackers behind one signature, and the one guarded place that imports torchcrepe."""

from __future__ import annotations

import importlib
import importlib.metadata
import sys
import threading
import types
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddspvae.features.autocorrelation import RANGE_HZ, RATE_HZ, Track, autocorrelation
from ddspvae.features.paths import best_track
from ddspvae.signals.checks import InputError
from ddspvae.signals.registry import Registry

CREPE_HOP = 160  # 10 ms
CREPE_LOWEST_CENTS = 1997.3794084376191  # of bin 0, above 10 Hz
CREPE_CENTS_PER_BIN = 20.0
BATCH_FRAMES = 512
SWIFT_PIECE = 6 * RATE_HZ  # gives what the whole gives, in less memory and a tenth less time
_IMPORT_LOCK = threading.Lock()


@dataclass(frozen=True)
class Tracker:
    """A pitch tracker: audio [T] at 16 kHz in, a Track out; it hears range_hz only."""

    track: Callable[[NDArray], Track]
    range_hz: tuple[float, float]
    package: str = ""

    def version(self) -> str:
        """Of the library that holds the weights; empty if it is not installed or there is none."""
        try:
            return importlib.metadata.version(self.package) if self.package else ""
        except importlib.metadata.PackageNotFoundError:
            return ""


def swift(audio_16k: NDArray) -> Track:
    """SwiftF0 (lars76, 2025): a small convolutional network, 46.9 to 2093.8 Hz, every 16 ms.

    Args:
        audio_16k: [T] at 16 kHz.
    """
    from swift_f0 import concat

    stream, audio = _swift_detector().stream(), np.asarray(audio_16k, dtype=np.float32)
    pieces = [stream.push(audio[at : at + SWIFT_PIECE], RATE_HZ) for at in range(0, len(audio), SWIFT_PIECE)]
    result = concat([*pieces, stream.flush()])
    return Track(result.timestamps, np.maximum(result.pitch_hz, 1.0), np.clip(result.confidence, 0, 1))


@lru_cache(maxsize=1)
def _swift_detector() -> Any:
    from swift_f0 import SwiftF0

    return SwiftF0(threads=1, spin=False)


def crepe(audio_16k: NDArray, capacity: str) -> Track:
    """CREPE (Kim et al., ICASSP 2018), 31.7 to 2006 Hz, every 10 ms, decoded by Viterbi.

    torchcrepe's own decoding adds random cents to each frame; here the bins around the path are averaged
    instead, so that the same audio gives the same curve.

    Args:
        audio_16k: [T] at 16 kHz.
        capacity: "tiny" or "full".
    Raises:
        InputError: torchcrepe is not installed.
    """
    import torch

    from ddspvae.features.crepe import load_network

    torchcrepe = load_torchcrepe()
    network = load_network(torchcrepe, capacity)
    audio = torch.from_numpy(np.asarray(audio_16k, dtype=np.float32))[None]
    with torch.no_grad():
        batches = torchcrepe.preprocess(audio, RATE_HZ, CREPE_HOP, BATCH_FRAMES, "cpu", pad=True)
        salience = torch.cat([network(frames) for frames in batches]).numpy()
    path = best_track(np.log(salience + 1e-3), reach=12, slope=0.02, leap_cost=6.0)
    rows = np.arange(len(path))
    near = np.clip(path[:, None] + np.arange(-4, 5), 0, salience.shape[1] - 1)
    weights = salience[rows[:, None], near].astype(np.float64)
    cents = CREPE_LOWEST_CENTS + CREPE_CENTS_PER_BIN * (weights * near).sum(axis=1) / (weights.sum(axis=1) + 1e-12)
    return Track(rows * (CREPE_HOP / RATE_HZ), 10.0 * 2.0 ** (cents / 1200), np.clip(salience[rows, path], 0, 1))


def load_torchcrepe() -> Any:
    """Import torchcrepe, which imports torchaudio for one file reader that is never called here.

    torchaudio's last wheel does not load beside a CPU or a newer CUDA torch. Only then a stand-in takes its
    place while torchcrepe is imported, and is taken out again: the rest of the program never sees it.

    Raises:
        InputError: torchcrepe is not installed.
    """
    with _IMPORT_LOCK:
        stand_in = None
        if "torchcrepe" not in sys.modules:
            try:
                importlib.import_module("torchaudio")
            except (ImportError, OSError, RuntimeError):
                stand_in = types.ModuleType("torchaudio")
                # what its failed import left behind would be half a module
                for name in [name for name in sys.modules if name.split(".")[0] == "torchaudio"]:
                    del sys.modules[name]
                sys.modules["torchaudio"] = stand_in
        try:
            return importlib.import_module("torchcrepe")
        except ModuleNotFoundError as error:
            raise InputError(
                f"track_f0: the tracker crepe needs {error.name}, which is not installed; "
                "run: pip install 'ddspvae[crepe]'."
            ) from error
        finally:
            if stand_in is not None and sys.modules.get("torchaudio") is stand_in:
                del sys.modules["torchaudio"]


TRACKERS: Registry[Tracker] = Registry("tracker", {
    "swift": Tracker(swift, (46.875, 2093.75), "swift-f0"),
    "crepe": Tracker(partial(crepe, capacity="tiny"), (31.7, 2006.0), "torchcrepe"),
    "crepe-full": Tracker(partial(crepe, capacity="full"), (31.7, 2006.0), "torchcrepe"),
    "autocorrelation": Tracker(autocorrelation, RANGE_HZ),
})
