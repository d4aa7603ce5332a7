"""Notes of one melody, cut where an independent pitch curve steps to another semitone: what hears a trill as its notes.

A transcriber for any music must take a swing of the pitch for a vibrato. Here the tuning is known (twelve equal steps,
A4 = 440 Hz), so that the question is simpler: a note begins where the curve leaves its semitone by more than 60 cents and
stays within 60 cents of another for 40 ms, after 30 ms without pitch, or after a dip of 6 dB. Its pitch is the median of the
curve within it, in cents; nothing is rounded to what was asked.

    python benchmarks/note_steps.py [pYIN] ["CREPE full"]    trills and vibratos of known answers, by each curve
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent.parent))

from ddspvae.audio import resample
from ddspvae.evaluation.transcription import note_scores
from ddspvae.features.loudness import a_weighted_loudness
from ddspvae.features.trackers import load_torchcrepe
from ddspvae.signals import Note, Notes
from ddspvae.signals.units import hz_to_pitch, pitch_to_hz

FRAME_S = 0.005
CREPE_HZ = 16_000
STAYS_S, GAP_S, DIP_DB, SILENT_DB = 0.040, 0.030, 6.0, 55.0
NEAR, FIRST_NEAR = 0.6, 0.4  # semitones; the first of a stretch is told by where it is not between two
LOWEST_MARGIN = 3.0  # semitones below the lowest note
Curve = Callable[[NDArray, int, float], tuple[NDArray, NDArray]]  # audio, Hz, lowest pitch: pitch, and whether there is one


def pyin(audio: NDArray, sample_rate: int, lowest: float) -> tuple[NDArray, NDArray]:
    """librosa's pYIN (Mauch & Dixon, ICASSP 2014), over two periods of the lowest pitch; it took part in nothing here.

    At 16 kHz it reads a pure tone of 440 Hz 11 cents sharp, since a period is then 36 samples; hence the whole rate.
    """
    import librosa

    low_hz = float(pitch_to_hz(lowest))
    frame = 4 * int(np.ceil(sample_rate / low_hz))
    f0_hz, voiced, _ = librosa.pyin(audio, fmin=low_hz, fmax=2500.0, sr=sample_rate, frame_length=frame,
                                    hop_length=round(FRAME_S * sample_rate), max_transition_rate=300.0, fill_na=None)
    return hz_to_pitch(f0_hz), voiced


def crepe_full(audio: NDArray, sample_rate: int, lowest: float) -> tuple[NDArray, NDArray]:
    """CREPE in full size, frame by frame, every 5 ms: no path is laid through its frames, which are 64 ms wide."""
    torchcrepe = load_torchcrepe()
    heard = torch.from_numpy(resample(audio, sample_rate, CREPE_HZ).astype(np.float32))[None]
    with torch.no_grad():
        batches = torchcrepe.preprocess(heard, CREPE_HZ, round(FRAME_S * CREPE_HZ), 512, "cpu", pad=True)
        salience = torch.cat([torchcrepe.infer(frames, "full") for frames in batches]).numpy()
    peak = salience.argmax(axis=1)
    near = np.clip(peak[:, None] + np.arange(-4, 5), 0, salience.shape[1] - 1)
    weights = salience[np.arange(len(peak))[:, None], near]
    cents = 1997.3794084376191 + 20 * (weights * near).sum(axis=1) / weights.sum(axis=1)
    return hz_to_pitch(10 * 2 ** (cents / 1200)), salience.max(axis=1) > 0.3


CURVES: dict[str, Curve] = {"pYIN": pyin, "CREPE full": crepe_full}


def stepped_notes(audio: NDArray, sample_rate: int, lowest: float, curve: Curve) -> Notes:
    """The notes of a melody.

    Args:
        audio: [T].
        sample_rate: Hz.
        lowest: pitch of its lowest note.
        curve: that finds the pitch.
    """
    pitch, voiced = curve(np.asarray(audio), sample_rate, lowest - LOWEST_MARGIN)
    db = a_weighted_loudness(torch.from_numpy(np.asarray(audio, dtype=np.float32))[None], sample_rate,
                             round(FRAME_S * sample_rate))[0].numpy()
    n = min(len(pitch), len(db))
    pitch, voiced, db = pitch[:n], voiced[:n], db[:n]
    sounding = voiced & (db > db.max() - SILENT_DB)
    stays, gap = round(STAYS_S / FRAME_S), round(GAP_S / FRAME_S)
    notes = []
    for start, stop in _stretches(sounding, gap):
        for begin, end in _steps(pitch[start:stop], _dips(db[start:stop]), stays):
            inner = pitch[start + begin : start + end][sounding[start + begin : start + end]]
            notes.append(Note(float(np.median(inner)), 90, (start + begin) * FRAME_S, (start + end) * FRAME_S))
    return Notes(tuple(notes))


def _stretches(mask: NDArray, gap: int) -> list[tuple[int, int]]:
    """Where mask holds, holes shorter than gap filled."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(int), [0]]))).reshape(-1, 2)
    joined: list[tuple[int, int]] = []
    for start, stop in edges.tolist():
        if joined and start - joined[-1][1] < gap:
            joined[-1] = (joined[-1][0], stop)
        else:
            joined.append((start, stop))
    return joined


