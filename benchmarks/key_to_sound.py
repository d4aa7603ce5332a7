"""How long from a key to its sound in `ddspvae play`, on the dummy card of JACK.

Another client of the same server sends note-ons and listens, both on its clock, so nothing is estimated. Beside it the same
loop around a program that answers a note-on with a click in its next callback, through the same libraries: what ports and
card add. And `play` once more while another program keeps its memory near (`near_memory.py`), where the machine is a guest.

    python benchmarks/key_to_sound.py [--block 128] [--period 128] [--notes 60]
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

import numpy as np
from jack_dummy import RATE, Listener, hear_control_c, jack
from near_memory import kept_near, tell_host


def measure(listener: Listener, n_notes: int) -> np.ndarray:
    """Delays in samples, of notes that begin anywhere in a cycle."""
    random = np.random.default_rng(1)
    at, events = listener.now + RATE // 2, []
    for _ in range(n_notes):
        events += [(at, bytes([0x90, 69, 127])), (at + RATE // 10, bytes([0x80, 69, 0]))]
        at += 2 * RATE + int(random.integers(0, RATE // 10))
    listener.send(events)
    while listener.n_waiting or listener.now < at:
        time.sleep(0.1)
    return listener.delays


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


def delays(command: list[str], keys: str, sound: str, n_notes: int, *servers: int) -> tuple[np.ndarray, str]:
    """Of a program that makes sound of keys, which is kept near with the servers, if any; and what it printed."""
    program = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=hear_control_c)  # noqa: PLW1509
    try:
        with Listener() as listener:
            for _ in range(300):
                time.sleep(0.1)
                with suppress(ValueError):
                    listener.connect(keys, sound)
                    break
            time.sleep(2)
            with kept_near(*servers and (program.pid, *servers)):
                measured = measure(listener, n_notes)
    finally:
        program.send_signal(signal.SIGINT)
    return measured, program.communicate(timeout=20)[0]


def beside(delay: np.ndarray, least: np.ndarray, block: int) -> str:
    more = float(np.median(delay) - np.median(least))
    return f"{more:.0f} samples, {more / block:.2f} blocks"


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
    with jack(args.period) as server:
        click_too = [sys.executable, __file__, "--click", "--block", str(args.block)]
        least, _ = delays(click_too, "clicker:in", "PortAudio", args.notes)
        ours, said = delays(play, "ddspvae:in", "ddspvae sound", args.notes)
        near, said_near = delays(play, "ddspvae:in", "ddspvae sound", args.notes, server.pid)
    print(f"JACK's dummy card, {RATE} Hz, periods of {args.period}; blocks of {args.block}; samples from key to sound\n")
    print("| | notes | least | median | most | median, ms |\n|---|---|---|---|---|---|")
    for name, delay in (("a click in the callback that hears the key", least), ("ddspvae play", ours),
                        ("ddspvae play, its memory kept near", near)):
        print(f"| {name} | {len(delay)} | {delay.min()} | {np.median(delay):.0f} | {delay.max()} | "
              f"{1000 * np.median(delay) / RATE:.2f} |")
    print(f"\nbeside what the card adds, in the middle: {beside(ours, least, args.block)}; with its memory kept near "
          f"{beside(near, least, args.block)}\nplay says: {said.strip()}\n"
          f"and with its memory kept near: {said_near.strip()}\n{tell_host()}")


if __name__ == "__main__":
    main()
