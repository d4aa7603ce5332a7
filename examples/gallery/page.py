"""The gallery's page: one HTML file beside its sounds and pictures; no script, no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from ddspvae.evaluation.page import PAGE, STYLE
from ddspvae.evaluation.page_parts import number, share, table
from ddspvae.midi.notes import pitch_to_name

FIGURES = {"pitch_median_cents": ("pitch off, median", 1, " cents"), "pitch_heard": ("pitch heard", 1, " %"),
           "loudness_db": ("loudness off", 2, " dB"), "bits_per_second": ("timbre", 0, " bit/s")}


@dataclass(frozen=True)
class Piece:
    """What the page says of one sound.

    Args:
        heading: of its section.
        title, by: of the music.
        sound, picture, score: file names beside the page.
        seconds: of the sound.
        notes: in the score.
        found: F-measure of the notes that a tracker finds again in the sound; None where parts sound together.
        said: sentences about the player, as HTML.
    """

    heading: str
    title: str
    by: str
    sound: str
    picture: str
    score: str
    seconds: float
    notes: int
    found: float | None
    said: str


def write_page(path: Path, pieces: Sequence[Piece]) -> None:
    """Write index.html; the files that it names lie beside it."""
    megabytes = sum((path.parent / piece.sound).stat().st_size for piece in pieces) / 1e6
    body = [f"""<h1>What the instruments play</h1>
<p>Each preset plays a phrase from its own literature, from the MIDI file that is linked, with no hand on it: pitch, vibrato,
dynamics and timbre are the learned performer's. All are brought to one loudness. {len(pieces)} sounds,
{megabytes:.1f} MB of FLAC.</p>"""]
    body += [_section(piece, path.parent) for piece in pieces]
    path.write_text(PAGE.substitute(title="ddspvae: gallery", style=STYLE, body="\n".join(body)), encoding="utf-8")


def describe_preset(name: str, card: Mapping[str, Any], card_path: Path, link: str) -> str:
    """A preset's summary, as HTML: what its readable card begins with, its range, its figures, and a link to the card.

    Args:
        name: of the preset.
        card: what the file says.
        card_path: of the readable card; may not be there.
        link: its address from the page.
    """
    statistics, measured = card["statistics"], card["metrics"].get("validation", {})
    low, high = pitch_to_name(statistics["pitch_low"]), pitch_to_name(statistics["pitch_high"])
    said, more = f"The preset {name}.", ""
    if card_path.is_file():
        said = first_paragraph(card_path.read_text(encoding="utf-8"))
        more = f' <a href="{escape(link)}">Its card</a>.'
    text = f"""<p>{escape(said)} {statistics["minutes"]:.1f} minutes were heard, {low} to {high}.{more}</p>"""
    figures = []
    for key, (words, n_digits, unit) in FIGURES.items():
        if isinstance(value := measured.get(key), int | float):
            figures.append([words, share(value) if unit == " %" else number(value, n_digits, unit)])
    return text + (table(["on recordings that the training left out", ""], figures) if figures else "")


def first_paragraph(text: str) -> str:
    """The first paragraph of a Markdown page that is neither heading nor picture; empty if there is none."""
    paragraphs = (" ".join(part.split()) for part in text.split("\n\n"))
    return next((part for part in paragraphs if part and not part.startswith(("#", "![", "|", "```"))), "")


def _section(piece: Piece, folder: Path) -> str:
    size = (folder / piece.sound).stat().st_size / 1e6
    found = "" if piece.found is None else f", found again by a pitch tracker: F-measure {piece.found:.2f}"
    return f"""<h2>{escape(piece.heading)}</h2>
<p><b>{escape(piece.title)}</b> <span class="soft">{escape(piece.by)}</span></p>
<audio controls preload="metadata" src="{escape(piece.sound)}"></audio>
<p class="soft">{piece.seconds:.0f} seconds, {piece.notes} notes{found}. <a href="{escape(piece.score)}">MIDI file</a>,
<a href="{escape(piece.sound)}">sound</a> ({size:.1f} MB).</p>
<figure><img loading="lazy" src="{escape(piece.picture)}"
alt="Spectrogram, pitch and loudness of {escape(piece.title)}"></figure>
{piece.said}"""
