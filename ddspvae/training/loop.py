"""Recordings to an instrument: prepare, step and validate until the budget is spent, finish."""

from __future__ import annotations

import copy
import os
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from ddspvae.features.cache import content_key
from ddspvae.instrument.loading import load
from ddspvae.instrument.presets import FILE_FORMAT
from ddspvae.model.autoencoder import Autoencoder
from ddspvae.model.config import ModelConfig, sizes_for
from ddspvae.signals.checks import InputError, check_choice
from ddspvae.training.checkpoint import Checkpoint
from ddspvae.training.corpus import is_corpus
from ddspvae.training.dataset import Crops, Take
from ddspvae.training.export import finish
from ddspvae.training.few import FEW_RATE, FEW_STEPS, are_few, as_wide, begin
from ddspvae.training.many import give_codes, prepare_folders
from ddspvae.training.monitor import Monitor
from ddspvae.training.pace import PRECISIONS, compile_stacks
from ddspvae.training.prepare import Prepared, prepare
from ddspvae.training.prepare_corpus import find_corpus, prepare_corpus
from ddspvae.training.processes import joined
from ddspvae.training.stream import Streamed
from ddspvae.training.trainer import WARMUP_FRAMES, Run, TrainingConfig
from ddspvae.training.validation import TrainingStopped, Validation, check_health, excerpts, reconstruct, validate

CROP_FRAMES = 320  # 1.6 s at 200 frames/s
BITRATE = 2000.0  # bit/s of timbre
SAVE_EVERY_S = 50.0  # a kill costs less than a minute


