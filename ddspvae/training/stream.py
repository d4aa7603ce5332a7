"""Crops drawn from shards as they come by: a window of some shards is held, and moves on as steps are taken.

Which shards the window holds follows from the seed and the number of crops drawn before, and from nothing else: a run that
goes on, with any number of processes, draws what it would have drawn, and each shard comes by once an epoch.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import torch

from ddspvae.model.timbre import TimbreCode
from ddspvae.model.together import Share
from ddspvae.signals.checks import InputError
from ddspvae.training.corpus import Corpus
from ddspvae.training.dataset import Batch, Crops, Take
from ddspvae.training.feature_shards import read_takes

WINDOW = 8  # shards of two minutes
SAMPLE_S = 480.0  # of the training part, for what is fitted to all at once
LEAST_SAMPLE_S = 4.0  # of each instrument in it
MOST_PROBES = 24  # takes that validate
NOTHING = torch.zeros(0)
Heard = tuple[Take, tuple[torch.Tensor, torch.Tensor]]


class Streamed:
    """Draws crops as `Crops` does.

    Args:
        corpus: where takes lie.
        codes: of each instrument [G]; empty for one instrument.
        rooms: as the model has them.
        sample: takes that stay: what is fitted to takes on the way is fitted to these.
        n_frames, n_lead, ear: as for `Crops`.
        seed: of the order of shards.
    Raises:
        InputError: a shard is cut or missing.
    """

    def __init__(self, corpus: Corpus, codes: dict[str, torch.Tensor], rooms: Sequence[str], sample: Sequence[Take],
                 n_frames: int, n_lead: int, ear: TimbreCode | None, seed: int) -> None:
        self.corpus, self.codes, self.rooms, self.takes, self.ear, self.seed = corpus, codes, rooms, list(sample), ear, seed
        self.n_frames, self.n_lead = n_frames, n_lead
        self.names = [name for name, shard in corpus.shards.items() if any(one.split == "train" for one in shard.values())]
        rate = corpus.settings.sample_rate / corpus.settings.hop_size
        self.crops_a_shard = max(1.0, corpus.hours("train") * 3600 * rate / n_frames / len(self.names))
        self._reader = ThreadPoolExecutor(1)
        self._kept: dict[int, Future[list[Heard]]] = {}
        self._at = -1
        self._crops: Crops | None = None

    def draw(self, n_crops: int, random: np.random.Generator, share: Share | None = None, step: int = 0) -> Batch:
        """n_crops crops of the window at a step."""
        at = int(step * n_crops / self.crops_a_shard)
        if at != self._at or self._crops is None:
            self._crops, self._at = self._window(at), at
        return self._crops.draw(n_crops, random, share)

    def name_at(self, place: int) -> str:
        """Which shard comes by at a place of the endless order: each epoch another permutation of all."""
        epoch, index = divmod(place, len(self.names))
        return self.names[int(np.random.default_rng((self.seed, epoch)).permutation(len(self.names))[index])]

    def _window(self, at: int) -> Crops:
        places = range(at, at + min(WINDOW, len(self.names)))
        for place in (*places, places.stop):  # one more than is needed now
            if place not in self._kept:
                self._kept[place] = self._reader.submit(self._read, self.name_at(place))
        for place in [place for place in self._kept if place < at]:
            del self._kept[place]
        heard = [one for place in places for one in self._kept[place].result()]
        takes = [take for take, _ in heard]
        if not takes or sum(take.n_frames for take in takes) < self.n_frames:
            raise InputError(f"corpus: the shards of {self.corpus.place} hold less than one training window; record more.")
        return Crops(takes, self.rooms, self.n_frames, self.n_lead, self.corpus.settings.hop_size, self.ear,
                     None if self.ear is None else [said for _, said in heard])

    @torch.no_grad()
    def _read(self, name: str) -> list[Heard]:
        takes = [replace(take, code=self.codes.get(take.instrument)) for take in read_named(self.corpus, name, ("train",))]
        return [(take, (NOTHING, NOTHING) if self.ear is None else self.ear.gather(take.heard())) for take in takes]


def read_named(corpus: Corpus, name: str, splits: Sequence[str]) -> list[Take]:
    """The takes of a shard that are for some splits, with their instruments and rooms.

    Raises:
        InputError: the shard is cut, damaged or missing.
    """
    entries, n, takes = corpus.shards[name], 0, []
    for key, take in read_takes(corpus.place, name):
        entry = entries.get(key)
        n += entry is not None
        if entry is not None and entry.split in splits:
            takes.append(replace(take, instrument=entry.instrument, room=f"{entry.instrument}/{entry.room}"))
    n_expected = sum(entry.pieces for entry in entries.values())
    if n < n_expected:
        raise InputError(f"corpus: the shard {corpus.place}/shards/{name}.tar is cut: it holds {n} of {n_expected} takes; "
                         "delete it, and the same command makes it again.")
    return takes


def sample_takes(corpus: Corpus, seed: int) -> tuple[list[Take], list[Take]]:
    """Some takes of every instrument to fit to, and some to validate on; read shard by shard, one at a time."""
    instruments = corpus.instruments
    wanted_s = max(LEAST_SAMPLE_S, SAMPLE_S / len(instruments))
    rate = corpus.settings.sample_rate / corpus.settings.hop_size
    training_s = dict.fromkeys(instruments, 0.0)
    most = max(1, MOST_PROBES // len(instruments))
    probes: dict[str, list[Take]] = {name: [] for name in instruments}
    has_probe = {entry.instrument for entry in corpus.entries("validation")}
    training: list[Take] = []
    order = np.random.default_rng((seed, 1)).permutation(len(corpus.shards))
    names = list(corpus.shards)
    for index in order:
        entries = corpus.shards[names[index]].values()
        wants = any(training_s.get(one.instrument, wanted_s) < wanted_s for one in entries if one.split == "train")
        asks = any(len(probes.get(one.instrument, ())) < most for one in entries if one.split == "validation")
        if not wants and not (asks and sum(map(len, probes.values())) < MOST_PROBES):
            continue
        splits = corpus.shards[names[index]]
        by_key = {key: entry.split for key, entry in splits.items()}
        for take in read_named(corpus, names[index], ("train", "validation")):
            name = take.instrument
            if name not in training_s:
                continue
            if by_key[take.path.name.rpartition("-")[0]] == "validation":
                if len(probes[name]) < most:
                    probes[name].append(take)
            elif training_s[name] < wanted_s:
                training_s[name] += take.n_frames / rate
                training.append(take)
        if all(seconds >= wanted_s for seconds in training_s.values()) and all(
                len(probes[name]) >= most for name in has_probe if name in probes):
            break
    turns = [probes[name][turn] for turn in range(most) for name in instruments if turn < len(probes[name])]
    return training, turns or training[:MOST_PROBES]
