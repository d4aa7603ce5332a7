"""The last steps of a run: prior, statistics, the file, and its measures taken from the reloaded file."""

from __future__ import annotations

import math
import platform
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from ddspvae.evaluation.dynamics import hear, meet_dynamics, meet_gestures
from ddspvae.features.statistics import measure
from ddspvae.features.timbre import mel_centres_hz
from ddspvae.instrument.instrument import Instrument
from ddspvae.instrument.loading import load
from ddspvae.instrument.presets import arrays_of, save_instrument
from ddspvae.model.autoencoder import Autoencoder
from ddspvae.model.bottleneck import kl_nats, sounding_rows
from ddspvae.model.by_room import settled_in
from ddspvae.model.encoder_inputs import EncoderInputs
from ddspvae.model.form import axis_names
from ddspvae.model.quantize import Quantizer
from ddspvae.model.stack import mean_rows
from ddspvae.performer.controls import CARD_KEY as CONTROLS_KEY
from ddspvae.performer.gestures import Gestures, learn_gestures
from ddspvae.performer.measure import ranges_of_takes
from ddspvae.plucked.learn import played_statistics
from ddspvae.plucked.model import Plucks
from ddspvae.signals import Latents, Performance
from ddspvae.training.dataset import Take
from ddspvae.training.plucks import describe, find_plucks
from ddspvae.training.prepare import Prepared
from ddspvae.training.trainer import Run
from ddspvae.training.validation import excerpts, validate

PRIOR_STEPS = 600
COARSENESS, SEARCH_ROUNDS = (-12.0, 12.0), 20  # log-variance of all axes, between which to look
RATE_TOLERANCE = 1e-3


@torch.no_grad()
def hear_all(model: Autoencoder, takes: Sequence[Take]) -> list[EncoderInputs]:
    """What is heard of each take, on the model's device."""
    device = next(model.parameters()).device
    return [take.heard(device) for take in takes]


@torch.no_grad()
def sort_axes(model: Autoencoder, takes: Sequence[EncoderInputs]) -> dict[str, str]:
    """Put the axes without names in the order of their rate, the dearest first, with the sign of their strongest correlate.

    Returns:
        of each, its correlate among the bands that the encoder hears: "+2100 Hz" is more of that band with more of z.
    """
    n_named = model.n_named
    if not model.n_unnamed or model.bottleneck.discrete:
        return {}
    latents = [model.encode(heard) for heard in takes]
    rows = torch.cat([sounding_rows(heard.loudness_db[..., 0], model.config.frames_per_z)[0] for heard in takes]) > 0
    rate = torch.cat([kl_nats(one)[0] for one in latents])[rows].mean(0)[n_named:]
    z = torch.cat([one.z_mean[0] for one in latents])[rows][:, n_named:]
    bands = torch.cat([mean_rows(heard.timbre, model.config.frames_per_z)[0] for heard in takes])[rows]
    correlation = _standard(z).T @ _standard(bands) / len(z)
    strongest = correlation.abs().argmax(1)
    sign = correlation.gather(1, strongest[:, None])[:, 0].sign()
    order = rate.argsort(descending=True)
    model.encoder.permute(order, sign[order])
    model.expected.permute(order, sign[order])
    model.persistence[n_named:] = model.persistence[n_named:][order]
    decoder = model.decoder
    assert decoder.detail_head is not None
    for weight, first in ((decoder.stack.inlet.weight, 3), (decoder.detail_head.weight, 0)):
        columns = slice(first, first + model.n_unnamed)
        weight[:, columns] = weight[:, columns][:, order] * sign[order]
    centres_hz = mel_centres_hz(model.config.sample_rate)
    return {axis_names(model.config.n_z)[n_named + place]: f"+{centres_hz[int(strongest[axis])]:.0f} Hz"
            for place, axis in enumerate(order.tolist())}


def _standard(columns: torch.Tensor) -> torch.Tensor:
    return (columns - columns.mean(0)) / columns.std(0).clamp(min=1e-6)


@torch.no_grad()
def hold_bitrate(model: Autoencoder, takes: Sequence[EncoderInputs], bitrate: float) -> None:
    """Set how coarse z is so that it costs on the training takes what was asked for.

    The controller steers noisy batches; here all rows are there, and the rate falls with that one number, nearly on a line.
    """
    if not model.n_named or model.bottleneck.discrete:
        return
    low, high = COARSENESS
    tried: list[tuple[float, float]] = []
    for _ in range(SEARCH_ROUNDS):
        here, error = float(model.coarseness), math.log(training_rate(model, takes)["training_bits_per_second"] / bitrate)
        slope = -0.5 if not tried else (error - tried[-1][1]) / (here - tried[-1][0])
        tried.append((here, error))
        if abs(error) < RATE_TOLERANCE:
            break
        # noise louder than the prior costs bits again: where the rate rises, means alone cost more than was asked for
        low, high = (here, high) if error > 0 and slope < 0 else (low, here)
        there = here - error / slope if slope < 0 else low - 1.0
        there = there if low < there < high else (low + high) / 2
        if abs(there - here) < 1e-4:
            break
        model.coarseness.fill_(there)
    model.coarseness.fill_(min(tried, key=lambda one: abs(one[1]))[0])


