"""The axes with names, in torch: where onsets are, and the spectrum that is as bright and as hollow as it is to be."""

from __future__ import annotations

import torch
from torch import Tensor

from ddspvae.features.attributes import HIGHEST_HZ, N_PARTIALS
from ddspvae.features.partials import partial_statistics
from ddspvae.model.form import (
    DB_PER_UNIT,
    MOST,
    NEWTON_STEPS,
    ONSET_FRAMES,
    RISE_DB,
    SEMITONES_PER_UNIT,
    STEP_SEMITONES,
)


def find_onsets(curves: Tensor) -> Tensor:
    """How much of an onset every frame is, 0 to 1: the loudness has risen, or the pitch has stepped, in the last 90 ms.

    Args:
        curves: [B, F + ONSET_FRAMES, 3] from scale_curves, with the frames before the first that is asked for.
    Returns:
        [B, F, 1].
    """
    windows = curves.unfold(1, ONSET_FRAMES + 1, 1)
    lowest, highest, now = windows.amin(-1), windows.amax(-1), curves[:, ONSET_FRAMES:]
    rise_db = (now - lowest)[..., 2:] * DB_PER_UNIT
    step = torch.maximum(now - lowest, highest - now)[..., :1] * SEMITONES_PER_UNIT
    return torch.maximum(*(((moved - least) / (most - least)).clamp(0, 1)
                           for moved, (least, most) in ((rise_db, RISE_DB), (step, STEP_SEMITONES))))


def from_rest(curves: Tensor) -> Tensor:
    """Scaled curves [B, F, 3] of a whole take as `find_onsets` wants them: the first frame has always been."""
    return torch.cat([curves[:, :1].expand(-1, ONSET_FRAMES, -1), curves], dim=1)


def tilt_and_hollow(logits: Tensor, f0_hz: Tensor, wanted: Tensor) -> Tensor:
    """The spectrum nearest to the network's that is heard as bright and as hollow as it is to be.

    Nearest in the sense of Kullback and Leibler: harmonics are weighed by exp(tilt * log2 k + side * odd_k), and the two
    numbers are found by Newton's method.

    Args:
        logits: [B, F, H], log amplitudes up to a constant.
        f0_hz: [B, F, 1], Hz.
        wanted: [B, F, 2], brightness and hollowness as `read_attributes` reads them.
    Returns:
        [B, F, H], log amplitudes; what cannot be reached is approached.
    """
    statistics = partial_statistics(int(logits.shape[-1])).to(logits)
    n_read = min(N_PARTIALS, int(logits.shape[-1]))
    octave, odd = statistics[:, :n_read].unbind()
    number = torch.arange(1, n_read + 1, device=logits.device)
    read = logits[..., :n_read] + torch.where(number * f0_hz <= HIGHEST_HZ, 0.0, -1e4)
    bright, hollow = wanted[..., :1], torch.minimum(wanted[..., 1:], MOST[2] * wanted[..., :1])
    tilt = side = torch.zeros_like(f0_hz)
    for _ in range(NEWTON_STEPS):
        share = torch.softmax(read + tilt * octave + side * odd, dim=-1)
        o, s = share * octave, share * odd
        mean_o, mean_s = o.sum(-1, keepdim=True), s.sum(-1, keepdim=True)
        var_o = (o * octave).sum(-1, keepdim=True) - mean_o.square() + 1e-3
        var_s = (s * odd).sum(-1, keepdim=True) - mean_s.square() + 1e-3
        both = (o * odd).sum(-1, keepdim=True) - mean_o * mean_s
        miss_o, miss_s = bright - mean_o, hollow - mean_s
        scale = 1 / (var_o * var_s - both.square()).clamp(min=1e-6)
        tilt = (tilt + ((var_s * miss_o - both * miss_s) * scale).clamp(-1, 1)).clamp(-MOST[0], MOST[0])
        side = (side + ((var_o * miss_s - both * miss_o) * scale).clamp(-1, 1)).clamp(-MOST[1], MOST[1])
    return logits + tilt * statistics[0] + side * statistics[1]
