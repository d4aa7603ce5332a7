from __future__ import annotations

import json
import time
import tracemalloc
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ddspvae import audio as audio_module
from ddspvae.audio import limit_peak, resample, true_peak, write_audio
from ddspvae.commands.sounds import Sound, Spool, read_ir, sound_of, write_sounds
from ddspvae.signals import Performance
from ddspvae.signals.checks import InputError

RATE = 48_000


def noise(*shape: int, seed: int = 0, level: float = 0.1) -> np.ndarray:
    return (level * np.random.default_rng(seed).standard_normal(shape)).astype(np.float32)


def sound(audio: np.ndarray, name: str = "part", block_size: int = 40_000) -> Sound:
    blocks = (audio[..., at : at + block_size] for at in range(0, audio.shape[-1], block_size))
    return Sound(name, blocks, RATE, audio.shape[-1], 1 if audio.ndim == 1 else len(audio))


def interrupted(audio: np.ndarray, after: int) -> Iterator[np.ndarray]:
    for _ in range(after):
        yield audio
    raise KeyboardInterrupt


def options(out: Path, **changes: object) -> Namespace:
    return Namespace(**{"verb": "render", "out": str(out), "stems": None, "sample_rate": None, "bit_depth": "16",
                        "json": True, "ir": None, "dry": False, "wet": 0.0, "decay": 1.0, "seed": None, **changes})


def write(args: Namespace, *sounds: Sound) -> None:
    with write_sounds(args, sounds, time.perf_counter(), {"parts": len(sounds)}):
        pass


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_read_ir_keeps_the_channels_of_a_stereo_room(tmp_path):
    left, right, path = noise(100), noise(100, seed=1), tmp_path / "room.wav"
    for channels, shape in (([left], (100,)), ([left, right], (2, 100))):
        soundfile.write(path, np.stack(channels, axis=1), RATE, subtype="FLOAT")
        ir = read_ir(options(tmp_path, ir=path), RATE)
        assert ir is not None and ir.shape == shape and np.array_equal(np.atleast_2d(ir), channels)
    assert read_ir(options(tmp_path), RATE) is None
    soundfile.write(path, np.stack([left] * 4, axis=1), RATE)
    with pytest.raises(InputError, match="render: --ir must have one channel or two, got 4"):
        read_ir(options(tmp_path, ir=path), RATE)


@pytest.mark.parametrize("ir, n_samples, n_channels", [(None, 48_000, 1), (np.ones(10), 48_010, 1),
                                                       (np.ones((2, 10)), 48_010, 2)])
def test_sound_of_says_how_long_it_will_be(tmp_path, ir, n_samples, n_channels):
    asked = {}

    class Player:
        config = Namespace(sample_rate=RATE)

        def resynthesize_blocks(self, performance, **given):
            asked.update(given)
            return iter([])
    curve = np.ones(200)
    performance = Performance(440 * curve, curve, -20 * curve, np.zeros((25, 0)), (), 200.0, 8)
    made = sound_of(Player(), performance, options(tmp_path, seed=3, dry=True), ir, name="a", voice=2)
    assert (made.name, made.sample_rate, made.n_samples, made.n_channels) == ("a", RATE, n_samples, n_channels)
    assert asked == {"dry": True, "seed": 3, "voice": 2, "ir": ir, "wet_db": 0.0, "decay": 1.0}


