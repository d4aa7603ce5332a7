"""The level, solved in closed form from the loudness curve.

The network chooses the shape of the spectrum and the share of the harmonics; how loud it is follows from
`loudness_db` alone. So z cannot move the level, and noise cannot fill a loss that the harmonics should earn.
Loudness is that of the wet recording: with a room, the dry power is what remains after the tail of the
past frames.
"""

from __future__ import annotations

import functools

import numpy as np
import torch
from torch import Tensor

from ddspvae.features.loudness import a_weighting
from ddspvae.signals import Controls
from ddspvae.synth.constrain import constrain_distribution
from ddspvae.synth.noise import band_shapes
from ddspvae.synth.reverb import BAND_EDGES_HZ, N_ROOM_BANDS, Room
from ddspvae.units import db_to_power

QUIETEST_DRY = 1e-4  # of the asked power: where the tail alone is loud enough, the source fades to -40 dB, not to 0


def room_band(frequency_hz: Tensor) -> Tensor:
    """Index of the room's band that holds each frequency."""
    edges = torch.tensor(BAND_EDGES_HZ[1:-1], device=frequency_hz.device, dtype=frequency_hz.dtype)
    return torch.bucketize(frequency_hz.contiguous(), edges)


def harmonic_band_power(f0_hz: Tensor, harmonic_distribution: Tensor, room_bands: bool) -> Tensor:
    """A-weighted power of the harmonics at amplitude 1: sum of h_k^2 / 2 * A(k f0).

    Args:
        f0_hz: [B, F, 1]; harmonic_distribution: [B, F, H], already constrained.
        room_bands: split it into the room's bands [B, F, J]; otherwise the total [B, F, 1].
    """
    number = torch.arange(1, harmonic_distribution.shape[-1] + 1, device=f0_hz.device, dtype=f0_hz.dtype)
    frequency_hz = f0_hz * number
    power = harmonic_distribution.square() / 2 * a_weighting(frequency_hz)
    if not room_bands:
        return power.sum(-1, keepdim=True)
    bands = torch.zeros(*power.shape[:2], N_ROOM_BANDS, device=power.device, dtype=power.dtype)
    return bands.scatter_add(-1, room_band(frequency_hz), power)


def noise_band_power(noise_magnitudes: Tensor, sample_rate: int, room_bands: bool) -> Tensor:
    """A-weighted power of filtered noise: sum over bands of m_j^2 times the band's A-weighted width.

    Args:
        noise_magnitudes: [B, F, K].
        room_bands: as in harmonic_band_power.
    """
    by_room = _noise_weights(noise_magnitudes.shape[-1], sample_rate).to(noise_magnitudes)
    weights = by_room if room_bands else by_room.sum(-1, keepdim=True)
    return noise_magnitudes.square() @ weights


@functools.lru_cache(maxsize=8)
@torch.inference_mode(False)  # a cached tensor must serve training too
def _noise_weights(n_bands: int, sample_rate: int) -> Tensor:
    """A-weighted width of each noise band inside each of the room's bands, [K, J]."""
    n_bins = 4096
    frequency_hz = torch.linspace(0, sample_rate / 2, n_bins)
    weights = band_shapes(n_bands, n_bins) * a_weighting(frequency_hz) / n_bins
    return torch.zeros(n_bands, N_ROOM_BANDS).index_add(1, room_band(frequency_hz), weights)


