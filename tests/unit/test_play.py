"""Keyboards, cards and microphones: JACK's dummy card and its MIDI ports, which need no hardware."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import time

import mido
import numpy as np
import pytest
import soundfile

from benchmarks.jack_dummy import jack
from ddspvae.commands.main import main
from ddspvae.devices.takes import MidiTake, SoundTake
from ddspvae.signals.checks import InputError

RATE, BLOCK = 48_000, 256
needs_jack = pytest.mark.skipif(shutil.which("jackd") is None or shutil.which("jack_lsp") is None,
                                reason="no jackd; apt-get install jackd2")


def until(happens, seconds=20.0):
    """Wait for something; whether it happened."""
    end = time.monotonic() + seconds
    while not happens() and time.monotonic() < end:
        time.sleep(0.05)
    return happens()


@needs_jack
@pytest.mark.slow
@pytest.mark.parametrize("scenario", ["key", "keyboard", "voice", "server", "late"])
def test_on_a_dummy_card(tmp_path, scenario):
    """A key is heard and kept; a keyboard that goes away leaves no note and comes back; a sung note is played; a server that
    is killed is waited for, with its ports; a late block is blamed on who made it late."""
    run = subprocess.run([sys.executable, "-m", "tests.unit.play_on_jack", scenario, str(tmp_path)], capture_output=True,
                         text=True, check=False, timeout=240)
    if run.returncode == 77:
        pytest.skip("jackd does not start here")
    assert run.returncode == 0, run.stderr


@needs_jack
@pytest.mark.slow
def test_a_server_that_ends_is_told_and_the_takes_are_kept(monkeypatch, tmp_path):
    """Without a compiler, as a command: PortAudio cannot go on from there, nor even be closed."""
    command = [sys.executable, "-m", "ddspvae", "play", "--preset", "flute", "--dry", "--midi-in", "virtual", "--audio-out",
               "system", "--block", str(BLOCK), "--voices", "2", "--record", str(tmp_path / "a.wav")]
    monkeypatch.setenv("MIDO_BACKEND", "mido.backends.rtmidi/UNIX_JACK")
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    with jack(BLOCK) as server, (tmp_path / "said.txt").open("w+") as said, \
            subprocess.Popen(command, stdout=said, stderr=said) as program:
        assert until(lambda: "Control-C ends it" in (tmp_path / "said.txt").read_text(), 90)
        time.sleep(1)
        server.kill()
        assert program.wait(30) == 2
    with jack(BLOCK):  # of the same name, it takes the killed one's place in JACK's list of eight
        pass
    assert "\nplay: the JACK server of system has ended; start it, and play again.\n" in (tmp_path / "said.txt").read_text()
    assert soundfile.info(tmp_path / "a.wav").duration > 0.5


def test_a_card_that_goes_away_comes_back(tmp_path):
    """A null device of ALSA, which is there while its configuration is; in a process of its own, which reads that anew."""
    pytest.importorskip("rtmixer")
    config = tmp_path / "fake.conf"
    code = f"""
import os, pathlib, sys
config = pathlib.Path({str(config)!r})
from ddspvae.devices.cards import Card, list_cards, look_again
there = "pcm.fake {{ type null hint {{ show on description fake }} }}"
config.write_text(there)
look_again()
if "fake" not in [card["name"] for card in list_cards()]:
    sys.exit(77)
card = Card("fake", 48000, 256)
assert card.wants_block() in (True, False) and not card.is_gone
config.write_text("# gone")
assert not card.reopen() and not card.reopen()
config.write_text(there)
assert card.reopen() and not card.is_gone
card._mixer.abort()
assert card.is_gone
card.close()
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env={
        **os.environ, "ALSA_CONFIG_PATH": f"/usr/share/alsa/alsa.conf:{config}", "JACK_DEFAULT_SERVER": "ddspvae-none"})
    if run.returncode == 77:
        pytest.skip("no ALSA that takes a configuration of one's own")
    assert run.returncode == 0, run.stderr


@needs_jack
@pytest.mark.slow
@pytest.mark.skipif("PYTEST_XDIST_WORKER" in os.environ, reason="beside other tests a card misses blocks; use -n 0")
def test_eight_voices_for_a_while():
    """As a command, beside whatever else this machine does: few blocks are missed, and memory is flat."""
    told = subprocess.run([sys.executable, "benchmarks/play_long.py", "--minutes", "0.3", "--messages", "300"], check=True,
                          capture_output=True, text=True, env={**os.environ, "PYTHONPATH": "."}, timeout=300).stdout
    result = ast.literal_eval(next(line for line in told.splitlines() if line.startswith("{")))
    sent, played = re.search(r"(\d+) messages were sent and (\d+) were played", told).groups()
    assert int(sent) > 300 and sent == played
    assert result["missed"] < 0.05 * result["blocks"]
    before, after = (float(words.split(" MB")[0].split()[-1]) for words in told.splitlines()[0].split(", ")[:2])
    assert after - before < 10
    assert "sample is -180 dBFS" in told or float(told.split("sample is ")[1].split(" dBFS")[0]) < -80


