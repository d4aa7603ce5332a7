"""From symptoms to plain sentences: what is wrong, where, and what to do about it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from ddspvae.plucked.recognise import SURE_SHARE
from ddspvae.signals.units import hz_to_pitch

if TYPE_CHECKING:
    from ddspvae.training.doctor.findings import FileReport, Findings

CLIPPED = 0.0005  # audible as soon as it is regular
DC_OFFSET = 0.01
PAUSE_TO_LOUD_DB = 30.0
HUM_DB = -60.0  # softer hum is below the noise of most rooms
SILENCE = 0.5
SURE = 0.5
SECOND_PITCH = 0.4
FEW_MINUTES = 2.0
NARROW_SEMITONES = 7
NAMES_SHOWN = 3
PITCH_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def advise(report: Findings) -> tuple[str, ...]:
    """Sentences about a report, the gravest first."""
    lines = []
    if report.left_out:
        n = len(report.left_out)
        lines.append(f"{n} {'file was' if n == 1 else 'files were'} left out; the reasons are in the list above.")
    if not report.files:
        return (*lines, "Nothing is left to train on.")
    return (*lines, *faults(report), *_about_all(report))


def faults(report: Findings) -> list[str]:
    """What is wrong with single files, the gravest first."""
    lines: list[str] = []
    problems: tuple[tuple[Callable[[FileReport], float], float, Callable[[FileReport], str], str], ...] = (
        (lambda f: f.clipped_share, CLIPPED,
         lambda f: f"{_percent(f.clipped_share)} of {f.path.name} is clipped", "record softer"),
        (lambda f: 1 - f.sure_share, 1 - SURE,
         lambda f: f"only {_percent(f.sure_share)} of {f.path.name} has a sure pitch",
         "one instrument, one note at a time, close to the microphone; or try another tracker"),
        (lambda f: f.second_pitch_share, SECOND_PITCH,
         lambda f: f"{_percent(f.second_pitch_share)} of {f.path.name} seems to hold two pitches at once",
         "leave out chords and accompaniment"),
        (lambda f: f.noise_floor_db - f.level_db if f.floor_is_noise else -math.inf, -PAUSE_TO_LOUD_DB,
         lambda f: f"the pauses of {f.path.name} are only {f.level_db - f.noise_floor_db:.0f} dB below the playing",
         "a quieter room or a closer microphone"),
        (lambda f: -math.inf if f.hum_db is None else f.hum_db, HUM_DB,
         lambda f: f"{f.path.name} hums at {f.hum_hz:.0f} Hz, {-(f.hum_db or 0):.0f} dB below the playing",
         "another socket, a balanced cable, or a notch filter"),
        (lambda f: f.silence_share, SILENCE,
         lambda f: f"{_percent(f.silence_share)} of {f.path.name} is silence", "trim it, it teaches nothing"),
        (lambda f: abs(f.dc_offset), DC_OFFSET,
         lambda f: f"{f.path.name} is off centre by {f.dc_offset:+.3f}", "high-pass it at 20 Hz"),
        (lambda f: report.sample_rate - f.sample_rate, 0.1 * report.sample_rate,
         lambda f: f"{f.path.name} has {f.sample_rate} Hz, so nothing above {f.sample_rate // 2} Hz can be learned",
         f"record at {report.sample_rate} Hz, or train at the lower rate"),
    )
    for badness, limit, sentence, remedy in problems:
        ill = sorted((file for file in report.files if badness(file) > limit), key=badness, reverse=True)
        if len(ill) > NAMES_SHOWN:
            others = f"and {len(ill) - 1} files more have the same fault"
            lines.append(f"{_first_upper(sentence(ill[0]))}, {others}: {remedy}.")
        else:
            lines += [f"{_first_upper(sentence(file))}: {remedy}." for file in ill]
    return lines


def _about_all(report: Findings) -> list[str]:
    lines = []
    total = report.total()
    if total["minutes"] < FEW_MINUTES:
        lines.append(f"There are only {total['minutes']:.1f} minutes: 5 to 20 minutes make a better instrument.")
    if total["lowest_hz"] is None:
        lines.append("No pitch was found anywhere: is this a pitched instrument?")
    elif hz_to_pitch(total["highest_hz"]) - hz_to_pitch(total["lowest_hz"]) < NARROW_SEMITONES:
        lines.append(f"The notes lie between {pitch_name(hz_to_pitch(total['lowest_hz']))} and "
                     f"{pitch_name(hz_to_pitch(total['highest_hz']))}: what lies outside will be a guess; "
                     "record the range that you want to play.")
    if total["ringing_share"] >= SURE_SHARE:
        lines.append(f"{_percent(total['ringing_share'])} of the notes fall by themselves: this is a plucked or struck "
                     "instrument, and it will be played as one; record notes until they have died away, and, of a fretted "
                     "instrument, name the open string of each note in a column 'string' of manifest.csv.")
    return lines


def pitch_name(pitch: float) -> str:
    """A MIDI note number as a name, C4 = 60.

    >>> pitch_name(69.2)
    'A4'
    """
    number = round(pitch)
    return f"{PITCH_NAMES[number % 12]}{number // 12 - 1}"


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"


def _first_upper(sentence: str) -> str:
    # a file name keeps its own case
    head = sentence.split(" ", 1)[0]
    return sentence if "." in head else sentence[0].upper() + sentence[1:]
