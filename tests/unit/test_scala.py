from pathlib import Path

import numpy as np
import pytest

from ddspvae.midi.scala import KeyMap, lay_out, read_map, read_scale, read_tuning
from ddspvae.midi.tuning import equal_temperament
from ddspvae.signals.checks import InputError
from ddspvae.signals.units import hz_to_pitch, pitch_to_hz

PYTHAGOREAN = """! pyth.scl
!
Twelve fifths
 12
!
 2187/2048
 9/8
 32/27   minor third
 81/64
 4/3
 729/512
 3/2
 6561/4096
 27/16
 16/9
 243/128
 2
"""


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="latin-1")
    return path


def test_equal_temperament_is_the_keys_themselves():
    assert equal_temperament() == tuple(range(128))
    assert pitch_to_hz(np.array(equal_temperament(415.0)[69])) == pytest.approx(415)


def test_a_scale_of_ratios(tmp_path):
    scale = read_scale(write(tmp_path / "pyth.scl", PYTHAGOREAN))
    assert len(scale) == 12
    assert scale[6] == pytest.approx(701.955, abs=1e-3) and scale[11] == 1200
    pitches = read_tuning([tmp_path / "pyth.scl"])
    assert pitches[60] == pytest.approx(60)  # middle C keeps its pitch
    assert pitches[67] - pitches[60] == pytest.approx(7.01955, abs=1e-5)
    assert pitches[53] - pitches[60] == pytest.approx(4.98045 - 12, abs=1e-5)
    assert pitches[72] == pytest.approx(72) and pitches[0] == pytest.approx(0)


def test_cents_whole_numbers_and_a_period_that_is_no_octave(tmp_path):
    scale = read_scale(write(tmp_path / "bp.scl", "Bohlen-Pierce, three of its degrees\n 3\n 146.3 cents\n 5/3\n 3\n"))
    assert scale == (146.3, pytest.approx(884.359, abs=1e-3), pytest.approx(1901.955, abs=1e-3))
    pitches = lay_out(scale, KeyMap())
    assert pitches[63] - pitches[60] == pytest.approx(19.01955, abs=1e-5)
    assert pitches[59] - pitches[60] == pytest.approx((884.359 - 1901.955) / 100, abs=1e-5)


def test_a4_is_heard_at_the_key_of_a(tmp_path):
    scale = write(tmp_path / "pyth.scl", PYTHAGOREAN)
    tuned, usual = read_tuning([scale], 415.0), read_tuning([scale])
    assert pitch_to_hz(np.array(tuned[69])) == pytest.approx(415)
    np.testing.assert_allclose(np.diff(tuned), np.diff(usual), atol=1e-9)
    assert read_tuning([], 432.0)[69] == pytest.approx(float(hz_to_pitch(432.0)))


def test_a_map_says_where_and_how_high(tmp_path):
    # white keys alone: seven degrees to an octave of keys; A4 at 415 Hz
    lines = ("! a comment", 12, 36, 96, 60, 69, 415.0, 7, 0, "x", 1, "x", 2, 3, "x", 4, "x", 5, "x", 6)
    keys = read_map(write(tmp_path / "white.kbm", "\n".join(map(str, lines))))
    assert keys == KeyMap(36, 96, 60, 69, 415.0, 7, (0, None, 1, None, 2, 3, None, 4, None, 5, None, 6))
    scale = write(tmp_path / "just.scl", "just\n7\n9/8\n5/4\n4/3\n3/2\n5/3\n15/8\n2/1\n")
    pitches = read_tuning([scale, tmp_path / "white.kbm"])
    assert pitch_to_hz(np.array(pitches[69])) == pytest.approx(415)
    assert pitch_to_hz(np.array(pitches[60])) == pytest.approx(415 * 3 / 5)
    assert pitch_to_hz(np.array(pitches[76])) == pytest.approx(2 * 415 * 3 / 5 * 5 / 4)
    assert [key for key in range(60, 72) if pitches[key] is None] == [61, 63, 66, 68, 70]
    assert pitches[35] is None and pitches[97] is None and pitches[96] is not None


def test_a_map_without_degrees_goes_key_by_key(tmp_path):
    keys = read_map(write(tmp_path / "linear.kbm", "0\n0\n127\n69\n69\n440\n0\n"))
    pitches = lay_out((100.0, 1200.0), keys)
    assert pitches[69] == pytest.approx(69) and pitches[70] == pytest.approx(70) and pitches[71] == pytest.approx(81)


@pytest.mark.parametrize(("name", "text", "sentence"), [
    ("a.scl", "only words\n", "is no Scala scale"),
    ("a.scl", "x\ntwelve\n", "says 'twelve' where how many pitches there are belongs"),
    ("a.scl", "x\n0\n", "says that it has 0 pitches"),
    ("a.scl", "x\n2\n100.0\n", "says 2 pitches, and 1 are there"),
    ("a.scl", "x\n1\nfifth\n", "says 'fifth' where a pitch belongs"),
    ("a.scl", "x\n1\n-3/2\n", "where a pitch belongs"),
    ("a.scl", "x\n1\n0.0\n", "is its period and must not be 0 cents"),
    ("a.scl", "x\n1\n1e9.\n", "where a pitch belongs"),
    ("a.scl", "x\n1\n999999.0\n", "beyond hearing"),
    ("a.kbm", "12\n0\n", "is no Scala keyboard map"),
    ("a.kbm", "0\n0\n127\n60\n69\nhigh\n0\n", "says 'high' where the reference frequency belongs"),
    ("a.kbm", "0\n0\n200\n60\n69\n440\n0\n", "its last key must lie between 0 and 127, got 200"),
    ("a.kbm", "0\n0\n127\n60\n69\n0\n0\n", "the reference frequency must lie between 1 and 20000, got 0"),
    ("a.kbm", "999\n0\n127\n60\n69\n440\n0\n", "says that its map has 999 keys"),
    ("a.kbm", "2\n0\n127\n60\n61\n440\n0\n0\nx\n", "key 61, whose frequency is said, has no note in the map"),
    ("a.txt", "", "must be one .scl file or one .kbm file"),
])
def test_says_what_is_wrong(tmp_path, name, text, sentence):
    with pytest.raises(InputError, match=sentence):
        read_tuning([write(tmp_path / name, text)])


def test_says_what_does_not_go_together(tmp_path):
    keys = write(tmp_path / "a.kbm", "0\n0\n127\n60\n69\n440\n0\n")
    with pytest.raises(InputError, match="the .kbm file says how high all is already"):
        read_tuning([keys], 415.0)
    with pytest.raises(InputError, match="at most one of each"):
        read_tuning([keys, keys])
    with pytest.raises(InputError, match="no file"):
        read_tuning([tmp_path / "none.scl"])
    with pytest.raises(InputError, match="a4_hz must lie between 220 and 880, got 44"):
        read_tuning([], 44.0)
    (tmp_path / "big.scl").write_bytes(b"!" * 1_000_001)
    with pytest.raises(InputError, match="larger than 1 MB"):
        read_tuning([tmp_path / "big.scl"])
