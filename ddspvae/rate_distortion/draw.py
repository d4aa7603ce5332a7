"""How much of a sound each bit of z brings back, from no z to as many bits as it likes.

One base a seed, whose z costs nothing, is continued at every rate for the same few minutes, each by itself. Without z, where
a layer starts anew, it is twice as many, so that no z is never at a disadvantage.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ddspvae.evaluation.plots import check_drawing
from ddspvae.rate_distortion.chain import Chain, Progress
from ddspvae.rate_distortion.plan import Plan
from ddspvae.rate_distortion.plot import plot_curve
from ddspvae.rate_distortion.points import FREE, NONE, read_codecs


def rate_distortion(plan: Plan, codecs: str | Path | None = None, progress: Progress | None = None) -> dict[str, Any]:
    """Train and measure every point, or what is left of it; write curve.csv, curve.json and curve.svg.

    The same plan again goes on where it was killed; more rates or seeds add points to a curve. A training that stops by
    itself is noted in its row.

    Args:
        plan: what to do.
        codecs: a CSV of points of other codecs to draw beside, see `read_codecs`.
        progress: called with what is being done and the share of the whole that is over, 0 to 1.
    Returns:
        the content of curve.json: plain values, None where nothing could be measured.
    Raises:
        InputError: nothing to train on, a folder that holds a curve with other settings, or one that cannot be written.
    """
    check_drawing()
    others = read_codecs(codecs) if codecs else []
    chain = Chain(plan)
    names = [FREE, *(f"{rate:g}" for rate in sorted(set(plan.rates), reverse=True)), NONE]
    wanted = [(seed, name) for seed in range(plan.seeds) for name in names]
    for done, (seed, name) in enumerate(wanted):
        def tell(words: str, share: float, done: int = done) -> None:
            if progress is not None:
                progress(words, (done + share) / len(wanted))

        if (seed, name) not in chain.points:
            chain.add(seed, name, tell)
    points = chain.ordered()
    if any(point.bits_per_second >= 1 for point in points):
        plot_curve(points, others, plan.out / "curve.svg", title="How much of the sound each bit of timbre brings back")
    return chain.write(others)
