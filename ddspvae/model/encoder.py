"""What was heard to Latents: four encoders behind one interface, chosen by name in the config.

Row m describes its frame `row_middle` and hears nothing that is further ahead than the next row's; none hears the level of
a take. At the default width of 96 channels, with 4 axes, 48 kHz and 8 frames a row; time is that of a take, on one core:

    name         parameters  time  hears
    mel             270,000   1.0  0.16 s of log-mel frames
    harmonics       290,000   1.1  0.16 s of what is left of the levels of the harmonics, and the noise
    waveform        390,000   2.3  0.18 s of audio
    transformer     170,000  0.25  1.3 s of log-mel frames a layer
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool1d, pad, scaled_dot_product_attention, silu

from ddspvae.features.listening_tables import N_MELS, window_size
from ddspvae.model.encoder_inputs import EncoderInputs
from ddspvae.model.form import row_middle
from ddspvae.model.stack import GatedStack, mean_rows, rows_around
from ddspvae.signals import Latents
from ddspvae.signals.checks import check_shape

LOGVAR_RANGE = (-8.0, 2.0)  # per axis; the lower end caps the variance's share at 3.5 nats a row
DILATIONS = (1, 2, 4, 8)  # 31 frames: 0.16 s
SILENT_POWER = 1e-12  # mean square; quieter audio is not made louder
BLOCK_FRAMES = 1024  # of audio at once
CONTEXT = 32  # rows that a row of the Transformer attends to: 1.3 s at 25 rows per second, about a training crop


class Encoder(nn.Module):
    """Rows of what was heard, and a Gaussian per axis read from each.

    Args:
        n_channels: width of the hidden rows.
        n_z: axes to infer, >= 1.
        frames_per_z: frames that share one row.
        hop_size: samples per frame.
        sample_rate: Hz.
    """

    hears_audio = False  # whether EncoderInputs.audio is wanted

    def __init__(self, n_channels: int, n_z: int, frames_per_z: int, hop_size: int, sample_rate: int, n_left: int) -> None:
        super().__init__()
        self.frames_per_z, self.hop_size, self.sample_rate = frames_per_z, hop_size, sample_rate
        self.principal = nn.Linear(n_left, n_z, bias=False)
        self.head = nn.Linear(n_channels, 2 * n_z)
        nn.init.zeros_(self.principal.weight)
        with torch.no_grad():  # start nearly deterministic: a decoder that sees noise first learns to ignore z
            self.head.weight.mul_(0.1)
            self.head.bias[n_z:] = -4.0

    @torch.no_grad()
    def permute(self, order: Tensor, sign: Tensor) -> None:
        """Axis i becomes what axis order_i was, times sign_i."""
        self.principal.weight.copy_(self.principal.weight[order] * sign[:, None])
        both = torch.cat([order, order + len(order)])
        self.head.weight.copy_(self.head.weight[both])
        self.head.bias.copy_(self.head.bias[both])
        self.head.weight[: len(order)] *= sign[:, None]
        self.head.bias[: len(order)] *= sign

    def rows(self, heard: EncoderInputs, left: Tensor) -> Tensor:
        """Hidden rows [B, ceil(F / frames_per_z), n_channels]."""
        raise NotImplementedError

    def forward(self, heard: EncoderInputs, left: Tensor) -> Latents:
        """What was heard in F frames to Latents [B, ceil(F / frames_per_z), n_z].

        Args:
            left: [B, F, n_left], envelopes of what is not explained yet. Their weighted sums, to begin with the principal
                axes of the training set, are the means; the network adds to them.
        """
        z_mean, z_logvar = self.head(self.rows(heard, left)).chunk(2, dim=-1)
        z_mean = z_mean + self.principal(rows_around(left, self.frames_per_z, row_middle(self.frames_per_z)))
        return Latents(z_mean=z_mean, z_logvar=z_logvar.clamp(*LOGVAR_RANGE))


class MelEncoder(Encoder):
    """Convolutions over level-normalised log-mel frames."""

    def __init__(self, n_channels: int, n_z: int, frames_per_z: int, hop_size: int, sample_rate: int, n_left: int) -> None:
        super().__init__(n_channels, n_z, frames_per_z, hop_size, sample_rate, n_left)
        self.stack = GatedStack(N_MELS, n_channels, DILATIONS)

    def rows(self, heard: EncoderInputs, left: Tensor) -> Tensor:
        """Hidden rows [B, ceil(F / frames_per_z), n_channels]."""
        return mean_rows(self.stack(heard.timbre)[0], self.frames_per_z)


class HarmonicEncoder(Encoder):
    """The default: the same convolutions over rows of what is left of the harmonics' envelope and the noise's."""

    def __init__(self, n_channels: int, n_z: int, frames_per_z: int, hop_size: int, sample_rate: int, n_left: int) -> None:
        super().__init__(n_channels, n_z, frames_per_z, hop_size, sample_rate, n_left)
        self.stack = GatedStack(n_left, n_channels, DILATIONS)

    def rows(self, heard: EncoderInputs, left: Tensor) -> Tensor:
        """Hidden rows [B, ceil(F / frames_per_z), n_channels]."""
        return self.stack(rows_around(left, self.frames_per_z, row_middle(self.frames_per_z)))[0]


class WaveformEncoder(Encoder):
    """Strided convolutions from level-normalised audio to frames, then those over frames."""

    hears_audio = True

    def __init__(self, n_channels: int, n_z: int, frames_per_z: int, hop_size: int, sample_rate: int, n_left: int) -> None:
        super().__init__(n_channels, n_z, frames_per_z, hop_size, sample_rate, n_left)
        strides = factor_hop(hop_size)
        widths = [1, *(max(n_channels >> later, min(16, n_channels)) for later in reversed(range(len(strides))))]
        self.layers = nn.ModuleList(nn.Conv1d(n_in, n_out, 4 * stride, stride)
                                    for n_in, n_out, stride in zip(widths, widths[1:], strides))
        self.reach = 1 + sum((4 * stride - 1) * math.prod(strides[:at]) for at, stride in enumerate(strides))
        self.stack = GatedStack(n_channels, n_channels, DILATIONS)

    def rows(self, heard: EncoderInputs, left: Tensor) -> Tensor:
        """Hidden rows [B, ceil(F / frames_per_z), n_channels].

        Raises:
            InputError: the audio was left out of heard, or is not F * hop_size long.
        """
        n_frames = heard.f0_hz.shape[1]
        check_shape("WaveformEncoder", "audio", heard.audio.shape, len(heard.f0_hz), n_frames * self.hop_size)
        past = self.reach - self.hop_size  # samples before a frame's own that it hears
        audio = pad(normalise_level(heard.audio, self.hop_size, self.sample_rate), (past, 0))
        blocks = []
        for first in range(0, n_frames, BLOCK_FRAMES):
            last = min(first + BLOCK_FRAMES, n_frames)
            hidden = audio[:, None, first * self.hop_size : last * self.hop_size + past]
            for layer in self.layers:
                hidden = silu(layer(hidden))
            blocks.append(hidden.transpose(1, 2))
        return mean_rows(self.stack(torch.cat(blocks, dim=1))[0], self.frames_per_z)


def factor_hop(hop_size: int) -> list[int]:
    """Strides whose product is hop_size, largest first, none above 8 where its prime factors allow.

    >>> factor_hop(240), factor_hop(220)
    ([8, 6, 5], [11, 5, 4])
    """
    strides, rest = [], hop_size
    while rest > 1:
        small = [n for n in range(2, 9) if rest % n == 0]
        strides.append(small[-1] if small else next(n for n in range(9, rest + 1) if rest % n == 0))
        rest //= strides[-1]
    return sorted(strides, reverse=True)


def normalise_level(audio: Tensor, hop_size: int, sample_rate: int) -> Tensor:
    """Audio over its own recent level: a gain changes nothing.

    Args:
        audio: [B, F * hop_size].
        hop_size: samples per frame.
        sample_rate: Hz.
    Returns:
        [B, F * hop_size], unit power over the last 42 ms of every frame; frame n needs no sample after its own.
    """
    frames = audio.unflatten(1, (-1, hop_size))
    n_recent = -(-window_size(sample_rate) // hop_size)
    power = avg_pool1d(pad(frames.square().mean(-1)[:, None], (n_recent - 1, 0)), n_recent, 1)[:, 0]
    gain = power.clamp(min=SILENT_POWER).rsqrt()
    # a gain falls at once, or an attack would be amplified like the silence before it, and rises over a frame
    start = torch.minimum(gain, torch.cat([gain[:, :1], gain[:, :-1]], dim=1))
    ramp = torch.arange(1, hop_size + 1, device=audio.device, dtype=audio.dtype) / hop_size
    return (frames * torch.lerp(start[..., None], gain[..., None], ramp)).flatten(1)


class TransformerEncoder(Encoder):
    """Two layers of attention over rows of embedded log-mel frames."""

    def __init__(self, n_channels: int, n_z: int, frames_per_z: int, hop_size: int, sample_rate: int, n_left: int) -> None:
        super().__init__(n_channels, n_z, frames_per_z, hop_size, sample_rate, n_left)
        self.embed = nn.Sequential(nn.Linear(2 * N_MELS, n_channels), nn.SiLU(), nn.Linear(n_channels, n_channels))
        self.layers = nn.ModuleList(TransformerLayer(n_channels, math.gcd(4, n_channels)) for _ in range(2))
        self.norm = nn.LayerNorm(n_channels)

    def rows(self, heard: EncoderInputs, left: Tensor) -> Tensor:
        """Hidden rows [B, ceil(F / frames_per_z), n_channels]."""
        timbre = heard.timbre
        change = timbre - torch.cat([timbre[:, :1], timbre[:, :-1]], dim=1)
        rows = mean_rows(self.embed(torch.cat([timbre, change], dim=-1)), self.frames_per_z)
        for layer in self.layers:
            rows = layer(rows)
        return self.norm(rows)


class TransformerLayer(nn.Module):
    """Attention to the last CONTEXT rows, then two linear layers; both residual.

    Rows attend in blocks, each to itself and the block before, so that time and memory grow with the length of a take.
    """

    distance: Tensor

    def __init__(self, n_channels: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.attention_norm, self.norm = nn.LayerNorm(n_channels), nn.LayerNorm(n_channels)
        self.inlet, self.outlet = nn.Linear(n_channels, 3 * n_channels), nn.Linear(n_channels, n_channels)
        self.net = nn.Sequential(nn.Linear(n_channels, 2 * n_channels), nn.SiLU(), nn.Linear(2 * n_channels, n_channels))
        query, key = torch.arange(CONTEXT) + CONTEXT, torch.arange(2 * CONTEXT)
        self.register_buffer("distance", query[:, None] - key, persistent=False)  # rows from key to query
        # a start that forgets, half as fast from head to head; Press et al., "Train short, test long", ICLR 2022
        slopes = 0.5 ** torch.arange(1, n_heads + 1)
        self.recency = nn.Parameter(-slopes[:, None] * torch.arange(CONTEXT))

    def forward(self, rows: Tensor) -> Tensor:
        """[B, M, C] to [B, M, C]; row m hears rows m - CONTEXT + 1 to m."""
        rows = rows + self._attend(self.attention_norm(rows))
        return rows + self.net(self.norm(rows))

    def _attend(self, rows: Tensor) -> Tensor:
        n_rows = rows.shape[1]
        padded = pad(self.inlet(rows), (0, 0, 0, -n_rows % CONTEXT))
        # [3, B, blocks, heads, CONTEXT, channels of a head]
        parts = padded.unflatten(2, (3, self.n_heads, -1)).unflatten(1, (-1, CONTEXT)).permute(3, 0, 1, 4, 2, 5)
        query, key, value = parts.unbind(0)
        seen = (self.distance >= 0) & (self.distance < CONTEXT)
        mask = self.recency[:, self.distance.clamp(0, CONTEXT - 1)].masked_fill(~seen, -math.inf)
        heard = scaled_dot_product_attention(query[:, :1], key[:, :1], value[:, :1], mask[..., CONTEXT:])
        if query.shape[1] > 1:
            keys, values = (torch.cat([part[:, :-1], part[:, 1:]], dim=-2) for part in (key, value))
            heard = torch.cat([heard, scaled_dot_product_attention(query[:, 1:], keys, values, mask)], dim=1)
        return self.outlet(heard.transpose(2, 3).flatten(3).flatten(1, 2)[:, :n_rows])
