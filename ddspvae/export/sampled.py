"""A whole sampled instrument: notes, tables, README."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ddspvae.audio import write_audio
from ddspvae.export.credits import attributions, licences, readme
from ddspvae.export.decent import write_decent
from ddspvae.export.folder import Advance, Exported, check_instrument, new_folder
from ddspvae.export.plan import Plan
from ddspvae.export.sampling import Sample, gain_to_full_scale, play_samples
from ddspvae.export.sfz import write_sfz
from ddspvae.export.soundfont import write_soundfont
from ddspvae.midi.notes import pitch_to_name
from ddspvae.midi.programs import PROGRAMS, find_instrument
from ddspvae.signals.checks import InputError

if TYPE_CHECKING:
    from ddspvae.instrument.instrument import Instrument

FORMATS = ("sfz", "sf2", "decent")
FOLDER = "samples"
TITLES = {"sfz": "samples for any SFZ player", "sf2": "a SoundFont", "decent": "samples for DecentSampler"}
OPEN = {"sfz": "Open `{name}.sfz` in an SFZ player (sfizz, sforzando, and others).",
        "sf2": "Open `{name}.sf2` in MuseScore, FluidSynth or any other player of SoundFonts.",
        "decent": "Open `{name}.dspreset` in DecentSampler."}
LOST = ("What stays behind: bound notes, vibrato and dynamics that follow a phrase, every curve that can be edited. Those "
        "are played by `ddspvae render`; this folder is the instrument note by note.")


def export_sampled(instrument: Instrument, kind: str, out: str | Path, plan: Plan, advance: Advance = lambda: None
                   ) -> Exported:
    """Let an instrument play its notes into a folder for a sampler.

    Args:
        instrument: that plays.
        kind: one of FORMATS.
        out: a folder that is not there yet, or empty.
        plan: which notes.
        advance: called after each of them.
    Raises:
        InputError: the folder holds something or cannot be written, or the instrument cannot be sampled.
    """
    check_instrument(instrument)
    if any(plan.brightness) and "brightness" not in instrument.axis_names:
        raise InputError(f"export: {instrument.name} has no axis of brightness; leave out --brightness.")
    name = instrument.name.replace(":", "-")
    with new_folder(out) as folder:
        samples: list[Sample] = []
        for sample in play_samples(instrument, plan):
            samples.append(sample)
            advance()
        statistics, rate = instrument.statistics, instrument.config.sample_rate
        if kind == "sf2":
            main = f"{name}.sf2"
            comment = "; ".join(attributions(instrument.card))
            write_soundfont(folder / main, name, samples, statistics, rate, _programs(name),
                            f"Learned by ddspvae from: {comment}. Licences: {licences(instrument.card)}.")
        else:
            main = f"{name}.{'sfz' if kind == 'sfz' else 'dspreset'}"
            files, gains = _write_files(folder, samples, rate)
            write = write_sfz if kind == "sfz" else write_decent
            write(folder / main, samples, files, gains, statistics, len(plan.seeds))
        (folder / "README.md").write_text(_readme(instrument, kind, name, plan), encoding="utf-8")
        n_bytes = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return Exported(plan.n_samples, n_bytes, main)


def _programs(name: str) -> list[int]:
    """Of General MIDI, for an instrument of that name; and the first, which is what was never set."""
    instrument = find_instrument(name)
    same = [number for number, program in enumerate(PROGRAMS) if instrument and program.instrument == instrument]
    return sorted({0, *same})


def _write_files(folder: Path, samples: list[Sample], sample_rate: int) -> tuple[list[Path], list[float]]:
    """Each as loud as a file can hold; how much louder than the instrument that is stands in the tables."""
    (folder / FOLDER).mkdir()
    files, gains = [], []
    for sample in samples:
        files.append(Path(FOLDER) / f"{sample.name}.flac")
        gains.append(gain_to_full_scale(sample.audio))
        write_audio(folder / files[-1], sample.audio * np.float32(gains[-1]), sample_rate, "16")
    return files, gains


def _readme(instrument: Instrument, kind: str, name: str, plan: Plan) -> str:
    low, high = plan.keys[0].low, plan.keys[-1].high
    layers = ", ".join(f"{layer.low} to {layer.high}" for layer in plan.layers)
    turns = 1 if kind == "sf2" else len(plan.seeds)
    body = [
        OPEN[kind].format(name=name),
        f"Keys {low} to {high} ({pitch_to_name(low)} to {pitch_to_name(high)}), {len(plan.keys)} of them played; dynamics "
        f"by velocity: {layers}; {turns} performance{'s' if turns > 1 else ''} of each note"
        + (", in turn." if turns > 1 else "."),
        "Every note is held by a loop that repeats sample by sample. Level follows velocity as the instrument's own does, "
        f"pitch is equal temperament at A4 = 440 Hz, {instrument.config.sample_rate} Hz, mono, without a room.",
    ]
    if len(plan.brightness) > 1 and kind == "sfz":
        body.append("Controller 74 fades from dark (0) over usual (64) to bright (127).")
    return readme(name, instrument.card, TITLES[kind], "played these notes by itself", [*body, LOST])
