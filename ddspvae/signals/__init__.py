"""What the folders hand to each other, and nothing else: read this folder first.

    audio -> Features -> Latents -> Performance -> Controls -> audio
    MIDI  -> Notes ----------------^

`Features`, `Notes` and `Performance` describe one take and hold numpy arrays; `Latents` and
`Controls` live inside the network and the synthesizer, hold torch tensors and have a batch axis.
Frame n describes the instant n / frame_rate_hz. `f0_hz` is finite and positive in every frame;
voicing lives in `periodicity`, 0 to 1.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
