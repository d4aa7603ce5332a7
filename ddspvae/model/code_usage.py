"""How a sequence of codes uses its alphabet."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ddspvae.signals.checks import fail


@dataclass(frozen=True, eq=False)
class CodeUsage:
    """How a sequence of codes uses its alphabet; the entries are those of a row of codes.

    Args:
        nominal_bits: [G], bit/s if all codes were equally likely.
        entropy_bits: [G], bit/s of an ideal coder that knows how often each code comes, but neither the other codes of
            the row nor the row before. Too low where there are not many more rows than codes.
        perplexity: [G], how many equally likely codes would cost as much.
        used: [G], share of the codes that come at all, 0 to 1.
    """

    nominal_bits: Tensor
    entropy_bits: Tensor
    perplexity: Tensor
    used: Tensor


def code_usage(codes: Tensor, sizes: tuple[int, ...], z_rate_hz: float, weight: Tensor | None = None) -> CodeUsage:
    """Count codes.

    Args:
        codes: [B, M, G], whole numbers.
        sizes: G sizes of alphabets; column g of codes lies between 0 and sizes[g] - 1.
        z_rate_hz: rows per second.
        weight: [B, M], 1 where a row counts, 0 in silence; None counts all.
    Raises:
        InputError: a code outside its alphabet, or no row counts.
    """
    rows = codes.reshape(-1, len(sizes))
    counted = torch.ones_like(rows[:, 0], dtype=torch.float64) if weight is None else weight.reshape(-1).double()
    if not bool(counted.sum() > 0):
        raise fail("code_usage", "weight", "count at least one row", "none", "is the take silent?")
    entropy, used = [], []
    for column, size in zip(rows.T, sizes):
        if not 0 <= int(column.min()) <= int(column.max()) < size:
            raise fail("code_usage", "codes", f"lie between 0 and {size - 1}", f"{int(column.min())} to {int(column.max())}",
                       "do they belong to this bottleneck?")
        share = torch.bincount(column, weights=counted, minlength=size) / counted.sum()
        entropy.append(-torch.xlogy(share, share).sum() / math.log(2))
        used.append((share > 0).double().mean())
    bits = torch.stack(entropy)
    nominal = torch.tensor(sizes, dtype=torch.float64, device=bits.device).log2()
    return CodeUsage(nominal_bits=nominal * z_rate_hz, entropy_bits=bits * z_rate_hz, perplexity=bits.exp2(),
                     used=torch.stack(used))
