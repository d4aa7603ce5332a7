"""Measure a trained instrument on held-out recordings and ship it: presets/NAME.safetensors, its card and pictures.

    python benchmarks/preset_card.py runs/violin.safetensors RECORDING --report report --command "ddspvae train ..." ...
    python benchmarks/preset_card.py runs/violin.safetensors --again RECORDINGS --report report

Every figure in a card comes from here; the pictures and figures are taken from the file as it is shipped. With --again all
that no measurement says (command, summary, limits, notice, how many seconds) is kept of the card that is there, and what it
held out is looked for in a folder.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
from functools import partial
from pathlib import Path
from typing import Any

from dynamics import dynamics_row

from ddspvae.audio import read_audio
from ddspvae.evaluation.judges_page import judge_table
from ddspvae.evaluation.perceptual import STRETCH_S
from ddspvae.evaluation.plots import plot_comparison, plot_training_curve
from ddspvae.evaluation.report import evaluate
from ddspvae.instrument.loading import load
from ddspvae.instrument.nearest import moved_to_folder
from ddspvae.midi.notes import pitch_to_name
from ddspvae.signals.checks import InputError

FEWEST_STRETCHES = 8
FEWEST_BOUND = 50
PRESETS = Path(__file__).parent.parent / "presets"


def performer_text(performer: dict[str, int]) -> str:
    """What the learned performer knows."""
    known = f"The performer remembers {performer['notes']} notes, {performer['bound']} of them bound to the one before"
    return known + ("." if performer["bound"] >= FEWEST_BOUND else "; so transitions between notes follow rules.")


def probe_text(probes: list[dict[str, Any]]) -> str:
    """How well pitch and loudness can be read from z, where there is enough music to say."""
    if not probes or probes[0]["n_blocks"] < FEWEST_STRETCHES:
        return "What was held out is too short to train probes on, which would try to read pitch and loudness from z."
    rows = "\n".join(f"| {one['target']} | {one['probe']} | {one['r2']:.2f} | {one['floor']:.2f} | {one['ceiling']:.2f} |"
                     for one in probes)
    much = f"{probes[0]['n_rows']} rows in {probes[0]['n_blocks']} stretches of music"
    return f"""Pitch and loudness read from z by probes trained afresh ({much}); the floor is
what they read when z is exchanged between stretches, the ceiling what they read from the frames that the encoder may hear:

| | probe | R^2 | floor | ceiling |
|---|---|---|---|---|
{rows}"""


def judges_text(judges: dict[str, dict[str, float | None]]) -> str:
    """How alike what is played is to the recording, a column for each sound that the report judged; "" where none was."""
    if not judges:
        return ""
    headings, rows = judge_table(judges)
    lines = "\n".join(f"| {' | '.join(cells)} |" for cells in rows)
    return f"""
How alike what is played and the recording are, as two [judges of hearing](../docs/judges.md) say that are no listeners
(mean opinion scores; Zimtohrli of all of it, ViSQOL of the first {STRETCH_S:g} s). At z = 0 pitch and loudness are those of
the recording, and the timbre is what is typical there; the ceiling is harmonics and noise measured in the recording itself,
played without their phases:

| {' | '.join(headings)} |
|{'---|' * len(headings)}
{lines}
"""


def training_text(card: dict[str, Any], command: str) -> str:
    """How it was trained."""
    training = card["training"]
    return f"""## Training

```sh
{command}
```

{training['steps_done']} steps in {training['minutes_done']:.1f} minutes of wall time (`--seed {training['seed']}`, \
{training['batch_size']} crops a step) on {training['machine']}, a machine shared with other work."""


def sources_text(card: dict[str, Any], notice: str) -> str:
    """Whom to thank, and every recording; and the notice that a licence asks to keep."""
    keys = ("file", "source_repo", "commit", "original_path", "licence")
    rows = "\n".join("| " + " | ".join(credit.get(key, "") for key in keys) + " |" for credit in card["credits"])
    thanks = "\n".join(f"- {text}" for text in sorted({c["attribution"] for c in card["credits"] if "attribution" in c}))
    kept = f"\n\n```text\n{notice}\n```" if notice else ""
    return f"""## Sources

The sound is learned from the recordings below, edited (mono, level, trimmed). The weights are ours.

