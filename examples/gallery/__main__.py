"""Render a piece for every shipped preset and one for all of them, with pictures and a page that plays them.

    python examples/gallery [--out gallery] [--only violin together]

The scores are the text files in scores/, in the notation of notation.py; a preset without one plays the one that lies best.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
import torch
from notation import Score, read_score, write_midi
from page import Piece, describe_preset, write_page
from playing import SAMPLE_RATE, Played, best_score, cast, mix, play

from ddspvae.audio import limit_peak, write_audio
from ddspvae.evaluation.ensemble_plot import plot_ensemble
from ddspvae.evaluation.page_parts import table
from ddspvae.evaluation.plots import plot_performance
from ddspvae.evaluation.transcription import audio_to_notes, note_scores
from ddspvae.features.loudness import a_weighted_loudness
from ddspvae.instrument.presets import find_preset, read_cards
from ddspvae.midi.notes import read_midi

SCORES = Path(__file__).parent / "scores"
TOGETHER = "together"
TRACKER = "crepe"  # the presets were trained with another


def main() -> None:
    """Make the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("gallery"))
    parser.add_argument("--only", nargs="+", metavar="NAME", help=f"presets, or '{TOGETHER}'")
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    scores = {path.stem: read_score(path) for path in sorted(SCORES.glob("*.txt"))}
    solos = {}
    for name, score in scores.items():
        write_midi(score, args.out / f"{name}.mid")
        if name != TOGETHER:
            [solos[name]] = read_midi(args.out / f"{name}.mid")
    pieces = []
    for preset in read_cards():
        if not args.only or preset in args.only:
            chosen = best_score(preset, solos)
            pieces.append(_solo(preset, scores[chosen], play([solos[chosen]], [preset])[0], chosen, args.out))
    if not args.only or TOGETHER in args.only:
        parts = read_midi(args.out / f"{TOGETHER}.mid")
        pieces.append(_together(scores[TOGETHER], play(parts, cast(parts)), args.out))
    write_page(args.out / "index.html", pieces)
    print(f"Open {args.out / 'index.html'}")


def _solo(preset: str, score: Score, played: Played, score_name: str, out: Path) -> Piece:
    audio = _write(out / f"{preset}.flac", played.audio)
    plot_performance(audio, SAMPLE_RATE, played.performance, out / f"{preset}.png", background=None)
    found = note_scores(played.notes, audio_to_notes(audio, SAMPLE_RATE, TRACKER)).f_measure
    print(f"  notes found again: {found:.3f}")
    card_path = find_preset(preset).with_suffix(".md")
    said = describe_preset(preset, read_cards()[preset], card_path, Path(os.path.relpath(card_path, out)).as_posix())
    return Piece(preset, score.title, score.by, f"{preset}.flac", f"{preset}.png", f"{score_name}.mid",
                 audio.shape[-1] / SAMPLE_RATE, len(played.notes.notes), found, said)


def _together(score: Score, played: list[Played], out: Path) -> Piece:
    audio = _write(out / f"{TOGETHER}.flac", mix(played))
    plot_ensemble(audio.mean(axis=0) if audio.ndim > 1 else audio, SAMPLE_RATE,
                  {f"{part.notes.name}: {part.preset}": part.performance for part in played}, out / f"{TOGETHER}.png",
                  background=None)
    who = table(["part", "played by"], [[part.notes.name, part.preset] for part in played])
    return Piece("All together", score.title, score.by, f"{TOGETHER}.flac", f"{TOGETHER}.png", f"{TOGETHER}.mid",
                 audio.shape[-1] / SAMPLE_RATE, sum(len(part.notes.notes) for part in played), None, who)


def _write(path: Path, audio: np.ndarray) -> np.ndarray:
    """Write a sound below the peak limit and say how loud it is; returns it as written."""
    limited, gain_db = limit_peak(audio)
    write_audio(path, limited, SAMPLE_RATE)
    level = a_weighted_loudness(torch.from_numpy(np.atleast_2d(limited)), SAMPLE_RATE, SAMPLE_RATE // 200).numpy()
    loud_db = float(np.quantile(level, 0.9))
    print(f"{path}: {audio.shape[-1] / SAMPLE_RATE:.1f} s, {loud_db:.1f} dB(A) where it is loud, "
          f"turned down by {0.0 - gain_db:.1f} dB", flush=True)
    return limited


if __name__ == "__main__":
    main()
