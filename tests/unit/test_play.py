"""Keyboards, cards and microphones: JACK's dummy card and its MIDI ports, which need no hardware."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import mido
import numpy as np
import pytest
import soundfile

from benchmarks.key_to_sound import SERVER, jack
from ddspvae import load
from ddspvae.commands.main import main
from ddspvae.devices.takes import MidiTake, SoundTake
from ddspvae.signals.checks import InputError
from ddspvae.signals.units import hz_to_cents

from ..conftest import tone

RATE, BLOCK = 48_000, 256
needs_jack = pytest.mark.skipif(shutil.which("jackd") is None or shutil.which("jack_lsp") is None,
                                reason="no jackd; apt-get install jackd2")


@pytest.fixture(scope="module")
def flute():
    return load("flute")


@pytest.fixture
def server(monkeypatch):
    """A JACK server with a dummy card, which PortAudio and rtmidi see."""
    pytest.importorskip("rtmixer"), pytest.importorskip("rtmidi"), pytest.importorskip("jack")
    from ddspvae.devices.cards import look_again

    monkeypatch.setenv("MIDO_BACKEND", "mido.backends.rtmidi/UNIX_JACK")
    monkeypatch.setenv("JACK_DEFAULT_SERVER", SERVER)
    try:
        with jack(BLOCK) as process:
            look_again()
            yield process
    except RuntimeError as error:
        pytest.skip(str(error))
    look_again()


class Wires:
    """A client with a MIDI output, an audio output and an input, that sends what it is told and keeps what it hears."""

    def __init__(self, name):
        import jack as jack_client

        self.client = jack_client.Client(name, no_start_server=True)
        self.keys, self.ear = self.client.midi_outports.register("keys"), self.client.inports.register("ear")
        self.mouth = self.client.outports.register("mouth")
        self.waiting, self.heard, self.said, self.at = [], [], np.zeros(0, dtype=np.float32), 0
        self.client.set_process_callback(self._process)
        self.client.activate()

    def _process(self, n_frames):
        self.keys.clear_buffer()
        while self.waiting:
            self.keys.write_midi_event(0, self.waiting.pop(0))
        said = self.said[self.at : self.at + n_frames]
        self.mouth.get_array()[:] = np.pad(said, (0, n_frames - len(said)))
        self.at += n_frames
        self.heard.append(self.ear.get_array().copy())

    def connect(self, source, target):
        for _ in range(50):
            try:
                self.client.connect(source, target)
                return
            except Exception:  # not there yet
                time.sleep(0.1)
        raise AssertionError(f"{source} and {target} do not meet")

    def close(self):
        self.client.deactivate()
        self.client.close()


def until(happens, seconds=20.0):
    """Wait for something; whether it happened."""
    end = time.monotonic() + seconds
    while not happens() and time.monotonic() < end:
        time.sleep(0.05)
    return happens()


class Conductor:
    """Called as a session's `show`: does one thing after the other, each when the one before has come true."""

    def __init__(self, *steps, seconds=30.0):
        self.steps, self.sentences, self.end = list(steps), [], time.monotonic() + seconds

    def __call__(self, session, sentence):
        self.sentences += [sentence] if sentence else []
        if time.monotonic() > self.end:
            raise AssertionError(f"{len(self.steps)} steps were left after {self.sentences}")
        if not self.steps:
            raise KeyboardInterrupt
        if self.steps[0](session) is not False:
            self.steps.pop(0)


def open_session(flute, keyboard, **takes):
    from ddspvae.devices.cards import Card
    from ddspvae.devices.session import KeyboardDriver, Session

    driver = KeyboardDriver(keyboard)
    driver.open()
    return Session(flute.stream(2, dry=True), driver, Card("system", RATE, BLOCK), BLOCK, **takes)


@needs_jack
def test_a_key_is_heard_and_kept(flute, server, tmp_path):
    from ddspvae.devices.cards import list_cards
    from ddspvae.devices.keyboards import Keyboard

    assert [card["name"] for card in list_cards() if card["default"]] == ["system"]
    piano = Wires("piano")
    keyboard = Keyboard()  # the only one
    assert keyboard.name == "piano:keys"
    session = open_session(flute, keyboard, sound=SoundTake(str(tmp_path / "a.wav"), RATE), midi=MidiTake(str(tmp_path / "a.mid")))
    piano.connect("PortAudio:out_0", piano.ear)

    def press(session):
        piano.waiting.append(bytes([0x90, 69, 100]))

    def is_heard(session):
        return session.state.voices == 1 and session.state.level_db > -40 and session.played_s > 1

    with pytest.raises(KeyboardInterrupt):
        session.play(Conductor(press, is_heard))
    piano.close()
    assert session.card.n_missed < session.state.n_blocks / 2 and 0 < session.state.load < 10
    sound, rate = soundfile.read(tmp_path / "a.wav")
    assert rate == RATE and len(sound) == session.state.n_blocks * BLOCK
    (message, end) = [message for message in mido.MidiFile(tmp_path / "a.mid") if not message.is_meta]
    assert (message.type, message.note, message.velocity) == ("note_on", 69, 100) and end.type == "note_off"
    onset = np.flatnonzero(np.abs(sound) > 1e-4)[0] / RATE
    assert onset == pytest.approx(message.time, abs=0.006)
    heard = np.concatenate(piano.heard)
    assert np.abs(heard).max() == pytest.approx(np.abs(sound).max(), rel=0.05)


