"""Discrete bottlenecks: codebooks (VQ, residual VQ) and rounded axes (FSQ).

Written here, on scipy's k-means: the maintained library for these brings an LGPL package with it.
"""

from __future__ import annotations

import math
import warnings

import torch
from torch import Tensor, nn

from ddspvae.model.bottleneck import Bottled, Bottleneck
from ddspvae.model.code_usage import CodeUsage, code_usage
from ddspvae.signals import Latents
from ddspvae.signals.checks import InputError, check_range

MAX_BOOK_BITS = 12  # of the one codebook of VQ: 4096 codes
STAGE_BITS, MAX_STAGES = 8, 32  # of residual VQ: 256 codes a stage
MAX_AXIS_BITS = 16  # of FSQ
COMMITMENT = 0.25  # van den Oord et al., "Neural discrete representation learning", NeurIPS 2017, beta
DECAY = 0.97  # of the codebooks' moving averages: 33 steps
KMEANS_ROUNDS = 10
BLOCK_ROWS = 4096  # compared with all codes at once
EXPIRY = 0.1  # of a code's fair share of the rows; one that is used less is moved to a row of the batch


class Quantizer(Bottleneck):
    """A bottleneck of whole numbers.

    Args:
        n_z: axes, >= 1.
        z_rate_hz: rows per second.
        sizes: of the alphabets of a row's codes.
    """

    discrete = True
    nominal_bits: Tensor

    def __init__(self, n_z: int, z_rate_hz: float, sizes: tuple[int, ...]) -> None:
        super().__init__(n_z, z_rate_hz)
        self.sizes = sizes
        bits = torch.tensor(sizes, dtype=torch.float64).log2() * self.z_rate_hz
        self.register_buffer("nominal_bits", bits.float(), persistent=False)

    def encode(self, rows: Tensor) -> Tensor:
        """Rows [B, M, n_z] to codes [B, M, G]."""
        raise NotImplementedError

    def decode(self, codes: Tensor) -> Tensor:
        """Codes [B, M, G] to rows [B, M, n_z], before any gain."""
        raise NotImplementedError

    def deterministic(self, latents: Latents) -> Tensor:
        """The means, quantized."""
        return latents.to_z(self.decode(self.encode(latents.z_mean)))

    def usage(self, codes: Tensor, weight: Tensor | None = None) -> CodeUsage:
        """How codes [B, M, G] use their alphabets, over the rows where weight [B, M] is not 0."""
        return code_usage(codes, self.sizes, self.z_rate_hz, weight)


