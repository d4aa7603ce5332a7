"""Does a take name the room that it was recorded in? `nearest_room` beside the folder, for takes of every room.

    python benchmarks/rooms_found.py RECORDINGS violin flute ... [--takes 6]

RECORDINGS has a folder for each preset, and in it one for each room. Most takes were heard in the training; those that a
card holds out are counted apart.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import numpy as np
import torch

from ddspvae import load, read_audio
from ddspvae.instrument.nearest import nearest_room
from ddspvae.training.recordings import find_recordings

PRESETS = Path(__file__).parent.parent / "presets"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", type=Path)
    parser.add_argument("presets", nargs="+")
    parser.add_argument("--takes", type=int, default=6, help="of each room, beside those held out")
    args = parser.parse_args()
    torch.set_num_threads(1)
    print("| | rooms | trained on, found | held out, found |\n|---|---:|---:|---:|")
    for name in args.presets:
        instrument = load(name)
        held_out = set(re.findall(r"--holdout (\S+)", (PRESETS / f"{name}.md").read_text(encoding="utf-8")))
        found: dict[bool, list[bool]] = {False: [], True: []}
        for room in instrument.config.rooms:
            paths = find_recordings([args.recordings / name / room])
            is_out = [str(path.relative_to(args.recordings)) in held_out for path in paths]
            known = [path for path, out in zip(paths, is_out) if not out]
            chosen = [known[at] for at in np.random.default_rng(0).permutation(len(known))[: args.takes]]
            for path in [*chosen, *(path for path, out in zip(paths, is_out) if out)]:
                found[path not in chosen].append(nearest_room(instrument, *read_audio(path)) == room)
        cells = [f"{sum(found[out])} of {len(found[out])}" for out in (False, True)]
        print(f"| {name} | {len(instrument.config.rooms)} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
