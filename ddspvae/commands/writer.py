"""Sounds to files: resampled, brought to a loudness where one is asked for, kept under the peak limit."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddspvae.commands.spool import Spool

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from ddspvae.audio import Audio
    from ddspvae.commands.progress import Quiet

NEAR_LU = 0.1  # of the loudness that is asked for
MOST_ROUNDS = 3  # of limiting, which makes softer, and turning up
MOST_GAIN_DB = 40.0


@dataclass(frozen=True)
class Level:
    """What was done to a sound's level.

    Args:
        gain: factor that all of it was multiplied with.
        n_samples: written.
        limited_db: by how much the highest peak was limited, 0 or less.
        lufs: how loud it is in the file, and asked_lufs what was asked for; None where nobody asked.
    """

    gain: float
    n_samples: int
    limited_db: float = 0.0
    lufs: float | None = None
    asked_lufs: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        found: dict[str, Any] = {"gain_db": round(_to_db(self.gain), 2)}
        if self.limited_db:
            found["limited_db"] = round(self.limited_db, 2)
        if self.lufs is not None:
            found["lufs"] = round(self.lufs, 2) if math.isfinite(self.lufs) else None
        return found

    @property
    def sentence(self) -> str:
        """What follows the length of a file."""
        gain_db, said = _to_db(self.gain), ""
        if self.asked_lufs is None:
            said = f", turned down by {-gain_db:.1f} dB to stay below -1 dBFS" if gain_db else ""
        elif self.lufs is not None:
            said = f", {self.lufs:.1f} LUFS (gain {gain_db:+.1f} dB)"
            if self.asked_lufs - self.lufs > NEAR_LU:
                said += f"; {self.asked_lufs:g} would pass -1 dBFS, --limit goes there" if not self.limited_db else \
                    f", short of the {self.asked_lufs:g} asked for"
        return said + (f", peaks limited by up to {-self.limited_db:.1f} dB" if self.limited_db else "")


def _to_db(factor: float) -> float:
    return 20 * math.log10(max(factor, 1e-15))


def _watched(blocks: Iterable[Audio], bar: Progress | Quiet, task: TaskID) -> Iterator[Audio]:
    """Pass the blocks on and tell the bar."""
    for block in blocks:
        yield block
        bar.advance(task, block.shape[-1])


@dataclass(frozen=True)
class Writer:
    """Writes sounds in two passes: no sample can be scaled before the peak of all is known.

    Args:
        files: gives the files their names, or removes them.
        bar: shows how far the last pass is.
        from_rate, to_rate: Hz.
        bit_depth: as in write_audio.
    """

    files: ExitStack
    bar: Progress | Quiet
    from_rate: int
    to_rate: int
    bit_depth: str

    def write(self, path: Path, spool: Spool, most: float = 1.0, *, lufs: float | None = None, limit: bool = False) -> Level:
        """Resample, set the level, write.

        Args:
            path: of the file.
            spool: the sound.
            most: factor that it is multiplied with, or less where the peak limit wants that.
            lufs: the loudness to bring it to; None leaves it.
            limit: limit the peaks that are above, instead of turning all down.
        """
        from ddspvae.audio import limiting_gain, true_peak_of_blocks, write_blocks
        from ddspvae.instrument.mastering import integrated_loudness, limit_blocks

        peak = true_peak_of_blocks(self._resampled(spool))
        gain, found = most, None
        if lufs is not None:
            heard = integrated_loudness(self._resampled(spool), self.to_rate)
            if math.isfinite(heard):
                gain = 10 ** (min(lufs - heard, MOST_GAIN_DB) / 20)
            found = heard + _to_db(gain)
        needed = limiting_gain(peak * gain)
        is_limited = limit and needed < 1
        if not is_limited:
            gain, found = gain * needed, None if found is None else found + _to_db(needed)
        elif lufs is not None and found is not None:
            for _ in range(MOST_ROUNDS):
                found = integrated_loudness(limit_blocks(self._scaled(spool, gain), self.to_rate), self.to_rate)
                if abs(lufs - found) <= NEAR_LU:
                    break
                gain *= 10 ** ((lufs - found) / 20)
            else:
                found = integrated_loudness(limit_blocks(self._scaled(spool, gain), self.to_rate), self.to_rate)
        n_samples = -(-spool.n_samples * self.to_rate // self.from_rate)
        task = self.bar.add_task(f"writing {path.name}", total=n_samples)
        sound = self._scaled(spool, gain)
        if is_limited:
            sound = limit_blocks(sound, self.to_rate)
        self.files.enter_context(write_blocks(path, _watched(sound, self.bar, task), self.to_rate, self.bit_depth))
        limited_db = _to_db(limiting_gain(peak * gain)) if is_limited else 0.0
        return Level(gain, n_samples, limited_db, found, lufs)

    def _scaled(self, spool: Spool, gain: float) -> Iterator[Audio]:
        return (block * gain for block in self._resampled(spool))

    def _resampled(self, spool: Spool) -> Iterator[Audio]:
        from ddspvae.audio import resample_blocks

        return resample_blocks(spool.blocks(), self.from_rate, self.to_rate)
