"""What is connected: MIDI keyboards, sound cards, microphones; and what plays between them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
