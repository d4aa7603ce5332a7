"""The report on an instrument: what comes back of held-out recordings, and how well it obeys edits."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ddspvae.audio import read_audio
from ddspvae.evaluation.edits import Evaluable, Recording, floor_tracker, try_recording
from ddspvae.evaluation.independence.report import measure_independence
from ddspvae.evaluation.metrics import other_tracker
from ddspvae.evaluation.page import write_page
from ddspvae.evaluation.perceptual import judges_left_out
from ddspvae.evaluation.summary import summarize
from ddspvae.features.f0 import TRACKERS
from ddspvae.signals.checks import InputError, check_range, fail

REPORT_FORMAT = "ddspvae report 1"

Progress = Callable[[str], None]


def evaluate(instrument: Evaluable, paths: Sequence[str | Path], out_folder: str | Path, *, tracker: str | None = None,
             max_seconds: float = 30.0, progress: Progress | None = None,
             moved: Callable[[Path], Evaluable] | None = None) -> dict[str, Any]:
    """Measure an instrument on held-out recordings and write metrics.json and index.html.

    Each recording is resynthesized plainly, transposed by -5, +3 and +7 semitones, made 6 dB softer and louder,
    and each timbre axis is moved by -2 and +2 standard deviations over its 6 busiest seconds. How far pitch,
    loudness and timbre leave each other alone is measured as in `independence.py`. Two judges of hearing compare the
    plain resynthesis and the ceiling (see `ceiling.py`) with the recording, and one of them what is played with z at 0;
    without their packages that is left out, and said. A recording that cannot be read or analyzed is skipped and named.
    Both files appear whole or not at all.

    Args:
        instrument: a loaded `Instrument`.
        paths: sound files that it was not trained on.
        out_folder: made if missing; its metrics.json and index.html are replaced.
        tracker: the one to measure pitch with; None takes the one that the instrument was not trained with.
        max_seconds: how much of each recording is used, from its start, 1 to 600.
        progress: called with a few words before each piece of work.
        moved: gives the instrument in the room of a recording, see `instrument.nearest`; None leaves it where it is.
    Returns:
        the content of metrics.json: plain values, None where nothing could be compared.
    Raises:
        InputError: no path, none of the recordings can be used, or out_folder cannot be written.
    """
    check_range("evaluate", "max_seconds", max_seconds, 1, 600)
    if isinstance(paths, (str, Path)):
        paths = [paths]
    if not paths:
        raise fail("evaluate", "paths", "name at least one recording", "none")
    out_folder = Path(out_folder)
    tracker = tracker or other_tracker(instrument.tracker)
    TRACKERS.check("evaluate", tracker)
    say = progress or (lambda words: None)
    try:
        out_folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".report-", dir=out_folder.parent) as folder:
            unfinished = Path(folder)
            recordings, skipped = _try_all(instrument, [Path(path) for path in paths], tracker, max_seconds, say, moved)
            metrics = _metrics(instrument, tracker, recordings, skipped, say)
            say("writing the report")
            text = json.dumps(metrics, indent=2, allow_nan=False) + "\n"
            (unfinished / "metrics.json").write_text(text, encoding="utf-8")
            write_page(unfinished / "index.html", metrics, recordings)
            out_folder.mkdir(exist_ok=True)
            for name in ("index.html", "metrics.json"):
                (unfinished / name).replace(out_folder / name)
    except OSError as error:
        raise InputError(f"evaluate: cannot write {out_folder} ({error.strerror or error}); "
                         "name a folder that can be made.") from error
    return metrics


def _try_all(instrument: Evaluable, paths: list[Path], tracker: str, max_seconds: float,
             say: Progress, moved: Callable[[Path], Evaluable] | None
             ) -> tuple[list[Recording], list[dict[str, str]]]:
    """Every recording that can be used, and file and reason of each that cannot."""
    sample_rate = instrument.config.sample_rate
    recordings: list[Recording] = []
    skipped = []
    for number, path in enumerate(paths, start=1):
        where = f"{number} of {len(paths)}, {path.name}"
        try:
            audio = read_audio(path, sample_rate)[0][: round(max_seconds * sample_rate)]
            there = instrument if moved is None else moved(path)
            recordings.append(try_recording(there, path.name, audio, tracker, partial(_say_where, say, where)))
        except InputError as error:
            skipped.append({"file": path.name, "reason": str(error)})
    if not recordings:
        reasons = " ".join(entry["reason"] for entry in skipped)
        raise InputError(f"evaluate: none of the {len(paths)} recordings can be used. {reasons}")
    return recordings, skipped


def _say_where(say: Progress, where: str, what: str) -> None:
    say(f"{where}: {what}")


def _metrics(instrument: Evaluable, tracker: str, recordings: list[Recording],
             skipped: list[dict[str, str]], say: Progress) -> dict[str, Any]:
    return _without_nan({
        "format": REPORT_FORMAT,
        "preset": instrument.name,
        "sample_rate": instrument.config.sample_rate,
        "hop_size": instrument.config.hop_size,
        "trained_with": instrument.tracker,
        "measured_with": tracker,
        "floor_with": floor_tracker(tracker, instrument.tracker),
        "judges_left_out": judges_left_out(),
        "axis_names": list(recordings[0].performance.axis_names),
        "total": summarize(recordings),
        "independence": measure_independence(instrument, recordings, tracker=tracker, step=say,
                                             players=[recording.player for recording in recordings]),
        "recordings": [{"file": recording.file, "room": recording.player.room, **summarize([recording])}
                       for recording in recordings],
        "skipped": skipped,
    })


def _without_nan(value: Any) -> Any:
    """JSON knows no NaN: "could not be compared" is null there."""
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