{thanks}

| file | repository | commit | path | licence |
|---|---|---|---|---|
{rows}{kept}"""


def trackers_text(report: Path) -> str:
    """The same sounds by every tracker, where `pitch_trackers.py` has left its figures in the report."""
    path = report / "trackers.json"
    if not path.is_file():
        return ""
    errors = json.loads(path.read_text(encoding="utf-8"))
    heard = ", ".join(f"{name} {error['median_cents']:.1f} ({error['bias_cents']:+.1f})" for name, error in errors.items())
    return ("\nBy every tracker, median cents of the differences without their sign, and with it "
            f"(`benchmarks/pitch_trackers.py`): {heard}.\n")


def card_text(name: str, card: dict[str, Any], metrics: dict[str, Any], dynamics: tuple[str, str, str],
              args: argparse.Namespace) -> str:
    """The card as Markdown."""
    statistics, training = card["statistics"], card["training"]
    total = metrics["total"]
    resynthesis = total["resynthesis"]
    pitch, floor, loudness = resynthesis["pitch"], resynthesis["floor"], resynthesis["loudness"]
    rows = [
        ("pitch error, median", f"{pitch['median_cents']:.1f} cents", f"{floor['median_cents']:.1f} cents"),
        ("pitch error, 95th percentile", f"{pitch['p95_cents']:.1f} cents", f"{floor['p95_cents']:.1f} cents"),
        ("pitch heard", f"{pitch['heard']:.1%}", f"{floor['heard']:.1%}"),
        ("pitch heard where there was none", f"{pitch['ghost']:.1%}", f"{floor['ghost']:.1%}"),
        ("loudness error", f"{loudness['mean_abs_db']:.2f} dB", ""),
        ("mean loudness difference", f"{loudness['mean_difference_db']:+.2f} dB", ""),
        ("spectral distance", f"{resynthesis['spectral_distance']:.2f}", ""),
        ("levels of the harmonics off by", f"{resynthesis['harmonics_db']:.1f} dB", ""),
        ("rate of z", f"{total['rate']['bits_per_second']:.0f} bit/s, {total['rate']['axes_in_use']} axes in use", ""),
    ]
    what, played, recorded = dynamics
    edits = "\n".join(
        f"| {'transposed' if edit['kind'] == 'transpose' else 'louder'} by {edit['amount']:+g} "
        f"| {edit['pitch']['median_cents']:.1f} | {edit['pitch']['p95_cents']:.1f} "
        f"| {edit['loudness']['mean_difference_db']:+.2f} |"
        for edit in total["edits"] if edit["kind"] in ("transpose", "loudness"))
    axes = "\n".join(
        f"| {axis['axis']} | {axis['slopes'][axis['axis']]:.2f} "
        f"| {max(leak for name, leak in axis['leaks'].items() if name != axis['axis']):.2f} "
        f"| {axis['cents']:.1f} | {axis['db']:.2f} |"
        for axis in metrics["independence"]["axes"] if axis["axis"] in axis["slopes"])
    seconds = {e["file"]: e["duration_s"] for e in metrics["recordings"]}
    held_out = ", ".join(f"`{file}` (its first {s:.0f} s)" for file, s in seconds.items())
    rooms = list(dict.fromkeys(e["room"] for e in metrics["recordings"]))
    where = f"played in the room `{rooms[0]}`" if len(rooms) == 1 else f"each played in its room, `{'`, `'.join(rooms)}`"
    return f"""# {name}

{args.summary}

![the held-out recording above its resynthesis]({name}.png)

Range heard in training: {pitch_to_name(statistics['pitch_low'])} to {pitch_to_name(statistics['pitch_high'])};
{statistics['minutes']:.1f} minutes; {card['config']['sample_rate']} Hz; {card['config']['n_harmonics']} harmonics,
{card['config']['n_noise_bands']} noise bands; rooms: {', '.join(card['config']['rooms'])}; f0 by {card['tracker']}, refined.
{performer_text(card['performer'])}

## Quality

On recordings that the training has not seen: {held_out}, {where}.
Pitch by {metrics['measured_with']}, which was not used in training; the floor is how far it and
{metrics['floor_with']} differ on the recording alone.

