"""Play one take and let its timbre become that of another on the way; then hear and see one axis alone.

Give two recordings as arguments; without them, the demonstration melody is played twice: soft-toned, and slower and rough.
"""

import sys
from pathlib import Path

import ddspvae
from ddspvae.evaluation.plots import plot_performance
from ddspvae.latents.mixing import interpolate, morph
from ddspvae.latents.sweep import plot_sweep, sweep

out = Path("out")
out.mkdir(exist_ok=True)

violin = ddspvae.load("violin")
rate = violin.config.sample_rate
axis = "brightness"


def write(name: str, performance: ddspvae.Performance):
    audio, _ = ddspvae.limit_peak(violin.resynthesize(performance))
    ddspvae.write_audio(out / name, audio, rate)
    print(out / name)
    return audio


if len(sys.argv) > 2:
    takes = [violin.analyze(*ddspvae.read_audio(path)) for path in sys.argv[1:3]]
else:
    score, = ddspvae.read_midi(Path(__file__).parent / "melody.mid")
    played = violin.perform(score).slice(0, 6)
    versions = [played.offset_z({axis: -1.5}), played.offset_z({axis: 1.5}).stretch(1.25)]
    takes = [violin.analyze(violin.resynthesize(version), rate) for version in versions]

take_a, take_b = takes
write("between.wav", interpolate(take_a, take_b, 0.5, method="slerp"))
morphed = morph(take_a, take_b, 0.2 * take_a.duration_s, 0.8 * take_a.duration_s)
audio = write("morph.wav", morphed)
plot_performance(audio, rate, morphed, out / "morph.png")

swept = sweep(take_a.slice(0, 1.5), axis, reach=2, steps=5)
plot_sweep(write("sweep.wav", swept.performance), rate, swept, out / "sweep.png")
