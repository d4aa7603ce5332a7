"""Which files a batch works on, what each becomes, and the verb that a worker runs on one of them."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib
import io
import json
import os
import warnings
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddspvae.batch.jobs import Job
from ddspvae.commands.paths import check_paths, files_read
from ddspvae.signals.checks import InputError

LOGS = "logs"


@dataclass(frozen=True)
class Source:
    """A file, and its path without ending below the folder that was named."""

    path: Path
    below: Path


@dataclass(frozen=True)
class Work:
    """A verb, and the options of the batch that it does not have."""

    verb: str
    own: tuple[str, ...]


def find_sources(roots: Sequence[str], endings: Sequence[str], out: str) -> list[Source]:
    """The files below folders, and files named one by one, each once, sorted; hidden ones are skipped.

    Raises:
        InputError: a path is missing, a folder holds none of such files, two files would become one, or the folder of the
            results lies in one of those, where its tables would be taken for sources the next time.
    """
    found: dict[Path, Source] = {}
    for root in map(Path, roots):
        if root.is_dir():
            if Path(out).resolve().is_relative_to(root.resolve()):
                raise InputError(f"batch: --out {out} lies in {root}, which is read; choose a folder beside it.")
            inside = sorted(path for path in root.rglob("*") if path.suffix.lower() in endings and path.is_file()
                            and not any(part.startswith(".") for part in path.relative_to(root).parts))
            if not inside:
                raise InputError(f"batch: {root} holds none of {', '.join(endings)}.")
            for path in inside:
                found.setdefault(path.resolve(), Source(path, path.relative_to(root).with_suffix("")))
        elif root.is_file():
            found.setdefault(root.resolve(), Source(root, Path(root.stem)))
        else:
            raise InputError(f"batch: no file or folder {root}.")
    becomes: dict[Path, Path] = {}
    for source in found.values():
        other = becomes.setdefault(source.below, source.path)
        if other != source.path:
            raise InputError(f"batch: {other} and {source.path} would both become {source.below}; rename one.")
    return list(found.values())


def check_folder(out: str) -> Path:
    """The folder of the results, made where it is missing.

    Raises:
        InputError: it cannot be made or written.
    """
    folder = Path(out).absolute()
    try:
        (folder / LOGS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"batch: cannot make the folder {out} ({error.strerror}); choose another --out.") from error
    if not os.access(folder, os.W_OK):
        raise InputError(f"batch: the folder {out} cannot be written; choose another --out.")
    return folder


def source_jobs(args: Namespace, work: Work, sources: Iterable[Source],
                one: Callable[[Source, Path], tuple[Namespace, list[Path]]], below: str = "") -> Iterator[Job]:
    """A job a source, made when it is asked for.

    Args:
        args: of the batch.
        work: the verb.
        one: a source and the path of its results, without an ending, to the verb's options of its own and its outputs.
        below: a folder in the results' folder.
    """
    folder = check_folder(args.out)
    shared = {name: value for name, value in vars(args).items() if name not in work.own}
    settings = _settings(Namespace(**{**shared, "out": None}))
    for source in sources:
        name = Path(below) / source.below
        to = folder / name
        own, outputs = one(Source(source.path.absolute(), source.below), to)
        options = Namespace(**{**shared, **vars(own), "verb": work.verb, "json": True})
        check_paths(options)
        key = _key([work.verb, settings, digest(source.path)])
        yield Job(str(name), key, tuple(str(path) for path in outputs), str(folder / LOGS / f"{name}.json"), options)


def chain_jobs(jobs: Iterable[Iterable[Job]]) -> Iterator[Job]:
    """One after the other."""
    for some in jobs:
        yield from some


def label_of(preset: str) -> str:
    """A folder's name for an instrument."""
    name = Path(preset).name.removesuffix(".safetensors")
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in name)


def do_verb(options: Namespace) -> dict[str, Any]:
    """Run a verb on one file, on a worker; gives what it prints with --json, and raises what it raises."""
    said, told = io.StringIO(), io.StringIO()
    for path in (options.out, getattr(options, "stems", None)):
        if path:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(told):
        check_paths(options)
        importlib.import_module(f"ddspvae.commands.{options.verb}").run(options)
    for line in told.getvalue().splitlines():
        warnings.warn(line, stacklevel=2)
    result: dict[str, Any] = json.loads(said.getvalue().splitlines()[-1])
    return result


def _settings(args: Namespace) -> str:
    """Everything but the source that decides a result: version, options, and what is in the files that they name."""
    import ddspvae
    from ddspvae.instrument.presets import find_preset, list_presets, split_timbre

    values = {name: value for name, value in sorted(vars(args).items()) if name not in ("out", "json", "func")}
    files = {str(path): digest(path) for path in files_read(args)}
    named = [getattr(args, "preset", None), *(option.partition("=")[2] for option in getattr(args, "track", []))]
    presets = [name for name in named if name and name not in ("auto", "off")]
    if getattr(args, "preset", None) == "auto":
        presets += list_presets()
    for name in presets:
        path = find_preset(split_timbre(name)[0])
        files[str(path)] = digest(path)
    return json.dumps([ddspvae.__version__, values, files], default=str, sort_keys=True)


def _key(parts: Sequence[str]) -> str:
    from ddspvae.features.cache import content_key

    return content_key(parts)


@functools.lru_cache(maxsize=64)
def digest(path: Path) -> str:
    """SHA-256 of a file's content."""
    found = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while piece := file.read(1 << 20):
                found.update(piece)
        return found.hexdigest()
    except OSError as error:
        raise InputError(f"batch: cannot read {path} ({error.strerror}).") from error
