"""What the judges of hearing say, for the report's page and for cards."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from ddspvae.evaluation.page_parts import number, table
from ddspvae.evaluation.perceptual import STRETCH_S

# what was played against the recording, as metrics.json names it; another name stands for itself
PLAYED = {"resynthesis": "z as heard", "typical_z": "z at 0"}
JUDGES = {"zimtohrli": "Zimtohrli, 1 to 5", "visqol": "ViSQOL, 1 to 4.7"}


def judge_table(judges: Mapping[str, Mapping[str, float | None]]) -> tuple[list[str], list[list[str]]]:
    """A row a judge, a column a sound.

    Args:
        judges: what was played (see `PLAYED`; any other name is its own heading) to judge to score.
    Returns:
        the headings, the first of them empty, and the rows; a dash where there is no score.

    >>> judge_table({"resynthesis": {"zimtohrli": 2.43, "visqol": 2.1}, "ceiling": {"zimtohrli": 4.2}})[0]
    ['', 'z as heard', 'ceiling']
    """
    headings = ["", *(PLAYED.get(name, name) for name in judges)]
    return headings, [[words, *(number(scores.get(judge), 2) for scores in judges.values())]
                      for judge, words in JUDGES.items()]


def judges_section(metrics: Mapping[str, Any]) -> str:
    """The section of the page: all recordings together, then each."""
    total = metrics["total"]["judges"]
    if not total:
        return f"<h2>To the ear</h2>\n<p>{escape(metrics['judges_left_out']) or 'Nothing is long enough to judge.'}</p>"
    headings, rows = judge_table(total)
    several = ""
    if len(metrics["recordings"]) > 1:
        each = [[escape(entry["file"]), *row] for entry in metrics["recordings"] for row in judge_table(
            {name: entry["judges"].get(name, {}) for name in total})[1]]
        several = f"\n<details><summary>Each recording</summary>\n{table(['', *headings], each)}</details>"
    left_out = f" {escape(metrics['judges_left_out'])}" if metrics["judges_left_out"] else ""
    return f"""<h2>To the ear</h2>
{table([escape(heading) for heading in headings], rows)}{several}
<p class="soft">How alike the recording and what is played are, as two models of hearing say: mean opinion scores, more is
better. They are no listeners, and the instrument was not trained on them. Levels are matched. At z = 0 pitch and loudness
are those of the recording and the timbre is what is typical there: what z carries is the difference. The ceiling is
harmonics and noise measured in the recording itself, played without their phases: no model with this synthesizer can do
better. Zimtohrli judged all of it, in stretches of about {STRETCH_S:g} s, ViSQOL, which is slow,
the first {STRETCH_S:g} s of each recording, and nothing at z = 0.{left_out}</p>"""