def pick_device(name: str | None) -> torch.device:
    """The named device, or the fastest there is; of several processes on one machine, each has a GPU of its own."""
    if name is not None:
        try:
            device = torch.device(name)
            if device.type == "cuda" and device.index is None and "LOCAL_RANK" in os.environ:
                device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
            torch.zeros(1, device=device)
            return device
        except (RuntimeError, AssertionError) as error:
            raise InputError(f"train: device {name} cannot be used ({str(error).splitlines()[0]}).") from error
    if torch.cuda.is_available():
        return torch.device("cuda", int(os.environ["LOCAL_RANK"])) if "LOCAL_RANK" in os.environ else torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def train(recordings: str | Path | Sequence[str | Path], out: str | Path, *, minutes: float | None = None,
          steps: int | None = None, bitrate: float | None = None, axes: int | None = None, controller: str = "log-dual",
          loss: str = "ear", holdout: Sequence[str | Path] = (), tracker: str = "swift",
          start_from: str | Path | None = None, many: bool = False, device: str | None = None, seed: int = 0,
          batch: int | None = None, features: str | None = None, precision: str = "auto", compiled: bool = False,
          model: ModelConfig | None = None,
          progress: Callable[[dict[str, float]], None] | None = None,
          report: Callable[[Any], None] | None = None, tell: Callable[[str], None] | None = None,
          prepared: Prepared | None = None, hear: Callable[[int, Take, Any], None] | None = None) -> Path:
    """Learn an instrument from recordings; the same call again resumes a run that was cut short.

    Args:
        recordings: a folder or files, one instrument, one note at a time; 5 to 20 minutes are good. Or a corpus that no
            memory holds: a manifest, CSV or Parquet, or a place of features that were made before, see docs/scale.md.
        out: the .safetensors file to write; checkpoints and logs go to `<name>.training/` beside it.
        minutes, steps: the budget, one of them (default 10 minutes).
        bitrate: bit/s of timbre that z may carry; None is BITRATE, or of few seconds what the model of many has.
        axes: of z; None is what model says, or the bitrate pays for, or of few seconds what the model of many has.
        controller: what holds the bitrate, one of training.rate.CONTROLLERS.
        loss: one of training.losses.LOSSES.
        holdout: recordings to leave out entirely.
        tracker: of f0: "swift", "crepe", "crepe-full".
        start_from: a preset or file to start from; of a model of many instruments, the one that sounds like these.
        many: recordings is a folder with a folder for each of several instruments, and one model learns them all.
        device: "cuda", "mps", "cpu"; None takes the best there is.
        seed: of everything random.
        precision: "float32", "bfloat16" for products of matrices, or "auto": what a GPU is quicker with, measured in the
            first step, and float32 on a CPU.
        compiled: compile the stacks with torch.compile; the first steps then take minutes.
        features: where the features of a manifest are kept, a folder or a URL; None is beside it.
        batch: crops a step, over all processes together; None takes 4 for each of those that begin the run, and a run that
            goes on keeps what it began with, so that any number of processes that divides it may go on.
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
    paid = BITRATE if bitrate is None else bitrate
    config = TrainingConfig(minutes=minutes, steps=steps, bitrate=paid, seed=seed, controller=controller, loss=loss)
    target = pick_device(device)
    source = None if start_from is None else load(start_from)
    check_choice("train", "precision", precision, PRECISIONS)
    n_z, frames_per_z = sizes_for(paid)
    wanted = model or ModelConfig(n_z=n_z, frames_per_z=frames_per_z)
    wanted = wanted if axes is None else replace(wanted, n_z=axes)
    with joined(target) as processes:
        checkpoint = Checkpoint(out) if processes.leads else None
        kept = processes.agree(None if checkpoint is None else checkpoint.kept("batch_size"))
        n_crops = check_batch(batch or kept or config.batch_size * processes.count, processes.count, prepared or wanted)
        config = replace(config, batch_size=n_crops)
        if prepared is None:
            if not processes.leads:
                processes.wait()  # what the leading process has listened to is found in the cache, or in shards
            if is_corpus(_as_list(recordings)):
                if holdout:
                    raise InputError("train: --holdout is for folders; in a manifest, recordings of split test stay out.")
                corpus = find_corpus(recordings, features, tracker, wanted, makes=processes.leads,
                                     progress=partial(_tell_listening, tell))
                prepared = prepare_corpus(corpus, many, wanted, seed)
            else:
                find = prepare_folders if many else prepare
                prepared = find(recordings, holdout, tracker, wanted, report)
            if processes.leads:
                processes.wait()
        prepared = replace(prepared, model=replace(prepared.model, bitrate=paid))
        is_few = are_few(prepared, source)
        if is_few and source is not None and axes in (None, source.config.n_running):
            prepared = as_wide(prepared, source, bitrate)
            config = replace(config, bitrate=prepared.model.bitrate)
        settings = {"files": ["/".join(take.path.parts[-2:]) for take in prepared.training + prepared.validation],
                    "model": prepared.model.to_dict(), "tracker": tracker, "from": str(start_from or ""),
                    "format": FILE_FORMAT, **asdict(replace(config, minutes=None, steps=1))}
        settings["content"] = content_key([take.audio for take in prepared.training + prepared.validation]
                                          if prepared.corpus is None else [prepared.corpus.content])
        settings["model"]["rooms"] = list(settings["model"]["rooms"])

        torch.manual_seed(seed)
        network = Autoencoder(prepared.model)
        if prepared.model.n_timbre:
            prepared = give_codes(network, prepared)
        heard = [take.heard() for take in prepared.training]
        network.decoder.typical.fit(heard, prepared.model.frames_per_z, prepared.model.rooms)
        if source is not None:
            was_few, is_few = is_few, begin(network, source, heard, is_few)
            if is_few:
                config = replace(config, most_steps=FEW_STEPS, learning_rate=FEW_RATE * config.learning_rate)
            elif was_few and tell is not None:
                tell(f"train: with {axes} axes of z nothing is kept of what {source.name} knows of them; it has "
                     f"{source.config.n_running}, which you get without --axes.")
        processes.align(network.to(target))
        run = Run(network, config, target, processes, precision)
        run.has_details = run.has_details or is_few
        if compiled:
            compile_stacks(network)
        state = processes.agree(None if checkpoint is None else checkpoint.load(settings, torch.device("cpu")))
        if state is not None:
            run.restore(state)
            if tell is not None and run.progress < 1 and checkpoint is not None:
                tell(f"train: goes on after step {run.step}, kept in {checkpoint.folder}.")
        folder = out.with_name(out.stem + ".training")
        if run.failure:
            raise TrainingStopped(f"{run.failure} (This run has ended; delete {folder} to start anew.)")
        is_finished = run.progress >= 1 and checkpoint is not None and checkpoint.is_older_than(out)
        if processes.agree(is_finished):
            return out  # finished before; the caller says so
        _loop(run, prepared, checkpoint, settings, progress, hear)
    if checkpoint is not None:
        finish(run, prepared, out, Path(start_from).name if start_from else "")
    return out


def _as_list(recordings: str | Path | Sequence[str | Path]) -> list[str]:
    return [str(recordings)] if isinstance(recordings, (str, Path)) else [str(one) for one in recordings]


def _tell_listening(tell: Callable[[str], None] | None, known: int, total: int) -> None:
    """Every twentieth of the way."""
    if tell is not None and (known == total or known % max(1, total // 20) < 1):
        tell(f"train: {known} of {total} recordings are listened to.")


def check_batch(batch: int, n_processes: int, model: ModelConfig | Prepared) -> int:
    """A batch that so many processes can share.

    Raises:
        InputError: they cannot have equal shares, or what is learned from whole batches is not here in whole.
    """
    config = model.model if isinstance(model, Prepared) else model
    if batch % n_processes:
        raise InputError(f"train: a batch of {batch} cannot be shared evenly by {n_processes} processes; take as many as "
                         "divide it, or another --batch.")
    if n_processes > 1 and config.bottleneck in ("vq", "rvq"):
        raise InputError(f"train: the codebooks of {config.bottleneck} learn from whole batches; train them in one process, "
                         "or take --bottleneck fsq.")
    return batch


def _loop(run: Run, prepared: Prepared, checkpoint: Checkpoint | None, settings: dict[str, Any],
          progress: Callable[[dict[str, float]], None] | None,
          hear: Callable[[int, Take, Any], None] | None = None) -> None:
    """Steps and validations until the budget is spent; the process that has the checkpoint validates for all."""
    ear = copy.deepcopy(run.average.timbre).cpu() if prepared.model.n_timbre else None
    crops: Crops | Streamed
    if prepared.corpus is None:
        crops = Crops(prepared.training, prepared.model.rooms, CROP_FRAMES, WARMUP_FRAMES, prepared.model.hop_size, ear)
    else:
        codes = {take.instrument: take.code for take in prepared.training if take.code is not None}
        crops = Streamed(prepared.corpus, codes, prepared.model.rooms, prepared.training, CROP_FRAMES, WARMUP_FRAMES, ear,
                         run.config.seed)
    watch = None if checkpoint is None else Watch(run, prepared, checkpoint, settings, progress, hear)
    validated = _tenths(run.progress)
    with watch or nullcontext():
        while run.progress < 1:
            loss, bits = run.advance(crops)
            is_due = _tenths(run.progress) > validated
            if watch is not None:
                watch.step(loss, bits)
            if is_due:
                validated = _tenths(run.progress)
                run.failure = run.processes.agree("" if watch is None else watch.validate(loss))
                run.seconds = run.processes.agree_number(run.seconds, run.device)
                if run.failure:
                    raise TrainingStopped(run.failure)


def _tenths(progress: float) -> int:
    """How many tenths of the budget are over: a run that goes on validates where it would have done."""
    return int(10 * progress + 1e-6)


class Watch:
    """What the leading process does beside the steps: it validates, saves, and shows how far the run is."""

    def __init__(self, run: Run, prepared: Prepared, checkpoint: Checkpoint, settings: dict[str, Any],
                 progress: Callable[[dict[str, float]], None] | None,
                 hear: Callable[[int, Take, Any], None] | None = None) -> None:
        self.run, self.prepared, self.checkpoint = run, prepared, checkpoint
        self.settings, self.progress, self.hear = settings, progress, hear
        self.probes = excerpts(prepared.validation, prepared.model.hop_size, prepared.training)
        self.row: dict[str, float] = {}
        self.last_saved = time.monotonic()
        self.monitor = Monitor(checkpoint.folder / "tensorboard", prepared.model)

    def __enter__(self) -> Watch:
        self.monitor.__enter__()
        return self

    def __exit__(self, *raised: Any) -> None:
        self.monitor.__exit__(*raised)

    def step(self, loss: float, bits: torch.Tensor) -> None:
        """After a step."""
        run = self.run
        if run.step % 10 == 0:
            if self.progress is not None:
                self.progress({**self.row, "step": run.step, "loss": loss, "bits_per_second": run.rate.smooth_bits,
                               "progress": run.progress, "seconds": run.seconds})
            self.monitor.step(run.step, loss, bits, run.rate.price)
        if time.monotonic() - self.last_saved > SAVE_EVERY_S:
            self._save()

    def validate(self, loss: float) -> str:
        """Measure, log and save; why the run must stop, "" where it may go on."""
        run, prepared = self.run, self.prepared
        began = time.perf_counter()
        measured = validate(run.average, self.probes, prepared.model.rooms, prepared.tracker, run.device)
        run.keep_if_best(measured.loss)
        run.seconds += time.perf_counter() - began
        self.row = _row(run, loss, measured)
        run.rows.append(self.row)
        self.checkpoint.log(self.row)
        self.monitor.validation(run.step, measured, run.average, self.probes[0], prepared.model.rooms, run.device)
        if self.hear is not None:
            self.hear(run.step, self.probes[0],
                      reconstruct(run.average, self.probes[0], prepared.model.rooms, run.device)[0])
        tail = run.average.room_tail_energy() if prepared.model.with_reverb else 0.0
        try:
            check_health(measured, run.progress, run.step, run.model.n_unnamed, tail)
        except TrainingStopped as stopped:
            run.failure = str(stopped)
        self._save()
        return run.failure

    def _save(self) -> None:
        self.checkpoint.save(self.settings, self.run.state())
        self.last_saved = time.monotonic()


def _row(run: Run, loss: float, measured: Validation) -> dict[str, float]:
    values = {f"validation_{key}" if key == "loss" else key: value for key, value in asdict(measured).items()}
    return {"step": run.step, "minutes": round(run.seconds / 60, 3), "training_loss": loss, **values}
