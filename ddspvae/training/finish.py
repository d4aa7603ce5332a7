"""The last steps of a run: prior, statistics, the file, and its measures taken from the reloaded file."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ddspvae.features.statistics import measure
from ddspvae.instrument import load
from ddspvae.model.autoencoder import Autoencoder
from ddspvae.presets import save_instrument
from ddspvae.training.dataset import Take
from ddspvae.training.prepare import Prepared
from ddspvae.training.run import Run
from ddspvae.training.validation import curves, excerpts, validate

PRIOR_STEPS = 600


def fit_prior(model: Autoencoder, takes: Sequence[Take], seed: int) -> None:
    """Fit the prior's mean and variance of z to all rows of the training takes, by maximum likelihood."""
    if not model.config.n_z:
        return
    torch.manual_seed(seed)
    device = next(model.parameters()).device
    inputs, targets = [], []
    with torch.no_grad():
        for take in takes:
            timbre = torch.from_numpy(np.array(take.features.timbre))[None].to(device)
            targets.append(model.encode(timbre).z_mean[0])
            rows = [curve[0, :: model.config.frames_per_z] for curve in curves(take, device)]
            inputs.append(torch.cat(rows, dim=-1))
    all_inputs, all_targets = torch.cat(inputs), torch.cat(targets)
    optimizer = torch.optim.Adam(model.prior.parameters(), lr=1e-2)
    for step in range(PRIOR_STEPS):
        optimizer.param_groups[0]["lr"] = 1e-2 * (1 - step / PRIOR_STEPS) + 1e-4
        pick = torch.randint(len(all_inputs), (2048,), device=device)
        mean, logvar = model.prior(*all_inputs[pick].split(1, dim=-1))
        loss = (logvar + (all_targets[pick] - mean).square() / logvar.exp()).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def finish(run: Run, prepared: Prepared, out: Path) -> None:
    """Write the instrument from the best weights, then measure the file as a user would load it."""
    model = Autoencoder(prepared.model).to(run.device)
    model.load_state_dict(run.best)
    fit_prior(model, prepared.training, run.config.seed)
    model.eval()
    card: dict[str, Any] = {
        "config": prepared.model.to_dict(),
        "statistics": measure([take.features for take in prepared.training]).to_dict(),
        "tracker": prepared.tracker,
        "training": {**asdict(run.config), "steps_done": run.step, "minutes_done": round(run.seconds / 60, 2),
                     "machine": f"{platform.machine()}, {run.device.type}, {torch.get_num_threads()} threads",
                     "files": sorted({take.path.name for take in prepared.training}),
                     "validation_files": sorted({take.path.name for take in prepared.validation}),
                     "holdout": prepared.holdout},
        "licence": prepared.licence,
        "credits": prepared.credits,
        "metrics": {},
    }
    unmeasured = out.with_name(f".{out.stem}.unmeasured{out.suffix}")
    try:
        save_instrument(unmeasured, model.state_dict(), card)
        reloaded = load(unmeasured)
    finally:
        unmeasured.unlink(missing_ok=True)
    probes = excerpts(prepared.validation, prepared.model.hop_size)
    measured = validate(reloaded.model, probes, prepared.model.rooms, prepared.tracker, torch.device("cpu"))
    card["metrics"] = {"validation": asdict(measured), "log": run.rows}
    save_instrument(out, model.state_dict(), card)
