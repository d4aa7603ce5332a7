"""What the named axes do to scores of a plucked instrument, which its decay model plays, measured again in the sound.

    python benchmarks/plucked_axes.py guitar-electric

Five notes, each axis moved by one and two deviations of the card to either side, as `render --set` does; pitch by CREPE.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ddspvae.evaluation.independence.swaps import ATTRIBUTES, AXIS_STEPS, measure_swaps, summarize_axis
from ddspvae.instrument.loading import load
from ddspvae.instrument.plucking import play_plucked
from ddspvae.signals import Note, Notes, Performance


class Score:
    """A part played by the decay model, to be measured as takes are: what a performance's axes are moved by is set.

    Args:
        preset: a plucked instrument.
    """

    def __init__(self, preset: str) -> None:
        self._instrument = load(preset)
        self.config, self.card = self._instrument.config, self._instrument.card
        statistics = self._instrument.statistics
        middle = round((statistics.pitch_low + statistics.pitch_high) / 2)
        self._notes = Notes(tuple(Note(middle + step, 80, 0.2 + 0.9 * at, 1.0 + 0.9 * at)
                                  for at, step in enumerate((0, 4, 7, 5, 2))))
        take = self._instrument.perform(self._notes)
        self.take = replace(take, z=np.zeros((len(take.z), len(ATTRIBUTES)), np.float32), axis_names=ATTRIBUTES)

    def resynthesize(self, performance: Performance, **_: object) -> NDArray[np.float32]:
        """The part, with the axes where the performance has them."""
        plucks = self._instrument.plucks
        assert plucks is not None
        tones = dict(zip(ATTRIBUTES, performance.z[0].tolist()))
        shift = 12 * float(np.log2(performance.f0_hz[0] / self.take.f0_hz[0]))
        rooms = self._instrument.rooms
        return np.concatenate(list(play_plucked(plucks, rooms, [self._notes], transpose=shift, tones=tones)))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("preset")
    args = parser.parse_args()
    score = Score(args.preset)
    deviations = {name: score.card["axes"][name]["sd"] for name in ATTRIBUTES}
    effects = measure_swaps(score, [score.take], deviations, "crepe")  # type: ignore[arg-type]
    print(f"| axis, by {AXIS_STEPS[0]:g} to {AXIS_STEPS[-1]:+g} | {' | '.join(ATTRIBUTES)} | pitch, cents | loudness, dB |"
          f"\n|{'---|' * 7}")
    for axis in ATTRIBUTES:
        effect = summarize_axis(axis, effects)
        slopes = " | ".join(f"{effect.slopes[name]:+.2f}" for name in ATTRIBUTES)
        print(f"| {axis} | {slopes} | {effect.cents:.1f} | {effect.db:.2f} |")


if __name__ == "__main__":
    main()
