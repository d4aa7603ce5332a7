"""Sounds that wait on disk until all of them are there."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ddspvae.audio import Audio


class Spool:
    """A sound that waits on disk, in float32, in the folder of the file it will be.

    It has no name there, so the system takes it away with the process, however that ends.

    Args:
        path: the file it will be, for messages.
    Raises:
        InputError: the folder cannot be written, or its disk is full.
    """

    def __init__(self, path: Path) -> None:
        from ddspvae.audio import on_disk

        self._path, self.n_channels, self.n_samples = path, 1, 0
        with on_disk(path):
            self._file = tempfile.TemporaryFile(dir=path.parent)  # noqa: SIM115 - closed in __exit__

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # of a full disk, which was told when it was met
            self._file.close()

    def take_over(self, n_samples: int, n_channels: int) -> None:
        """Know what another process has kept."""
        self.n_samples, self.n_channels = n_samples, n_channels

    def forget(self) -> None:
        """Give its room on the disk back."""
        self._file.seek(0)
        self._file.truncate()

    def keep(self, blocks: Iterable[Audio]) -> Iterator[Audio]:
        """Pass the blocks on and keep them."""
        import numpy as np

        from ddspvae.audio import count_channels, on_disk

        for block in blocks:
            with on_disk(self._path):
                self._file.write(np.ascontiguousarray(block.T, dtype=np.float32).data)
                self._file.flush()
            self.n_channels = count_channels(block)
            self.n_samples += block.shape[-1]
            yield block

    def add(self, blocks: Iterable[Audio]) -> None:
        """Lay a sound over what is there, from its beginning on; all must have as many channels."""
        import numpy as np

        from ddspvae.audio import count_channels, on_disk

        at = 0
        for block in blocks:
            self.n_channels = count_channels(block)
            frame_bytes = 4 * self.n_channels
            with on_disk(self._path):
                self._file.seek(frame_bytes * at)
                there = np.frombuffer(self._file.read(frame_bytes * block.shape[-1]), dtype=np.float32)
                sound = np.array(block.T, dtype=np.float32, order="C").reshape(-1)
                sound[: len(there)] += there
                self._file.seek(frame_bytes * at)
                self._file.write(sound.data)
                self._file.flush()
            at += block.shape[-1]
            self.n_samples = max(self.n_samples, at)

    def blocks(self) -> Iterator[Audio]:
        """All that was kept, from its beginning."""
        import numpy as np

        from ddspvae.audio import BLOCK_SIZE

        self._file.seek(0)
        while data := self._file.read(4 * self.n_channels * BLOCK_SIZE):
            audio = np.frombuffer(data, dtype=np.float32).reshape(-1, self.n_channels).T
            yield audio[0] if self.n_channels == 1 else audio