def test_a_ring_goes_round():
    from ddspvae.devices.jack_ports import Ring

    ring, told, heard = Ring(2, 8), np.arange(22, dtype=np.float32).reshape(11, 2), []
    for first, last in ((0, 5), (5, 8), (8, 11)):
        ring.write(told[first:last])
        assert ring.read_available == last - first
        heard.append(np.frombuffer(ring.read(last - first), dtype=np.float32).reshape(-1, 2))
    np.testing.assert_array_equal(np.concatenate(heard), told)
    ring.write(np.ones((20, 2), dtype=np.float32))
    assert ring.read_available == 8  # as many as there is room for


def without_devices(monkeypatch):
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "ddspvae-none")
    monkeypatch.setenv("MIDO_BACKEND", "mido.backends.rtmidi/UNIX_JACK")


def run(capsys, *argv):
    code = main([str(a) for a in argv])
    return code, *capsys.readouterr()


def test_nothing_connected_is_one_sentence(capsys, monkeypatch):
    pytest.importorskip("rtmixer")
    without_devices(monkeypatch)
    try:
        import sounddevice
    except OSError:
        pytest.skip("no PortAudio; apt-get install libportaudio2")
    monkeypatch.setattr(sounddevice, "query_devices", lambda: [])  # whatever this machine has
    code, out, err = run(capsys, "play", "--preset", "flute")
    assert (code, out) == (2, "") and err == "play: no sound card is connected; PortAudio finds no output.\n"
    card = {"name": "dummy", "hostapi": 0, "max_output_channels": 2, "max_input_channels": 0}
    monkeypatch.setattr(sounddevice, "query_devices", lambda: [card])
    monkeypatch.setattr(sounddevice, "check_output_settings", lambda **how: None)
    code, out, err = run(capsys, "play", "--preset", "flute")
    assert (code, out) == (2, "") and err.startswith("play: no MIDI keyboard is connected; plug one in, or open a port")
    code, out, err = run(capsys, "play", "--preset", "flute", "--audio-out", "speakers")
    assert code == 2 and err == "play: no sound card is called 'speakers'; there are dummy (--audio-out).\n"
    code, out, err = run(capsys, "play", "--preset", "flute", "--mic")
    assert code == 2 and err == "play: no microphone is connected; PortAudio finds no input.\n"


def test_without_the_extra_it_says_so(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    code, out, err = run(capsys, "play", "--preset", "flute")
    assert (code, out) == (2, "") and err == "play: sounddevice is not installed; pip install 'ddspvae[play]'.\n"


@pytest.mark.parametrize(("options", "sentence"), [
    (["--preset", "flute", "--block", "8"], "play: block must lie between 16 and 8192, got 8."),
    (["--preset", "flute", "--voices", "0"], "play: voices must lie between 1 and 128, got 0."),
    ([], "play: name the instrument with --preset; see `ddspvae presets`."),
    (["--preset", "flute", "--record", "a.xyz"], "a.xyz must end in"),
    (["--preset", "flute", "--record-midi", "a.wav"], "a.wav must end in .mid or .midi."),
    (["--preset", "flute", "--mic", "--mono", "--a4", "415"], "play: with --mic there is no MIDI; leave out --mono, --a4."),
    (["--preset", "flute", "--dry", "--wet", "3"], "play: --wet and --decay change the learned room"),
])
def test_wrong_options_are_told_before_anything_is_opened(capsys, options, sentence):
    code, out, err = run(capsys, "play", *options)
    assert (code, out) == (2, "") and err.startswith(sentence)


def test_a_take_of_messages_ends_its_notes(tmp_path):
    take = MidiTake(str(tmp_path / "a.mid"))
    for at_s, message in ((0.5, mido.Message("note_on", note=60)), (0.75, mido.Message("note_on", note=64, channel=2)),
                          (0.8, mido.Message("reset")), (1.0, mido.Message("note_off", note=60)),
                          (1.25, mido.Message("sysex", data=(1, 2)))):
        take.add(at_s, message)
    take.finish(2.0)
    heard, now = [], 0.0
    for message in mido.MidiFile(tmp_path / "a.mid"):
        now += message.time
        heard.append((round(now, 4), message.type))
    assert heard == [(0.5, "note_on"), (0.75, "note_on"), (1.0, "note_off"), (1.25, "sysex"), (2.0, "note_off"),
                     (2.0, "end_of_track")]
    with pytest.raises(InputError, match="cannot write"):
        MidiTake(str(tmp_path / "none" / "a.mid")).finish(1.0)


def test_a_take_of_sound_is_whole_or_told(tmp_path):
    take, random = SoundTake(str(tmp_path / "a.wav"), RATE), np.random.default_rng(0)
    blocks = [random.uniform(-0.5, 0.5, (2, 128)).astype(np.float32) for _ in range(50)]
    for block in blocks:
        take.add(block)
    take.finish()
    sound, _ = soundfile.read(tmp_path / "a.wav")
    np.testing.assert_allclose(sound.T, np.concatenate(blocks, axis=1), atol=1e-4)
    lost = SoundTake(str(tmp_path / "none" / "a.wav"), RATE)
    lost.add(blocks[0])
    with pytest.raises(InputError, match="cannot write"):
        lost.finish()
