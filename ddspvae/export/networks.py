"""The network itself for hosts that are not Python: a TorchScript file for nn~, or ONNX files with examples."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from ddspvae.export.credits import readme
from ddspvae.export.folder import Exported, check_instrument, new_folder
from ddspvae.export.frame_step import ControlStep, FrameStep, Slot, example_inputs, input_names, output_names
from ddspvae.export.nn_tilde import DELAY_HOPS, INPUTS, NnTilde
from ddspvae.model.form import NAMED_AXES
from ddspvae.signals.checks import InputError, check_choice

if TYPE_CHECKING:
    from ddspvae.instrument.instrument import Instrument

NETWORKS = ("nn", "onnx")
OPSET = 17
HOST = Path(__file__).parent / "host"  # files that travel with the ONNX ones


def export_network(instrument: Instrument, kind: str, out: str | Path) -> Exported:
    """Write the network of an instrument into a folder.

    Args:
        instrument: steady: not one that turns into another.
        kind: one of NETWORKS.
        out: a folder that is not there yet, or empty.
    Raises:
        InputError: the folder holds something or cannot be written, a package is missing, or the instrument cannot be
            written this way.
    """
    check_choice("export", "format", kind, NETWORKS)
    check_instrument(instrument)
    if instrument.config.n_timbre:
        raise InputError(f"export: {instrument.name} is a model of many instruments; name one, such as "
                         f"{instrument.name}:violin.")
    with new_folder(out) as folder, torch.no_grad():
        main = _write_script(instrument, folder) if kind == "nn" else _write_onnx(instrument, folder)
        n_bytes = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return Exported(0, n_bytes, main)


def _name(instrument: Instrument) -> str:
    return instrument.name.replace(":", "-")


def _write_script(instrument: Instrument, folder: Path) -> str:
    module = NnTilde(instrument.model, instrument.statistics, instrument.trimmed_axes)
    name = f"{_name(instrument)}.ts"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(module.eval()).save(str(folder / name))
    config = instrument.config
    inlets = "; ".join(f"{number}: {label}" for number, label in enumerate(INPUTS, start=1))
    body = [
        f"Load `{name}` with nn~ in Max, Pure Data or SuperCollider, method `decode`: `nn~ {name} decode`.",
        f"Inlets: {inlets}. The axes are in standard deviations of the recordings, 0 is what is typical. One outlet: the "
        f"sound, without a room, {DELAY_HOPS * config.hop_size} samples late. Any block size; every {config.hop_size}th "
        "sample of the inlets is read.",
        f"Attributes, added to the inlets: {', '.join(NAMED_AXES)} (`set brightness 1.5`).",
        f"Made at {config.sample_rate} Hz with torch {torch.__version__.split('+')[0]}. At another rate the pitch is "
        "right and the spectrum is moved by the ratio of the rates.",
    ]
    (folder / "README.md").write_text(readme(instrument.name, instrument.card, "TorchScript for nn~",
                                             "written down with its weights", body), encoding="utf-8")
    return name


def _write_onnx(instrument: Instrument, folder: Path) -> str:
    try:
        import onnx  # noqa: F401  (what the exporter writes with)
    except ImportError as error:
        raise InputError("export: --format onnx wants a package more: pip install 'ddspvae[live]'.") from error
    model, config, statistics = instrument.model, instrument.config, instrument.statistics
    steps = {"control": ControlStep(model).eval(), "frame": FrameStep(model).eval()}
    for name, step in steps.items():
        _write_graph(step, folder / f"{name}.onnx")
    frame = steps["frame"]
    assert isinstance(frame, FrameStep)
    card = {
        "name": instrument.name, "sample_rate": config.sample_rate, "hop_size": config.hop_size,
        "axes": instrument.axis_names, "white_samples": frame.n_fft, "n_harmonics": config.n_harmonics,
        "n_noise_bands": config.n_noise_bands,
        "frames_per_z": config.frames_per_z, "state": [_slot(slot) for slot in frame.slots],
        "control_state": [_slot(slot) for slot in steps["control"].slots],
        "lowest_pitch": statistics.pitch_low, "highest_pitch": statistics.pitch_high,
        "first_pitch": round((statistics.pitch_low + statistics.pitch_high) / 2 - 6),
        "loudness_db": round(float(statistics.loudness_quantiles_db[70]), 2),
        "licence": list(instrument.card.get("licence", ())),
    }
    (folder / "instrument.json").write_text(json.dumps(card, indent=1), encoding="utf-8")
    for file in ("play.py", "index.html", "worker.js"):
        shutil.copyfile(HOST / file, folder / file)
    body = [
        f"`frame.onnx` is the whole instrument, a hop of {config.hop_size} samples ({config.sample_rate} Hz) a call; "
        "`control.onnx` its network alone, from curves to the heights of the harmonics and of the noise. What goes in and "
        "out stands in `instrument.json` and in the files themselves; the state is handed from call to call, zeros at "
        f"first. A row of z is held for {config.frames_per_z} frames.",
        "`python play.py` (numpy, onnxruntime) writes a scale to scale.wav. `index.html` plays it in a browser, in a "
        "worker: `npm install onnxruntime-web` in this folder, `python -m http.server`, then open http://localhost:8000.",
    ]
    text = readme(instrument.name, instrument.card, "ONNX", "written down with its weights", body)
    (folder / "README.md").write_text(text, encoding="utf-8")
    return "frame.onnx"


def _slot(slot: Slot) -> dict[str, object]:
    return {"name": slot.name, "shape": slot.shape, "dtype": str(slot.dtype).removeprefix("torch.")}


def _write_graph(step: ControlStep, path: Path) -> None:
    inputs, names = example_inputs(step), (input_names(step), output_names(step))
    step(*inputs)  # fills the caches of constants, which cannot be made inside an export
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that this exporter will be replaced by one that takes seconds
        torch.onnx.export(step, inputs, str(path), dynamo=False, input_names=names[0], output_names=names[1],
                          opset_version=OPSET, dynamic_axes={name: {0: "voices"} for part in names for name in part})
