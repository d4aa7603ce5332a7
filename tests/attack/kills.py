"""`kill -9` at any moment: nothing that lay there is lost or half written, and the same command then succeeds."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import torch

from ddspvae.instrument.presets import read_card
from ddspvae.training.checkpoint import read_state
from tests.attack.children import Verb, contents, is_left_over, kill, prepare_all, restore, run_verb, sentences, wait


def save_often() -> None:
    """A run that lasts seconds saves its state after every step."""
    from ddspvae.training import loop

    loop.SAVE_EVERY_S = 0.0


class Kills:
    """Kills each verb in turn; `faults` holds what went wrong.

    Args:
        folder: to work in.
    """

    def __init__(self, folder: Path, inputs: Path, names: tuple[str, ...] = ()) -> None:
        self.folder, self.inputs, self.log = folder, inputs, folder / "log.txt"
        folder.mkdir(exist_ok=True)
        self.verbs, self.faults = prepare_all(names, inputs, folder, self.log)
        self.counts: dict[str, list[int]] = {verb.name: [0, 0, 0] for verb in self.verbs}  # kills, in time, leftovers

    def turn(self, chance: random.Random) -> int:
        """Kill every verb once; how many faults that found."""
        before = len(self.faults)
        for verb in self.verbs:
            out = self.folder / verb.name
            self.faults += [f"{verb.name}: {fault}" for fault in self._kill(verb, out, chance)]
        return len(self.faults) - before

    def _kill(self, verb: Verb, out: Path, chance: random.Random) -> list[str]:
        keeps_run = not verb.is_exact and chance.random() < 0.6  # the next one resumes what the last one left
        run = {name: data for name, data in contents(out).items() if ".training" in name} if keeps_run else {}
        restore(out, {**verb.old, **run})
        inputs = contents(self.inputs)
        could_resume = _generations(out)
        child = run_verb(verb.argv(out), self.inputs, self.log, save_often)
        time.sleep(chance.uniform(0, 1.1) * verb.seconds)
        code = kill(child)
        self.counts[verb.name][0] += 1
        self.counts[verb.name][1] += code < 0
        faults = [f"wrote to its input {name}" for name, data in contents(self.inputs).items() if inputs.get(name) != data]
        after = contents(out)
        for name, data in verb.old.items():
            if name not in after:
                faults.append(f"{name} is gone")
                continue
            is_new = after[name] == verb.new[name] if verb.is_exact else _is_instrument(out / name)
            if after[name] != data and not is_new:
                faults.append(f"{name} is neither the old file nor the new")
        left = [name for name in after if is_left_over(name)]
        self.counts[verb.name][2] += bool(left)
        faults += [f"left {name}" for name in after if name not in verb.new and name not in left and ".training" not in name]
        if could_resume and not _generations(out):
            faults.append("no checkpoint can be read any more")
        for name in left:  # a second old, so that its writer is known to be gone
            os.utime(out / name, (time.time() - 2,) * 2)
        code = wait(run_verb(verb.argv(out), self.inputs, self.log, save_often))
        if code != 0:
            faults.append(f"the same command then ends with {code}: {' '.join(sentences(self.log))[-300:]}")
            return faults
        again = contents(out)
        faults += [f"{name} is still left" for name in again if is_left_over(name)]
        faults += [f"{name} is not what an undisturbed run writes" for name, data in verb.new.items()
                   if verb.is_exact and again.get(name) != data]
        faults += [f"{name} is still the old one" for name, data in verb.old.items() if again.get(name) == data]
        if not verb.is_exact and not (_is_instrument(out / verb.targets[0]) and _generations(out)):
            faults.append("no instrument or no checkpoint after the run")
        return faults

    def table(self) -> list[str]:
        """A row a verb."""
        return [f"| kill -9: {name} | {n} kills, {in_time} while at work, {left} left a temporary file |"
                for name, (n, in_time, left) in self.counts.items()]


def _generations(out: Path) -> int:
    """How many states of a training run can be read."""
    return sum(read_state(path, torch.device("cpu")) is not None for path in out.glob("*.training/state*.pt"))


def _is_instrument(path: Path) -> bool:
    try:
        return bool(read_card(path))
    except Exception:
        return False
