"""A full disk: one sentence, exit code 2, and the old file as it was."""

from __future__ import annotations

import contextlib
import random
import resource
import shutil
import subprocess
import sys
from pathlib import Path

from tests.attack.children import Verb, contents, is_left_over, prepare_all, restore, run_verb, sentences, wait

BYTES = 48 << 20  # of the file system: two states of a training run


class FullDisks:
    """Runs each verb in turn with too little room; `faults` holds what went wrong.

    A file system in memory where this user may mount one, else a limit on the length of a file.
    """

    def __init__(self, folder: Path, inputs: Path, names: tuple[str, ...] = ()) -> None:
        self.folder, self.inputs, self.log = folder, inputs, folder / "log.txt"
        folder.mkdir(exist_ok=True)
        self.disk = folder / "disk"
        self.disk.mkdir(exist_ok=True)
        self.is_mounted = sys.platform == "linux" and subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={BYTES}", "tmpfs", str(self.disk)], capture_output=True,
            check=False).returncode == 0
        self.verbs, self.faults = prepare_all(names, inputs, folder, self.log)
        self.counts: dict[str, list[int]] = {verb.name: [0, 0] for verb in self.verbs}  # runs, that found no room

    def turn(self, chance: random.Random) -> int:
        """Every verb once; how many faults that found."""
        before = len(self.faults)
        for verb in self.verbs:
            self.faults += [f"{verb.name}: {fault}" for fault in self._fill(verb, chance)]
        return len(self.faults) - before

    def _fill(self, verb: Verb, chance: random.Random) -> list[str]:
        out = self.disk / "out"
        shutil.rmtree(out, ignore_errors=True)
        restore(out, verb.old)
        largest = max(map(len, verb.new.values()))
        room = int(chance.random() ** 2 * largest)
        ballast = self.disk / "ballast"
        if self.is_mounted:
            with ballast.open("wb") as file, contextlib.suppress(OSError):
                file.write(bytes(max(0, shutil.disk_usage(self.disk).free - room)))
            code = wait(run_verb(verb.argv(out), self.inputs, self.log))
            ballast.unlink()
        else:
            code = wait(run_verb(verb.argv(out), self.inputs, self.log, lambda: resource.setrlimit(
                resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))))
        said, after = sentences(self.log), contents(out)
        counts = self.counts[verb.name]
        counts[0] += 1
        if code == 0:  # there was room
            return [f"{name} is not what it should be, and the exit code is 0" for name, data in verb.new.items()
                    if verb.is_exact and after.get(name) != data]
        counts[1] += 1
        faults = [] if code == 2 else [f"exit {code} with {room} bytes of room"]
        if not said or (len(said) > 1 and verb.name != "train") or any("Traceback" in line for line in said):
            faults.append(f"{len(said)} sentences with {room} bytes of room: {' / '.join(said)[-1600:]}")
        faults += [f"{name} is not the old file any more, with {room} bytes of room" for name, data in verb.old.items()
                   if after.get(name) != data]
        return faults + [f"{name} is left" for name in after if is_left_over(name)]

    def close(self) -> None:
        """Take the file system away."""
        if self.is_mounted:
            subprocess.run(["umount", str(self.disk)], capture_output=True, check=False)

    def table(self) -> list[str]:
        """A row a verb."""
        how = f"tmpfs of {BYTES >> 20} MB" if self.is_mounted else "RLIMIT_FSIZE"
        return [f"| full disk ({how}): {name} | {n} runs, {full} without room |" for name, (n, full) in self.counts.items()]
