"""What is heard in a recording: pitch, level, spectrum, and what they say about an instrument."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
