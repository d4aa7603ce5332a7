"""SFZ: a text that says which file plays which key, and the files. Source: the opcodes listed at sfzformat.com."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ddspvae.export.plan import gains_db
from ddspvae.export.sampling import Sample
from ddspvae.features.statistics import Statistics
from ddspvae.signals.units import amplitude_to_db, db_to_amplitude

FALL_DB = 78.2  # that ampeg_release takes: players multiply by e^-9 in that time
CURVE_STEP = 4  # velocities between two points of a curve
BRIGHTNESS_CC, MIDDLE = 74, 64


def write_sfz(path: Path, samples: Sequence[Sample], files: Sequence[Path], file_gains: Sequence[float],
              statistics: Statistics, n_turns: int) -> None:
    """Write the text.

    Args:
        path: of the .sfz file.
        samples: what is in the files.
        files: of the samples, below the folder of `path`.
        file_gains: factors that the files are louder than the instrument.
        statistics: of the instrument.
        n_turns: of the round robin.
    """
    lines = ["<control>", "hint_ram_based=1",  # a note must not wait for a disk; it is some tens of megabytes
             f"set_cc{BRIGHTNESS_CC}={MIDDLE}", "", "<global>", "loop_mode=loop_continuous",
             f"ampeg_release={FALL_DB / statistics.release_db_per_s:.4f}", f"seq_length={n_turns}", "amp_veltrack=100",
             "xf_cccurve=gain"]
    layer = None
    for sample, file, file_gain in zip(samples, files, file_gains):
        if sample.layer != layer:
            layer = sample.layer
            gain_db = gains_db(layer, statistics)
            most_db = float(gain_db.max())
            points = sorted({*range(layer.low, layer.high, CURVE_STEP), layer.high})
            lines += ["", "<group>", f"lovel={layer.low} hivel={layer.high}",
                      *(f"amp_velcurve_{at}={db_to_amplitude(gain_db[at - layer.low] - most_db):.5f}" for at in points)]
        volume_db = most_db - float(amplitude_to_db(file_gain))
        lines.append(f"<region> sample={file.as_posix()} lokey={sample.key.low} hikey={sample.key.high} "
                     f"pitch_keycenter={sample.key.sampled} seq_position={sample.turn + 1} volume={volume_db:.3f} "
                     f"loop_start={sample.loop_begin} loop_end={sample.loop_end - 1}{_fades(samples, sample)}")
    path.write_text("\n".join(lines) + "\n", encoding="ascii")


def _fades(samples: Sequence[Sample], sample: Sample) -> str:
    """How a layer of brightness comes and goes with its controller; nothing where there is one layer."""
    brightness = sorted({other.brightness for other in samples})
    if len(brightness) == 1:
        return ""
    places = np.rint(np.linspace(0, 127, len(brightness))).astype(int).tolist()
    places[len(places) // 2] = MIDDLE
    at = brightness.index(sample.brightness)
    text = ""
    if at > 0:
        text += f" xfin_locc{BRIGHTNESS_CC}={places[at - 1]} xfin_hicc{BRIGHTNESS_CC}={places[at]}"
    if at < len(places) - 1:
        text += f" xfout_locc{BRIGHTNESS_CC}={places[at]} xfout_hicc{BRIGHTNESS_CC}={places[at + 1]}"
    return text
