"""What the folders hand to each other, and nothing else: read this file first.

    audio -> Features -> Latents -> Performance -> Controls -> audio
    MIDI  -> Notes ----------------^

`Features`, `Notes` and `Performance` describe one take and hold numpy arrays; `Latents` and
`Controls` live inside the network and the synthesizer, hold torch tensors and have a batch axis.
Frame n describes the instant n / frame_rate_hz. `f0_hz` is finite and positive in every frame;
voicing lives in `periodicity`, 0 to 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from ddspvae.checks import check_choice, check_range, check_shape, fail
from ddspvae.curves import Curve, check_frames, freeze_curves
from ddspvae.performance import Performance

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["CONTROLLERS", "Controls", "Features", "Latents", "Note", "Notes", "Performance", "Steps"]

Steps = tuple[tuple[float, float], ...]  # (time_s, value) in order of time, each held until the next

LONGEST_S = 1e6  # eleven days; beyond, somebody meant samples or ticks
# every controller of a part, and what holds until it is first sent (General MIDI; breath, which few send, changes nothing)
CONTROLLERS: Mapping[str, float] = {
    "volume": 100 / 127, "expression": 1.0, "breath": 1.0, "modulation": 0.0, "pan": 0.5, "pressure": 0.0, "soft": 0.0,
    "brightness": 0.5,
}


@dataclass(frozen=True, eq=False)
class Features:
    """What is heard in a recording, frame by frame, before any network.

    Args:
        f0_hz: [F], Hz, > 0 everywhere, filled in through unvoiced stretches.
        periodicity: [F], 0 (noise, silence) to 1 (surely pitched).
        loudness_db: [F], A-weighted, dB; a full-scale 1 kHz sine is -3 dB.
        timbre: [F, C], level-normalised frames for the encoder.
        partials: [F, P], levels of the harmonics and of the noise between them, see features.partials.
        frame_rate_hz: frames per second.
        spectrum: [F, K + H], magnitudes of noise bands and amplitudes of harmonics, see features.spectrum; [F, 0] where it
            was not measured.
    """

    f0_hz: Curve
    periodicity: Curve
    loudness_db: Curve
    timbre: Curve
    partials: Curve
    frame_rate_hz: float
    spectrum: Curve = field(default_factory=lambda: np.zeros((0, 0), np.float32))

    def __post_init__(self) -> None:
        freeze_curves(self, f0_hz=self.f0_hz, periodicity=self.periodicity,
                loudness_db=self.loudness_db, timbre=self.timbre, partials=self.partials,
                spectrum=self.spectrum if np.size(self.spectrum) else np.zeros((len(self.f0_hz), 0)))
        check_frames("Features", self.f0_hz, self.periodicity, self.loudness_db)
        check_shape("Features", "timbre", self.timbre.shape, len(self.f0_hz), None)
        check_shape("Features", "partials", self.partials.shape, len(self.f0_hz), None)
        check_shape("Features", "spectrum", self.spectrum.shape, len(self.f0_hz), None)

    def slice(self, start_frame: int, stop_frame: int) -> Features:
        """The frames from start to stop."""
        cut = slice(start_frame, stop_frame)
        return Features(self.f0_hz[cut], self.periodicity[cut], self.loudness_db[cut], self.timbre[cut],
                        self.partials[cut], self.frame_rate_hz, self.spectrum[cut])


@dataclass(frozen=True)
class Note:
    """One note of a score.

    Args:
        pitch: MIDI note number, 0 to 127 (fractions allowed for microtones).
        velocity: 1 to 127.
        onset_s, offset_s: seconds from the start of the piece; offset_s > onset_s.
        legato: True is bound to the note before, whatever the gap; False is tongued; None leaves it to the performer,
            who looks at the gap.
        glide_from: MIDI note number that a portamento comes from; None is no portamento.
        glide_s: how long the portamento takes, from the onset on.
        bend_semitones: steps of the pitch of this note alone, beside the part's; 0 before the first.
        pressure: steps of the pressure on this key, 0 to 1; 0 before the first.
        brightness: steps of this note alone, -1 to 1; 0, what is usual, before the first.
    """

    pitch: float
    velocity: int
    onset_s: float
    offset_s: float
    legato: bool | None = None
    glide_from: float | None = None
    glide_s: float = 0.0
    bend_semitones: Steps = ()
    pressure: Steps = ()
    brightness: Steps = ()

    def __post_init__(self) -> None:
        check_range("Note", "pitch", self.pitch, 0, 127)
        check_range("Note", "velocity", self.velocity, 1, 127)
        check_range("Note", "onset_s", self.onset_s, 0, LONGEST_S)
        check_range("Note", "offset_s", self.offset_s, 0, LONGEST_S)
        if not self.offset_s > self.onset_s:
            raise fail("Note", "offset_s", f"come after onset_s = {self.onset_s:g}", f"{self.offset_s:g}")
        check_range("Note", "glide_s", self.glide_s, 0, 60)
        if self.glide_from is not None:
            check_range("Note", "glide_from", self.glide_from, 0, 127)
        _check_steps("Note", "bend_semitones", self.bend_semitones, -256, 256)
        _check_steps("Note", "pressure", self.pressure, 0, 1)
        _check_steps("Note", "brightness", self.brightness, -1, 1)


@dataclass(frozen=True)
class Notes:
    """One part of a score: notes in order of onset, and the bends and controllers that belong to them all.

    Args:
        notes: in order of onset.
        name: the track's name, may be empty.
        channel: MIDI channel 0 to 15.
        program: General MIDI program 0 to 127.
        bend_semitones: steps of the pitch of all notes: the pitch wheel and the channel's tuning; 0 before the first.
        controllers: steps by name, values 0 to 1: "volume", "expression", "breath", "modulation", "pan" and "brightness"
            (0.5 is the middle of both), "pressure" (of the channel), "soft". A name that is absent was never sent;
            before the first step CONTROLLERS says what holds.
    """

    notes: tuple[Note, ...]
    name: str = ""
    channel: int = 0
    program: int = 0
    bend_semitones: Steps = ()
    controllers: Mapping[str, Steps] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        onsets = [note.onset_s for note in self.notes]
        for index, (before, after) in enumerate(pairwise(onsets), start=1):
            if after < before:
                raise fail("Notes", "onset_s", "not decrease", f"{after:g} after {before:g} at note {index}",
                           "are these delta times? Convert to seconds from the start")
        _check_steps("Notes", "bend_semitones", self.bend_semitones, -256, 256)
        for name, steps in self.controllers.items():
            check_choice("Notes", "controller", name, CONTROLLERS)
            _check_steps("Notes", name, steps, 0, 1)

    @property
    def duration_s(self) -> float:
        """When the last note ends, in seconds."""
        return max((note.offset_s for note in self.notes), default=0.0)


@dataclass(frozen=True, eq=False)
class Latents:
    """What the encoder believes about the timbre: a Gaussian per axis and row.

    Args:
        z_mean, z_logvar: [B, M, Z]; log-variance in nats.
        persistence: [B, M, Z], 0 to below 1, how much of the row before each row is expected to be, in proportion: the prior
            is a first-order autoregression of unit variance. 0, or None, expects nothing.
        gain: [B, M, Z], what a drawn number is multiplied by to be the z of a Performance; None is 1.
        code: [B, M, G], the instrument's own numbers, which follow in z; None where a model knows one instrument.
    """

    z_mean: Tensor
    z_logvar: Tensor
    gain: Tensor | None = None
    code: Tensor | None = None
    persistence: Tensor | None = None

    def __post_init__(self) -> None:
        check_shape("Latents", "z_logvar", self.z_logvar.shape, *self.z_mean.shape)
        if self.gain is not None:
            check_shape("Latents", "gain", self.gain.shape, *self.z_mean.shape)
        if self.persistence is not None:
            check_shape("Latents", "persistence", self.persistence.shape, *self.z_mean.shape)
        if self.code is not None:
            check_shape("Latents", "code", self.code.shape, *self.z_mean.shape[:2], None)

    def to_z(self, drawn: Tensor | None = None) -> Tensor:
        """The z of a Performance [B, M, Z + G], from numbers drawn from these Gaussians; None takes the means."""
        numbers = self.z_mean if drawn is None else drawn
        numbers = numbers if self.gain is None else numbers * self.gain
        if self.code is None:
            return numbers
        import torch

        return torch.cat([numbers, self.code], dim=-1)


@dataclass(frozen=True, eq=False)
class Controls:
    """What the synthesizer plays. Can be written by hand: `synth` needs no network.

    Args:
        f0_hz: [B, F, 1], Hz, > 0.
        amplitude: [B, F, 1], linear, >= 0; harmonic k has the peak amplitude amplitude * distribution[k].
        harmonic_distribution: [B, F, H], >= 0, sums to 1.
        noise_magnitudes: [B, F, K], linear, >= 0; 1 everywhere is white noise of unit power.
    """

    f0_hz: Tensor
    amplitude: Tensor
    harmonic_distribution: Tensor
    noise_magnitudes: Tensor = field(repr=False)

    def __post_init__(self) -> None:
        check_shape("Controls", "f0_hz", self.f0_hz.shape, None, None, 1)
        batch, frames, _ = self.f0_hz.shape
        check_shape("Controls", "amplitude", self.amplitude.shape, batch, frames, 1)
        check_shape("Controls", "harmonic_distribution", self.harmonic_distribution.shape, batch, frames, None)
        check_shape("Controls", "noise_magnitudes", self.noise_magnitudes.shape, batch, frames, None)


def _check_steps(where: str, name: str, steps: Steps, low: float, high: float) -> None:
    before_s = 0.0
    for time_s, value in steps:
        check_range(where, name, value, low, high)
        if not time_s >= before_s:
            raise fail(where, f"times of {name}", "be 0 or more and not decrease", f"{time_s:g} after {before_s:g}")
        before_s = time_s
