"""A microphone that drives an instrument: what is sung or played into it is played by the other one."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np

from ddspvae.devices.cards import LOST_S, find_card, is_of_jack, let_go_of_portaudio
from ddspvae.devices.jack_ports import JackPorts, Ring, libjack
from ddspvae.devices.quiet import library, quiet
from ddspvae.features.live_pitch import LivePitch
from ddspvae.features.statistics import Statistics
from ddspvae.live.playable import LiveStream
from ddspvae.signals.checks import InputError
from ddspvae.signals.units import DB_FLOOR, pitch_to_hz, semitones_to_ratio

RING_S = 0.5  # what the interpreter may be away
MARGIN_SEMITONES = 2.0  # that may be sung outside the instrument's range
SURE = 0.5  # periodicity of a note
LOUDEST = 95  # quantile of the recordings that the loudest of late is played at
GATE_DB = 40.0  # below that nothing is played
FORGET_DB_PER_S = 1.0  # of how loud the loudest was
QUIET_DB = -45.0  # what a room's noise may be taken for at most
FALL_DB_PER_S = 240.0  # of what is no note any more


class MicrophoneDriver:
    """Pitch and loudness of a microphone to one voice of an instrument.

    Levels go from the loudest of late, which is played as loud as the instrument's recordings are at most; so neither the
    gain of the microphone nor the distance to it need be set.

    Args:
        wanted: name or part of one; None is the system's choice.
        statistics: of the instrument.
        sample_rate: Hz, of both.
        block: samples at a time.
        semitones: from what is sung to what is played.
    Raises:
        InputError: none is there.
    """

    def __init__(self, wanted: str | None, statistics: Statistics, sample_rate: int, block: int, semitones: float = 0.0
                 ) -> None:
        self._wanted, self._rate, self._block, self._semitones = wanted, sample_rate, block, semitones
        low, high = (float(pitch_to_hz(pitch - semitones)) for pitch in (
            statistics.pitch_low - MARGIN_SEMITONES, statistics.pitch_high + MARGIN_SEMITONES))
        self._tracker = LivePitch(sample_rate, (max(low, 30.0), min(high, sample_rate / 8)))
        self._played_db = statistics.loudness_quantiles_db[LOUDEST]
        self._newest = np.zeros(self._tracker.n_samples, dtype=np.float32)
        self._loudest_db, self._f0_hz, self._loudness_db = QUIET_DB, 440.0, DB_FLOOR
        self._recorder: Any = None
        card = find_card(wanted, sample_rate, inputs=True)[1]
        self.name = card["name"]
        self.needs_portaudio = not is_of_jack(card) or libjack() is None

    @property
    def delay_s(self) -> float:
        """From a sung sample to the frame that follows it: the card, the block, the tracker, and the frames made ahead."""
        card_s = float(self._recorder.latency) if self._recorder is not None else 0.0
        return card_s + self._block / self._rate + self._tracker.delay_s

    def open(self) -> None:
        """Listen.

        Raises:
            InputError: it cannot be opened.
        """
        size = 1 << (round(RING_S * self._rate) - 1).bit_length()
        if self.needs_portaudio:
            self._ring = library("rtmixer").RingBuffer(4, size)
            self._open_stream()
        else:
            let_go_of_portaudio()
            self._ring = Ring(1, size)
            self._recorder = JackPorts(self.name, self._ring, self._rate, inputs=True)
        self._action = self._recorder.record_ringbuffer(self._ring)
        self._heard_s = math.inf

    def _open_stream(self) -> None:
        rtmixer, sd = library("rtmixer"), library("sounddevice")
        index, card = find_card(self._wanted, self._rate, inputs=True)
        try:
            with quiet():
                self._recorder = rtmixer.Recorder(device=index, channels=1, samplerate=self._rate, blocksize=self._block,
                                                  latency="low")
                self._recorder.start()
        except sd.PortAudioError as error:
            raise InputError(f"play: {card['name']} cannot be listened to ({error}); is another program using it?"
                             ) from error

    @property
    def is_lost(self) -> bool:
        """Whether it has stopped being heard."""
        return time.perf_counter() - self._heard_s > LOST_S

    def drive(self, stream: LiveStream, block: int) -> list[Any]:
        """As Driver."""
        if self._heard_s == math.inf:
            self._heard_s = time.perf_counter()
        if self._action not in self._recorder.actions:  # the ring ran over while nobody read it
            self._action = self._recorder.record_ringbuffer(self._ring)
        n_new = int(self._ring.read_available)
        if n_new:
            self._heard_s = time.perf_counter()
            new = np.frombuffer(self._ring.read(n_new), dtype=np.float32)
            self._newest = np.concatenate([self._newest, new])[-self._tracker.n_samples :]
            self._follow(n_new / self._rate)
        stream.follow(self._f0_hz * float(semitones_to_ratio(self._semitones)), float(self._loudness_db > DB_FLOOR),
                      self._loudness_db)
        return []

    def _follow(self, elapsed_s: float) -> None:
        f0_hz, periodicity, heard_db = self._tracker.hear(self._newest)
        is_note = periodicity >= SURE and heard_db > max(self._loudest_db - GATE_DB, QUIET_DB - GATE_DB / 2)
        if is_note:
            self._loudest_db = max(heard_db, self._loudest_db)
            self._f0_hz, self._loudness_db = f0_hz, heard_db - self._loudest_db + self._played_db
        else:
            fallen_db = self._loudness_db - FALL_DB_PER_S * elapsed_s
            self._loudness_db = fallen_db if fallen_db > self._played_db - 2 * GATE_DB else DB_FLOOR
        self._loudest_db = max(self._loudest_db - FORGET_DB_PER_S * elapsed_s, QUIET_DB)

    def watch(self) -> str:
        """As Driver."""
        return ""

    def let_go(self) -> None:
        """As Driver."""
        self.close()

    def reopen(self, stream: LiveStream) -> bool:
        """As Driver."""
        self.close()
        try:
            self.open()
        except InputError:
            return False
        self._loudness_db = DB_FLOOR
        return True

    def close(self) -> None:
        """As Driver."""
        recorder, self._recorder = self._recorder, None
        if recorder is not None:
            sd = library("sounddevice")
            try:
                with quiet():
                    recorder.close()
            except sd.PortAudioError:
                pass  # it is gone
