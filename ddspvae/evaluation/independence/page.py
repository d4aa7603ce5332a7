"""What the report's page says about independence: one picture, the same as a table, and the probes."""

from __future__ import annotations

import io
from collections.abc import Mapping
from html import escape
from typing import Any

from ddspvae.evaluation.independence.report import PROBE_MARGIN, independence_table
from ddspvae.evaluation.independence.swaps import ATTRIBUTES
from ddspvae.evaluation.page_parts import goal, mark, number, picture, plus, table
from ddspvae.evaluation.plots import describe_cell, plot_independence


def independence_section(figures: Mapping[str, Any]) -> str:
    """The section's HTML.

    Args:
        figures: of `measure_independence`.
    """
    text = "<h2>Independent of each other</h2>"
    if moves := independence_table(figures):
        drawing = io.BytesIO()
        plot_independence(moves, drawing, background=None)
        rows = [[escape(label), *(mark(describe_cell(column, cell), cell.is_reached) for column, cell in enumerate(cells))]
                for label, cells in moves]
        unit = {"training": "training set", "recordings": "recordings"}[figures["deviations"]["from"]]
        text += f"""
{picture(drawing, "What was moved, and what changed in the sound")}
<details><summary>The same as a table</summary>
{table(["moved", "pitch, cents", "loudness, dB", *ATTRIBUTES], rows)}</details>
<p class="soft">Every row is one thing moved, every column one thing measured again in the sound. Brightness and the rest
are in standard deviations of the {unit}, per unit of the axis. Where pitch or loudness is moved, they may follow, as on
the instrument itself.</p>"""
    if figures["probes"]:
        rows = [[f"{escape(row['target'])}, {row['probe']}", *(number(row[key], 2) for key in ("r2", "floor", "ceiling")),
                 *goal(row["r2"], plus(row["floor"], PROBE_MARGIN), f"floor + {PROBE_MARGIN}")]
                for row in figures["probes"]]
        text += f"""
<h3>Read out of the timbre code</h3>
{table(["what, by which probe", "R²", "floor", "ceiling", "goal", ""], rows)}
<p class="soft">R² is the share of the variance that a fresh probe explains on music it has not seen. Floor: with the
timbre code of other music. Ceiling: from the frames that the encoder heard.</p>"""
    reasons = "".join(f"<li>{escape(part)}: {escape(why)}</li>" for part, why in figures["left_out"].items())
    return text + (f"\n<p>Not measured:</p><ul>{reasons}</ul>" if reasons else "")
