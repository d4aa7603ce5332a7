from pathlib import Path

import numpy as np
import pytest

from ddspvae.features.f0 import track_f0, write_f0_csv
from ddspvae.signals.checks import InputError

AUDIO = np.zeros(4800, np.float32)  # what is written counts, not what is heard


def test_written_and_read_back(tmp_path: Path) -> None:
    f0_hz = np.linspace(100, 200, 20, dtype=np.float32)
    periodicity = np.linspace(0, 1, 20, dtype=np.float32)
    path = tmp_path / "take.csv"
    write_f0_csv(path, f0_hz, periodicity, 200.0)
    assert path.read_text().splitlines()[:2] == ["time_s,f0_hz,periodicity", "0.000000,100.0000,0.0000"]
    read = track_f0(AUDIO, 48_000, 240, str(path))
    np.testing.assert_allclose(read[0], f0_hz, atol=1e-3)
    np.testing.assert_allclose(read[1], periodicity, atol=1e-4)


def test_coarser_lines_are_read_between(tmp_path: Path) -> None:
    path = tmp_path / "hand.csv"
    path.write_text("\ufefftime, Hz, sure\n0,200,1\n\n0.1,220,0\n", encoding="utf-8")
    f0_hz, periodicity = track_f0(AUDIO, 48_000, 240, str(path))
    assert f0_hz[10] == pytest.approx(np.sqrt(200 * 220), rel=1e-4)  # half way in log frequency
    assert periodicity[10] == pytest.approx(0.5)


def test_between_two_notes_there_is_no_third(tmp_path: Path) -> None:
    path = tmp_path / "leap.csv"
    path.write_text("t,f,p\n0,200,1\n0.1,400,1\n")
    assert set(track_f0(AUDIO, 48_000, 240, str(path))[0].tolist()) == {200.0, 400.0}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0,200,1\n", "line 1 must be a header"),
        ("\ufeff0,200,1\n", "line 1 must be a header"),
        ("t,f,p\n", "holds no pitch"),
        ("t,f,p\n0,200\n", "line 2 must hold three numbers"),
        ("t,f,p\n0,200,1\n0.1,high,1\n", "line 3 must hold three numbers"),
        ("t,f,p\n0,nan,1\n", "line 2 must hold three numbers"),
        ("t,f,p\n0,200,1\n0,200,1\n", "line 3: time_s must increase"),
        ("t,f,p\n0,0,1\n", "line 2: f0_hz must lie .* periodicity 0, not with 0 Hz"),
        ("t,f,p\n0,200,1.5\n", "line 2: periodicity must lie"),
    ],
)
def test_errors_name_the_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        track_f0(AUDIO, 48_000, 240, str(path))


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read"):
        track_f0(AUDIO, 48_000, 240, str(tmp_path / "none.csv"))
    with pytest.raises(InputError, match="cannot write"):
        write_f0_csv(tmp_path / "none" / "a.csv", np.ones(2), np.ones(2), 200.0)
    assert list(tmp_path.iterdir()) == []
