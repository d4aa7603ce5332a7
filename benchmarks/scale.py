"""What two processes are worth, and what hours of corpus cost: the tables of docs/scale.md.

    python benchmarks/scale.py songs [--songs 200] [--rounds 2]      batch render, two workers beside one
    python benchmarks/scale.py steps [--steps 20] [--rounds 3]       training steps, two processes of 4 crops beside one of 8
    python benchmarks/scale.py memory [--hours 1 10 100]             resident size of training against hours of corpus
    python benchmarks/scale.py listen                                what features cost to make and to keep

One and two are measured in turns, since other work on the machine changes from minute to minute; each row says the load.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import mido
import numpy as np
import soundfile

RATE = 16_000
TAKE_S = 5.0
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}


def main() -> None:
    """Measure what is named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["songs", "steps", "memory", "listen", "one-run", "one-stream"])
    parser.add_argument("--songs", type=int, default=200)
    parser.add_argument("--notes", type=int, default=80, help="of a song, four a second")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--hours", type=float, nargs="+", default=[1, 10, 100])
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--takes", type=Path)
    args = parser.parse_args()
    if args.what in ("one-run", "one-stream"):
        {"one-run": one_run, "one-stream": one_stream}[args.what](args.takes, args.steps)
        return
    with tempfile.TemporaryDirectory() as folder:
        {"songs": songs, "steps": steps, "memory": memory, "listen": listen}[args.what](args, Path(folder))


def load() -> str:
    """Of the machine, over the last minute."""
    return f"{os.getloadavg()[0]:.1f}"


def songs(args: argparse.Namespace, folder: Path) -> None:
    """Many short songs on one worker and on two."""
    random = np.random.default_rng(0)
    (folder / "songs").mkdir()
    for number in range(args.songs):
        track = mido.MidiTrack()
        for pitch in random.integers(57, 82, args.notes):
            track.append(mido.Message("note_on", note=int(pitch), velocity=int(random.integers(50, 110)), time=0))
            track.append(mido.Message("note_off", note=int(pitch), time=240))
        mido.MidiFile(tracks=[track]).save(folder / "songs" / f"{number:05d}.mid")
    print(f"{args.songs} songs of {args.notes / 4:g} s, {os.cpu_count()} cores\n\n"
          "| round | workers | whole command, s | processor, s | load |\n|---|---|---|---|"
          "---|", flush=True)
    took: dict[int, list[float]] = {1: [], 2: []}
    work: dict[int, list[float]] = {1: [], 2: []}
    for turn in range(args.rounds):
        for n in (1, 2):
            out = folder / "out"
            began, before_s = time.perf_counter(), sum(os.times()[2:4])
            told = subprocess.run([sys.executable, "-m", "ddspvae", "batch", "render", folder / "songs", "--preset",
                                   "violin", "--out", out, "--workers", str(n), "--json"], env=ENVIRONMENT, check=True,
                                  capture_output=True).stdout
            took[n].append(time.perf_counter() - began)
            work[n].append(sum(os.times()[2:4]) - before_s)
            said = json.loads(told)
            assert said["done"] == args.songs
            print(f"| {turn + 1} | {n} | {took[n][-1]:.1f} | {work[n][-1]:.1f} | {load()} |", flush=True)
            shutil.rmtree(out)
    tell_ratio(took, "whole commands")
    half = [seconds / 2 for seconds in work[2]]
    tell_ratio({1: work[1], 2: half}, "processor time a core, which other work does not change")


def tell_ratio(took: dict[int, list[float]], what: str) -> None:
    """Of one to two, round by round."""
    ratios = [one / two for one, two in zip(took[1], took[2])]
    print(f"\n{what}, two beside one: {statistics.median(ratios):.2f} (rounds: {', '.join(f'{r:.2f}' for r in ratios)})\n")


