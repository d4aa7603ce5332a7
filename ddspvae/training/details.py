"""Where the axes without names begin: the principal axes of what pitch, loudness and the named axes leave unexplained."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ddspvae.model.autoencoder import Autoencoder
from ddspvae.model.stack import row_middle, rows_around
from ddspvae.model.target import frame_weights
from ddspvae.training.dataset import Take

DETAIL_WEIGHTS = ("encoder.principal.weight", "encoder.head.bias", "decoder.detail_head.weight")
MOST_ROWS = 20_000
WATER_ROUNDS = 60


@torch.no_grad()
def start_details(model: Autoencoder, takes: Sequence[Take], bitrate: float, device: torch.device) -> None:
    """Set encoder and decoder to the best linear ones: a Gaussian channel of `bitrate` along each principal axis.

    Source: Cover & Thomas, "Elements of information theory", 10.3.3, reverse water-filling.
    """
    rows, weights = _left_over(model, takes, device)
    weighted = rows * weights[:, None].sqrt()
    variance, axes = torch.linalg.eigh(weighted.T.double() @ weighted.double() / weights.sum().double())
    variance = variance.flip(0)[: model.n_unnamed].clamp(min=1e-12)
    axes = axes.flip(1)[:, : model.n_unnamed].T
    bits_a_row = max(bitrate / model.config.z_rate_hz, 0.1)
    water = _water(variance, bits_a_row)
    distortion = (water / variance).clamp(max=1 - 1e-3)
    scale = (variance * (1 - distortion)).sqrt()
    encoder, head = model.encoder, model.decoder.detail_head
    assert head is not None
    encoder.principal.weight.copy_((axes * (scale / variance)[:, None]).float())
    encoder.head.bias[model.n_unnamed :] = distortion.log().float()
    head.weight.copy_((axes * scale[:, None]).T.float())


def _left_over(model: Autoencoder, takes: Sequence[Take], device: torch.device) -> tuple[Tensor, Tensor]:
    """Rows [N, E] of what is left of takes, and how much each counts [N]."""
    config, rows, weights = model.config, [], []
    loud_db = float(model.decoder.typical.loud_db)
    n_frames = sum(take.n_frames for take in takes)
    share = min(1.0, MOST_ROWS * config.frames_per_z / n_frames)
    model.eval()
    for take in takes:
        heard = take.part(0, max(config.frames_per_z, round(share * take.n_frames)), config.hop_size).heard(device)
        left = model.listen(heard).left
        assert left is not None
        middle = row_middle(config.frames_per_z)
        rows.append(rows_around(left, config.frames_per_z, middle)[0])
        weight = frame_weights(heard.loudness_db[..., 0], loud_db)[..., None]
        weights.append(rows_around(weight, config.frames_per_z, middle)[0, :, 0])
    model.train()
    return torch.cat(rows), torch.cat(weights)


def _water(variance: Tensor, bits: float) -> Tensor:
    """The distortion that all axes above it have when they share so many bits a row."""
    low, high = variance.min() * 1e-3, variance.max()
    for _ in range(WATER_ROUNDS):
        water = (low * high).sqrt()
        spent = 0.5 * torch.log2((variance / water).clamp(min=1)).sum()
        low, high = (water, high) if spent > bits else (low, water)
    return water
