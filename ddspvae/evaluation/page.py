"""The report as one HTML file: everything inside, no script, no network."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from ddspvae.evaluation.edits import Edit, Recording
from ddspvae.evaluation.independence.page import independence_section
from ddspvae.evaluation.judges_page import judges_section
from ddspvae.evaluation.page_parts import goal, number, picture, plus, share, table
from ddspvae.evaluation.plots import plot_comparison, plot_performance
from ddspvae.signals.jobs import in_order
from ddspvae.signals.units import amplitude_to_db

PEAK = 0.9  # of full scale, for the loudest player of a recording
MP3_RATES = (16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
BLOCK_SAMPLES = 8192  # the encoders of libsndfile overrun their stack on minutes at once

STYLE = """
:root { color-scheme: light dark; --ink: #1f2328; --soft: #59636e; --paper: #ffffff; --card: #f6f8fa; --line: #d1d9e0;
  --good: #1a7f37; --bad: #bc4c00; --blue: #0969da; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9198a1; --paper: #0d1117; --card: #151b23;
  --line: #3d444d; --good: #3fb950; --bad: #f0883e; --blue: #4493f8; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2.5rem 1.25rem 5rem; max-width: 62rem; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 2.1rem; line-height: 1.2; margin: 0 0 .4rem; }
h2 { font-size: 1.35rem; margin: 3rem 0 .6rem; padding-top: 1rem; border-top: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin: 1.8rem 0 .4rem; }
p, li { max-width: 46rem; }
.soft, figcaption, caption { color: var(--soft); }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(11.5rem, 1fr)); gap: .8rem; margin: 1.5rem 0; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: .8rem 1rem; }
.card b { display: block; font-size: 1.6rem; line-height: 1.3; font-variant-numeric: tabular-nums; }
.card span { color: var(--soft); font-size: .87rem; line-height: 1.35; display: block; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .93rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding-bottom: .4rem; }
th, td { padding: .42rem .8rem .42rem 0; text-align: right; border-bottom: 1px solid var(--line); vertical-align: top; }
th { font-weight: 600; }
th:first-child, td:first-child { text-align: left; }
td:last-child, th:last-child { padding-right: 0; }
.good { color: var(--good); white-space: nowrap; } .bad { color: var(--bad); white-space: nowrap; }
figure { margin: 1.2rem 0; } img { width: 100%; height: auto; display: block; }
figcaption { font-size: .9rem; }
.players { display: grid; grid-template-columns: repeat(auto-fill, minmax(18rem, 1fr)); gap: .9rem; margin: 1rem 0; }
.players label { display: block; font-size: .92rem; } audio { width: 100%; height: 2.4rem; margin-top: .2rem; }
summary { cursor: pointer; color: var(--blue); margin: .8rem 0; }
"""

PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>$style</style>
</head>
<body>
<main>
$body
</main>
</body>
</html>
""")


def write_page(path: Path, metrics: dict[str, Any], recordings: Sequence[Recording]) -> None:
    """Write the report's page.

    Args:
        path: of the HTML file.
        metrics: what `evaluate` returns.
        recordings: in the order of metrics["recordings"].
    """
    body = [_head(metrics), judges_section(metrics), _resynthesis(metrics), _edits(metrics),
            independence_section(metrics["independence"])]
    for recording, figures in zip(recordings, metrics["recordings"], strict=True):
        body.append(_recording(recording, figures))
    body.append(_notes(metrics))
    text = PAGE.substitute(title=escape(metrics["preset"]), style=STYLE, body="\n".join(body))
    path.write_text(text, encoding="utf-8")


def _head(metrics: dict[str, Any]) -> str:
    total = metrics["total"]
    plain, rate = total["resynthesis"], total["rate"]
    n_recordings = len(metrics["recordings"])
    n_axes = sum(not name.startswith("timbre") for name in metrics["axis_names"])  # those that change in a note
    cards = [
        (number(plain["pitch"]["median_cents"], 1, " cents"),
         f"median pitch error; two trackers differ by {number(plain['floor']['median_cents'], 1)} on the recording"),
        (share(plain["pitch"]["heard"]), "of the pitched frames come back pitched"),
        (number(plain["loudness"]["mean_abs_db"], 2, " dB"), "loudness error, frame by frame"),
        (number(plain["spectral_distance"], 2), "spectral distance, 0 is the same sound"),
        (number(rate["bits_per_second"], 0, " bit/s"),
         f"carry the timbre, on {rate['axes_in_use']} of {n_axes} axes"),
    ]
    if "resynthesis" in total["judges"]:
        cards.insert(0, (number(total["judges"]["resynthesis"]["zimtohrli"], 2),
                         "of 5: how alike recording and resynthesis are to the ear, as Zimtohrli says"))
    boxes = "".join(f'<div class="card"><b>{value}</b><span>{text}</span></div>' for value, text in cards)
    return f"""<h1>{escape(metrics["preset"])}</h1>
<p>What comes back when this instrument plays {n_recordings} recording{'s' if n_recordings > 1 else ''}
({total["duration_s"]:.0f} seconds) again, and how well it does what it is asked. The recordings were named for this
report; the figures mean what they say only if none of them was used in training.</p>
<div class="cards">{boxes}</div>"""


