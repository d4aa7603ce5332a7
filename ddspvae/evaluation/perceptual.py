"""Two judges of hearing: how alike two sounds are to the ear, as two models of it say.

Zimtohrli and ViSQOL (in its audio mode) each compare a sound with its original and give a mean opinion score. They are no
listeners: nobody has heard the sounds, and both were fitted to listening tests of coded audio, not of synthesizers. They
are relatives (gammatone bands, compared by neurogram similarity), so that both may be wrong in the same way. Nothing in
this package is ever trained on them. What they do when sounds are broken on purpose: docs/judges.md.

Conventions
-----------
As in `metrics.py`, reference before estimate, mono, aligned in time already. Unlike there, the level of the estimate is
matched to that of the reference (RMS): loudness has its own measure. The reference keeps its level, because Zimtohrli has
a threshold of hearing: in a softer recording it hears fewer faults, so scores of two recordings do not compare.
"""

from __future__ import annotations

import logging
import math
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ddspvae.audio import Audio, resample
from ddspvae.evaluation.metrics import check_audio
from ddspvae.signals.checks import InputError, check_range, fail

JUDGES_RATE = 48_000  # Hz; the only one that either knows
SHORTEST_S = 1.0  # ViSQOL wants 45 frames of 20 ms; below 0.1 s Zimtohrli writes outside its memory
SILENT_PEAK = 1e-5
STRETCH_S = 15.0  # of a recording at once: the time that Zimtohrli takes grows with the square of the length
WORST = 1.0  # of both scales
# -180 dBFS, under both sounds alike: in digital silence Zimtohrli's filters ring down to denormal numbers, 25 times as slow
HISS = 1e-9
INSTALL = "pip install 'ddspvae[evaluation]'"


@dataclass(frozen=True)
class Judgement:
    """How alike two sounds are; larger is better.

    Args:
        zimtohrli: mean opinion score, 1 to 5; 5 where no difference is heard.
        visqol: mean opinion score, 1 to about 4.7; None where it was not asked or has no answer.
    """

    zimtohrli: float
    visqol: float | None = None


def judge(reference: ArrayLike, estimate: ArrayLike, sample_rate: int, *, with_visqol: bool = True) -> Judgement:
    """Ask both judges how alike two sounds are to the ear.

    They are models of hearing, no listeners, and nothing is ever trained on them. The longer signal is cut to the shorter.

    Args:
        reference: [T], full scale +-1, what it should sound like; at least 1 s.
        estimate: [T], in time with it; its level is matched to the reference's, so a gain changes nothing.
        sample_rate: Hz of both; they are resampled to 48 kHz.
        with_visqol: False leaves out ViSQOL, which takes several times as long as Zimtohrli.
    Returns:
        Judgement.
    Raises:
        InputError: not [T], not finite, silent (peak below -100 dBFS) or shorter than 1 s; or a judge is not installed.
    Source: Alakuijala et al., "Zimtohrli: An efficient psychoacoustic audio similarity metric", arXiv
        2509.26133, 2025; Chinen et al., "ViSQOL v3", QoMEX 2020; as in the packages zimtohrli and visqol-python.
    """
    reference, estimate = _prepare(reference, estimate, sample_rate)
    duration_s = len(reference) / JUDGES_RATE
    if duration_s < SHORTEST_S:
        raise fail("judge", "reference and estimate", f"last {SHORTEST_S:g} s or more", f"{duration_s:.3f} s")
    for name, audio in (("reference", reference), ("estimate", estimate)):
        if _is_silent(audio):
            raise fail("judge", name, "hold some sound", "silence")
    return Judgement(_ask_zimtohrli(reference, estimate), _ask_visqol(reference, estimate) if with_visqol else None)


