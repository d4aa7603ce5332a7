"""How close to what was asked, and to the recording: measures, judges of hearing, the report."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
