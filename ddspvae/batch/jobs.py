"""One job of many: what it is called, what decides its result, and the log that says how it ended."""

from __future__ import annotations

import json
import platform
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ddspvae.signals.checks import InputError, one_line
from ddspvae.signals.files import new_file
from ddspvae.signals.jobs import on_cores

DONE, LEFT_OUT = "done", "left out"


@dataclass(frozen=True)
class Job:
    """One piece of work.

    Args:
        name: of the job and its log, unique: a path below the output's folder, without an ending.
        key: changes with everything that decides the result; a job that ended well with the same key is not done again.
        outputs: absolute paths of files or folders that are there when it has ended well.
        log: absolute path of its log.
        work: what the function is given.
    """

    name: str
    key: str
    outputs: tuple[str, ...]
    log: str
    work: Any


@dataclass(frozen=True)
class Outcome:
    """How a job ended.

    Args:
        name, key: of the job.
        state: "done" or "left out".
        result: what the function gave, plain values.
        said: warnings on the way.
        reason: why it was left out, one sentence; empty where it is done.
        seconds: it took.
        machine: where.
        details: where in the program an unexpected error arose.
    """

    name: str
    key: str
    state: str
    result: dict[str, Any] = field(default_factory=dict)
    said: tuple[str, ...] = ()
    reason: str = ""
    seconds: float = 0.0
    machine: str = ""
    details: str = ""


def attempt(function: Callable[[Any], dict[str, Any]], job: Job) -> Outcome:
    """Do a job on this core and write its log; an error of one file is an outcome, never the end of the others."""
    began, state, result, reason, details = time.perf_counter(), DONE, {}, "", ""
    with warnings.catch_warnings(record=True) as said, on_cores(1):
        warnings.simplefilter("always")
        try:
            result = function(job.work)
        except InputError as error:
            state, reason = LEFT_OUT, one_line(str(error))
        except Exception as error:  # whatever one file does, the others go on
            state, reason = LEFT_OUT, one_line(f"{type(error).__name__}: {error}")
            details = traceback.format_exc()
    told = tuple(one_line(str(one.message)) for one in said if issubclass(one.category, UserWarning))
    outcome = Outcome(job.name, job.key, state, result, told, reason, round(time.perf_counter() - began, 3), platform.node(),
                      details)
    write_log(job, outcome)
    return outcome


def write_log(job: Job, outcome: Outcome) -> None:
    """Whole or not at all; the outputs have their names before."""
    log = Path(job.log)
    log.parent.mkdir(parents=True, exist_ok=True)
    with new_file(log) as part:
        part.write_text(json.dumps(asdict(outcome), indent=1) + "\n", encoding="utf-8")


def ended_before(job: Job) -> Outcome | None:
    """How the same job ended in an earlier run, if that was well and its outputs are still there."""
    try:
        told = json.loads(Path(job.log).read_text(encoding="utf-8"))
        outcome = Outcome(**{**told, "said": tuple(told["said"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None
    is_whole = outcome.state == DONE and outcome.key == job.key and all(Path(path).exists() for path in job.outputs)
    return outcome if is_whole else None
