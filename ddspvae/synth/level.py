"""The level, solved in closed form from the loudness curve.

The network chooses the shape of the spectrum and the share of the harmonics; how loud it is follows from
`loudness_db` alone. So z cannot move the level, and noise cannot fill a loss that the harmonics should earn.
Loudness is that of the wet recording: the power of the direct sound is what remains after the tail of the past frames.
"""

from __future__ import annotations

import functools

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ddspvae.features.weighting import a_weighting
from ddspvae.signals import Controls
from ddspvae.signals.units import DB_FLOOR, db_to_power
from ddspvae.synth.constrain import constrain_distribution, harmonic_numbers
from ddspvae.synth.reverb import Room
from ddspvae.synth.tails import BAND_EDGES_HZ, N_ROOM_BANDS, QUIETEST_DRY, RoomTail, noise_weights


def harmonic_band_power(f0_hz: Tensor, harmonic_distribution: Tensor) -> Tensor:
    """A-weighted power of the harmonics at amplitude 1: sum of h_k^2 / 2 * A(k f0), in each of the room's bands.

    Args:
        f0_hz: [B, F, 1]; harmonic_distribution: [B, F, H], already constrained.
    Returns:
        [B, F, J].
    """
    n_harmonics = int(harmonic_distribution.shape[-1])  # int: an export would trace it
    power = harmonic_distribution.square() * a_weighting(f0_hz * harmonic_numbers(n_harmonics, f0_hz)) / 2
    # harmonics rise in frequency, so a band is a run of them: the difference of two running sums
    running = torch.nn.functional.pad(power, (1, 0)).cumsum(-1)
    edges = _edges(f0_hz.dtype, f0_hz.device)
    below = (torch.ceil(edges / f0_hz) - 1).clamp(0, n_harmonics).long()  # harmonics below each edge
    at_edges = running.gather(-1, below)
    return at_edges[..., 1:] - at_edges[..., :-1]


