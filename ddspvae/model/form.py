"""Numbers that fix what a decoder's outputs mean, and which of its inputs have names: for torch, and for who plays without.

The axes with names are read from a recording in closed form, and realised in closed form. 0 is what is typical at that
pitch and loudness, 1 is one standard deviation of the training set. No network stands between the number and its meaning,
so it is the same for every seed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ddspvae.features.band_tables import band_centres
from ddspvae.signals.units import Number, pitch_to_hz

NAMED_AXES = ("brightness", "breathiness", "hollowness", "bite")
BRIGHTNESS, BREATHINESS, HOLLOWNESS, BITE = range(4)
ONSET_FRAMES = 18  # how far back an onset is looked for: 90 ms at 200 frames/s
RISE_DB = (5.0, 14.0)  # of the loudness within that time: no onset, surely one
STEP_SEMITONES = (1.2, 1.8)  # of the pitch likewise; a wide vibrato stays below
NEWTON_STEPS = 4
# tilt in nepers per octave, odd against even in nepers; hollowness per octave of brightness, nine tenths of what the third
# harmonic alone has: no recording goes beyond, and asked for more, Newton's method would rather be dark
MOST = (5.0, 4.0, 0.9 / math.log2(3))
READ_ABOVE, MORE_ABOVE = 1.0, 4.0  # semitones above what is typical, and how many more where many instruments share it
WIDEST = 60.0  # semitones that one instrument spans

DILATIONS, KERNEL = (1, 2, 4, 8), 3  # of the stack's convolutions
FRAMES_PER_STEP = 4  # of the decoder's stack, where z does not ask for more
SEMITONES_PER_UNIT, DB_PER_UNIT = 24.0, 20.0  # of scaled curves
QUIETEST_DB = -90.0  # below, a network hears no difference: rests lie far outside what it was trained on
LOWEST_HZ, PER_OCTAVE, N_NODES = 25.0, 12, 113  # of spectral envelopes, to 16.1 kHz
LOWEST_PITCH, PITCH_STEP, N_HATS = 21.0, 1.5, 60  # of what is typical: a body's resonances change within a few semitones
N_POWERS = 10  # of a polynomial of the third degree in pitch and loudness
MAX_KNOTS = 128
MOST_LEFT = 2.5  # nepers, 22 dB: beyond, something was measured where nothing sounds
LEAST_LEVEL = 1e-7  # of the A-weighted power, 70 dB down: below, levels differ less and less
COUNTS_DB = (30.0, 60.0)  # below a loud frame of the training set, a frame counts wholly, and no more
TELLS_DB = 40.0  # below it, no axis with a name is read
LEAST_TOLD = 0.2  # of a row's frames, from which on the row tells of an axis
LIMIT = 3.0  # standard deviations that are told apart
OUTSIDE = 0.9  # of the first harmonic, or the last: reading it takes the nodes on both sides
N_EXPECTED = 32  # of what the axes without names are expected to be, from the curves
N_BALANCE = 32  # numbers between the curves and what balances the spectrum
MOST_SHARE = 14.0  # nepers between the harmonics' power and the noise's, either way
TAPS = 4  # frames whose curves a frame hears directly: one step's worth


def axis_names(n_z: int, n_timbre: int = 0) -> tuple[str, ...]:
    """Of all axes: the named ones, then z5, z6, ..., then the n_timbre numbers that tell instruments apart.

    >>> axis_names(6)
    ('brightness', 'breathiness', 'hollowness', 'bite', 'z5', 'z6')
    >>> axis_names(6, 2)[-2:]
    ('timbre1', 'timbre2')
    """
    running = n_z - n_timbre
    return (*(NAMED_AXES[i] if i < len(NAMED_AXES) else f"z{i + 1}" for i in range(running)),
            *(f"timbre{i + 1}" for i in range(n_timbre)))


def leading_axes(names: Sequence[str], n_details: int) -> tuple[str, ...]:
    """Those with names, the first details, which are the dearest, and those that tell instruments apart.

    >>> leading_axes(axis_names(9, 1), 2)
    ('brightness', 'breathiness', 'hollowness', 'bite', 'z5', 'z6', 'timbre1')
    """
    details = [name for name in names if name not in NAMED_AXES and not name.startswith("timbre")]
    left_out = set(details[n_details:])
    return tuple(name for name in names if name not in left_out)


def highest_read_hz(middle: Number, half_range: Number) -> Number:
    """Up to which pitch brightness and hollowness are read at the pitch itself, in Hz; above, as if it were this one.

    Far above the range two or three harmonics lie where they are read. As bright as the highest note those can only be by a
    tilt that puts all power where no ear hears it.

    Args:
        middle, half_range: of the pitch, as `model.typical.Typical` has them.
    """
    above = READ_ABOVE + MORE_ABOVE * (2 * half_range > WIDEST)  # type: ignore[operator]
    return pitch_to_hz(middle + half_range + above)  # type: ignore[operator,no-any-return]


def frames_per_step(frames_per_z: int) -> int:
    """How many frames pass between two steps of the decoder's stack: no row of z may fall between."""
    return min(FRAMES_PER_STEP, frames_per_z)


def row_middle(frames_per_z: int) -> int:
    """The frame of a row that its numbers describe: the decoder has arrived at them a step's fade after the row begins.

    >>> row_middle(4), row_middle(8)
    (3, 5)
    """
    fade = frames_per_step(frames_per_z)
    return fade - 1 + (frames_per_z - fade) // 2


def harmonic_knots(n_harmonics: int) -> NDArray[np.float32]:
    """Matrix [n_knots, H] from network outputs to harmonics.

    Up to 128 harmonics it is the identity. Beyond, the first 64 are free and the rest lie on a smooth
    envelope: 64 knots evenly spaced in log frequency, read linearly. (A tuba needs 370 of them to 16 kHz.)
    """
    if n_harmonics <= MAX_KNOTS:
        return np.eye(n_harmonics, dtype=np.float32)
    free = MAX_KNOTS // 2
    tail = np.logspace(math.log10(free + 1), math.log10(n_harmonics), MAX_KNOTS - free)
    knots = np.concatenate([np.arange(1.0, free + 1), tail])
    number = np.arange(1.0, n_harmonics + 1)
    right = np.searchsorted(knots, number).clip(1, len(knots) - 1)
    weight = ((number - knots[right - 1]) / (knots[right] - knots[right - 1])).clip(0, 1)
    matrix, columns = np.zeros((len(knots), n_harmonics)), np.arange(n_harmonics)
    matrix[right - 1, columns] += 1 - weight
    matrix[right, columns] += weight
    return matrix.astype(np.float32)


def string_tilt(n_harmonics: int) -> NDArray[np.float32]:
    """Nepers at which harmonics start, [H]: like a string's, -6 dB an octave."""
    return -np.log(np.arange(1.0, n_harmonics + 1)).astype(np.float32)


def breath_tilt(n_bands: int) -> NDArray[np.float32]:
    """Nepers at which noise starts, [K]: breath that falls 6 dB an octave from a twentieth of Nyquist."""
    return -np.log(1 + 20 * band_centres(n_bands).astype(np.float64)).astype(np.float32)
