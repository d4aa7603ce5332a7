"""How exact the harmonics are, against a float64 bank of oscillators with the same rule at Nyquist.

    python benchmarks/exactness.py

Signal to error in dB, the least over f0 from 20 to 4000 Hz and over spectra of 100 harmonics: flat, 1/k, and nearly the
highest alone; everything
that is not in the bank's sound is error, aliases among it, so no alias is stronger. `tests/truths/test_harmonic.py`
holds the harmonics to 90 dB.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent.parent))

from ddspvae.synth.harmonic import harmonic
from tests.references.bank import oscillator_bank
from tests.truths.test_harmonic import RATES, controls, snr_db

F0_HZ = (20.0, 55.0, 110.0, 440.0, 1000.0, 2500.0, 4000.0)
KINDS = {"steady": "steady", "vibrato": "vibrato of 100 cents at 7 Hz", "glide": "two octaves in 100 ms",
         "switch": "switched on in one frame"}


def main() -> None:
    """Print the table and its worst figure."""
    torch.set_num_threads(1)
    print("| | " + " | ".join(f"{sample_rate} Hz" for sample_rate, _ in RATES) + " |\n|---|" + "---:|" * len(RATES))
    every = []
    for kind, what in KINDS.items():
        cells = []
        for sample_rate, hop_size in RATES:
            worst = (float("inf"), 0.0, 0)
            for f0 in F0_HZ:
                f0_hz, amplitude = controls(kind, f0, sample_rate, hop_size)
                for slope in (0, 1, -40):  # the last leaves the highest alone, which is read least exactly
                    distribution = ((torch.arange(1, 101).float() / 100) ** -slope).expand(1, f0_hz.shape[1], 100)
                    distribution = distribution / distribution.sum(-1, keepdim=True)
                    exact = oscillator_bank(f0_hz, amplitude, distribution, sample_rate, hop_size)
                    fast = harmonic(f0_hz, amplitude, distribution, sample_rate, hop_size)
                    worst = min(worst, (snr_db(exact, fast), f0, slope))
            every.append((*worst, what, sample_rate))
            cells.append(f"{worst[0]:.1f} dB")
        print(f"| {what} | {' | '.join(cells)} |")
    snr, f0, slope, what, sample_rate = min(every)
    shape = {0: 'flat', 1: '1/k', -40: 'steeply rising'}[slope]
    print(f"\nThe worst: {snr:.1f} dB, {what}, {f0:g} Hz, {shape} spectrum, {sample_rate} Hz.")


if __name__ == "__main__":
    main()
