"""`ddspvae latents OPERATION`: options and what each operation does. Imports inside, so that `--help` stays quick."""

from __future__ import annotations

import argparse
import time
from argparse import Namespace
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ddspvae.commands.curve import add_curve, run_curve
from ddspvae.commands.latent_takes import check_out, load_with_axes, play_note, play_score, read_takes, write
from ddspvae.commands.options import add_output, add_preset, add_tracker
from ddspvae.commands.sounds import check_output, say
from ddspvae.signals.checks import InputError, check_choice, check_range

SUMMARY = "play with timbre: sample, interpolate, arithmetic, sweep, trim"
EXAMPLES = (
    "ddspvae latents sample song.mid --preset violin --out wandering.wav --temperature 1.5 --seed 7",
    "ddspvae latents interpolate take.wav another.wav --preset violin --out morph.wav --morph 0.5 3",
    "ddspvae latents sweep --preset violin --axis brightness --out sweep.wav --plot sweep.png",
)
LISTEN_S = 10.0  # of the first recording, to hear what trimming costs


def add_options(sub: argparse.ArgumentParser) -> None:
    """Give the verb its operations and their options."""
    sub.set_defaults(verb="latents", json=False)
    operations = sub.add_subparsers(dest="operation", metavar="OPERATION", required=True)

    def operation(name: str, summary: str) -> argparse.ArgumentParser:
        one: argparse.ArgumentParser = operations.add_parser(name, help=summary, description=summary)
        one.add_argument("--json", action="store_true", default=argparse.SUPPRESS,
                         help="print one machine-readable object on stdout")
        return one

    def sounding(one: argparse.ArgumentParser) -> None:
        add_preset(one)
        add_output(one, "new.wav|new.npz")
        add_tracker(one)

    one = operation("sample", "play a score or a take with a timbre drawn at random from what the instrument does")
    one.add_argument("source", metavar="SONG.mid|TAKE.wav|take.npz")
    sounding(one)
    one.add_argument("--temperature", type=float, default=1.0, metavar="X", help="0 the likeliest, 1 as it varies, 2 wilder")
    one.add_argument("--part", type=int, metavar="N", help="of the score, where it has several; 1 is the first")

    one = operation("interpolate", "a take with a timbre between its own and that of another, fixed or on the way")
    one.add_argument("take_a", metavar="A.wav|a.npz", help="whose pitch, loudness and length are kept")
    one.add_argument("take_b", metavar="B.wav|b.npz", help="stretched to the length of A")
    sounding(one)
    place = one.add_mutually_exclusive_group()
    place.add_argument("--at", type=float, default=0.5, metavar="W", help="0 is A, 1 is B (default 0.5)")
    place.add_argument("--morph", type=float, nargs=2, metavar=("START_S", "END_S"),
                       help="go from A to B between these times")
    one.add_argument("--method", choices=["lerp", "slerp"], default="lerp", help="on the straight line, or on the arc")
    one.add_argument("--mix", action="append", default=[], choices=["pitch", "loudness"], help="mix this as well")

    one = operation("arithmetic", "add to a take what sets some takes apart from others")
    one.add_argument("take", metavar="C.wav|c.npz")
    sounding(one)
    one.add_argument("--plus", action="append", required=True, metavar="A.wav", help="a take that has it; may be repeated")
    one.add_argument("--minus", action="append", required=True, metavar="B.wav", help="a take without it; may be repeated")
    one.add_argument("--amount", type=float, default=1.0, metavar="X", help="times the difference; negative takes it away")

    one = operation("sweep", "hear and see one axis from one end to the other")
    one.add_argument("take", nargs="?", metavar="TAKE.wav|take.npz", help="default: one note")
    sounding(one)
    one.add_argument("--axis", required=True, metavar="NAME")
    one.add_argument("--note", type=float, metavar="N", help="MIDI number; default: the middle of the range")
    one.add_argument("--reach", type=float, default=2.0, metavar="X", help="standard deviations to either side (default 2)")
    one.add_argument("--steps", type=int, default=5, metavar="N", help="pieces (default 5)")
    one.add_argument("--plot", metavar="sweep.png", help="draw the spectrogram with the axis under it")

    one = operation("trim", "write an instrument with the fewest axes that keep most of its timbre")
    one.add_argument("recordings", nargs="+", metavar="RECORDINGS", help="a folder or files to measure on")
    add_preset(one)
    one.add_argument("--out", required=True, metavar="small.safetensors")
    one.add_argument("--fidelity", type=float, default=0.95, metavar="F", help="share of z to keep, up to 1 (default 0.95)")
    add_curve(operations)


def run(args: Namespace) -> None:
    """Do what args.operation says."""
    OPERATIONS[args.operation](args)


def _sample(args: Namespace) -> None:
    began = time.perf_counter()
    check_out(args)
    check_range("latents", "temperature", args.temperature, 0, 10)
    is_score = Path(args.source).suffix.lower() in (".mid", ".midi")
    if args.part is not None and not is_score:
        raise InputError(f"latents: --part is for scores; {args.source} is a take.")
    instrument = load_with_axes(args)
    take = play_score(args, instrument) if is_score else read_takes(args, instrument, args.source, keep_z=False)[0]
    seed = args.seed or 0
    z = instrument.likely_z(take.f0_hz, take.periodicity, take.loudness_db, seed, args.temperature)
    write(args, instrument, replace(take, z=z), began, {"seed": seed, "temperature": args.temperature})


