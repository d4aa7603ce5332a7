"""A synthesizer of your own: every note sounds an octave higher as well, in renders and in streams alike.

The command line finds it, too: DDSPVAE_PLUGINS=examples/09_a_sound_of_your_own.py ddspvae train ... --synthesizer two-ranks
"""

from pathlib import Path

import ddspvae
from ddspvae.model.config import ModelConfig
from ddspvae.synth.constrain import harmonic_numbers
from ddspvae.synth.synthesizers import Synthesizer


@ddspvae.register("synthesizer", "two-ranks")
class TwoRanks(Synthesizer):
    """As organs have them: the same pipes again, half as long and 6 dB down. Noise and all else stay as they are."""

    def harmonics(self, f0_hz, heights, start, length):
        # below Nyquist, with room for a glide: of its neighbours, a segment knows nothing
        may = 2 * f0_hz * harmonic_numbers(heights.shape[-1], f0_hz) < 0.45 * self.sample_rate
        above = super().harmonics(2 * f0_hz, heights * may, 2 * start % 1, length)
        return super().harmonics(f0_hz, heights, start, length) + above / 2


if __name__ == "__main__":
    out = Path("out")
    out.mkdir(exist_ok=True)
    flute = ddspvae.load("flute")
    rate = flute.config.sample_rate
    notes = ddspvae.read_midi(Path(__file__).with_name("melody.mid"))
    take = flute.render(notes)[: 12 * rate] / 2
    ddspvae.write_audio(out / "take.wav", take, rate)
    mine = ddspvae.load(ddspvae.train(out / "take.wav", out / "ranks.safetensors", steps=20,
                                      model=ModelConfig(n_z=12, synthesizer="two-ranks")))
    ddspvae.write_audio(out / "ranks.wav", mine.render(notes) / 2, rate)
    performance = mine.analyze(take[: 2 * rate], rate)
    stream = mine.stream(limit=False)
    stream.feed(performance)
    streamed, whole = stream.read(rate), mine.resynthesize(performance)[:rate]
    print(f"stream and render differ by {abs(streamed - whole).max():.1e} of {abs(whole).max():.2f}")
