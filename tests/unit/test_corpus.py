"""Corpora larger than memory: manifests, features made once, shards that stream, and what is wrong with each."""

from __future__ import annotations

import csv
import io
import os
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from ddspvae.audio import read_audio
from ddspvae.commands.main import main
from ddspvae.corpora.manifest import read_manifest_rows
from ddspvae.corpora.places import exists, is_url, join, listing, reading, write_whole
from ddspvae.corpora.shards import read_shard, write_shard
from ddspvae.features.extract import extract
from ddspvae.instrument.presets import read_card
from ddspvae.model.config import ModelConfig
from ddspvae.model.together import Share
from ddspvae.signals.checks import InputError
from ddspvae.training import corpus as corpora
from ddspvae.training.corpus import lowest_hz, make_corpus, open_corpus
from ddspvae.training.feature_shards import Settings, read_takes
from ddspvae.training.loop import train
from ddspvae.training.prepare_corpus import find_corpus, prepare_corpus
from ddspvae.training.stream import Streamed, sample_takes

from ..conftest import melody_take

pytestmark = pytest.mark.slow  # in make check

RATE, HOP = 16_000, 80
SETTINGS = Settings(RATE, HOP, "swift")
SMALL = ModelConfig(sample_rate=RATE, hop_size=HOP, decoder_channels=16)


