"""Ports of a JACK server, without PortAudio, which can neither close what a server has left behind nor forget it.

JACK's own library can: a client whose server has ended is closed in milliseconds, and once all clients of a process are
closed, the next one finds the new server. What JACK calls from its thread is compiled, and waits for no Python.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import re
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddspvae.devices.quiet import quiet
from ddspvae.kernels.compiler import HAS_COMPILER
from ddspvae.signals.checks import InputError

CLIENTS = {False: b"ddspvae sound", True: b"ddspvae ear"}  # that plays, that listens
NO_SERVER_STARTED, IS_INPUT, IS_OUTPUT = 1, 1, 2  # of jack/types.h
AUDIO = b"32 bit float mono audio"
# what a ring's first numbers are: counts of frames, and what the callback needs
WRITTEN, READ, RUNS, SIZE, CHANNELS, XRUNS, PORTS = range(7)
MOST_CHANNELS = 2
HEADER = PORTS + MOST_CHANNELS


@lru_cache(maxsize=1)
def libjack() -> Any:
    """JACK's library, or None where there is none, or no compiler for what it calls."""
    name = ctypes.util.find_library("jack") if HAS_COMPILER else None
    try:
        library = ctypes.CDLL(name) if name else None
    except OSError:
        return None
    if library is None:
        return None
    pointer, text, count, flags, done = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint32, ctypes.c_ulong, ctypes.c_int
    for function, result, *inputs in (
        ("jack_client_open", pointer, text, ctypes.c_int, ctypes.POINTER(ctypes.c_int)),
        ("jack_client_close", done, pointer),
        ("jack_activate", done, pointer),
        ("jack_get_sample_rate", count, pointer),
        ("jack_get_buffer_size", count, pointer),
        ("jack_get_ports", ctypes.POINTER(text), pointer, text, text, flags),
        ("jack_free", None, pointer),
        ("jack_port_register", pointer, pointer, text, text, flags, flags),
        ("jack_port_name", text, pointer),
        ("jack_port_get_latency_range", None, pointer, ctypes.c_int, pointer),
        ("jack_connect", done, pointer, text, text),
        ("jack_set_process_callback", done, pointer, pointer, pointer),
        ("jack_set_xrun_callback", done, pointer, pointer, pointer),
    ):
        getattr(library, function).restype, getattr(library, function).argtypes = result, inputs
    return library


class Ring:
    """Frames that wait between Python and the thread of a server: one writes, the other reads, nobody waits.

    Args:
        channels: 1 or 2.
        size: frames, a power of two.
    """

    def __init__(self, channels: int, size: int) -> None:
        self.memory = np.zeros(8 * HEADER + 4 * channels * size, dtype=np.uint8)
        self.state = self.memory[: 8 * HEADER].view(np.int64)
        self._frames = self.memory[8 * HEADER :].view(np.float32).reshape(size, channels)
        self.state[SIZE], self.state[CHANNELS] = size, channels

    @property
    def read_available(self) -> int:
        """Frames that wait."""
        return int(self.state[WRITTEN] - self.state[READ])

    def write(self, frames: NDArray[np.float32]) -> None:
        """Frames [T, channels], as many as there is room for."""
        size, at = int(self.state[SIZE]), int(self.state[WRITTEN])
        frames = frames.reshape(-1, self._frames.shape[1])[: size - self.read_available]
        self._frames[(at + np.arange(len(frames))) % size] = frames
        self.state[WRITTEN] = at + len(frames)

    def read(self, n: int) -> bytes:
        """The next n frames."""
        size, at = int(self.state[SIZE]), int(self.state[READ])
        frames = self._frames[(at + np.arange(n)) % size].tobytes()
        self.state[READ] = at + n
        return frames


@lru_cache(maxsize=1)
def _callbacks() -> tuple[Any, Any, Any]:
    """What JACK calls for sound out, for sound in, and when it was late; each is told where the ring lies."""
    import numba
    from numba import types

    get = libjack().jack_port_get_buffer
    get.argtypes, get.restype = [ctypes.c_ssize_t, ctypes.c_uint32], ctypes.POINTER(ctypes.c_float)

    def play(n: int, memory: Any) -> int:
        state = numba.carray(memory, (HEADER,), np.int64)
        size, channels = state[SIZE], state[CHANNELS]
        frames = numba.carray(memory, (2 * HEADER + size * channels,), np.float32)
        ready = min(state[WRITTEN] - state[READ], n) if state[RUNS] else 0
        for channel in range(channels):
            out = numba.carray(get(state[PORTS + channel], np.uint32(n)), (n,))
            for at in range(ready):
                out[at] = frames[2 * HEADER + (state[READ] + at) % size * channels + channel]
            for at in range(ready, n):
                out[at] = 0.0
        state[READ] += ready
        if ready < n:
            state[RUNS] = 0
        return 0

    def record(n: int, memory: Any) -> int:
        state = numba.carray(memory, (HEADER,), np.int64)
        size = state[SIZE]
        if size - (state[WRITTEN] - state[READ]) < n:
            return 0  # the interpreter was away for longer than the ring is
        frames = numba.carray(memory, (2 * HEADER + size,), np.float32)
        heard = numba.carray(get(state[PORTS], np.uint32(n)), (n,))
        for at in range(n):
            frames[2 * HEADER + (state[WRITTEN] + at) % size] = heard[at]
        state[WRITTEN] += n
        return 0

    def late(memory: Any) -> int:
        numba.carray(memory, (HEADER,), np.int64)[XRUNS] += 1
        return 0

    process = types.int32(types.uint32, types.voidptr)
    return (numba.cfunc(process, error_model="numpy")(play), numba.cfunc(process, error_model="numpy")(record),
            numba.cfunc(types.int32(types.voidptr))(late))


