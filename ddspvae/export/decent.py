"""DecentSampler: XML that says which file plays which key. Source: the format's public documentation, version 1.7."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from ddspvae.export.plan import steps_of
from ddspvae.export.sampling import Sample
from ddspvae.features.statistics import Statistics
from ddspvae.signals.units import amplitude_to_db

FALL_DB = 60.0  # that a release takes


def write_decent(path: Path, samples: Sequence[Sample], files: Sequence[Path], file_gains: Sequence[float],
                 statistics: Statistics, n_turns: int) -> None:
    """Write the .dspreset; arguments as of `write_sfz`. Velocity has no curve there: each 1 dB has its own entries."""
    root = ElementTree.Element("DecentSampler", minVersion="1.0.0")
    groups = ElementTree.SubElement(root, "groups", attack="0.0", decay="0.0", sustain="1.0", ampVelTrack="0.0",
                                    release=f"{FALL_DB / statistics.release_db_per_s:.4f}", seqMode="round_robin",
                                    seqLength=str(n_turns))
    for turn in range(n_turns):
        group = ElementTree.SubElement(groups, "group", seqPosition=str(turn + 1))
        for sample, file, file_gain in zip(samples, files, file_gains):
            if sample.turn != turn or sample.brightness:
                continue
            for part, gain_db in steps_of(sample.layer, statistics):
                ElementTree.SubElement(
                    group, "sample", path=file.as_posix(), rootNote=str(sample.key.sampled), loNote=str(sample.key.low),
                    hiNote=str(sample.key.high), loVel=str(part.low), hiVel=str(part.high), loopEnabled="true",
                    loopStart=str(sample.loop_begin), loopEnd=str(sample.loop_end - 1),
                    volume=f"{gain_db - float(amplitude_to_db(file_gain)):.3f}dB")
    ElementTree.indent(root)
    ElementTree.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)
