"""The axes with names: read from a recording in closed form, and realised in closed form.

0 is what is typical at that pitch and loudness, 1 is one standard deviation of the training set. No network stands
between the number and its meaning, so it is the same for every seed.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from ddspvae.features.f0 import VOICED
from ddspvae.features.partials import HIGHEST_HZ, N_PARTIALS, partial_statistics, read_attributes
from ddspvae.model.heard import Heard
from ddspvae.model.stack import DB_PER_UNIT, SEMITONES_PER_UNIT, mean_rows, scale_curves
from ddspvae.units import hz_to_pitch

NAMED_AXES = ("brightness", "breathiness", "hollowness", "bite")
BRIGHTNESS, BREATHINESS, HOLLOWNESS, BITE = range(4)
ONSET_FRAMES = 18  # how far back an onset is looked for: 90 ms at 200 frames/s
RISE_DB = (5.0, 14.0)  # of the loudness within that time: no onset, surely one
STEP_SEMITONES = (1.2, 1.8)  # of the pitch likewise; a wide vibrato stays below
LIMIT = 3.0  # standard deviations that are told apart
LIMIT_ROUNDS = 8
QUIET_DB = 40.0  # below a loud frame of the training set, nothing is read
NEWTON_STEPS = 4
MOST = (5.0, 4.0)  # tilt in nepers per octave, and odd against even in nepers


def axis_names(n_z: int) -> tuple[str, ...]:
    """Of all axes: the named ones, then z5, z6, ...

    >>> axis_names(6)
    ('brightness', 'breathiness', 'hollowness', 'bite', 'z5', 'z6')
    """
    return tuple(NAMED_AXES[i] if i < len(NAMED_AXES) else f"z{i + 1}" for i in range(n_z))


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


class Typical(nn.Module):
    """What every attribute typically is at a pitch and a loudness, and how far takes deviate from that.

    A polynomial of the third degree, fitted once to the training set before training begins; without a seed.
    """

    middle: Tensor
    half_range: Tensor
    coefficients: Tensor
    deviation: Tensor
    loud_db: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("middle", torch.tensor([69.0, -30.0]))  # MIDI number, dB
        self.register_buffer("half_range", torch.tensor([24.0, 20.0]))
        self.register_buffer("coefficients", torch.zeros(10, len(NAMED_AXES)))
        self.register_buffer("deviation", torch.ones(len(NAMED_AXES)))
        self.register_buffer("loud_db", torch.tensor(-20.0))

    def forward(self, f0_hz: Tensor, loudness_db: Tensor) -> Tensor:
        """[B, F, 1] each to [B, F, 4]; beyond the trained range as at its edge."""
        place = (torch.cat([hz_to_pitch(f0_hz), loudness_db], dim=-1) - self.middle) / self.half_range
        p, q = place.clamp(-1, 1).unbind(-1)
        powers = torch.stack([torch.ones_like(p), p, q, p * p, p * q, q * q, p**3, p * p * q, p * q * q, q**3], dim=-1)
        return powers @ self.coefficients

    @torch.no_grad()
    def fit(self, takes: list[Heard], frames_per_z: int) -> None:
        """Fit to takes of one row each; needs at least a few seconds of sure pitch."""
        f0_hz = torch.cat([take.f0_hz[0, :, 0] for take in takes])
        loudness_db = torch.cat([take.loudness_db[0, :, 0] for take in takes])
        self.loud_db.fill_(float(np.quantile(loudness_db.numpy(), 0.95)))
        weights = torch.cat([self.reading_weights(take)[0] for take in takes])
        sure = weights[:, BRIGHTNESS] > 0
        if not sure.any():
            return
        places = torch.stack([hz_to_pitch(f0_hz), loudness_db], dim=-1)
        low, high = torch.from_numpy(np.quantile(places[sure].numpy(), (0.01, 0.99), axis=0).astype(np.float32))
        self.middle.copy_((low + high) / 2)
        self.half_range.copy_(((high - low) / 2).clamp(min=1.0))
        values = torch.cat([_attributes(take)[0] for take in takes])
        keep, self.coefficients = self.coefficients, torch.eye(10)
        powers = self(f0_hz[:, None], loudness_db[:, None])
        self.coefficients = keep
        for axis in range(len(NAMED_AXES)):
            weighted = powers * weights[:, axis : axis + 1]
            ridge = 1e-2 * weights[:, axis].sum().clamp(min=1) * torch.eye(10)  # an axis of which nothing tells gets 0
            ridge[0, 0] = 1e-6 * ridge[1, 1]
            self.coefficients[:, axis] = torch.linalg.solve((weighted.T @ powers + ridge).double(),
                                                            (weighted.T @ values[:, axis]).double()).float()
        self.deviation.fill_(1.0)
        rows, seen = zip(*(self.read(take, frames_per_z, limit=1e9) for take in takes))
        far, tells = torch.cat([row[0] for row in rows]), torch.cat([one[0] for one in seen])
        deviation = torch.full((len(NAMED_AXES),), 1e9)
        for _ in range(LIMIT_ROUNDS):  # of what is left of rare extremes
            within = far.clamp(-LIMIT * deviation, LIMIT * deviation)
            deviation = ((within.square() * tells).sum(0) / tells.sum(0).clamp(min=1)).sqrt().clamp(min=1e-3)
        self.deviation.copy_(deviation)

    def reading_weights(self, heard: Heard) -> Tensor:
        """How much each frame tells of each axis [B, F, 4]; known from the curves alone, so to the decoder too."""
        sure = (heard.periodicity >= VOICED) & (heard.loudness_db > self.loud_db - QUIET_DB)
        onset = find_onsets(from_rest(scale_curves(*heard.curves)))
        # a frame that is half an onset tells of neither
        return torch.cat([torch.ones_like(onset), 1 - 2 * onset, torch.ones_like(onset), 2 * onset - 1],
                         dim=-1).clamp(min=0) * sure

    def read(self, heard: Heard, frames_per_z: int, limit: float = LIMIT) -> tuple[Tensor, Tensor]:
        """The named axes of takes.

        Returns:
            [B, M, 4], standard deviations from what is typical, at most LIMIT; and whether a row tells, 1 or 0, where
            the axes are 0.
        """
        weights = self.reading_weights(heard)
        deviations = (_attributes(heard) - self(heard.f0_hz, heard.loudness_db)) / self.deviation
        total, count = mean_rows(weights * deviations, frames_per_z), mean_rows(weights, frames_per_z)
        seen = (count > 0.2).float()
        return (total / count.clamp(min=1e-3) * seen).clamp(-limit, limit), seen


def _attributes(heard: Heard) -> Tensor:
    """[B, F, 4], in the order of the axes."""
    return read_attributes(heard.partials)[..., [0, 2, 1, 2]]


def tilt_and_hollow(logits: Tensor, f0_hz: Tensor, wanted: Tensor) -> Tensor:
    """The spectrum nearest to the network's that is as bright and as hollow as it is to be.

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
    tilt = side = torch.zeros_like(f0_hz)
    for _ in range(NEWTON_STEPS):
        share = torch.softmax(read + tilt * octave + side * odd, dim=-1)
        o, s = share * octave, share * odd
        mean_o, mean_s = o.sum(-1, keepdim=True), s.sum(-1, keepdim=True)
        var_o = (o * octave).sum(-1, keepdim=True) - mean_o.square() + 1e-3
        var_s = (s * odd).sum(-1, keepdim=True) - mean_s.square() + 1e-3
        both = (o * odd).sum(-1, keepdim=True) - mean_o * mean_s
        miss_o, miss_s = wanted[..., :1] - mean_o, wanted[..., 1:] - mean_s
        scale = 1 / (var_o * var_s - both.square()).clamp(min=1e-6)
        tilt = (tilt + ((var_s * miss_o - both * miss_s) * scale).clamp(-1, 1)).clamp(-MOST[0], MOST[0])
        side = (side + ((var_o * miss_s - both * miss_o) * scale).clamp(-1, 1)).clamp(-MOST[1], MOST[1])
    return logits + tilt * statistics[0] + side * statistics[1]