@functools.lru_cache(maxsize=8)
@torch.inference_mode(False)  # a cached tensor must serve training too
def _edges(dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.tensor(BAND_EDGES_HZ, dtype=dtype, device=device)


def noise_band_power(noise_magnitudes: Tensor, sample_rate: int) -> Tensor:
    """A-weighted power of filtered noise: sum over bands of m_j^2 times the band's A-weighted width.

    Args:
        noise_magnitudes: [B, F, K].
        sample_rate: Hz.
    Returns:
        [B, F, J], in each of the room's bands.
    """
    return noise_magnitudes.square() @ _noise_weights(int(noise_magnitudes.shape[-1]), sample_rate).to(noise_magnitudes)


@functools.lru_cache(maxsize=8)
@torch.inference_mode(False)  # a cached tensor must serve training too
def _noise_weights(n_bands: int, sample_rate: int) -> Tensor:
    """A-weighted power of each noise band at magnitude 1, in each of the room's bands, [K, J]."""
    return torch.from_numpy(noise_weights(n_bands, sample_rate))


class Tail:
    """What past frames still ring, as power: the memory of the level.

    With d = 10^(-6 hop / (sample_rate decay_s)), the power that falls 60 dB in decay_s, a dry power p gives
        now * p in its own frame, then first * p, first * p * d, first * p * d^2, ...

    Args:
        room: one for all rows, or one per row.
    """

    def __init__(self, room: Room, sample_rate: int, hop_size: int) -> None:
        learned = RoomTail(room.tail_energy.detach().cpu().numpy(), room.decay_s.detach().cpu().numpy())
        self.keep, self.now, self.first = learned.memory(sample_rate, hop_size)  # [R, J] each
        self.constants = tuple(map(torch.from_numpy, (self.keep, self.now, self.first)))  # what solve_frame wants
        # the closed form below divides by keep^n, which must stay a number
        self._block = int(np.clip(-250 / np.log10(self.keep.min()), 1, 256))

    def solve(self, wet_power: NDArray, band_share: NDArray, ringing: NDArray) -> tuple[NDArray, NDArray]:
        """The dry power that makes wet power come out as asked, given what past frames still ring.

            wet_n = p_n (1 + sum_j share_nj now_j) + sum_j tail_nj
            tail_{n+1,j} = d_j tail_nj + first_j share_nj p_n

        Args:
            wet_power: [B, F], the asked A-weighted power.
            band_share: [B, F, J], how the dry A-weighted power divides over the room's bands; sums to 1.
            ringing: [B, J], tail_0.
        Returns:
            dry power [B, F], at least QUIETEST_DRY of wet_power (before the room's own gain) where the tail alone is
            loud enough; and the tail after the last frame [B, J].
        """
        if wet_power.shape[1] <= self._block:
            return self._solve_block(wet_power, band_share, ringing)
        dry = []
        for at in range(0, wet_power.shape[1], self._block):
            piece = slice(at, at + self._block)
            solved, ringing = self._solve_block(wet_power[:, piece], band_share[:, piece], ringing)
            dry.append(solved)
        return np.concatenate(dry, axis=1), ringing

    def _solve_block(self, asked: NDArray, band_share: NDArray, ringing: NDArray) -> tuple[NDArray, NDArray]:
        gain = 1 + (band_share * self.now[:, None]).sum(-1)
        feed = band_share * self.first[:, None]
        n = np.arange(asked.shape[1] + 1)[:, None]
        fallen = self.keep[:, None] ** n  # d^n
        # tail_n = d^n (tail_0 + sum over m < n of feed_m p_m d^-(m + 1)). Put a guess of p in, get a better one out:
        # each round makes at least one more frame exact, and rooms that ring little settle in a few.
        feed_ahead = feed / fallen[:, 1:]
        dry = asked / gain
        for _ in range(asked.shape[1]):
            fed = np.cumsum(feed_ahead * dry[..., None], axis=1)
            tail = fallen[:, 1:] * (ringing[:, None] + fed)
            before = np.concatenate([ringing.sum(-1, keepdims=True), tail[:, :-1].sum(-1)], axis=1)
            guess, dry = dry, np.maximum(asked - before, QUIETEST_DRY * asked) / gain
            if np.abs(dry - guess).max(initial=0) <= 1e-9 * asked.max(initial=0):
                break
        fed = (feed_ahead * dry[..., None]).sum(1)
        return dry, fallen[:, -1] * (ringing + fed)


def solve_frame(wet_power: Tensor, band_share: Tensor, ringing: Tensor, keep: Tensor, now: Tensor, first: Tensor
                ) -> tuple[Tensor, Tensor]:
    """`Tail.solve` for one frame, in torch, so that a live network can contain it.

    Args:
        wet_power: [B, 1, 1]; band_share: [B, 1, J].
        ringing: [B, J], float64.
        keep, now, first: [R, J], Tail.constants; zeros are no room.
    Returns:
        dry power [B, 1, 1], and the tail after the frame [B, J].
    """
    asked, share = wet_power[:, 0].to(ringing), band_share[:, 0].to(ringing)
    gain = 1 + (share * now).sum(-1, keepdim=True)
    dry = torch.maximum(asked - ringing.sum(-1, keepdim=True), QUIETEST_DRY * asked) / gain
    return dry[:, None].to(wet_power), keep * ringing + share * first * dry


def solve_level(f0_hz: Tensor, loudness_db: Tensor, harmonic_distribution: Tensor, noise_shape: Tensor,
                harmonic_share: Tensor, sample_rate: int, hop_size: int, room: Room | None = None) -> Controls:
    """Scale a spectrum's shape so that the sound, in its room, has the asked loudness.

    Args:
        f0_hz: [B, F, 1], Hz.
        loudness_db: [B, F, 1], A-weighted, dB re full scale; -120 (units.DB_FLOOR) is silence.
        harmonic_distribution: [B, F, H], sums to 1.
        noise_shape: [B, F, K], >= 0, any scale.
        harmonic_share: [B, F, 1], 0 to 1: the harmonics' part of the A-weighted power.
        room: None for a dry sound.
    Returns:
        Controls whose A-weighted power is, frame by frame, the one asked for.
    """
    tail = None if room is None else Tail(room, sample_rate, hop_size)
    weighed = weigh(f0_hz, harmonic_distribution, noise_shape, harmonic_share, sample_rate)
    return scale(f0_hz, loudness_db, noise_shape, *weighed, tail=tail)[0]


def weigh(f0_hz: Tensor, harmonic_distribution: Tensor, noise_shape: Tensor, harmonic_share: Tensor, sample_rate: int,
          before_hz: Tensor | None = None, after_hz: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What must be known of a spectrum's shape to give it a loudness.

    Args: as in solve_level; before_hz, after_hz: [B, 1, 1], f0 of the frames around these.
    Returns:
        the distribution that may sound [B, F, H]; the squares of the amplitude and of the noise's gain at an A-weighted
        power of 1 [B, F, 1]; how that power divides over the room's bands [B, F, J].
    """
    distribution = constrain_distribution(harmonic_distribution, f0_hz, sample_rate, before_hz, after_hz)
    harmonic_bands = harmonic_band_power(f0_hz, distribution)
    noise_bands = noise_band_power(noise_shape, sample_rate)
    harmonic_power, noise_power = harmonic_bands.sum(-1, keepdim=True), noise_bands.sum(-1, keepdim=True)
    harmonic_share = harmonic_share * (harmonic_power > 1e-20)  # no harmonic below Nyquist: the noise plays alone
    harmonic_square = harmonic_share / harmonic_power.clamp(min=1e-20)
    noise_square = (1 - harmonic_share) / noise_power.clamp(min=1e-20)
    return distribution, harmonic_square, noise_square, harmonic_square * harmonic_bands + noise_square * noise_bands


def scale(f0_hz: Tensor, loudness_db: Tensor, noise_shape: Tensor, distribution: Tensor, harmonic_square: Tensor,
          noise_square: Tensor, band_share: Tensor, *, tail: Tail | None = None, ringing: NDArray | None = None
          ) -> tuple[Controls, NDArray]:
    """The controls that have the asked loudness, from what `weigh` returned.

    Args:
        tail: of the room; None for a dry sound.
        ringing: [B, J], what the frames before still ring; None is nothing.
    Returns:
        Controls, and the ringing that the next frames find.
    """
    power = asked_power(loudness_db)
    ringing = np.zeros((len(f0_hz), N_ROOM_BANDS)) if ringing is None else ringing
    if tail is not None:  # the room learns from the sound it makes, not from the level it costs
        share = band_share.detach().cpu().numpy()
        dry, ringing = tail.solve(power[..., 0].detach().cpu().numpy().astype(np.float64), share, ringing)
        power = torch.from_numpy(dry).to(power)[..., None]
    return controls_of(power, f0_hz, noise_shape, distribution, harmonic_square, noise_square), ringing


def asked_power(loudness_db: Tensor) -> Tensor:
    """A-weighted power; silence is exactly 0."""
    return db_to_power(loudness_db) * (loudness_db > DB_FLOOR)


def controls_of(power: Tensor, f0_hz: Tensor, noise_shape: Tensor, distribution: Tensor, harmonic_square: Tensor,
                noise_square: Tensor) -> Controls:
    """Controls of a dry A-weighted power [B, F, 1], the rest as `weigh` takes and returns it."""
    sounding = power > 0
    # 1e-24, far below hearing, keeps the square root's gradient finite where a share is 0
    amplitude = (power * harmonic_square + 1e-24).sqrt() * sounding
    noise_gain = (power * noise_square + 1e-24).sqrt() * sounding
    return Controls(f0_hz=f0_hz, amplitude=amplitude, harmonic_distribution=distribution,
                    noise_magnitudes=noise_shape * noise_gain)
