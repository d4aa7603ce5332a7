"""One table for all presets: how near what they play back of held-out takes is to the recording, and to the ceiling.

    python benchmarks/heard.py RECORDINGS --out heard.json [--presets violin ...] [--seconds 6] [--takes 4]

RECORDINGS holds the recordings that the presets' cards name as held out, in folders of any depth. Of each, its first
seconds: with z as heard (the mean of its posterior), drawn from it once, and at 0, and the ceiling, which no network has a
part in. The JSON keeps every score, so that a second run measures only what is missing: presets whose file has changed, and
takes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from takes import Heard, Z, load_for, play

from ddspvae import read_audio
from ddspvae.audio import Audio
from ddspvae.evaluation.ceiling import play_ceiling
from ddspvae.evaluation.perceptual import judge_take
from ddspvae.instrument.instrument import Instrument
from ddspvae.instrument.presets import find_preset, list_presets, read_card
from ddspvae.signals.checks import InputError
from ddspvae.training.recordings import find_recordings

CEILING = "ceiling"
BY_ZIMTOHRLI, BY_VISQOL = (*Z, CEILING), (Z[0], CEILING)
Scores = dict[str, dict[str, dict[str, float | None]]]  # take to what was played to judge to score


def held_out(card: dict[str, Any], name: str, found: list[Path]) -> list[Path]:
    """The recordings that a card names as held out; of several files of one name that in a folder of the preset's name.

    Raises:
        InputError: one is missing.
    """
    paths = []
    for file in card["training"]["holdout"]:
        same = [path for path in found if path.name == file]
        if not same:
            raise InputError(f"heard: {file}, which the card of {name} names as held out, is not among the recordings.")
        paths.append(next((path for path in same if name in path.parts), same[0]))
    return paths


def missing(kept: dict[str, Any], identity: str, paths: list[Path], seconds: float) -> list[Path]:
    """The takes of which there are no scores yet, by this file and of this length; makes room for them."""
    if (kept.get("identity"), kept.get("seconds")) != (identity, seconds):
        kept.clear()
        kept.update(identity=identity, seconds=seconds, takes={})
    return [path for path in paths if path.name not in kept["takes"]]


def ask(instrument: Instrument, audio: Audio) -> dict[str, dict[str, float | None]]:
    """What the judges say of each sound; a judge without an answer is left out."""
    rate, heard = instrument.config.sample_rate, Heard.of(instrument, audio)
    sounds = {which: play(instrument, heard, which) for which in Z}
    sounds[CEILING] = play_ceiling(audio, rate, instrument.config.hop_size, heard.features.f0_hz)
    said = {}
    for name, sound in sounds.items():
        judgement = judge_take(audio, sound, rate, with_visqol=name in BY_VISQOL)
        said[name] = {"zimtohrli": None, "visqol": None} if judgement is None else {
            "zimtohrli": judgement.zimtohrli, "visqol": judgement.visqol}
    return said


def row(takes: Scores) -> list[float]:
    """Means over takes, of the sounds in BY_ZIMTOHRLI, then in BY_VISQOL; NaN where none has a score."""
    def mean(sound: str, judge: str) -> float:
        known = [score for said in takes.values() if (score := said[sound][judge]) is not None]
        return float(np.mean(known)) if known else float("nan")

    return [mean(sound, "zimtohrli") for sound in BY_ZIMTOHRLI] + [mean(sound, "visqol") for sound in BY_VISQOL]


def table(presets: dict[str, Scores]) -> str:
    """As Markdown: a row a preset, their mean, and how far the worst is from its ceiling."""
    headings = ["", "takes", *(f"Zimtohrli, {name}" for name in BY_ZIMTOHRLI), "below the ceiling",
                *(f"ViSQOL, {name}" for name in BY_VISQOL), "below the ceiling"]
    rows = {name: row(takes) for name, takes in presets.items()}
    lines = [f"| {' | '.join(headings)} |", f"|---|{'---:|' * (len(headings) - 1)}"]
    n = len(BY_ZIMTOHRLI)

    def below(values: list[float]) -> tuple[float, float]:
        return values[n - 1] - values[0], values[n + 1] - values[n]

    def line(name: str, n_takes: str, values: list[float]) -> str:
        by_zimtohrli, by_visqol = below(values)
        numbers = [*values[:n], by_zimtohrli, *values[n:], by_visqol]
        return f"| {name} | {n_takes} | {' | '.join('–' if np.isnan(x) else f'{x:.2f}' for x in numbers)} |"

    lines += [line(name, str(len(presets[name])), values) for name, values in rows.items()]
    if rows:
        lines.append(line("mean", str(sum(map(len, presets.values()))), np.nanmean(list(rows.values()), axis=0).tolist()))
        for at, judge in enumerate(("Zimtohrli", "ViSQOL")):
            away = {name: below(values)[at] for name, values in rows.items() if not np.isnan(below(values)[at])}
            if away:
                worst = max(away, key=lambda name: away[name])
                lines.append(f"\nFarthest below its ceiling by {judge}: {worst}, {away[worst]:.2f}.")
    return "\n".join(lines)


def main() -> None:
    """Measure what is missing, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="JSON; made if missing")
    parser.add_argument("--presets", nargs="+", help="names or files; default: all that are shipped, of one instrument each")
    parser.add_argument("--seconds", type=float, default=6.0, help="of each take, from its start")
    parser.add_argument("--takes", type=int, default=4, help="of each preset at most")
    args = parser.parse_args()
    torch.set_num_threads(1)
    found = find_recordings(args.recordings)
    file: dict[str, Any] = json.loads(args.out.read_text(encoding="utf-8")) if args.out.is_file() else {}
    measured: dict[str, Scores] = {}
    for preset in args.presets or list_presets():
        name = Path(preset).stem
        try:
            path = find_preset(preset)
            card = read_card(path)
            if card.get("timbres"):
                continue
            paths = held_out(card, name, found)[: args.takes]
        except InputError as error:
            print(f"{name} is left out. {error}")
            continue
        kept = file.setdefault(name, {})
        for recording in missing(kept, hashlib.sha256(path.read_bytes()).hexdigest(), paths, args.seconds):
            instrument = load_for(path, recording)
            rate = instrument.config.sample_rate
            print(f"{name}, {recording.name}", flush=True)
            kept["takes"][recording.name] = ask(instrument, read_audio(recording, rate)[0][: round(args.seconds * rate)])
            args.out.write_text(json.dumps(file, indent=1) + "\n", encoding="utf-8")
        if paths:
            measured[name] = {path.name: kept["takes"][path.name] for path in paths}
    print(f"\n{table(measured)}")


if __name__ == "__main__":
    main()
