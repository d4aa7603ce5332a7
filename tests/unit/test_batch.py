"""Many jobs: what is done is not done again, what fails is named, and what is killed is tried again."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile

from ddspvae.batch.bounds import read_bounds
from ddspvae.batch.cluster import open_cluster
from ddspvae.batch.jobs import DONE, LEFT_OUT, Job, attempt, ended_before
from ddspvae.batch.run import run_jobs
from ddspvae.commands.batch_files import find_sources
from ddspvae.commands.main import main
from ddspvae.signals import Performance
from ddspvae.signals.checks import InputError

from ..conftest import melody_take

distributed = pytest.importorskip("distributed")
psutil = pytest.importorskip("psutil")


def write_song(path: Path, seed: int, n_notes: int = 8) -> None:
    random = np.random.default_rng(seed)
    track = mido.MidiTrack()
    for pitch in random.integers(60, 77, n_notes):
        track.append(mido.Message("note_on", note=int(pitch), velocity=80, time=0))
        track.append(mido.Message("note_off", note=int(pitch), time=240))
    path.parent.mkdir(parents=True, exist_ok=True)
    mido.MidiFile(tracks=[track]).save(path)


@pytest.fixture
def songs(tmp_path):
    for seed in range(6):
        write_song(tmp_path / "songs" / ("deeper" if seed % 2 else "") / f"{seed}.mid", seed)
    return tmp_path / "songs"


def half(number):
    if number == 13:
        raise InputError("half: 13 is odd.")
    if number == 14:
        raise ZeroDivisionError("not mine")
    return {"half": number / 2}


def kill_me(path):
    """Ends its worker unless another was here before."""
    Path(path).parent.mkdir(exist_ok=True)
    with open(path, "a", encoding="utf-8") as file:
        file.write("x")
    time.sleep(0.2)
    if "calm" not in path and (Path(path).read_text(encoding="utf-8") == "x" or "always" in path):
        os.kill(os.getpid(), signal.SIGKILL)
    return {"tries": len(Path(path).read_text(encoding="utf-8"))}


def job_of(folder, number, key="a", outputs=()):
    return Job(f"job{number}", key, outputs, str(folder / "logs" / f"{number}.json"), number)


def test_a_job_says_how_it_ended_and_is_known_again(tmp_path):
    job = job_of(tmp_path, 12)
    assert ended_before(job) is None
    outcome = attempt(half, job)
    assert (outcome.state, outcome.result) == (DONE, {"half": 6.0}) and ended_before(job) == outcome
    assert ended_before(job_of(tmp_path, 12, key="b")) is None, "another content or option"
    assert ended_before(job_of(tmp_path, 12, outputs=(str(tmp_path / "gone.wav"),))) is None
    (tmp_path / "logs" / "12.json").write_text('{"half a lo', encoding="utf-8")
    assert ended_before(job) is None
    odd, alien = attempt(half, job_of(tmp_path, 13)), attempt(half, job_of(tmp_path, 14))
    assert (odd.state, odd.reason, odd.details) == (LEFT_OUT, "half: 13 is odd.", "")
    assert alien.reason == "ZeroDivisionError: not mine" and "in half" in alien.details
    assert ended_before(job_of(tmp_path, 13)) is None, "what failed is tried again"


def test_jobs_of_a_cluster_end_each_for_itself(tmp_path):
    outcomes = {}
    with distributed.LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None) as cluster, \
            distributed.Client(cluster) as client:
        for _ in range(2):
            run_jobs(client, half, (job_of(tmp_path, number) for number in range(20)),
                     lambda outcome, before: outcomes.__setitem__(outcome.name, (outcome, before)))
            if not any(before for _, before in outcomes.values()):
                first = dict(outcomes)
    assert len(first) == 20 and not any(before for _, before in first.values())
    assert {name for name, (outcome, _) in first.items() if outcome.state != DONE} == {"job13", "job14"}
    assert {name for name, (_, before) in outcomes.items() if not before} == {"job13", "job14"}


def test_sources_keep_their_folders(songs, tmp_path):
    (songs / ".hidden.mid").write_bytes(b"")
    assert [str(source.below) for source in find_sources([str(songs)], (".mid",), "out")] == [
        "0", "2", "4", "deeper/1", "deeper/3", "deeper/5"]
    write_song(songs / "0.midi", 0)
    with pytest.raises(InputError, match=r"0\.mid and .*0\.midi would both become 0; rename one"):
        find_sources([str(songs)], (".mid", ".midi"), "out")
    with pytest.raises(InputError, match=r"holds none of \.xyz"):
        find_sources([str(songs)], (".xyz",), "out")
    with pytest.raises(InputError, match="no file or folder"):
        find_sources([str(songs / "nothing")], (".mid",), "out")
    with pytest.raises(InputError, match="which is read; choose a folder beside it"):
        find_sources([str(songs)], (".mid",), str(songs / "rendered"))


def test_a_scheduler_that_is_not_there(songs, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("ddspvae.batch.cluster.ANSWER_S", 1.0)
    command = ["batch", "render", str(songs), "--preset", "violin", "--out", str(tmp_path / "out"), "--scheduler"]
    assert main([*command, "tcp://127.0.0.1:9"]) == 2
    assert capsys.readouterr().err.startswith("batch: no scheduler answers at tcp://127.0.0.1:9; start one with dask")
    assert main([*command, "nonsense"]) == 2
    assert capsys.readouterr().err == "batch: --scheduler must look like tcp://host:8786, got 'nonsense'.\n"
    assert not list((tmp_path / "out").rglob("*.wav"))
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match="Dask distributed is not installed"), open_cluster():
        pass


@pytest.mark.parametrize(("text", "match"), [
    ("performances = 0", "performances must lie between 1 and"),
    ("performences = 5", "did you mean 'performances'"),
    ("performances = 'many'", "performances in .* must be a int"),
    ("seconds = [9, 3]", r"seconds must be \[least, most\] between 1 and 600, got \[9, 3\]"),
    ("seconds = 9", "seconds in .* must be a list"),
    ("wet_db = [0, 90]", "wet_db must be"),
    ("presets = [1]", "presets in .* must be a list of names"),
    ("[axes]\nbrightness = [0, 9]", r"axes\.brightness must be"),
    ("[splits]\ntrain = 0.5", "splits must be shares that add up to 1"),
    ("songs = 'nowhere'", "which is no folder"),
    ("seconds = [", "is no TOML"),
])
def test_bounds_that_are_none(tmp_path, text, match):
    (tmp_path / "bounds.toml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=match):
        read_bounds(tmp_path / "bounds.toml")
    with pytest.raises(InputError, match="cannot read"):
        read_bounds(tmp_path / "missing.toml")


def test_a_performance_is_what_its_labels_say(tmp_path):
    from ddspvae.batch.performances import make_sample
    from ddspvae.features.loudness import a_weighted_loudness

    (tmp_path / "b.toml").write_text("presets = ['flute']\nparts = [2, 2]\nseconds = [3, 3]\nrange = [62, 80]\nseed = 3\n"
                                     "[axes]\nbrightness = [1, 1]\n", encoding="utf-8")
    bounds = read_bounds(tmp_path / "b.toml")
    files, row = make_sample(bounds, 5, [])
    assert files == make_sample(bounds, 5, [])[0], "the same number, the same bytes"
    assert files["mix.flac"] != make_sample(bounds, 6, [])[0]["mix.flac"]
    labels = json.loads(files["json"])
    mix, rate = soundfile.read(io.BytesIO(files["mix.flac"]), dtype="float32")
    stems = [soundfile.read(io.BytesIO(files[f"{n}.flac"]), dtype="float32")[0] for n in (1, 2)]
    total = np.sum([np.pad(stem, (0, len(mix) - len(stem))) for stem in stems], axis=0)
    assert np.abs(total - mix).max() < 3 / 2**15, "the stems add up to the mix"
    assert row["seconds"] == labels["seconds"] == pytest.approx(len(mix) / rate, abs=1e-3)
    for n, (part, stem) in enumerate(zip(labels["parts"], stems), start=1):
        (tmp_path / "p.npz").write_bytes(files[f"{n}.npz"])
        played = Performance.load(tmp_path / "p.npz")
        assert part["axes"] == {"brightness": 1.0} and part["preset"] == "flute"
        assert all(62 <= pitch <= 80 for _, _, pitch, _ in part["notes"])
        for onset_s, offset_s, pitch, _ in part["notes"]:
            if offset_s - onset_s > 0.3:
                middle = played.slice(onset_s + 0.15, offset_s - 0.05)
                assert np.median(69 + 12 * np.log2(middle.f0_hz / 440)) == pytest.approx(pitch, abs=0.3)
        import torch

        measured = a_weighted_loudness(torch.from_numpy(stem)[None], rate, 240)[0].numpy()[: played.n_frames]
        loud = played.loudness_db[: len(measured)] > played.loudness_db.max() - 15
        assert np.median(np.abs(measured - played.loudness_db[: len(measured)])[loud]) < 1.0


def command(*argv):
    return [sys.executable, "-m", "ddspvae", "batch", *map(str, argv)]


def run(*argv):
    done = subprocess.run(command(*argv, "--json"), capture_output=True, text=True, timeout=300, check=False)
    return done.returncode, json.loads(done.stdout) if done.stdout else {}, done.stderr


@pytest.mark.slow
def test_songs_on_two_workers_are_as_alone_and_not_done_twice(songs, tmp_path):
    (songs / "bad.mid").write_bytes(b"MThd, or so it says")
    out = tmp_path / "out"
    code, said, told = run("render", songs, "--preset", "flute", "--out", out, "--workers", 2, "--seed", 3)
    assert code == 0 and said["done"] == 6 and said["done_before"] == 0
    assert [one["name"] for one in said["left_out"]] == ["bad"] and "left out: bad: read_midi:" in told
    assert next(csv.DictReader((out / "left_out.csv").open(encoding="utf-8")))["name"] == "bad"
    assert main(["render", str(songs / "deeper" / "3.mid"), "--preset", "flute", "--seed", "3", "--out",
                 str(tmp_path / "alone.wav")]) == 0
    assert (out / "deeper" / "3.wav").read_bytes() == (tmp_path / "alone.wav").read_bytes()
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*.wav")}
    (out / "0.wav").unlink()
    write_song(songs / "2.mid", 99)
    code, said, _ = run("render", songs, "--preset", "flute", "--out", out, "--workers", 2, "--seed", 3)
    changed = {path.name for path, time_ns in times.items() if path.stat().st_mtime_ns != time_ns}
    assert code == 0 and said["done_before"] == 4 and changed == {"0.wav", "2.wav"}
    log = json.loads((out / "logs" / "deeper" / "3.json").read_text(encoding="utf-8"))
    assert log["state"] == "done" and log["result"]["seconds"] > 1 and log["seconds"] > 0


@pytest.mark.slow
def test_a_worker_that_is_killed_costs_a_retry(tmp_path):
    outcomes = {}
    with open_cluster(workers=2) as client:
        jobs = [Job("once", "a", (), str(tmp_path / "logs" / "once.json"), str(tmp_path / "tries" / "once")),
                Job("always", "a", (), str(tmp_path / "logs" / "always.json"), str(tmp_path / "tries" / "always"))]
        jobs += [Job(f"calm{n}", "a", (), str(tmp_path / "logs" / f"calm{n}.json"), str(tmp_path / "tries" / f"calm{n}"))
                 for n in range(6)]
        run_jobs(client, kill_me, jobs, lambda outcome, before: outcomes.__setitem__(outcome.name, outcome))
        assert len(outcomes) == 8 and all(outcomes[f"calm{n}"].state == DONE for n in range(6)), "beside the one that kills"
        assert outcomes["once"].state == DONE and outcomes["once"].result == {"tries": 2}
        assert outcomes["always"].state == LEFT_OUT and "it ended every worker that tried it" in outcomes["always"].reason
        run_jobs(client, half, [job_of(tmp_path, 8)], lambda outcome, before: outcomes.__setitem__(outcome.name, outcome))
        assert outcomes["job8"].result == {"half": 4.0}, "the cluster lives"


def wait_for(true, seconds=90.0):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "nothing came of it"
        time.sleep(0.05)


@pytest.mark.slow
def test_kills_of_a_worker_and_of_the_command(tmp_path):
    for seed in range(10):
        write_song(tmp_path / "songs" / f"{seed}.mid", seed, 60)
    out = tmp_path / "out"
    argv = ("render", tmp_path / "songs", "--preset", "violin", "--out", out, "--workers", 2)
    with subprocess.Popen(command(*argv), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        wait_for(lambda: any(out.glob("*.wav")))
        workers = [one for one in psutil.Process(process.pid).children(recursive=True)
                   if "spawn_main" in " ".join(one.cmdline())]
        assert len(workers) == 2
        workers[0].kill()  # -9
        wait_for(lambda: len(list(out.glob("*.wav"))) >= 4)
        still = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.wait()
    psutil.wait_procs(still, timeout=20)
    assert not any(one.is_running() for one in still), "workers end with their command"
    n_before = len(list((out / "logs").glob("*.json")))
    assert 1 <= n_before < 10
    with subprocess.Popen(command(*argv, "--json"), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        wait_for(lambda: len(list((out / "logs").glob("*.json"))) > n_before)
        one = next(one for one in psutil.Process(process.pid).children(recursive=True)
                   if "spawn_main" in " ".join(one.cmdline()))
        one.kill()
        said, told = process.communicate(timeout=200)
    result = json.loads(said)
    assert process.returncode == 0, told
    assert result["done"] == 10 and result["done_before"] == n_before and not result["left_out"]
    time.sleep(1.1)
    assert not [path for path in out.rglob(".*.part*")]
    code, said, _ = run(*argv)
    assert code == 0 and said["done_before"] == 10
    assert all(soundfile.info(path).frames > 48_000 for path in out.glob("*.wav"))


@pytest.mark.slow
def test_a_scheduler_that_is_killed_is_told_and_gone_on_from(tmp_path):
    for seed in range(8):
        write_song(tmp_path / "songs" / f"{seed}.mid", seed, 60)
    out, place = tmp_path / "out", tmp_path / "scheduler.json"
    started = []

    def start(*words):
        started.append(subprocess.Popen([sys.executable, "-m", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                        cwd=tmp_path))
        return started[-1]

    def cluster():
        place.unlink(missing_ok=True)
        scheduler = start("distributed.cli.dask_scheduler", "--port", "0", "--no-dashboard", "--scheduler-file", str(place))
        wait_for(place.exists)
        time.sleep(0.3)
        address = json.loads(place.read_text(encoding="utf-8"))["address"]
        start("distributed.cli.dask_worker", address, "--nworkers", "2", "--nthreads", "1", "--no-dashboard",
              "--death-timeout", "20")
        return scheduler, address

    try:
        scheduler, address = cluster()
        argv = ("render", tmp_path / "songs", "--preset", "violin", "--out", out)
        with subprocess.Popen(command(*argv, "--scheduler", address), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True) as process:
            wait_for(lambda: len(list((out / "logs").glob("*.json"))) >= 2)
            scheduler.kill()
            _, told = process.communicate(timeout=60)
        assert process.returncode == 2, told
        assert told.splitlines()[-1].startswith(f"batch: the scheduler at {address} is gone; what is done stays done")
        scheduler, address = cluster()
        code, said, told = run(*argv, "--scheduler", address)
        assert code == 0 and said["done"] == 8 and said["done_before"] >= 2, told
    finally:
        for process in started:
            for child in [*psutil.Process(process.pid).children(recursive=True)] if process.poll() is None else []:
                child.kill()
            process.kill()
            process.wait()


@pytest.mark.slow
def test_a_corpus_of_performances(tmp_path):
    write_song(tmp_path / "songs" / "a.mid", 1, 40)
    (tmp_path / "b.toml").write_text("performances = 7\nper_shard = 3\npresets = ['violin', 'trumpet']\nseconds = [1, 2]\n"
                                     "songs = 'songs'\nspeed = [0.8, 1.2]\n", encoding="utf-8")
    out = tmp_path / "corpus"
    code, said, told = run("corpus", tmp_path / "b.toml", "--out", out, "--workers", 2)
    assert code == 0 and said["done"] == 3, told
    rows = list(csv.DictReader((out / "manifest.csv").open(encoding="utf-8")))
    assert [row["key"] for row in rows] == [f"{n:08d}" for n in range(7)]
    wds = pytest.importorskip("webdataset")
    samples = list(wds.WebDataset(sorted(str(path) for path in out.glob("*.tar")), shardshuffle=False))
    assert [sample["__key__"] for sample in samples] == [row["key"] for row in rows]
    assert {"json", "mix.flac", "1.flac", "1.npz"} <= set(samples[0])
    shards = {path.name: path.read_bytes() for path in out.glob("*.tar")}
    next(out.glob("*.tar")).unlink()
    code, said, _ = run("corpus", tmp_path / "b.toml", "--out", out, "--workers", 2)
    assert code == 0 and said["done_before"] == 2
    assert {path.name: path.read_bytes() for path in out.glob("*.tar")} == shards


@pytest.mark.slow
def test_features_of_a_manifest_on_two_workers(tmp_path):
    with (tmp_path / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "instrument"), *((f"{seed}.wav", "reed") for seed in range(3))])
    for seed in range(3):
        soundfile.write(tmp_path / f"{seed}.wav", melody_take(2.0, 16_000, seed), 16_000)
    argv = ("features", tmp_path / "manifest.csv", "--out", tmp_path / "f", "--sample-rate", 16_000, "--workers", 2)
    code, said, told = run(*argv)
    assert code == 0 and said["done"] == said["shards"] == 1 and said["hours"] == pytest.approx(6 / 3600, abs=1e-3), told
    rows = list(csv.DictReader((tmp_path / "f" / "verdicts.csv").open(encoding="utf-8")))
    assert len(rows) == 3 and all(row["verdict"] != "left out" for row in rows)
    code, said, _ = run(*argv)
    assert code == 0 and "done" not in said, "nothing is listened to again"


@pytest.mark.slow
def test_takes_are_analysed_and_evaluated(tmp_path):
    (tmp_path / "takes").mkdir()
    for seed in range(2):
        soundfile.write(tmp_path / "takes" / f"{seed}.wav", melody_take(2.0, 48_000, seed), 48_000)
    (tmp_path / "takes" / "silent.wav").write_bytes(b"RIFF")
    code, said, _ = run("analyze", tmp_path / "takes", "--preset", "violin", "--out", tmp_path / "a", "--notes",
                        "--workers", 2)
    assert code == 0 and said["done"] == 2 and [one["name"] for one in said["left_out"]] == ["silent"]
    assert Performance.load(tmp_path / "a" / "1.npz").duration_s == pytest.approx(2.0, abs=0.1)
    assert (tmp_path / "a" / "1.mid").is_file()
    code, said, told = run("evaluate", tmp_path / "takes" / "0.wav", "--preset", "violin", "--preset", "flute", "--out",
                           tmp_path / "e", "--max-seconds", 2, "--workers", 2)
    assert code == 0 and said["done"] == 2, told
    assert json.loads((tmp_path / "e" / "flute" / "0" / "metrics.json").read_text(encoding="utf-8"))["preset"] == "flute"
