"""A JACK server with a dummy card, and a client of it that sends messages at known samples, and listens, on its clock.

What JACK calls is compiled: a callback in Python is late itself now and then, and the whole server with it.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import numpy as np

from ddspvae.devices.jack_ports import AUDIO, IS_INPUT, IS_OUTPUT, NO_SERVER_STARTED, libjack

SERVER = f"ddspvae-{os.getpid()}"  # of its own, whatever else runs
RATE = 48_000
MIDI = b"8 bit raw midi"
LOUD = 1e-4  # of the first sample of a note, after silence
# what the callback is told, and what it counts
CLIENT, KEYS, EAR, N_MESSAGES, NEXT, N_SENT, SENT_AT, PEAK, WATCHES, N_GAPS, N_DELAYS, DELAYS = range(12)
NOBODY = -1
PEAK_UNIT = 1e-9
ALREADY_JOINED = errno.EEXIST
MOST_DELAYS, MOST_GAPS, MOST_MESSAGES = 1024, 1024, 1 << 15
GAPS = DELAYS + MOST_DELAYS  # microseconds at which periods of silence were heard
MESSAGES = GAPS + MOST_GAPS  # sample, and bytes below their number, of each
SIZE = MESSAGES + 2 * MOST_MESSAGES


def hear_control_c() -> None:
    """What a shell has started in the background ignores Control-C, and so would its programs."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def clock_s() -> float:
    """JACK's clock, which nobody sets right."""
    return time.clock_gettime(time.CLOCK_MONOTONIC_RAW)


@contextmanager
def jack(period: int) -> Iterator[subprocess.Popen]:
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


@lru_cache(maxsize=1)
def _callback() -> Any:
    import numba
    from numba import types

    library = ctypes.CDLL(libjack()._name)  # whose functions are another program's to declare
    address, count, sample = ctypes.c_ssize_t, ctypes.c_uint32, ctypes.POINTER(ctypes.c_float)
    heard_in, keys_in = (ctypes.CDLL(library._name).jack_port_get_buffer for _ in range(2))
    heard_in.argtypes, heard_in.restype = [address, count], sample
    keys_in.argtypes, keys_in.restype = [address, count], address
    clear, reserve, begins = library.jack_midi_clear_buffer, library.jack_midi_event_reserve, library.jack_last_frame_time
    clear.argtypes, clear.restype = [address], None
    reserve.argtypes, reserve.restype = [address, count, ctypes.c_size_t], ctypes.POINTER(ctypes.c_uint8)
    begins.argtypes, begins.restype = [address], count
    clock = library.jack_get_time
    clock.argtypes, clock.restype = [], ctypes.c_uint64

    def process(n: int, memory: Any) -> int:
        state = numba.carray(memory, (SIZE,), np.int64)
        begin, keys = np.int64(begins(state[CLIENT])), keys_in(state[KEYS], np.uint32(n))
        clear(keys)
        while state[NEXT] < state[N_MESSAGES]:
            at, message = state[MESSAGES + 2 * state[NEXT]], state[MESSAGES + 2 * state[NEXT] + 1]
            if at >= begin + n:
                break
            offset, length = max(at - begin, 0), message >> 24
            room = reserve(keys, np.uint32(offset), np.uint64(length))
            written = numba.carray(room, (length,))
            for place in range(length):
                written[place] = np.uint8((message >> (8 * place)) & 255)
            if message & 255 == 0x90:
                state[SENT_AT] = begin + offset
            state[NEXT] += 1
            state[N_SENT] += 1
        audio = numba.carray(heard_in(state[EAR], np.uint32(n)), (n,))
        is_gap = state[WATCHES] != 0
        for place in range(n):
            level = abs(audio[place])
            is_gap = is_gap and level == 0
            state[PEAK] = max(state[PEAK], np.int64(level / PEAK_UNIT))
            if level > LOUD and state[SENT_AT] != NOBODY:
                if state[N_DELAYS] < MOST_DELAYS:
                    state[DELAYS + state[N_DELAYS]] = begin + place - state[SENT_AT]
                    state[N_DELAYS] += 1
                state[SENT_AT] = NOBODY
        if is_gap and state[N_GAPS] < MOST_GAPS:
            state[GAPS + state[N_GAPS]] = np.int64(clock())
            state[N_GAPS] += 1
        return 0

    return numba.cfunc(types.int32(types.uint32, types.voidptr), error_model="numpy")(process)