| | resynthesis | floor |
|---|---|---|
{chr(10).join(f'| {a} | {b} | {c} |' for a, b, c in rows)}
{trackers_text(args.report)}{judges_text(total.get('judges', {}))}
Played from MIDI, {what} (`benchmarks/dynamics.py`): {played}{f"; in the recordings {recorded}" if recorded else ""}.

| edit | pitch error, median cents | 95th percentile | mean change of loudness, dB |
|---|---|---|---|
{edits}

Each named axis moved by one and two standard deviations of the training set, measured again in the sound:

| axis | its own attribute, deviations per deviation | most that another moved | pitch, cents | loudness, dB |
|---|---|---|---|---|
{axes}

{probe_text(metrics['independence']['probes'])}

{training_text(card, args.command)}
![validation loss and pitch error against minutes]({name}-training.png)

Validated on {', '.join(training['validation_files'])} (whole, or the last tenth of a long one).

## What it cannot do

{args.limits}

{sources_text(card, args.kept)}
"""


def keep_words(card: str, args: argparse.Namespace) -> None:
    """What a card says that is not measured, and what it held out, beneath the folder that args.again names."""
    args.summary = card.split("\n\n")[1]
    args.command = card.partition("```sh\n")[2].partition("\n```")[0]
    args.limits = card.partition("## What it cannot do\n\n")[2].partition("\n\n## Sources")[0]
    args.kept = card.partition("```text\n")[2].partition("\n```")[0]
    files = re.findall(r"`([^`]+)` \(its first (\d+) s\)", card)
    held_out = [args.again / words for words in re.findall(r"--holdout (\S+)", args.command)]
    args.recordings = [path for file, _ in files for path in held_out if path.name == file]
    if missing := [str(path) for path in args.recordings if not path.is_file()]:
        raise InputError(f"preset_card: --again wants {', '.join(missing)}; fetch the recordings first.")
    args.seconds = float(max(int(seconds) for _, seconds in files))


def main() -> None:
    """Measure, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("instrument", type=Path)
    parser.add_argument("recordings", type=Path, nargs="*")
    parser.add_argument("--again", type=Path, metavar="FOLDER",
                        help="measure what the present card held out, of this folder")
    parser.add_argument("--command")
    parser.add_argument("--summary")
    parser.add_argument("--limits")
    parser.add_argument("--report", type=Path, required=True, help="of `evaluate`; one that is there is taken as it is")
    parser.add_argument("--seconds", type=float, default=80.0)
    parser.add_argument("--notice", type=Path, help="text of a licence that asks to be kept beside what is made of its work")
    parser.add_argument("--picture-from", type=float, default=0.0, help="seconds into the first recording")
    args = parser.parse_args()
    name = args.instrument.stem
    args.kept = args.notice.read_text(encoding="utf-8").strip() if args.notice else ""
    if args.again:
        keep_words((PRESETS / f"{name}.md").read_text(encoding="utf-8"), args)
    if not (args.recordings and args.command and args.summary and args.limits):
        parser.error("give recordings, --command, --summary and --limits, or --again")
    if args.instrument.resolve() != (PRESETS / args.instrument.name).resolve():
        shutil.copyfile(args.instrument, PRESETS / args.instrument.name)
    instrument = load(name)
    if not (args.report / "metrics.json").is_file():
        evaluate(instrument, args.recordings, args.report, max_seconds=args.seconds, progress=print,
                 moved=partial(moved_to_folder, instrument))
    metrics = json.loads((args.report / "metrics.json").read_text(encoding="utf-8"))
    audio, rate = read_audio(args.recordings[0], instrument.config.sample_rate)
    start = round(args.picture_from * rate)
    excerpt = audio[start : start + 8 * rate]
    there = moved_to_folder(instrument, args.recordings[0])
    plot_comparison(excerpt, there.resynthesize(there.analyze(excerpt, rate)), rate, PRESETS / f"{name}.png")
    plot_training_curve(instrument.card["metrics"]["log"], PRESETS / f"{name}-training.png")
    text = card_text(name, instrument.card, metrics, dynamics_row(instrument, args.recordings), args)
    (PRESETS / f"{name}.md").write_text(text, encoding="utf-8")
    print(f"presets/{name}.md written")


if __name__ == "__main__":
    main()
