"""Play a violin live, as a sound card would ask for it: MIDI in, blocks of 256 samples out, and how long each took.

With a keyboard: `for message in mido.open_input().iter_pending(): stream.send(message)` before every block.
"""

import time
from pathlib import Path

import mido
import numpy as np

import ddspvae

BLOCK = 256
out = Path("out")
out.mkdir(exist_ok=True)

violin = ddspvae.load("violin")
stream = violin.stream(voices=4)
rate = violin.config.sample_rate

chords = [(62, 69), (64, 67, 71), (66, 69, 74), (62, 69, 74, 78)]
events = []  # (sample, message); a note starts at its own sample, wherever that lies in a block
for beat, chord in enumerate(chords):
    for number, pitch in enumerate(chord):
        onset = round((0.8 * beat + 0.03 * number) * rate)  # strummed
        events.append((onset, mido.Message("note_on", note=pitch, velocity=70 + 6 * beat)))
        events.append((round((0.8 * beat + 0.75) * rate), mido.Message("note_off", note=pitch)))
events.sort(key=lambda event: event[0])

blocks, shares = [], []
for start in range(0, 5 * rate, BLOCK):
    while events and events[0][0] < start + BLOCK:
        sample, message = events.pop(0)
        stream.send(message, offset=sample - start)
    began = time.perf_counter()
    blocks.append(stream.read(BLOCK))
    shares.append((time.perf_counter() - began) * rate / BLOCK)

audio, _ = ddspvae.limit_peak(np.concatenate(blocks))
ddspvae.write_audio(out / "live.wav", audio, rate)
print(f"{out / 'live.wav'}: a block of {BLOCK / rate * 1000:.1f} ms took {np.median(shares):.0%} of its time, "
      f"99 % of them less than {np.percentile(shares, 99):.0%}")
