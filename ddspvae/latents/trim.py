"""The fewest axes of z that keep most of what it says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from ddspvae.audio import Audio, resample
from ddspvae.instrument.presets import read_card, read_weights, save_instrument
from ddspvae.model.bottleneck import bits_per_second, kl_nats, sounding_rows
from ddspvae.signals import Latents
from ddspvae.signals.checks import InputError, check_range, check_shape, fail

if TYPE_CHECKING:
    from ddspvae.instrument.instrument import Instrument

ROWS_PER_AXIS = 10  # with fewer, the shares are chance


@dataclass(frozen=True)
class Trim:
    """Which axes an instrument can do without.

    Args:
        kept: names of the axes that stay, highest rate first.
        dropped: names of those that go, highest rate first.
        share: of the mean square of z that the kept axes hold, 0 to 1.
        bits_per_second: of every axis, kept and then dropped, in that order.
        principal_axes: how many axes would do if they could be turned freely (PCA); at most as many as are kept.
        n_rows: rows of z that this was measured on.
    """

    kept: tuple[str, ...]
    dropped: tuple[str, ...]
    share: float
    bits_per_second: tuple[float, ...]
    principal_axes: int
    n_rows: int


def axes_needed(shares: ArrayLike, fidelity: float) -> int:
    """How many of the shares, from the first on, add up to the fidelity; all of them where none suffice.

    A count, not an index: the first axis alone is 1.

    Args:
        shares: [D], sum 1, in the order in which axes are kept.
        fidelity: 0 to 1.
    Source: Caillon & Esling, "RAVE: a variational autoencoder for fast and high-quality neural audio synthesis", 2021, on
    the fidelity of a latent space.

    >>> axes_needed([0.6, 0.3, 0.1], 0.6), axes_needed([0.6, 0.3, 0.1], 0.9), axes_needed([0.6, 0.3, 0.1], 0.91)
    (1, 2, 3)
    """
    reached = np.cumsum(np.asarray(shares, dtype=np.float64)) >= fidelity - 1e-9  # 0.6 + 0.3 is less than 0.9
    return 1 + int(np.argmax(reached)) if reached.any() else len(reached)


def choose_axes(z_mean: ArrayLike, rates: ArrayLike, axis_names: Sequence[str], fidelity: float) -> Trim:
    """Keep axes, highest rate first, until they hold the asked share of the mean square of z.

    The mean square is about 0, not about the mean: 0 is where the other axes will be fixed.

    Args:
        z_mean: [N, D], posterior means in units of the prior N(0, 1).
        rates: [D], bit/s; they order the axes as their signal-to-noise ratios do.
        axis_names: D names.
        fidelity: the share, up to 1.
    Raises:
        InputError: fewer than 10 rows an axis, or a z that is 0 throughout.
    """
    z, bits = np.asarray(z_mean, dtype=np.float64), np.asarray(rates, dtype=np.float64)
    check_range("trim", "fidelity", fidelity, 0.01, 1)
    check_shape("trim", "z_mean", z.shape, None, len(axis_names))
    check_shape("trim", "rates", bits.shape, len(axis_names))
    n_rows, n_axes = z.shape
    if n_rows < ROWS_PER_AXIS * n_axes:
        raise fail("trim", "the recordings", f"hold at least {ROWS_PER_AXIS * n_axes} sounding rows of z for {n_axes} axes",
                   n_rows, "give longer or more recordings")
    moments = z.T @ z / n_rows
    total = float(np.trace(moments))
    if total < 1e-9:
        raise InputError("trim: every axis of z is 0 throughout; there is nothing to keep.")
    order = np.argsort(-bits, kind="stable")
    shares = np.diag(moments)[order] / total
    n_kept = axes_needed(shares, fidelity)
    names = [axis_names[index] for index in order]
    principal = np.linalg.eigvalsh(moments)[::-1].clip(min=0) / total
    return Trim(tuple(names[:n_kept]), tuple(names[n_kept:]), float(shares[:n_kept].sum()),
                tuple(float(rate) for rate in bits[order]), axes_needed(principal, fidelity), n_rows)


def measure_trim(instrument: Instrument, takes: Iterable[tuple[Audio, int]], fidelity: float) -> Trim:
    """Which axes of an instrument recordings can do without; those trimmed before are left out.

    Args:
        instrument: whose encoder listens.
        takes: audio [T] and its sample rate, one pair a recording.
        fidelity: as in `choose_axes`.
    """
    gone = instrument.card.get("trimmed_axes", [])
    live = [index for index, name in enumerate(instrument.axis_names[: instrument.config.n_running]) if name not in gone]
    own_rate, rows = instrument.config.sample_rate, list[NDArray]()
    nats: list[torch.Tensor] = []
    for recorded, sample_rate in takes:
        audio = resample(recorded, sample_rate, own_rate)
        features = instrument.listen(audio, own_rate)
        n_missing = len(features.f0_hz) * instrument.config.hop_size - len(audio)
        latents: Latents = instrument.encode(features, np.pad(audio, (0, n_missing)))
        sounding = sounding_rows(torch.from_numpy(np.array(features.loudness_db))[None], instrument.config.frames_per_z) > 0
        rows.append(latents.z_mean[sounding][:, live].numpy())
        nats.append(kl_nats(latents)[sounding][:, live])
    if not rows:
        raise fail("trim", "takes", "hold at least one recording", 0)
    rates = bits_per_second(torch.cat(nats)[None], instrument.config.z_rate_hz).numpy()
    return choose_axes(np.concatenate(rows), rates, [instrument.axis_names[index] for index in live], fidelity)


def write_trimmed(source: Path, out: Path, dropped: Sequence[str]) -> None:
    """Copy an instrument file whose card says that the dropped axes are fixed at 0 ("trimmed_axes")."""
    card = read_card(source)
    trimmed = [*card.get("trimmed_axes", []), *(name for name in dropped if name not in card.get("trimmed_axes", []))]
    save_instrument(out, read_weights(source), {**card, "trimmed_axes": trimmed})