@torch.no_grad()
def training_rate(model: Autoencoder, takes: Sequence[EncoderInputs]) -> dict[str, Any]:
    """What z costs on the training takes, and how codes are used where there are codes."""
    if not model.config.n_running:
        return {}
    latents = [model.encode(heard) for heard in takes]
    rows = [sounding_rows(heard.loudness_db[..., 0], model.config.frames_per_z) for heard in takes]
    every = Latents(torch.cat([one.z_mean for one in latents], dim=1), torch.cat([one.z_logvar for one in latents], dim=1),
                    persistence=torch.cat([_from_nothing(one.persistence) for one in latents], dim=1))
    counted = torch.cat(rows, dim=1)
    bits = model.bits_per_axis(every, counted).tolist()
    rate = {"training_bits_per_second": sum(bits), "training_bits_per_axis": bits}
    if not isinstance(model.bottleneck, Quantizer):
        return rate
    usage = model.bottleneck.usage(model.bottleneck.encode(every.z_mean), counted)
    return {**rate, "codes": {name: value.tolist() for name, value in vars(usage).items()}}


def _from_nothing(persistence: torch.Tensor | None) -> torch.Tensor:
    """Of a take, whose first row follows none."""
    assert persistence is not None
    return torch.cat([torch.zeros_like(persistence[:, :1]), persistence[:, 1:]], dim=1)


def fit_prior(model: Autoencoder, takes: Sequence[EncoderInputs], seed: int) -> None:
    """Fit how wide z is at a pitch and loudness, and how slowly it changes, to all rows of the training takes."""
    if not model.config.n_running:
        return
    torch.manual_seed(seed)
    with torch.no_grad():
        z = [model.to_z(model.encode(heard))[0, :, : model.config.n_running] for heard in takes]
        curves = [torch.cat([curve[0, :: model.config.frames_per_z] for curve in heard.curves], dim=-1) for heard in takes]
        products = sum(((rows[1:] * rows[:-1]).sum(0) for rows in z), torch.zeros_like(z[0][0]))
        squares = sum(((rows[1:].square() + rows[:-1].square()).sum(0) / 2 for rows in z), torch.zeros_like(z[0][0]))
        model.prior.persistence.copy_((products / squares.clamp(min=1e-9)).clamp(0, 0.99))
    all_curves, all_z = torch.cat(curves), torch.cat(z)
    optimizer = torch.optim.Adam(model.prior.parameters(), lr=1e-2)
    for step in range(PRIOR_STEPS):
        optimizer.param_groups[0]["lr"] = 1e-2 * (1 - step / PRIOR_STEPS) + 1e-4
        pick = torch.randint(len(all_curves), (2048,), device=all_curves.device)
        logvar = model.prior(*all_curves[pick].split(1, dim=-1))
        loss = (logvar + all_z[pick].square() / logvar.exp()).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


@torch.no_grad()
def _performance(model: Autoencoder, take: Take, heard: EncoderInputs) -> Performance:
    """A training take as the instrument hears it."""
    features, config = take.features, model.config
    return Performance(features.f0_hz, features.periodicity, features.loudness_db,
                       model.to_z(model.encode(heard))[0].cpu().numpy(), axis_names(config.n_z, config.n_timbre),
                       features.frame_rate_hz, config.frames_per_z)


def _timbre(played: Sequence[tuple[Take, Performance]], plucks: Plucks | None) -> dict[str, Any]:
    """What the file says of one of many instruments: its code, habits, and the room where most of it was recorded."""
    takes = [take for take, _ in played]
    statistics = measure([take.features for take in takes])
    if plucks is not None:
        statistics = played_statistics(statistics, plucks)
    frames: dict[str, int] = {}
    for take in takes:
        frames[take.room] = frames.get(take.room, 0) + take.n_frames
    code = takes[0].code
    assert code is not None
    return {"code": code.tolist(), "statistics": statistics.to_dict(), "room": max(frames, key=lambda room: frames[room]),
            CONTROLS_KEY: ranges_of_takes([performance for _, performance in played], statistics).to_dict(),
            **({} if plucks is None else {"plucked": describe(plucks)})}