class Listener:
    """A client with a MIDI output and an audio input."""

    def __init__(self) -> None:
        self._jack, self._callback = libjack(), _callback()
        self._jack.jack_frame_time.restype, self._jack.jack_frame_time.argtypes = ctypes.c_uint32, [ctypes.c_void_p]
        self._jack.jack_get_time.restype, self._jack.jack_get_time.argtypes = ctypes.c_uint64, []
        self._client = self._jack.jack_client_open(b"listener", NO_SERVER_STARTED, ctypes.byref(ctypes.c_int()))
        assert self._client, "no JACK server runs"
        self._keys, self._ear = (self._jack.jack_port_register(self._client, name, kind, way, 0) for name, kind, way in (
            (b"keys", MIDI, IS_OUTPUT), (b"ear", AUDIO, IS_INPUT)))
        self._state = np.zeros(SIZE, np.int64)
        self._state[[CLIENT, KEYS, EAR, SENT_AT]] = self._client, self._keys, self._ear, NOBODY

    def __enter__(self) -> Listener:
        self._jack.jack_set_process_callback(self._client, self._callback.address, self._state.ctypes.data)
        self._jack.jack_activate(self._client)
        return self

    def __exit__(self, *raised: object) -> None:
        self._jack.jack_client_close(self._client)

    @property
    def now(self) -> int:
        """The sample that the server plays."""
        return int(self._jack.jack_frame_time(self._client))

    def send(self, events: Sequence[tuple[int, bytes]]) -> None:
        """Messages of three bytes at most, each at a sample of the server's clock, when all before have left."""
        assert not self.n_waiting and len(events) <= MOST_MESSAGES
        self._state[N_MESSAGES] = self._state[NEXT] = 0
        for row, (at, message) in enumerate(sorted(events, key=lambda event: event[0])):
            packed = int.from_bytes(message, "little") | len(message) << 24
            self._state[MESSAGES + 2 * row : MESSAGES + 2 * row + 2] = at, packed
        self._state[N_MESSAGES] = len(events)

    @property
    def n_waiting(self) -> int:
        """Messages that have not left."""
        return int(self._state[N_MESSAGES] - self._state[NEXT])

    @property
    def n_sent(self) -> int:
        """Messages that have left, of all."""
        return int(self._state[N_SENT])

    @property
    def delays(self) -> np.ndarray:
        """From each note-on to its first sample, in samples."""
        return self._state[DELAYS : DELAYS + int(self._state[N_DELAYS])].copy()

    def watch(self, *, on: bool) -> None:
        """Look for periods without any sound, from now on or no more."""
        self._state[WATCHES] = on

    @property
    def gaps_s(self) -> list[float]:
        """When they were heard, by `clock_s`."""
        off_s = clock_s() - self._jack.jack_get_time() / 1e6
        return [at / 1e6 + off_s for at in self._state[GAPS : GAPS + int(self._state[N_GAPS])].tolist()]

    def take_peak(self) -> float:
        """The loudest sample since this was asked last."""
        peak, self._state[PEAK] = int(self._state[PEAK]), 0
        return peak * PEAK_UNIT

    def connect(self, keys: str, sound: str) -> None:
        """Between a MIDI input and an audio output, by the beginnings of their names.

        Raises:
            ValueError: they are not there yet.
        """
        keyboard, source = self._find(keys, MIDI, IS_INPUT), self._find(sound, AUDIO, IS_OUTPUT)
        own_keys, own_ear = (self._jack.jack_port_name(port) for port in (self._keys, self._ear))
        for one, other in ((own_keys, keyboard), (source, own_ear)):
            if self._jack.jack_connect(self._client, one, other) not in (0, ALREADY_JOINED):
                raise ValueError("not active yet")

    def _find(self, begin: str, kind: bytes, way: int) -> bytes:
        found = self._jack.jack_get_ports(self._client, f"^{begin}".encode(), kind, way)
        if not found:
            raise ValueError(f"no port is called {begin}")
        name = bytes(found[0])
        self._jack.jack_free(found)
        return name

