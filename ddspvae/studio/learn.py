"""The process that trains: `python -m ddspvae.studio.learn JOB.json`. It outlives the page and the server, and goes on
where it was ended.

It writes one JSON object a line to the progress file: a report, rows of numbers, and how it ended.
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ddspvae.audio import write_audio
from ddspvae.signals.checks import InputError
from ddspvae.studio.folders import read_json
from ddspvae.studio.jobs import hold, tell_into


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
    from ddspvae.instrument.presets import read_card
    from ddspvae.training.loop import train
    from ddspvae.training.validation import TrainingStopped

    def hear(step: int, take: Any, played: Any) -> None:
        rate = prepared_rate
        for name, audio in (("recording", take.audio), ("now", played)):
            write_audio(folder / f"{name}.wav", np.clip(np.asarray(audio, dtype=np.float32), -1, 1), rate)
        tell({"heard": step})

    prepared_rate = 48_000
    warnings.simplefilter("ignore")
    try:
        out = train(job["recordings"], job["out"], minutes=job.get("minutes"), steps=job.get("steps"),
                    start_from=job.get("start_from") or None, seed=job.get("seed", 0),
                    progress=lambda row: tell({"row": row}), report=lambda report: tell({"report": report.to_dict()}),
                    tell=lambda sentence: tell({"said": sentence}), hear=hear)
    except TrainingStopped as stopped:
        tell({"failed": str(stopped)})
        return 2
    card = read_card(out)
    tell({"finished": time.time(), "metrics": card["metrics"]["validation"], "steps": card["training"]["steps_done"]})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
