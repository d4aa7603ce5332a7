"""Weights of one network for another: of many instruments for one of them, or of one instrument for another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ddspvae.model.autoencoder import Autoencoder
from ddspvae.model.by_room import BIASES
from ddspvae.model.encoder_inputs import EncoderInputs
from ddspvae.model.form import harmonic_knots

HARMONICS = ("decoder.harmonic_head.weight", "decoder.harmonic_head.bias")
ROOMS = ("room_energy", "room_decay", *BIASES)  # the last where rooms are told apart
INLET, N_CURVES = "decoder.stack.inlet.weight", 3
ASKED = ("named_bits", "coarseness")  # decided by the bitrate that is asked for


@torch.no_grad()
def settle(model: Autoencoder, code: Tensor) -> Autoencoder:
    """The one instrument of many that has this timbre code, as a model of one instrument.

    The code is the same in every step, so what the network makes of it is a bias.

    Args:
        model: of many instruments.
        code: [G].
    Returns:
        a model without timbre axes, that sounds the same.
    """
    config = replace(model.config, n_z=model.config.n_running, n_timbre=0, by_room=False)
    one = Autoencoder(config)
    weights = {key: value for key, value in model.state_dict().items() if not key.startswith("timbre.")}
    inlet = weights[INLET]
    n_code = model.config.n_timbre
    weights[INLET] = inlet[:, :-n_code]
    weights["decoder.stack.inlet.bias"] = weights["decoder.stack.inlet.bias"] + inlet[:, -n_code:] @ code
    weights["decoder.typical.coefficients"] = model.decoder.typical.at(code)
    one.load_state_dict(weights)
    return one.eval()


def is_alike(one: Autoencoder, other: Autoencoder) -> bool:
    """Whether details mean the same in both: their networks differ in harmonics and rooms alone."""
    left, right = (replace(model.config, n_harmonics=1, rooms=("room",), by_room=False, bitrate=1.0)
                   for model in (one, other))
    return left == right


@torch.no_grad()
def adopt(given: Autoencoder, network: Autoencoder, takes: Sequence[EncoderInputs]) -> None:
    """As `transplant`, and all the rest as well, where takes are too few to find details and habits of their own.

    What is typical is moved by what the takes say on average, the less the fewer they are.

    Args:
        given, network: alike, see `is_alike`.
        takes: of one row each.
    """
    transplant(given, network)
    own = network.state_dict()
    network.load_state_dict({**own, **{key: value for key, value in given.state_dict().items()
                                       if key not in (*HARMONICS, *ROOMS) and own[key].shape == value.shape}})
    typical = network.decoder.typical
    if typical.of_rooms is not None:  # beside another one
        typical.of_rooms.zero_()
    typical.lean(takes)


@torch.no_grad()
def transplant(given: Autoencoder, network: Autoencoder) -> None:
    """Let a network begin where another one ended: every weight that fits, harmonics by number, rooms by name.

    A room that is new begins dry, as in any training: another one's tail would have to be unlearned.

    What is typical, the bits that z may say, what tells instruments apart and what is expected of details stay the network's
    own: details begin anew from these recordings (`training.details`), so what the others meant to the decoder is not taken.
    """
    own, weights = network.state_dict(), given.state_dict()
    taken = {key: value for key, value in weights.items()
             if key in own and own[key].shape == value.shape and key not in (*HARMONICS, *ROOMS, *ASKED, INLET)
             and not key.startswith(("decoder.typical.", "timbre.", "expected.", "persistence"))}
    here, there = (torch.from_numpy(harmonic_knots(one.config.n_harmonics)) for one in (network, given))
    n_both = min(here.shape[1], there.shape[1])
    is_as_wide = network.config.decoder_channels == given.config.decoder_channels
    for key in HARMONICS if is_as_wide else ():
        heights = there[:, :n_both].T @ weights[key]  # of each harmonic
        taken[key] = (torch.linalg.pinv(here[:, :n_both].T) @ heights.view(n_both, -1)).view(own[key].shape)
    for key in (key for key in ROOMS if key in own and key in weights):
        rows = {name: weights[key][at] for at, name in enumerate(given.config.rooms)}
        taken[key] = torch.stack([rows.get(name, own[key][at]) for at, name in enumerate(network.config.rooms)])
    if is_as_wide:  # curves are the same numbers in both; details and codes are others
        taken[INLET] = torch.cat([weights[INLET][:, :N_CURVES], own[INLET][:, N_CURVES:]], dim=1)
    network.load_state_dict({**own, **taken})
