"""A corpus to what a run trains on: a sample that stays, and shards that come by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from ddspvae.corpora.places import is_url, join
from ddspvae.model.config import ModelConfig, harmonics_needed
from ddspvae.signals.checks import InputError
from ddspvae.training.corpus import Corpus, Each, features_place, lowest_hz, make_corpus, open_corpus
from ddspvae.training.feature_shards import Settings
from ddspvae.training.many import MOST_HARMONICS, MOST_TIMBRE
from ddspvae.training.prepare import Prepared, can_tell_rooms
from ddspvae.training.stream import sample_takes


def find_corpus(recordings: str | Path | Sequence[str | Path], features: str | None, tracker: str, model: ModelConfig,
                *, makes: bool = True, each: Each | None = None, progress: Callable[[int, int], None] = lambda done, of: None
                ) -> Corpus:
    """The features of a manifest, made where they are missing; or those of a place of features.

    Args:
        recordings: one manifest, CSV or Parquet, or one place of features.
        features: where those of a manifest lie; None is beside it.
        tracker, model: decide the features.
        makes: whether this process makes what is missing; False finds all of it made.
        each, progress: see `make_corpus`.
    Raises:
        InputError: as `make_corpus` and `open_corpus`; or features of other settings.
    """
    one = str(recordings if isinstance(recordings, (str, Path)) else recordings[0])
    settings = Settings(model.sample_rate, model.hop_size, tracker)
    is_manifest = Path(one).suffix.lower() in (".csv", ".parquet") and not is_url(one)
    place = (features or features_place(one)) if is_manifest else one
    if not is_manifest and features is not None:
        raise InputError(f"corpus: {one} holds features itself; leave --features out.")
    if is_manifest and makes:
        return make_corpus(one, place, settings, each, progress)
    corpus = open_corpus(place)
    if corpus.settings != settings:
        raise InputError(f"corpus: the features in {place} are of {corpus.settings}, and {settings} was asked for; give the "
                         "same --sample-rate, --hop and --tracker, or another --features.")
    return corpus


def prepare_corpus(corpus: Corpus, many: bool, model: ModelConfig, seed: int) -> Prepared:
    """What `prepare` makes of recordings, of a corpus: its takes are a sample, and the corpus streams the rest.

    Args:
        many: one model for several instruments.
        model: n_harmonics, rooms and what tells instruments apart are replaced.
        seed: of the choice of the sample.
    Raises:
        InputError: several instruments without `many`, or one with it; no pitch; a shard that is cut.
    """
    instruments = corpus.instruments
    if not many and len(instruments) > 1:
        raise InputError(f"corpus: {corpus.place} has {len(instruments)} instruments; add --many to learn them all in one "
                         "model.")
    if many and len(instruments) < 2:
        raise InputError(f"corpus: {corpus.place} has one instrument, {instruments[0]}; leave --many out.")
    seconds: dict[str, float] = {}
    for entry in corpus.entries("train"):
        room = f"{entry.instrument}/{entry.room}"
        seconds[room] = seconds.get(room, 0.0) + entry.seconds
    n_timbre = min(MOST_TIMBRE, len(instruments) - 1)
    training, validation = sample_takes(corpus, seed)
    rooms = tuple(sorted(seconds, key=lambda room: -seconds[room]))
    n_harmonics = harmonics_needed(lowest_hz(corpus), model.sample_rate)
    return Prepared(
        training=training, validation=validation, tracker=corpus.settings.tracker, holdout=[],
        model=replace(model, n_harmonics=min(MOST_HARMONICS, n_harmonics) if many else n_harmonics,
                      rooms=rooms, n_z=model.n_z + n_timbre,
                      n_timbre=n_timbre, by_room=not many and can_tell_rooms(replace(model, rooms=rooms), training)),
        licence=list(corpus.licences), credits=[{"file": join(corpus.place, "verdicts.csv"), "licence": licence}
                                                for licence in corpus.licences], corpus=corpus)
