"""A page on one's own machine: play, shape a score, edit a take, train, take it away."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
