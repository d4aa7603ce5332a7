"""What is kept of playing: the sound as a file, and the messages as a MIDI file."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mido
import numpy as np

from ddspvae.audio import Audio, on_disk, write_blocks
from ddspvae.signals.files import new_file

TICKS_PER_QUARTER = 4800  # at 120 bpm 0.1 ms a tick
TICKS_PER_S = 2 * TICKS_PER_QUARTER


class SoundTake:
    """A sound file that is written while it is played, by a thread of its own; it takes its name when it is whole.

    Args:
        path: .wav, .flac or .ogg.
        sample_rate: Hz.
    """

    def __init__(self, path: str, sample_rate: int) -> None:
        self._path, self._rate = path, sample_rate
        self._blocks: queue.SimpleQueue[Audio | None] = queue.SimpleQueue()
        self._error: BaseException | None = None
        self._writer = threading.Thread(target=self._write, name="take", daemon=True)
        self._writer.start()

    def add(self, audio: Audio) -> None:
        """The next samples, [T] or [2, T]."""
        self._blocks.put(np.array(audio))

    def finish(self) -> None:
        """Write what is left.

        Raises:
            InputError: the file cannot be written.
        """
        self._blocks.put(None)
        self._writer.join()
        if self._error is not None:
            raise self._error

    def _write(self) -> None:
        try:
            with write_blocks(self._path, self._arriving(), self._rate):
                pass
        except BaseException as error:  # told when the take is finished
            self._error = error

    def _arriving(self) -> Iterator[Audio]:
        while (block := self._blocks.get()) is not None:
            yield block


class MidiTake:
    """The messages that were played, as a MIDI file at 120 bpm.

    Args:
        path: .mid.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._messages: list[tuple[float, Any]] = []

    def add(self, at_s: float, message: Any) -> None:
        """A message, and when it was heard in the sound."""
        self._messages.append((at_s, message))

    def finish(self, end_s: float) -> None:
        """Write them; notes that are still held end with the take.

        Raises:
            InputError: the file cannot be written.
        """
        file, track, before = mido.MidiFile(ticks_per_beat=TICKS_PER_QUARTER), mido.MidiTrack(), 0
        held: dict[tuple[int, int], int] = {}
        for _, message in self._messages:
            if message.type in ("note_on", "note_off"):
                key = message.channel, message.note
                held[key] = max(held.get(key, 0) + (1 if message.type == "note_on" and message.velocity else -1), 0)
        ends = [(end_s, mido.Message("note_off", channel=channel, note=note))
                for (channel, note), n in held.items() for _ in range(n)]
        for at_s, message in self._messages + ends:
            if message.type in ("reset", "clock", "active_sensing", "start", "stop", "continue"):
                continue  # do not belong in a file
            tick = round(at_s * TICKS_PER_S)
            track.append(message.copy(time=tick - before))
            before = tick
        track.append(mido.MetaMessage("end_of_track", time=max(round(end_s * TICKS_PER_S) - before, 0)))
        file.tracks.append(track)
        with on_disk(Path(self._path)), new_file(self._path) as part:
            file.save(part)
