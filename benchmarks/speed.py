"""How fast a render is: harmonics against a plain oscillator bank, and the whole chain against real time.

    python benchmarks/speed.py

The baseline for a faster engine, not a claim: the contestants take turns in one process; medians of 7 after one
warm-up, as ratios. Absolute times mean nothing on a shared machine; times real time are printed for orientation.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch

from ddspvae import load, read_midi
from ddspvae.synth.constrain import constrain_distribution
from ddspvae.synth.envelopes import crossfade, frame_phase, next_frame
from ddspvae.synth.harmonic import harmonic

SAMPLE_RATE, HOP_SIZE, SECONDS, N_HARMONICS = 48_000, 240, 10, 100


def plain_bank(f0_hz: torch.Tensor, amplitude: torch.Tensor, distribution: torch.Tensor) -> torch.Tensor:
    """One sine a harmonic in float32, phase and envelopes as in ours."""
    heights = amplitude * constrain_distribution(distribution, f0_hz, SAMPLE_RATE)
    after = next_frame(heights)
    phase = (2 * torch.pi * frame_phase(f0_hz, SAMPLE_RATE, HOP_SIZE)).float()
    weight = crossfade(HOP_SIZE, heights)
    audio = torch.zeros_like(phase)
    for k in range(N_HARMONICS):
        audio += torch.lerp(heights[..., k : k + 1], after[..., k : k + 1], weight) * torch.sin((k + 1) * phase)
    return audio.flatten(1)


def main() -> None:
    """Print the table."""
    n_frames = SECONDS * SAMPLE_RATE // HOP_SIZE
    f0_hz = 220 * 2 ** (torch.sin(torch.arange(n_frames) / 5) / 24)[None, :, None]
    amplitude = torch.ones(1, n_frames, 1)
    distribution = torch.ones(1, n_frames, N_HARMONICS) / N_HARMONICS
    violin = load("violin")
    performance = violin.perform(read_midi(Path(__file__).parent.parent / "examples" / "melody.mid")[0])
    contestants: dict[str, tuple[Callable[[], object], float]] = {
        "harmonics, ours": (lambda: harmonic(f0_hz, amplitude, distribution, SAMPLE_RATE, HOP_SIZE), SECONDS),
        "harmonics, plain bank": (lambda: plain_bank(f0_hz, amplitude, distribution), SECONDS),
        "violin: decoder, level, harmonics, noise, room": (lambda: violin.resynthesize(performance),
                                                           performance.duration_s),
    }
    for threads in (1, 2):
        torch.set_num_threads(threads)
        times: dict[str, list[float]] = {name: [] for name in contestants}
        with torch.inference_mode():
            for _ in range(8):
                for name, (play, _) in contestants.items():
                    began = time.perf_counter()
                    play()
                    times[name].append(time.perf_counter() - began)
        medians = {name: statistics.median(values[1:]) for name, values in times.items()}
        print(f"\n{threads} thread{'s' * (threads > 1)}\n\n| | times real time | against the plain bank |\n|---|---|---|")
        bank = medians["harmonics, plain bank"] / SECONDS
        for name, (_, seconds) in contestants.items():
            against = f"{bank / (medians[name] / seconds):.1f}"
            print(f"| {name} | {seconds / medians[name]:.0f} | {against} |")


if __name__ == "__main__":
    main()
