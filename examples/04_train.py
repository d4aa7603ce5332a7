"""Train an instrument on a folder of recordings, then play a melody with it.

Give a folder and the minutes to train; without them, renders of the shipped violin stand in for recordings and
the training is a few steps long: enough to see how it goes, not to hear music.
"""

import sys
from pathlib import Path

import ddspvae

out = Path("out")
out.mkdir(exist_ok=True)
melody = ddspvae.read_midi(Path(__file__).parent / "melody.mid")

if len(sys.argv) > 2:
    recordings, budget = Path(sys.argv[1]), {"minutes": float(sys.argv[2])}
else:
    recordings, budget = out / "recordings", {"steps": 10}
    recordings.mkdir(exist_ok=True)
    violin = ddspvae.load("violin")
    for take in range(2):
        audio, _ = ddspvae.limit_peak(violin.render(melody, seed=take))
        ddspvae.write_audio(recordings / f"take{take}.wav", audio, violin.config.sample_rate)

path = ddspvae.train(recordings, out / "mine.safetensors", **budget,
                     progress=lambda row: print(f"step {row['step']:.0f}  loss {row['loss']:.3f}"))
mine = ddspvae.load(path)
audio, _ = ddspvae.limit_peak(mine.render(melody))
ddspvae.write_audio(out / "melody_mine.wav", audio, mine.config.sample_rate)
print(out / "melody_mine.wav", mine.card["metrics"]["validation"])