def _interpolate(args: Namespace) -> None:
    from ddspvae.latents.mixing import interpolate, morph

    began = time.perf_counter()
    check_out(args)
    instrument = load_with_axes(args)
    take_a, take_b = read_takes(args, instrument, args.take_a, args.take_b)
    if args.morph:
        mixed = morph(take_a, take_b, *args.morph, method=args.method, mix=args.mix)
    else:
        mixed = interpolate(take_a, take_b, args.at, method=args.method, mix=args.mix)
    place = {"morph_s": args.morph} if args.morph else {"at": args.at}
    write(args, instrument, mixed, began, {**place, "method": args.method, "mix": sorted(set(args.mix))})


def _arithmetic(args: Namespace) -> None:
    from ddspvae.latents.arithmetic import add, difference

    began = time.perf_counter()
    check_out(args)
    instrument = load_with_axes(args)
    take, *others = read_takes(args, instrument, args.take, *args.plus, *args.minus)
    what = difference(others[: len(args.plus)], others[len(args.plus) :], beside=[take])
    extra = {"amount": args.amount, "direction": dict(zip(what.axis_names, what.direction.round(4).tolist())),
             "removed": list(what.removed), "kept_share": round(what.kept_share, 4)}
    write(args, instrument, add(take, what, args.amount), began, extra)


def _sweep(args: Namespace) -> None:
    from ddspvae.latents.sweep import sweep

    began = time.perf_counter()
    check_out(args)
    if args.plot:
        from ddspvae.evaluation.plots import check_drawing

        check_output(args.plot, [".png", ".svg", ".pdf"])
        check_drawing()
    if args.take and args.note is not None:
        raise InputError("latents: --note plays a note and TAKE a take; give one of them.")
    instrument = load_with_axes(args)
    trimmed = instrument.card.get("trimmed_axes", [])
    check_choice("latents", "--axis", args.axis, [name for name in instrument.axis_names if name not in trimmed])
    take = read_takes(args, instrument, args.take)[0] if args.take else play_note(instrument, args.note)
    swept = sweep(take, args.axis, reach=args.reach, steps=args.steps)
    write(args, instrument, swept.performance, began, {"axis": args.axis, "values": list(swept.values)}, swept)


def _trim(args: Namespace) -> None:
    import numpy as np

    from ddspvae.audio import read_audio, resample
    from ddspvae.evaluation.metrics import spectral_distance
    from ddspvae.instrument.presets import find_preset
    from ddspvae.latents.trim import measure_trim, write_trimmed
    from ddspvae.training.recordings import find_recordings

    source = find_preset(args.preset)
    check_output(args.out, [".safetensors"])
    if Path(args.out).resolve() == source.resolve():  # also where its name alone was given
        raise InputError(f"latents: {args.out} is the instrument to trim; choose another name for --out.")
    check_range("latents", "fidelity", args.fidelity, 0.01, 1)
    paths = find_recordings([Path(path) for path in args.recordings])
    instrument = load_with_axes(args)
    trim = measure_trim(instrument, (read_audio(path) for path in paths), args.fidelity)
    audio, rate = read_audio(paths[0])
    audio = audio[: round(LISTEN_S * rate)]
    take = instrument.analyze(audio, rate)
    fixed = np.array(take.z)
    fixed[:, [take.axis_names.index(name) for name in trim.dropped]] = 0
    own_rate = instrument.config.sample_rate
    sounds = [instrument.resynthesize(one) for one in (take, replace(take, z=fixed))]
    heard = resample(audio, rate, own_rate)
    before, after = (spectral_distance(heard, sound, own_rate) for sound in sounds)
    write_trimmed(source, Path(args.out), trim.dropped)
    bits = [round(rate, 1) for rate in trim.bits_per_second]
    result = {"out": args.out, "fidelity": args.fidelity, "kept": list(trim.kept), "dropped": list(trim.dropped),
              "share": round(trim.share, 4), "bits_per_second": dict(zip(trim.kept + trim.dropped, bits)),
              "principal_axes": trim.principal_axes, "rows": trim.n_rows,
              "spectral_distance": {"before": round(before, 3), "after": round(after, 3)}}
    say(args, result, f"{args.out}: keeps {', '.join(trim.kept)} ({trim.share:.1%} of z), fixes "
        f"{', '.join(trim.dropped) or 'none'} at 0; {sum(bits):.0f} bit/s become {sum(bits[: len(trim.kept)]):.0f}, "
        f"spectral distance {before:.2f} becomes {after:.2f}. Axes turned freely: {trim.principal_axes} would do.")


OPERATIONS: dict[str, Callable[[Namespace], None]] = {
    "sample": _sample, "interpolate": _interpolate, "arithmetic": _arithmetic, "sweep": _sweep, "trim": _trim,
    "curve": run_curve,
}
