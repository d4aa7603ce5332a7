"""Open an instrument: a shipped one by name, a file of one's own, or one of many inside of a model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ddspvae.features.statistics import Statistics
from ddspvae.instrument.instrument import Instrument
from ddspvae.instrument.presets import find_preset, read_card, read_weights, split_timbre
from ddspvae.instrument.stored import Stored
from ddspvae.model.config import ModelConfig
from ddspvae.performer.gestures import Gestures
from ddspvae.plucked.curves import Rings
from ddspvae.plucked.model import Plucks
from ddspvae.signals.checks import InputError
from ddspvae.signals.registry import check_plugins

if TYPE_CHECKING:
    from ddspvae.model.autoencoder import Autoencoder


def load(name: str | Path, room: str | None = None) -> Instrument:
    """Load a shipped instrument by name, or a file of one's own.

    Args:
        name: "violin", or the path of a .safetensors file. A model of many instruments holds them after a colon:
            "ensemble:violin", "ensemble:violin+flute" for one between the two, with shares of three or more
            "ensemble:violin*0.5+flute*0.3+cello*0.2", "ensemble:violin..flute" for one that turns from the first into the
            second while a score or a take is played, "ensemble:take.wav" for the one that plays in a recording.
        room: which of its learned rooms to play in; None takes the first; inside a model of many that of the instrument,
            of the first of two, or of the one that sounds most like the recording.
    Raises:
        InputError: unknown name or room, or a file that is corrupt, no instrument, or from a newer version.
    """
    return _load(name, room, only_play=False)


def load_to_play(name: str | Path, room: str | None = None) -> Instrument:
    """As `load`, for who only plays: the network is not built before something else is asked for.

    So torch is not needed, nor waited for; and a file whose encoder does not fit its config is found out only then.
    """
    return _load(name, room, only_play=True)


def _load(name: str | Path, room: str | None, only_play: bool) -> Instrument:
    name, timbre = split_timbre(name)
    path = find_preset(name)
    card = read_card(path)
    for key, kind in (("plugins", dict), ("trimmed_axes", list), ("timbres", dict), ("axes", dict)):
        if not isinstance(card.get(key, kind()), kind):
            raise InputError(f"load: {path} is not a ddspvae instrument (its card has no readable {key}).")
    check_plugins(f"load: {path}", card.get("plugins", {}))
    stored = read_weights(path)
    try:
        config = ModelConfig.from_dict(card["config"])
        Statistics.from_dict(card["statistics"])
        tracker = str(card["tracker"])
    except InputError as error:
        raise InputError(f"load: the card of {path} is damaged: {error}") from error
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError(f"load: {path} is not a ddspvae instrument (its card has no readable {error}).") from error
    if Path(tracker).suffix or len(Path(tracker).parts) > 1:
        raise InputError(f"load: {path} names a file of somebody's ({tracker}) as its tracker; an instrument may not.")
    n_stored = sum(array.size for array in stored.values())
    if max(config.encoder_channels**2 * bool(config.n_z), config.decoder_channels**2, config.n_harmonics) > n_stored:
        raise InputError(f"load: the weights in {path} do not fit their own config; the file is damaged.")
    if not all(bool(np.isfinite(array).all()) for array in stored.values()):
        raise InputError(f"load: the weights in {path} are not finite; train it again.")
    weights, plucks = Plucks.split(stored)
    weights, gestures = Gestures.split(weights)
    network = Stored(config, weights, path).settled_in(room)
    if timbre:
        return choose(network.build(), card, path.stem, timbre, room, plucks)
    if not only_play:
        return Instrument(network.build(), card, path.stem, room, gestures, rings=Rings.of(plucks.get("")))
    network.check_player()
    return Instrument(network, card, path.stem, room, gestures, rings=Rings.of(plucks.get("")))


def choose(model: Autoencoder, card: Mapping[str, Any], name: str, timbre: str, room: str | None,
           plucks: Mapping[str, Plucks] | None = None) -> Instrument:
    """One of many instruments, as `load` describes them; plucks: how those ring that are plucked or struck, by name."""
    import torch

    from ddspvae.instrument.timbres import find_timbre
    from ddspvae.model.transplant import settle

    if not model.config.n_timbre:
        raise InputError(f"load: {name} is one instrument, so there is no {timbre} in it; leave out ':{timbre}'.")
    found = find_timbre(timbre, card["timbres"], model, str(card["tracker"]))
    axes = {name: axis for name, axis in card["axes"].items() if not found.is_steady or not name.startswith("timbre")}
    card = {**card, **found.card, "axes": axes, "timbres": {}}
    room, codes = room or found.room, None if found.is_steady else found.codes
    if found.is_steady:
        model = settle(model, torch.from_numpy(found.codes[0]))
        card["config"] = model.config.to_dict()
    rings = [owner for owner in plucks or () if any(share.get(owner, 0) > 0 for share in found.shares)]
    shares = np.array([[share.get(owner, 0.0) for owner in rings] for share in found.shares])
    if plucks and timbre in plucks:
        return Instrument(model, card, f"{name}:{timbre}", room, rings=Rings.of(plucks[timbre]))
    return Instrument(model, card, f"{name}:{timbre}", room, codes=codes,
                      rings=Rings(tuple(plucks[owner] for owner in rings), shares) if plucks and rings else None)
