"""Sound in blocks: a player with a memory; voices; streams of MIDI or of frames."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
