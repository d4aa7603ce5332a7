"""Several instruments at once: a folder of folders to takes that know who plays them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain, zip_longest
from pathlib import Path

from ddspvae.model.autoencoder import Autoencoder
from ddspvae.model.config import ModelConfig
from ddspvae.signals.checks import InputError
from ddspvae.training.dataset import Take
from ddspvae.training.doctor.examine import Report
from ddspvae.training.prepare import Prepared, prepare
from ddspvae.training.recordings import ENDINGS

MOST_TIMBRE = 8  # numbers that tell instruments apart
MOST_HARMONICS = 200  # that all share; the lowest notes of the lowest instrument then end below 16 kHz


def find_instruments(recordings: str | Path | Sequence[str | Path]) -> list[Path]:
    """The folders of instruments: those in a folder that hold recordings, anywhere below, sorted; or those given.

    Raises:
        InputError: there are fewer than two, or one cannot be called by its name.
    """
    roots = [Path(recordings)] if isinstance(recordings, (str, Path)) else [Path(path) for path in recordings]
    for root in roots:
        if not root.is_dir():
            raise InputError(f"train: {root} is no folder; --many wants one with a folder for each instrument.")
    found = [root for root in roots if _has_recordings(root)]
    if len(roots) == 1:
        found = sorted(inside for inside in roots[0].iterdir() if inside.is_dir() and not inside.name.startswith(".")
                       and _has_recordings(inside))
    if len(found) < 2:
        raise InputError(f"train: {roots[0]} holds {len(found)} folders with recordings, and --many wants one for each of "
                         "several instruments; for one instrument leave --many out.")
    for at, folder in enumerate(found):
        if any(sign in folder.name for sign in (":", "+", "..")):
            raise InputError(f"train: the folder {folder} gives its instrument a name with ':', '+' or '..', which mean "
                             "something in a preset's name; rename it.")
        if folder.name in [other.name for other in found[:at]]:
            raise InputError(f"train: two folders are called {folder.name}; rename one, the instruments take their names.")
    return found


def _has_recordings(folder: Path) -> bool:
    return any(path.suffix.lower() in ENDINGS for path in folder.rglob("*"))


def prepare_folders(recordings: str | Path | Sequence[str | Path], holdout: Sequence[str | Path], tracker: str,
                    model: ModelConfig, show: Callable[[Report], None] | None = None) -> Prepared:
    """`prepare` for a folder with a folder for each instrument, or for several such folders."""
    return prepare_many(find_instruments(recordings), holdout, tracker, model, show)


def prepare_many(folders: Sequence[Path], holdout: Sequence[str | Path], tracker: str, model: ModelConfig,
                 show: Callable[[Report], None] | None = None) -> Prepared:
    """`prepare` for every instrument, together.

    Args:
        folders: one for each instrument, whose name it takes.
        holdout, tracker, model, show: as for `prepare`; n_timbre is replaced, and its axes come on top of n_z.
    """
    left_out = [Path(path).resolve() for path in holdout]
    parts: list[Prepared] = []
    for folder in folders:
        inside = [path for path in left_out if folder.resolve() in path.parents]
        left_out = [path for path in left_out if path not in inside]
        parts.append(_named(prepare(folder, inside, tracker, replace(model, by_room=False), show), folder.name))
    if left_out:
        raise InputError(f"train: --holdout {left_out[0]} is in none of the folders of instruments; to leave a whole "
                         "instrument out, move its folder away.")
    rooms: tuple[str, ...] = tuple(chain.from_iterable(part.model.rooms for part in parts))
    n_timbre = min(MOST_TIMBRE, len(folders) - 1)
    return Prepared(
        training=[take for part in parts for take in part.training],
        # in turns: a measurement of the first few hears as many instruments as it can
        validation=[take for row in zip_longest(*(part.validation for part in parts)) for take in row if take is not None],
        tracker=tracker, holdout=[name for part in parts for name in part.holdout],
        model=replace(model, n_harmonics=min(MOST_HARMONICS, max(part.model.n_harmonics for part in parts)), rooms=rooms,
                      n_z=model.n_z + n_timbre, n_timbre=n_timbre, by_room=False),
        licence=sorted({licence for part in parts for licence in part.licence}),
        credits=[credit for part in parts for credit in part.credits])


def _named(part: Prepared, name: str) -> Prepared:
    """Takes and rooms that know whose they are."""
    training, validation = ([replace(take, instrument=name, room=f"{name}/{take.room}") for take in takes]
                            for takes in (part.training, part.validation))
    rooms = tuple(f"{name}/{room}" for room in part.model.rooms)
    credits = [{**credit, "file": f"{name}/{credit['file']}"} for credit in part.credits]
    return replace(part, training=training, validation=validation, model=replace(part.model, rooms=rooms), credits=credits)


def give_codes(network: Autoencoder, prepared: Prepared) -> Prepared:
    """Fit what the network tells instruments apart by; every take gets the code of its instrument."""
    heard = [take.heard() for take in prepared.training]
    names = [take.instrument for take in prepared.training]
    network.timbre.fit(heard, names)
    codes = {}
    for name in sorted(set(names)):
        codes[name] = network.timbre.hear([one for one, own in zip(heard, names) if own == name])

    def coded(takes: Sequence[Take]) -> list[Take]:
        return [replace(take, code=codes[take.instrument]) for take in takes]

    return replace(prepared, training=coded(prepared.training), validation=coded(prepared.validation))
