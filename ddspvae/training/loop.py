"""Recordings to an instrument: prepare, step and validate until the budget is spent, finish."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from ddspvae.features.cache import content_key
from ddspvae.instrument.loading import load
from ddspvae.instrument.presets import FILE_FORMAT
from ddspvae.model.autoencoder import Autoencoder
from ddspvae.model.config import ModelConfig, sizes_for
from ddspvae.model.transplant import settle, transplant
from ddspvae.signals.checks import InputError
from ddspvae.training.checkpoint import Checkpoint
from ddspvae.training.dataset import Crops, Take
from ddspvae.training.export import finish
from ddspvae.training.many import give_codes, prepare_folders
from ddspvae.training.monitor import Monitor
from ddspvae.training.prepare import Prepared, prepare
from ddspvae.training.trainer import WARMUP_FRAMES, Run, TrainingConfig
from ddspvae.training.validation import TrainingStopped, Validation, check_health, excerpts, reconstruct, validate

CROP_FRAMES = 320  # 1.6 s at 200 frames/s
SAVE_EVERY_S = 120.0


def pick_device(name: str | None) -> torch.device:
    """The named device, or the fastest there is."""
    if name is not None:
        try:
            device = torch.device(name)
            torch.zeros(1, device=device)
            return device
        except (RuntimeError, AssertionError) as error:
            raise InputError(f"train: device {name} cannot be used ({str(error).splitlines()[0]}).") from error
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def train(recordings: str | Path | Sequence[str | Path], out: str | Path, *, minutes: float | None = None,
          steps: int | None = None, bitrate: float = 2000.0, controller: str = "log-dual", loss: str = "ear",
          holdout: Sequence[str | Path] = (), tracker: str = "swift",
          start_from: str | Path | None = None, many: bool = False, device: str | None = None, seed: int = 0,
          model: ModelConfig | None = None, progress: Callable[[dict[str, float]], None] | None = None,
          report: Callable[[Any], None] | None = None, tell: Callable[[str], None] | None = None,
          prepared: Prepared | None = None, hear: Callable[[int, Take, Any], None] | None = None) -> Path:
    """Learn an instrument from recordings; the same call again resumes a run that was cut short.

    Args:
        recordings: a folder or files, one instrument, one note at a time; 5 to 20 minutes are good.
        out: the .safetensors file to write; checkpoints and logs go to `<name>.training/` beside it.
        minutes, steps: the budget, one of them (default 10 minutes).
        bitrate: bit/s of timbre that z may carry.
        controller: what holds the bitrate, one of training.rate.CONTROLLERS.
        loss: one of training.losses.LOSSES.
        holdout: recordings to leave out entirely.
        tracker: of f0: "swift", "crepe", "crepe-full".
        start_from: a preset or file to start from; of a model of many instruments, the one that sounds like these.
        many: recordings is a folder with a folder for each of several instruments, and one model learns them all.
        device: "cuda", "mps", "cpu"; None takes the best there is.
        seed: of everything random.
        model: sizes and rates; n_harmonics and rooms are found from the recordings.
        progress: called now and then with step, loss, bits_per_second, pitch_median_cents, progress, seconds.
        report: called once with the doctor's report.
        tell: called with a sentence where an earlier run goes on.
        prepared: what `prepare` made of the same recordings and model, where it is there already.
        hear: called at each validation with the step, a recording, and how it is played now [T].
    Returns:
        the path of the finished instrument.
    Raises:
        InputError: nothing to train on, or the output cannot be written.
        TrainingStopped: the run failed; the sentence names the reason.
    """
    out = Path(out)
    if out.suffix != ".safetensors":
        raise InputError(f"train: out must end in .safetensors, got {out}.")
    minutes = 10.0 if minutes is None and steps is None else minutes
    config = TrainingConfig(minutes=minutes, steps=steps, bitrate=bitrate, seed=seed, controller=controller, loss=loss)
    target = pick_device(device)
    given = None if start_from is None else load(start_from).model
    if prepared is None:
        find = prepare_folders if many else prepare
        n_z, frames_per_z = sizes_for(bitrate)
        prepared = find(recordings, holdout, tracker, model or ModelConfig(n_z=n_z, frames_per_z=frames_per_z), report)
    prepared = replace(prepared, model=replace(prepared.model, bitrate=bitrate))
    checkpoint = Checkpoint(out)
    settings = {"files": ["/".join(take.path.parts[-2:]) for take in prepared.training + prepared.validation],
                "model": prepared.model.to_dict(), "tracker": tracker, "from": str(start_from or ""), "format": FILE_FORMAT,
                **asdict(replace(config, minutes=None, steps=1))}
    settings["content"] = content_key([take.audio for take in prepared.training + prepared.validation])
    settings["model"]["rooms"] = list(settings["model"]["rooms"])

    torch.manual_seed(seed)
    network = Autoencoder(prepared.model)
    if prepared.model.n_timbre:
        prepared = give_codes(network, prepared)
    heard = [take.heard() for take in prepared.training]
    network.decoder.typical.fit(heard, prepared.model.frames_per_z)
    if given is not None:
        is_one_of_many = given.config.n_timbre and not prepared.model.n_timbre
        transplant(settle(given, given.timbre.hear(heard)) if is_one_of_many else given, network)
    run = Run(network, config, target)
    state = checkpoint.load(settings, target)
    if state is not None:
        run.restore(state)
        if tell is not None and run.progress < 1:
            tell(f"train: goes on after step {run.step}, kept in {checkpoint.folder}.")
    if run.failure:
        raise TrainingStopped(f"{run.failure} (This run has ended; delete {checkpoint.folder} to start anew.)")
    if run.progress >= 1 and checkpoint.is_older_than(out):
        return out  # finished before; the caller says so
    _loop(run, prepared, checkpoint, settings, progress, hear)
    finish(run, prepared, out, Path(start_from).name if start_from else "")
    return out


def _loop(run: Run, prepared: Prepared, checkpoint: Checkpoint, settings: dict[str, Any],
          progress: Callable[[dict[str, float]], None] | None,
          hear: Callable[[int, Take, Any], None] | None = None) -> None:
    """Steps and validations until the budget is spent."""
    ear = copy.deepcopy(run.average.timbre).cpu() if prepared.model.n_timbre else None
    crops = Crops(prepared.training, prepared.model.rooms, CROP_FRAMES, WARMUP_FRAMES, prepared.model.hop_size, ear)
    probes = excerpts(prepared.validation, prepared.model.hop_size, prepared.training)
    row: dict[str, float] = {}
    last_validation, last_saved = run.progress, run.seconds
    with Monitor(checkpoint.folder / "tensorboard", prepared.model) as monitor:
        while run.progress < 1:
            loss, bits = run.advance(crops)
            if run.step % 10 == 0 and progress is not None:
                progress({**row, "step": run.step, "loss": loss, "bits_per_second": run.rate.smooth_bits,
                          "progress": run.progress, "seconds": run.seconds})
            if run.step % 10 == 0:
                monitor.step(run.step, loss, bits, run.rate.price)
            if run.progress - last_validation < 0.1 and run.progress < 1:
                if run.seconds - last_saved > SAVE_EVERY_S:
                    checkpoint.save(settings, run.state())
                    last_saved = run.seconds
                continue
            last_validation = run.progress
            began = time.perf_counter()
            measured = validate(run.average, probes, prepared.model.rooms, prepared.tracker, run.device)
            run.keep_if_best(measured.loss)
            run.seconds += time.perf_counter() - began
            row = _row(run, loss, measured)
            run.rows.append(row)
            checkpoint.log(row)
            monitor.validation(run.step, measured, run.average, probes[0], prepared.model.rooms, run.device)
            if hear is not None:
                hear(run.step, probes[0], reconstruct(run.average, probes[0], prepared.model.rooms, run.device)[0])
            tail = run.average.room_tail_energy() if prepared.model.with_reverb else 0.0
            try:
                check_health(measured, run.progress, run.step, run.model.n_unnamed, tail)
            except TrainingStopped as stopped:
                run.failure = str(stopped)
                raise
            finally:
                checkpoint.save(settings, run.state())
                last_saved = run.seconds


def _row(run: Run, loss: float, measured: Validation) -> dict[str, float]:
    values = {f"validation_{key}" if key == "loss" else key: value for key, value in asdict(measured).items()}
    return {"step": run.step, "minutes": round(run.seconds / 60, 3), "training_loss": loss, **values}
