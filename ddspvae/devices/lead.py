"""How much sound lies ready for a card: as little as it gets along with."""

from __future__ import annotations

MOST_BLOCKS = 16
FREQUENT, SPAN_S = 3, 10.0  # misses within this time make it longer
LONGEST_CALM_S = 320.0


class Lead:
    """Samples that lie ready when a block is due.

    A block more where the card often ran dry; a block less where for some time the last block was never touched, so that
    nobody would have missed it. If somebody does after all, it takes twice as long until that is tried again.

    Args:
        block: samples that are written at a time.
        ready: blocks that always lie ready.
    """

    def __init__(self, block: int, ready: int = 1) -> None:
        self._block, self._ready = block, ready
        self.samples = self._floor = ready * block
        self._misses_s: list[float] = []
        self._calm_s = SPAN_S
        self._since_s = float("nan")  # when the lead became what it is, or was last needed in whole
        self._is_tried = False  # shorter than it was, and nothing missed yet

    def hold(self, n_samples: int) -> None:
        """Never less than what the card takes at a time."""
        self._floor = min(max(-(-n_samples // self._block), self._ready), MOST_BLOCKS) * self._block
        self.samples = max(self.samples, self._floor)

    def count_miss(self, now_s: float) -> None:
        """The card ran dry."""
        self._misses_s = [at_s for at_s in self._misses_s if now_s - at_s < SPAN_S] + [now_s]
        self._since_s = now_s
        if len(self._misses_s) >= FREQUENT and self.samples < MOST_BLOCKS * self._block:
            self.samples += self._block
            self._misses_s = []
            if self._is_tried:
                self._calm_s, self._is_tried = min(2 * self._calm_s, LONGEST_CALM_S), False

    def count_block(self, now_s: float, n_left: int) -> None:
        """A block is about to be written, while n_left samples lie ready."""
        if self.samples <= self._floor or n_left < self._block or not now_s >= self._since_s:
            self._since_s = now_s
        elif now_s - self._since_s > self._calm_s:
            self.samples -= self._block
            self._since_s, self._is_tried = now_s, True
