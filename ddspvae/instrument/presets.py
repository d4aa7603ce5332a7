"""Instruments as single files: find, load, save."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddspvae.model.by_room import SETTLED, TYPICAL
from ddspvae.signals.checks import InputError, check_choice
from ddspvae.signals.files import new_file

FILE_FORMAT = 5
SUFFIX = ".safetensors"


def presets_folder() -> Path:
    """Where the shipped instruments are: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parent.parent
    installed = package / "shipped"
    return installed if installed.is_dir() else package.parent / "presets"


def list_presets() -> list[str]:
    """Names of the shipped presets, sorted."""
    return sorted(path.stem for path in presets_folder().glob(f"*{SUFFIX}"))


def read_cards() -> dict[str, dict[str, Any]]:
    """What the shipped presets of one instrument say of themselves, by name."""
    cards = {name: read_card(find_preset(name)) for name in list_presets()}
    return {name: card for name, card in cards.items() if not card.get("timbres")}


def split_timbre(name: str | Path) -> tuple[str | Path, str]:
    """A model of many instruments and which of them: what is behind the colon, if anything.

    >>> split_timbre("ensemble:violin+flute"), split_timbre("violin")
    (('ensemble', 'violin+flute'), ('violin', ''))
    """
    drive = re.match(r"[A-Za-z]:[\\/]", str(name))
    at = str(name).find(":", drive.end() if drive else 0)
    before, timbre = str(name)[:at], str(name)[at + 1 :]
    if at < 0 or str(name).endswith(SUFFIX):
        return name, ""
    if not timbre:
        raise InputError(f"load: {name} ends with a colon; name the instrument behind it, or leave the colon out.")
    return before, timbre


def find_preset(name: str | Path) -> Path:
    """The file of a shipped instrument, or of one's own.

    Args:
        name: "violin", or the path of a .safetensors file.
    Raises:
        InputError: neither; suggests the nearest name.
    """
    whole, timbre = split_timbre(name)
    if timbre and not os.path.isfile(name):
        raise InputError(f"load: {name} is an instrument inside of {whole}; here only a whole preset or file will do.")
    if str(name).endswith(SUFFIX) or len(Path(name).parts) > 1:
        path = Path(name)
        if not os.path.isfile(path):
            raise InputError(f"load: no instrument file {path}.")
        return path
    check_choice("load", "preset", str(name), list_presets())
    return presets_folder() / f"{name}{SUFFIX}"


def read_card(path: Path) -> dict[str, Any]:
    """What the file says of itself, without reading the weights (or importing torch).

    Raises:
        InputError: corrupt, not an instrument, or from a newer version.
    """
    try:
        with path.open("rb") as file:
            # safetensors: 8 bytes of little-endian length, then a JSON header
            size = int.from_bytes(file.read(8), "little")
            if not 2 <= size <= 10_000_000:
                raise ValueError("no safetensors header; a renamed pickle?")
            header = json.loads(file.read(size))
        card = json.loads(header["__metadata__"]["ddspvae"])
    except OSError as error:
        raise InputError(f"load: cannot read {path} ({error.strerror}).") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"load: {path} is not a ddspvae instrument ({error}).") from error
    if not isinstance(card, dict) or not isinstance(card.get("format"), int):
        raise InputError(f"load: {path} is not a ddspvae instrument (its card has no format).")
    if card["format"] > FILE_FORMAT:
        raise InputError(f"load: {path} is from a newer ddspvae (format {card['format']}); "
                         "upgrade with pip install -U ddspvae.")
    if card["format"] < FILE_FORMAT:
        raise InputError(f"load: {path} is from an older ddspvae (format {card['format']}), whose instruments sound another "
                         "way here; train it again from its recordings.")
    return card


def read_weights(path: Path) -> dict[str, NDArray[np.float32]]:
    """The weights, as float32."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return {name: array.astype(np.float32) for name, array in load_file(path).items()}
    except (SafetensorError, OSError) as error:
        raise InputError(f"load: {path} is corrupt ({error}); get it again.") from error


def save_instrument(path: Path, weights: Mapping[str, Any], card: Mapping[str, Any]) -> None:
    """Write one file, under a temporary name until it is whole; weights, tensors or arrays, in half precision."""
    from safetensors import SafetensorError
    from safetensors.numpy import save

    half = {name: np.array(array, dtype=np.float16, order="C") for name, array in arrays_of(weights).items()}
    try:
        with new_file(path) as part:
            part.write_bytes(save(half, metadata={"ddspvae": json.dumps({"format": FILE_FORMAT, **card})}))
    except (OSError, SafetensorError) as error:
        raise InputError(f"save: cannot write {path} ({error}).") from error


def arrays_of(weights: Mapping[str, Any]) -> dict[str, NDArray[np.float32]]:
    """Tensors of a model's state as arrays; what is one already stays."""
    return {name: weight.detach().cpu().numpy() if hasattr(weight, "detach") else weight for name, weight in weights.items()}


def fingerprint(weights: Mapping[str, NDArray[np.float32]]) -> str:
    """A name for these weights: z means the same only to the network that wrote it, in whichever of its rooms."""
    digest, left_out = hashlib.sha256(), SETTLED if TYPICAL in weights else frozenset[str]()
    for key, array in sorted((key, array) for key, array in weights.items() if key not in left_out):
        digest.update(key.encode())
        digest.update(array.astype(np.float16).tobytes())
    return digest.hexdigest()[:16]
