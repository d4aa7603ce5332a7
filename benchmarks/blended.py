"""What lies between two instruments of the model of many: how fast a held note falls, and whose timbre is heard.

    python benchmarks/blended.py violin guitar-electric [--pitch 57]

One note of 3.2 s, as rendered. It falls by so many decibels a second from 0.6 to 2.6 s after its onset; its timbre is read
as the model reads any take's, 0 where the first instrument's note lies on the line between both, 1 where the second's does.
"""

from __future__ import annotations

import argparse

import numpy as np

from ddspvae import load
from ddspvae.model.encoder_inputs import EncoderInputs
from ddspvae.signals import Note, Notes

RATE, ONSET_S, HEARD_S, EARLY_S, LATE_S = 48_000, 0.2, 0.2, 0.6, 2.6


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first")
    parser.add_argument("second")
    parser.add_argument("--pitch", type=float, default=57.0)
    parser.add_argument("--ensemble", default="ensemble")
    args = parser.parse_args()
    note, ensemble = Notes((Note(args.pitch, 90, ONSET_S, ONSET_S + 3.2),)), load(args.ensemble)
    falls, codes, shares = [], [], np.linspace(0, 1, 5)
    for share in shares:
        between = f"{args.first}*{1 - share:g}+{args.second}*{share:g}"
        asked = between if 0 < share < 1 else (args.first, args.second)[int(share)]
        sound = load(f"{args.ensemble}:{asked}").render(note)
        early, late = (10 * np.log10(np.square(sound[round((ONSET_S + at) * RATE) :][: round(HEARD_S * RATE)]).mean())
                       for at in (EARLY_S, LATE_S))
        falls.append((early - late) / (LATE_S - EARLY_S))
        codes.append(ensemble.model.timbre(EncoderInputs.of(ensemble.listen(sound, RATE)))[0].numpy())
    way = codes[-1] - codes[0]
    print(f"| of {args.second} | falls by, dB/s | timbre heard |\n|---:|---:|---:|")
    for share, fall, code in zip(shares, falls, codes):
        print(f"| {share:.0%} | {fall:.1f} | {(code - codes[0]) @ way / (way @ way):.2f} |")


if __name__ == "__main__":
    main()