def _dips(db: NDArray) -> NDArray:
    """Frames at the bottom of a fall of 6 dB below both sides within 0.2 s."""
    from scipy.signal import find_peaks

    return find_peaks(-db, prominence=DIP_DB, wlen=81)[0]


def _steps(pitch: NDArray, dips: NDArray, stays: int) -> list[tuple[int, int]]:
    """Where notes begin and end; what lies between two of them is shared at the middle of their pitches."""
    borders, semitone, at = [0], np.nan, 0
    while at + stays <= len(pitch):
        window = pitch[at : at + stays]
        nearest = float(np.round(np.median(window)))
        off = float(np.abs(window - nearest).max())
        if at in dips and at > borders[-1]:
            borders.append(at)
            semitone = np.nan
        if np.isnan(semitone):
            semitone = nearest if off < FIRST_NEAR else semitone
        elif off < NEAR and nearest != semitone and np.all(np.abs(window - semitone) > NEAR):
            border = at
            while border > borders[-1] + 1 and abs(pitch[border - 1] - nearest) < abs(pitch[border - 1] - semitone):
                border -= 1
            borders.append(border)
            semitone = nearest
        at += 1
    borders.append(len(pitch))
    return [(a, b) for a, b in pairwise(borders) if b - a >= stays]


def known(kind: str, wide: float, rate_hz: float, harmonics: int, detuned: float = 0.0) -> tuple[NDArray, Notes]:
    """Two seconds of a trill (wide: semitones; rate_hz: notes a second) or a vibrato (wide: semitones to each side)."""
    sample_rate, length_s = 48_000, 2.0
    at_s = np.arange(round(sample_rate * length_s)) / sample_rate
    base = 69 + detuned
    if kind == "trill":
        count = round(length_s * rate_hz)
        place = np.minimum((at_s * rate_hz).astype(int), count - 1)
        pitch = base + wide * (place % 2)
        smooth = np.hanning(round(0.015 * sample_rate))  # a glide of 15 ms
        pitch = np.convolve(np.pad(pitch, len(smooth) // 2, mode="edge"), smooth / smooth.sum(), "same")[
            len(smooth) // 2 :][: len(at_s)]
        answer = [Note(base + wide * (index % 2), 90, index / rate_hz, (index + 1) / rate_hz) for index in range(count)]
    else:
        pitch = base + wide * np.sin(2 * np.pi * rate_hz * at_s)
        answer = [Note(base, 90, 0.0, length_s)]
    phase = 2 * np.pi * np.cumsum(pitch_to_hz(pitch)) / sample_rate
    sound = sum(np.sin(k * phase) / k for k in range(1, harmonics + 1))
    fades = np.minimum(1, 100 * np.minimum(at_s, length_s - at_s))
    return (0.2 * fades * sound).astype(np.float32), Notes(tuple(answer))


CASES = [*(("trill", wide, rate, n, 0.0) for wide in (1.0, 2.0) for rate in (8.0, 12.0, 12.5) for n in (1, 8)),
         *(("vibrato", 0.4, rate, n, detuned) for rate in (4.0, 5.5, 7.0) for n in (1, 8) for detuned in (0.0, 0.05, -0.05))]


def main() -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    curves = {name: curve for name, curve in CURVES.items() if name in (sys.argv[1:] or CURVES)}
    heads = " | ".join(f"{name}: found, F" for name in curves)
    print(f"| | wide, semitones | a second | partials | off tune, cents | notes | {heads} |\n"
          f"|---|---:|---:|---:|---:|---:|{'---|' * len(curves)}")
    for kind, wide, rate, harmonics, detuned in CASES:
        sound, answer = known(kind, wide, rate, harmonics, detuned)
        cells = []
        for curve in curves.values():
            found = stepped_notes(sound, 48_000, 69.0, curve)
            cells.append(f"{len(found.notes)}, {note_scores(answer, found).f_measure:.3f}")
        row = [kind, f"{wide:g}", f"{rate:g}", f"{harmonics}", f"{100 * detuned:g}", f"{len(answer.notes)}", *cells]
        print("|", " | ".join(row), "|", flush=True)


if __name__ == "__main__":
    main()
