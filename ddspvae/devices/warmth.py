"""What a note needs lies at hand when one comes: nobody may hear that the processor had put it away."""

from __future__ import annotations

import time

import mido
import numpy as np

from ddspvae.live.playable import LiveStream

EVERY_S = 0.1  # what was not used for longer is fetched from afar, and a note takes twice as long
N_PIECES = 5  # of a round, each a quarter of a hop, so that notes begin at all places of one
SPARE_TIME = 2.0  # how much more time there must be than the longest piece of late took
FORGET = 0.95  # of that, at each piece
MOST_RINGING_S, INAUDIBLE = 30, 1e-6


class Warmth:
    """Plays notes on a spare stream, piece by piece, where there is time after a block.

    Args:
        spare: of the instrument and the settings that are played, of one voice; nobody hears it.
        block: samples at a time; voices: notes at once, of the stream that is heard.
    """

    def __init__(self, spare: LiveStream, block: int, voices: int) -> None:
        self._spare, self._block, self._voices = spare, block, voices
        self._n_pieces, self._longest_s, self._rest_until_s = 0, 0.0, 0.0

    def begin(self, stream: LiveStream) -> None:
        """Play a chord on the stream that will be heard, so that no first time is left, until its room has rung out."""
        for voice in range(self._voices):
            for _ in range(2):  # the second in a voice that sounds
                stream.send(mido.Message("note_on", note=48 + 3 * (voice % 16), velocity=64))
                stream.read(5 * self._block)
        stream.send(mido.Message("reset"))
        until, loudest = stream.sample + MOST_RINGING_S * stream.sample_rate, 1.0
        while (stream.n_sounding or loudest > INAUDIBLE) and stream.sample < until:
            loudest = float(np.abs(stream.read(2 * stream.hop_size)).max())
        for _ in range(N_PIECES):
            self._play_piece()

    def step(self, until_s: float) -> None:
        """Play a piece, if it is time for one, and there is time for it until `until_s` (time.perf_counter)."""
        now_s = time.perf_counter()
        if now_s > self._rest_until_s and until_s - now_s > SPARE_TIME * self._longest_s:
            self._play_piece()
            if self._n_pieces % N_PIECES == 0:
                self._rest_until_s = now_s + EVERY_S

    def _play_piece(self) -> None:
        began_s, place = time.perf_counter(), self._n_pieces % N_PIECES
        if place in (0, N_PIECES - 1):
            self._spare.send(mido.Message("note_off" if place else "note_on", note=60, velocity=64))
        self._spare.read(self._spare.hop_size // 4)
        self._n_pieces += 1
        self._longest_s = max(time.perf_counter() - began_s, FORGET * self._longest_s)
