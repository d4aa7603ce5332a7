"""Whether what was trained on is plucked or struck, and if so its decay model, for the file."""

from __future__ import annotations

from typing import Any

from ddspvae.plucked.learn import Heard, learn_plucks
from ddspvae.plucked.model import Plucks
from ddspvae.plucked.recognise import SURE_SHARE, plucked_share
from ddspvae.training.prepare import Prepared


def find_plucks(prepared: Prepared) -> dict[str, Plucks]:
    """The decay models of all takes but those held out, by instrument, of those that are plucked; "" is the only one.

    The takes that validate the network count as well: nothing here is chosen by them.
    """
    takes, config, found = [*prepared.training, *prepared.validation], prepared.model, {}
    for name in sorted({take.instrument for take in takes}) if config.n_timbre else [""]:
        own = [take for take in takes if take.instrument == name] if config.n_timbre else takes
        if plucked_share(take.features for take in own) >= SURE_SHARE:
            found[name] = learn_plucks([Heard(take.audio, take.features, take.string_hz) for take in own],
                                       config.sample_rate, config.n_noise_bands)
    return {name: plucks for name, plucks in found.items() if plucks is not None}


def describe(plucks: Plucks) -> dict[str, Any]:
    """What a card says of a decay model."""
    notes = plucks.notes
    return {"notes": len(notes), "strings": [round(float(pitch), 2) for pitch in plucks.strings[:, 0]]
            if len(plucks.strings) else [],
            "stiffness": [float(f"{least:.2g}") for least in (notes[:, 1].min(), notes[:, 1].max())],
            "damp_db_per_s": round(plucks.damp_db_per_s, 1)}
