"""Many jobs on many cores or machines: a Dask cluster, a log a file, nothing done twice."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
