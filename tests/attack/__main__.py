"""Attack every reader, every verb that writes, and streams: `make attack`.

    python -m tests.attack [--minutes 30] [--only midi audio ... stream kills disks memory] [--seed 1] [--keep found/]

Readers get half of the time, the other campaigns an eighth each:
- readers get mutations of small, right inputs (flipped bits, numbers at their ends, pieces cut, doubled and spliced) and
  must give a result or an InputError of one line. Addresses are capped at 3 GB beyond what torch maps.
- verbs that write are killed at random moments, and run on a full disk.
- commands get inputs of up to 1 MB that ask for much, and may take 1 GB more than what is loaded.
- streams get any messages in any blocks (hypothesis), and are compared with themselves and with the offline render.

Anything else is a finding: the input is kept where there is one, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import torch

from tests.attack.children import make_inputs
from tests.attack.readers import attack, targets
from tests.attack.states import attack_streams

MOST_BYTES = 11 << 30  # of addresses: torch maps 8 GB and uses little of them
OTHERS = ("stream", "kills", "disks", "memory")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--only", nargs="+", default=[])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path("found"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    chance = random.Random(args.seed)
    rows, n_found = [], 0
    wanted = [name for name in OTHERS if not args.only or name in args.only]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        os.environ["DDSPVAE_CACHE"] = str(folder / "cache")
        readers = [one for one in targets(folder) if not args.only or one.name in args.only]
        seconds = 60 * args.minutes / (len(wanted) + len(OTHERS) * bool(readers))
        try:
            if hasattr(os, "fork"):  # first: its children begin with what is loaded by then
                for campaign in (_kills, _disks, _memory):
                    if campaign.__name__[1:] in wanted:
                        rows_of, found = campaign(folder, chance, seconds, args.keep)
                        rows += rows_of
                        n_found += len(found)
                        print(*found, sep="\n", end="\n" if found else "", flush=True)
            if "stream" in wanted:
                n_streams, found = _streams(seconds)
                rows.append(f"| stream | {n_streams} streams of each kind | {len(found)} findings |")
                n_found += len(found)
                print(*found, sep="\n", end="\n" if found else "", flush=True)
            if readers:
                _cap_addresses()
                counts = {target.name: [0, 0] for target in readers}
                end = time.monotonic() + len(OTHERS) * seconds
                while time.monotonic() < end:
                    for target in readers:
                        n, found_here = attack(target, folder, chance, args.keep)
                        counts[target.name][0] += n
                        counts[target.name][1] += found_here
                        n_found += found_here
                rows += [f"| {name} | {n} inputs | {found_here} findings |" for name, (n, found_here) in counts.items()]
                rows.append(f"{sum(n for n, _ in counts.values())} inputs of readers")
        except KeyboardInterrupt:
            print("stopped.")
    print(*rows, sep="\n")
    print(f"{n_found} findings")
    sys.exit(1 if n_found else 0)


def _take_turns(turn: Callable[[random.Random], int], chance: random.Random, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        turn(chance)


def _kills(folder: Path, chance: random.Random, seconds: float, keep: Path) -> tuple[list[str], list[str]]:
    from tests.attack.kills import Kills

    make_inputs(folder / "inputs")
    kills = Kills(folder / "kills", folder / "inputs", _short(seconds))
    _take_turns(kills.turn, chance, seconds)
    return kills.table(), kills.faults


def _disks(folder: Path, chance: random.Random, seconds: float, keep: Path) -> tuple[list[str], list[str]]:
    from tests.attack.disks import FullDisks

    make_inputs(folder / "inputs")
    disks = FullDisks(folder / "disks", folder / "inputs", _short(seconds))
    try:
        _take_turns(disks.turn, chance, seconds)
    finally:
        disks.close()
    return disks.table(), disks.faults


def _memory(folder: Path, chance: random.Random, seconds: float, keep: Path) -> tuple[list[str], list[str]]:
    import ddspvae.audio
    import ddspvae.instrument.loading  # noqa: F401 - so that children begin with it
    from tests.attack.memory import Bombs

    make_inputs(folder / "inputs")
    bombs = Bombs(folder / "memory", folder / "inputs", keep)
    _take_turns(bombs.turn, chance, seconds)
    return bombs.table(), bombs.faults


def _short(seconds: float) -> tuple[str, ...]:
    """In two minutes a training has no room."""
    from tests.attack.children import VERBS

    return () if seconds > 60 else tuple(verb.name for verb in VERBS if verb.is_exact)


def _streams(seconds: float) -> tuple[int, list[str]]:
    end, n_streams = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        found = attack_streams(5)
        n_streams += 5
        if found:
            return n_streams, found
    return n_streams, []


def _cap_addresses() -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, resource.RLIM_INFINITY))


if __name__ == "__main__":
    main()
