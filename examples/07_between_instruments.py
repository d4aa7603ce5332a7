"""One model of many instruments: a phrase by two of them, by one between them, and by one that turns into the other.

    python examples/07_between_instruments.py   ->  out/between_instruments.wav
"""

from pathlib import Path

import numpy as np

import ddspvae

TIMBRES = ("clarinet", "clarinet+trumpet", "trumpet", "clarinet..trumpet")

out = Path("out")
out.mkdir(exist_ok=True)
[melody] = ddspvae.read_midi(Path(__file__).parent / "melody.mid")
sounds = []
for timbre in TIMBRES:
    player = ddspvae.load(f"ensemble:{timbre}")
    sounds.append(player.render(melody)[: 8 * player.config.sample_rate])
    print(f"{timbre}: {np.abs(sounds[-1]).max():.2f} at the loudest")
audio, _ = ddspvae.limit_peak(np.concatenate(sounds))
ddspvae.write_audio(out / "between_instruments.wav", audio, player.config.sample_rate)
print("Listen to out/between_instruments.wav")
