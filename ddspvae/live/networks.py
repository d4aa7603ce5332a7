"""The part of the control network that a live stream runs once a frame where there is no compiler.

A frame of one voice is a hundred operations on a few hundred numbers, and torch spends more time on calling than on
computing. Where there is a compiler, loops play instead (`engine.live`). Without one both parts run on ONNX Runtime, and
without `pip install "ddspvae[live]"` as they are.
"""

from __future__ import annotations

import io
import logging
import threading
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ddspvae.model.autoencoder import Autoencoder
from ddspvae.model.form import ONSET_FRAMES
from ddspvae.synth.level import asked_power, controls_of, solve_frame, weigh
from ddspvae.synth.tails import N_ROOM_BANDS

Network = Callable[..., tuple[Tensor, ...]]
EXPORTING = threading.Lock()  # torch exports one network at a time, and two threads may open their first streams


class StepNetwork(nn.Module):
    """Decoder.step."""

    def __init__(self, model: Autoencoder) -> None:
        super().__init__()
        self.decoder = model.decoder

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """See Decoder.step."""
        return self.decoder.step(*inputs)


class FrameNetwork(nn.Module):
    """Decoder.frame at the level that the loudness asks for, in a room."""

    def __init__(self, model: Autoencoder) -> None:
        super().__init__()
        self.model = model

    def forward(self, f0_hz: Tensor, periodicity: Tensor, loudness_db: Tensor, before: Tensor, now: Tensor, fade: Tensor,
                curves: Tensor, before_hz: Tensor, after_hz: Tensor, ringing: Tensor, keep: Tensor, at_once: Tensor,
                first: Tensor) -> tuple[Tensor, ...]:
        """To the height of every harmonic, noise magnitudes, and the curves and the ringing that the next frame finds.

        Args:
            f0_hz, periodicity, loudness_db, before, now, fade, curves: as Decoder.frame takes them.
            before_hz, after_hz: as `weigh` takes them.
            ringing, keep, at_once, first: as `solve_frame` takes them.
        """
        *shape, curves = self.model.decoder.frame(f0_hz, periodicity, loudness_db, before, now, fade, curves)
        _, noise_shape, _ = balanced = self.model.balance(*shape)
        *weighed, band_share = weigh(f0_hz, *balanced, self.model.config.sample_rate, before_hz, after_hz)
        power, ringing = solve_frame(asked_power(loudness_db), band_share, ringing, keep, at_once, first)
        controls = controls_of(power, f0_hz, noise_shape, *weighed)
        return controls.amplitude * controls.harmonic_distribution, controls.noise_magnitudes, curves, ringing


@dataclass(frozen=True)
class LiveNetworks:
    """StepNetwork and FrameNetwork of a model, as fast as they run here."""

    step: Network
    frame: Network
    model: Autoencoder

    @classmethod
    def of(cls, model: Autoencoder) -> LiveNetworks:
        """Those of a model."""
        stack = model.decoder.stack
        one = torch.ones(1, 1, 1)
        steps = torch.zeros(1, 1, stack.n_channels + model.decoder.n_beside)
        ringing = torch.zeros(1, N_ROOM_BANDS, dtype=torch.float64)
        step_inputs = (one, one, one, torch.zeros(1, 1, model.config.n_z), *stack.silence(1))
        frame_inputs = (one, one, one, steps, steps, one, torch.zeros(1, ONSET_FRAMES, 3), one, one, *[ringing] * 4)
        with EXPORTING:
            step = _fastest(StepNetwork(model), step_inputs)
            return cls(step, _fastest(FrameNetwork(model), frame_inputs, alike=range(10, 13)), model)


def _fastest(network: nn.Module, inputs: tuple[Tensor, ...], alike: Sequence[int] = ()) -> Network:
    """The network on ONNX Runtime, for any number of voices; as it is where it cannot be exported.

    The inputs `alike` are the same for all voices.
    """
    try:
        import onnx  # noqa: F401  (what the exporter writes with)
        import onnxruntime
    except ImportError:
        return network
    with torch.no_grad():
        outputs = network(*inputs)  # fills the caches of constants, which cannot be made inside an export
    names = [f"in{i}" for i in range(len(inputs))], [f"out{i}" for i in range(len(outputs))]
    voices = [name for i, name in enumerate(names[0]) if i not in alike] + names[1]
    file = io.BytesIO()
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # that this exporter will be replaced by one that takes seconds
            torch.onnx.export(network, inputs, file, dynamo=False, input_names=names[0], output_names=names[1],  # type: ignore[arg-type]
                              opset_version=17, dynamic_axes={name: {0: "voices"} for name in voices})
    except Exception as error:  # whatever an exporter may raise: the sound is the same without it
        logging.getLogger(__name__).warning("no export to ONNX Runtime, streams run on torch: %s", error)
        return network
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # waking a thread takes longer than the work
    session = onnxruntime.InferenceSession(file.getvalue(), options, providers=["CPUExecutionProvider"])

    def run(*tensors: Tensor) -> tuple[Tensor, ...]:
        arrays = session.run(None, {name: tensor.numpy() for name, tensor in zip(names[0], tensors)})
        return tuple(map(torch.from_numpy, arrays))

    return run
