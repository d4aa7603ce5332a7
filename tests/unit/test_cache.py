import os
from pathlib import Path

import numpy as np
import pytest

from ddspvae.features import cache
from ddspvae.features.cache import cached, content_key
from ddspvae.signals.files import cache_folder


class Counter:
    def __init__(self) -> None:
        self.n_calls = 0

    def __call__(self) -> dict[str, np.ndarray]:
        self.n_calls += 1
        return {"curve": np.arange(3, dtype=np.float32), "n": np.array(self.n_calls)}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DDSPVAE_CACHE", str(tmp_path / "kept"))
    return tmp_path / "kept"


def test_computed_once_and_read_back_bit_by_bit(folder: Path) -> None:
    compute = Counter()
    audio = np.linspace(0, 1, 100, dtype=np.float32)
    first, second = (cached(["x", 1, audio], compute) for _ in range(2))
    assert compute.n_calls == 1
    assert first.keys() == second.keys()
    np.testing.assert_array_equal(first["curve"], second["curve"])
    assert second["curve"].dtype == np.float32
    assert [path.suffix for path in folder.iterdir()] == [".npz"]  # no temporary file stays


def test_everything_in_the_key_counts(folder: Path) -> None:
    audio = np.zeros(4, np.float32)
    keys = [["a", audio], ["a", audio + 1], ["b", audio], ["a", audio.astype(np.float64)], ["a", audio.reshape(2, 2)],
            ["a", 1], ["a", 1.0], ["a", "1"], ["a", None], ["ab", "c"], ["a", "bc"], ["a", True]]
    assert len({content_key(key) for key in keys}) == len(keys)
    assert content_key(["a", audio]) == content_key(["a", audio.copy()])
    assert content_key([audio[::2]]) == content_key([np.zeros(2, np.float32)])  # not contiguous


@pytest.mark.parametrize("damage", [b"", b"not an archive", "cut", "flip"])
def test_a_damaged_entry_is_ignored_and_rewritten(folder: Path, damage: bytes | str) -> None:
    compute = Counter()
    cached(["x"], compute)
    entry, = folder.iterdir()
    whole = entry.read_bytes()
    if damage == "cut":
        entry.write_bytes(whole[: len(whole) // 2])
    elif damage == "flip":
        at = whole.index(np.arange(3, dtype=np.float32).tobytes())
        entry.write_bytes(whole[:at] + b"\xff" + whole[at + 1 :])
    else:
        entry.write_bytes(damage)
    assert cached(["x"], compute)["n"] == 2
    assert cached(["x"], compute)["n"] == 2 and compute.n_calls == 2


def test_a_folder_that_cannot_be_made_breaks_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("DDSPVAE_CACHE", str(tmp_path / "file" / "kept"))
    compute = Counter()
    assert [int(cached(["x"], compute)["n"]) for _ in range(2)] == [1, 2]


def test_a_write_that_fails_breaks_nothing_and_leaves_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "replace", full)
    assert cached(["x"], Counter())["n"] == 1
    assert list(folder.iterdir()) == []


def test_an_error_of_the_computation_is_passed_on(folder: Path) -> None:
    def fails() -> dict[str, np.ndarray]:
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        cached(["x"], fails)


def test_the_folder_is_found_in_this_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.setenv("DDSPVAE_CACHE", "~/mine")
    assert cache_folder() == Path("/home/someone/mine")
    monkeypatch.delenv("DDSPVAE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/cache")
    assert cache_folder() == Path("/var/cache/ddspvae")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path("/home/someone/.cache/ddspvae")


def test_the_oldest_entries_go_when_there_is_too_much(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for age in range(4):
        cached([age], Counter())
        os.utime(folder / f"{content_key([age])}.npz", (1000 - age, 1000 - age))
    size = (folder / f"{content_key([0])}.npz").stat().st_size
    monkeypatch.setattr(cache, "KEPT_BYTES", 2 * size)
    monkeypatch.setattr(cache, "_tidied", set())
    cached(["new"], Counter())
    kept = {path.stem for path in folder.iterdir()}
    assert kept == {content_key([0]), content_key([1]), content_key(["new"])}


def test_no_flipped_byte_goes_unnoticed(tmp_path, monkeypatch):
    monkeypatch.setenv("DDSPVAE_CACHE", str(tmp_path))
    right = {"a": np.arange(50.0)}
    cache.cached(["key"], lambda: right)
    entry, = tmp_path.glob("*.npz")
    whole, random = entry.read_bytes(), np.random.default_rng(0)
    for at in random.integers(0, len(whole), 100):
        broken = bytearray(whole)
        broken[at] ^= 1 << int(random.integers(8))
        entry.write_bytes(broken)
        other = {"a": np.arange(50.0)}
        assert cache.cached(["key"], lambda other=other: other)["a"] is other["a"]  # computed, not read
        assert entry.read_bytes() == whole  # replaced