def tail_recursion(room: Room, sample_rate: int, hop_size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How a tail's power arrives frame by frame, from the room's two numbers per band.

    With d = 10^(-6 hop / (sample_rate decay_s)) the power that falls 60 dB in decay_s, a dry power p gives
        now * p in its own frame, then first * p, first * p * d, first * p * d^2, ...

    Returns:
        now, first, d: [R, J] each.
    """
    energy = room.tail_energy.detach().cpu().double().numpy()
    decay_s = room.decay_s.detach().cpu().double().numpy()
    keep = 10 ** (-6 * hop_size / sample_rate / decay_s)
    half = np.sqrt(keep)  # the frame's own share ends half a hop after its instant
    return energy * (1 - half), energy * half * (1 - keep), keep


def solve_dry_power(wet_power: np.ndarray, band_share: np.ndarray, room: Room, sample_rate: int,
                    hop_size: int) -> np.ndarray:
    """The dry power that makes wet power come out as asked, given what past frames still ring.

        wet_n = p_n (1 + sum_j share_nj now_j) + sum_j tail_nj
        tail_{n+1,j} = d_j tail_nj + first_j share_nj p_n

    Args:
        wet_power: [B, F], the asked A-weighted power.
        band_share: [B, F, J], how the dry A-weighted power divides over the room's bands; sums to 1.
        room: one room for all, or one per batch row.
    Returns:
        [B, F]; where the tail alone is loud enough, QUIETEST_DRY of wet_power (before the room's own gain).
    """
    now, first, keep = tail_recursion(room, sample_rate, hop_size)
    gain = 1 + (band_share * now[:, None]).sum(-1)
    feed = band_share * first[:, None]
    dry = np.empty_like(wet_power)
    tail = np.zeros((len(wet_power), N_ROOM_BANDS))
    for n in range(wet_power.shape[1]):
        asked = wet_power[:, n]
        dry[:, n] = np.maximum(asked - tail.sum(-1), QUIETEST_DRY * asked) / gain[:, n]
        tail = keep * tail + feed[:, n] * dry[:, n, None]
    return dry


def solve_level(f0_hz: Tensor, loudness_db: Tensor, harmonic_distribution: Tensor, noise_shape: Tensor,
                harmonic_share: Tensor, sample_rate: int, hop_size: int, room: Room | None = None) -> Controls:
    """Give a spectral shape the level that the loudness curve asks for.

    Args:
        f0_hz: [B, F, 1], Hz.
        loudness_db: [B, F, 1], A-weighted dB of the sound as heard, room included.
        harmonic_distribution: [B, F, H], sums to 1.
        noise_shape: [B, F, K], >= 0, any scale.
        harmonic_share: [B, F, 1], 0 to 1: the harmonics' part of the A-weighted power.
        room: None for a dry sound.
    Returns:
        Controls whose A-weighted power is, frame by frame, the one asked for.
    """
    distribution = constrain_distribution(harmonic_distribution, f0_hz, sample_rate)
    harmonic_power = harmonic_band_power(f0_hz, distribution, room_bands=False)
    noise_power = noise_band_power(noise_shape, sample_rate, room_bands=False)
    power = db_to_power(loudness_db)
    audible_at_all = harmonic_power > 1e-20  # no harmonic below Nyquist: the noise plays alone
    harmonic_share = harmonic_share * audible_at_all
    if room is not None:
        with torch.no_grad():  # the room learns from the sound it makes, not from the level it costs
            harmonic_bands = harmonic_band_power(f0_hz, distribution, room_bands=True)
            noise_bands = noise_band_power(noise_shape, sample_rate, room_bands=True)
            share = (harmonic_share * harmonic_bands / harmonic_power.clamp(min=1e-20)
                     + (1 - harmonic_share) * noise_bands / noise_power.clamp(min=1e-20))
            dry = solve_dry_power(power[..., 0].cpu().double().numpy(), share.cpu().double().numpy(),
                                  room, sample_rate, hop_size)
            power = torch.from_numpy(dry).float().to(power)[..., None]
    # 1e-24, far below hearing, keeps the square root's gradient finite where a share is 0
    amplitude = (power * harmonic_share / harmonic_power.clamp(min=1e-20) + 1e-24).sqrt()
    amplitude = amplitude * audible_at_all
    noise_gain = (power * (1 - harmonic_share) / noise_power.clamp(min=1e-20) + 1e-24).sqrt()
    return Controls(f0_hz=f0_hz, amplitude=amplitude, harmonic_distribution=distribution,
                    noise_magnitudes=noise_shape * noise_gain)
