"""f0, loudness and z to the shape of the spectrum. Pitch and level do not pass through the network."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ddspvae.features.attributes import octaves_above
from ddspvae.features.bands import band_weights, breath_shares
from ddspvae.model.axes import find_onsets, tilt_and_hollow
from ddspvae.model.envelope import read_nodes
from ddspvae.model.form import (
    BITE,
    BREATHINESS,
    BRIGHTNESS,
    HOLLOWNESS,
    MOST_SHARE,
    N_BALANCE,
    N_NODES,
    NAMED_AXES,
    ONSET_FRAMES,
    TAPS,
    breath_tilt,
    frames_per_step,
    harmonic_knots,
    highest_read_hz,
    string_tilt,
)
from ddspvae.model.stack import GatedStack, scale_curves
from ddspvae.model.typical import Typical


@dataclass
class Memory:
    """What the decoder remembers of each voice between frames.

    Args:
        pasts: of the stack, [V, left, C] each.
        before, now: [V, 1, C + E + N + G], the stack's last two steps; envelopes, named axes and timbre code there.
        curves: [V, ONSET_FRAMES, 3], the scaled curves of the last frames.
        n_frames: [V], frames heard so far.
    """

    pasts: list[Tensor]
    before: Tensor
    now: Tensor
    curves: Tensor
    n_frames: NDArray[np.int64]


class Decoder(nn.Module):
    """A causal stack at a quarter of the frame rate, one layer at the frame rate, and heads.

    (At the rate of z where that is higher.) The heads give harmonic distribution, noise shape, and the harmonics' share of
    the power. A step of the stack takes the curves and z at its first frame, and is faded in over its frames; what changes
    faster reaches the heads through the frames' own layer. A quarter of the steps is nearly a quarter of the work.

    Beside what the heads say of each harmonic and each noise band there is an envelope over frequency, at every step: what
    resonates stays where it is when the pitch moves. The axes without names are weights of such envelopes, and pass
    through the stack as well.

    The axes with names do not pass through the network. They say how bright and hollow the distribution is heard, and how
    loud breath is beside the harmonics: so much above what is typical and what a small layer of the curves alone adds to
    that. So the other axes cannot move any of these, nor these each other. What the bands above hold is the recording's
    own hiss; it comes on top.

    Where rooms are told apart, each has a bias of its own at the stack's inlet and in the envelopes.

    Args of forward:
        f0_hz, periodicity, loudness_db: [B, F, 1]; z: [B, M, Z]; place: [B], the room; None is the one it is settled in.
    """

    knots: Tensor
    tilt: Tensor
    octaves: Tensor
    noise_tilt: Tensor
    is_breath: Tensor
    noise_weights: Tensor

    def __init__(self, n_channels: int, dilations: tuple[int, ...], n_z: int, frames_per_z: int, n_harmonics: int,
                 n_noise_bands: int, sample_rate: int, n_timbre: int = 0, n_rooms: int = 0) -> None:
        super().__init__()
        self.frames_per_z, self.frames_per_step, self.n_timbre = frames_per_z, frames_per_step(frames_per_z), n_timbre
        self.n_named = min(n_z - n_timbre, len(NAMED_AXES))
        self.n_detail = n_z - n_timbre - self.n_named
        self.n_envelope = N_NODES + n_noise_bands
        self.n_beside = self.n_envelope + self.n_named + n_timbre  # what does not (only) pass through the stack
        self.stack = GatedStack(3 + n_z - self.n_named, n_channels, dilations)
        self.envelope_head = nn.Linear(n_channels, self.n_envelope)
        self.detail_head = nn.Linear(self.n_detail, self.n_envelope, bias=False) if self.n_detail else None
        if n_rooms:
            self.room_inlet = nn.Parameter(torch.zeros(n_rooms, n_channels))
            self.room_envelope = nn.Parameter(torch.zeros(n_rooms, self.n_envelope))
        self.frame_inlet = nn.Linear(3 * TAPS, n_channels)
        self.frame_layer = nn.Linear(n_channels, n_channels)
        knots = torch.from_numpy(harmonic_knots(n_harmonics))
        self.harmonic_head = nn.Linear(n_channels, len(knots))
        self.noise_head = nn.Linear(n_channels, n_noise_bands)
        self.typical = Typical(n_timbre, n_rooms)
        # share, brightness, hollowness: of the curves alone, or of everything where no axis has a name
        self.balance_layer = nn.Linear(3 * TAPS, N_BALANCE)
        self.balance_head = nn.Linear(N_BALANCE if self.n_named else n_channels, 3)
        self.register_buffer("knots", knots, persistent=False)
        # start like a string: -6 dB an octave, mostly harmonic (sigmoid(3) = 95 %), heads nearly off
        self.register_buffer("tilt", torch.from_numpy(string_tilt(n_harmonics)), persistent=False)
        self.register_buffer("octaves", torch.from_numpy(octaves_above(n_harmonics)), persistent=False)
        # and breath that falls 6 dB an octave from a twentieth of Nyquist: white noise would be unlearned first
        self.register_buffer("noise_tilt", torch.from_numpy(breath_tilt(n_noise_bands)), persistent=False)
        # what a recording holds above is its own hiss: as loud as ever, whatever is played
        self.register_buffer("is_breath", breath_shares(n_noise_bands, sample_rate), persistent=False)
        self.register_buffer("noise_weights", band_weights(n_noise_bands, sample_rate).sum(-1), persistent=False)
        for head in (self.harmonic_head, self.noise_head, self.balance_head, self.envelope_head):
            nn.init.normal_(head.weight, std=0.01)
            nn.init.zeros_(head.bias)
        with torch.no_grad():
            self.stack.inlet.weight[:, 3 : 3 + self.n_detail] = 0  # at first they are envelopes and nothing else
            if not self.n_named:
                self.balance_head.bias[0] = 3.0

    def memory(self, n_voices: int) -> Memory:
        """Of voices that have heard nothing."""
        nothing = self.frame_layer.weight.new_zeros(n_voices, 1, self.stack.n_channels + self.n_beside)
        return Memory(self.stack.silence(n_voices), nothing, nothing.clone(), nothing.new_zeros(n_voices, ONSET_FRAMES, 3),
                      np.zeros(n_voices, dtype=np.int64))

    def forward(self, f0_hz: Tensor, periodicity: Tensor, loudness_db: Tensor, z: Tensor,
                memory: Memory | None = None, place: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """To harmonic_distribution [B, F, H], noise_shape [B, F, K], harmonic_share [B, F, 1].

        With a memory, frames may come in pieces, for voices of one age; every piece but the last is as long as a multiple
        of both frames_per_z and frames_per_step.
        """
        is_new = memory is None or not memory.n_frames.any()
        memory = self.memory(len(f0_hz)) if memory is None else memory
        curves = scale_curves(f0_hz, periodicity, loudness_db)
        # a row of z is held over its frames: reading ahead would cost latency, and the fade smooths the step
        pace = self.frames_per_step
        every = math.gcd(pace, self.frames_per_z)
        held = z.repeat_interleave(self.frames_per_z // every, dim=1)[:, :: pace // every]
        stepped = curves[:, ::pace]
        steps, memory.pasts = self._listen(stepped, held[:, : stepped.shape[1]], memory.pasts, place)
        if is_new:
            memory.now, memory.curves = steps[:, :1], curves[:, :1].expand(-1, ONSET_FRAMES, -1)
        ends = torch.cat([memory.now, steps], dim=1)
        fade = torch.arange(1, pace + 1, device=curves.device, dtype=curves.dtype) / pace
        hidden = torch.lerp(ends[:, :-1, None], ends[:, 1:, None], fade[:, None]).flatten(1, 2)[:, : curves.shape[1]]
        seen = torch.cat([memory.curves, curves], dim=1)
        memory.before, memory.now, memory.curves = ends[:, -2:-1], ends[:, -1:], seen[:, -ONSET_FRAMES:]
        memory.n_frames = memory.n_frames + curves.shape[1]
        return self._heads(f0_hz, loudness_db, hidden, seen, place)

    def step(self, f0_hz: Tensor, periodicity: Tensor, loudness_db: Tensor, z: Tensor, *pasts: Tensor) -> tuple[Tensor, ...]:
        """One step of the stack for R voices, curves [R, 1, 1] and z [R, 1, Z].

        Returns:
            its output [R, 1, C + E + N + G], the curves as it hears them [R, 1, 3], and new pasts.
        """
        curves = scale_curves(f0_hz, periodicity, loudness_db)
        step, following = self._listen(curves, z, list(pasts))
        return step, curves, *following

    def frame(self, f0_hz: Tensor, periodicity: Tensor, loudness_db: Tensor, before: Tensor, now: Tensor, fade: Tensor,
              curves: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """One frame of R voices, `fade` [R, 1, 1] of the way from one step to the next: as forward, and new curves."""
        seen = torch.cat([curves, scale_curves(f0_hz, periodicity, loudness_db)], dim=1)
        return *self._heads(f0_hz, loudness_db, torch.lerp(before, now, fade), seen), seen[:, 1:]

    def _listen(self, curves: Tensor, z: Tensor, pasts: list[Tensor], place: Tensor | None = None
                ) -> tuple[Tensor, list[Tensor]]:
        """The stack on the curves and the axes without names; beside its output the axes with names, and the code."""
        named, others = z[..., : self.n_named], z[..., self.n_named :]
        beside = None if place is None else self.room_inlet[place][:, None]
        steps, following = self.stack(torch.cat([curves, others], dim=-1), pasts, beside)
        code = z[..., z.shape[-1] - self.n_timbre :]
        envelope = self.envelope_head(steps)
        if self.detail_head is not None:
            envelope = envelope + self.detail_head(others[..., : self.n_detail])
        if place is not None:
            envelope = envelope + self.room_envelope[place][:, None]
        return torch.cat([steps, envelope, named, code], dim=-1), following

    def _heads(self, f0_hz: Tensor, loudness_db: Tensor, hidden: Tensor, seen: Tensor, place: Tensor | None = None
               ) -> tuple[Tensor, Tensor, Tensor]:
        """Steps [B, F, C + E + N + G] and the curves [B, ONSET_FRAMES + F, 3] to the shape of the spectrum."""
        sizes = [self.stack.n_channels, N_NODES, self.n_envelope - N_NODES, self.n_named, self.n_timbre]
        hidden, nodes, noise_envelope, named, code = hidden.split(sizes, dim=-1)
        taps = seen[:, ONSET_FRAMES + 1 - TAPS :].unfold(1, TAPS, 1).flatten(2)
        hidden = nn.functional.silu(self.frame_layer(hidden + self.frame_inlet(taps)))
        heights = self.harmonic_head(hidden)
        if self.knots.shape[0] < self.knots.shape[1]:
            heights = heights @ self.knots
        heights = heights + self.tilt + read_nodes(nodes, f0_hz, self.octaves)
        noise_shape = torch.exp((self.noise_head(hidden) + noise_envelope + self.noise_tilt).clamp(-12, 12))
        balance = self.balance_head(torch.tanh(self.balance_layer(taps)) if self.n_named else hidden)
        share = balance[..., :1]
        if self.n_named:
            axes = nn.functional.pad(named, (0, len(NAMED_AXES) - self.n_named)) * self.typical.deviation
            wanted = self.typical(f0_hz, loudness_db, code, place) + axes
            highest_hz = highest_read_hz(self.typical.middle[0], self.typical.half_range[0])
            heights = tilt_and_hollow(heights, torch.minimum(f0_hz, highest_hz),
                                      wanted[..., [BRIGHTNESS, HOLLOWNESS]] + balance[..., 1:])
            breath = torch.lerp(wanted[..., [BREATHINESS]], wanted[..., [BITE]], find_onsets(seen)) - share
            # breath is as loud beside the harmonics as it is to be; the hiss comes on top, and stays when breath is added
            more_noise = torch.lerp(axes[..., [BREATHINESS]], axes[..., [BITE]], find_onsets(seen))
            noise_shape = noise_shape * torch.exp(more_noise / 2 * self.is_breath)
            breath_power = noise_shape.square() @ (self.is_breath * self.noise_weights)
            noise_power = noise_shape.square() @ self.noise_weights
            share = -(breath + torch.log(noise_power / breath_power)[..., None])
        softplus = nn.functional.softplus  # a hard bound would never let go of what has reached it
        share = softplus(MOST_SHARE - softplus(MOST_SHARE - share) + MOST_SHARE) - MOST_SHARE
        return torch.softmax(heights, dim=-1), noise_shape, torch.sigmoid(share)
