"""Exported networks beside the stream: what a host hears of the TorchScript file of nn~ and of the ONNX file.

    python benchmarks/exported_networks.py [--presets violin flute] [--seconds 1]

Curves with leaps, vibrato, swells and silence, and axes that move. Per preset: the largest difference to `Instrument.stream`
(full scale is 1) for the TorchScript file in blocks of 64 to 8192, in blocks of mixed sizes, and for `frame.onnx` by its own
example; the size of the files; and the processor time that the TorchScript file takes, over that of one voice of
`Instrument.stream`, in turns. Plucked instruments are refused by the export, and are left out.
"""

from __future__ import annotations

import argparse
import runpy
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

import ddspvae
from ddspvae.export.networks import export_network
from ddspvae.instrument.presets import read_cards
from ddspvae.signals.units import pitch_to_hz

HOP, DELAY = 240, 480
BLOCKS = ((64,), (128,), (256,), (512,), (1024,), (2048,), (4096,), (8192,), (64, 777, 100, 8192, 2048, 333))


def moving_curves(instrument: ddspvae.Instrument, n_frames: int) -> ddspvae.Performance:
    """Leaps, vibrato, swells, silence, and named axes that move; every number is one of float32."""
    random, frames = np.random.default_rng(0), np.arange(n_frames)
    low, high = instrument.statistics.pitch_low, instrument.statistics.pitch_high
    pitch = (low + high) / 2 + np.repeat(random.integers(-9, 9, -(-n_frames // 20)), 20)[:n_frames]
    pitch = (pitch + 0.2 * np.sin(frames / 6)).astype(np.float32)
    level = (0.1 * np.abs(np.sin(frames / 30)) + 0.001).astype(np.float32)
    level[24:32] = 0
    loudness_db = (20 * np.log10(np.maximum(level.astype(float), 1e-6))).astype(np.float32)
    z = np.zeros((n_frames // 4, len(instrument.axis_names)), np.float32)
    z[:, :4] = random.normal(size=(n_frames // 4, 4))
    return ddspvae.Performance(pitch_to_hz(pitch.astype(float)).astype(np.float32), (loudness_db > -90).astype(np.float32),
                               loudness_db, z, instrument.axis_names, instrument.config.frame_rate_hz,
                               instrument.config.frames_per_z, instrument.identity)


def streamed(instrument: ddspvae.Instrument, take: ddspvae.Performance) -> np.ndarray:
    """What the stream plays up to the last frame."""
    stream = instrument.stream(voices=1, dry=True, limit=False)
    stream.feed(take)
    return stream.read((take.n_frames - 1) * HOP)


def to_signals(take: ddspvae.Performance) -> torch.Tensor:
    """Pitch, loudness and axes at the sample rate, [1, 6, T]."""
    pitch = 69 + 12 * np.log2(take.f0_hz.astype(float) / 440)
    level = np.where(take.loudness_db > -120, 10 ** (take.loudness_db.astype(float) / 20), 0)
    rows = np.concatenate([pitch[:, None], level[:, None], np.repeat(take.z[:, :4], 4, axis=0)], axis=1)
    return torch.from_numpy(np.repeat(rows, HOP, axis=0).T.astype(np.float32).copy())[None]


def play_in_blocks(module: torch.jit.ScriptModule, signals: torch.Tensor, blocks: tuple[int, ...]) -> np.ndarray:
    """As a host does: block after block, the same number of voices."""
    module.reset(len(signals))
    sounds, at = [], 0
    with torch.inference_mode():
        while at < signals.shape[2]:
            n = blocks[len(sounds) % len(blocks)]
            sounds.append(module.decode(signals[:, :, at : at + n]))
            assert sounds[-1].shape == (len(signals), 1, min(n, signals.shape[2] - at))
            at += n
    return torch.cat(sounds, dim=2)[:, 0].numpy()


def timed(work: Callable[..., np.ndarray], *inputs: Any) -> tuple[np.ndarray, float]:
    """What it gives, and the processor's seconds."""
    began = time.process_time()
    return work(*inputs), time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--presets", nargs="+", help="default: all that are not plucked")
    parser.add_argument("--seconds", type=float, default=1.0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    print("| | nn~, most off | ONNX, most off | loudest sample | nn~, MB | frame.onnx, MB | nn~, times the stream |\n"
          "|---|---:|---:|---:|---:|---:|---:|")
    for name in args.presets or sorted(read_cards()):
        instrument = ddspvae.load(name)
        if instrument.plucks is not None and not args.presets:
            continue
        take = moving_curves(instrument, round(args.seconds * instrument.config.frame_rate_hz) // 4 * 4)
        signals = to_signals(take)
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            script = folder / "nn" / export_network(instrument, "nn", folder / "nn").main
            module = torch.jit.load(str(script))
            export_network(instrument, "onnx", folder / "onnx")
            play = runpy.run_path(str(folder / "onnx" / "play.py"))["play"]
            z = np.repeat(take.z, take.frames_per_z, axis=0)
            wanted = streamed(instrument, take)  # which opens what it needs
            off, ratios = [], []
            for blocks in BLOCKS:
                _, stream_s = timed(streamed, instrument, take)
                heard, nn_s = timed(play_in_blocks, module, signals, blocks)
                off.append(np.abs(heard[0, DELAY:] - wanted[: heard.shape[1] - DELAY]).max())
                ratios.append(nn_s / stream_s)
            heard = play(folder / "onnx", take.f0_hz, take.periodicity, take.loudness_db, z)
            sizes = [path.stat().st_size / 1e6 for path in (script, folder / "onnx" / "frame.onnx")]
        print(f"| {name} | {max(off):.1e} | {np.abs(heard - wanted).max():.1e} | {np.abs(wanted).max():.2f} | "
              f"{sizes[0]:.1f} | {sizes[1]:.1f} | {np.median(ratios):.1f} |", flush=True)


if __name__ == "__main__":
    main()
