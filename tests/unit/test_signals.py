import numpy as np
import pytest

from ddspvae.signals import Controls, Features, Latents, Note, Notes, Performance
from ddspvae.signals.checks import InputError

RATE = 200.0


def performance(n_frames: int = 37, seed: int = 0) -> Performance:
    random = np.random.default_rng(seed)
    periodicity = random.uniform(0, 1, n_frames)
    periodicity[5:9] = 0  # a rest
    loudness = random.uniform(-60, -10, n_frames)
    loudness[5:9] = -120
    return Performance(random.uniform(200, 800, n_frames), periodicity, loudness,
                       random.standard_normal((-(-n_frames // 8), 3)), ("a", "b", "c"), RATE, 8)


def same(a: Performance, b: Performance) -> bool:
    return all(np.array_equal(getattr(a, n), getattr(b, n)) for n in ("f0_hz", "periodicity", "loudness_db", "z"))


def test_save_and_load_lose_nothing(tmp_path):
    before = performance()
    path = tmp_path / "päth with spaces.npz"
    before.save(path)
    after = Performance.load(path)
    assert same(before, after)
    assert (after.axis_names, after.frame_rate_hz, after.frames_per_z) == (("a", "b", "c"), RATE, 8)
    assert list(tmp_path.iterdir()) == [path]


def test_transpose_moves_pitch_only():
    before = performance()
    after = before.transpose(12)
    np.testing.assert_allclose(after.f0_hz, before.f0_hz * 2, rtol=1e-6)
    assert np.array_equal(after.loudness_db, before.loudness_db) and np.array_equal(after.z, before.z)
    ramp = np.linspace(-1, 1, before.n_frames)
    np.testing.assert_allclose(before.transpose(ramp).f0_hz, before.f0_hz * 2 ** (ramp / 12), rtol=1e-5)


def test_loudness_moves_loudness_only():
    before = performance()
    after = before.change_loudness(-6)
    np.testing.assert_allclose(after.loudness_db, before.loudness_db - 6)
    assert np.array_equal(after.f0_hz, before.f0_hz)


def test_vibrato_scales_around_the_note():
    t = np.arange(400) / RATE
    cents = 30 * np.sin(2 * np.pi * 6 * t)
    flat = Performance(440 * 2 ** (cents / 1200), np.ones(400), np.full(400, -20.0), np.zeros((50, 0)), (), RATE, 8)
    extent = lambda p: np.abs(1200 * np.log2(p.f0_hz[60:-60] / 440)).max()  # noqa: E731
    assert extent(flat) == pytest.approx(30, abs=0.5)
    assert extent(flat.scale_vibrato(0)) < 3
    assert extent(flat.scale_vibrato(2)) == pytest.approx(60, abs=4)


def test_vibrato_leaves_a_note_change_where_it_is():
    f0 = np.where(np.arange(400) < 200, 440.0, 660.0)
    step = Performance(f0, np.ones(400), np.full(400, -20.0), np.zeros((50, 0)), (), RATE, 8)
    np.testing.assert_allclose(step.scale_vibrato(0).f0_hz, f0, rtol=1e-5)


def test_stretch_keeps_values_and_doubles_time():
    before = performance(400)
    after = before.stretch(2)
    assert after.n_frames == 800 and after.z.shape == (100, 3)
    np.testing.assert_allclose(after.f0_hz[::2], before.f0_hz, rtol=1e-5)


def test_offset_z_moves_one_axis():
    before = performance()
    after = before.offset_z({"b": 1.5})
    np.testing.assert_allclose(after.z - before.z, np.tile([0, 1.5, 0], (len(before.z), 1)), atol=1e-6)


def test_slices_put_together_are_the_whole():
    whole = performance(400)
    parts = [whole.slice(0, 0.4), whole.slice(0.4, 1.2), whole.slice(1.2)]
    assert same(Performance.concatenate(parts), whole)


def test_the_same_part_may_follow_itself():
    part = performance(13)
    twice = Performance.concatenate([part, part])
    assert twice.n_frames == 16 + 13 and len(twice.z) == 4
    np.testing.assert_array_equal(twice.f0_hz[16:], part.f0_hz)


def test_edits_leave_the_original():
    before = performance()
    copy = before.f0_hz.copy()
    before.transpose(3).change_loudness(3).offset_z({"a": 1})
    assert np.array_equal(before.f0_hz, copy)
    with pytest.raises(ValueError, match="read-only"):
        before.f0_hz[0] = 1


@pytest.mark.parametrize("call, message", [
    (lambda p: p.transpose(float("nan")), "transpose: semitones must be finite"),
    (lambda p: p.transpose(61), "transpose: semitones must lie between 0 and 60, got 61"),
    (lambda p: p.transpose([1.0, 2.0]), r"transpose: semitones must have shape \[37\], got \[2\]"),
    (lambda p: p.change_loudness(200), "change_loudness: db must lie between"),
    (lambda p: p.scale_vibrato(-1), "scale_vibrato: scale must lie between 0 and 10, got -1"),
    (lambda p: p.stretch(0), "stretch: factor must lie between"),
    (lambda p: p.offset_z({"bright": 1}), "offset_z: axis must be one of a, b, c, got 'bright'"),
    (lambda p: p.offset_z({"a": 11}), "offset_z: a must lie between"),
    (lambda p: p.slice(9), "slice: start_s must lie between"),
    (lambda p: p.slice(0, 99), "slice: stop_s must lie between"),
    (lambda p: Performance.concatenate([]), "concatenate: parts must hold at least one"),
    (lambda p: Performance.concatenate([p, Performance(p.f0_hz, p.periodicity, p.loudness_db, p.z, ("x", "y", "w"),
                                                       RATE, 8)]), "concatenate: parts must share axis names"),
])
def test_edits_say_what_is_wrong(call, message):
    with pytest.raises(InputError, match=message):
        call(performance())


@pytest.mark.parametrize("change, message", [
    ({"f0_hz": [0.0, 1.0]}, "f0_hz must be positive in every frame, got 0"),
    ({"f0_hz": [np.nan, 1.0]}, "f0_hz must be finite in every frame"),
    ({"f0_hz": []}, "f0_hz must have at least one frame"),
    ({"periodicity": [0.0, 1.1]}, "periodicity must lie between 0 and 1"),
    ({"periodicity": [0.0]}, r"periodicity must have shape \[2\]"),
    ({"z": np.zeros((2, 1))}, r"z must have shape \[1, 1\]"),
    ({"z": [[np.inf]]}, "z must be finite"),
    ({"frame_rate_hz": 0}, "frame_rate_hz must lie between"),
    ({"frames_per_z": 0}, "frames_per_z must lie between"),
])
def test_performance_is_checked(change, message):
    good = {"f0_hz": [440.0, 440.0], "periodicity": [1.0, 1.0], "loudness_db": [-20.0, -20.0], "z": [[0.0]],
            "axis_names": ("a",), "frame_rate_hz": RATE, "frames_per_z": 8}
    if change.get("f0_hz") == []:
        change = {**change, "periodicity": [], "loudness_db": []}
    with pytest.raises(InputError, match=message):
        Performance(**{**good, **change})


def test_load_says_what_is_wrong(tmp_path):
    with pytest.raises(InputError, match="no file"):
        Performance.load(tmp_path / "none.npz")
    broken = tmp_path / "broken.npz"
    broken.write_text("not a zip")
    with pytest.raises(InputError, match="is not a saved performance"):
        Performance.load(broken)
    newer = tmp_path / "newer.npz"
    np.savez(newer, meta='{"format": "ddspvae performance 2"}')
    with pytest.raises(InputError, match="newer ddspvae"):
        Performance.load(newer)
    with pytest.raises(InputError, match="cannot write"):
        performance().save(tmp_path / "nowhere" / "p.npz")


def test_features_are_checked():
    with pytest.raises(InputError, match=r"timbre must have shape \[1, \*\]"):
        Features([440.0], [1.0], [-20.0], np.zeros((2, 3)), np.zeros((1, 3)), RATE)


def test_notes_are_checked():
    with pytest.raises(InputError, match="offset_s must come after onset_s"):
        Note(60, 80, 1.0, 1.0)
    with pytest.raises(InputError, match="velocity must lie between 1 and 127, got 0"):
        Note(60, 0, 0.0, 1.0)
    with pytest.raises(InputError, match="1.5 after 2 at note 1; are these delta times"):
        Notes((Note(60, 80, 2.0, 3.0), Note(60, 80, 1.5, 3.0)))
    assert Notes((Note(60, 80, 2.0, 3.0),)).duration_s == 3.0


def test_latents_and_controls_are_checked():
    import torch

    with pytest.raises(InputError, match="z_logvar must have shape"):
        Latents(torch.zeros(1, 2, 3), torch.zeros(1, 2, 4))
    ones = torch.ones(1, 5, 1)
    with pytest.raises(InputError, match="amplitude must have shape"):
        Controls(ones, torch.ones(1, 4, 1), torch.ones(1, 5, 7), torch.ones(1, 5, 9))


def test_a_long_take_shows_its_shapes():
    names = tuple(map(str, range(44)))
    take = Performance(np.full(5000, 440.0), np.ones(5000), np.zeros(5000), np.zeros((1250, 44)), names, 200.0, 4)
    assert len(repr(take)) < 250 and "f0_hz=[5000] float32" in repr(take) and "z=[1250, 44] float32" in repr(take)
