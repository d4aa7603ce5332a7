"""Listen to a take, change its pitch, loudness, vibrato and timbre one at a time, and draw what was heard.

Give a recording as the argument; without one, the demonstration melody stands in for it.
"""

import sys
from pathlib import Path

import ddspvae
from ddspvae.evaluation.plots import plot_performance

out = Path("out")
out.mkdir(exist_ok=True)

violin = ddspvae.load("violin")
if len(sys.argv) > 1:
    take, sample_rate = ddspvae.read_audio(sys.argv[1])
else:
    sample_rate = violin.config.sample_rate
    take = violin.render(ddspvae.read_midi(Path(__file__).parent / "melody.mid"))[: 6 * sample_rate]

performance = violin.analyze(take, sample_rate)
plot_performance(take, sample_rate, performance, out / "take.png")
performance.save(out / "take.npz")

edits = {
    "as_heard": performance,
    "a_fourth_lower": performance.transpose(-5),
    "softer": performance.change_loudness(-9),
    "no_vibrato": performance.scale_vibrato(0),
    "brighter": performance.offset_z({"brightness": 1.5}),
    "slower": performance.stretch(1.5),
}
for name, edited in edits.items():
    audio, _ = ddspvae.limit_peak(violin.resynthesize(edited))
    ddspvae.write_audio(out / f"take_{name}.wav", audio, violin.config.sample_rate)
    print(out / f"take_{name}.wav")
