"""Learn an instrument from minutes of recordings; play it from MIDI; edit pitch, loudness and timbre apart.

    instrument = ddspvae.load("violin")
    audio = instrument.render(ddspvae.read_midi("song.mid"))
    performance = instrument.analyze(*ddspvae.read_audio("take.wav"))
    audio = instrument.resynthesize(performance.transpose(7))
    stream = instrument.stream(voices=8)      # live: stream.send(message), stream.read(n_samples)

Names load what they need when they are first used: `import ddspvae` is quick and imports no torch.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

try:
    __version__ = version("ddspvae")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"

_HOMES = {
    "load": "ddspvae.instrument",
    "Instrument": "ddspvae.instrument",
    "read_midi": "ddspvae.midi.notes",
    "read_audio": "ddspvae.audio",
    "write_audio": "ddspvae.audio",
    "limit_peak": "ddspvae.audio",
    "list_presets": "ddspvae.presets",
    "train": "ddspvae.training.loop",
    "evaluate": "ddspvae.evaluation.report",
    "InputError": "ddspvae.checks",
    "Note": "ddspvae.signals",
    "Notes": "ddspvae.signals",
    "Performance": "ddspvae.signals",
    "Features": "ddspvae.signals",
    "Controls": "ddspvae.signals",
}

if TYPE_CHECKING:  # what a type checker and an editor see; a test holds it to __all__
    from ddspvae.audio import limit_peak, read_audio, write_audio
    from ddspvae.checks import InputError
    from ddspvae.evaluation.report import evaluate
    from ddspvae.instrument import Instrument, load
    from ddspvae.midi.notes import read_midi
    from ddspvae.presets import list_presets
    from ddspvae.signals import Controls, Features, Note, Notes, Performance
    from ddspvae.training.loop import train

__all__ = [
    "Controls", "Features", "InputError", "Instrument", "Note", "Notes", "Performance", "__version__", "evaluate",
    "limit_peak", "list_presets", "load", "read_audio", "read_midi", "train", "write_audio",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'ddspvae' has no attribute '{name}'")


def __dir__() -> list[str]:
    return __all__
