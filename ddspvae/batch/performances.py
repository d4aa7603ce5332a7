"""Labelled performances: what was played is known exactly, since it was drawn."""

from __future__ import annotations

import io
import json
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ddspvae.audio import Audio, limiting_gain, true_peak
from ddspvae.batch.bounds import Bounds
from ddspvae.instrument.instrument import Instrument
from ddspvae.instrument.loading import load_to_play
from ddspvae.midi.notes import read_midi
from ddspvae.midi.trained_range import fold_octaves
from ddspvae.midi.voices import to_one_voice
from ddspvae.signals import Note, Notes, Performance
from ddspvae.signals.checks import InputError, one_line
from ddspvae.signals.units import amplitude_to_db

DURATIONS_BEATS = (0.25, 0.5, 0.5, 1.0, 1.0, 1.5, 2.0)
STEPS = (-7, -5, -4, -3, -2, -2, -1, -1, 0, 1, 1, 2, 2, 3, 4, 5, 7)  # semitones from note to note
REST_SHARE = 0.12
CURVES = "npz"


@dataclass(frozen=True)
class Part:
    """One instrument of a performance, as it sounds in the mix."""

    preset: str
    player: Instrument
    notes: Notes
    performance: Performance
    audio: Audio
    drawn: Mapping[str, Any]


def make_sample(bounds: Bounds, number: int, songs: Sequence[str]) -> tuple[dict[str, bytes], dict[str, Any]]:
    """One performance: its files by ending, and its row in the manifest.

    Args:
        bounds: what it is drawn from.
        number: of the performance; the same number and bounds give the same bytes.
        songs: paths of MIDI files; none makes melodies up.
    Returns:
        mix.flac; for part N from 1: N.flac as it stands in the mix, and N.npz, a `Performance` with f0, loudness and z, in
        frames, as it sounds; json with seed, room, and of each part preset, notes and what was drawn. And the row.
    Raises:
        InputError: a preset or song cannot be read, or there is nothing to play.
    """
    random = np.random.default_rng((bounds.seed, number))
    seed = int(random.integers(2**31))
    room = {"dry": not bounds.room, "wet_db": round(float(random.uniform(*bounds.wet_db)), 2),
            "decay": round(float(np.exp(random.uniform(*np.log(bounds.decay)))), 3)} if bounds.room else {"dry": True}
    seconds = float(random.uniform(*bounds.seconds))
    n_parts = int(random.integers(int(bounds.parts[0]), int(bounds.parts[1]) + 1))
    written, source = _written(bounds, songs, random, seconds, n_parts)
    parts = [_play(bounds, notes, random, seed, voice, room) for voice, notes in enumerate(written)]
    rate = parts[0].player.config.sample_rate
    length = max(len(part.audio) for part in parts)
    mix = np.sum([np.pad(part.audio, (0, length - len(part.audio))) for part in parts], axis=0)
    gain = limiting_gain(max(true_peak(mix), *(true_peak(part.audio) for part in parts)))
    gain_db = float(amplitude_to_db(gain))
    files = {"mix.flac": _flac(mix * gain, rate)}
    labels: dict[str, Any] = {"number": number, "seed": seed, "sample_rate": rate, "seconds": round(length / rate, 3),
                              "source": source, "room": room, "gain_db": round(gain_db, 3), "parts": []}
    for index, part in enumerate(parts, start=1):
        files[f"{index}.flac"] = _flac(part.audio * gain, rate)
        files[f"{index}.{CURVES}"] = _curves(part.performance.change_loudness(gain_db))
        labels["parts"].append({
            "preset": part.preset, "licence": list(part.player.card.get("licence", [])), **part.drawn,
            "notes": [[round(n.onset_s, 4), round(n.offset_s, 4), round(n.pitch, 3), n.velocity] for n in part.notes.notes]})
    files["json"] = json.dumps(labels).encode()
    row = {"number": number, "split": str(random.choice(list(bounds.splits), p=list(bounds.splits.values()))),
           "seconds": labels["seconds"], "seed": seed, "presets": "+".join(part.preset for part in parts),
           "notes": sum(len(part.notes.notes) for part in parts), "source": source,
           "licence": "; ".join(sorted({one for part in labels["parts"] for one in part["licence"]}))}
    return files, row


def make_samples(bounds: Bounds, numbers: range, songs: Sequence[str]) -> tuple[list[tuple[str, dict[str, bytes]]],
                                                                              list[dict[str, Any]], list[dict[str, Any]]]:
    """Several, with their rows; and of those that cannot be made, number and reason."""
    samples, rows, left_out = [], [], []
    for number in numbers:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what drums or channels a song leaves out, in every stretch of it
                files, row = make_sample(bounds, number, songs)
        except InputError as error:
            left_out.append({"number": number, "reason": one_line(str(error))})
            continue
        samples.append((f"{number:08d}", files))
        rows.append(row)
    return samples, rows, left_out


