"""Playing: messages or a sung note in, an instrument's sound out, block by block, while devices come and go."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import mido
import numpy as np

from ddspvae.audio import Audio
from ddspvae.devices.cards import NAP_S, Card
from ddspvae.devices.keyboards import Keyboard
from ddspvae.devices.takes import MidiTake, SoundTake
from ddspvae.devices.undisturbed import PRIORITY, hurry
from ddspvae.devices.warmth import Warmth
from ddspvae.live.playable import LiveStream
from ddspvae.signals.checks import InputError
from ddspvae.signals.units import amplitude_to_db

WATCH_S = 0.5  # between looks at what is plugged in
SHOW_S = 0.1
FORGET = 0.02  # of the load and the level, at each block


class Driver(Protocol):
    """What drives a stream block by block."""

    name: str
    needs_portaudio: bool  # to listen

    def drive(self, stream: LiveStream, block: int) -> list[Any]:
        """Tell the stream what to play in the next block; the messages that were played."""

    @property
    def is_lost(self) -> bool:
        """Nothing can be played until it is back."""

    def let_go(self) -> None:
        """Close all that was opened: a server has ended, and its next one is found when nothing is left of it."""

    def reopen(self, stream: LiveStream) -> bool:
        """Sound was lost: nothing that was held or that waits is played later; False while the device is not back."""

    def open(self) -> None:
        """Listen; the threads that do get the priority of the one that calls."""

    def watch(self) -> str:
        """Look after the device, now and then; a sentence if something has changed."""

    def close(self) -> None:
        """Let go of the device."""


class KeyboardDriver:
    """Messages of a keyboard, each at the first sample of the block after it came.

    Args:
        keyboard: plugged in.
    """

    needs_portaudio = False

    def __init__(self, keyboard: Keyboard) -> None:
        self.keyboard, self.name = keyboard, keyboard.name
        self._is_cut = self._is_let_go = False

    def drive(self, stream: LiveStream, block: int) -> list[Any]:
        """As Driver."""
        messages = self.keyboard.poll()
        if self._is_cut:  # what was held will never be let go of
            self._is_cut = False
            messages.append(mido.Message("reset"))
        for message in messages:
            stream.send(message)
        return messages

    @property
    def is_lost(self) -> bool:
        """As Driver; without a keyboard, what sounds rings on."""
        return False

    def let_go(self) -> None:
        """As Driver."""
        self.keyboard.let_go()
        self._is_let_go = True

    def reopen(self, stream: LiveStream) -> bool:
        """As Driver."""
        if self._is_let_go:
            try:
                self.keyboard.come_back()
            except (OSError, InputError):  # its server has just appeared
                self.keyboard.let_go()
                return False
            self._is_let_go = False
        self.keyboard.poll()
        stream.send(mido.Message("reset"))
        return True

    def open(self) -> None:
        """As Driver."""
        self.keyboard.open()

    def watch(self) -> str:
        """As Driver."""
        if not self.keyboard.watch():
            return ""
        if self.keyboard.is_there:
            return f"{self.keyboard.name} is back."
        self._is_cut = True
        return f"{self.keyboard.name} is gone; plug it in again to go on."

    def close(self) -> None:
        """As Driver."""
        self.keyboard.close()


@dataclass
class State:
    """What the status line shows.

    Args:
        level_db: peak of the last moments, dBFS.
        voices: that sound.
        load: of a block's time, how much was needed: of the last moments, and at most.
        n_blocks: played.
        lost: the name of what is waited for.
    """

    level_db: float = -120.0
    voices: int = 0
    load: float = 0.0
    most_load: float = 0.0
    n_blocks: int = 0
    lost: str = ""


class Session:
    """A stream between a driver and a card.

    Args:
        stream: of the instrument.
        driver: what plays it.
        card: what is heard.
        block: samples at a time.
        sound, midi: takes to keep.
        warmth: keeps what a note needs at hand.
    """

    def __init__(self, stream: LiveStream, driver: Driver, card: Card, block: int, *, sound: SoundTake | None = None,
                 midi: MidiTake | None = None, warmth: Warmth | None = None) -> None:
        self.stream, self.driver, self.card, self.state = stream, driver, card, State()
        self._block, self._sound, self._midi, self._warmth = block, sound, midi, warmth
        self._rate = stream.sample_rate
        self._stop = threading.Event()
        self._error: BaseException | None = None

    @property
    def played_s(self) -> float:
        """How long it has played."""
        return self.state.n_blocks * self._block / self._rate

    def play(self, show: Callable[[Session, str], None], seconds: float | None = None) -> None:
        """Play until `seconds` are over, or the caller is interrupted, whose exception goes on; takes are kept then, too.

        Args:
            show: is called every now and then, with a sentence where something has changed.
        """
        player = threading.Thread(target=self._run, name="player", daemon=True)
        player.start()
        try:
            watched_s, lost = time.monotonic(), ""
            while player.is_alive() and not (seconds is not None and self.played_s >= seconds):
                player.join(SHOW_S)
                sentence, now = "", time.monotonic()
                if now - watched_s > WATCH_S:
                    sentence, watched_s = self.driver.watch(), now
                if self.state.lost != lost:
                    sentence = (f"{lost} is back." if lost else
                                f"{self.state.lost} is gone; playing goes on when it is back.")
                    lost = self.state.lost
                show(self, sentence)
        finally:
            self._stop.set()
            player.join()
            self._finish()
        if self._error is not None:
            raise self._error

    def _finish(self) -> None:
        if self._error is None:
            self.driver.close()
            self.card.close()
        end_s = self.played_s
        try:
            if self._sound is not None:
                self._sound.finish()
        finally:
            if self._midi is not None:
                self._midi.finish(end_s)

    def _run(self) -> None:
        try:
            hurry(PRIORITY)
            if self._warmth is not None:
                self._warmth.begin(self.stream)
            while not self._stop.is_set():
                if self.driver.is_lost:
                    self._wait_for_devices(self.driver.name)
                elif self.card.wants_block():
                    self._play_block()
                elif self.card.is_gone:
                    self._wait_for_devices(self.card.name)
                else:
                    time.sleep(NAP_S)
        except BaseException as error:  # told by the thread that waits
            self._error = error

    def _play_block(self) -> None:
        began, state = time.perf_counter(), self.state
        at_s = self.played_s
        messages = self.driver.drive(self.stream, self._block)
        audio = self.stream.read(self._block)
        self.card.write(audio)
        self._keep(at_s, messages, audio)
        load = (time.perf_counter() - began) * self._rate / self._block
        state.n_blocks += 1
        state.load += FORGET * (load - state.load)
        state.most_load = max(state.most_load, load)
        state.voices = self.stream.n_sounding
        state.level_db = max(state.level_db - 0.2, float(amplitude_to_db(np.abs(audio).max(initial=0.0))))
        if state.n_blocks % 200 == 0:
            self.card.look_for_misses()
        if self._warmth is not None:
            self._warmth.step(began + self._block / self._rate)

    def _keep(self, at_s: float, messages: list[Any], audio: Audio) -> None:
        if self._sound is not None:
            self._sound.add(audio)
        if self._midi is not None:
            for message in messages:
                self._midi.add(at_s, message)

    def _wait_for_devices(self, lost: str) -> None:
        """Without a card, time stands still; keys that are pressed meanwhile are not heard later."""
        self.state.lost = lost
        if self.card.is_of_jack:
            self.driver.let_go()
        while not self._stop.is_set():
            if self.card.reopen() and self.driver.reopen(self.stream):
                self.state.lost = ""
                return
            self._stop.wait(WATCH_S)
