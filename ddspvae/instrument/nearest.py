"""Which of an instrument's learned rooms a take belongs into, and the instrument there."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ddspvae.audio import Audio
from ddspvae.engine.ability import can_listen
from ddspvae.instrument.instrument import Instrument
from ddspvae.instrument.stored import Stored, hear_z, weights_of
from ddspvae.instrument.take_files import read_beginning
from ddspvae.signals.checks import check_choice

NEAREST = "nearest"  # as the name of a room: the one that a take is most like
ENOUGH_S, LEAST_PEAK = 10.0, 1e-3  # of a take; softer it does not sound yet


def moved_to(instrument: Instrument, room: str) -> Instrument:
    """The same instrument in another of its learned rooms, with what is typical there.

    Raises:
        InputError: it learned no such room.
    """
    check_choice("load", "room", room, instrument.config.rooms)
    if room == instrument.room:
        return instrument
    network = instrument.core
    if instrument.config.n_rooms_apart:
        network = Stored(instrument.config, weights_of(network), Path(instrument.name)).settled_in(room)
    return Instrument(network, instrument.card, instrument.name, room, instrument.gestures, instrument.codes,
                      instrument.rings)


def nearest_room(instrument: Instrument, audio: Audio, sample_rate: int, tracker: str | Path | None = None, *,
                 foreign: bool = False) -> str:
    """The learned room in which a take is most like what is typical there: z is smallest, in the mean square.

    An instrument that tells no rooms apart stays where it is.

    Args:
        audio, sample_rate: [T], full scale +-1, and its Hz; 10 s from where it begins to sound are listened to.
        tracker, foreign: as `Instrument.analyze` takes them.
    Raises:
        InputError: silence.
    """
    if not instrument.config.n_rooms_apart or not instrument.config.n_running:
        return instrument.room
    begins = int(np.argmax(np.abs(audio) > LEAST_PEAK)) if len(audio) else 0
    part = audio[begins : begins + round(ENOUGH_S * sample_rate)]
    kept = np.array([name not in instrument.trimmed_axes for name in instrument.axis_names])
    features = instrument.listen(part, sample_rate, tracker, foreign=foreign) if can_listen(instrument.config) else None
    sizes = {}
    for room in instrument.config.rooms:
        there = moved_to(instrument, room)
        z = there.analyze(part, sample_rate, tracker, foreign=foreign).z if features is None else \
            hear_z(there.core, features)
        sizes[room] = float(np.square(z * kept).mean())
    return min(sizes, key=lambda room: sizes[room])


def moved_to_nearest(instrument: Instrument, recording: str | Path, tracker: str | Path | None = None) -> Instrument:
    """The instrument in the room that `nearest_room` names for a sound file.

    Raises:
        InputError: as `read_audio` and `nearest_room`.
    """
    return moved_to(instrument, nearest_room(instrument, *read_beginning(recording, 2 * ENOUGH_S, LEAST_PEAK), tracker))


def moved_to_folder(instrument: Instrument, recording: str | Path) -> Instrument:
    """The instrument in the room that is named as the recording's folder, where it has that one."""
    folder = Path(recording).resolve().parent.name
    named = [room for room in instrument.config.rooms if folder in (room, room.rpartition("/")[2])]
    return moved_to(instrument, named[0]) if len(named) == 1 else instrument
