"""One axis from one end to the other."""

import numpy as np
import pytest

from ddspvae.instrument.loading import load
from ddspvae.latents.sweep import plot_sweep, sweep
from ddspvae.signals import Note, Notes, Performance
from ddspvae.signals.checks import InputError


@pytest.fixture(scope="module")
def violin():
    return load("violin")


@pytest.fixture(scope="module")
def note(violin) -> Performance:
    return violin.perform(Notes((Note(69, 90, 0.0, 0.4),))).slice(0, 0.503)


def test_each_piece_is_the_take_with_one_axis_a_step_further(note):
    axis = note.axis_names[1]
    swept = sweep(note, axis, reach=2, steps=5)
    assert swept.values == (-2, -1, 0, 1, 2) and len(swept.spans_s) == 5
    for value, (start_s, end_s) in zip(swept.values, swept.spans_s):
        first, last = (round(at * note.frame_rate_hz) for at in (start_s, end_s))
        piece = swept.performance.slice(start_s, end_s)
        assert last - first == note.n_frames and first % note.frames_per_z == 0
        assert np.array_equal(piece.f0_hz, note.f0_hz) and np.array_equal(piece.loudness_db, note.loudness_db)
        moved = piece.z - note.z
        assert moved[:, 1] == pytest.approx(value, abs=1e-5) and np.abs(np.delete(moved, 1, axis=1)).max() == 0


def test_between_the_pieces_it_is_silent(violin, note):
    swept = sweep(note, note.axis_names[0], reach=1, steps=3, rest_s=0.25)
    audio = violin.resynthesize(swept.performance, dry=True)
    rate = violin.config.sample_rate
    assert len(audio) == pytest.approx(swept.performance.duration_s * rate, abs=violin.config.hop_size)
    for (_, end_s), (start_s, _) in zip(swept.spans_s, swept.spans_s[1:]):
        assert 0.2 < start_s - end_s < 0.35
        assert np.abs(audio[round((end_s + 0.1) * rate) : round((start_s - 0.02) * rate)]).max() < 1e-4
    for start_s, end_s in swept.spans_s:
        assert np.abs(audio[round(start_s * rate) : round(end_s * rate)]).max() > 0.01


def test_the_picture_names_the_values(tmp_path, violin, note):
    swept = sweep(note, note.axis_names[0], reach=2, steps=3)
    path = tmp_path / "sweep.svg"
    plot_sweep(violin.resynthesize(swept.performance), violin.config.sample_rate, swept, path)
    text = path.read_text(encoding="utf-8")
    assert "<!-- +2 -->" in text and "<!-- 0 -->" in text and f"<!-- {note.axis_names[0]}, standard" in text


def test_a_sweep_out_of_range_is_refused(note):
    with pytest.raises(InputError, match="axis must be one of .*, got 'shimmer'"):
        sweep(note, "shimmer")
    with pytest.raises(InputError, match="reach must lie between 0.01 and 10, got 20"):
        sweep(note, note.axis_names[0], reach=20)
    with pytest.raises(InputError, match="steps must lie between 2 and 101, got 1"):
        sweep(note, note.axis_names[0], steps=1)
    with pytest.raises(InputError, match="rest_s must lie between 0.05 and 10, got 0"):
        sweep(note, note.axis_names[0], rest_s=0)
