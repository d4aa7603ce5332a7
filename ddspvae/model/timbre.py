"""Which instrument plays, in a few numbers: heard in seconds of any take, in closed form."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ddspvae.features.f0 import VOICED
from ddspvae.features.listening_tables import N_MELS
from ddspvae.model.encoder_inputs import EncoderInputs
from ddspvae.signals.checks import InputError
from ddspvae.signals.units import hz_to_pitch

QUIET_DB = 40.0  # below the loudest frame of a take, nothing is heard
N_POWERS = 6  # of pitch and loudness: a parabola
SMOOTHNESS = 1e-2
LEAST_VARIANCE = 1e-3  # of a band within an instrument: (1.3 dB)^2 in the encoder's units
LEANING_FRAMES = 2000.0  # that tell: so many say as much as the nearest known instrument does
SHRINKAGE = 0.1  # of the deviations within an instrument toward all bands alike


class TimbreCode(nn.Module):
    """The spectrum of a take beside what all instruments have in common at its pitches and levels.

    Log-mel frames, less a parabola of pitch and loudness, averaged over the take, along the directions in which
    instruments differ most for how much takes of one instrument do. Between the instruments of the training set every
    number has mean 0, and a deviation near 1 where takes agree on it, less where they do not. Fitted once, before
    training, without a seed.

    Args:
        n_timbre: numbers.
    Source: Fisher, "The use of multiple measurements in taxonomic problems", 1936: linear discriminants.
    """

    common: Tensor
    directions: Tensor
    centre: Tensor

    def __init__(self, n_timbre: int) -> None:
        super().__init__()
        self.register_buffer("common", torch.zeros(N_POWERS, N_MELS))
        self.register_buffer("directions", torch.zeros(N_MELS, n_timbre))
        self.register_buffer("centre", torch.zeros(n_timbre))

    def forward(self, heard: EncoderInputs) -> Tensor:
        """Takes to codes [B, G]; a take of silence gives the mean of all instruments, 0."""
        total, weight = self.gather(heard)
        return self.place(total, weight)

    def gather(self, heard: EncoderInputs) -> tuple[Tensor, Tensor]:
        """What takes say: the sum [B, N_MELS] over the frames that tell, and how many these are [B, 1]."""
        weight = telling(heard)
        return ((heard.timbre - powers(heard) @ self.common) * weight).sum(1), weight.sum(1)

    def place(self, total: Tensor, weight: Tensor) -> Tensor:
        """Sums from `gather`, which may be added over takes, to codes [B, G]."""
        return (total / weight.clamp(min=1) @ self.directions - self.centre) * (weight > 0)

    def hear(self, takes: Sequence[EncoderInputs], known: Tensor | None = None) -> Tensor:
        """The code [G] of one instrument from several takes of it.

        Args:
            takes: of it.
            known: codes [N, G] of instruments that were learned. Few seconds hold few pitches and levels, so their code
                leans to the nearest of these: half way where 10 s tell (at 200 frames a second), hardly after minutes.
        """
        said = [self.gather(take) for take in takes]
        total, weight = (torch.cat(column).sum(0, keepdim=True) for column in zip(*said))
        code = self.place(total, weight)[0]
        if known is None or not len(known):
            return code
        nearest = known[(known - code).square().sum(1).argmin()]
        return code + (nearest - code) * LEANING_FRAMES / (LEANING_FRAMES + weight[0])

    @torch.no_grad()
    def fit(self, takes: Sequence[EncoderInputs], instruments: Sequence[str]) -> None:
        """Find the directions from takes of one row each and the names of who plays them; at least two instruments.

        Raises:
            InputError: an instrument of which no frame tells.
        """
        weights = [telling(take)[0] for take in takes]
        terms = torch.cat([powers(take)[0] for take in takes])
        weighted = terms * torch.cat(weights)
        ridge = SMOOTHNESS * weighted.sum(0)[0] * torch.eye(N_POWERS)
        ridge[0, 0] = 0
        frames = torch.cat([take.timbre[0] for take in takes])
        self.common.copy_(torch.linalg.solve(weighted.T @ terms + ridge, weighted.T @ frames))
        means, counts = [], torch.stack([weight.sum() for weight in weights])
        for take in takes:
            total, weight = self.gather(take)
            means.append(total[0] / weight[0].clamp(min=1))
        rows = torch.stack(means).double()
        names = sorted(set(instruments))
        members = [torch.tensor([name == one for name in instruments]) & (counts > 0) for one in names]
        for name, member in zip(names, members):
            if not member.any():
                raise InputError(f"train: no frame of {name} has a sure pitch; is it one instrument, one note at a time? "
                                 "Move its folder away, or look at the doctor's report.")
        centres = torch.stack([_mean(rows[member], counts[member]) for member in members])
        within = torch.zeros(N_MELS, N_MELS, dtype=torch.float64)
        for member, centre in zip(members, centres):
            away = rows[member] - centre
            within += (away * counts[member, None]).T @ away / counts[member].sum() / len(names)
        alike = within.diagonal().mean().clamp(min=LEAST_VARIANCE)  # where each instrument is one take, nothing is known
        within = (1 - SHRINKAGE) * within + SHRINKAGE * alike * torch.eye(N_MELS)
        between = centres - centres.mean(0)
        half = torch.linalg.cholesky(within)
        _, scale, axes = torch.linalg.svd(torch.linalg.solve_triangular(half, between.T, upper=False).T)
        n_found = min(self.directions.shape[1], len(names) - 1)
        found = torch.linalg.solve_triangular(half.T, axes[:n_found].T, upper=True)
        # scale^2 / n is the variance between instruments beside a variance of 1 within: what shares of both a take tells
        agreed = scale[:n_found].square() / (scale[:n_found].square() + len(names))
        spread = (between @ found).square().mean(0).sqrt().clamp(min=1e-9)
        self.directions.zero_()
        self.directions[:, :n_found] = (found * agreed.sqrt() / spread).float()
        self.centre.copy_(centres.mean(0).float() @ self.directions)


def telling(heard: EncoderInputs) -> Tensor:
    """[B, F, 1], 1 where a frame tells of the instrument: loud and of sure pitch."""
    loudest = heard.loudness_db.amax(1, keepdim=True)
    return ((heard.periodicity >= VOICED) & (heard.loudness_db > loudest - QUIET_DB)).float()


def powers(heard: EncoderInputs) -> Tensor:
    """[B, F, N_POWERS] of pitch and loudness."""
    p, q = (hz_to_pitch(heard.f0_hz[..., 0]) - 60) / 24, heard.loudness_db[..., 0].clamp(min=-90) / 20 + 1.5
    return torch.stack([torch.ones_like(p), p, q, p * p, p * q, q * q], dim=-1)


def _mean(rows: Tensor, counts: Tensor) -> Tensor:
    return (rows * counts[:, None]).sum(0) / counts.sum().clamp(min=1)
