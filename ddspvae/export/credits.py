"""What every exported folder says of itself: what it is, who was recorded, and under which licence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

CHANGED = ("No recording is in this folder: an instrument was learned from the recordings below, edited (mono, level, "
           "trimmed), and {made}.")


def attributions(card: Mapping[str, Any]) -> list[str]:
    """Who was recorded, each once, with the licence."""
    return list(dict.fromkeys(f"{credit['attribution']} ({credit['licence']})" for credit in card.get("credits", ())))


def licences(card: Mapping[str, Any]) -> str:
    """Of the recordings, in one line."""
    return ", ".join(sorted(card.get("licence", ()))) or "not stated"


def readme(name: str, card: Mapping[str, Any], title: str, made: str, body: Sequence[str]) -> str:
    """The README of an export.

    Args:
        name: of the instrument.
        card: of the instrument.
        title: what the export is.
        made: how it came from the instrument, the end of a sentence.
        body: Markdown paragraphs.
    """
    credits = "\n".join(f"- {credit}" for credit in attributions(card)) or "- the instrument's card names none"
    files = [f"| {credit['file']} | {credit['source_repo']} | {credit['commit']} | {credit['original_path']} | "
             f"{credit['licence']} |" for credit in card.get("credits", ())]
    table = ["| file | repository | commit | path | licence |", "|---|---|---|---|---|", *files] if files else []
    return "\n".join([
        f"# {name}: {title}", "", *(line for part in body for line in (part, "")),
        "## Licence and credits", "", CHANGED.format(made=made), "",
        f"Licences of the recordings: {licences(card)}. Whoever passes this folder on names those who were recorded, where "
        "their licence asks for it, and says that it was changed as above.", "",
        credits, "", *table]).rstrip() + "\n"
