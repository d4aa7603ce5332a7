"""Rows of frames."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ddspvae.model.form import row_middle
from ddspvae.model.stack import rows_around


@pytest.mark.parametrize("frames_per_z", [1, 2, 4, 8, 16])
def test_a_row_is_the_mean_around_its_middle(frames_per_z):
    middle, n_frames = row_middle(frames_per_z), 100
    assert 0 <= middle < frames_per_z
    line = torch.arange(n_frames, dtype=torch.float64)[None, :, None].expand(2, -1, 3)
    rows = rows_around(line, frames_per_z, middle)
    n_rows = -(-n_frames // frames_per_z)
    assert rows.shape == (2, n_rows, 3)
    inner = slice(1, n_rows - 2)  # where no end is near
    wanted = torch.arange(n_rows, dtype=torch.float64)[inner] * frames_per_z + middle
    torch.testing.assert_close(rows[0, inner, 0], wanted)
    torch.testing.assert_close(rows_around(torch.ones_like(line), frames_per_z, middle), torch.ones(2, n_rows, 3).double())


@pytest.mark.parametrize("n_frames", [1, 3, 7, 8, 9, 43])
@pytest.mark.parametrize("frames_per_z", [4, 8])
def test_rows_equal_a_hann_window_over_frames_that_go_on_at_the_ends(n_frames, frames_per_z):
    frames, middle = torch.randn(1, n_frames, 1, dtype=torch.float64), row_middle(frames_per_z)
    window = np.hanning(2 * frames_per_z + 1)[1:-1]
    for row, found in enumerate(rows_around(frames, frames_per_z, middle)[0, :, 0].tolist()):
        at = row * frames_per_z + middle + np.arange(-frames_per_z + 1, frames_per_z)
        assert found == pytest.approx((window * frames[0, at.clip(0, n_frames - 1), 0].numpy()).sum() / window.sum())
