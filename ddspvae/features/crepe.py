"""CREPE's network by fast Fourier transforms: its long kernels cost a fifth of what they do one tap at a time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, reduce
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import max_pool1d, pad

PADDINGS = (254, 31)  # before the first sample, in the first layer and in the others
FRAME = 1024
AT_ONCE = 16  # frames, which a cache holds


@dataclass(frozen=True, eq=False)
class Layer:
    """A convolution, its rectifier, its normalisation, and a maximum of two.

    Args:
        kernel: [K, C, O], conjugate spectra of the taps, for n_fft samples of C channels in.
        bias, scale, shift: [O, 1].
        n_fft, n_out, before: samples transformed, samples out, and zeros before the first.
        stride: samples of the sound that are channels of one step, 4 in the first layer.
    """

    kernel: Tensor
    bias: Tensor
    scale: Tensor
    shift: Tensor
    n_fft: int
    n_out: int
    before: int
    stride: int

    @classmethod
    def of(cls, conv: Any, norm: Any, n_out: int, before: int) -> Layer:
        """From torchcrepe's modules."""
        stride, weight = conv.stride[0], conv.weight[..., 0]  # [O, C, T]
        if stride > 1:
            weight = weight[:, 0].unflatten(1, (-1, stride)).transpose(1, 2)
        n_fft = n_out + weight.shape[2]
        spectra = torch.fft.rfft(weight.contiguous(), n_fft).conj().permute(2, 1, 0).resolve_conj().contiguous()
        scale = norm.weight / (norm.running_var + norm.eps).sqrt()
        shift = norm.bias - norm.running_mean * scale
        return cls(spectra, conv.bias[:, None], scale[:, None], shift[:, None], n_fft, n_out, before, stride)

    def __call__(self, x: Tensor) -> Tensor:
        """[B, C, L] to [B, O, n_out / 2]."""
        x = pad(x, (self.before, self.n_fft * self.stride - self.before - x.shape[-1]))
        if self.stride > 1:
            x = x[:, 0].unflatten(1, (-1, self.stride)).transpose(1, 2)
        spectra = torch.bmm(torch.fft.rfft(x).permute(2, 0, 1).contiguous(), self.kernel)
        y = torch.fft.irfft(spectra.permute(1, 2, 0).contiguous(), self.n_fft)[..., : self.n_out]
        return max_pool1d(torch.addcmul(self.shift, (y + self.bias).relu_(), self.scale), 2)


class Network:
    """What `torchcrepe.infer` does, within 1e-5.

    Args:
        model: torchcrepe's.
    """

    @torch.no_grad()
    def __init__(self, model: Any) -> None:
        self.layers, self.classifier, n_out = [], model.classifier, FRAME // model.conv1.stride[0]
        for number in range(1, 7):
            conv, norm = getattr(model, f"conv{number}"), getattr(model, f"conv{number}_BN")
            self.layers.append(Layer.of(conv, norm, n_out, PADDINGS[number > 1]))
            n_out //= 2

    @torch.no_grad()
    def __call__(self, frames: Tensor) -> Tensor:
        """Salience [B, 360], 0 to 1, of frames [B, 1024] as torchcrepe prepares them."""
        found = []
        for some in frames[:, None].split(AT_ONCE):
            x = reduce(lambda x, layer: layer(x), self.layers, some)
            found.append(torch.sigmoid(self.classifier(x.transpose(1, 2).flatten(1))))
        return torch.cat(found)


@lru_cache(maxsize=2)
def load_network(torchcrepe: Any, capacity: str) -> Network:
    """Of one of torchcrepe's models, "tiny" or "full"."""
    torchcrepe.load.model("cpu", capacity)
    return Network(torchcrepe.infer.model)
