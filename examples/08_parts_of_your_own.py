"""An encoder and a pitch tracker of your own: registered here, used by name, without a change to the package.

The command line finds them, too: DDSPVAE_PLUGINS=examples/08_parts_of_your_own.py ddspvae train ... --encoder bands
"""

from pathlib import Path

import numpy as np
import torch

import ddspvae
from ddspvae.features.autocorrelation import Track
from ddspvae.features.trackers import Tracker
from ddspvae.model.config import ModelConfig
from ddspvae.model.encoder import Encoder
from ddspvae.model.stack import mean_rows

HOP, WINDOW = 160, 2048  # samples at 16 kHz


@ddspvae.register("encoder", "bands")
class BandEncoder(Encoder):
    """Sixteen wide bands of the spectrum, each row by itself: no convolution, no memory."""

    def __init__(self, n_channels, n_z, frames_per_z, hop_size, sample_rate, n_left):
        super().__init__(n_channels, n_z, frames_per_z, hop_size, sample_rate, n_left)
        self.inlet = torch.nn.Linear(16, n_channels)

    def rows(self, heard, left):
        bands = heard.timbre.unflatten(-1, (16, -1)).mean(dim=-1)
        return mean_rows(torch.tanh(self.inlet(bands)), self.frames_per_z)


def cepstrum(audio_16k):
    """Pitch by the highest peak of the cepstrum (Noll, 1967), 80 to 1000 Hz, every 10 ms."""
    padded = np.pad(audio_16k, (WINDOW // 2, WINDOW))
    starts = np.arange(0, len(audio_16k), HOP)
    frames = np.stack([padded[start : start + WINDOW] for start in starts]) * np.hanning(WINDOW)
    real = np.fft.irfft(np.log(np.abs(np.fft.rfft(frames)) + 1e-3))
    low, high = 16_000 // 1000, 16_000 // 80
    peak = real[:, low:high].argmax(axis=1) + low
    height = real[np.arange(len(real)), peak]
    return Track(starts / 16_000, 16_000 / peak, np.clip(height / 0.3, 0, 1))


ddspvae.register("tracker", "cepstrum", Tracker(cepstrum, (80.0, 1000.0)))

if __name__ == "__main__":
    out = Path("out")
    out.mkdir(exist_ok=True)
    violin = ddspvae.load("violin")
    song = violin.render(ddspvae.read_midi(Path(__file__).with_name("melody.mid")))
    rate = violin.config.sample_rate
    ddspvae.write_audio(out / "take.wav", song[: 12 * rate], rate)
    mine = ddspvae.train(out / "take.wav", out / "mine.safetensors", steps=20, tracker="cepstrum",
                         model=ModelConfig(encoder="bands", n_z=12))
    performance = ddspvae.load(mine).analyze(song[: 4 * rate], rate)
    print(f"median pitch {np.median(performance.f0_hz):.0f} Hz, by {ddspvae.load(mine).tracker}")
    ddspvae.write_audio(out / "again.wav", ddspvae.load(mine).resynthesize(performance), rate)
