"""Measure the decay model of a plucked instrument anew, of the recordings that it was trained on; its network stays.

    python benchmarks/refit_plucks.py guitar-electric presets/guitar-electric.safetensors

The folder is the one that `guitar_strings.py` writes; what the training held out (by the card) is left out again.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from ddspvae.instrument.presets import read_card, read_weights, save_instrument
from ddspvae.model.config import ModelConfig
from ddspvae.plucked.model import Plucks
from ddspvae.training.plucks import describe, find_plucks
from ddspvae.training.prepare import prepare
from ddspvae.training.recordings import find_recordings


def main() -> None:
    """Write the file again, and say what changed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", type=Path)
    parser.add_argument("instrument", type=Path)
    args = parser.parse_args()
    card, weights = read_card(args.instrument), read_weights(args.instrument)
    card = {key: value for key, value in card.items() if key != "format"}
    held_out = [path for path in find_recordings(args.recordings) if path.name in card["training"]["holdout"]]
    plucks = find_plucks(prepare(args.recordings, held_out, card["tracker"], ModelConfig.from_dict(card["config"])))[""]
    others = {name: array for name, array in weights.items() if not name.startswith("plucked.")}
    again = plucks.to_arrays()
    for name, array in again.items():
        known = weights.get(name)
        same = known is not None and known.shape == array.shape and bool(np.allclose(known, array, rtol=2e-3, atol=1e-4))
        print(f"{name}: {'as it was' if same else 'new'}")
    assert Plucks.split({**others, **again})[1]
    save_instrument(args.instrument, {**others, **again}, {**card, "plucked": describe(plucks)})
    print(f"{args.instrument}: the decays of {len(plucks.notes)} notes; {len(held_out)} recordings left out")


if __name__ == "__main__":
    main()
