"""Measure the model of many instruments on held-out recordings and ship it: presets/ensemble.safetensors and its card.

    python benchmarks/ensemble_card.py runs/ensemble.safetensors --held-out violin=FILE,FILE ... --command "..."
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import torch
from played_back import HEADINGS, play_back
from preset_card import sources_text, training_text

from ddspvae import list_presets
from ddspvae.instrument.presets import presets_folder, read_card
from ddspvae.signals.units import pitch_to_hz
from ddspvae.training.loop import BITRATE

TRACKER = "crepe"  # not used in training


def main() -> None:
    """Measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("instrument", type=Path)
    parser.add_argument("--held-out", nargs="+", required=True, metavar="NAME=FILE,FILE")
    parser.add_argument("--command", required=True)
    parser.add_argument("--seconds", type=float, default=40.0, help="of each recording")
    args = parser.parse_args()
    torch.set_num_threads(1)
    target = presets_folder() / "ensemble.safetensors"
    if args.instrument.resolve() != target.resolve():
        shutil.copyfile(args.instrument, target)
    card, rows = read_card(target), []
    lowest_hz = float(pitch_to_hz(card["statistics"]["pitch_low"]))
    for option in args.held_out:
        name, _, files = option.partition("=")
        paths = [Path(file) for file in files.split(",")]
        alone = f"{play_back(name, paths, TRACKER, args.seconds).zimtohrli:.2f}" if name in list_presets() else ""
        rows.append(f"| {name} | {play_back(f'ensemble:{name}', paths, TRACKER, args.seconds).cells()} | {alone} |")
        print(rows[-1], flush=True)
    table, n_times = "\n".join(rows), card["config"]["bitrate"] / BITRATE
    (target.with_suffix(".md")).write_text(f"""# ensemble

One model of {len(card['timbres'])} instruments: {', '.join(sorted(card['timbres']))}. {card['config']['n_timbre']} numbers
tell them apart, heard in any take in closed form. It is what new instruments start from (`train --from ensemble`), and
what plays between two (`ensemble:violin+flute`), from one to another (`ensemble:violin..flute`), and with the timbre of a
few seconds of a recording (`ensemble:take.wav`). For one instrument alone take its own preset, which has gestures, too.

{card['statistics']['minutes']:.1f} minutes of recordings; {card['config']['sample_rate']} Hz;
{card['config']['n_harmonics']} harmonics, {card['config']['n_noise_bands']} noise bands; f0 by {card['tracker']}, refined.

## Quality

On recordings that no training has heard, beside the instrument's own preset, of whose z this one has {n_times:g} times the
bits; pitch by {TRACKER}, and how alike it is to the ear by Zimtohrli (see [judges of hearing](../docs/judges.md)):

| | {HEADINGS} | Zimtohrli of its own preset |
|---|---|---|---|---|---|
{table}

{training_text(card, args.command)}

## What it cannot do

Notes are played by rules: the gestures of several instruments are nobody's. Harmonics end at the
{card['config']['n_harmonics']}th, at {card['config']['n_harmonics'] * lowest_hz / 1000:.1f} kHz for the lowest note that was
heard. What lies outside of the range of its recordings is a guess.

{sources_text(card, "")}
""", encoding="utf-8")
    print("presets/ensemble.md written")


if __name__ == "__main__":
    main()
