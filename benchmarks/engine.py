"""How fast the engine is, offline, in training and live, against oscillator banks and the decoder of the DDSP paper.

    python benchmarks/engine.py [--only offline|training|streaming] [--out engine.json] [--readme README.md]

The contestants take turns in one process: medians of 7 rounds after one that is not counted. Absolute times mean little
on a machine that is shared; the ratios are the result. All rows are measured; one that would need more than 8 GB or
minutes is left out and says so, and forward + backward ends at 10 s. The last table is the README's. It takes about a
quarter of an hour on two cores.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # two threads that spin beside other work measure that work

import mido
import numpy as np
import torch
from reference import N_HARMONICS, Reference, best_bank, factored_bank, plain_bank, plain_noise, plain_reverb
from torch import Tensor

from ddspvae import load
from ddspvae.features.attributes import N_PARTIALS
from ddspvae.features.band_tables import N_NOISE_BANDS
from ddspvae.features.listening_tables import N_MELS
from ddspvae.instrument.instrument import Instrument
from ddspvae.model.autoencoder import Autoencoder
from ddspvae.model.config import ModelConfig
from ddspvae.model.encoder_inputs import EncoderInputs
from ddspvae.signals import Note, Notes, Performance
from ddspvae.signals.jobs import on_cores
from ddspvae.synth.convolve import fft_convolve
from ddspvae.synth.harmonic import harmonic
from ddspvae.synth.noise import filtered_noise
from ddspvae.synth.reverb import impulse_response
from ddspvae.training.dataset import Batch
from ddspvae.training.losses import fft_sizes, spectral_loss
from ddspvae.training.trainer import WARMUP_FRAMES, training_loss

N_VOICES = 8
MOST_BYTES = 8e9
WITH_BACKWARD = ", forward + backward"
LONGEST_SLOW_S = 10  # of forward + backward, and of eight voices by the reference: a minute takes longer than all the rest
PLAIN_BANK_ARRAYS = 3.1  # of every harmonic at every sample that it holds at its peak (resident size, measured)
TURN_S = 0.05
BATCH_SIZE, CROP_S = 8, 2
STREAM_BLOCKS, STREAM_VOICES = (32, 64, 128, 256, 512), (1, 4, 8, 16, 32, 64)
RESTART_S = 2.0  # every voice of a stream is struck again after so long, one after the other
STREAM_WARMUP_S = 1.0  # not counted
GIVE_UP_S = 3.0  # of computing, for streams that are slower than real time
MARKS = ("<!-- benchmarks/engine.py -->", "<!-- end -->")
RATIOS = {"plain bank": "against plain bank", "best bank": "against best bank", "reference": "against reference"}


@dataclass(frozen=True)
class Contestant:
    """One way to do one part of the work.

    Args:
        part: what is done; only contestants of the same part are compared.
        who: ours, plain bank, best bank, factored bank, or reference.
        seconds: of sound, however many voices are in it.
        play: does it once.
        left_out: why it is not played, where it is not.
    """

    part: str
    who: str
    seconds: float
    play: Callable[[], object]
    left_out: str = ""


def too_large(seconds: float, sample_rate: int) -> str:
    """Why a plain bank is left out, if it is."""
    n_bytes = PLAIN_BANK_ARRAYS * 4 * N_HARMONICS * seconds * sample_rate
    return f"would need {n_bytes / 1e9:.0f} GB" if n_bytes > MOST_BYTES else ""


def take_turns(contestants: Sequence[Contestant], rounds: int) -> dict[tuple[str, str], float]:
    """Median seconds of each, in turns; the first round is not counted.

    Short work is done over and over until a turn has lasted TURN_S.
    """
    playing = [c for c in contestants if not c.left_out]
    times: list[list[float]] = [[] for _ in playing]
    for _ in range(1 + rounds):
        for contestant, taken in zip(playing, times):
            n = math.ceil(TURN_S / taken[0]) if taken else 1
            began = time.perf_counter()
            for _ in range(n):
                contestant.play()
            taken.append((time.perf_counter() - began) / n)
    return {(c.part, c.who): statistics.median(taken[1:]) for c, taken in zip(playing, times)}


def compare(contestants: Sequence[Contestant], rounds: int, threads: int) -> list[dict[str, Any]]:
    """Rows of a table: times real time, and how many times as fast as the others of the same part."""
    torch.set_num_threads(threads)
    with on_cores(threads):
        medians = take_turns(contestants, rounds)
    rows = []
    for c in contestants:
        row: dict[str, Any] = {"threads": threads, "seconds": c.seconds, "part": c.part, "who": c.who}
        median_s = medians.get((c.part, c.who))
        if median_s is None:
            row["left out"] = c.left_out
        else:
            row |= {"ms": 1e3 * median_s, "times real time": c.seconds / median_s}
            row |= {column: medians[c.part, other] / median_s for other, column in RATIOS.items()
                    if other != c.who and (c.part, other) in medians}
        rows.append(row)
    return rows


def print_comparison(title: str, rows: Sequence[dict[str, Any]]) -> None:
    """As Markdown."""
    columns = ["ms", "times real time", *RATIOS.values()]
    print(f"\n### {title}\n\n| | | {' | '.join(columns)} |\n|---|---|{'---:|' * len(columns)}")
    for row in rows:
        cells = [row["left out"], *[""] * (len(columns) - 1)] if "left out" in row else [
            f"{row[column]:.{2 if row[column] < 10 else 1 if row[column] < 100 else 0}f}" if column in row else ""
            for column in columns]
        print(f"| {row['part']} | {row['who']} | {' | '.join(cells)} |", flush=True)


def forward(function: Callable[..., object], *args: object) -> Callable[[], object]:
    """A call without gradients."""
    return torch.inference_mode()(partial(function, *args))


def backward(leaves: Sequence[Tensor], function: Callable[..., Any], *args: object) -> Callable[[], object]:
    """A call and the gradients of all it returns."""

    def learn() -> object:
        result = function(*args)
        outputs = [result] if isinstance(result, Tensor) else list(result)
        return torch.autograd.grad(outputs, leaves, [torch.ones_like(x) for x in outputs], allow_unused=True)

    return learn


def play_line(instrument: Instrument, seconds: float, transpose: int = 0) -> Performance:
    """A performance without a rest, because rests may cost nothing: bound notes up and down a scale."""
    length_s, scale = 0.3, (0, 2, 4, 5, 7, 9, 11, 12, 11, 9, 7, 5, 4, 2)
    lowest = math.ceil(instrument.statistics.pitch_low) + 2 + transpose
    notes = tuple(Note(lowest + scale[i % len(scale)], 80, i * length_s, (i + 1) * length_s)
                  for i in range(math.ceil(seconds / length_s) + 1))
    return instrument.perform(Notes(notes)).slice(0, seconds)


def synth_contestants(instrument: Instrument, reference: Reference, seconds: float) -> list[Contestant]:
    """Harmonics, noise and room by themselves; all harmonics sound."""
    sample_rate, hop_size = instrument.config.sample_rate, instrument.config.hop_size
    n_frames = round(seconds * sample_rate / hop_size)
    random = torch.Generator().manual_seed(0)
    vibrato = torch.sin(2 * math.pi * 6 * torch.arange(n_frames) * hop_size / sample_rate)
    f0_hz = (220 * 2 ** (vibrato / 24))[None, :, None]
    amplitude = torch.ones(1, n_frames, 1, requires_grad=True)
    distribution = torch.rand(1, n_frames, N_HARMONICS, generator=random).requires_grad_()
    magnitudes = torch.rand(1, n_frames, instrument.config.n_noise_bands, generator=random).requires_grad_()
    audio = torch.rand(1, n_frames * hop_size, generator=random)
    with torch.inference_mode():
        room = instrument.model.room()
        response = torch.ones(1, sample_rate) if room is None else impulse_response(room, sample_rate)
        taps = reference.impulse_response
    controls = (f0_hz, amplitude, distribution, sample_rate, hop_size)
    contestants = []
    for part, play in (("harmonics", forward),
                       (f"harmonics{WITH_BACKWARD}", partial(backward, (amplitude, distribution)))):
        contestants += [
            Contestant(part, "ours", seconds, play(harmonic, *controls)),
            Contestant(part, "plain bank", seconds, play(plain_bank, *controls), too_large(seconds, sample_rate)),
            Contestant(part, "best bank", seconds, play(best_bank, *controls)),
            Contestant(part, "factored bank", seconds, play(factored_bank, *controls)),
        ]
    for part, play in (("noise", forward), (f"noise{WITH_BACKWARD}", partial(backward, (magnitudes,)))):
        contestants += [Contestant(part, "ours", seconds, play(filtered_noise, magnitudes, hop_size)),
                        Contestant(part, "reference", seconds, play(plain_noise, magnitudes, hop_size))]
    return contestants + [Contestant("reverb", "ours", seconds, forward(fft_convolve, audio, response)),
                          Contestant("reverb", "reference", seconds, forward(plain_reverb, audio, taps))]


def chain_contestants(instrument: Instrument, reference: Reference, seconds: float) -> list[Contestant]:
    """Decoder and whole chain, one voice and eight."""
    model, decoder = instrument.model, reference.decoder
    performances = [play_line(instrument, seconds, 2 * voice) for voice in range(N_VOICES)]
    f0_hz, periodicity, loudness_db = (
        torch.from_numpy(np.array([getattr(performance, name) for performance in performances]))[..., None]
        for name in ("f0_hz", "periodicity", "loudness_db"))
    z = torch.from_numpy(np.array(performances[0].z))[None]

    def decode() -> tuple[Tensor, Tensor, Tensor]:
        controls = model.decode(f0_hz[:1], periodicity[:1], loudness_db[:1], z, model.room())
        return controls.amplitude, controls.harmonic_distribution, controls.noise_magnitudes

    first, several = (f0_hz[:1], loudness_db[:1]), f"whole chain, {N_VOICES} voices"
    return [
        Contestant("decoder", "ours", seconds, forward(decode)),
        Contestant("decoder", "reference", seconds, forward(decoder, *first)),
        Contestant(f"decoder{WITH_BACKWARD}", "ours", seconds, backward(list(model.decoder.parameters()), decode)),
        Contestant(f"decoder{WITH_BACKWARD}", "reference", seconds,
                   backward(list(decoder.parameters()), decoder, *first)),
        Contestant("whole chain, 1 voice", "ours", seconds, partial(instrument.resynthesize, performances[0])),
        Contestant("whole chain, 1 voice", "reference", seconds, forward(reference, *first),
                   too_large(seconds, reference.sample_rate)),
        Contestant(several, "ours", seconds, partial(instrument.resynthesize, performances)),
        # one after the other, as ours: all at once they are slower still, for want of memory
        Contestant(several, "reference", seconds, forward(lambda: sum(map(reference, f0_hz[:, None], loudness_db[:, None]))),
                   "" if seconds <= LONGEST_SLOW_S else "takes minutes"),
    ]


def training_contestants() -> list[Contestant]:
    """One step on the same batch, each with its own loss: ours compares levels, and has its encoder and the rate of z as
    well; the reference plays, and compares sounds, at three of the six sizes."""
    config = ModelConfig()
    n_frames = round(CROP_S * config.frame_rate_hz)
    random = torch.Generator().manual_seed(0)

    def draw(*size: int) -> Tensor:
        return torch.rand(BATCH_SIZE, *size, generator=random)

    heard = EncoderInputs(f0_hz=200 + 400 * draw(n_frames, 1), periodicity=draw(n_frames, 1),
                  loudness_db=-40 + 20 * draw(n_frames, 1),
                  timbre=draw(n_frames, N_MELS), partials=draw(n_frames, N_PARTIALS + 1) / N_PARTIALS,
                  audio=draw(n_frames * config.hop_size) - 0.5,
                  spectrum=draw(n_frames, N_NOISE_BANDS + config.n_harmonics) / config.n_harmonics)
    batch = Batch(heard, room=torch.zeros(BATCH_SIZE, dtype=torch.long))
    sizes = fft_sizes(config.sample_rate)[::2]
    warm = WARMUP_FRAMES * config.hop_size
    torch.manual_seed(0)
    ours, reference = Autoencoder(config).train(), Reference(config.sample_rate, config.hop_size).train()

    def our_loss() -> Tensor:
        loss, bits = training_loss(ours, batch, with_details=True)
        return loss + 1e-4 * bits.sum()

    def their_loss() -> Tensor:
        return spectral_loss(heard.audio[:, warm:], reference(heard.f0_hz, heard.loudness_db)[:, warm:], sizes)

    def step_of(model: torch.nn.Module, loss: Callable[[], Tensor]) -> Callable[[], object]:
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)

        def step() -> None:
            optimizer.zero_grad()
            loss().backward()
            optimizer.step()

        return step

    return [Contestant("training step", "ours", BATCH_SIZE * CROP_S, step_of(ours, our_loss)),
            Contestant("training step", "reference", BATCH_SIZE * CROP_S, step_of(reference, their_loss))]


def stream_row(instrument: Instrument, voices: int, block: int, seconds: float, restart_s: float) -> dict[str, Any]:
    """Time of each block as a share of its duration, while every voice sounds and is struck again now and then.

    When it is, all voices are taken, so each new note also fades an old one out.
    """
    sample_rate = instrument.config.sample_rate
    stream = instrument.stream(voices=voices)
    middle = round((instrument.statistics.pitch_low + instrument.statistics.pitch_high) / 2)
    pitches = [middle - voices // 2 + voice for voice in range(voices)]
    for pitch in pitches:
        stream.send(mido.Message("note_on", note=pitch, velocity=80))
    shares: list[float] = []
    spent_s, n_restarts, at = 0.0, 0, 0
    n_warm = math.ceil(STREAM_WARMUP_S * sample_rate / block)
    n_blocks = n_warm + math.ceil(seconds * sample_rate / block)
    while len(shares) < n_blocks and not (spent_s > GIVE_UP_S and spent_s > at / sample_rate):
        events = []
        while restart_s and (due := round((1 + n_restarts) * restart_s * sample_rate / voices)) < at + block:
            pitch = pitches[n_restarts % voices]
            events += [(mido.Message("note_off", note=pitch), due - at),
                       (mido.Message("note_on", note=pitch, velocity=80), due - at)]
            n_restarts += 1
        began = time.perf_counter()
        for message, offset in events:
            stream.send(message, offset)
        stream.read(block)
        took_s = time.perf_counter() - began
        shares.append(took_s * sample_rate / block)
        spent_s, at = spent_s + took_s, at + block
    counted = np.array(shares[n_warm:] or shares)
    return {"voices": voices, "block": block, "restart_s": restart_s,
            "mean": float(counted.mean()), "p99": float(np.percentile(counted, 99)),
            "worst": float(counted.max()), "blocks": len(counted), "kept up": len(shares) == n_blocks,
            "delay_samples": stream.delay_samples}


def measure_streaming(instrument: Instrument, seconds: float, voice_counts: Sequence[int], blocks: Sequence[int]
                      ) -> list[dict[str, Any]]:
    """Print and return the table of streams: notes held, and every voice struck again every RESTART_S."""
    torch.set_num_threads(1)
    print(f"\n### Streaming, 1 thread: time of a block as a share of its duration, over {seconds:g} s\n\n"
          "| voices | block | notes | mean | 99th percentile | worst | |\n|---:|---:|---|---:|---:|---:|---|")
    rows = []
    for voices in voice_counts:
        for block, restart_s in itertools.product(blocks, (0.0, RESTART_S)):
            rows.append(row := stream_row(instrument, voices, block, seconds, restart_s))
            notes = f"struck again every {restart_s:g} s" if restart_s else "held"
            shares = " | ".join(f"{row[name]:.2f}" for name in ("mean", "p99", "worst"))
            remark = "" if row["kept up"] else f"cannot keep up, stopped after {GIVE_UP_S:g} s"
            print(f"| {voices} | {block} | {notes} | {shares} | {remark} |", flush=True)
    return rows


def summary(offline: Sequence[dict[str, Any]], streaming: Sequence[dict[str, Any]]) -> str:
    """What matters to a user, as far as it was measured: one thread."""
    lines = []
    for part, what in (("whole chain, 1 voice", "one voice"), (f"whole chain, {N_VOICES} voices", f"{N_VOICES} voices")):
        for row in offline:
            if (row["part"], row["who"], row["threads"]) != (part, "ours", 1):
                continue
            ratio = row.get(RATIOS["reference"])
            times = "" if ratio is None else f", {ratio:.0f} times the chain of the DDSP paper"
            lines.append(f"| render {row['seconds']:g} s, {what} | {row['times real time']:.0f} times real time{times} |")
    for voices, block in ((N_VOICES, 256), (1, 32)):
        for row in streaming:
            if (row["voices"], row["block"]) == (voices, block):
                how = f"struck again every {row['restart_s']:g} s" if row["restart_s"] else "held"
                lines.append(f"| play live, {voices} voice{'s' * (voices > 1)} {how}, blocks of {block} | "
                             f"99 % of the blocks take less than {100 * row['p99']:.0f} % of their duration |")
    return "| at 48 kHz, one thread | |\n|---|---|\n" + "\n".join(lines) if lines else ""


def write_readme(path: Path, table: str) -> None:
    """Replace what stands between the two marks."""
    before, rest = path.read_text(encoding="utf-8").split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    path.write_text(f"{before}{MARKS[0]}\n{table}\n{MARKS[1]}{after}", encoding="utf-8")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("offline", "training", "streaming"))
    parser.add_argument("--seconds", type=float, nargs="+", default=[1, 10, 60], help="lengths of the pieces")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--stream-seconds", type=float, default=30)
    parser.add_argument("--voices", type=int, nargs="+", default=STREAM_VOICES)
    parser.add_argument("--blocks", type=int, nargs="+", default=STREAM_BLOCKS)
    parser.add_argument("--out", type=Path, help="the figures as JSON")
    parser.add_argument("--readme", type=Path, help="write the last table into it, between its marks")
    args = parser.parse_args()
    instrument = load("violin")
    results: dict[str, Any] = {
        "torch": torch.__version__, "python": platform.python_version(), "cores": os.cpu_count(),
        "vector_instructions": torch.backends.cpu.get_cpu_capability(), "rounds": args.rounds,
        "offline": [], "training": [], "streaming": [],
    }
    if args.only in (None, "offline"):
        torch.manual_seed(0)
        reference = Reference(instrument.config.sample_rate, instrument.config.hop_size).eval()
        for threads, seconds in itertools.product(args.threads, args.seconds):
            contestants = (synth_contestants(instrument, reference, seconds)
                           + chain_contestants(instrument, reference, seconds))
            if seconds > LONGEST_SLOW_S:
                contestants = [c for c in contestants if WITH_BACKWARD not in c.part]
            rows = compare(contestants, args.rounds, threads)
            print_comparison(f"{seconds:g} s, {threads} thread{'s' * (threads > 1)}", rows)
            results["offline"] += rows
    if args.only in (None, "training"):
        for threads in args.threads:
            rows = compare(training_contestants(), args.rounds, threads)
            print_comparison(f"Training, {BATCH_SIZE} crops of {CROP_S} s, {threads} thread{'s' * (threads > 1)}", rows)
            results["training"] += rows
    if args.only in (None, "streaming"):
        results["streaming"] = measure_streaming(instrument, args.stream_seconds, args.voices, args.blocks)
    table = summary(results["offline"], results["streaming"])
    print(f"\n### What matters to a user\n\n{table}")
    if args.readme:
        write_readme(args.readme, table)
    if args.out:
        args.out.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
