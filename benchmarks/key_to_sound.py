"""How long from a key to its sound in `ddspvae play`, on the dummy card of JACK.

Another client of the same server sends note-ons and listens, both on its clock, so nothing is estimated. Beside it the same
loop around a program that answers a note-on with a click in its next callback, through the same libraries: what ports and
card add.

    python benchmarks/key_to_sound.py [--block 128] [--period 128] [--notes 60]
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress

import numpy as np

SERVER = f"ddspvae-{os.getpid()}"  # of its own, whatever else runs
LOUD = 1e-4  # of the first sample of a note, after silence
RATE = 48_000


def hear_control_c() -> None:
    """What a shell has started in the background ignores Control-C, and so would its programs."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def jack(period: int):
    """A server with a dummy card."""
    before = os.environ.get("JACK_DEFAULT_SERVER")
    os.environ["JACK_DEFAULT_SERVER"] = SERVER
    command = ["jackd", "-n", SERVER, "-R", "-P", "60", "-d", "dummy", "-r", str(RATE), "-p", str(period)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(300):
            time.sleep(0.1)
            if subprocess.run(["jack_lsp", "-s", SERVER], capture_output=True, check=False).returncode == 0:
                break
        else:
            raise RuntimeError("jackd did not start")
        yield server
    finally:
        server.terminate()
        server.wait()
        os.environ.update({} if before is None else {"JACK_DEFAULT_SERVER": before})
        if before is None:
            del os.environ["JACK_DEFAULT_SERVER"]


class Listener:
    """Sends notes at known samples and says when the first sample of each was heard."""

    def __init__(self) -> None:
        import jack as jack_client

        self.client = jack_client.Client("listener", no_start_server=True)
        self.midi = self.client.midi_outports.register("keys")
        self.audio = self.client.inports.register("ear")
        self.waiting: list[tuple[int, bytes]] = []
        self.sent: int | None = None  # that has not been heard yet
        self.delays: list[int] = []
        self.client.set_process_callback(self._process)

    def _process(self, n_frames: int) -> None:
        begin = self.client.last_frame_time
        self.midi.clear_buffer()
        while self.waiting and self.waiting[0][0] < begin + n_frames:
            at, message = self.waiting.pop(0)
            offset = max(at - begin, 0)
            self.midi.write_midi_event(offset, message)
            if message[0] == 0x90:
                self.sent = begin + offset
        loud = np.flatnonzero(np.abs(self.audio.get_array()) > LOUD)
        if self.sent is not None and len(loud):
            self.delays.append(begin + int(loud[0]) - self.sent)
            self.sent = None

    def measure(self, n_notes: int) -> np.ndarray:
        """Delays in samples, of notes that begin anywhere in a cycle."""
        random = np.random.default_rng(1)
        at = self.client.frame_time + RATE // 2
        for _ in range(n_notes):
            self.waiting += [(at, bytes([0x90, 69, 127])), (at + RATE // 10, bytes([0x80, 69, 0]))]
            at += 2 * RATE + int(random.integers(0, RATE // 10))
        while self.waiting or self.client.frame_time < at:
            time.sleep(0.1)
        return np.array(self.delays)

    def connect(self, keys: str, sound: str) -> None:
        """Between a MIDI input and an audio output, by parts of their names."""
        import jack as jack_client

        (keyboard,) = self.client.get_ports(keys, is_midi=True, is_input=True)
        source = self.client.get_ports(sound, is_audio=True, is_output=True)[0]
        try:
            for one, other in ((self.midi, keyboard), (source, self.audio)):
                if all(joined.name != other.name for joined in self.client.get_all_connections(one)):
                    self.client.connect(one, other)
        except jack_client.JackError as error:
            raise ValueError("not active yet") from error


def click(block: int) -> None:
    """A program of the same libraries that answers a note-on with a click in the callback after it: the least there is."""
    import mido
    import sounddevice

    port = mido.open_input("in", client_name="clicker", virtual=True)

    def callback(out: np.ndarray, n_frames: int, when: object, status: object) -> None:
        out[:] = 0
        if any(message.type == "note_on" for message in port.iter_pending()):
            out[0] = 0.5

    with sounddevice.OutputStream(RATE, block, channels=2, latency="low", callback=callback), suppress(KeyboardInterrupt):
        time.sleep(1e6)


def delays(command: list[str], keys: str, sound: str, n_notes: int) -> tuple[np.ndarray, str]:
    """Of a program that makes sound of keys; and what it printed."""
    program = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=hear_control_c)  # noqa: PLW1509
    listener = Listener()
    try:
        with listener.client:
            for _ in range(300):
                time.sleep(0.1)
                try:
                    listener.connect(keys, sound)
                    break
                except (ValueError, IndexError):
                    continue
            time.sleep(2)
            measured = listener.measure(n_notes)
    finally:
        program.send_signal(signal.SIGINT)
    return measured, program.communicate(timeout=20)[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--block", type=int, default=128)
    parser.add_argument("--period", type=int, default=128)
    parser.add_argument("--notes", type=int, default=60)
    parser.add_argument("--click", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.click:
        click(args.block)
        return
    os.environ["MIDO_BACKEND"] = "mido.backends.rtmidi/UNIX_JACK"
    play = [sys.executable, "-m", "ddspvae", "play", "--preset", "violin", "--dry", "--midi-in", "virtual", "--audio-out",
            "system", "--block", str(args.block), "--json"]
    with jack(args.period):
        click_too = [sys.executable, __file__, "--click", "--block", str(args.block)]
        least, _ = delays(click_too, "clicker:in", "PortAudio", args.notes)
        ours, said = delays(play, "ddspvae:in", "ddspvae sound", args.notes)
    print(f"JACK's dummy card, {RATE} Hz, periods of {args.period}; blocks of {args.block}; samples from key to sound\n")
    print("| | notes | least | median | most | median, ms |\n|---|---|---|---|---|---|")
    for name, delay in (("a click in the callback that hears the key", least), ("ddspvae play", ours)):
        print(f"| {name} | {len(delay)} | {delay.min()} | {np.median(delay):.0f} | {delay.max()} | "
              f"{1000 * np.median(delay) / RATE:.2f} |")
    print(f"\nbeside what the card adds: {np.median(ours) - np.median(least):.0f} samples in the middle, "
          f"{(np.median(ours) - np.median(least)) / args.block:.2f} blocks; play says: {said.strip()}")


if __name__ == "__main__":
    main()