def write_take(path: Path, seed: int, sample_rate: int = RATE, seconds: float = TAKE_S) -> None:
    """Detached notes of a few harmonics with breath, each its own."""
    random = np.random.default_rng(seed)
    audio = np.zeros(round(seconds * sample_rate))
    at = 0.1
    while at < seconds - 0.6:
        length_s = float(random.uniform(0.3, 0.6))
        t = np.arange(round(length_s * sample_rate)) / sample_rate
        f0_hz = 440 * 2 ** ((random.integers(55, 80) - 69) / 12) * (1 + 0.004 * np.sin(2 * np.pi * 5.5 * t))
        phase = 2 * np.pi * np.cumsum(f0_hz) / sample_rate
        tilt = random.uniform(0.8, 2.0)
        note = sum(np.sin(k * phase) / k**tilt for k in range(1, 10)) + 0.01 * random.standard_normal(len(t))
        start = round(at * sample_rate)
        audio[start : start + len(t)] += note * np.minimum(1, t / 0.03) * np.minimum(1, (length_s - t) / 0.05)
        at += length_s + float(random.uniform(0, 0.15))
    soundfile.write(path, 0.3 * audio / np.abs(audio).max(), sample_rate)


def steps(args: argparse.Namespace, folder: Path) -> None:
    """Steps of 8 crops by one process, and by two that share them."""
    for seed in range(6):
        write_take(folder / f"{seed}.wav", seed, 48_000)
    print(f"{args.steps} steps of 8 crops, 48 kHz, {os.cpu_count()} cores\n\n"
          "| round | processes | steps a second | processor, "
          "s a step and process | load |\n|---|---|---|---|---|", flush=True)
    took: dict[int, list[float]] = {1: [], 2: []}
    work: dict[int, list[float]] = {1: [], 2: []}
    for turn in range(args.rounds):
        for n in (1, 2):
            told = subprocess.run([sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(n),
                                   __file__, "one-run", "--takes", folder, "--steps", str(args.steps)], env=ENVIRONMENT,
                                  check=True, capture_output=True, text=True).stdout
            words = next(line for line in told.splitlines() if line.startswith("took")).split()
            took[n].append(float(words[1]))
            work[n].append(float(words[2]))
            print(f"| {turn + 1} | {n} | {args.steps / took[n][-1]:.2f} | {work[n][-1] / args.steps:.3f} | {load()} |",
                  flush=True)
    tell_ratio(took, "steps a second")
    tell_ratio(work, "processor time a step and process, which other work does not change")


def one_run(folder: Path, n_steps: int) -> None:
    """In one of the processes: steps, timed once the first ones are over."""
    import torch

    from ddspvae.features.extract import extract
    from ddspvae.model.autoencoder import Autoencoder
    from ddspvae.model.config import ModelConfig
    from ddspvae.training.dataset import Crops, Take
    from ddspvae.training.loop import CROP_FRAMES
    from ddspvae.training.processes import joined
    from ddspvae.training.trainer import WARMUP_FRAMES, Run, TrainingConfig

    torch.set_num_threads(1)
    device = torch.device("cpu")
    with joined(device) as processes:
        takes = []
        for path in sorted(folder.glob("*.wav")):
            audio = soundfile.read(path, dtype="float32")[0]
            takes.append(Take(path, audio, extract(audio, 48_000, 240), room="a"))
        torch.manual_seed(0)
        model = Autoencoder(ModelConfig(rooms=("a",), n_harmonics=110))
        model.decoder.typical.fit([take.heard() for take in takes], model.config.frames_per_z)
        run = Run(model, TrainingConfig(steps=10 * n_steps, batch_size=8), device, processes)
        run.has_details = True
        crops = Crops(takes, ("a",), CROP_FRAMES, WARMUP_FRAMES, 240)
        for _ in range(3):
            run.advance(crops)
        processes.wait()
        began, before_s = time.perf_counter(), time.process_time()
        for _ in range(n_steps):
            run.advance(crops)
        if processes.leads:
            print(f"took {time.perf_counter() - began} {time.process_time() - before_s}")


def one_stream(place: Path, n_steps: int) -> None:
    """In a process of its own: a corpus is fitted to and trained on for some steps; its window goes over 60 shards."""
    import resource

    import torch

    from ddspvae.model.autoencoder import Autoencoder
    from ddspvae.model.config import ModelConfig
    from ddspvae.training.loop import CROP_FRAMES
    from ddspvae.training.many import give_codes
    from ddspvae.training.prepare_corpus import find_corpus, prepare_corpus
    from ddspvae.training.stream import Streamed
    from ddspvae.training.trainer import WARMUP_FRAMES, Run, TrainingConfig

    torch.set_num_threads(1)
    config = ModelConfig(sample_rate=RATE, hop_size=80)
    corpus = find_corpus(place, None, "swift", config)
    prepared = prepare_corpus(corpus, True, config, 0)
    network = Autoencoder(prepared.model)
    prepared = give_codes(network, prepared)
    network.decoder.typical.fit([take.heard() for take in prepared.training], config.frames_per_z, prepared.model.rooms)
    run = Run(network, TrainingConfig(steps=10 * n_steps), torch.device("cpu"))
    codes = {take.instrument: take.code for take in prepared.training if take.code is not None}
    stream = Streamed(corpus, codes, prepared.model.rooms, prepared.training, CROP_FRAMES, WARMUP_FRAMES, network.timbre, 0)
    for _ in range(n_steps):
        run.advance(stream)
    for place_in_order in range(60):
        step = int(place_in_order * stream.crops_a_shard / 4) + 1
        stream.draw(4, np.random.default_rng(step), None, step)
    print(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}")