def write_manifest(folder, rows, name="manifest.csv", header=("path", "instrument", "split", "licence")):
    with (folder / name).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return folder / name


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two instruments, five short takes each, one of which is silent."""
    root = tmp_path_factory.mktemp("corpus")
    rows = []
    for name, bright in (("horn", 2.0), ("reed", 0.5)):
        (root / name).mkdir()
        for seed in range(5):
            audio = melody_take(3.0, RATE, seed)
            spectrum = np.fft.rfft(audio) / (1 + (np.fft.rfftfreq(len(audio), 1 / RATE) / 600) ** 2) ** bright
            audio = np.zeros(RATE) if (name, seed) == ("reed", 4) else np.fft.irfft(spectrum, n=len(audio))
            soundfile.write(root / name / f"{seed}.wav", audio, RATE)
            rows.append((f"{name}/{seed}.wav", name, "validation" if seed == 3 else "train", "CC0"))
    write_manifest(root, rows)
    return root


@pytest.fixture(scope="module")
def corpus(folder):
    """Its features, in shards of a few takes."""
    before, corpora.SHARD_S = corpora.SHARD_S, 5.0
    yield make_corpus(folder / "manifest.csv", str(folder / "features"), SETTINGS)
    corpora.SHARD_S = before


def test_a_shard_is_what_webdataset_reads_and_the_same_each_time(tmp_path):
    samples = [(f"take{n}", {"npz": bytes([n]) * 700, "json": b"{}"}) for n in range(3)]
    write_shard(tmp_path / "a.tar", samples)
    write_shard(tmp_path / "b.tar", samples)
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()
    assert list(read_shard(tmp_path / "a.tar")) == samples
    wds = pytest.importorskip("webdataset")
    read = list(wds.WebDataset(str(tmp_path / "a.tar"), shardshuffle=False))
    assert [(one["__key__"], one["npz"]) for one in read] == [(name, files["npz"]) for name, files in samples]


def test_a_shard_that_is_cut_or_missing_is_told(tmp_path):
    write_shard(tmp_path / "a.tar", [("take", {"npz": b"x" * 5000})])
    whole = (tmp_path / "a.tar").read_bytes()
    (tmp_path / "a.tar").write_bytes(whole[:3000])
    with pytest.raises(InputError, match=r"the shard .*a\.tar is cut or damaged .* the same command makes it again"):
        list(read_shard(tmp_path / "a.tar"))
    (tmp_path / "a.tar").write_bytes(b"no tar at all" * 100)
    with pytest.raises(InputError, match="cut or damaged"):
        list(read_shard(tmp_path / "a.tar"))
    with pytest.raises(InputError, match="cannot read .*No such file"):
        list(read_shard(tmp_path / "missing.tar"))


def test_places_are_folders_and_urls(tmp_path):
    pytest.importorskip("fsspec")
    assert is_url("memory://a/b") and not is_url(tmp_path) and not is_url("C:/a")
    for place in (str(tmp_path / "deep" / "er"), "memory://bucket/deeper"):
        where = join(place, "a.json")
        assert not exists(where) and listing(place, ".json") == []
        write_whole(where, b"told")
        assert exists(where) and listing(place, ".json") == ["a.json"]
        with reading(where) as file:
            assert file.read() == b"told"
        with pytest.raises(InputError, match="cannot read"), reading(join(place, "b.json")):
            pass
    with pytest.raises(InputError, match="cannot be reached"):
        exists("nonsense-protocol://a/b")


@pytest.mark.parametrize(("rows", "match"), [
    ([("horn/0.wav", "horn", "train", ""), ("horn/9.wav", "horn", "train", "")], r"row 3: there is no file .*9\.wav"),
    ([("horn/0.wav", "horn", "teaching", "")], "row 2: split must be one of test, train, validation, got 'teaching'"),
    ([("horn/0.wav", "horn", "", ""), ("horn/../horn/0.wav", "horn", "", "")], "row 3: .* stands in row 2 already"),
    ([("horn/0.wav", "horn", "", ""), ("horn/0.wav", "reed", "", "")], r"row 3: horn/0\.wav stands in row 2 already"),
    ([("horn/0.wav", "", "train", "")], "row 2: instrument is empty"),
    ([("horn/0.wav", "a:b", "train", "")], "the instrument 'a:b' may not hold"),
    ([], "has no rows"),
])
def test_manifests_that_are_wrong(folder, tmp_path, rows, match):
    path = write_manifest(folder, rows, "wrong.csv")
    with pytest.raises(InputError, match=match):
        read_manifest_rows(path)
    with pytest.raises(InputError, match="must have columns path and instrument, instrument is not there"):
        read_manifest_rows(write_manifest(folder, rows, "wrong.csv", ("path", "who", "split", "licence")))
    os.unlink(path)
    with pytest.raises(InputError, match="cannot read"):
        read_manifest_rows(path)


def test_a_manifest_in_parquet_says_the_same(folder, tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    rows = read_manifest_rows(folder / "manifest.csv")
    table = pyarrow.table({"path": [str(row.path) for row in rows], "instrument": [row.instrument for row in rows],
                           "split": [row.split for row in rows], "licence": [None] * len(rows)})
    parquet.write_table(table, tmp_path / "m.parquet")
    assert read_manifest_rows(tmp_path / "m.parquet") == [replace(row, licence="") for row in rows]
    (tmp_path / "m.parquet").write_bytes(b"no parquet")
    with pytest.raises(InputError, match=r"cannot read .*m\.parquet"):
        read_manifest_rows(tmp_path / "m.parquet")


def test_every_row_has_a_verdict_and_features_are_made_once(folder, corpus, monkeypatch):
    rows = list(csv.DictReader((folder / "features" / "verdicts.csv").open(encoding="utf-8")))
    assert len(rows) == 10 and {row["path"] for row in rows} == {str(row.path) for row in read_manifest_rows(
        folder / "manifest.csv")}
    silent = next(row for row in rows if row["path"].endswith("reed/4.wav"))
    assert silent["verdict"] == "left out" and "is silent" in silent["reason"] and not silent["shard"]
    assert {row["verdict"] for row in rows if row is not silent} <= {"good", "look again"}
    assert len(corpus.shards) >= 4 and corpus.instruments == ["horn", "reed"]
    assert corpus.hours("train") * 3600 == pytest.approx(21.0) and corpus.hours("validation") * 3600 == pytest.approx(6.0)
    monkeypatch.setattr(corpora, "make_feature_shard", None)  # nothing is listened to again
    again = make_corpus(folder / "manifest.csv", str(folder / "features"), SETTINGS)
    assert again.shards == corpus.shards and open_corpus(str(folder / "features")).content == corpus.content


def test_one_recording_more_costs_one(folder, corpus, tmp_path):
    soundfile.write(folder / "horn" / "new.wav", melody_take(3.0, RATE, 77), RATE)
    rows = list(csv.reader((folder / "manifest.csv").open(encoding="utf-8")))[1:]
    more = write_manifest(folder, [*rows, ("horn/new.wav", "horn", "train", "CC0")], "more.csv")
    listened = []

    def each(works):
        listened.extend(path for work in works for _, path in work[2])
        return map(corpora.make_feature_shard, works)

    grown = make_corpus(more, str(folder / "features"), SETTINGS, each)
    assert listened == [str(folder / "horn" / "new.wav")] and set(corpus.shards) < set(grown.shards)
    fewer = make_corpus(folder / "manifest.csv", str(folder / "features"), SETTINGS, each)
    assert len(listened) == 1 and fewer.content == corpus.content != grown.content


def test_takes_of_a_shard_are_what_was_heard(folder, corpus):
    found = {key: take for name in corpus.shards for key, take in read_takes(corpus.place, name)}
    rows = {row["key"]: row for row in csv.DictReader((folder / "features" / "verdicts.csv").open(encoding="utf-8"))}
    assert set(found) == {key for key, row in rows.items() if row["shard"]}
    key = next(key for key, row in rows.items() if row["path"].endswith("horn/1.wav"))
    audio, _ = read_audio(rows[key]["path"], RATE)
    heard, kept = extract(audio, RATE, HOP), found[key].features
    assert np.array_equal(heard.f0_hz, kept.f0_hz) and np.array_equal(heard.loudness_db, kept.loudness_db)
    assert np.abs(found[key].audio[: len(audio)] - audio).max() <= 0.51 / 2**15
    loud = heard.spectrum > 1e-7  # -140 dB
    assert np.abs(kept.spectrum[loud] / heard.spectrum[loud] - 1).max() < 2e-3


def test_two_of_the_same_content_are_one(folder, tmp_path):
    (tmp_path / "a.wav").write_bytes((folder / "horn" / "0.wav").read_bytes())
    (tmp_path / "b.wav").write_bytes((folder / "horn" / "0.wav").read_bytes())
    manifest = write_manifest(tmp_path, [("a.wav", "horn", "train", ""), ("b.wav", "horn", "train", "")])
    made = make_corpus(manifest, str(tmp_path / "f"), SETTINGS)
    assert sum(len(shard) for shard in made.shards.values()) == 1
    assert "it is the same recording as" in (tmp_path / "f" / "verdicts.csv").read_text(encoding="utf-8")


def streamed(corpus, seed=0):
    sample, _ = sample_takes(corpus, seed)
    rooms = [f"{name}/{name}" for name in corpus.instruments]
    return Streamed(corpus, {}, rooms, sample, 200, 64, None, seed)


def drawn(stream, steps, share=None):
    return [stream.draw(4, np.random.default_rng((0, step)), share, step).heard.f0_hz for step in steps]


def test_what_is_drawn_at_a_step_is_the_same_however_it_is_come_to(corpus, monkeypatch):
    monkeypatch.setattr("ddspvae.training.stream.WINDOW", 2)
    whole = drawn(streamed(corpus), range(30))
    later = drawn(streamed(corpus), range(17, 30))
    assert all(torch.equal(one, other) for one, other in zip(whole[17:], later))
    halves = [drawn(streamed(corpus), range(30), Share(rank, 2)) for rank in (0, 1)]
    assert all(torch.equal(one, torch.cat(parts)) for one, *parts in zip(whole, *halves))
    stream = streamed(corpus)
    for epoch in range(3):
        order = [stream.name_at(epoch * len(stream.names) + place) for place in range(len(stream.names))]
        assert sorted(order) == sorted(stream.names), "each once an epoch"
    assert drawn(streamed(corpus, 1), [0])[0].ne(whole[0]).any()


def test_a_window_of_shards_is_all_that_is_held(corpus, monkeypatch):
    monkeypatch.setattr("ddspvae.training.stream.WINDOW", 2)
    stream = streamed(corpus)
    for step in range(60):
        stream.draw(4, np.random.default_rng(step), None, step)
        assert len(stream._kept) <= 3


def test_a_cut_shard_ends_a_run_in_one_sentence(folder, corpus, tmp_path, capsys):
    import shutil

    place = tmp_path / "features"
    shutil.copytree(folder / "features", place)
    shard = next(place.glob("shards/*.tar"))
    shard.write_bytes(shard.read_bytes()[: shard.stat().st_size // 3])
    out = tmp_path / "cut.safetensors"
    code = main(["train", str(place), "--many", "--out", str(out), "--steps", "20", "--sample-rate", "16000", "--device",
                 "cpu"])
    assert code == 2 and not out.exists()
    told = capsys.readouterr().err.splitlines()
    assert told[-1].startswith("corpus: the shard") and "is cut" in told[-1]
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w"):  # whole, and nothing in it
        pass
    shard.write_bytes(buffer.getvalue())
    with pytest.raises(InputError, match="is cut: it holds 0 of"):
        drawn(streamed(open_corpus(str(place))), range(30))


def test_what_a_corpus_is_not(folder, corpus, tmp_path):
    place = str(folder / "features")
    with pytest.raises(InputError, match="has 2 instruments; add --many"):
        prepare_corpus(corpus, False, SMALL, 0)
    one = replace(corpus, shards={name: {key: entry for key, entry in shard.items() if entry.instrument == "horn"}
                                  for name, shard in corpus.shards.items()})
    with pytest.raises(InputError, match="has one instrument, horn; leave --many out"):
        prepare_corpus(one, True, SMALL, 0)
    with pytest.raises(InputError, match="and Settings.sample_rate=48000"):
        find_corpus(place, None, "swift", ModelConfig())
    with pytest.raises(InputError, match="holds no features"):
        open_corpus(str(tmp_path))
    with pytest.raises(InputError, match="holds features itself; leave --features out"):
        find_corpus(place, "elsewhere", "swift", SMALL)
    (tmp_path / "corpus.json").write_text('{"format": "ddspvae features 0"}', encoding="utf-8")
    with pytest.raises(InputError, match="is of another version"):
        open_corpus(str(tmp_path))
    (tmp_path / "corpus.json").write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match="is damaged"):
        open_corpus(str(tmp_path))
    assert 200 < lowest_hz(corpus) < 330


def test_the_command_line_tells_what_is_wrong_with_a_manifest(folder, tmp_path, capsys):
    manifest = write_manifest(folder, [("nothing.wav", "horn", "train", "")], "bad.csv")
    assert main(["train", str(manifest), "--out", str(tmp_path / "a.safetensors")]) == 2
    assert "there is no file" in capsys.readouterr().err
    assert not (tmp_path / "a.safetensors").exists() and not Path(folder / "bad.features").exists()
    os.unlink(manifest)
    assert main(["train", str(folder / "horn"), "--features", "f", "--out", str(tmp_path / "a.safetensors")]) == 2
    assert "--features is for a manifest" in capsys.readouterr().err


@pytest.mark.slow
def test_a_corpus_at_a_url_is_learned_from(folder, tmp_path):
    pytest.importorskip("fsspec")
    place = "memory://corpora/features"
    make_corpus(folder / "manifest.csv", place, SETTINGS, lambda works: map(corpora.make_feature_shard, works))
    out = train(place, tmp_path / "url.safetensors", steps=8, many=True, device="cpu", model=SMALL)
    card = read_card(out)
    assert set(card["timbres"]) == {"horn", "reed"} and card["licence"] == ["CC0"]
    assert card["training"]["corpus"]["recordings"] == 7 and card["training"]["corpus"]["place"] == place
    folder_out = train(folder / "manifest.csv", tmp_path / "folder.safetensors", steps=8, many=True, device="cpu",
                       model=SMALL, features=str(folder / "features"))
    assert read_card(folder_out)["training"]["steps_done"] == 8