class JackPorts:
    """Ports of our own, joined to those of another client of the server; it answers as a mixer or recorder of rtmixer does.

    Args:
        target: the client that owns the card's ports, such as "system".
        ring: that is emptied, or filled.
        sample_rate: Hz, that the server must have.
        inputs: sound comes in.
    Raises:
        InputError: no server runs, it runs at another rate, or has no such ports.
    """

    def __init__(self, target: str, ring: Ring, sample_rate: int, inputs: bool = False) -> None:
        self._jack, self.ring, self._inputs, self._target = libjack(), ring, inputs, target
        self._playing, self._asked = object(), object()  # actions
        self._seen_late = 0
        with quiet():
            self._client = self._jack.jack_client_open(CLIENTS[inputs], NO_SERVER_STARTED, ctypes.byref(ctypes.c_int()))
            if not self._client:
                raise InputError("play: no JACK server runs; start it, and play again.")
            try:
                self._open(sample_rate)
            except InputError:
                self.close()
                raise

    def _open(self, sample_rate: int) -> None:
        jack, client = self._jack, self._client
        rate = jack.jack_get_sample_rate(client)
        if rate != sample_rate:
            raise InputError(f"play: the JACK server runs at {rate} Hz; start it at the instrument's {sample_rate} Hz.")
        pattern = f"^{re.escape(self._target)}:".encode()
        found = jack.jack_get_ports(client, pattern, AUDIO, IS_OUTPUT if self._inputs else IS_INPUT)
        theirs: list[bytes] = []
        while found and found[len(theirs)]:
            theirs.append(found[len(theirs)])
        if found:
            jack.jack_free(found)
        if not theirs:
            raise InputError(f"play: the JACK server has no {self._target}.")
        play, record, late = _callbacks()  # takes a second, and ports that wait for it cannot be joined
        self._ports = [jack.jack_port_register(client, f"{'in' if self._inputs else 'out'}_{number}".encode(), AUDIO,
                                               IS_INPUT if self._inputs else IS_OUTPUT, 0)
                       for number in range(int(self.ring.state[CHANNELS]))]
        self.ring.state[PORTS : PORTS + len(self._ports)] = self._ports
        where = self.ring.memory.ctypes.data
        jack.jack_set_process_callback(client, (record if self._inputs else play).address, where)
        jack.jack_set_xrun_callback(client, late.address, where)
        if jack.jack_activate(client):
            raise InputError("play: the JACK server does not let this program in.")
        for own, other in zip(self._ports, theirs):
            names = jack.jack_port_name(own), other
            jack.jack_connect(client, *(reversed(names) if self._inputs else names))

    active = True  # a server that ends is known by its silence

    @property
    def latency(self) -> float:
        """Seconds that server and card add."""
        bounds = (ctypes.c_uint32 * 2)()
        self._jack.jack_port_get_latency_range(self._ports[0], int(not self._inputs), bounds)
        cycle = self._jack.jack_get_buffer_size(self._client)
        return float(max(bounds[1], cycle)) / float(self._jack.jack_get_sample_rate(self._client))

    def start(self) -> None:
        """Opened is started."""

    def play_ringbuffer(self, ring: Ring) -> object:
        """Play from now on what is written, until it runs dry; the action that does."""
        ring.state[RUNS] = 1
        return self._playing

    def record_ringbuffer(self, ring: Ring) -> object:
        """It records already; the action that does."""
        return self._playing

    @property
    def actions(self) -> tuple[object, ...]:
        """That run."""
        return (self._playing,) if self._inputs or self.ring.state[RUNS] else ()

    def fetch_and_reset_stats(self) -> Any:
        """How often the server was late since it was asked last."""
        late, before = int(self.ring.state[XRUNS]), self._seen_late
        self._seen_late = late
        return SimpleNamespace(stats=SimpleNamespace(output_underflows=late - before))

    def close(self) -> None:
        """Leave the server, also one that has ended."""
        client, self._client = self._client, None
        if client:
            with quiet():
                self._jack.jack_client_close(client)
