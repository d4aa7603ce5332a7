"""Levels of harmonics to envelopes over frequency and back."""

from __future__ import annotations

import pytest
import torch

from ddspvae.model.envelope import harmonics_below, read_nodes, to_nodes
from ddspvae.model.form import LOWEST_HZ, N_NODES, PER_OCTAVE

NODES_HZ = LOWEST_HZ * 2 ** (torch.arange(N_NODES) / PER_OCTAVE)


def octaves(n_harmonics):
    return torch.log2(torch.arange(1, n_harmonics + 1).float())


def pitch(f0_hz):
    return torch.full((1, 1, 1), float(f0_hz))


def test_an_envelope_is_straight_between_nodes_over_log_frequency():
    nodes = torch.zeros(1, 1, N_NODES)
    nodes[..., 5 * PER_OCTAVE] = 1.0  # at 25 Hz * 2^5 = 800 Hz
    half = 0.5 / PER_OCTAVE  # octaves, of the way to the next
    for f0_hz, wanted in ((800.0, 1), (800 * 2**half, 0.5), (800 * 2 ** (-half / 2), 0.75), (900.0, 0), (700.0, 0)):
        assert float(read_nodes(nodes, pitch(f0_hz), octaves(1))) == pytest.approx(wanted, abs=1e-4)
    assert read_nodes(nodes, pitch(200.0), octaves(6))[0, 0].tolist() == pytest.approx([0, 0, 0, 1, 0, 0], abs=1e-4)
    edges = torch.arange(N_NODES, dtype=torch.float32)[None, None]
    assert float(read_nodes(edges, pitch(10.0), octaves(1))) == 0  # beyond as at the edge
    assert float(read_nodes(edges, pitch(17_500.0), octaves(1))) == N_NODES - 1


def test_levels_become_nodes_on_straight_lines_over_log_frequency():
    """Harmonics 1 and 2 of 100 Hz at 0 and 12 nepers: a neper for each of the twelve nodes between them."""
    nodes = to_nodes(torch.tensor([[[0.0, 12.0]]]), pitch(100), torch.tensor([[[2]]]))[0, 0]
    torch.testing.assert_close(nodes[24:37], torch.arange(13.0), atol=1e-4, rtol=0)
    outside = (NODES_HZ < 90) | (NODES_HZ > 222)
    assert not nodes[outside].any() and float(nodes[37]) == 12  # 212 Hz is near enough


@pytest.mark.parametrize("f0_hz", [45.0, 196.0, 440.0, 1500.0])
def test_one_is_the_inverse_of_the_other_for_smooth_envelopes(f0_hz):
    n_harmonics = min(300, int(16_000 / f0_hz))
    n_heard = harmonics_below(pitch(f0_hz), 16_000.0, n_harmonics)
    smooth = (2 * torch.sin(octaves(n_harmonics) * 2.0 + 1) + 0.5 * octaves(n_harmonics))[None, None]
    again = read_nodes(to_nodes(smooth, pitch(f0_hz), n_heard), pitch(f0_hz), octaves(n_harmonics))
    # low harmonics lie so far apart that nodes hold the straight lines between them: there, the two are inverse exactly
    inner = slice(1, n_harmonics - 1)
    assert float((again - smooth)[..., inner].abs().max()) < 0.15
    assert float((again - smooth).abs().mean()) < 0.05
    envelope = 2 * torch.cos(torch.arange(N_NODES) / 12)[None, None]
    heard = read_nodes(envelope, pitch(f0_hz), octaves(n_harmonics))
    back = to_nodes(heard, pitch(f0_hz), n_heard)
    inside = (8 * f0_hz < NODES_HZ) & (0.95 * n_harmonics * f0_hz > NODES_HZ)
    if inside.any():
        assert float((back - envelope)[0, 0, inside].abs().max()) < 0.02


def test_nothing_is_known_where_no_harmonic_is():
    levels = torch.ones(1, 1, 10)
    nodes = to_nodes(levels, pitch(440), torch.tensor([[[4]]]))[0, 0]
    assert not nodes[NODES_HZ < 0.9 * 440].any() and not nodes[NODES_HZ > 4 * 440 / 0.9].any()
    assert bool((nodes[(NODES_HZ > 440) & (NODES_HZ < 4 * 440)] == 1).all())
    levels[..., 4:] = 1e6  # what is not heard does not count
    assert float(to_nodes(levels, pitch(440), torch.tensor([[[4]]])).max()) == 1


def test_how_many_harmonics_lie_below():
    f0_hz = torch.tensor([100.0, 3999.0, 4001.0, 20_000.0])[None, :, None]
    assert harmonics_below(f0_hz, 16_000.0, 128)[0, :, 0].tolist() == [128, 4, 3, 1]
