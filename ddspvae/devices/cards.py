"""Sound cards: which there are, and one that plays what is written to it, also after it went away and came back."""

from __future__ import annotations

import math
import time
from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddspvae.devices.jack_ports import JackPorts, Ring, libjack
from ddspvae.devices.lead import MOST_BLOCKS, Lead
from ddspvae.devices.quiet import library, quiet
from ddspvae.signals.checks import InputError

LOOK_S = 0.3  # how long a card is watched before it is played on
LOST_S = 0.5  # without asking for sound, a card is gone
NAP_S = 0.0002


def list_cards(inputs: bool = False) -> list[dict[str, Any]]:
    """The outputs, or the inputs: name, interface, channels, whether it is the system's own choice."""
    sd, kind = portaudio(), "input" if inputs else "output"
    with quiet():
        apis, cards, default = sd.query_hostapis(), sd.query_devices(), _default(sd, kind)
    return [{"name": card["name"], "interface": apis[card["hostapi"]]["name"], "channels": card[f"max_{kind}_channels"],
             "default": index == default} for index, card in enumerate(cards) if card[f"max_{kind}_channels"]]


def _default(sd: Any, kind: str) -> int:
    """The system's choice, but a JACK server that runs goes before: somebody has started it to play on."""
    jack = next((api[f"default_{kind}_device"] for api in sd.query_hostapis() if "JACK" in api["name"]), -1)
    if jack >= 0:
        return int(jack)
    chosen = int(sd.default.device[kind == "output"])
    return chosen if chosen >= 0 else next((index for index, card in enumerate(sd.query_devices())
                                            if card[f"max_{kind}_channels"]), -1)


def portaudio() -> Any:
    """The module sounddevice, ready to be asked."""
    sd = library("sounddevice")
    if not sd._initialized:
        with quiet():
            sd._initialize()
    return sd


def let_go_of_portaudio() -> None:
    """Close what it holds, while a JACK server that it talks to still answers."""
    sd = library("sounddevice")
    with quiet():
        while sd._initialized:
            sd._terminate()


def look_again() -> None:
    """Let PortAudio see what has been plugged in since it looked."""
    let_go_of_portaudio()  # the one way there is
    portaudio()


def is_of_jack(card: dict[str, Any]) -> bool:
    """Whether a card as PortAudio describes it is a JACK server's."""
    return "JACK" in library("sounddevice").query_hostapis(card["hostapi"])["name"]


def find_card(wanted: str | None, sample_rate: int, inputs: bool = False) -> tuple[int, dict[str, Any]]:
    """Index and description of a card by name or part of one; None is the system's choice, or else the first.

    Raises:
        InputError: none is there, none of that name, or it cannot play at that rate.
    """
    sd, kind = portaudio(), "input" if inputs else "output"
    channels, what = f"max_{kind}_channels", "microphone" if inputs else "sound card"
    option = "--mic" if inputs else "--audio-out"
    with quiet():
        cards = [(index, card) for index, card in enumerate(sd.query_devices()) if card[channels]]
        default = _default(sd, kind)
    if not cards:
        raise InputError(f"play: no {what} is connected; PortAudio finds no {kind}.")
    if wanted is None:
        found = [pair for pair in cards if pair[0] == default] or cards
    else:
        found = ([pair for pair in cards if pair[1]["name"] == wanted]
                 or [pair for pair in cards if wanted.lower() in pair[1]["name"].lower()])
        if not found:
            raise InputError(f"play: no {what} is called '{wanted}'; there are "
                             f"{', '.join(card['name'] for _, card in cards)} ({option}).")
    index, card = found[0]
    try:
        check = sd.check_input_settings if inputs else sd.check_output_settings
        with quiet():
            check(device=index, samplerate=sample_rate, dtype="float32", channels=min(2 - inputs, card[channels]))
    except sd.PortAudioError as error:
        raise InputError(f"play: {card['name']} does not run at the instrument's {sample_rate} Hz ({error}); set it to "
                         f"that rate, or choose another with {option}.") from error
    return index, card