@needs_jack
def test_a_keyboard_that_goes_away_leaves_no_note_and_comes_back(flute, server):
    from ddspvae.devices.keyboards import Keyboard

    wires = [Wires("piano")]
    session = open_session(flute, Keyboard("pian"))
    conductor = Conductor(
        lambda session: wires[0].waiting.append(bytes([0x90, 69, 100])), lambda session: session.state.voices == 1,
        lambda session: wires.pop().close(), lambda session: not session.driver.keyboard.is_there,
        lambda session: session.state.voices == 0,
        lambda session: wires.append(Wires("piano")), lambda session: session.driver.keyboard.is_there,
        lambda session: wires[0].waiting.append(bytes([0x90, 72, 100])), lambda session: session.state.voices == 1)
    with pytest.raises(KeyboardInterrupt):
        session.play(conductor)
    wires[0].close()
    assert conductor.sentences == ["piano:keys is gone; plug it in again to go on.", "piano:keys is back."]


@needs_jack
def test_a_sung_note_is_played(flute, server):
    from ddspvae.devices.cards import Card
    from ddspvae.devices.microphone import MicrophoneDriver
    from ddspvae.devices.session import Session

    singer = Wires("singer")
    driver = MicrophoneDriver(None, flute.statistics, RATE, BLOCK, semitones=12)
    driver.open()
    session = Session(flute.stream(1, dry=True), driver, Card(None, RATE, BLOCK), BLOCK)
    singer.connect(singer.mouth, "PortAudio:in_0")
    singer.connect("PortAudio:out_0", singer.ear)

    def sing(session):
        singer.said, singer.at = np.tile(0.1 * tone(330.0, 1.0), 60), 0

    with pytest.raises(KeyboardInterrupt):
        session.play(Conductor(sing, lambda session: session.state.level_db > -30, lambda session: singer.heard.clear(),
                               lambda session: len(singer.heard) * BLOCK > RATE))
    singer.close()
    heard = np.concatenate(singer.heard)[-RATE // 2 :]
    power = np.abs(np.fft.rfft(heard * np.hanning(len(heard)), 8 * len(heard)))
    near = slice(int(600 * 8 * len(heard) / RATE), int(720 * 8 * len(heard) / RATE))
    peak_hz = (near.start + int(power[near].argmax())) * RATE / len(heard) / 8
    assert abs(hz_to_cents(peak_hz, 660.0)) < 5
    assert 0.01 < driver.delay_s < 0.05


@needs_jack
@pytest.mark.slow
def test_a_card_that_goes_away_comes_back(server, tmp_path):
    """As a command: the server is killed and started again, which leaves its old clients in any state."""
    command = [sys.executable, "-m", "ddspvae", "play", "--preset", "flute", "--dry", "--midi-in", "virtual", "--audio-out",
               "system", "--block", str(BLOCK), "--voices", "2", "--json", "--record", str(tmp_path / "a.wav")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        os.set_blocking(program.stderr.fileno(), False)
        said = []

        def tells(what):
            said.append(program.stderr.read() or "")
            return what in "".join(said)

        assert until(lambda: tells("Control-C ends it"), 60)
        time.sleep(1)
        server.kill()
        server.wait()
        assert until(lambda: tells("system is gone"))
        with jack(BLOCK):
            assert until(lambda: tells("system is back"))
            time.sleep(1)
            program.send_signal(signal.SIGINT)
            result = json.loads(program.communicate(timeout=20)[0])
    assert program.returncode == 0 and result["seconds"] > 1
    assert soundfile.info(tmp_path / "a.wav").duration == pytest.approx(result["seconds"], abs=1e-3)


@needs_jack
@pytest.mark.slow
def test_eight_voices_for_a_while(server):
    """As a command, beside whatever else this machine does: blocks are missed now and then, none for long, and memory is flat."""
    told = subprocess.run([sys.executable, "benchmarks/play_long.py", "--minutes", "0.3", "--messages", "300"], check=True,
                          capture_output=True, text=True, env={**os.environ, "PYTHONPATH": "."}, timeout=300).stdout
    result = eval(told.splitlines()[-2])
    assert result["missed"] < 0.05 * result["blocks"]
    before, after = (float(words.split(" MB")[0].split()[-1]) for words in told.splitlines()[0].split(", ")[:2])
    assert after - before < 10
    assert "sample is -180 dBFS" in told or float(told.split("sample is ")[1].split(" dBFS")[0]) < -80


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
