"""The rows of the ablation of sound: what each trains, how, and what it sounds like on recordings that it never heard."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from variants_networks import Forgetful, FreeLevel, FreeRoom, Plain, Residual, Transients
from variants_training import AdversarialRun, AudioRun, VariantRun, altered_copies, crowded, tracked
from verdicts import Verdict

from ddspvae.audio import read_audio
from ddspvae.evaluation.frechet import EMBEDDINGS, embed, frechet_distance
from ddspvae.evaluation.metrics import harmonic_error, loudness_error, pitch_error, spectral_distance
from ddspvae.evaluation.perceptual import Judgement, can_judge, judge_take, judges_left_out
from ddspvae.features.band_tables import CROWDING
from ddspvae.features.extract import extract
from ddspvae.features.f0 import VOICED
from ddspvae.instrument.presets import FILE_FORMAT
from ddspvae.model.bottleneck import sounding_rows
from ddspvae.model.config import ModelConfig, sizes_for
from ddspvae.model.encoder_inputs import EncoderInputs
from ddspvae.model.form import NAMED_AXES
from ddspvae.model.parts import ENCODERS
from ddspvae.rate_distortion.measure import rate_interval
from ddspvae.signals.units import samples_to_frames
from ddspvae.threads import one_thread
from ddspvae.training.dataset import Crops, Take
from ddspvae.training.prepare import Prepared, prepare
from ddspvae.training.trainer import Run, TrainingConfig

CROP_S, LEAD_S, STRETCH_S = 1.6, 0.32, 5.0
PLAIN, NOISE = "plain", "plain, another seed"  # what others are compared with; how much of that is chance


@dataclass(frozen=True)
class Variant:
    """One row.

    Args:
        model: settings of ModelConfig; found is the same after the recordings had their say.
        network: the model's class.
        run: makes the run from model and config.
        alter: makes more takes from takes, sample rate and hop size.
        seed_offset: added to the seed.
        crowding: of the noise bands, see features.bands.
        is_refined: False leaves pitch as the tracker has it.
        training: settings of TrainingConfig.
    """

    model: Mapping[str, Any] = field(default_factory=dict)
    found: Mapping[str, Any] = field(default_factory=dict)
    network: type[Plain] = Plain
    run: Callable[[Plain, TrainingConfig], Run] = VariantRun
    alter: Callable[[Sequence[Take], int, int], list[Take]] | None = None
    seed_offset: int = 0
    crowding: float = CROWDING
    is_refined: bool = True
    training: Mapping[str, Any] = field(default_factory=dict)


AUDIO = "audio loss"  # the rows that begin so have it, too: what they add makes sound, and no level that is measured

VARIANTS: dict[str, Variant] = {
    PLAIN: Variant(),
    NOISE: Variant(seed_offset=1000),
    "lines only": Variant(run=partial(VariantRun, lines_share=1.0)),
    "ear only": Variant(run=partial(VariantRun, lines_share=0.0)),
    AUDIO: Variant(run=AudioRun),
    "rooms together": Variant(model={"by_room": False}),
    "no persistence": Variant(network=Forgetful),
    "no detail": Variant(model={"n_z": len(NAMED_AXES)}),
    "no z": Variant(model={"n_z": 0}),
    **{f"encoder: {name}": Variant(model={"encoder": name}) for name in ENCODERS if name != ModelConfig.encoder},
    "pitch as tracked": Variant(is_refined=False),
    "129 noise bands": Variant(model={"n_noise_bands": 129}),
    "33 noise bands": Variant(model={"n_noise_bands": 33}),
    "17 noise bands": Variant(model={"n_noise_bands": 17}),
    "noise bands as dense everywhere": Variant(crowding=1.001),
    "100 frames/s": Variant(model={"hop_size": 480, "frames_per_z": 2}),
    "400 frames/s": Variant(model={"hop_size": 120, "frames_per_z": 8}),
    "25 rows of z a second": Variant(model={"frames_per_z": 8}),
    "six crops a step, learning rate 2e-3": Variant(training={"batch_size": 6, "learning_rate": 2e-3}),
    "altered copies: pitch": Variant(alter=partial(altered_copies, with_tilt=False)),
    "altered copies: pitch, gain, tilt": Variant(alter=altered_copies),
    "40 harmonics": Variant(found={"n_harmonics": 40}),
    "160 harmonics": Variant(found={"n_harmonics": 160}),
    "no room": Variant(model={"with_reverb": False}),
    f"{AUDIO}, no room": Variant(model={"with_reverb": False}, run=AudioRun),
    f"{AUDIO}, residual after the DSP": Variant(network=Residual, run=AudioRun),
    f"{AUDIO}, transients at onsets": Variant(network=Transients, run=AudioRun),
    f"{AUDIO}, adversarial last third": Variant(run=AdversarialRun),
    f"{AUDIO}, level free": Variant(network=FreeLevel, run=AudioRun),
    f"{AUDIO}, free response of 1 s": Variant(network=FreeRoom, run=AudioRun),
}


@dataclass(frozen=True)
class Material:
    """What all rows share: recordings to train on, and those held out."""

    recordings: Path
    held_out: tuple[Path, ...]
    seconds: float


@dataclass(frozen=True)
class Outcome:
    """What one row came to.

    Args:
        distances: spectral distance of each stretch of 5 s of the held-out recordings.
        validation_distance: likewise, the mean over the takes that were split off the training folder.
        cents, heard: median pitch error, and share of the sure frames with a pitch.
        loudness_db: mean absolute error.
        harmonics_db: of `harmonic_error`.
        scores: of each stretch by Zimtohrli, one list a recording; empty where not installed.
        zimtohrli, visqol: mean opinion scores, NaN where not installed.
        bits_per_second: of z, on what was held out.
        frechet: by embedding, between all that was held out and its resynthesis.
        parameters: of the whole model.
        seconds_a_step: of the processor, one thread; steps: of the training.
        first_loss, last_loss: of the training, means over a tenth of it.
    """

    name: str
    distances: list[float]
    validation_distance: float
    cents: float
    heard: float
    loudness_db: float
    harmonics_db: float
    scores: list[list[float]]
    zimtohrli: float
    visqol: float
    bits_per_second: float
    frechet: dict[str, float]
    parameters: int
    seconds_a_step: float
    steps: int
    first_loss: float
    last_loss: float


@cache
def _prepared(recordings: Path, held_out: tuple[Path, ...], model: ModelConfig, is_refined: bool, crowding: float
              ) -> Prepared:
    with tracked(is_refined), crowded(crowding):
        return prepare(recordings, held_out, "swift", model)


def train_variant(variant: Variant, material: Material, config: TrainingConfig
                  ) -> tuple[Plain, Prepared, list[float], float]:
    """Train one row.

    Returns:
        the averaged model, what it was trained on, the loss of every step, seconds of the processor a step.
    """
    config = replace(config, seed=config.seed + variant.seed_offset, **variant.training)
    n_z, frames_per_z = sizes_for(config.bitrate)
    wanted = replace(ModelConfig(bitrate=config.bitrate, n_z=n_z, frames_per_z=frames_per_z), **variant.model)
    rates = ModelConfig(hop_size=wanted.hop_size, frames_per_z=wanted.frames_per_z)  # all that preparing depends on
    prepared = _prepared(material.recordings, material.held_out, rates, variant.is_refined, variant.crowding)
    found = {"n_harmonics": prepared.model.n_harmonics, "rooms": prepared.model.rooms,
             "by_room": prepared.model.by_room and wanted.by_room is not False, **variant.found}
    prepared = replace(prepared, model=replace(wanted, **found))
    model_config, takes = prepared.model, list(prepared.training)
    if variant.alter is not None:
        takes += variant.alter(takes, model_config.sample_rate, model_config.hop_size)
    torch.manual_seed(config.seed)
    network = variant.network(model_config)
    network.decoder.typical.fit([take.heard() for take in prepared.training], model_config.frames_per_z, model_config.rooms)
    run = variant.run(network, config)
    rate_hz = model_config.frame_rate_hz
    crops = Crops(takes, model_config.rooms, round(CROP_S * rate_hz), round(LEAD_S * rate_hz), model_config.hop_size)
    losses = []
    began = time.process_time()  # of one thread: a machine that is shared does not count
    while run.progress < 1:
        losses.append(run.advance(crops)[0])
    return run.average, prepared, losses, (time.process_time() - began) / run.step


@torch.inference_mode()
def resynthesize(model: Plain, take: Take) -> tuple[np.ndarray, float]:
    """A take as the model plays it, [F * hop_size], z drawn from its posterior, which is what bits pay for; and bit/s."""
    heard = EncoderInputs.of(take.features, take.audio, room=take.room)
    latents = model.eval().encode(heard)
    rows = sounding_rows(heard.loudness_db[..., 0], model.config.frames_per_z)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        z = model.bottleneck(latents, rows).z
    bits = float(model.bits_per_axis(latents, rows).sum()) if model.config.n_running else 0.0
    rooms = model.config.rooms
    place = torch.tensor([rooms.index(take.room) if take.room in rooms else 0]) if model.config.with_reverb else None
    with one_thread():
        return model.play(heard, z, place)[0].numpy(), bits


@cache
def _held_out_takes(material: Material, sample_rate: int, hop_size: int, is_refined: bool, crowding: float) -> list[Take]:
    takes = []
    for path in material.held_out:
        audio = read_audio(path, sample_rate)[0][: round(material.seconds * sample_rate)]
        with tracked(is_refined), crowded(crowding):
            features = extract(audio, sample_rate, hop_size, "swift")
        whole = samples_to_frames(len(audio), hop_size) * hop_size
        takes.append(Take(path, np.pad(audio, (0, whole - len(audio))), features, path.parent.name))
    return takes


@cache
def _recorded_rows(material: Material, kind: str, sample_rate: int) -> np.ndarray:
    audios = [read_audio(path, sample_rate)[0][: round(material.seconds * sample_rate)] for path in material.held_out]
    return embed(audios, sample_rate, kind)


def run_row(name: str, material: Material, config: TrainingConfig, folder: Path, tracker: str = "swift") -> Outcome:
    """Train and measure a row; one that is finished in the folder is taken as it is."""
    path = folder / f"{name.replace(' ', '-').replace('/', '-').replace(',', '').replace(':', '')}.json"
    asked = {"format": FILE_FORMAT, "steps": config.steps, "minutes": config.minutes, "seed": config.seed,
             "bitrate": config.bitrate, "tracker": tracker, "seconds": material.seconds,
             "held_out": [take.name for take in material.held_out],
             "judged": not judges_left_out()}
    if path.is_file():
        kept = json.loads(path.read_text())
        if kept.pop("asked") == asked:
            return Outcome(**kept)
    with crowded(VARIANTS[name].crowding):
        outcome = _train_and_measure(name, material, config, tracker)
    part = path.with_suffix(".part")
    part.write_text(json.dumps({**asdict(outcome), "asked": asked}, indent=1))
    part.replace(path)
    return outcome


def _train_and_measure(name: str, material: Material, config: TrainingConfig, tracker: str) -> Outcome:
    model, prepared, losses, seconds_a_step = train_variant(VARIANTS[name], material, config)
    rate = prepared.model.sample_rate
    takes = _held_out_takes(material, rate, prepared.model.hop_size, VARIANTS[name].is_refined, VARIANTS[name].crowding)
    sounds, bits = zip(*(resynthesize(model, take) for take in takes))
    zimtohrli, visqol = mean_scores([judge_take(take.audio, sound, rate) for take, sound in zip(takes, sounds)])
    pitches = [pitch_error(take.audio, sound, rate, tracker) for take, sound in zip(takes, sounds)]
    tenth = max(1, len(losses) // 10)
    return Outcome(
        name=name,
        distances=[d for take, sound in zip(takes, sounds) for d in _by_stretches(take.audio, sound, rate)],
        validation_distance=float(np.mean([spectral_distance(take.audio, resynthesize(model, take)[0], rate)
                                           for take in prepared.validation])),
        cents=float(np.mean([pitch.median_cents for pitch in pitches])),
        heard=float(np.mean([pitch.heard for pitch in pitches])),
        loudness_db=float(np.mean([loudness_error(take.audio, sound, rate).mean_abs_db
                                   for take, sound in zip(takes, sounds)])),
        harmonics_db=float(np.nanmean([harmonic_error(
            take.audio, sound, rate, prepared.model.hop_size, take.features.f0_hz, take.features.periodicity >= VOICED)
            for take, sound in zip(takes, sounds)])),
        scores=[Verdict.of(take.audio, sound, rate, False).scores.tolist() for take, sound in zip(takes, sounds)
                if can_judge()],
        zimtohrli=zimtohrli, visqol=visqol, bits_per_second=float(np.mean(bits)),
        frechet={kind: frechet_distance(_recorded_rows(material, kind, rate), embed(sounds, rate, kind))
                 for kind in EMBEDDINGS},
        parameters=sum(p.numel() for p in model.parameters()),
        seconds_a_step=seconds_a_step, steps=len(losses),
        first_loss=float(np.mean(losses[:tenth])), last_loss=float(np.mean(losses[-tenth:])))


def mean_scores(said: Sequence[Judgement | None]) -> tuple[float, float]:
    """Zimtohrli and ViSQOL over those that have a score, NaN where none has."""
    known = [one for one in said if one is not None]
    columns = [one.zimtohrli for one in known], [one.visqol for one in known if one.visqol is not None]
    zimtohrli, visqol = (float(np.mean(scores)) if scores else float("nan") for scores in columns)
    return zimtohrli, visqol


def _by_stretches(reference: np.ndarray, estimate: np.ndarray, sample_rate: int) -> list[float]:
    size = round(STRETCH_S * sample_rate)
    starts = range(0, max(1, len(reference) - size // 2), size)
    return [spectral_distance(reference[at : at + size], estimate[at : at + size], sample_rate) for at in starts]


def gain_interval(plain: Sequence[Sequence[float]], other: Sequence[Sequence[float]]) -> tuple[float, float, float]:
    """How much better other's scores are, stretch by stretch of each recording.

    Returns:
        the mean, and its 95 % interval over stretches drawn anew; NaN where there are none. It tells chance in the
        recordings, not in the training.
    """
    difference = np.concatenate([np.zeros(0), *(np.subtract(own, theirs) for own, theirs in zip(other, plain, strict=True))])
    return rate_interval(np.stack([difference, np.ones(len(difference))], axis=1), 1.0)
