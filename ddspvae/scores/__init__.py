"""Written scores to `Notes`: what musicians write is followed, and what stays open is left to the performer."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
