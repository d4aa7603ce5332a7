"""The process that trains: `python -m ddspvae.studio.learn JOB.json`. It outlives the page and the server, and goes on
where it was ended.

It writes one JSON object a line to the progress file: a report, rows of numbers, and how it ended.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddspvae.audio import write_audio
from ddspvae.signals.checks import InputError
from ddspvae.studio.folders import read_json
from ddspvae.studio.jobs import HEARD, hold, tell_into

JUDGED_S = 4.0  # of the excerpt that is heard


def main(path: str) -> int:
    """Train what a job asks for; 0 done, 2 the input is at fault, 3 another process does."""
    job = read_json(Path(path))
    folder = Path(path).parent
    lock = hold(Path(path).with_suffix(".lock"))
    if lock is None:
        return 3
    if hasattr(os, "nice"):
        os.nice(5)  # who plays meanwhile comes first
    with tell_into(Path(path).with_suffix(".jsonl")) as tell:
        tell({"began": time.time(), "pid": os.getpid()})
        try:
            return _train(job, folder, tell)
        except InputError as error:
            tell({"failed": str(error)})
            return 2
        except KeyboardInterrupt:
            tell({"stopped": time.time()})
            return 130
        except Exception as error:
            tell({"failed": f"{type(error).__name__}: {error}"})
            raise


def _train(job: dict[str, Any], folder: Path, tell: Callable[[dict[str, Any]], None]) -> int:
    from ddspvae.evaluation.perceptual import judges_left_out
    from ddspvae.instrument.presets import read_card
    from ddspvae.training.loop import train
    from ddspvae.training.validation import TrainingStopped

    judging = ThreadPoolExecutor(1)  # beside the training, which waits for no score

    def hear(step: int, take: Any, played: Any) -> None:
        rate = round(len(take.audio) / take.n_frames * take.features.frame_rate_hz)
        recording, now = (np.clip(np.asarray(audio, dtype=np.float32), -1, 1) for audio in (take.audio, played))
        for name, audio in zip(HEARD, (recording, now)):
            write_audio(folder / f"{name}.wav", audio, rate)
        tell({"heard": step})
        n_samples = round(JUDGED_S * rate)
        judging.submit(ask_judges, recording[:n_samples], now[:n_samples], rate, step, tell)

    warnings.simplefilter("ignore")
    if judges_left_out():
        tell({"judges": judges_left_out()})
    try:
        out = train(job["recordings"], job["out"], minutes=job.get("minutes"), steps=job.get("steps"),
                    start_from=job.get("start_from") or None, seed=job.get("seed", 0),
                    progress=lambda row: tell({"row": row}), report=lambda report: tell({"report": report.to_dict()}),
                    tell=lambda sentence: tell({"said": sentence}), hear=hear)
    except TrainingStopped as stopped:
        tell({"failed": str(stopped)})
        return 2
    finally:
        judging.shutdown(wait=True)
    card = read_card(out)
    tell({"finished": time.time(), "metrics": card["metrics"]["validation"], "steps": card["training"]["steps_done"]})
    return 0


def ask_judges(recording: NDArray[np.float32], now: NDArray[np.float32], sample_rate: int, step: int,
               tell: Callable[[dict[str, Any]], None]) -> None:
    """Tell what the judges of hearing say of a few seconds; nothing where they are not installed, or nothing sounds."""
    from ddspvae.evaluation.perceptual import SHORTEST_S, judge_take

    with contextlib.suppress(InputError):
        judgement = judge_take(recording, now, sample_rate)
        if judgement is None and len(now) < SHORTEST_S * sample_rate:
            tell({"judges": "what is kept to validate on is shorter than 1 s, too short for the judges; record more."})
        if judgement is not None:
            tell({"judged": step, "zimtohrli": round(judgement.zimtohrli, 3),
                  "visqol": None if judgement.visqol is None else round(judgement.visqol, 3)})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
