"""Damaged inputs that are led by what they reach in the code, with atheris where it is installed (it is no part of `dev`).

    python -m tests.attack.coverage midi [--seconds 60]

One reader a process: libFuzzer ends it. What it finds is printed, and the input kept as crash-*.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import warnings
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("target")
    parser.add_argument("--seconds", type=int, default=60)
    args = parser.parse_args()
    try:
        import atheris
    except ImportError:
        sys.exit("coverage: atheris is not installed; pip install atheris, which has wheels for Linux.")
    with atheris.instrument_imports(include=["ddspvae"]):
        from ddspvae import InputError
        from tests.attack.readers import targets
    warnings.simplefilter("ignore")
    folder = Path(tempfile.mkdtemp())  # libFuzzer leaves without a word, so nothing can clear it
    os.environ["DDSPVAE_CACHE"] = str(folder / "cache")
    known = {target.name: target for target in targets(folder)}
    if args.target not in known:
        sys.exit(f"coverage: the target must be one of {', '.join(known)}, got '{args.target}'.")
    target, seeds = known[args.target], folder / "seeds"
    seeds.mkdir()
    for number, seed in enumerate(target.seeds):
        (seeds / str(number)).write_bytes(seed)
    path = folder / f"x{target.ending}"

    def read(data: bytes) -> None:
        path.write_bytes(data)
        try:
            target.read(path)
        except InputError as error:
            if "\n" in str(error).strip() and target.name != "preset":
                raise AssertionError("more than one line") from error

    atheris.Setup([sys.argv[0], str(seeds), f"-max_total_time={args.seconds}"], read)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
