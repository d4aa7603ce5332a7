"""Differentiable synthesis without a network: harmonics, filtered noise, the level, the room."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
