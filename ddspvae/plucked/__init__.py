"""Plucked and struck notes: what rings after the pluck, measured in recordings in closed form, and played."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