class Card:
    """A sound card that plays from a ring of samples; the callback that empties it is in C and waits for no Python.

    Args:
        wanted: name or part of one; None is the system's choice.
        sample_rate: Hz.
        block: samples that are written at a time.
        ready: blocks that lie ready at least; each is a delay, and bridges a pause of its length.
        alone: nobody else here plays or listens through PortAudio. Then a JACK server is talked to without it, and may end
            and come back.
    Raises:
        InputError: see `find_card`.
    """

    name: str
    is_of_jack: bool
    latency_s: float  # that the card adds, as it says
    _mixer: Any
    _ring: Any
    _action: Any  # that empties the ring
    _stats: Any  # that were asked for
    _channels: int
    _before: int  # samples that lay ready
    _moved_s: float  # when that changed
    _lasts_to_s: float  # when they will have been played
    _worked_s: float  # of this thread's processor time, when that was written
    _spent_s: float  # of it, on the block before
    _is_dry: bool  # the callback found less than it needed
    _has_begun: bool

    def __init__(self, wanted: str | None, sample_rate: int, block: int, *, ready: int = 1, alone: bool = True) -> None:
        self._rtmixer, self._sd = library("rtmixer"), library("sounddevice")
        self._wanted, self._rate, self._block, self._alone = wanted, sample_rate, block, alone
        self._of_server = ""  # whose ports are played on without PortAudio
        self.n_missed = 0  # blocks that were not there in time
        self.n_held_up = 0  # of these, those that took less than their time: the system let others work meanwhile
        self.n_card_missed = 0  # times that the card itself says it ran dry
        self._lead = Lead(block, ready)
        self._open()

    def wants_block(self) -> bool:
        """Whether it is time to write the next block."""
        available = int(self._ring.read_available)
        now = time.perf_counter()
        if available != self._before:
            self._before, self._moved_s = available, now
        if self._action not in self._mixer.actions:
            self._is_dry = True
            if available:  # which came too late to be found
                self._go_on(now)
        return available <= self._lead.samples - self._block

    def write(self, audio: NDArray[np.float32]) -> None:
        """One block, [T] or [2, T]."""
        frames = np.ascontiguousarray(np.broadcast_to(audio, (self._channels, audio.shape[-1])).T, dtype=np.float32)
        n_left = int(self._ring.read_available)
        self._ring.write(frames)
        now, self._before = time.perf_counter(), int(self._ring.read_available)
        worked_s = time.thread_time()
        self._spent_s, self._worked_s = worked_s - self._worked_s, worked_s
        self._lead.count_block(now, n_left)
        if self._is_dry:
            self._go_on(now)
        self._has_begun = True
        self._lasts_to_s = now + self._before / self._rate

    @property
    def is_gone(self) -> bool:
        """Whether it has stopped asking for sound."""
        try:
            return time.perf_counter() - self._moved_s > LOST_S or not self._mixer.active
        except self._sd.PortAudioError:
            return True

    @property
    def delay_s(self) -> float:
        """From the writing of a sample to the ear, as far as the card says."""
        return self._lead.samples / self._rate + self.latency_s

    def look_for_misses(self) -> None:
        """Ask the card how often it ran dry; the answer is there the next time."""
        if self._stats is not None and self._stats not in self._mixer.actions:
            self.n_card_missed += int(self._stats.stats.output_underflows)
            self._stats = None
        if self._stats is None:
            self._stats = self._mixer.fetch_and_reset_stats()

    def reopen(self) -> bool:
        """Look for the card that went away; False while it is not there.

        Of a JACK server, that must be the first client of this process: all others have been closed.

        Raises:
            InputError: it belonged to a JACK server, which has ended, and PortAudio played on it.
        """
        if self.is_of_jack and not self._of_server:
            # PortAudio can neither close what a server has left behind nor forget it: it hangs, or ends the process
            self._mixer, self._sd._initialized = None, 0
            raise InputError(f"play: the JACK server of {self.name} has ended; start it, and play again.")
        self.close()
        try:
            if not self._of_server:
                look_again()
            self._open()
        except (InputError, self._sd.PortAudioError):
            return False
        return True

    def close(self) -> None:
        """Stop."""
        mixer, self._mixer = self._mixer, None
        if mixer is None:
            return
        try:
            with quiet():
                mixer.close()
        except self._sd.PortAudioError:
            pass  # it is gone

    def _open(self) -> None:
        self._mixer = None
        size = 1 << (max(MOST_BLOCKS * self._block, round(self._rate * LOOK_S * 1.5)) - 1).bit_length()
        index = -1
        if not self._of_server:
            index, card = find_card(self._wanted, self._rate)
            self.name, self._channels = card["name"], min(2, card["max_output_channels"])
            self.is_of_jack = is_of_jack(card)
            if self.is_of_jack and self._alone and libjack() is not None:
                self._of_server = self.name
                let_go_of_portaudio()
        if self._of_server:
            self._ring = Ring(self._channels, size)
            self._mixer = JackPorts(self._of_server, self._ring, self._rate)
        else:
            self._ring = self._rtmixer.RingBuffer(4 * self._channels, size)
            self._open_stream(index)
        self.latency_s = float(self._mixer.latency)
        self._stats = None
        self._has_begun = False
        self._before = self._look()
        self._moved_s = time.perf_counter()
        self._worked_s, self._spent_s = time.thread_time(), 0.0
        self._lasts_to_s = self._moved_s + self._before / self._rate

    def _open_stream(self, index: int) -> None:
        try:
            with quiet():
                self._mixer = self._rtmixer.Mixer(device=index, channels=self._channels, samplerate=self._rate,
                                                  blocksize=self._block, latency="low")
                self._mixer.start()
        except self._sd.PortAudioError as error:
            raise InputError(f"play: {self.name} cannot be opened ({error}); is another program using it?") from error

    def _look(self) -> int:
        """Play silence, and see how many samples the card takes at a time."""
        n_silent = round(self._rate * LOOK_S)
        self._ring.write(np.zeros((n_silent, self._channels), dtype=np.float32))
        self._play()
        steps, before, until = Counter[int](), n_silent, time.perf_counter() + 10 * LOOK_S
        while before > n_silent // 3 and time.perf_counter() < until:
            time.sleep(NAP_S)
            available = int(self._ring.read_available)
            if available != before:
                steps[before - available] += 1
                before = available
        if not steps:
            self.close()
            raise InputError(f"play: {self.name} does not ask for sound; choose another with --audio-out.")
        usual = steps.most_common(1)[0][0]
        self._lead.hold(usual)
        return before

    def _play(self) -> None:
        self._action = self._mixer.play_ringbuffer(self._ring)
        self._is_dry = False

    def _go_on(self, now: float) -> None:
        """Play after a hole."""
        self._play()
        if not self._has_begun:
            return
        n_missed = max(1, math.ceil((now - self._lasts_to_s) * self._rate / self._block))
        self.n_missed += n_missed
        if max(self._spent_s, time.thread_time() - self._worked_s) * self._rate < self._block:
            self.n_held_up += n_missed
        self._lead.count_miss(now)
