"""What makes the frames and the sound of a stream's voices, with all that must be remembered of them."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ddspvae.engine.frames import Ahead, Array, Frames
from ddspvae.signals import Performance


class Player(Protocol):
    """Voices of one instrument; compiled (`engine.live_player`), or in torch (`torch_voices`).

    Attributes:
        hop_size: samples; sample_rate: Hz.
        n_frames: [V], that each voice has played of its note.
        last: of all voices, where the next segment begins; phase: [V], there, in cycles.
        noise_keys: [V].
    """

    hop_size: int
    sample_rate: int
    last: Frames
    phase: NDArray[np.float64]
    noise_keys: NDArray[np.uint32]

    @property
    def n_frames(self) -> NDArray[np.int64]: ...

    def step(self, ahead: Ahead) -> None:
        """Let the stack hear the next frame of the voices for which it is due."""

    def frame(self, ahead: Ahead) -> Frames:
        """The next frame of voices whose stack has heard it, whatever the age of each; good until the next one is made."""

    def attack(self, voices: NDArray[np.int64], f0_hz: Array, periodicity: Array, loudness_db: Array, z: Array) -> Frames:
        """Forget what these voices played and begin new notes, whose first frame is silent: `last`, when this returns.

        Args:
            voices: [R]; f0_hz, periodicity, loudness_db: [R, 3], of the first frame and those after it; z: [R, Z].
        Returns:
            the second frame, good until the next one is made.
        """

    def harmonics(self, begin: Frames, end: Frames, phase: NDArray[np.float64], length: int
                  ) -> tuple[Array, NDArray[np.float64]]:
        """The harmonics [R, length] of segments between frames, and the phase after them [R]; good until called again."""

    def noise(self, begin: Frames, end: Frames, start_sample: int, keys: NDArray[np.uint32], length: int) -> Array:
        """The noise [R, length] of segments that begin at a sample; good until called again."""

    def remember(self) -> Any:
        """What all voices remember now, to go back to."""

    def recall(self, voices: NDArray[np.int64], remembered: Any) -> None:
        """Go back to it, for some voices."""

    def replay(self, voice: int, take: Performance, first: int, last: int, n_hops: int) -> Array | None:
        """Bring a voice to frame `last` of a take that began at 0, as if it had played it from frame `first` on.

        Args:
            take: adapted to the instrument.
            first: a whole number of rows of z and of the stack's steps; what lies before is not heard any more.
            n_hops: of sound from the first frame on, last - first or one more, for which the last frame is held; or 0.
        Returns:
            that sound, dry, [n_hops * hop_size]; None of no hops.
        """

    @property
    def reach_frames(self) -> int:
        """What a frame may depend on before it, the room aside."""