def _written(bounds: Bounds, songs: Sequence[str], random: np.random.Generator, seconds: float, n_parts: int
             ) -> tuple[list[Notes], str]:
    """Parts of a stretch of a song, or melodies that are made up, as long; and where they are from."""
    if not songs:
        tempo = float(random.uniform(*bounds.tempo))
        return [Notes(tuple(_melody(random, tempo, seconds)), f"tempo {tempo:.1f}") for _ in range(n_parts)], ""
    path = songs[int(random.integers(len(songs)))]
    speed, shift = float(random.uniform(*bounds.speed)), round(float(random.uniform(*bounds.transpose)))
    found = read_midi(path)
    chosen = sorted(random.choice(len(found), size=min(n_parts, len(found)), replace=False).tolist())
    lines = [to_one_voice(found[index]).notes for index in chosen]
    last_s = max(line.duration_s for line in lines)
    start_s = float(random.uniform(0, max(0.0, last_s - seconds * speed)))
    stretches = [_stretch(line, start_s, start_s + seconds * speed, speed, shift) for line in lines]
    stretches = [stretch for stretch in stretches if stretch.notes]
    if not stretches:
        raise InputError(f"corpus: {path} rests from {start_s:.1f} s on for {seconds * speed:.1f} s.")
    return list(stretches), Path(path).name


def _melody(random: np.random.Generator, tempo: float, seconds: float) -> list[Note]:
    """A walk of steps and leaps around 0 semitones; whoever plays it moves it into a range."""
    beat_s, at, pitch = 60 / tempo, 0.1, 0.0
    notes: list[Note] = []
    while at < seconds:
        length_s = beat_s * float(random.choice(DURATIONS_BEATS))
        pitch = float(np.clip(pitch + random.choice(STEPS), -12, 12))
        if random.random() > REST_SHARE or not notes:
            held = float(random.uniform(0.5, 1.0))
            notes.append(Note(64 + pitch, int(random.integers(35, 120)), at, at + max(0.05, held * length_s)))
        at += length_s
    return notes


def _stretch(line: Notes, start_s: float, stop_s: float, speed: float, shift: int) -> Notes:
    """The notes that begin between two times, from 0.1 s on, faster or slower."""
    def moved(note: Note) -> Note:
        onset_s, offset_s = ((time_s - start_s) / speed + 0.1 for time_s in (note.onset_s, min(note.offset_s, stop_s)))
        return Note(min(127.0, max(0.0, note.pitch + shift)), note.velocity, onset_s, max(offset_s, onset_s + 0.03),
                    note.legato)

    kept = tuple(moved(note) for note in line.notes if start_s <= note.onset_s < stop_s)
    return replace(line, notes=kept, bend_semitones=(), controllers={})


def _play(bounds: Bounds, notes: Notes, random: np.random.Generator, seed: int, voice: int, room: Mapping[str, Any]) -> Part:
    preset = bounds.presets[int(random.integers(len(bounds.presets)))]
    player = _player(preset)
    statistics = player.statistics
    low, high = max(statistics.pitch_low, bounds.range[0]), min(statistics.pitch_high, bounds.range[1])
    if low > high:
        raise InputError(f"corpus: range {list(bounds.range)} has none of the pitches that {preset} has learned "
                         f"({statistics.pitch_low:.0f} to {statistics.pitch_high:.0f}).")
    if notes.name.startswith("tempo "):  # made up around 64
        middle = round(float(random.uniform(low, high)))
        notes = replace(notes, notes=tuple(
            replace(note, pitch=min(127.0, max(0.0, note.pitch - 64 + middle))) for note in notes.notes))
    notes = fold_octaves(notes, replace(statistics, pitch_low=low, pitch_high=high))
    expression = round(float(random.uniform(*bounds.expression)), 3)
    axes = {axis: round(float(random.uniform(*pair)), 3) for axis, pair in bounds.axes.items()}
    level_db = round(float(random.uniform(*bounds.level_db)), 2)
    sounding = {name: value for name, value in room.items() if name != "dry"}
    tail_s = player.tail_s(room["dry"], **sounding)
    performance = player.perform(notes, expression=expression, seed=seed + voice, tail_s=tail_s)
    performance = player.adapt(performance.offset_z(axes) if axes else performance).change_loudness(level_db)
    audio = player.resynthesize(performance, seed=seed, voice=voice, dry=room["dry"], **sounding)
    drawn = {"expression": expression, "axes": axes, "level_db": level_db, "written": notes.name}
    return Part(preset, player, notes, performance, audio, drawn)


@lru_cache(maxsize=16)
def _player(preset: str) -> Instrument:
    return load_to_play(preset)


def _flac(audio: Audio, sample_rate: int) -> bytes:
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, audio, sample_rate, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()


def _curves(performance: Performance) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "curves.npz"
        performance.save(path)
        return path.read_bytes()
