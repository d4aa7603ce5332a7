"""Out to samplers and hosts: folders for SFZ, SoundFont and DecentSampler, a TorchScript file for nn~, ONNX files."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