def make_manifest(folder: Path, seconds: float) -> Path:
    """As many short recordings of two instruments as that, each its own."""
    folder.mkdir()
    n = round(seconds / TAKE_S)
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["path", "instrument", "split", "licence"])
        for number in range(n):
            write_take(folder / f"{number}.wav", number)
            split = "validation" if number in (2, 3) else "train"
            table.writerow([f"{number}.wav", ("one", "other")[number % 2], split, "CC0"])
    return folder / "manifest.csv"


def memory(args: argparse.Namespace, folder: Path) -> None:
    """Some minutes of recordings are listened to; their shards are linked under other names to hours of corpus."""
    manifest = make_manifest(folder / "recordings", 60 * args.minutes)
    place = folder / "features"
    subprocess.run([sys.executable, "-m", "ddspvae", "train", manifest, "--features", place, "--examine", "--many",
                    "--sample-rate", str(RATE)], env=ENVIRONMENT, check=True, stdout=subprocess.DEVNULL)
    rows = list(csv.DictReader((place / "verdicts.csv").open(encoding="utf-8")))
    shards = sorted({row["shard"] for row in rows if row["shard"]})
    print(f"{len(rows)} recordings of {TAKE_S:g} s in {len(shards)} shards; training of {args.steps} steps\n\n"
          "| hours | recordings | shards | most resident, MiB | load |\n|---|---|---|---|---|", flush=True)
    for hours in args.hours:
        large = folder / f"features-{hours:g}"
        (large / "shards").mkdir(parents=True)
        shutil.copy(place / "corpus.json", large)
        n_rows, copy = 0, 0
        with (large / "verdicts.csv").open("w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, list(rows[0]))
            table.writeheader()
            while n_rows * TAKE_S < hours * 3600:
                for shard in shards:
                    name = f"{copy:06d}-{shard}"
                    os.link(place / "shards" / f"{shard}.tar", large / "shards" / f"{name}.tar")
                    for row in rows:
                        if row["shard"] == shard:
                            table.writerow({**row, "shard": name, "path": f"{copy}/{row['path']}"})
                            n_rows += 1
                copy += 1
        told = subprocess.run([sys.executable, __file__, "one-stream", "--takes", large, "--steps", str(args.steps)],
                              env=ENVIRONMENT, check=True, capture_output=True, text=True).stdout
        most = float(told.split()[-1])
        print(f"| {n_rows * TAKE_S / 3600:.1f} | {n_rows} | {copy * len(shards)} | {most:.0f} | {load()} |", flush=True)
        shutil.rmtree(large)


def listen(args: argparse.Namespace, folder: Path) -> None:
    """What the features of a second of sound cost, at 48 kHz, on one core."""
    import torch

    from ddspvae.training.feature_shards import Settings, make_feature_shard

    torch.set_num_threads(1)
    settings, n = Settings(48_000, 240, "swift"), 6
    for seed in range(n + 1):
        write_take(folder / f"{seed}.wav", seed, 48_000)
    make_feature_shard((str(folder), "warm", [("0", str(folder / "0.wav"))], settings))
    before_s = time.process_time()
    takes = [(str(seed), str(folder / f"{seed}.wav")) for seed in range(1, n + 1)]
    make_feature_shard((str(folder), "all", takes, settings))
    took_s, size = time.process_time() - before_s, (folder / "shards" / "all.tar").stat().st_size
    print(f"{took_s / (n * TAKE_S):.3f} s of processor and {size / (n * TAKE_S) / 1000:.0f} kB a second of sound")


if __name__ == "__main__":
    main()
