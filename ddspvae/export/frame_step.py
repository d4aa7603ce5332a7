"""Network and synthesizer as one function of numbers: a frame and a state in, a hop of sound and a state out.

What a host runs that is not Python: no memory inside, no conditions, nothing but sums, products and tables. The sound is
that of `live.Stream`: the same network, the same phases, the same noise where the same white noise is given.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ddspvae.live.networks import FrameNetwork
from ddspvae.model.autoencoder import Autoencoder
from ddspvae.model.form import ONSET_FRAMES
from ddspvae.synth.noise import bin_shapes, fft_size
from ddspvae.synth.tails import N_ROOM_BANDS

CURVES = ("f0_hz", "periodicity", "loudness_db", "z", "after_hz")


@dataclass(frozen=True)
class Slot:
    """A tensor of the state.

    Args:
        name: of it.
        shape: without the voices, which come first.
        dtype: of it.
    """

    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype = torch.float32

    def zeros(self, n_voices: int) -> Tensor:
        """Of voices that have played nothing."""
        return torch.zeros(n_voices, *self.shape, dtype=self.dtype)


class ControlStep(nn.Module):
    """The control network, one frame of V voices at a time, dry.

    Args of forward:
        f0_hz, periodicity, loudness_db: [V, 1, 1]; z: [V, 1, Z]; after_hz: [V, 1, 1], f0 of the frame after this.
        state: as `slots` names them; zeros before the first frame of a voice.
    Returns of forward:
        heights [V, 1, H] of the harmonics, noise_magnitudes [V, 1, K], and the state that the next frame finds.
    """

    outputs: tuple[str, ...] = ("heights", "noise_magnitudes")

    def __init__(self, model: Autoencoder) -> None:
        super().__init__()
        self.model, self.network = model, FrameNetwork(model)
        decoder, config = model.decoder, model.config
        self.pace = decoder.frames_per_step
        n_hidden = decoder.stack.n_channels + decoder.n_beside
        self.slots = [Slot("n_frames", (1, 1), torch.int64), Slot("before", (1, n_hidden)), Slot("now", (1, n_hidden)),
                      Slot("curves", (ONSET_FRAMES, 3)), Slot("last_hz", (1, 1)),
                      *(Slot(f"past{at}", tuple(past.shape[1:])) for at, past in enumerate(decoder.stack.silence(1)))]
        self.n_z = config.n_z

    def forward(self, f0_hz: Tensor, periodicity: Tensor, loudness_db: Tensor, z: Tensor, after_hz: Tensor, *state: Tensor
                ) -> tuple[Tensor, ...]:
        """See the class."""
        n_frames, before, now, curves, last_hz, *pasts = state
        step, scaled, *following = self.model.decoder.step(f0_hz, periodicity, loudness_db, z, *pasts)
        age = n_frames % self.pace
        is_first, is_due = n_frames == 0, age == 0
        before = torch.where(is_first, step, torch.where(is_due, now, before))
        now = torch.where(is_due, step, now)
        pasts = [torch.where(is_due, new, past) for new, past in zip(following, pasts)]
        curves = torch.where(is_first, scaled.expand(-1, ONSET_FRAMES, -1), curves)
        fade = (age + 1).to(f0_hz.dtype) / self.pace
        nothing = torch.zeros(1, N_ROOM_BANDS, dtype=torch.float64)
        heights, magnitudes, curves, _ = self.network(
            f0_hz, periodicity, loudness_db, before, now, fade, curves, torch.where(is_first, f0_hz, last_hz), after_hz,
            nothing, nothing, nothing, nothing)
        return heights, magnitudes, n_frames + 1, before, now, curves, f0_hz, *pasts


class FrameStep(ControlStep):
    """The whole instrument, one frame of V voices at a time, dry: the sound from the frame before to this one.

    Args of forward:
        as of ControlStep, and before the state white: [V, N], white noise of unit power from (N - hop_size) / 2 samples
            before the sound to as many after it.
    Returns of forward:
        audio [V, hop_size], silent at the first frame of a voice, and the state that the next frame finds.
    """

    outputs = ("audio",)
    to_spectrum: Tensor
    to_sound: Tensor
    shapes: Tensor
    numbers: Tensor
    seconds: Tensor
    half_squares: Tensor
    way: Tensor

    def __init__(self, model: Autoencoder) -> None:
        super().__init__(model)
        config = model.config
        hop, rate, n_bands = config.hop_size, config.sample_rate, config.n_noise_bands
        self.slots += [Slot("last_heights", (1, config.n_harmonics)), Slot("last_magnitudes", (1, n_bands)),
                       Slot("phase", (1, 1), torch.float64)]
        self.hop_size, self.sample_rate, self.with_noise = hop, rate, config.with_noise
        self.n_fft = fft_size(hop, n_bands)
        margin, n_bins = (self.n_fft - hop) // 2, self.n_fft // 2 + 1
        # transforms as products with matrices, which every runtime has: cosines beside sines
        spectra = torch.fft.rfft(torch.eye(self.n_fft, dtype=torch.float64))
        sounds = [torch.fft.irfft(part * torch.eye(n_bins, dtype=torch.complex128), n=self.n_fft)[:, margin : margin + hop]
                  for part in (1, 1j)]
        t = torch.arange(hop, dtype=torch.float64)
        for name, tensor in (
            ("to_spectrum", torch.cat([spectra.real, spectra.imag], dim=1).float()), ("to_sound", torch.cat(sounds).float()),
            ("shapes", bin_shapes(n_bands, self.n_fft).clone()), ("way", (t / hop).float()), ("seconds", t / rate),
            ("half_squares", t.square() / (2 * rate * hop)),
            ("numbers", torch.arange(1, config.n_harmonics + 1, dtype=torch.float64)[:, None]),
        ):
            self.register_buffer(name, tensor, persistent=False)

    def forward(self, f0_hz: Tensor, periodicity: Tensor, loudness_db: Tensor, z: Tensor, after_hz: Tensor,  # type: ignore[override]
                white: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """See the class."""
        *control, last_heights, last_magnitudes, phase = state
        n_frames, last_hz = state[0], state[4]
        heights, magnitudes, *control = super().forward(f0_hz, periodicity, loudness_db, z, after_hz, *control)
        sounds = (n_frames > 0).to(torch.float32)[:, 0]
        begin_hz, end_hz = torch.where(n_frames > 0, last_hz, f0_hz).double(), f0_hz.double()
        cycles = phase + begin_hz * self.seconds + (end_hz - begin_hz) * self.half_squares
        around = cycles * self.numbers
        sines = torch.sin((around - torch.floor(around)).float() * (2 * torch.pi))
        audio = self._fade(last_heights @ sines, heights @ sines)[:, 0]
        if self.with_noise:
            spectrum = white @ self.to_spectrum
            first, second = ((spectrum * ((frame.square() @ self.shapes + 1e-20).sqrt()[:, 0].repeat(1, 2))) @ self.to_sound
                             for frame in (last_magnitudes, magnitudes))
            audio = audio + self._fade(first, second)
        moved = phase + (begin_hz + end_hz) * (self.hop_size / self.sample_rate / 2) * (n_frames > 0)
        return audio * sounds, *control, heights, magnitudes, moved - torch.floor(moved)

    def _fade(self, first: Tensor, second: Tensor) -> Tensor:
        return first + (second - first) * self.way


def example_inputs(step: ControlStep, n_voices: int = 1) -> tuple[Tensor, ...]:
    """A frame and the state before the first, for who writes the network down."""
    one = torch.ones(n_voices, 1, 1)
    curves = (440 * one, one, -30 * one, torch.zeros(n_voices, 1, step.n_z), 440 * one)
    white = (torch.zeros(n_voices, step.n_fft),) if isinstance(step, FrameStep) else ()
    return *curves, *white, *(slot.zeros(n_voices) for slot in step.slots)


def input_names(step: ControlStep) -> list[str]:
    """Of a frame, then of the state."""
    return [*CURVES, *(["white"] if isinstance(step, FrameStep) else []), *(slot.name for slot in step.slots)]


def output_names(step: ControlStep) -> list[str]:
    """What is played, then the state that the next frame finds."""
    return [*step.outputs, *(f"next_{slot.name}" for slot in step.slots)]
