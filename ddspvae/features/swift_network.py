"""SwiftF0's network in compiled loops, from the weights in its own package, whose runtime need not be started.

Only for the very file that this was written for: any other is run by its package.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ddspvae.features.listening_tables import hann_window
from ddspvae.kernels.frame_powers import frame_powers
from ddspvae.kernels.swift import BINS, CHANNELS, MARGIN, ROW, WIDE, Tile, read_candidates, run_layers

KNOWN_SHA256 = "6385e8c2ebc3872e82c9ff5946228de44cd3be77a750ea53698b7dbfe94b0a22"  # model.onnx of swift-f0 0.3
HOP = 256
WINDOWS = (1024, 2048, 512)
FILTERS = (("v123", "v124"), ("v241", "v242"), ("v342", "v343"))
LAYERS = (  # name of the weights, bins between two that are looked at
    ("v353", 1), ("v357", 1), ("v361", 1), ("v366", 17), ("v370", 17), ("v375", 27), ("v379", 27), ("v384", 40),
    ("v388", 40), ("v393", 48), ("v397", 48), ("v402", 2), ("v406", 2))
BINS_ASKED = (*[128] * 10, 108, 102, 96)  # for the 95 pitches, in each layer
CANDIDATES = ("v413", "v417", "v425")  # to four channels, four from these, one from these
SURE = ("v430", "v434")
N_PITCHES = 95
BLOCK_FRAMES = 128  # whose spectra a cache holds
REACH = 8  # frames that a frame looks to either side
LEAST = 1e-8  # magnitude
SILENT_PEAK = 1e-3  # of a hop: the model never saw silence, and answers with anything
GRAPH, CONSTANT, SHAPE, KIND, NAME, VALUES = 7, 5, 1, 2, 8, 9  # numbers of fields in ONNX's format
Floats = NDArray[np.float32]


class Layers(NamedTuple):
    """Of the convolutions to twelve channels, as `kernels.swift.run_layers` takes them."""

    n_bins: NDArray[np.int64]
    n_in: NDArray[np.int64]
    reaches: NDArray[np.int64]
    spreads: NDArray[np.int64]
    over_time: NDArray[np.int64]
    places: NDArray[np.int64]
    weights: Floats
    biases: Floats


class SwiftNetwork:
    """The network.

    Args:
        tensors: by name, as `read_tensors` finds them.
    """

    def __init__(self, tensors: dict[str, NDArray]) -> None:
        self._filters = []
        for size, (places, values) in zip(WINDOWS, FILTERS):
            filters = np.zeros((size // 2 + 1) * BINS, np.float32)
            filters[tensors[places].astype(np.int64)] = tensors[values]
            self._filters.append(filters.reshape(-1, BINS))
        kernels = [tensors[name] for name, _ in LAYERS]  # [out, in, bins, frames]
        wide = [kernel.shape[3] > 1 for kernel in kernels]
        # three rows at once: three frames of a channel, or three channels; then the twelve that come out, three weights each
        packed = [(kernel.transpose(2, 1, 0, 3) if over_time else
                   kernel[..., 0].reshape(CHANNELS, -1, 3, kernel.shape[2]).transpose(3, 1, 0, 2)).ravel()
                  for kernel, over_time in zip(kernels, wide)]
        sizes = np.array([kernel.shape[:3] for kernel in kernels])
        spreads = np.array([spread for _, spread in LAYERS])
        self._layers = Layers(np.array(BINS_ASKED), sizes[:, 1].copy(), sizes[:, 2] // 2, spreads, np.array(wide, np.int64),
                              np.cumsum([0, *map(len, packed[:-1])]), np.concatenate(packed),
                              np.stack([tensors[_bias(name)] for name, _ in LAYERS]))
        self._candidates = [(tensors[name], tensors[_bias(name)]) for name in CANDIDATES]
        self._sure = [(tensors[name], tensors[_bias(name)]) for name in SURE]
        self._log_hz = tensors["v455"]

    def __call__(self, audio_16k: Floats) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Pitch in Hz and how sure it is, every 16 ms, as `swift_f0.SwiftF0.detect` says them."""
        n_frames = max(len(audio_16k) // HOP, 1)
        heard = self._hear(audio_16k, n_frames)
        logits, most = np.empty((n_frames, N_PITCHES), np.float32), np.empty((n_frames, 4), np.float32)
        tile, found = Tile.empty(), np.empty((4, N_PITCHES, WIDE), np.float32)
        inlet, inner = tile.inlet.reshape(3, BINS, ROW)[:, :, MARGIN : MARGIN + WIDE], WIDE - 2 * REACH
        for first in range(0, n_frames, inner):
            low, high = max(first - REACH, 0), min(first + inner + REACH, n_frames)
            known = np.array([low - first + REACH, high - first + REACH])
            inlet[:] = 0
            inlet[:, :, known[0] : known[1]] = heard[:, low:high].transpose(0, 2, 1)
            run_layers(*self._layers, known, tile)
            read_candidates(tile, *self._candidates[0], N_PITCHES, found)
            n = min(inner, n_frames - first)
            here = found[:, :, REACH : REACH + n]
            logits[first : first + n] = np.tensordot(self._candidates[2][0][0, :, 0, 0], here, 1).T + self._candidates[2][1]
            most[first : first + n] = _spread_over_bins(here, *self._candidates[1]).max(axis=1).T
        level = heard.mean(axis=(0, 2), dtype=np.float32)
        return self._read_pitch(logits), self._read_sure(np.concatenate([most, level[:, None]], axis=1), audio_16k)

    def _hear(self, audio: Floats, n_frames: int) -> Floats:
        """Log magnitudes through filters, [3, F, BINS]."""
        heard = np.empty((len(WINDOWS), n_frames, BINS), np.float32)
        for size, filters, into in zip(WINDOWS, self._filters, heard):
            padded = np.zeros(n_frames * HOP + 2 * size, np.float32)
            padded[size // 2 : size // 2 + len(audio)] = audio[: len(padded) - size // 2]
            for first in range(0, n_frames, BLOCK_FRAMES):
                n = min(BLOCK_FRAMES, n_frames - first)
                power = frame_powers(padded[first * HOP :], hann_window(size), HOP, n, size)
                np.matmul(np.sqrt(power, out=power), filters, out=into[first : first + n])
        heard += np.float32(LEAST)
        return np.log(heard, out=heard)

    def _read_pitch(self, logits: Floats) -> NDArray[np.float64]:
        """The mean of the best pitch and its neighbours, by what speaks for each."""
        best, rows = logits.argmax(axis=1), np.arange(len(logits))
        near = best[:, None] + np.arange(-1, 2)
        padded = np.pad(logits, ((0, 0), (1, 1)), constant_values=-np.inf).astype(np.float64)
        weights = np.exp(padded[rows[:, None], near + 1] - logits[rows, best].astype(np.float64)[:, None])
        weights /= weights.sum(axis=1, keepdims=True)
        return np.asarray(np.exp((weights * self._log_hz[near.clip(0, N_PITCHES - 1)]).sum(axis=1)))

    def _read_sure(self, told: Floats, audio: Floats) -> NDArray[np.float64]:
        """From what speaks most for any pitch, and the level, [F, 5]; nothing is sure in silence."""
        (kernel, bias), (last, last_bias) = self._sure
        taps = np.lib.stride_tricks.sliding_window_view(np.pad(told, ((1, 1), (0, 0))), 3, axis=0).reshape(len(told), -1)
        hidden = np.maximum(taps @ kernel.reshape(len(kernel), -1).T + bias, 0)
        sure = 1 / (1 + np.exp(-(hidden @ last[0, :, 0] + last_bias).astype(np.float64)))
        n_whole = len(audio) // HOP
        peaks = np.abs(audio[: n_whole * HOP].reshape(-1, HOP) if n_whole else audio[None]).max(axis=1)
        sure[peaks < SILENT_PEAK] = 0
        return np.asarray(sure)


def _bias(name: str) -> str:
    return f"v{int(name[1:]) + 1}"


def _spread_over_bins(heard: Floats, kernel: Floats, bias: Floats) -> Floats:
    """A convolution over five bins, [4, N, F] to [4, N, F]."""
    padded = np.pad(heard, ((0, 0), (2, 2), (0, 0)))
    total = np.zeros_like(heard) + bias[:, None, None]
    for tap in range(kernel.shape[2]):
        total += np.tensordot(kernel[:, :, tap, 0], padded[:, tap : tap + heard.shape[1]], 1)
    return np.asarray(total)


def load_swift() -> SwiftNetwork | None:
    """The network, or None where the package is missing or holds another one."""
    spec = find_spec("swift_f0")
    path = Path(spec.origin).with_name("model.onnx") if spec is not None and spec.origin else None
    if path is None or not path.is_file():
        return None
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != KNOWN_SHA256:
        return None
    return SwiftNetwork(read_tensors(content))


def read_tensors(content: bytes) -> dict[str, NDArray]:
    """The constants of a model in ONNX's format, by name."""
    kinds: dict[int, type] = {1: np.float32, 6: np.int32, 7: np.int64, 11: np.float64}
    (graph,) = (value for number, value in _fields(memoryview(content)) if number == GRAPH)
    tensors = {}
    for number, tensor in _fields(graph):
        if number != CONSTANT:
            continue
        parts = list(_fields(tensor))
        shape = [_to_number(part) for at, part in parts if at == SHAPE]
        named = dict(parts)
        values: NDArray = np.frombuffer(named[VALUES], kinds[_to_number(named[KIND])])
        tensors[bytes(named[NAME]).decode()] = values.reshape(shape)
    return tensors


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Numbers and contents of the fields of a message in the format of Protocol Buffers."""
    at = 0
    while at < len(message):
        end = _end_of_number(message, at)
        key = _to_number(message[at:end])
        if key & 7 == 0:
            at, end = end, _end_of_number(message, end)
        elif key & 7 == 2:
            length, at = end, _end_of_number(message, end)
            end = at + _to_number(message[length:at])
        else:
            at, end = end, end + (8 if key & 7 == 1 else 4)
        yield key >> 3, message[at:end]
        at = end


def _end_of_number(message: memoryview, at: int) -> int:
    while message[at] > 127:  # seven bits a byte, and one that says whether more follow
        at += 1
    return at + 1


def _to_number(varint: memoryview) -> int:
    return sum((byte & 127) << 7 * place for place, byte in enumerate(varint))
