"""TensorBoard: curves, audio pairs and spectrogram pairs. Without the extra `train` it says so once."""

from __future__ import annotations

import contextlib
import threading
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import torch

from ddspvae.features.timbre import mel_power
from ddspvae.model.autoencoder import Autoencoder
from ddspvae.model.config import ModelConfig
from ddspvae.model.form import NAMED_AXES, axis_names
from ddspvae.signals.units import power_to_db
from ddspvae.training.dataset import Take
from ddspvae.training.validation import Validation, reconstruct


class Monitor:
    """Writes what a person wants to see and hear while it trains."""

    def __init__(self, folder: Path, config: ModelConfig) -> None:
        self.config = config
        self.writer: Any = None
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            warnings.warn("train: no TensorBoard here, so no curves and sounds on the way: pip install 'ddspvae[train]'.",
                          stacklevel=2)
            return
        with self._while_there_is_room():
            self.writer = SummaryWriter(str(folder))

    def __enter__(self) -> Monitor:
        self._hook = threading.excepthook
        threading.excepthook = self._excuse
        return self

    def _excuse(self, told: threading.ExceptHookArgs) -> None:
        """The writer's thread dies of a full disk; that is told in one sentence when it is next asked."""
        if not isinstance(told.exc_value, OSError):
            self._hook(told)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
                 ) -> None:
        with self._while_there_is_room():
            if self.writer is not None:
                self.writer.close()
        threading.excepthook = self._hook

    @contextlib.contextmanager
    def _while_there_is_room(self) -> Iterator[None]:
        """A full disk ends what is shown, not the run, whose checkpoint says so where that has no room either."""
        try:
            yield
        except OSError as error:
            self.writer = None
            warnings.warn(f"train: TensorBoard cannot write ({error.strerror}); no more curves and sounds of this run.",
                          stacklevel=4)

    def step(self, step: int, loss: float, bits: torch.Tensor, price: float) -> None:
        """Training curves; bits [Z] are per axis."""
        if self.writer is None:
            return
        with self._while_there_is_room():
            self._show_step(step, loss, bits, price)

    def _show_step(self, step: int, loss: float, bits: torch.Tensor, price: float) -> None:
        for name, value in (("loss", loss), ("bits_per_second", float(bits.sum())), ("price_of_a_bit", price)):
            self.writer.add_scalar(f"training/{name}", value, step)
        n_named = min(len(bits), len(NAMED_AXES))
        for name, value in (("named axes", float(bits[:n_named].sum())), ("other axes", float(bits[n_named:].sum())),
                            *zip(axis_names(len(bits)), bits.tolist())):
            self.writer.add_scalar(f"bits_per_second/{name}", value, step)

    def validation(self, step: int, measured: Validation, model: Autoencoder, take: Take, rooms: Sequence[str],
                   device: torch.device) -> None:
        """Validation curves, and one take beside its resynthesis, to hear and to see."""
        if self.writer is None:
            return
        with self._while_there_is_room():
            self._show_validation(step, measured, model, take, rooms, device)

    def _show_validation(self, step: int, measured: Validation, model: Autoencoder, take: Take, rooms: Sequence[str],
                         device: torch.device) -> None:
        for name, value in asdict(measured).items():
            if value is not None:
                self.writer.add_scalar(f"validation/{name}", value, step)
        estimate, _, _ = reconstruct(model, take, rooms, device)
        for name, audio in (("original", take.audio), ("resynthesis", estimate)):
            batch = torch.from_numpy(np.array(audio))[None]
            self.writer.add_audio(f"{name}", batch.clamp(-1, 1), step, self.config.sample_rate)
            mel_db = power_to_db(mel_power(batch, self.config.sample_rate, self.config.hop_size)[0])
            picture = ((mel_db - mel_db.max()) / 80 + 1).clamp(0, 1).T.flip(0)
            self.writer.add_image(f"spectrogram/{name}", picture[None], step)
        self.writer.flush()
