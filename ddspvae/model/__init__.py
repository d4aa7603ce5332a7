"""The variational autoencoder: what was heard to latents, latents and curves to the shape of a spectrum."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