def _resynthesis(metrics: dict[str, Any]) -> str:
    plain = metrics["total"]["resynthesis"]
    pitch, floor, loudness = plain["pitch"], plain["floor"], plain["loudness"]
    rows = [
        ["pitch error, median",
         number(pitch["median_cents"], 1, " cents"), number(floor["median_cents"], 1, " cents"),
         *goal(pitch["median_cents"], plus(floor["median_cents"], 2), "floor + 2 cents")],
        ["pitch error, 95th percentile",
         number(pitch["p95_cents"], 1, " cents"), number(floor["p95_cents"], 1, " cents"),
         *goal(pitch["p95_cents"], plus(floor["p95_cents"], 10), "floor + 10 cents")],
        ["pitched frames heard", share(pitch["heard"]), share(floor["heard"]),
         *goal(plus(pitch["heard"], 0, -1), -0.99, "99 % or more")],
        ["ghost pitch", share(pitch["ghost"]), share(floor["ghost"]), *goal(pitch["ghost"], 0.03, "3 % or less")],
        ["loudness error", number(loudness["mean_abs_db"], 2, " dB"), "",
         *goal(loudness["mean_abs_db"], 0.5, "0.5 dB or less")],
        ["mean loudness difference", number(loudness["mean_difference_db"], 2, " dB", signed=True), "", "", ""],
        ["spectral distance", number(plain["spectral_distance"], 3), "", "", ""],
        ["levels of the harmonics off by", number(plain["harmonics_db"], 1, " dB"), "", "", ""],
    ]
    return f"""<h2>Played back as it was</h2>
{table(["", "measured", "floor", "goal", ""], rows)}
<p class="soft">The floor is how far two pitch trackers, {escape(metrics["measured_with"])} (which measured here) and
{escape(metrics["floor_with"])}, differ on the recordings themselves. An error near the floor cannot
be told from none. Ghost pitch is the share of all frames where a pitch is heard and the recording surely has
none.</p>"""


def _edits(metrics: dict[str, Any]) -> str:
    moved, levels, axes = [], [], []
    for row in metrics["total"]["edits"]:
        pitch, change_db = row["pitch"], row["loudness"]["mean_difference_db"]
        name = escape(describe(Edit(row["kind"], row["amount"], row["axis"])))
        if row["kind"] == "transpose":
            semitones = plus(pitch["bias_cents"], row["amount"] * 100)
            moved.append([name, number(plus(semitones, 0, 0.01), 2, " semitones", signed=True),
                          number(pitch["median_cents"], 1, " cents"), share(pitch["heard"]),
                          number(change_db, 2, " dB", signed=True)])
        elif row["kind"] == "loudness":
            levels.append([name, number(change_db, 2, " dB", signed=True),
                           number(row["loudness"]["mean_abs_db"], 2, " dB"),
                           number(pitch["median_cents"], 1, " cents")])
        else:
            axes.append([name, number(row["spectral_distance"], 2), number(pitch["median_cents"], 1, " cents"),
                         number(change_db, 2, " dB", signed=True)])
    text = f"""<h2>Asked and measured</h2>
<h3>Transposed</h3>
{table(["asked", "measured", "pitch error", "heard", "loudness change"], moved)}
<p class="soft">Pitch error against the recording, shifted by what was asked. The loudness should not change.</p>
<h3>Louder and softer</h3>
{table(["asked", "measured", "uneven by", "pitch change"], levels)}
<p class="soft">Against the plain resynthesis. The pitch should not change.</p>"""
    if axes:
        text += f"""
<h3>Timbre axes</h3>
{table(["asked", "change of the sound", "pitch change", "loudness change"], axes)}
<p class="soft">One axis moved at a time, against the plain resynthesis. The change of the sound is a spectral distance:
an axis near 0 does nothing. Pitch and loudness should not change.</p>"""
    return text