@contextmanager
def small_disk(n_bytes: int) -> Iterator[None]:
    """No file can grow beyond n_bytes."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("channels", [(), (2,)])
def test_a_spool_gives_back_what_it_kept(tmp_path, channels):
    audio = noise(*channels, 300_000)
    with Spool(tmp_path / "out.wav") as spool:
        kept = np.concatenate(list(spool.keep(np.array_split(audio, 7, axis=-1))), axis=-1)
        assert np.array_equal(kept, audio) and spool.n_samples == 300_000
        for _ in range(2):
            assert np.array_equal(np.concatenate(list(spool.blocks()), axis=-1), audio)
        assert files(tmp_path) == [], "it has no name, so that nothing can be left of it"


@pytest.mark.parametrize("channels", [(), (2,)])
def test_a_spool_adds_up_what_is_laid_over_it(tmp_path, channels):
    long, short = noise(*channels, 300_000), noise(*channels, 100_001, seed=1)
    for first, second in ((long, short), (short, long)):
        with Spool(tmp_path / "out.wav") as spool:
            for audio, n_blocks in ((first, 7), (second, 3)):
                before = audio.copy()
                spool.add(np.array_split(audio, n_blocks, axis=-1))
                assert np.array_equal(audio, before)
            expected = long.copy()
            expected[..., :100_001] += short
            assert np.array_equal(np.concatenate(list(spool.blocks()), axis=-1), expected) and spool.n_samples == 300_000


def test_a_spool_says_what_is_wrong(tmp_path):
    with pytest.raises(InputError, match="cannot write .*out.wav .*does the folder exist"):
        Spool(tmp_path / "nowhere" / "out.wav")
    for n_samples in (50, 50_000):  # what fits a buffer of the system must be found out as well
        with (small_disk(100), Spool(tmp_path / "out.wav") as spool,
              pytest.raises(InputError, match="cannot write .*out.wav .*has its disk room")):
            list(spool.keep([noise(n_samples)]))


@pytest.mark.parametrize("channels", [(), (2,)])
@pytest.mark.parametrize("rate, name, depth", [(RATE, "a.wav", "16"), (44_100, "a.flac", "24"), (16_000, "a.wav", "float")])
def test_blocks_give_the_bytes_of_the_whole(tmp_path, capsys, channels, rate, name, depth):
    parts = [noise(*channels, 700_001, level=0.5), noise(*channels, 400_000, seed=1, level=0.5)]
    whole = parts[0].copy()
    whole[..., :400_000] += parts[1]
    limited, gain_db = limit_peak(resample(whole, RATE, rate))
    write_audio(tmp_path / f"whole{name}", limited, rate, depth)
    write(options(tmp_path / name, sample_rate=rate, bit_depth=depth), sound(parts[0]), sound(parts[1], block_size=33_333))
    assert (tmp_path / name).read_bytes() == (tmp_path / f"whole{name}").read_bytes()
    said = json.loads(capsys.readouterr().out)
    assert said["gain_db"] == pytest.approx(gain_db, abs=0.006) and gain_db < -3 and said["parts"] == 2
    assert said["seconds"] == round(limited.shape[-1] / rate, 3) and said["sample_rate"] == rate
    assert said["channels"] == (2 if channels else 1)
    assert files(tmp_path) == sorted([name, f"whole{name}"])


@pytest.mark.parametrize("channels", [(), (2,)])
def test_stems_are_as_they_stand_in_the_mix_and_do_not_change_it(tmp_path, capsys, channels):
    long = noise(*channels, 500_000, level=0.3)
    parts = [long, 0.5 * long[..., :300_000]]  # no stem is louder than the mix
    parts[1][..., -2000:] = 0  # as real parts end, so that no filter rings on behind
    for folder, stems in (("with", tmp_path / "with" / "stems"), ("without", None)):
        (tmp_path / folder).mkdir()
        write(options(tmp_path / folder / "mix.wav", stems=stems, sample_rate=24_000), sound(parts[0], "1-long/é"),
              sound(parts[1], "2-short"))
    assert files(tmp_path / "with") == ["mix.wav", "stems", "stems/1-long_é.wav", "stems/2-short.wav"]
    assert (tmp_path / "with" / "mix.wav").read_bytes() == (tmp_path / "without" / "mix.wav").read_bytes()
    mix, rate = soundfile.read(tmp_path / "with" / "mix.wav")
    stems = [soundfile.read(tmp_path / "with" / "stems" / f"{name}.wav")[0] for name in ("1-long_é", "2-short")]
    total = stems[0].copy()
    total[: len(stems[1])] += stems[1]
    assert rate == 24_000 and np.abs(total - mix).max() < 4 / 32768, "they add up, to the rounding of 16 bits"
    gain_db = json.loads(capsys.readouterr().out.splitlines()[0])["gain_db"]
    expected = 10 ** (gain_db / 20) * resample(parts[1], RATE, 24_000).T
    assert gain_db < -3 and np.abs(stems[1] - expected).max() < 1e-3, "each is turned down with the mix"


def test_a_stem_that_is_louder_than_the_mix_is_turned_down_more(tmp_path):
    part = noise(100_000, level=0.5)
    write(options(tmp_path / "mix.wav", stems=tmp_path / "stems"), sound(part, "a"), sound(-0.9 * part, "b"))
    for name in "ab":
        stem = soundfile.read(tmp_path / "stems" / f"{name}.wav")[0]
        assert true_peak(stem) == pytest.approx(10 ** (-1 / 20), abs=1e-3)


def test_a_stem_must_not_be_the_mix(tmp_path):
    with pytest.raises(InputError, match="mix.wav is the name of a stem too"):
        write(options(tmp_path / "mix.wav", stems=tmp_path), sound(noise(100), "mix"))
    assert files(tmp_path) == []


def test_stems_need_a_folder(tmp_path):
    (tmp_path / "file").touch()
    for stems in (tmp_path / "file", tmp_path / "no" / "where"):
        with pytest.raises(InputError, match="cannot make the folder"):
            write(options(tmp_path / "mix.wav", stems=stems), sound(noise(100)))
    assert files(tmp_path) == ["file"]


@pytest.mark.parametrize("stems", [None, "stems", "old"])
def test_an_interruption_leaves_everything_as_it_was(tmp_path, stems):
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "a.txt").write_text("mine")
    (tmp_path / "mix.wav").write_text("the mix of yesterday")
    before = files(tmp_path)
    args = options(tmp_path / "mix.wav", stems=stems and tmp_path / stems)
    broken = Sound("b", interrupted(noise(RATE), 3), RATE, 5 * RATE, 1)
    with pytest.raises(KeyboardInterrupt):
        write(args, sound(noise(5 * RATE), "a"), broken)
    assert files(tmp_path) == before
    # all files are whole, but not yet named, when the with block begins
    with pytest.raises(KeyboardInterrupt), write_sounds(args, [sound(noise(RATE), "a")], 0.0, {}):
        assert len(files(tmp_path)) > len(before)
        raise KeyboardInterrupt
    assert files(tmp_path) == before
    assert (tmp_path / "mix.wav").read_text() == "the mix of yesterday"


def test_no_sound_is_one_sentence_and_leaves_nothing(tmp_path):
    with pytest.raises(InputError, match="audio must be finite"):
        write(options(tmp_path / "mix.wav", stems=tmp_path / "stems"), sound(noise(RATE) * np.nan))
    assert files(tmp_path) == []


@pytest.mark.parametrize("stems", [None, "stems"])
@pytest.mark.parametrize("n_samples", [50, 500_000])
@pytest.mark.parametrize("share", [0.3, 0.95, 1.0])
def test_a_full_disk_leaves_nothing(tmp_path, stems, n_samples, share):
    args = options(tmp_path / "mix.wav", bit_depth="float", stems=stems and tmp_path / stems)
    # where a whole float32 sound just fits, the WAV file does not, because of its header
    with small_disk(int(share * 4 * n_samples)), pytest.raises(InputError, match="cannot write .*wav .*has its disk room"):
        write(args, sound(noise(n_samples)))
    assert files(tmp_path) == []


def test_too_long_for_a_wav_is_said_before_anything_is_rendered(tmp_path):
    for stems in (None, tmp_path / "stems"):
        asked = interrupted(noise(2, 10), 0)
        day = Sound("day", asked, RATE, 24 * 3600 * RATE, 2)
        name = "day.wav" if stems is None else "day.flac"  # stems are WAV files whatever the mix is
        with pytest.raises(InputError, match=r"day\.wav would be 16\.6 GB"):
            write(options(tmp_path / name, stems=stems), day)
    assert files(tmp_path) == []


def test_length_costs_no_memory(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(audio_module, "BLOCK_SIZE", 1 << 14)
    monkeypatch.setattr(audio_module, "WRITE_SIZE", 1 << 12)
    peaks, block = [], noise(1 << 14)
    for n_blocks in (10, 10, 100):  # the first warms up
        tracemalloc.start()
        write(options(tmp_path / "mix.wav", sample_rate=24_000, stems=tmp_path / "stems"),
              Sound("a", (block for _ in range(n_blocks)), RATE, n_blocks << 14, 1))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] < 1.1 * peaks[1] and peaks[2] < 100 * block.nbytes / 2


def test_the_number_of_parts_costs_no_memory(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(audio_module, "BLOCK_SIZE", 1 << 14)
    monkeypatch.setattr(audio_module, "WRITE_SIZE", 1 << 12)
    peaks, n_samples = [], 40 << 14

    def performed(seed: int) -> Iterator[np.ndarray]:
        whole = noise(n_samples, seed=seed)  # what a part holds while it plays
        yield from np.split(whole, 40)

    for n_parts in (1, 1, 8):
        tracemalloc.start()
        write(options(tmp_path / "mix.wav"), *(Sound("a", performed(i), RATE, n_samples, 1) for i in range(n_parts)))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] < 1.2 * peaks[1]
