"""Where the axes without names begin: the principal axes of what pitch, loudness and the named axes leave unexplained."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ddspvae.model.autoencoder import Autoencoder, Listened
from ddspvae.model.encoder_inputs import EncoderInputs
from ddspvae.model.envelope import read_nodes
from ddspvae.model.excitation import N_AUDITORY, Excitation
from ddspvae.model.form import N_NODES, row_middle
from ddspvae.model.stack import rows_around
from ddspvae.model.target import Shape, frame_weights
from ddspvae.training.dataset import Take

DETAIL_WEIGHTS = ("encoder.principal.weight", "encoder.head.weight", "encoder.head.bias", "decoder.detail_head.weight")
MOST_ROWS = 12_000
WATER_ROUNDS = 60
PROBES = 3  # random directions a frame, of the ear's metric
THIN = 8  # frames between those that are probed
ALIKE = 0.2  # of the mean sensitivity, added to all: what is not heard at all may not grow without bound


@torch.no_grad()
def start_details(model: Autoencoder, takes: Sequence[Take], bitrate: float, device: torch.device) -> None:
    """Set encoder and decoder to the best linear ones: a Gaussian channel of `bitrate` along each principal axis.

    Principal in the ear's metric: what a change of an envelope does to the excitation, on average over the takes.

    Source: Cover & Thomas, "Elements of information theory", 10.3.3, reverse water-filling.
    """
    rows, weights, metric = _left_over(model, takes, device)
    metric = metric + ALIKE * metric.diagonal().mean() * torch.eye(len(metric)).to(metric)
    half = torch.linalg.cholesky(metric)
    weighted = (rows.double() @ half) * weights.double()[:, None].sqrt()
    variance, axes = torch.linalg.eigh(weighted.T @ weighted / weights.double().sum())
    variance = variance.flip(0)[: model.n_unnamed].clamp(min=1e-12)
    axes = axes.flip(1)[:, : model.n_unnamed].T
    water = _water(variance, max(bitrate / model.config.z_rate_hz, 0.1))
    distortion = (water / variance).clamp(max=1 - 1e-3)
    scale = (variance * (1 - distortion)).sqrt()
    encoder, head = model.encoder, model.decoder.detail_head
    assert head is not None
    into = (axes * (scale / variance)[:, None]) @ half.T
    back = torch.linalg.solve_triangular(half.T, (axes * scale[:, None]).T, upper=True)
    encoder.principal.weight.copy_(into.float())
    encoder.head.weight.zero_()  # what it learned while nothing was asked of it would be added
    encoder.head.bias.copy_(torch.cat([torch.zeros_like(distortion), distortion.log()]).float())
    head.weight.copy_(back.float())


def _left_over(model: Autoencoder, takes: Sequence[Take], device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Rows [N, E] of what is left of takes, how much each counts [N], and the ear's metric [E, E]."""
    config, rows, weights = model.config, [], []
    loud_db = float(model.decoder.typical.loud_db)
    share = min(1.0, MOST_ROWS * config.frames_per_z / sum(take.n_frames for take in takes))
    metric = torch.zeros(model.decoder.n_envelope, model.decoder.n_envelope, dtype=torch.float64, device=device)
    model.eval()
    for take in takes:
        heard = take.part(0, max(config.frames_per_z, round(share * take.n_frames)), config.hop_size).heard(device)
        listened = model.listen(heard)
        assert listened.left is not None
        rows.append(rows_around(listened.left, config.frames_per_z, row_middle(config.frames_per_z))[0])
        weight = frame_weights(heard.loudness_db, loud_db)
        weights.append(rows_around(weight, config.frames_per_z, row_middle(config.frames_per_z))[0, :, 0])
        metric += _ear_metric(model, heard, listened, weight)
    model.train()
    return torch.cat(rows), torch.cat(weights), metric / metric.diagonal().mean()


def _ear_metric(model: Autoencoder, heard: EncoderInputs, listened: Listened, weight: Tensor) -> Tensor:
    """Sum over frames of J' J, with J the change of the excitation with the envelopes, by random probes."""
    measured, config = listened.measured, model.config
    assert measured is not None
    ear = Excitation(heard.f0_hz, measured.n_heard, config.n_harmonics, config.n_noise_bands, config.sample_rate, thin=THIN)
    with torch.enable_grad():
        envelope = heard.f0_hz.new_zeros(1, heard.f0_hz.shape[1], model.decoder.n_envelope).requires_grad_()
        levels = measured.harmonics + read_nodes(envelope[..., :N_NODES], heard.f0_hz, model.decoder.octaves)
        excited = ear(Shape(levels, measured.noise + envelope[..., N_NODES:], measured.n_heard))
        total = torch.zeros(envelope.shape[-1], envelope.shape[-1], dtype=torch.float64, device=envelope.device)
        for _ in range(PROBES):
            probe = torch.randn(*excited.shape[:2], N_AUDITORY, device=envelope.device)
            (slope,) = torch.autograd.grad((excited * probe).sum(), envelope, retain_graph=True)
            slope = slope[0, ear.frames].double() * weight[0, ear.frames].double().sqrt()
            total += slope.T @ slope
    return total


def _water(variance: Tensor, bits: float) -> Tensor:
    """The distortion that all axes above it have when they share so many bits a row."""
    low, high = variance.min() * 1e-3, variance.max()
    for _ in range(WATER_ROUNDS):
        water = (low * high).sqrt()
        spent = 0.5 * torch.log2((variance / water).clamp(min=1)).sum()
        low, high = (water, high) if spent > bits else (low, water)
    return water
