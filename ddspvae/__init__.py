"""Learn an instrument from minutes of recordings; play it from MIDI; edit pitch, loudness and timbre apart.

    instrument = ddspvae.load("violin")
    audio = instrument.render(ddspvae.read_midi("song.mid"))
    performance = instrument.analyze(*ddspvae.read_audio("take.wav"))
    audio = instrument.resynthesize(performance.transpose(7))
    stream = instrument.stream(voices=8)      # live: stream.send(message), stream.read(n_samples)

Names load what they need when they are first used: `import ddspvae` is quick and imports no torch. What the package and
its folders promise stands in the `__init__.pyi` beside each `__init__.py`; nothing else is promised.
"""

from importlib.metadata import PackageNotFoundError, version

import lazy_loader

try:
    __version__ = version("ddspvae")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
