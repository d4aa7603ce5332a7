"""`ddspvae play` for long on the dummy card of JACK: blocks missed, memory, and whether a note is left hanging.

Eight notes are held at any time, a new one every half second, for some minutes; then come many random messages of all kinds;
then the keys and pedals go up, and the last second is listened to. With --silent no key is pressed in these minutes.

Beside it runs a witness on each processor: a program that goes before all others and does nothing but wake up a thousand
times a second. What it overslept, the machine makes anybody miss; of each gap in the sound of the held notes it is told
whether a witness was more than a millisecond late then. With --near, another program keeps the memory of these near, where
the machine is a guest whose host takes it away (`near_memory.py`).

    nice -n -10 python benchmarks/play_long.py [--minutes 10] [--block 256] [--ready 1] [--messages 10000] [--silent]
                                               [--near] [--gaps when.json]
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import mido
import numpy as np
from jack_dummy import RATE, Listener, clock_s, hear_control_c, jack
from near_memory import kept_near, tell_host

VOICES, STEP_S, HELD_S = 8, 0.5, 4.0
MESSAGES_S = 60.0
ABOVE_ALL = 80  # among real-time threads; the server has 60
TICK_S = 0.001  # of the witnesses


def send(listener: Listener, events: list[tuple[float, bytes]]) -> None:
    """Messages at seconds from now."""
    now = listener.now
    listener.send([(now + round(at_s * RATE), message) for at_s, message in events])


def held_notes(seconds: float) -> list[tuple[float, bytes]]:
    """A new note every half second, eight at a time."""
    random, events = np.random.default_rng(0), []
    for number in range(round(seconds / STEP_S)):
        pitch = 55 + number % 8 * 4 + int(random.integers(0, 4))
        events += [(number * STEP_S, bytes([0x90, pitch, int(random.integers(30, 120))])),
                   (number * STEP_S + HELD_S - 0.01, bytes([0x80, pitch, 0]))]
    return events


def random_messages(n: int) -> list[tuple[float, bytes]]:
    """Of all kinds that a keyboard sends, on all channels."""
    random, events = np.random.default_rng(1), []
    for at_s in np.sort(random.uniform(0, MESSAGES_S, n)):
        channel, first, second = (int(random.integers(0, top)) for top in (16, 128, 128))
        kind = random.choice([0x90, 0x80, 0xB0, 0xE0, 0xD0, 0xA0, 0xC0], p=[0.35, 0.25, 0.2, 0.1, 0.05, 0.04, 0.01])
        if kind == 0x90:
            first = 50 + first % 40
        if kind == 0xB0:
            first = int(random.choice([1, 2, 5, 7, 11, 64, 65, 66, 67, 68, 74, 84, 121, 123, 126, 127, 6, 38, 100, 101]))
        message = [kind | channel, first] if kind in (0xC0, 0xD0) else [kind | channel, first, second]
        events.append((float(at_s), bytes(message)))
    return events


def all_up(n_channels: int = 16) -> list[tuple[float, bytes]]:
    """Every key and every pedal, as a player lifts them: no panic button."""
    pedals = [(0.0, bytes([0xB0 | channel, pedal, 0])) for channel in range(n_channels) for pedal in (64, 66, 68)]
    return pedals + [(0.1 + 0.002 * key, bytes([0x80 | channel, key, 0]))
                     for key in range(128) for channel in range(n_channels)]


@contextmanager
def witnesses(block: int) -> Iterator[dict[int, dict[str, Any]]]:
    """A program on each processor that only wakes up; afterwards, how many blocks each overslept, the longest, and when.

    "late" are pairs: when it should have woken up by `clock_s`, and how late it did, in seconds.
    """
    told: dict[int, dict[str, Any]] = {}
    programs = {cpu: subprocess.Popen([sys.executable, __file__, "--witness", str(cpu), "--block", str(block)],
                                      stdout=subprocess.PIPE, text=True, preexec_fn=hear_control_c)  # noqa: PLW1509
                for cpu in sorted(os.sched_getaffinity(0))}
    try:
        yield told
    finally:
        for cpu, program in programs.items():
            program.send_signal(signal.SIGINT)
            told[cpu] = json.loads(program.communicate(timeout=30)[0])


def wake_up(block: int, cpu: int) -> None:
    """Be that program, until Control-C."""
    os.sched_setaffinity(0, {cpu})
    with suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(ABOVE_ALL))
    gc.disable()
    block_s = block / RATE
    due_s, n_blocks, longest_s = clock_s(), 0, 0.0
    late: list[tuple[float, float]] = []
    with suppress(KeyboardInterrupt):
        while True:
            due_s += TICK_S
            time.sleep(max(0.0, due_s - clock_s()))
            late_s = clock_s() - due_s
            if late_s > TICK_S:
                late.append((due_s, late_s))
                n_blocks += int(late_s / block_s)
                due_s = clock_s()
            longest_s = max(longest_s, late_s)
    print(json.dumps({"blocks": n_blocks, "longest_ms": round(1000 * longest_s, 1), "late": late}))


def n_witnessed(gaps_s: list[float], overslept: dict[int, dict[str, Any]], reach_s: float) -> int:
    """In how many gaps, or within so long of them, a witness should have been awake and was not."""
    late = [pair for seen in overslept.values() for pair in seen["late"]]
    return sum(any(due_s < at + reach_s and at - reach_s < due_s + late_s for due_s, late_s in late) for at in gaps_s)


def memory_mb(pid: int) -> float:
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--block", type=int, default=256)
    parser.add_argument("--ready", type=int, default=1, help="blocks that lie ready, as `play` has it")
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--silent", action="store_true", help="nobody plays")
    parser.add_argument("--near", action="store_true", help="keep the memory near")
    parser.add_argument("--gaps", type=Path, help="write down when they were, and when the witnesses were late")
    parser.add_argument("--witness", type=int, metavar="CPU", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.witness is not None:
        wake_up(args.block, args.witness)
        return
    os.environ["MIDO_BACKEND"] = "mido.backends.rtmidi/UNIX_JACK"
    with jack(args.block) as server:
        kept = tempfile.mkdtemp()
        program = subprocess.Popen([sys.executable, "-m", "ddspvae", "play", "--preset", "violin", "--midi-in", "virtual",
                                    "--audio-out", "system", "--block", str(args.block), "--ready", str(args.ready),
                                    "--voices", str(VOICES), "--json",
                                    "--record-midi", f"{kept}/take.mid"],
                                   stdout=subprocess.PIPE, text=True, preexec_fn=hear_control_c)  # noqa: PLW1509
        memory = []
        near = (program.pid, server.pid) if args.near else ()
        with kept_near(*near), Listener() as listener, witnesses(args.block) as overslept:
            for _ in range(600):
                time.sleep(0.1)
                with suppress(ValueError):
                    listener.connect("ddspvae:in", "ddspvae sound")
                    break
            send(listener, [(60 * args.minutes, bytes([0xB0, 1, 0]))] if args.silent else held_notes(60 * args.minutes))
            time.sleep(2 * STEP_S)
            listener.watch(on=not args.silent)
            while listener.n_waiting:
                time.sleep(STEP_S)
                memory.append(memory_mb(program.pid))
            listener.watch(on=False)
            n_voices = 0 if args.silent else VOICES
            print(f"{args.minutes:g} minutes of {n_voices} voices: {memory[len(memory) // 10]:.1f} MB after a tenth, "
                  f"{memory[-1]:.1f} MB at the end")
            if args.messages:
                send(listener, random_messages(args.messages))
                while listener.n_waiting:
                    time.sleep(1)
                print(f"{args.messages} random messages: {memory_mb(program.pid):.1f} MB; ", end="")
                send(listener, all_up())
            time.sleep(8)
            listener.take_peak()
            time.sleep(1)
            print("8 s after the last key went up the loudest sample is "
                  f"{20 * np.log10(max(listener.take_peak(), 1e-9)):.0f} dBFS")
            program.send_signal(signal.SIGINT)
            said = json.loads(program.communicate(timeout=30)[0])
            n_sent, gaps_s = listener.n_sent, listener.gaps_s
    taken = mido.MidiFile(f"{kept}/take.mid")
    times_s = np.cumsum([message.time for message in taken])
    n_kept = sum(not message.is_meta and at_s < times_s[-1] for at_s, message in zip(times_s, taken))  # others end it
    print(f"{n_sent} messages were sent and {n_kept} were played")
    print(said)
    late_s = sum(late_s for seen in overslept.values() for _, late_s in seen["late"])
    n = n_witnessed(gaps_s, overslept, 2 * args.block / RATE)
    print(f"gaps in the held notes: {len(gaps_s)} periods; within two blocks of {n} of them a witness was more than "
          f"{1000 * TICK_S:g} ms late; all that they were late is {1000 * late_s:.0f} ms")
    if args.gaps:
        when = {"gaps_s": gaps_s, "late_s": {cpu: seen["late"] for cpu, seen in overslept.items()}}
        args.gaps.write_text(json.dumps(when))
    for cpu, seen in overslept.items():
        print(f"the witness on processor {cpu} overslept {seen['blocks']} blocks, {seen['longest_ms']} ms at most")
    print(f"load of the machine: {os.getloadavg()}; {tell_host()}")


if __name__ == "__main__":
    main()