def judge_stretches(reference: ArrayLike, estimate: ArrayLike, sample_rate: int, stretch_s: float = STRETCH_S
                    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ask Zimtohrli about one stretch after another; the level is matched once, over all of them.

    Args:
        reference, estimate: [T], as in `judge`; may be silent or short.
        sample_rate: Hz of both.
        stretch_s: seconds of a stretch, 1 to 60; the last one takes what is left over.
    Returns:
        scores [N], 1 to 5, and seconds [N]; without the stretches where the reference is silent, N = 0 below 1 s. Silence
        in place of sound is given 1.
    Raises:
        InputError: not [T], not finite, or Zimtohrli is not installed.
    """
    check_range("judge_stretches", "stretch_s", stretch_s, SHORTEST_S, 60)
    reference, estimate = _prepare(reference, estimate, sample_rate)
    size = round(stretch_s * JUDGES_RATE)
    starts = range(0, max(1, len(reference) - size // 2), size) if len(reference) >= SHORTEST_S * JUDGES_RATE else range(0)
    scores, seconds = [], []
    for start in starts:
        stretch = slice(start, None if start == starts[-1] else start + size)
        if _is_silent(reference[stretch]):
            continue
        sounds = not _is_silent(estimate[stretch])
        scores.append(_ask_zimtohrli(reference[stretch], estimate[stretch]) if sounds else WORST)
        seconds.append(len(reference[stretch]) / JUDGES_RATE)
    return np.array(scores, dtype=float), np.array(seconds, dtype=float)


def judge_take(reference: ArrayLike, estimate: ArrayLike, sample_rate: int, *, with_visqol: bool = True) -> Judgement | None:
    """Judge a recording of any length in a time that grows with its length.

    Args:
        reference, estimate: [T], as in `judge`; may be silent or short.
        sample_rate: Hz of both.
        with_visqol: False leaves out ViSQOL.
    Returns:
        the mean of Zimtohrli over stretches of about 15 s, and ViSQOL of the first 15 s; up to 15 s what `judge` says.
        None where there is nothing to judge, or no Zimtohrli; without ViSQOL its score is None.
    Raises:
        InputError: not [T], or not finite.
    """
    if not can_judge():
        return None
    scores, seconds = judge_stretches(reference, estimate, sample_rate)
    if not len(scores):
        return None
    visqol = None
    if with_visqol and find_spec("visqol") is not None:
        n_samples = round(STRETCH_S * sample_rate)
        first = _prepare(np.asarray(reference)[:n_samples], np.asarray(estimate)[:n_samples], sample_rate)
        visqol = None if any(map(_is_silent, first)) else _ask_visqol(*first)
    return Judgement(float(np.average(scores, weights=seconds)), visqol)


def can_judge() -> bool:
    """Whether Zimtohrli is installed."""
    return find_spec("zimtohrli") is not None


def judges_left_out() -> str:
    """One sentence on the judges that are not installed; empty where both are."""
    missing = [package for module, package in (("zimtohrli", "zimtohrli"), ("visqol", "visqol-python"))
               if find_spec(module) is None]
    if not missing:
        return ""
    lost = "what Zimtohrli and ViSQOL say is" if "zimtohrli" in missing else "what ViSQOL says is"
    return f"{' and '.join(missing)} not installed, {lost} left out; {INSTALL}."


def _prepare(reference: ArrayLike, estimate: ArrayLike, sample_rate: int) -> tuple[Audio, Audio]:
    """Both at 48 kHz, of one length and one level."""
    check_range("judge", "sample_rate", sample_rate, 1, 10_000_000)
    pair = [check_audio("judge", name, audio) for name, audio in (("reference", reference), ("estimate", estimate))]
    n_samples = min(map(len, pair))
    reference, estimate = (resample(audio[:n_samples], sample_rate, JUDGES_RATE) for audio in pair)
    if _is_silent(estimate) or _is_silent(reference):
        return reference, estimate
    wanted, found = (float(np.square(audio, dtype=np.float64).mean()) for audio in (reference, estimate))
    return reference, (estimate * math.sqrt(wanted / found)).astype(np.float32)


def _is_silent(audio: Audio) -> bool:
    return not float(np.abs(audio).max(initial=0.0)) > SILENT_PEAK


def _ask_zimtohrli(reference: Audio, estimate: Audio) -> float:
    try:
        from zimtohrli import mos_from_signals
    except ImportError as error:
        raise InputError(f"judge: zimtohrli is not installed; {INSTALL}.") from error
    hiss = np.float32(HISS) * np.random.default_rng(0).standard_normal(len(reference), dtype=np.float32)
    return float(mos_from_signals(reference + hiss, estimate + hiss))


def _ask_visqol(reference: Audio, estimate: Audio) -> float | None:
    if "numba" in sys.modules and "NUMBA_THREADING_LAYER" not in os.environ:
        # as visqol asks for where it is the first to import numba: what OpenMP has begun ends a process that is forked
        sys.modules["numba"].config.THREADING_LAYER = "workqueue"
    try:
        from visqol import VisqolApi
    except ImportError as error:
        raise InputError(f"judge: visqol-python is not installed; {INSTALL}.") from error
    api = VisqolApi()
    api.create(mode="audio")
    try:
        with _quiet("visqol"):
            score = api.measure_from_arrays(reference.astype(np.float64), estimate.astype(np.float64), JUDGES_RATE).moslqo
    except ValueError:  # it aligns the two first, and too little may be left to compare
        return None
    return float(score) if math.isfinite(score) else None


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    """Leave out the warnings of a logger: of patches at the end that it drops."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
