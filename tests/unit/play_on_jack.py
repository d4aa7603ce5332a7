"""What `test_play` plays on a JACK server, in a process of its own: a client that a server has left may end its process.

    python -m tests.unit.play_on_jack SCENARIO FOLDER
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path

import jack as jack_client
import mido
import numpy as np
import pytest
import soundfile

from benchmarks.jack_dummy import RATE, SERVER, hear_control_c, jack
from ddspvae import load
from ddspvae.devices.cards import Card, list_cards
from ddspvae.devices.keyboards import Keyboard
from ddspvae.devices.microphone import MicrophoneDriver
from ddspvae.devices.session import KeyboardDriver, Session
from ddspvae.devices.takes import MidiTake, SoundTake
from ddspvae.signals.units import hz_to_cents

from ..conftest import tone

BLOCK = 256


class Wires:
    """A client with a MIDI output, an audio output and an input, that sends what it is told and keeps what it hears."""

    def __init__(self, name):
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
    driver = KeyboardDriver(keyboard)
    driver.open()
    return Session(flute.stream(2, dry=True), driver, Card("system", RATE, BLOCK), BLOCK, **takes)


def key(flute, tmp_path, server):
    assert [card["name"] for card in list_cards() if card["default"]] == ["system"]
    piano = Wires("piano")
    keys = Keyboard()  # the only one
    assert keys.name == "piano:keys"
    session = open_session(flute, keys, sound=SoundTake(str(tmp_path / "a.wav"), RATE),
                           midi=MidiTake(str(tmp_path / "a.mid")))
    piano.connect("ddspvae sound:out_0", piano.ear)

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


def keyboard(flute, tmp_path, server):
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


def voice(flute, tmp_path, server):
    singer = Wires("singer")
    driver = MicrophoneDriver(None, flute.statistics, RATE, BLOCK, semitones=12)
    driver.open()
    session = Session(flute.stream(1, dry=True), driver, Card(None, RATE, BLOCK), BLOCK)
    singer.connect(singer.mouth, "ddspvae ear:in_0")
    singer.connect("ddspvae sound:out_0", singer.ear)

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


def until(happens, seconds=60.0):
    end = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < end
        time.sleep(0.05)


def press_and_hear(note):
    """A key of a keyboard that was not there before."""
    piano = Wires("piano")
    piano.connect(piano.keys, "ddspvae:in")
    piano.connect("ddspvae sound:out_0", piano.ear)
    piano.waiting.append(bytes([0x90, note, 100]))
    until(lambda: piano.heard and np.abs(piano.heard[-1]).max() > 0.01)
    time.sleep(0.5)
    piano.close()


def server(flute, tmp_path, server):
    """As a command: the server is killed twice, and started again; sound, keys and takes go on."""
    said = tmp_path / "said.txt"
    command = [sys.executable, "-m", "ddspvae", "play", "--preset", "flute", "--midi-in", "virtual", "--audio-out", "system",
               "--block", str(BLOCK), "--voices", "2", "--record", str(tmp_path / "a.wav"), "--record-midi",
               str(tmp_path / "a.mid")]
    with said.open("w") as told:
        program = subprocess.Popen(command, stdout=told, stderr=told, preexec_fn=hear_control_c)  # noqa: PLW1509
    try:
        until(lambda: "Control-C ends it" in said.read_text(), 90)
        press_and_hear(69)
        with contextlib.ExitStack() as servers:
            for times, note in ((1, 72), (2, 76)):
                server.kill()
                server.wait()
                until(lambda times=times: said.read_text().count("system is gone; playing goes on when") == times)
                time.sleep(1.5)
                assert program.poll() is None
                server = servers.enter_context(jack(BLOCK))
                until(lambda times=times: said.read_text().count("system is back.") == times)
                press_and_hear(note)
            program.send_signal(signal.SIGINT)
            assert program.wait(30) == 0
    finally:
        program.kill()
        print(said.read_text(), file=sys.stderr)
    onsets, now = [], 0.0
    for message in mido.MidiFile(tmp_path / "a.mid"):
        now += message.time
        onsets += [(message.note, now)] if message.type == "note_on" else []
    assert [note for note, _ in onsets] == [69, 72, 76]
    sound, _ = soundfile.read(tmp_path / "a.wav")
    first = int(np.flatnonzero(np.abs(sound) > 2e-4)[0])  # above the least bit and its dither
    assert first / RATE == pytest.approx(onsets[0][1], abs=0.02), "nothing is heard of what warmed up, and clocks agree"
    for _, at_s in onsets:
        assert np.abs(sound[round((at_s + 0.1) * RATE) : round((at_s + 0.4) * RATE)]).max() > 0.01


def late(flute, tmp_path, server):
    """Who is to blame for blocks that are missed: the system, that kept a program waiting, or the program, that worked."""
    card, silence = Card("system", RATE, BLOCK), np.zeros(BLOCK, dtype=np.float32)

    def write(seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if card.wants_block():
                card.write(silence)
            time.sleep(0.0002)

    write(0.5)
    missed, held_up = card.n_missed, card.n_held_up
    time.sleep(0.1)
    write(0.2)
    assert card.n_held_up - held_up == card.n_missed - missed >= 12
    missed, held_up = card.n_missed, card.n_held_up
    end = time.thread_time() + 0.1
    while time.thread_time() < end:
        pass
    write(0.2)
    assert card.n_missed - missed - (card.n_held_up - held_up) >= 12
    card.close()


def main() -> None:
    os.environ.update(MIDO_BACKEND="mido.backends.rtmidi/UNIX_JACK", JACK_DEFAULT_SERVER=SERVER)
    code = 0
    try:
        with jack(BLOCK) as server_of_all:
            try:
                {"key": key, "keyboard": keyboard, "voice": voice, "server": server, "late": late}[sys.argv[1]](
                    load("flute"), Path(sys.argv[2]), server_of_all)
            except BaseException:
                traceback.print_exc()
                code = 1
    except RuntimeError:
        code = 77
    sys.stderr.flush()
    os._exit(code)  # whatever state the server has left its clients in


if __name__ == "__main__":
    main()
