"""A TorchScript module for nn~ (Max, Pd, SuperCollider), written from its public contract, which docs/export.md restates.

No `from __future__ import annotations` here: TorchScript reads the annotations.
"""

import copy

import torch
from torch import Tensor, nn

from ddspvae.export.frame_step import FrameStep, example_inputs
from ddspvae.features.reach import loudest_db
from ddspvae.features.statistics import Statistics
from ddspvae.model.autoencoder import Autoencoder
from ddspvae.model.form import NAMED_AXES
from ddspvae.signals.units import pitch_to_hz
from ddspvae.synth.white import UNIT_POWER, noise_key

INPUTS = ("pitch (MIDI number)", "loudness (A-weighted RMS, 0 to 1)", *NAMED_AXES)
DELAY_HOPS = 2  # the sound up to a frame needs that frame, and the pitch of the next one
MOST_VOICES = 64  # in a batch whose noises differ
HIGHEST_PITCH, TABLE_STEPS = 136, 16  # of the table of the loudest level, steps a semitone
FLOAT_ATTRIBUTE = 2  # what a host calls the type


class NnTilde(nn.Module):
    """An instrument that is played by signals.

    `decode` takes [B, 6, n]: pitch, loudness and the four axes with names, of which it reads every hop_size-th sample; and
    gives [B, 1, n], DELAY_HOPS hops late, whatever n is. What it remembers stands in buffers. The axes can also be turned
    as attributes, which are added to the signals.

    Args:
        model: the network.
        statistics: of the instrument, for how loud it can be asked to play outside its range.
        trimmed_axes: that stay where they are.
        seed: of the noise.
    """

    most_db: Tensor
    keys: Tensor
    pending: Tensor
    queue: Tensor
    offsets: Tensor
    kept: Tensor
    state_n_frames: Tensor
    state_before: Tensor
    state_now: Tensor
    state_curves: Tensor
    state_last_hz: Tensor
    state_past0: Tensor
    state_past1: Tensor
    state_past2: Tensor
    state_past3: Tensor
    state_last_heights: Tensor
    state_last_magnitudes: Tensor
    state_phase: Tensor

    def __init__(self, model: Autoencoder, statistics: Statistics, trimmed_axes: tuple[str, ...] = (), seed: int = 0
                 ) -> None:
        super().__init__()
        step = FrameStep(copy.deepcopy(model)).eval().requires_grad_(False)
        inputs = example_inputs(step)
        with torch.no_grad():
            step(*inputs)  # fills the caches of constants, which cannot be made while tracing
            self.step = torch.jit.trace(step, inputs, check_trace=False)
        self.hop_size, self.native_rate, self.n_fft = step.hop_size, step.sample_rate, step.n_fft
        self.n_z, self.n_named = step.n_z, min(step.n_z, len(NAMED_AXES))
        self.pace = step.pace
        self.unit_power, self.table_steps, self.delay = UNIT_POWER, TABLE_STEPS, DELAY_HOPS * step.hop_size
        self.n_batch, self.position, self.n_frames, self.rate_ratio = 0, 0, 0, 1.0
        pitches = torch.arange(HIGHEST_PITCH * TABLE_STEPS + 1) / TABLE_STEPS
        most_db = torch.from_numpy(loudest_db(pitch_to_hz(pitches.numpy()), statistics)).clamp(max=1000).float()
        self.register_buffer("most_db", most_db)
        self.register_buffer("keys", torch.from_numpy(noise_key(seed, torch.arange(MOST_VOICES)).astype("int64")))
        for slot in step.slots:
            self.register_buffer(f"state_{slot.name}", slot.zeros(1))
        self.register_buffer("pending", torch.zeros(1, len(INPUTS)))
        self.register_buffer("queue", torch.zeros(1, 0))
        self.register_buffer("offsets", torch.zeros(len(NAMED_AXES)))
        self.register_buffer("kept", torch.tensor([float(name not in trimmed_axes) for name in NAMED_AXES]))
        self.register_buffer("decode_params", torch.tensor([len(INPUTS), 1, 1, 1]))
        for name in NAMED_AXES:
            self.register_buffer(f"{name}_params", torch.tensor([FLOAT_ATTRIBUTE]))
        self.decode_input_labels = list(INPUTS)
        self.decode_output_labels = ["sound"]

    @torch.jit.export
    def get_methods(self) -> list[str]:
        """What can be called on signals."""
        return ["decode"]

    @torch.jit.export
    def get_attributes(self) -> list[str]:
        """What can be set by messages."""
        return ["brightness", "breathiness", "hollowness", "bite"]

    @torch.jit.export
    def get_sample_rate(self) -> int:
        """That it was made at, Hz."""
        return self.native_rate

    @torch.jit.export
    def set_sample_rate(self, sample_rate: int) -> int:
        """That the host runs at, Hz: the pitch is right at any, the spectrum at its own."""
        if sample_rate < 1:
            return -1
        self.rate_ratio = self.native_rate / sample_rate
        return 0

    @torch.jit.export
    def get_brightness(self) -> list[float]:
        """Standard deviations."""
        return [float(self.offsets[0])]

    @torch.jit.export
    def set_brightness(self, value: float) -> int:
        """Standard deviations."""
        self.offsets[0] = value
        return 0

    @torch.jit.export
    def get_breathiness(self) -> list[float]:
        """Standard deviations."""
        return [float(self.offsets[1])]

    @torch.jit.export
    def set_breathiness(self, value: float) -> int:
        """Standard deviations."""
        self.offsets[1] = value
        return 0

    @torch.jit.export
    def get_hollowness(self) -> list[float]:
        """Standard deviations."""
        return [float(self.offsets[2])]

    @torch.jit.export
    def set_hollowness(self, value: float) -> int:
        """Standard deviations."""
        self.offsets[2] = value
        return 0

    @torch.jit.export
    def get_bite(self) -> list[float]:
        """Standard deviations."""
        return [float(self.offsets[3])]

    @torch.jit.export
    def set_bite(self, value: float) -> int:
        """Standard deviations."""
        self.offsets[3] = value
        return 0

    def mix_bits(self, x: Tensor) -> Tensor:
        """Scramble whole numbers below 2^32: as `synth.white`."""
        for _ in range(2):
            x = x ^ (x >> 16)
            x = (x * 0x45D9F3B) & 0xFFFFFFFF
        return x ^ (x >> 16)

    def white(self, start_sample: int) -> Tensor:
        """White noise by position, [B, n_fft]: as `synth.white.white_samples`."""
        place = torch.arange(start_sample, start_sample + self.n_fft, dtype=torch.int64)
        low, high = place & 0xFFFFFFFF, (place >> 32) & 0xFFFFFFFF
        keys = self.keys[torch.arange(self.n_batch) % self.keys.shape[0]]
        bits = self.mix_bits((self.mix_bits(low ^ self.mix_bits(high))[None] + keys) & 0xFFFFFFFF)
        signed = torch.where(bits >= 0x80000000, bits - 0x100000000, bits)
        return (signed >> 8).float() * self.unit_power

    @torch.jit.export
    def reset(self, n_batch: int) -> None:
        """Forget everything; n_batch voices from now on."""
        self.n_batch, self.position, self.n_frames = n_batch, 0, 0
        self.queue = torch.zeros(n_batch, self.delay)
        self.pending = torch.zeros(n_batch, self.pending.shape[1])
        self.state_n_frames = self.state_n_frames.new_zeros([n_batch, 1, 1])
        self.state_phase = self.state_phase.new_zeros([n_batch, 1, 1])
        self.state_before = self.state_before.new_zeros([n_batch, 1, self.state_before.shape[2]])
        self.state_now = self.state_now.new_zeros([n_batch, 1, self.state_now.shape[2]])
        self.state_curves = self.state_curves.new_zeros([n_batch, self.state_curves.shape[1], 3])
        self.state_last_hz = self.state_last_hz.new_zeros([n_batch, 1, 1])
        self.state_past0 = self.state_past0.new_zeros([n_batch, self.state_past0.shape[1], self.state_past0.shape[2]])
        self.state_past1 = self.state_past1.new_zeros([n_batch, self.state_past1.shape[1], self.state_past1.shape[2]])
        self.state_past2 = self.state_past2.new_zeros([n_batch, self.state_past2.shape[1], self.state_past2.shape[2]])
        self.state_past3 = self.state_past3.new_zeros([n_batch, self.state_past3.shape[1], self.state_past3.shape[2]])
        self.state_last_heights = self.state_last_heights.new_zeros([n_batch, 1, self.state_last_heights.shape[2]])
        self.state_last_magnitudes = self.state_last_magnitudes.new_zeros([n_batch, 1, self.state_last_magnitudes.shape[2]])

    def to_hz(self, frame: Tensor) -> Tensor:
        """[B, 6] to f0 [B, 1, 1] at the host's rate."""
        pitch = frame[:, 0].double().clamp(0.0, 136.0)
        return (440.0 * torch.exp2((pitch - 69.0) / 12.0) * self.rate_ratio).float()[:, None, None]

    def play_frame(self, frame: Tensor, following: Tensor) -> Tensor:
        """The sound [B, hop_size] up to a frame [B, 6], given the one after it."""
        n_batch = self.n_batch
        loudness_db = 20.0 * torch.log10(frame[:, 1].clamp(min=1e-6))
        place = (frame[:, 0].clamp(0.0, 136.0) * self.table_steps).round().long()
        loudness_db = torch.minimum(loudness_db, self.most_db[place])[:, None, None]
        periodicity = (loudness_db > -90.0).float()
        z = torch.zeros(n_batch, 1, self.n_z)
        z[:, 0, : self.n_named] = ((frame[:, 2:] + self.offsets) * self.kept)[:, : self.n_named]
        white = self.white((self.n_frames - 1) * self.hop_size - (self.n_fft - self.hop_size) // 2)
        (sound, self.state_n_frames, self.state_before, self.state_now, self.state_curves, self.state_last_hz,
         self.state_past0, self.state_past1, self.state_past2, self.state_past3, self.state_last_heights,
         self.state_last_magnitudes, self.state_phase) = self.step(
            self.to_hz(frame), periodicity, loudness_db, z, self.to_hz(following), white,
            self.state_n_frames, self.state_before, self.state_now, self.state_curves, self.state_last_hz,
            self.state_past0, self.state_past1, self.state_past2, self.state_past3, self.state_last_heights,
            self.state_last_magnitudes, self.state_phase)
        self.n_frames += 1
        return sound

    @torch.jit.export
    def decode(self, signals: Tensor) -> Tensor:
        """Control signals [B, 6, n] to sound [B, 1, n], DELAY_HOPS hops late."""
        n_batch, n_samples = signals.shape[0], signals.shape[2]
        if n_batch != self.n_batch:
            self.reset(n_batch)
        sounds = [self.queue]
        at = (self.hop_size - self.position % self.hop_size) % self.hop_size  # where the next frame lies in this block
        while at < n_samples:
            frame = signals[:, :, at]
            if self.position + at > 0:
                sound = self.play_frame(self.pending, frame)
                if self.n_frames > 1:  # the first frame has no sound before it
                    sounds.append(sound)
            self.pending = frame.clone()
            at += self.hop_size
        self.position += n_samples
        sound = torch.cat(sounds, dim=1)
        self.queue = sound[:, n_samples:].clone()
        return sound[:, None, :n_samples]
