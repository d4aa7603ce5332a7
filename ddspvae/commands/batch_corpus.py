"""`ddspvae batch corpus`: bounds to shards of labelled performances, a job a shard. Imports inside."""

from __future__ import annotations

import csv
import json
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddspvae.batch.jobs import DONE, Job, Outcome
from ddspvae.commands.batch_files import LOGS, check_folder
from ddspvae.commands.batch_run import run_batch
from ddspvae.commands.sounds import say
from ddspvae.signals.checks import InputError
from ddspvae.signals.files import new_file

if TYPE_CHECKING:
    from ddspvae.batch.bounds import Bounds

COLUMNS = ("path", "key", "split", "seconds", "presets", "notes", "seed", "source", "licence")


def run_corpus(args: Namespace) -> None:
    """Draw, play and write; then the manifest of all that is there."""
    from ddspvae.batch.bounds import read_bounds
    from ddspvae.commands.batch_files import digest
    from ddspvae.features.cache import content_key
    from ddspvae.instrument.loading import load_to_play
    from ddspvae.instrument.presets import find_preset, read_cards, split_timbre
    from ddspvae.signals.checks import check_choice

    bounds = read_bounds(args.bounds)
    bounds = _with_presets(bounds, list(read_cards()))
    rates = {}
    for preset in bounds.presets:
        player = load_to_play(preset)
        rates[player.config.sample_rate] = preset
        for axis in bounds.axes:
            check_choice("corpus", f"an axis of {preset}", axis, player.axis_names)
    if len(rates) > 1:
        raise InputError(f"corpus: presets run at {' and '.join(map(str, sorted(rates)))} Hz; use presets of one rate.")
    songs = []
    if bounds.songs:
        songs = sorted(str(path) for path in Path(bounds.songs).rglob("*") if path.suffix.lower() in (".mid", ".midi"))
        if not songs:
            raise InputError(f"corpus: {bounds.songs} holds no MIDI files.")
    import ddspvae

    folder = check_folder(args.out)
    files = [digest(Path(song)) for song in songs] + [digest(find_preset(split_timbre(name)[0])) for name in bounds.presets]
    settings = {**bounds.to_dict(), "performances": 0}  # more of them do not change those that are there
    key = content_key([ddspvae.__version__, json.dumps(settings), *files])
    n_shards = -(-bounds.performances // bounds.per_shard)

    def jobs() -> Iterator[Job]:
        for index in range(n_shards):
            numbers = range(index * bounds.per_shard, min((index + 1) * bounds.per_shard, bounds.performances))
            name = f"shard-{index:06d}"
            path = str(folder / f"{name}.tar")
            yield Job(name, content_key([key, numbers]), (path,), str(folder / LOGS / f"{name}.json"),
                      (bounds.to_dict(), numbers.start, numbers.stop, songs, path))

    rows: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = []

    def ended(outcome: Outcome) -> None:
        if outcome.state == DONE:
            rows.extend({**row, "path": f"{outcome.name}.tar", "key": f"{row['number']:08d}"}
                        for row in outcome.result["rows"])
            failed.extend(outcome.result["left_out"])

    run_batch(args, n_shards, jobs(), make_shard, ended)
    rows.sort(key=lambda row: row["number"])
    with new_file(folder / "manifest.csv") as part, part.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
        table.writeheader()
        table.writerows(rows)
    with new_file(folder / "corpus.json") as part:
        part.write_text(json.dumps({"format": "ddspvae performances 1", "bounds": bounds.to_dict(), "rows": len(rows),
                                    "left_out": failed}, indent=1) + "\n", encoding="utf-8")


def make_shard(work: tuple[dict[str, Any], int, int, list[str], str]) -> dict[str, Any]:
    """On a worker: one shard."""
    from ddspvae.batch.bounds import Bounds
    from ddspvae.batch.performances import make_samples
    from ddspvae.corpora.shards import write_shard

    values, start, stop, songs, path = work
    samples, rows, left_out = make_samples(Bounds(**values), range(start, stop), songs)
    if not samples:
        raise InputError(f"corpus: none of performances {start} to {stop - 1} can be made: {left_out[0]['reason']}")
    n_bytes = write_shard(path, samples)
    return {"rows": rows, "left_out": left_out, "bytes": n_bytes}


def run_features(args: Namespace) -> None:
    """Features of a manifest, a job a shard; then the verdicts on every row."""
    from ddspvae.corpora.places import join
    from ddspvae.training.corpus import make_corpus, plan
    from ddspvae.training.feature_shards import Settings, make_feature_shard, read_rows

    settings = Settings(args.sample_rate, args.hop or round(args.sample_rate / 200), args.tracker)
    place, logs = args.out, args.logs or str(Path(args.manifest).with_suffix(".logs"))
    works = plan(args.manifest, place, settings)[2]
    folder = check_folder(logs)

    def jobs() -> Iterator[Job]:
        for work in works:
            log = folder / LOGS / f"{work[1]}.json"
            log.unlink(missing_ok=True)  # the shard is not there, whatever a log of former times says
            yield Job(work[1], work[1], (), str(log), work)

    made: list[dict[str, Any]] = []
    done: dict[str, Any] = {}
    if works:
        def ended(outcome: Outcome) -> None:
            rows = read_rows(place, outcome.name)
            made.append({"rows": rows if rows is not None else _not_made(outcome, works)})

        there = Namespace(**{**vars(args), "out": logs})
        done = run_batch(there, len(works), jobs(), make_feature_shard, ended, speaks=False)
    corpus = make_corpus(args.manifest, place, settings, lambda _: made)
    told = {**done, "out": place, "hours": round(corpus.hours("train"), 3), "shards": len(corpus.shards)}
    say(args, told,
        f"{place}: {corpus.hours('train'):.2f} h to train on in {len(corpus.shards)} shards; a verdict on every row in "
        f"{join(place, 'verdicts.csv')}.")


def _not_made(outcome: Outcome, works: list[Any]) -> list[dict[str, Any]]:
    """Rows for the recordings of a shard that could not be made: they are left out this time, and tried the next."""
    recordings = next(work[2] for work in works if work[1] == outcome.name)
    return [{"key": key, "shard": "", "pieces": 0, "verdict": "left out", "reason": outcome.reason} for key, _ in recordings]


def _with_presets(bounds: Bounds, shipped: list[str]) -> Bounds:
    from dataclasses import replace

    return bounds if bounds.presets else replace(bounds, presets=tuple(shipped))
