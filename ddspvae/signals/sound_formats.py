"""Sound files by their ending: what libsndfile calls them, and what each can hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ddspvae.signals.checks import InputError, check_choice, fail

BIT_DEPTHS = {"16": "PCM_16", "24": "PCM_24", "float": "FLOAT"}
BYTES_PER_SAMPLE = {"16": 2, "24": 3, "float": 4}
MP3_RATES = (8000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
OPUS_RATES = (8000, 12_000, 16_000, 24_000, 48_000)


@dataclass(frozen=True)
class SoundFormat:
    """One kind of sound file.

    Args:
        name: of the container, as libsndfile has it.
        coding: of what has no bits to choose; "" where `bit_depth` says it.
        rates: Hz that it can hold; () is any.
        has_float: whether samples may be floats.
    """

    name: str
    coding: str = ""
    rates: tuple[int, ...] = ()
    has_float: bool = False

    def subtype(self, bit_depth: str) -> str:
        """What libsndfile calls the samples."""
        return self.coding or BIT_DEPTHS[bit_depth]


FORMATS: Mapping[str, SoundFormat] = {
    ".wav": SoundFormat("WAV", has_float=True), ".flac": SoundFormat("FLAC"), ".ogg": SoundFormat("OGG", "VORBIS"),
    ".opus": SoundFormat("OGG", "OPUS", OPUS_RATES), ".mp3": SoundFormat("MP3", "MPEG_LAYER_III", MP3_RATES),
    ".aiff": SoundFormat("AIFF"), ".aif": SoundFormat("AIFF")}


def check_format(where: str, ending: str, sample_rate: int | None, bit_depth: str) -> SoundFormat:
    """The format that an ending asks for.

    Args:
        where: begins the sentence of an error.
        ending: ".wav" and so on, in small letters.
        sample_rate: Hz, or None where it is not known yet.
        bit_depth: "16", "24" or "float".
    Raises:
        InputError: no such format or bit depth, a rate or a depth that it cannot hold, or a libsndfile without it.
    """
    check_choice(where, "bit_depth", bit_depth, BIT_DEPTHS)
    check_choice(where, "the file's ending", ending, FORMATS)
    found = FORMATS[ending]
    if bit_depth == "float" and not found.has_float:
        raise fail(where, "bit_depth", f"be 16 or 24 for {ending}", "float", "write a .wav instead")
    if sample_rate is not None and found.rates and sample_rate not in found.rates:
        rates = ", ".join(str(rate) for rate in found.rates)
        raise fail(where, "sample_rate", f"be one of {rates} for {ending}", sample_rate, "choose 48000")
    import soundfile

    if found.name not in soundfile.available_formats():  # before libsndfile 1.1
        raise InputError(f"{where}: the libsndfile here cannot write {ending}; write a .flac, or pip install -U soundfile.")
    return found
