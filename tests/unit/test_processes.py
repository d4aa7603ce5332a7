"""Two processes that share a batch take the steps of one that has all of it; any number goes on where others stopped."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time

import pytest
import soundfile
import torch

from ddspvae.instrument.presets import read_card
from ddspvae.model.config import ModelConfig
from ddspvae.model.together import Share, draw_normal, mean_over_processes, sharing
from ddspvae.signals.checks import InputError
from ddspvae.training.loop import check_batch
from ddspvae.training.processes import Processes, joined

from ..conftest import ROOT, melody_take
from ..two_processes import RATE, learn, steps

psutil = pytest.importorskip("psutil")


def test_noise_of_a_row_is_the_same_wherever_the_row_is():
    like = torch.zeros(())
    torch.manual_seed(3)
    whole = draw_normal((8, 5, 3), like)
    for rank in range(4):
        torch.manual_seed(3)
        with sharing(Share(rank, 4)):
            assert torch.equal(draw_normal((2, 5, 3), like), whole[2 * rank : 2 * rank + 2])
    assert mean_over_processes(like) is like, "nobody is asked where nothing is shared"
    assert [list(Share(rank, 2).rows(8)) for rank in (0, 1)] == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_one_process_needs_no_others(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with joined(torch.device("cpu")) as processes:
        assert processes == Processes(0, 1) and processes.leads and processes.share is None
        assert processes.agree("a") == "a" and processes.agree_number(2.5, torch.device("cpu")) == 2.5
    assert not torch.distributed.is_initialized()


def test_batches_that_cannot_be_shared():
    assert check_batch(8, 2, ModelConfig()) == 8
    with pytest.raises(InputError, match="a batch of 8 cannot be shared evenly by 3 processes"):
        check_batch(8, 3, ModelConfig())
    with pytest.raises(InputError, match="the codebooks of vq learn from whole batches"):
        check_batch(8, 2, ModelConfig(bottleneck="vq"))
    assert check_batch(8, 1, ModelConfig(bottleneck="vq")) == 8


def torchrun(n, *argv, **options):
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    return subprocess.Popen([sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(n),
                             *map(str, argv)], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


DETAILS = "decoder.detail_head.weight"


@pytest.fixture(scope="module")
def takes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("takes")
    for seed in range(3):
        soundfile.write(folder / f"{seed}.wav", melody_take(5.0, RATE, seed), RATE)
    return folder


@pytest.mark.slow
def test_gradients_of_two_times_four_are_those_of_one_times_eight(takes, tmp_path):
    process = torchrun(2, ROOT / "tests" / "two_processes.py", "steps", takes, tmp_path / "two")
    _, told = process.communicate(timeout=300)
    assert process.returncode == 0, told
    two = torch.load(tmp_path / "two")
    alone = steps(takes, two)  # each step from the same weights: what rounding makes of them is not what is asked
    for step, (one, shared) in enumerate(zip(alone, two)):
        assert set(one) == set(shared), "the same weights learn"
        for name, expected in one.items():
            scale = max(float(expected.abs().max()), 1e-3)  # the largest in the tensor
            assert float((shared[name] - expected).abs().max()) <= 1e-5 * scale, (step, name)
    details = [float(found[DETAILS].abs().max()) if DETAILS in found else 0.0 for found in (alone[0], alone[-1])]
    assert details[0] == 0 < details[1], "details have begun on the way"


@pytest.mark.slow
def test_any_number_of_processes_goes_on_and_nothing_is_repeated(takes, tmp_path, monkeypatch):
    for name, value in (("training.loop.SAVE_EVERY_S", 0.0), ("training.export.PRIOR_STEPS", 5)):
        monkeypatch.setattr(f"ddspvae.{name}", value)  # as `learn` does for good
    script, out, alone = ROOT / "tests" / "two_processes.py", tmp_path / "two.safetensors", tmp_path / "one.safetensors"
    process = torchrun(2, script, "train", takes, out, 20)
    learn(takes, alone)
    process.communicate(timeout=600)
    assert process.returncode != 0 and not out.exists()
    with pytest.raises(SystemExit):
        learn(takes, out, 30)
    process = torchrun(2, script, "train", takes, out)
    _, told = process.communicate(timeout=600)
    assert process.returncode == 0, told
    card, expected = read_card(out), read_card(alone)
    assert card["training"]["batch_size"] == 8 and card["training"]["steps_done"] == 40
    rows, wanted = card["metrics"]["log"], expected["metrics"]["log"]
    assert [row["step"] for row in rows] == [row["step"] for row in wanted] == list(range(4, 41, 4))
    for row, want in zip(rows, wanted):
        assert row["validation_loss"] == pytest.approx(want["validation_loss"], rel=1e-3)
        assert row["training_loss"] == pytest.approx(want["training_loss"], rel=1e-3)


def train(n, *argv):
    return torchrun(n, "-m", "ddspvae", "train", *argv, "--sample-rate", RATE, "--device", "cpu")


@pytest.mark.slow
def test_one_that_dies_takes_the_run_down_with_a_sentence(takes, tmp_path):
    out = tmp_path / "two.safetensors"
    process = train(2, takes, "--out", out, "--minutes", 30, "--seed", 1)
    end = time.monotonic() + 200
    log = tmp_path / "two.training" / "tensorboard"
    while not (log.is_dir() and any(log.iterdir())):
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.1)
    time.sleep(3.0)
    ranks = {}
    for child in psutil.Process(process.pid).children(recursive=True):
        env = child.environ()
        if "RANK" in env and "train" in child.cmdline():
            ranks[int(env["RANK"])] = child
    os.kill(ranks[1].pid, signal.SIGKILL)
    _, told = process.communicate(timeout=120)
    assert process.returncode != 0 and not any(one.is_running() for one in ranks.values())
    sentence = [line for line in told.splitlines() if line.startswith("train: another process of this run has ended")]
    assert sentence or re.search("terminated", told), told
    assert not out.exists()
