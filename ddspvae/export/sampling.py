"""An instrument plays single notes by itself, each with a loop in which it can be held."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from ddspvae.audio import Audio
from ddspvae.export.loop import Loop, close_loop, find_loop, periodic_places, tune_loop
from ddspvae.export.plan import Plan, Span
from ddspvae.live.torch_player import TensorFrames, TensorPlayer
from ddspvae.midi.closed_forms import velocity_to_level_db
from ddspvae.signals import Note, Notes, Performance
from ddspvae.signals.units import db_to_amplitude, db_to_power, hz_to_pitch, pitch_to_hz, power_to_db
from ddspvae.synth.noise import bin_shapes, fft_size, filter_white, noise_key
from ddspvae.synth.white import white_samples
from ddspvae.threads import one_thread

if TYPE_CHECKING:
    from ddspvae.instrument.instrument import Instrument

HELD_S = 3.3  # that a note is played for
SETTLED_S = 0.7  # after which the loop may begin: attack and the rise of the vibrato are over
STEADY_S, STEADY_FROM_S = 0.5, (0.15, 0.4)  # slower swells and drifts are taken out of a note, from there on
MOST_DRAWS, SEEDS_APART = 40, 1_000_003  # to find a performance unlike those before it
ALIKE = 3e-4  # half a cent of pitch at every frame: the same note of the recordings
GUARD_HOPS = 1  # of the loop, played on after its end, for players that read beyond it


@dataclass(frozen=True, eq=False)
class Sample:
    """One note.

    Args:
        key, layer: whom it serves.
        turn: which of the round robin, from 0.
        brightness: standard deviations.
        audio: [T], full scale +-1, as loud as the instrument plays that velocity without a room.
        loop_begin, loop_end: samples; what follows the one before loop_end is the one at loop_begin.
    """

    key: Span
    layer: Span
    turn: int
    brightness: float
    audio: Audio
    loop_begin: int
    loop_end: int

    @property
    def name(self) -> str:
        """Of its file, without an ending."""
        bright = f"-b{self.brightness:+g}" if self.brightness else ""
        return f"{self.key.sampled:03d}-v{self.layer.sampled:03d}-{self.turn + 1}{bright}"


def play_samples(instrument: Instrument, plan: Plan) -> Iterator[Sample]:
    """The notes of a plan, one after the other.

    Args:
        instrument: that plays.
        plan: what.
    Yields:
        Sample, plan.n_samples of them, in order of key, layer, turn, brightness.
    """
    player = TensorPlayer(instrument.model, None, 1)
    for key in plan.keys:
        for layer in plan.layers:
            takes = _performances(instrument, key.sampled, layer.sampled, plan)
            for turn, (seed, take) in enumerate(zip(plan.seeds, takes)):
                for brightness in plan.brightness:
                    audio, loop = _play(player, _brightened(instrument, take, brightness), key.sampled, seed)
                    hop = instrument.config.hop_size
                    yield Sample(key, layer, turn, brightness, audio, loop.begin * hop, loop.end * hop)


def _performances(instrument: Instrument, key: int, velocity: int, plan: Plan) -> list[Performance]:
    """One for each seed, none like those before it, as far as the instrument remembers enough notes to choose from."""
    takes: list[Performance] = []
    for seed in plan.seeds:
        for draw in range(MOST_DRAWS):
            take = _held_note(instrument, key, velocity, 128 * (seed + SEEDS_APART * draw) + key)
            if not any(np.allclose(take.f0_hz, other.f0_hz, rtol=ALIKE, atol=0) for other in takes):
                break
        takes.append(take)
    return takes


def _brightened(instrument: Instrument, take: Performance, brightness: float) -> Performance:
    """The same, so many standard deviations brighter."""
    if not brightness:
        return take
    z = take.z.copy()
    z[:, instrument.axis_names.index("brightness")] += brightness
    return replace(take, z=z)


def _held_note(instrument: Instrument, key: int, velocity: int, seed: int) -> Performance:
    """A note that lasts, at the level that its velocity stands for."""
    rate_hz = instrument.config.frame_rate_hz
    take = instrument.perform(Notes((Note(float(key), velocity, 0.0, HELD_S),)), seed=seed)
    n_frames = round(HELD_S * rate_hz) // take.frames_per_z * take.frames_per_z
    loudness_db = take.loudness_db[:n_frames].astype(np.float64)
    level_db = float(velocity_to_level_db(velocity, instrument.statistics))
    first, last = STEADY_FROM_S
    way = ((np.arange(n_frames) / rate_hz - first) / (last - first)).clip(0, 1)
    window_frames = round(STEADY_S * rate_hz) | 1
    loudness_db -= way * _slow_part(loudness_db - level_db, window_frames)
    settled = slice(round(SETTLED_S * rate_hz), None)
    loudness_db += level_db - power_to_db(float(db_to_power(loudness_db[settled]).mean()))
    pitch = hz_to_pitch(take.f0_hz[:n_frames].astype(np.float64)) - key
    pitch -= way * _slow_part(pitch, window_frames)
    f0_hz = pitch_to_hz(key + pitch - pitch[settled].mean())
    z = take.z[: n_frames // take.frames_per_z]
    take = replace(take, f0_hz=f0_hz.astype(np.float32), periodicity=take.periodicity[:n_frames],
                   loudness_db=loudness_db.astype(np.float32), z=z)
    return instrument.adapt(take)


def _slow_part(curve: NDArray, window_frames: int) -> NDArray:
    """What a curve [F] does beside vibrato: its mean under a Hann window."""
    window = np.hanning(window_frames + 2)[1:-1]
    return np.convolve(np.pad(curve, window_frames // 2, mode="reflect"), window / window.sum(), mode="valid")


@torch.inference_mode()
@one_thread()
def _play(player: TensorPlayer, take: Performance, key: int, seed: int) -> tuple[Audio, Loop]:
    """The sound of a held note up to the end of its loop and a little on."""
    config = player.model.config
    rate_hz, hop = config.frame_rate_hz, config.hop_size
    player.memory = player.model.decoder.memory(1)  # a note that follows nothing
    f0, periodicity, loudness_db = (torch.from_numpy(np.array(curve))[None, :, None]
                                    for curve in (take.f0_hz, take.periodicity, take.loudness_db))
    frames = player.control(f0, periodicity, loudness_db, torch.from_numpy(np.array(take.z))[None], None, None)
    loop = find_loop(take.f0_hz, take.loudness_db, float(pitch_to_hz(float(key))), round(SETTLED_S * rate_hz), rate_hz)
    f0_hz = tune_loop(close_loop(take.f0_hz.astype(np.float64), loop, rate_hz), loop, rate_hz)
    heights, magnitudes = (close_loop(part[0].numpy(), loop, rate_hz) for part in (frames.heights, frames.noise_magnitudes))
    parts = (f0_hz.astype(np.float32)[:, None], heights, magnitudes)
    again = slice(loop.begin + 1, loop.begin + 1 + GUARD_HOPS)
    played = TensorFrames(*(torch.from_numpy(np.concatenate([part, part[again]]))[None] for part in parts))
    audio, _ = player.harmonics(played, torch.zeros(1, 1, 1, dtype=torch.float64), hop)
    if config.with_noise:
        audio = audio + _periodic_noise(played.noise_magnitudes, loop, hop, noise_key(seed, key))
    sound: Audio = audio[0].numpy()
    return sound, loop


def _periodic_noise(magnitudes: torch.Tensor, loop: Loop, hop: int, key: NDArray[np.uint32]) -> torch.Tensor:
    """Noise [1, F * hop] from frames [1, F + 1, K] that repeats with the loop, as its frames do."""
    n_segments, n_bands = magnitudes.shape[1] - 1, magnitudes.shape[2]
    n_fft = fft_size(hop, n_bands)
    margin = (n_fft - hop) // 2
    n_samples = n_fft + (n_segments - 1) * hop
    places = periodic_places(n_samples, -margin, loop.begin * hop, (loop.end - loop.begin) * hop, n_fft)
    white = white_samples(key, -margin, n_samples)[:, places + margin]
    return filter_white(torch.from_numpy(white), magnitudes, bin_shapes(n_bands, n_fft), hop, n_fft)


def gain_to_full_scale(audio: Audio, peak_db: float = -1.0) -> float:
    """The factor that brings a sample's peak to peak_db."""
    return float(db_to_amplitude(peak_db)) / max(float(np.abs(audio).max()), 1e-9)
