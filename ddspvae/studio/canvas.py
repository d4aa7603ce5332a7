"""The sound of a part or a take on disk: rendered where it is missing, span by span, and read while it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ddspvae.signals import Performance

TILE_S = 0.1
SEAM_S = 0.02  # from what was there to what is new, at both ends of a span
STACK_S = 0.7  # for which the network remembers what it was told
REST_DB = -100.0
LONGEST_REST_S = 8.0  # that is looked for until a pitch that has moved may leave its phase
PIECE_S = 6.0  # that is rendered at once in the background
EMPTY, THERE, OLD = 0, 1, 2  # a tile: never rendered, as it should be, as it was before a change

Render = Callable[[int, int], NDArray[np.float32]]  # frames, from the first up to the second, to samples


class Canvas:
    """A sound whose pieces are there or not yet.

    Args:
        path: of its samples, float32; one byte a tile of 0.1 s beside it (.ready) is 1 where it is there.
        n_samples: at most.
        sample_rate: Hz.
        hop_size: samples a frame.
    """

    def __init__(self, path: Path, n_samples: int, sample_rate: int, hop_size: int) -> None:
        self.path, self.sample_rate, self.hop_size = path, sample_rate, hop_size
        self.tile = round(TILE_S * sample_rate / hop_size) * hop_size  # samples
        n_tiles = max(1, -(-n_samples // self.tile))
        self.audio = np.memmap(path, dtype=np.float32, mode="w+", shape=(n_tiles * self.tile,))
        self.ready = np.memmap(path.with_suffix(".ready"), dtype=np.uint8, mode="w+", shape=(n_tiles,))

    def forget(self, from_frame: int = 0, to_frame: int | None = None) -> None:
        """Let a span be rendered anew when its turn comes."""
        last = None if to_frame is None else -(-to_frame * self.hop_size // self.tile)
        tiles = self.ready[from_frame * self.hop_size // self.tile : last]
        tiles[tiles == THERE] = OLD

    def tiles_of(self, first: int, last: int) -> tuple[int, int]:
        """The tiles that frames lie in."""
        return first * self.hop_size // self.tile, min(-(-last * self.hop_size // self.tile), len(self.ready))

    def missing(self, from_sample: int) -> tuple[int, int] | None:
        """The next tiles to render, those from a sample on first; None where all is there."""
        open_tiles = np.flatnonzero(np.asarray(self.ready) != THERE)
        if not len(open_tiles):
            return None
        later = open_tiles[open_tiles >= from_sample // self.tile]
        first = int(later[0]) if len(later) else int(open_tiles[0])
        most = round(PIECE_S * self.sample_rate / self.tile)
        length = 1
        while length < most and first + length < len(self.ready) and self.ready[first + length] != THERE:
            length += 1
        return first, first + length

    def render_tiles(self, first: int, last: int, render: Render) -> None:
        """Render whole tiles; where a change ends with them, they go over into what stays."""
        per_tile = self.tile // self.hop_size
        ends = last < len(self.ready) and self.ready[last] == THERE and self.ready[last - 1] == OLD
        sound = np.zeros((last - first) * self.tile, np.float32)
        rendered = render(first * per_tile, last * per_tile)[: len(sound)]
        sound[: len(rendered)] = rendered
        self._put(first * per_tile, sound, begins=False, ends=bool(ends))
        self.ready[first:last] = THERE

    def change(self, first: int, last: int, until: int, render: Render) -> bool:
        """Render frames of which all is there anew: at once up to one of them, the rest when its turn comes.

        Returns:
            whether something is left.
        """
        _, stop = self.tiles_of(first, max(until, first + 1))
        split = stop * (self.tile // self.hop_size)
        at_once = min(split, last)
        self._put(first, render(first, at_once), begins=first > 0, ends=split >= last)
        if split < last:
            self.forget(split, last)
        return split < last

    def _put(self, first: int, sound: NDArray[np.float32], *, begins: bool, ends: bool) -> None:
        """Sound from a frame on over what is there, with a seam of 20 ms within it at its begin and at its end."""
        begin = first * self.hop_size
        sound = sound[: len(self.audio) - begin]
        there = self.audio[begin : begin + len(sound)]
        n_seam = min(round(SEAM_S * self.sample_rate), len(sound) // 2)
        rise = np.linspace(0, 1, n_seam, dtype=np.float32)
        if begins and n_seam:
            sound[:n_seam] = there[:n_seam] + rise * (sound[:n_seam] - there[:n_seam])
        if ends and n_seam:
            sound[-n_seam:] = there[-n_seam:] + rise[::-1] * (sound[-n_seam:] - there[-n_seam:])
        self.audio[begin : begin + len(sound)] = sound


def changed_span(old: Sequence[Performance], new: Sequence[Performance], rings_s: float) -> tuple[int, int] | None:
    """The frames whose sound differs between two ways to play the same lines; None where none does.

    From the first that differs on, until the network has forgotten and the room has rung; where a pitch has moved, and so
    the phase of all that follows, until the next rest as well.

    Args:
        rings_s: the room.
    """
    spans = [_differing(before, after) for before, after in zip(old, new) if before is not after]
    found = [span for span in spans if span is not None]
    if not found:
        return None
    rate_hz = new[0].frame_rate_hz
    first = max(0, min(span[0] for span in found) - 5)  # the seam is over when it begins to differ
    last = max(span[1] for span in found)
    for before, after in zip(old, new):
        if before is after:
            continue
        n = min(before.n_frames, after.n_frames)
        if (np.abs(before.f0_hz[:n] - after.f0_hz[:n]) > 1e-4).any():
            quiet = after.loudness_db[last : last + round(LONGEST_REST_S * rate_hz)] <= REST_DB
            last += int(np.argmax(quiet)) if quiet.any() else len(quiet)
    longest = max(one.n_frames for one in (*old, *new))
    return first, min(last + round((STACK_S + rings_s) * rate_hz), longest)


def _differing(old: Performance, new: Performance) -> tuple[int, int] | None:
    n, per_row = min(old.n_frames, new.n_frames), new.frames_per_z
    differs = np.zeros(max(old.n_frames, new.n_frames), dtype=bool)
    for name, least in (("f0_hz", 1e-4), ("periodicity", 1e-4), ("loudness_db", 1e-4)):
        differs[:n] |= np.abs(getattr(old, name)[:n] - getattr(new, name)[:n]) > least
    rows = min(len(old.z), len(new.z))
    by_row = (np.abs(old.z[:rows] - new.z[:rows]) > 1e-5).any(axis=1)
    differs[:n] |= np.repeat(by_row, per_row)[:n]
    for longer in (old, new):  # where only one goes on, it is heard unless it rests
        differs[n : longer.n_frames] |= longer.loudness_db[n:] > REST_DB
    at = np.flatnonzero(differs)
    return (int(at[0]), int(at[-1]) + 1) if len(at) else None