class Codebook(nn.Module):
    """Codes that follow the rows nearest to them.

    They start by k-means on the first batch; each is then the moving average of its rows, and one that hardly any row
    chooses is moved to a row of the batch.

    Args:
        size: codes.
        n_z: numbers a code.
    """

    codes: Tensor
    count: Tensor
    begun: Tensor

    def __init__(self, size: int, n_z: int) -> None:
        super().__init__()
        self.register_buffer("codes", torch.zeros(size, n_z))
        self.register_buffer("count", torch.zeros(size))  # moving average of the rows a batch that chose each code
        self.register_buffer("begun", torch.tensor(0.0))

    def nearest(self, rows: Tensor) -> Tensor:
        """Rows [..., n_z] to the number of the nearest code [...]."""
        return torch.cdist(rows, self.codes.expand(*rows.shape[:-2], -1, -1)).argmin(-1)

    def look_up(self, numbers: Tensor) -> Tensor:
        """Numbers of codes [...] to the codes [..., n_z]."""
        return self.codes[numbers]

    @torch.no_grad()
    def learn(self, rows: Tensor) -> None:
        """One step, from rows [N, n_z], N >= 1."""
        fair = len(rows) / len(self.codes)
        if not self.begun:
            self._begin(rows)
            self.count.fill_(2 * EXPIRY * fair)  # each must soon prove its worth
            self.begun.fill_(1.0)
        chosen = nn.functional.one_hot(self.nearest(rows), len(self.codes)).to(rows)
        total = torch.lerp(chosen.T @ rows, self.codes * self.count[:, None], DECAY)
        self.count.lerp_(chosen.sum(0), 1 - DECAY)
        self.codes.copy_(total / self.count[:, None].clamp(min=1e-6))
        unused = (self.count < EXPIRY * fair).nonzero()[:, 0]
        self.codes[unused] = rows[torch.randint(len(rows), (len(unused),), device=rows.device)]
        self.count[unused] = 2 * EXPIRY * fair

    def _begin(self, rows: Tensor) -> None:
        seed = int(torch.randint(2**31, ()))
        start = rows[torch.randint(len(rows), (len(self.codes),), device=rows.device)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # a cluster without rows: learn moves it
            from scipy.cluster.vq import kmeans2

            centres, _ = kmeans2(rows.cpu().double().numpy(), start.cpu().double().numpy(), iter=KMEANS_ROUNDS,
                                 minit="matrix", rng=seed)
        self.codes.copy_(torch.from_numpy(centres))


class VectorQuantizer(Quantizer):
    """Each row becomes its nearest code; the next codebook, if there is one, quantizes what is left of it.

    Codebooks start by k-means on the first batch, follow the rows by moving averages, and move codes that nobody uses.
    Source: van den Oord et al. 2017; Zeghidour et al., "SoundStream", 2021, for the stages.
    """

    def __init__(self, n_z: int, z_rate_hz: float, sizes: tuple[int, ...]) -> None:
        super().__init__(n_z, z_rate_hz, sizes)
        self.books = nn.ModuleList(Codebook(size, n_z) for size in sizes)

    def forward(self, latents: Latents, weight: Tensor | None = None) -> Bottled:
        """Quantize; while training, the codebooks learn from the rows that count."""
        rows = latents.z_mean
        weight = torch.ones_like(rows[..., 0]) if weight is None else weight
        if self.training:
            self._learn(rows.detach()[weight > 0])
        codes = self.encode(rows)
        quantized = self.decode(codes)
        error = (rows - quantized.detach()).square().sum(-1)
        loss = COMMITMENT * (error * weight).sum() / weight.sum().clamp(min=1e-8)
        straight_through = rows + (quantized - rows).detach()
        return Bottled(z=latents.to_z(straight_through), bits=self.nominal_bits, loss=loss, codes=codes)

    @torch.no_grad()
    def _learn(self, rows: Tensor) -> None:
        """Each codebook learns from what the ones before it left of rows [N, n_z]."""
        for book in self._stages() if len(rows) else ():
            book.learn(rows)
            rows = rows - book.look_up(book.nearest(rows))

    @torch.no_grad()
    def encode(self, rows: Tensor) -> Tensor:
        """Rows [B, M, n_z] to codes [B, M, stages].

        Raises:
            InputError: no batch that sounds was ever learned from.
        """
        if not all(bool(book.begun) for book in self._stages()):
            raise InputError("VectorQuantizer: the codebooks must be trained before they are used; "
                             "train on a batch that sounds first, or load a trained state.")
        return torch.cat([self._nearest(block) for block in rows.split(BLOCK_ROWS, dim=1)], dim=1)

    def _stages(self) -> list[Codebook]:
        return [book for book in self.books if isinstance(book, Codebook)]

    def _nearest(self, rows: Tensor) -> Tensor:
        left, codes = rows, []
        for book in self._stages():
            codes.append(book.nearest(left))
            left = left - book.look_up(codes[-1])
        return torch.stack(codes, dim=-1)

    def decode(self, codes: Tensor) -> Tensor:
        """Codes [B, M, stages] to rows [B, M, n_z]."""
        return torch.stack([book.look_up(column) for book, column in zip(self._stages(), codes.unbind(-1))]).sum(0)


class ScalarQuantizer(Quantizer):
    """Each axis is squeezed into -1 to 1 and rounded to evenly spaced levels; axes without a level stay 0.

    Source: Mentzer et al., "Finite scalar quantization", ICLR 2024; the levels include -1 and 1, as in Parker et al.,
    "Scaling transformers for low-bitrate high-quality speech coding", 2024, section 3.2.
    """

    top: Tensor

    def __init__(self, n_z: int, z_rate_hz: float, sizes: tuple[int, ...]) -> None:
        super().__init__(n_z, z_rate_hz, sizes)
        self.register_buffer("top", torch.tensor(sizes) - 1, persistent=False)

    def forward(self, latents: Latents, weight: Tensor | None = None) -> Bottled:
        """Round, with the gradient of the squeezing."""
        rounded = self._round(latents.z_mean)
        return Bottled(z=latents.to_z(self._fill(rounded)), bits=self.nominal_bits, loss=rounded.new_zeros(()),
                       codes=self._to_codes(rounded))

    @torch.no_grad()
    def encode(self, rows: Tensor) -> Tensor:
        """Rows [B, M, n_z] to codes [B, M, axes with levels]."""
        return self._to_codes(self._round(rows))

    def decode(self, codes: Tensor) -> Tensor:
        """Codes [B, M, axes with levels] to rows [B, M, n_z]."""
        return self._fill(2 * codes / self.top - 1)

    def _round(self, rows: Tensor) -> Tensor:
        """Squeezed and rounded, with the gradient of the squeezing alone."""
        squeezed = torch.tanh(rows[..., : len(self.sizes)])
        rounded = 2 * ((squeezed + 1) / 2 * self.top).round() / self.top - 1
        return squeezed + (rounded - squeezed).detach()

    def _to_codes(self, rounded: Tensor) -> Tensor:
        return ((rounded.detach() + 1) / 2 * self.top).round().long()

    def _fill(self, rows: Tensor) -> Tensor:
        return torch.nn.functional.pad(rows, (0, self.n_z - rows.shape[-1]))


def choose_sizes(name: str, n_z: int, z_rate_hz: float, bitrate: float) -> tuple[int, ...]:
    """Sizes of alphabets whose nominal rate is as near as can be to the one asked for.

    Args:
        name: "vq", "rvq" or "fsq".
        n_z: axes, >= 1.
        z_rate_hz: rows per second.
        bitrate: bit/s.

    >>> choose_sizes("vq", 4, 25, 200), choose_sizes("rvq", 4, 25, 500), choose_sizes("fsq", 4, 25, 250)
    ((256,), (102, 102, 102), (6, 6, 6, 5))
    """
    most, fix = {
        "vq": (MAX_BOOK_BITS, f"one codebook has at most {2**MAX_BOOK_BITS} codes, residual codebooks (rvq) add up"),
        "rvq": (STAGE_BITS * MAX_STAGES, f"{MAX_STAGES} codebooks are the most, take more rows per second"),
        "fsq": (MAX_AXIS_BITS * n_z, f"{MAX_AXIS_BITS} bits an axis are the most, take more axes or rvq"),
    }[name]
    check_range("make_bottleneck", "bitrate", bitrate, z_rate_hz, most * z_rate_hz,
                f"{name} sends 1 to {most} bits a row, {z_rate_hz:g} times a second: {fix}")
    bits = bitrate / z_rate_hz
    if name == "fsq":
        return _choose_levels(min(n_z, max(1, int(bits + 0.25))), bits)
    stages = 1 if name == "vq" else max(math.ceil(bits / STAGE_BITS), min(2, int(bits)))
    return (round(2 ** (bits / stages)),) * stages


def _choose_levels(n_axes: int, bits: float) -> tuple[int, ...]:
    """Levels of each axis: the first axes may have one more than the others."""
    base = max(2, int(2 ** (bits / n_axes) + 1e-9))
    choices = [(base + 1,) * more + (base,) * (n_axes - more) for more in range(n_axes + 1)]
    return min(choices, key=lambda levels: abs(math.log2(math.prod(levels)) - bits))


def make_quantizer(name: str, n_z: int, z_rate_hz: float, bitrate: float) -> Quantizer:
    """As bottleneck.make_bottleneck, for the discrete ones: "vq", "rvq" or "fsq"."""
    check_range("make_bottleneck", "n_z", n_z, 1, 256, "nothing can be quantized without an axis")
    sizes = choose_sizes(name, n_z, z_rate_hz, bitrate)
    return (ScalarQuantizer if name == "fsq" else VectorQuantizer)(n_z, z_rate_hz, sizes)
