"""The synthesizer without a network: a clarinet-like tone that opens up, with breath, in a small hall."""

from pathlib import Path

import torch

from ddspvae import write_audio
from ddspvae.audio import limit_peak
from ddspvae.synth.level import solve_level
from ddspvae.synth.render import render
from ddspvae.synth.reverb import Room, impulse_response

SAMPLE_RATE, HOP_SIZE, SECONDS = 48_000, 240, 3
n_frames = SECONDS * SAMPLE_RATE // HOP_SIZE
t_s = torch.arange(n_frames) * HOP_SIZE / SAMPLE_RATE

f0_hz = 220 * 2 ** (0.2 / 12 * torch.sin(2 * torch.pi * 5 * t_s))
loudness_db = -50 + 30 * torch.sin(torch.pi * t_s / SECONDS)
number = torch.arange(1, 61)
tilt = -2.5 + 1.5 * t_s[:, None] / SECONDS  # the spectrum opens up
distribution = number**tilt * torch.where(number % 2 == 0, 0.1, 1.0)  # weak even harmonics
distribution = distribution / distribution.sum(-1, keepdim=True)

hall = Room(tail_energy=torch.full((1, 7), 0.15), decay_s=torch.full((1, 7), 0.7))
controls = solve_level(
    f0_hz=f0_hz[None, :, None],
    loudness_db=loudness_db[None, :, None],
    harmonic_distribution=distribution[None],
    noise_shape=torch.linspace(1, 0.1, 65).expand(1, n_frames, 65),
    harmonic_share=torch.full((1, n_frames, 1), 0.97),
    sample_rate=SAMPLE_RATE,
    hop_size=HOP_SIZE,
    room=hall,
)
audio = render(controls, SAMPLE_RATE, HOP_SIZE, response=impulse_response(hall, SAMPLE_RATE))

out = Path("out")
out.mkdir(exist_ok=True)
write_audio(out / "by_hand.wav", limit_peak(audio[0].numpy())[0], SAMPLE_RATE)
print(out / "by_hand.wav")
