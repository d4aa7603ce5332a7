"""What encoder, decoder and prior are built of: scaled curves and causal gated convolutions."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ddspvae.model.form import DB_PER_UNIT, KERNEL, QUIETEST_DB, SEMITONES_PER_UNIT
from ddspvae.signals.units import hz_to_pitch


def scale_curves(f0_hz: Tensor, periodicity: Tensor, loudness_db: Tensor) -> Tensor:
    """Curves [..., 1] each as a network hears them, [..., 3], about -1 to 1."""
    loudness = loudness_db.clamp(min=QUIETEST_DB) / DB_PER_UNIT + 1.5
    return torch.cat([(hz_to_pitch(f0_hz) - 60) / SEMITONES_PER_UNIT, periodicity * 2 - 1, loudness], dim=-1)


def mean_rows(frames: Tensor, frames_per_z: int) -> Tensor:
    """Frames [B, F, C] to rows [B, ceil(F / frames_per_z), C], each the mean of its frames."""
    return nn.functional.avg_pool1d(frames.transpose(1, 2), frames_per_z, ceil_mode=True).transpose(1, 2)


def rows_around(frames: Tensor, frames_per_z: int, middle: int) -> Tensor:
    """Frames [B, F, C] to rows [B, ceil(F / frames_per_z), C]: means under a Hann window of two rows' length.

    Args:
        middle: the frame of each row that its window is centred on: where the decoder arrives at the row's value.
    """
    n_rows = -(-frames.shape[1] // frames_per_z)
    window = torch.hann_window(2 * frames_per_z, device=frames.device, dtype=frames.dtype)[1:]
    before = frames_per_z - 1 - middle
    after = (n_rows - 1) * frames_per_z + middle + frames_per_z - frames.shape[1]
    columns = frames.transpose(1, 2)
    padded = nn.functional.pad(columns, (max(before, 0), max(after, 0)), mode="replicate")[..., max(-before, 0) :]
    return padded.unfold(-1, len(window), frames_per_z)[:, :, :n_rows].matmul(window / window.sum()).transpose(1, 2)


class GatedLayer(nn.Module):
    """Dilated causal convolution, tanh times sigmoid, residual."""

    def __init__(self, n_channels: int, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.taps = nn.Linear(KERNEL * n_channels, 2 * n_channels)
        self.out = nn.Linear(n_channels, n_channels)

    def forward(self, x: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        """[B, F, C] after past [B, left, C] to [B, F, C] and the past of what follows."""
        n = x.shape[1]
        seen = torch.cat([past, x], dim=1)
        if n == 1:  # live, where every small operation counts: the taps are a stride
            taps = seen[:, :: self.dilation].flatten(1)[:, None]
        else:
            taps = torch.cat([seen[:, tap * self.dilation :][:, :n] for tap in range(KERNEL)], dim=-1)
        value, gate = _linear(self.taps, taps).chunk(2, dim=-1)
        return x + _linear(self.out, torch.tanh(value) * torch.sigmoid(gate)), seen[:, n:]


def _linear(layer: nn.Linear, x: Tensor) -> Tensor:
    """The layer without the module's hooks, which cost as much as a small layer does."""
    return nn.functional.linear(x, layer.weight, layer.bias)


class GatedStack(nn.Module):
    """A causal stack: frame n of the output sees frames n - receptive_field + 1 to n of the input."""

    def __init__(self, n_inputs: int, n_channels: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        self.n_channels = n_channels
        self.lefts = [(KERNEL - 1) * d for d in dilations]
        self.receptive_field = 1 + sum(self.lefts)
        self.inlet = nn.Linear(n_inputs, n_channels)
        self.layers = nn.ModuleList(GatedLayer(n_channels, d) for d in dilations)
        self.norm = nn.LayerNorm(n_channels)

    def silence(self, batch: int) -> list[Tensor]:
        """What the layers remember before the first frame: zeros."""
        return [self.inlet.weight.new_zeros(batch, left, self.n_channels) for left in self.lefts]

    def forward(self, x: Tensor, pasts: list[Tensor] | None = None, beside: Tensor | None = None
                ) -> tuple[Tensor, list[Tensor]]:
        """[B, F, n_inputs] to [B, F, n_channels] and what the layers remember; frames may come in pieces.

        Args:
            beside: [B, 1, n_channels], added at the inlet.
        """
        hidden, remembered = self.inlet(x), []
        if beside is not None:
            hidden = hidden + beside
        for layer, past in zip(self.layers, self.silence(len(x)) if pasts is None else pasts):
            hidden, following = layer(hidden, past)
            remembered.append(following)
        return self.norm(hidden), remembered