def _slope(prepared: Prepared) -> float:
    """How brightness goes with the loudness in the recordings, octaves per 10 dB."""
    config = prepared.model
    return hear([(take.room, take.audio, take.features) for take in prepared.training], config.sample_rate,
                config.hop_size).slope


def finish(run: Run, prepared: Prepared, out: Path, start_from: str = "") -> None:
    """Write the instrument from the best weights, then measure the file as a user would load it."""
    model = Autoencoder(prepared.model).to(run.device)
    model.load_state_dict(run.best)
    if prepared.model.n_rooms_apart:  # as a file is played whose room nobody names
        model.load_state_dict({name: torch.from_numpy(array) for name, array in settled_in(arrays_of(run.best), 0).items()})
    model.eval()
    takes = hear_all(model, prepared.training)
    correlates = sort_axes(model, takes)
    hold_bitrate(model, takes, run.config.bitrate)
    fit_prior(model, takes, run.config.seed)
    statistics = measure([take.features for take in prepared.training])
    plucks = find_plucks(prepared)
    draft = {"statistics": statistics.to_dict(), "tracker": prepared.tracker}
    # few notes tell no dynamics of their own; what many instruments taught stays
    slope = math.nan if model.config.n_timbre or plucks or prepared.is_few else _slope(prepared)
    if not math.isnan(slope):
        meet_dynamics(Instrument(model, draft, "training"), slope)
        hold_bitrate(model, takes, run.config.bitrate)  # the named axes are read beside another curve now
    deviation = model.decoder.typical.deviation.tolist()
    played = [(take, _performance(model, take, heard)) for take, heard in zip(prepared.training, takes)]
    gestures = Gestures.nothing(model.config.n_z)
    if not model.config.n_timbre:  # the notes of several instruments are nobody's gestures
        gestures = learn_gestures([take.features for take, _ in played], [performance.z for _, performance in played],
                                  statistics, prepared.model.frames_per_z)
        if not math.isnan(slope):
            gestures = meet_gestures(Instrument(model, draft, "training", gestures=gestures), slope)
    weights = {**model.state_dict(), **gestures.to_arrays()}
    for owner, one in plucks.items():
        weights |= one.to_arrays(owner)
    if "" in plucks:
        statistics = played_statistics(statistics, plucks[""])
    card: dict[str, Any] = {
        "config": prepared.model.to_dict(),
        **({"plugins": plugins} if (plugins := prepared.model.plugins) else {}),
        "statistics": statistics.to_dict(),
        "axes": {name: {"sd": deviation[i]} if i < model.n_named else {"correlate": correlates.get(name, "")}
                 for i, name in enumerate(axis_names(model.config.n_z, model.config.n_timbre))},
        "performer": {"notes": len(gestures), "bound": gestures.n_bound},
        **({"plucked": describe(plucks[""])} if "" in plucks else {}),
        CONTROLS_KEY: ranges_of_takes([performance for _, performance in played], statistics).to_dict(),
        "tracker": prepared.tracker,
        "training": {**asdict(run.config), "from": start_from, "steps_done": run.step,
                     "minutes_done": round(run.seconds / 60, 2),
                     "machine": f"{platform.machine()}, {run.device.type}, {torch.get_num_threads()} threads",
                     "files": sorted({take.path.name for take in prepared.training}),
                     "validation_files": sorted({take.path.name for take in prepared.validation}),
                     "holdout": prepared.holdout,
                     **({} if prepared.corpus is None else {"corpus": {
                         "place": prepared.corpus.place, "hours": round(prepared.corpus.hours("train"), 3),
                         "recordings": sum(1 for _ in prepared.corpus.entries("train")), "of_these_files": "a sample"}})},
        "licence": prepared.licence,
        "credits": prepared.credits,
        "metrics": {},
    }
    if model.config.n_timbre:
        card["timbres"] = {name: _timbre([one for one in played if one[0].instrument == name], plucks.get(name))
                           for name in sorted({take.instrument for take in prepared.training})}
    unmeasured = out.with_name(f".{out.stem}.unmeasured{out.suffix}")
    try:
        save_instrument(unmeasured, weights, card)
        reloaded = load(unmeasured)
    finally:
        unmeasured.unlink(missing_ok=True)
    probes = excerpts(prepared.validation, prepared.model.hop_size, prepared.training)
    measured = validate(reloaded.model, probes, prepared.model.rooms, prepared.tracker, torch.device("cpu"))
    card["metrics"] = {"validation": asdict(measured), "log": run.rows,
                       **training_rate(model, takes)}
    save_instrument(out, weights, card)
