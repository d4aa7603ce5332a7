"""What is too much for one memory: shards of samples at a folder or a store, and the manifest that says what is in them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
