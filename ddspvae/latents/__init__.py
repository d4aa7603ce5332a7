"""Playing with z: draw it, mix takes, add what sets takes apart, sweep an axis, keep the fewest axes."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
