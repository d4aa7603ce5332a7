"""Play a MIDI file with a learned violin, as written and with more expression."""

from pathlib import Path

import ddspvae

out = Path("out")
out.mkdir(exist_ok=True)

violin = ddspvae.load("violin")
parts = ddspvae.read_midi(Path(__file__).parent / "melody.mid")

for expression in (0.0, 1.0):
    audio = violin.render(parts, expression=expression)
    audio, gain_db = ddspvae.limit_peak(audio)
    path = out / f"melody_expression_{expression:.0f}.wav"
    ddspvae.write_audio(path, audio, violin.config.sample_rate)
    print(f"{path}: {len(audio) / violin.config.sample_rate:.1f} s, gain {gain_db:.1f} dB")
