"""The command line as a stranger meets it: what works, and what each mistake gets told."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile

from ddspvae.commands.main import VERBS, build_parser, main
from ddspvae.signals import Performance

from ..conftest import ROOT, melody_take, tone

MELODY = ROOT / "examples" / "melody.mid"


def run(capsys: pytest.CaptureFixture[str], *argv: object) -> tuple[int, str, str]:
    try:
        code = main([str(a) for a in argv])
    except SystemExit as stop:
        code = int(stop.code or 0)
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture
def short_song(tmp_path: Path) -> Path:
    path = tmp_path / "short song é.mid"
    track = mido.MidiTrack([mido.Message("note_on", note=67, velocity=90, time=0),
                            mido.Message("note_off", note=67, time=480),
                            mido.Message("note_on", note=71, velocity=70, time=0),
                            mido.Message("note_off", note=71, time=480)])
    mido.MidiFile(tracks=[track]).save(path)
    return path


@pytest.fixture
def take(tmp_path: Path) -> Path:
    path = tmp_path / "take one.wav"
    soundfile.write(path, melody_take(1.5, 44_100), 44_100)
    return path


def test_every_verb_is_there_and_explains_itself(capsys):
    names = {"presets", "render", "perform", "analyze", "edit", "train", "evaluate", "latents", "export", "play",
             "studio", "batch"}
    assert set(VERBS) == names
    for name in names:
        code, out, _ = run(capsys, name, "--help")
        assert code == 0 and "usage: ddspvae " + name in out


def test_help_does_not_import_torch():
    code = "import sys; from ddspvae.commands.main import main\ntry: main(['--help'])\nexcept SystemExit: pass\n" \
           "assert 'torch' not in sys.modules and 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_import_is_light():
    code = "import sys, ddspvae; ddspvae.load; ddspvae.read_midi\n" \
           "heavy = {'torch', 'torchaudio', 'librosa', 'numba', 'matplotlib', 'torchcrepe'} & set(sys.modules)\n" \
           "assert not heavy, heavy"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.parametrize("is_long", [False, True])  # which take other loops
def test_a_render_imports_nothing_that_it_does_not_use(short_song, tmp_path, is_long):
    subprocess.run([sys.executable, "-m", "ddspvae.engine"], check=True)  # what it compiles, if nobody has yet
    code = "import sys; from ddspvae.commands.main import main\n" \
           "assert main(sys.argv[1:]) == 0\n" \
           "heavy = {'numba'} if sys.platform == 'linux' else set()\n" \
           "heavy |= {'torch', 'scipy.signal', 'scipy.stats', 'scipy.fft', 'onnxruntime', 'onnx', 'swift_f0', 'sklearn'}\n" \
           "heavy |= {'matplotlib', 'torchcrepe', 'mkdocs', 'rich'}\n" \
           "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    song = MELODY if is_long else short_song
    subprocess.run([sys.executable, "-c", code, "render", song, "--preset", "violin", "--out", tmp_path / "a.wav"],
                   check=True, capture_output=True)


def test_a_stream_imports_neither_torch_nor_numba():
    subprocess.run([sys.executable, "-m", "ddspvae.engine"], check=True)
    code = "import sys, mido; from ddspvae.instrument.loading import load_to_play\n" \
           "stream = load_to_play('violin').stream(2)\n" \
           "stream.send(mido.Message('note_on', note=60)); assert abs(stream.read(24_000)).max() > 0.01\n" \
           "heavy = {'torch', 'onnxruntime'} | ({'numba'} if sys.platform == 'linux' else set())\n" \
           "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_an_analysis_imports_nothing_that_it_does_not_use(take, tmp_path):
    subprocess.run([sys.executable, "-m", "ddspvae.engine"], check=True)
    code = "import sys; from ddspvae.commands.main import main\n" \
           "assert main(sys.argv[1:]) == 0\n" \
           "heavy = {'numba'} if sys.platform == 'linux' else set()\n" \
           "heavy |= {'torch', 'scipy.signal', 'matplotlib'}\n" \
           "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code, "analyze", take, "--preset", "violin", "--out", tmp_path / "a.npz"],
                   check=True, capture_output=True, env={**os.environ, "DDSPVAE_CACHE": str(tmp_path / "cache")})


def test_a_picture_without_matplotlib_is_refused_before_anything_is_done(capsys, monkeypatch, take, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    code, out, err = run(capsys, "analyze", take, "--preset", "violin", "--out", tmp_path / "take.npz", "--plot",
                         tmp_path / "take.png")
    assert (code, out) == (2, "") and err == "plot: matplotlib is not installed; pip install 'ddspvae[plot]'.\n"
    assert not (tmp_path / "take.npz").exists()


def test_python_runs_the_package_itself():
    told = subprocess.run([sys.executable, "-m", "ddspvae", "--version"], check=True, capture_output=True, text=True).stdout
    assert told.strip()


def test_presets_lists_what_is_shipped(capsys):
    code, out, _ = run(capsys, "presets", "--json")
    rows = json.loads(out)
    assert code == 0 and "violin" in [row["name"] for row in rows]
    code, out, _ = run(capsys, "presets")
    assert code == 0 and "violin" in out


def test_render_makes_a_sound_with_a_safe_peak(capsys, tmp_path, short_song):
    out = tmp_path / "out.wav"
    code, said, err = run(capsys, "render", short_song, "--preset", "violin", "--out", out, "--json")
    result = json.loads(said)
    audio, rate = soundfile.read(out)
    assert code == 0 and err == "" and rate == 48_000 and result["seconds"] == pytest.approx(len(audio) / rate, abs=1e-3)
    assert 0.01 < np.abs(audio).max() <= 10 ** (-1 / 20) + 1e-4
    assert len(audio) / rate > 1.0


def test_same_command_same_bytes(capsys, tmp_path, short_song):
    for name in ("a.wav", "b.wav", "c.wav"):
        seed = 4 if name == "c.wav" else 3
        assert run(capsys, "render", short_song, "--preset", "violin", "--out", tmp_path / name, "--seed", seed)[0] == 0
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()
    assert (tmp_path / "a.wav").read_bytes() != (tmp_path / "c.wav").read_bytes()


@pytest.mark.parametrize("depth", ["16", "24", "float"])
def test_same_bytes_at_every_bit_depth(capsys, tmp_path, short_song, depth):
    for name in ("a.wav", "b.wav"):
        run(capsys, "render", short_song, "--preset", "violin", "--out", tmp_path / name, "--bit-depth", depth)
        time.sleep(1.1 if name == "a.wav" else 0)  # a time of day in the file would show
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()


def test_render_options_reach_the_sound(capsys, tmp_path, short_song):
    code, _, _ = run(capsys, "render", short_song, "--preset", "violin", "--out", tmp_path / "o.flac", "--sample-rate",
                        44_100, "--bit-depth", "24", "--dry", "--expression", 0, "--stems", tmp_path / "stems",
                        "--save-performance", tmp_path / "p.npz", "--transpose", 2, "--set", "brightness=0.5", "--json")
    info = soundfile.info(tmp_path / "o.flac")
    assert code == 0 and (info.samplerate, info.subtype) == (44_100, "PCM_24")
    assert len(list((tmp_path / "stems").glob("*.wav"))) == 1
    code, _, _ = run(capsys, "render", tmp_path / "p.npz", "--preset", "violin", "--out", tmp_path / "again.wav")
    assert code == 0 and (tmp_path / "again.wav").is_file()


def test_a_stereo_room_gives_a_stereo_file(capsys, tmp_path, short_song):
    room = np.zeros((24_000, 2), dtype=np.float32)
    room[0, 0], room[-1, 1] = 0.1, 0.05  # straight to the left; half as loud to the right, half a second later
    soundfile.write(tmp_path / "room.wav", room, 48_000, subtype="FLOAT")
    code, said, _ = run(capsys, "render", short_song, "--preset", "violin", "--out", tmp_path / "out.wav", "--ir",
                        tmp_path / "room.wav", "--bit-depth", "float", "--json")
    (left, right), rate = soundfile.read(tmp_path / "out.wav")[0].T, json.loads(said)["sample_rate"]
    assert code == 0 and rate == 48_000 and np.abs(left).max() > 0.01
    assert np.abs(right[23_999:] - left[:-23_999] / 2).max() < 1e-5 * np.abs(left).max()


@pytest.fixture
def duet(tmp_path: Path) -> Path:
    """A trombone to the left and two notes at once of a flute to the right."""
    def track(name: str, channel: int, program: int, pan: int, *notes: int) -> mido.MidiTrack:
        return mido.MidiTrack([
            mido.MetaMessage("track_name", name=name), mido.Message("program_change", program=program, channel=channel),
            mido.Message("control_change", control=10, value=pan, channel=channel),
            mido.Message("control_change", control=7, value=80, channel=channel),
            *(mido.Message("note_on", note=note, velocity=80, channel=channel) for note in notes),
            *(mido.Message("note_off", note=note, time=480, channel=channel) for note in notes)])

    low, high = track("low", 0, 57, 0, 48), track("high", 1, 73, 127, 72, 76)
    mido.MidiFile(tracks=[low, high]).save(path := tmp_path / "duet.mid")
    return path


def test_every_part_gets_its_preset_its_place_and_its_stem(capsys, tmp_path, duet):
    code, said, err = run(capsys, "render", duet, "--out", tmp_path / "out.wav", "--stems", tmp_path / "stems", "--json")
    result = json.loads(said)
    assert code == 0 and err == "" and result["channels"] == 2 and result["parts"] == 2
    assert result["played"] == [
        {"part": 1, "name": "low", "program": 57, "preset": "trombone", "voices": 1},
        {"part": 2, "name": "high", "program": 73, "preset": "flute", "voices": 2}]
    mix = soundfile.read(tmp_path / "out.wav")[0].T
    low, high = (soundfile.read(tmp_path / "stems" / f"{name}.wav")[0].T for name in ("1-low", "2-high"))
    total = low.copy() if low.shape >= high.shape else high.copy()
    shorter = min(low.shape[1], high.shape[1])
    total[:, :shorter] += (high if low.shape >= high.shape else low)[:, :shorter]
    assert np.abs(total - mix).max() < 4 / 32768
    assert np.abs(low[1]).max() < 2 / 32768 < 0.01 < np.abs(low[0]).max()
    assert np.abs(high[0]).max() < 2 / 32768 < 0.01 < np.abs(high[1]).max()


def test_track_and_preset_say_who_plays(capsys, tmp_path, duet):
    for options, names in ((["--preset", "violin"], ["violin", "violin"]), (["--track", "1=flute"], ["flute", "flute"]),
                           (["--preset", "violin", "--track", "2=off"], ["violin"]),
                           (["--track", "1=off", "--voices", "1"], ["flute"])):
        code, said, _ = run(capsys, "render", duet, "--out", tmp_path / "o.wav", "--json", *options)
        played = json.loads(said)["played"]
        assert code == 0 and [part["preset"] for part in played] == names
        assert played[-1]["voices"] == (1 if "2=off" in options or "--voices" in options else 2)


def test_a_part_follows_the_loudness_of_a_recording(capsys, tmp_path, short_song):
    (tmp_path / "swell.csv").write_text("time_s,loudness_db\n0.2,-40\n0.8,-20\n")
    for name, options in (("plain", []), ("given", ["--given", f"loudness={tmp_path / 'swell.csv'}"])):
        assert run(capsys, "render", short_song, "--preset", "violin", "--out", tmp_path / "o.wav", "--save-performance",
                   tmp_path / f"{name}.npz", *options)[0] == 0
    plain, given = (Performance.load(tmp_path / f"{name}.npz") for name in ("plain", "given"))
    assert np.allclose(given.loudness_db[40:161], np.linspace(-40, -20, 121), atol=0.5)
    assert np.array_equal(given.f0_hz, plain.f0_hz)


def test_stereo_is_there_when_it_is_asked_for(capsys, tmp_path, short_song):
    for name, options in (("mono", []), ("stereo", ["--stereo"])):
        run(capsys, "render", short_song, "--preset", "violin", "--out", tmp_path / f"{name}.wav", *options)
    mono, stereo = (soundfile.read(tmp_path / f"{name}.wav")[0] for name in ("mono", "stereo"))
    assert mono.ndim == 1 and stereo.shape == (len(mono), 2)
    assert np.abs(stereo - mono[:, None] * 0.5**0.5).max() < 4 / 32768


def test_a_line_break_in_a_name_begins_no_sentence_of_its_own(capsys, tmp_path):
    low = [mido.Message("note_on", note=20 + at, velocity=60) for at in range(20)]
    track = mido.MidiTrack([mido.MetaMessage("track_name", name="lead\r\nrender: all is well"), *low,
                            *(mido.Message("note_off", note=20 + at, time=100) for at in range(20))])
    mido.MidiFile(tracks=[track]).save(tmp_path / "a.mid")
    code, _, err = run(capsys, "render", tmp_path / "a.mid", "--preset", "flute", "--out", tmp_path / "a.wav")
    assert code == 0 and "needs more than 16 voices" in err
    assert all(line.startswith("warning: ") for line in err.splitlines()), err


def test_a_full_disk_is_one_sentence(capsys, tmp_path, short_song):
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        code, out, err = run(capsys, "render", short_song, "--preset", "violin", "--out", tmp_path / "out.wav",
                             "--stems", tmp_path / "stems", "--save-performance", tmp_path / "p.npz")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert code == 2 and out == "" and len(err.splitlines()) == 1 and "has its disk room" in err
    assert list(tmp_path.iterdir()) == [short_song]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a terminal to open")
def test_a_terminal_sees_a_bar_and_control_c_leaves_nothing(tmp_path):
    import pty

    [track] = mido.MidiFile(MELODY).tracks
    song = tmp_path / "long.mid"
    mido.MidiFile(tracks=[mido.MidiTrack(message for message in track if message.type != "end_of_track") * 60]).save(song)
    ours, theirs = pty.openpty()
    # a shell tells what it starts in the background to ignore this signal, and tests would pass that on
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen([sys.executable, "-m", "ddspvae", "render", song, "--preset", "violin", "--out",
                                tmp_path / "long.wav", "--stems", tmp_path / "stems"],
                               stdout=subprocess.PIPE, stderr=theirs, text=True)
    signal.signal(signal.SIGINT, before)
    os.close(theirs)
    seen, sent = b"", False
    with contextlib.suppress(OSError):  # a terminal whose other end is closed
        while chunk := os.read(ours, 1000):
            seen += chunk
            if b"%" in seen and not sent:
                process.send_signal(signal.SIGINT)
                sent = True
    os.close(ours)
    assert process.wait(timeout=60) == 130, seen.decode()
    assert b"rendering" in seen and seen.rstrip().endswith(b"interrupted.")
    assert process.communicate()[0] == "" and list(tmp_path.iterdir()) == [song]


def test_analyze_plot_csv_then_edit(capsys, tmp_path, take):
    npz, png, csv = tmp_path / "t.npz", tmp_path / "t.png", tmp_path / "t.csv"
    code, out, _ = run(capsys, "analyze", take, "--preset", "violin", "--out", npz, "--plot", png, "--csv", csv)
    assert code == 0 and png.read_bytes()[:4] == b"\x89PNG" and "pitched" in out
    assert len(csv.read_text().splitlines()) > 100
    for source, extra in ((npz, []), (take, ["--tracker", csv])):
        code, _, _ = run(capsys, "edit", source, "--preset", "violin", "--out", tmp_path / "e.wav", "--transpose", 3,
                         "--loudness", -3, "--vibrato", 0.5, "--stretch", 1.2, *extra)
        assert code == 0
        assert soundfile.info(tmp_path / "e.wav").duration == pytest.approx(1.8, abs=0.02)


def test_a_take_is_heard_in_the_room_that_it_is_most_like(capsys, tmp_path, take):
    npz, rooms = tmp_path / "t.npz", json.loads(run(capsys, "presets", "--json")[1])
    rooms = next(row["rooms"] for row in rooms if row["name"] == "violin")
    code, out, _ = run(capsys, "analyze", take, "--preset", "violin", "--room", "nearest", "--out", npz, "--json")
    nearest = json.loads(out)["room"]
    assert code == 0 and nearest in rooms
    for source, room in ((npz, nearest), (take, "nearest"), (take, next(room for room in rooms if room != nearest))):
        assert run(capsys, "edit", source, "--preset", "violin", "--room", room, "--out", tmp_path / f"{room}.wav")[0] == 0
    sounds = {path.stem: soundfile.read(path)[0] for path in tmp_path.glob("*.wav") if path != Path(take)}
    assert len(sounds) == 3 and np.abs(sounds["nearest"] - sounds[nearest]).max() < 2e-4
    sizes = {}
    for room in rooms:
        run(capsys, "analyze", take, "--preset", "violin", "--room", room, "--out", npz)
        sizes[room] = np.square(Performance.load(npz).z).mean()
    assert min(sizes, key=sizes.get) == nearest and max(sizes.values()) > 1.05 * sizes[nearest]


def broken_files(folder: Path) -> dict[str, Path]:
    """One file for each way in which input goes wrong."""
    files = {name: folder / name for name in (
        "empty.mid", "text.mid", "no_notes.mid", "cut.mid", "nan.wav", "zero.wav", "silence.wav", "noise.safetensors",
        "newer.safetensors", "pickle.safetensors", "cut.safetensors")}
    files["empty.mid"].touch()
    soundfile.write(folder / "tone.wav", tone(440.0, 1.0), 48_000)
    (folder / "short.csv").write_text("time_s,f0_hz,periodicity\n0.0,440,1\n0.01,440,1\n")
    files["text.mid"].write_text("do re mi")
    mido.MidiFile(tracks=[mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=500_000)])]).save(files["no_notes.mid"])
    chord = [mido.Message(kind, note=note, velocity=64, time=480 * (kind == "note_off"))
             for kind in ("note_on", "note_off") for note in (60, 64)]
    mido.MidiFile(tracks=[mido.MidiTrack(chord)]).save(folder / "chord.mid")
    files["cut.mid"].write_bytes(MELODY.read_bytes()[:120])
    soundfile.write(files["nan.wav"], np.full(4800, np.nan, np.float32), 48_000, subtype="FLOAT")
    soundfile.write(files["zero.wav"], np.zeros(0), 48_000)
    soundfile.write(files["silence.wav"], np.zeros(48_000), 48_000)
    files["noise.safetensors"].write_bytes(np.random.default_rng(0).bytes(2000))
    header = json.dumps({"__metadata__": {"ddspvae": json.dumps({"format": 99})}}).encode()
    files["newer.safetensors"].write_bytes(struct.pack("<Q", len(header)) + header)
    files["pickle.safetensors"].write_bytes(pickle.dumps({"weights": [1, 2, 3] * 200}))
    shipped = (ROOT / "presets" / "violin.safetensors").read_bytes()
    files["cut.safetensors"].write_bytes(shipped[: len(shipped) // 2])
    (folder / "no audio").mkdir()
    (folder / "no audio" / "readme.txt").write_text("nothing")
    (folder / "short").mkdir()
    soundfile.write(folder / "short" / "a.wav", tone(440.0, 0.5), 48_000)
    return files


MISTAKES = [
    (["render", "empty.mid"], "empty.mid"),
    (["render", "text.mid"], "text.mid"),
    (["render", "no_notes.mid"], "no notes"),
    (["render", "cut.mid"], "cut.mid"),
    (["render", "none.mid"], "none.mid"),
    (["analyze", "nan.wav"], "NaN"),
    (["analyze", "zero.wav"], "no samples"),
    (["analyze", "silence.wav"], "silent"),
    (["edit", "nan.wav"], "NaN"),
    (["edit", "silence.wav"], "silent"),
    (["render", MELODY, "--preset", "violon"], "did you mean 'violin'"),
    (["render", MELODY, "--preset", "noise.safetensors"], "not a ddspvae instrument"),
    (["render", MELODY, "--preset", "newer.safetensors"], "newer ddspvae"),
    (["render", MELODY, "--preset", "pickle.safetensors"], "not a ddspvae instrument"),
    (["render", MELODY, "--preset", "cut.safetensors"], "corrupt"),
    (["render", MELODY, "--expression", "3"], "expression must lie between 0 and 2, got 3"),
    (["render", MELODY, "--expression", "nan"], "expression must lie between 0 and 2, got nan"),
    (["render", MELODY, "--transpose", "100"], "transpose must lie between -60 and 60"),
    (["render", MELODY, "--bit-depth", "12"], "--bit-depth"),
    (["render", MELODY, "--sample-rate", "1"], "sample-rate must lie between"),
    (["render", MELODY, "--set", "z0"], "must look like brightness=+1.5"),
    (["render", MELODY, "--set", "warmth=1"], "axis must be one of brightness"),
    (["render", MELODY, "--track", "9=violin"], "--track must lie between"),
    (["render", MELODY, "--track", "1"], "must look like 2=flute"),
    (["render", MELODY, "--track", "1=off"], "nothing to play"),
    (["render", MELODY, "--voices", "0"], "voices must lie between 1 and 128"),
    (["render", MELODY, "--preset", "auto", "--room", "kitchen"], "name that with --preset"),
    (["render", "some.npz", "--preset", "auto"], "does not say who plays it"),
    (["render", "chord.mid", "--save-performance", "out.npz"], "play it with --voices 1"),
    (["render", "chord.mid", "--given", "loudness=silence.wav"], "--given is for one voice"),
    (["render", MELODY, "--given", "loudness=none.npz"], "none.npz"),
    (["render", "none.csv"], "none.csv"),
    (["render", MELODY, "--ir", "nan.wav"], "NaN"),
    (["render", MELODY, "--out", "out.wma", "--stems", "out_stems"], "must end in .wav or .flac or .ogg or .opus"),
    (["render", MELODY, "--out", "out.opus", "--sample-rate", "44100"], "sample_rate must be one of 8000, 12000"),
    (["render", MELODY, "--out", "out.mp3", "--bit-depth", "24"], "--bit-depth must be left out for .mp3"),
    (["render", MELODY, "--lufs", "3"], "lufs must lie between -60 and -5"),
    (["render", MELODY, "--out", "out.flac", "--bit-depth", "float"], "--bit-depth must be 16 or 24 for .flac"),
    (["render", MELODY, "--dry", "--ir", "silence.wav"], "give one of them"),
    (["render", MELODY, "--dry", "--wet", "3"], "--wet and --decay change the learned room; leave out --dry and --ir"),
    (["render", MELODY, "--decay", "0"], "decay must lie between 0.05 and 20"),
    (["render", "some.npz", "--track", "1=flute"], "is for scores and tables"),
    (["edit", "some.npz", "--tracker", "pitch.csv"], "holds its pitch already"),
    (["edit", "some.npz", "--room", "nearest"], "was heard in a room already"),
    (["edit", "silence.wav", "--room", "nearest"], "silent"),
    (["analyze", "silence.wav", "--room", "kitchen"], "room must be one of"),
    (["analyze", "no audio"], "is a folder"),
    (["analyze", "tone.wav", "--tracker", "short.csv"], "ends at 0.01 s"),
    (["render", MELODY, "--seed", "-1"], "seed must lie between"),
    (["render", MELODY, "--room", "kitchen"], "room must be one of"),
    (["render", MELODY, "--save-performance", "out.txt"], "must end in .npz"),
    (["analyze", "silence.wav", "--out", "silence.txt"], "must end in .npz"),
    (["edit", "silence.wav", "--out", "silence.wav"], "is an input"),
    (["edit", "silence.wav", "--stretch", "0"], "stretch must lie between"),
    (["train", "no audio"], "no audio"),
    (["train", "nowhere"], "nowhere"),
    (["train", "short"], "training window"),
    (["train", "short", "--minutes", "-1"], "minutes must lie between"),
    (["train", "short", "--bitrate", "1"], "bitrate must lie between"),
    (["train", "short", "--holdout", "none.wav"], "none.wav"),
    (["train", "short", "--tracker", "yin"], "tracker must be one of"),
    (["train", "short", "--seed", "-1"], "seed must lie between"),
    (["train", "short", "--from", "violon"], "did you mean 'violin'"),
    (["train", "short", "--device", "abacus"], "device abacus cannot be used"),
    (["evaluate", "violin", "no audio"], "no audio"),
]


@pytest.mark.parametrize("argv, words", MISTAKES, ids=lambda x: " ".join(map(str, x)) if isinstance(x, list) else None)
def test_a_mistake_gets_one_sentence_and_leaves_nothing(capsys, tmp_path, monkeypatch, argv, words):
    broken_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    verb = argv[0]
    suffix = {"render": "out.wav", "edit": "out.wav", "analyze": "out.npz", "train": "out.safetensors", "evaluate": "out"}
    options = [] if "--out" in argv else ["--out", suffix[verb]]
    if verb in ("render", "edit", "analyze") and "--preset" not in argv:
        options += ["--preset", "violin"]
    code, out, err = run(capsys, *argv, *options)
    assert code == 2
    assert words in err
    sentences = [line for line in err.splitlines() if line and not line.startswith("warning")]
    assert verb == "train" or len(sentences) == 1, err  # train prints the doctor's report before
    assert "Traceback" not in err and out == ""
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert after == before, "nothing is written, nothing is lost"


@pytest.mark.parametrize("verb", ["render", "analyze", "edit", "train"])
def test_an_output_folder_that_is_not_there(capsys, tmp_path, take, verb):
    out = tmp_path / "nowhere" / "file.wav"
    argv = {"render": [MELODY, "--preset", "violin"], "analyze": [take, "--preset", "violin"],
            "edit": [take, "--preset", "violin"], "train": [tmp_path]}[verb]
    code, _, err = run(capsys, verb, *argv, "--out", out.with_suffix(".safetensors") if verb == "train" else out)
    assert code == 2 and "nowhere" in err and not (tmp_path / "nowhere").exists()


def test_a_wrong_option_is_one_sentence(capsys):
    code, _, err = run(capsys, "render", "a.mid", "--prset", "violin")
    assert code == 2 and len(err.splitlines()) == 1 and "--help" in err


def test_options_of_the_parser_are_documented():
    for name, sub in build_parser()._subparsers._group_actions[0].choices.items():  # type: ignore[union-attr]
        for action in sub._actions:
            assert action.help or action.metavar or action.choices, f"{name} {action.option_strings}"
