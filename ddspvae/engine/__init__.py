"""Plays an instrument from its weights alone, with numpy and compiled loops: what a render needs, without torch."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