def _recording(recording: Recording, figures: dict[str, Any]) -> str:
    plain, *edited = recording.trials
    loudest = max(float(np.abs(audio).max()) for audio in
                  (recording.audio, *(trial.audio for trial in recording.trials)))
    gain = min(1.0, PEAK / max(loudest, 1e-9))  # one for all, so that louder stays louder
    rate = recording.sample_rate

    def player(titled: tuple[str, NDArray]) -> str:
        title, audio = titled
        url = _audio_url(audio * gain, rate)
        return f'<label>{escape(title)}<audio controls preload="none" src="{url}"></audio></label>'

    sounds = [("recording", recording.audio), ("resynthesis", plain.audio),
              *((describe(trial.edit), trial.audio) for trial in edited)]
    players = list(in_order(player, sounds))
    n_axes = sum(trial.edit.kind == "axis" for trial in edited)  # the last
    first, axes = players[: len(players) - n_axes], players[len(players) - n_axes :]
    pictures = io.BytesIO(), io.BytesIO()
    plot_comparison(recording.audio, plain.audio, rate, pictures[0], background=None)
    plot_performance(recording.audio, rate, recording.performance, pictures[1], background=None)
    numbers, sizes = figures["resynthesis"], figures["sizes"]
    loudness_db, distance = numbers["loudness"]["mean_abs_db"], numbers["spectral_distance"]
    text = f"""<h2>{escape(recording.file)}</h2>
<p>{recording.duration_s:.1f} seconds. Pitch error {number(numbers["pitch"]["median_cents"], 1)} cents (floor
{number(numbers["floor"]["median_cents"], 1)}), loudness error {number(loudness_db, 2)} dB, spectral distance
{number(distance, 2)}, {number(figures["rate"]["bits_per_second"], 0)} bit/s of timbre. The saved performance has
{sizes["performance_bytes"] / 1000:.0f} kB, the recording as 16-bit WAV {sizes["wav_bytes"] / 1000:.0f} kB.</p>
<div class="players">{"".join(first)}</div>
{picture(pictures[0], f"Spectrograms of {recording.file}: recording above, resynthesis below")}
<details><summary>How it was played: pitch, loudness and timbre curves</summary>
{picture(pictures[1], f"Waveform, spectrogram with pitch, loudness and timbre axes of {recording.file}")}</details>"""
    if axes:
        text += f"""
<details><summary>Each timbre axis moved, {len(axes)} sounds</summary>
<div class="players">{"".join(axes)}</div></details>"""
    if gain < 1:
        text += f"""
<p class="soft">All players of this recording are turned down by {-float(amplitude_to_db(gain)):.1f} dB alike.</p>"""
    return text


def _notes(metrics: dict[str, Any]) -> str:
    used, trained = escape(metrics["measured_with"]), escape(metrics["trained_with"])
    items = [
        f"Pitch is tracked by {used} in the recording and in the sound alike; the instrument was trained with "
        f"{trained}. Cents are absolute differences over the frames where the tracker is sure of the recording's pitch.",
        "Loudness is A-weighted and compared over the frames within 50 dB of the loudest. The mean difference is taken "
        "out of the loudness error and reported on its own.",
        "The spectral distance adds linear and logarithmic magnitude differences of six spectrograms at 16 kHz. "
        "It has no upper end and is useful for comparing instruments on the same recordings.",
        "Bits per second is the information in the timbre code beyond its prior (Kullback-Leibler divergence), not a "
        "file size. Pitch and loudness curves come on top.",
        "A dash stands where nothing could be compared.",
    ]
    text = f"<h2>How it was measured</h2>\n<ul>{''.join(f'<li>{item}</li>' for item in items)}</ul>"
    if metrics["skipped"]:
        rows = [[escape(entry["file"]), escape(entry["reason"])] for entry in metrics["skipped"]]
        text += f"\n<h3>Left out</h3>\n{table(['recording', 'why'], rows)}"
    return text


def describe(edit: Edit) -> str:
    """What was asked, in a musician's words.

    >>> describe(Edit("transpose", -5)), describe(Edit("axis", 2, "bright"))
    ('5 semitones lower', 'bright +2')
    """
    size = f"{abs(edit.amount):g}"
    if edit.kind == "transpose":
        return f"{size} semitones {'higher' if edit.amount > 0 else 'lower'}"
    if edit.kind == "loudness":
        return f"{size} dB {'louder' if edit.amount > 0 else 'softer'}"
    return f"{edit.axis} {edit.amount:+g}" if edit.kind == "axis" else edit.kind


def _audio_url(audio: NDArray, sample_rate: int) -> str:
    # MP3 plays in every browser and gives the same bytes each time; Ogg does neither, but is always there
    is_mp3 = "MP3" in soundfile.available_formats() and sample_rate in MP3_RATES
    file = io.BytesIO()
    kind = {"format": "MP3", "subtype": "MPEG_LAYER_III"} if is_mp3 else {"format": "OGG", "subtype": "VORBIS"}
    with soundfile.SoundFile(file, "w", sample_rate, 1, **kind) as out:
        for start in range(0, len(audio), BLOCK_SAMPLES):
            out.write(audio[start : start + BLOCK_SAMPLES])
    return f"data:audio/{'mpeg' if is_mp3 else 'ogg'};base64,{base64.b64encode(file.getvalue()).decode()}"
