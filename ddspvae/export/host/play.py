"""Play a scale on an exported instrument: `python play.py [scale.wav]`. Needs numpy and onnxruntime, and nothing else."""

from __future__ import annotations

import json
import sys
import wave
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

FOLDER = Path(__file__).parent
STEPS = (0, 2, 4, 5, 7, 9, 11, 12)  # semitones above the first note
NOTE_S, ATTACK_S, FALL_DB_PER_S = 0.5, 0.06, 200.0


def mix_bits(x: np.ndarray) -> np.ndarray:
    """Scramble whole numbers of 32 bits."""
    with np.errstate(over="ignore"):
        for _ in range(2):
            x = (x ^ (x >> np.uint32(16))) * np.uint32(0x45D9F3B)
        return x ^ (x >> np.uint32(16))


def white(key: np.ndarray, start_sample: int, n_samples: int) -> np.ndarray:
    """White noise of unit power that depends on the place alone, [1, n_samples]."""
    place = np.arange(start_sample, start_sample + n_samples)
    low, high = (part.astype(np.uint32) for part in (place & 0xFFFFFFFF, (place >> 32) & 0xFFFFFFFF))
    bits = mix_bits(mix_bits(low ^ mix_bits(high)) + key)
    return ((bits.view(np.int32) >> 8).astype(np.float32) * np.float32(3**0.5 / 2**23))[None]


def play(folder: Path, f0_hz: np.ndarray, periodicity: np.ndarray, loudness_db: np.ndarray, z: np.ndarray, seed: int = 0
         ) -> np.ndarray:
    """Curves [F] and z [F, Z], a row a frame, to the sound from the first frame to the last, [(F - 1) * hop_size]."""
    card = json.loads((folder / "instrument.json").read_text(encoding="utf-8"))
    session = onnxruntime.InferenceSession(folder / "frame.onnx", providers=["CPUExecutionProvider"])
    hop, n_fft = card["hop_size"], card["white_samples"]
    state = {slot["name"]: np.zeros([1, *slot["shape"]], slot["dtype"]) for slot in card["state"]}
    key = mix_bits(mix_bits(np.array([seed], np.uint32)))
    sounds = []
    for frame in range(len(f0_hz)):
        after = min(frame + 1, len(f0_hz) - 1)
        inputs: dict[str, Any] = {name: np.full((1, 1, 1), value, np.float32) for name, value in (
            ("f0_hz", f0_hz[frame]), ("periodicity", periodicity[frame]), ("loudness_db", loudness_db[frame]),
            ("after_hz", f0_hz[after]))}
        inputs["z"] = z[frame].reshape(1, 1, -1).astype(np.float32)
        inputs["white"] = white(key, (frame - 1) * hop - (n_fft - hop) // 2, n_fft)
        audio, *following = session.run(None, {**inputs, **state})
        state = dict(zip(state, following))
        sounds.append(audio[0])
    return np.concatenate(sounds[1:])  # before the first frame there is nothing


def scale(card: dict[str, Any]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A scale as curves: f0_hz, periodicity, loudness_db [F] and z [F, Z] at what is typical."""
    rate = card["sample_rate"] / card["hop_size"]
    n_frames = round(len(STEPS) * NOTE_S * rate)
    time_s = np.arange(n_frames) / rate
    note = np.minimum((time_s / NOTE_S).astype(int), len(STEPS) - 1)
    since_s = time_s - note * NOTE_S
    f0_hz = 440 * 2 ** ((card["first_pitch"] + np.array(STEPS)[note] - 69) / 12)
    held_s = NOTE_S - 0.1
    loudness_db = card["loudness_db"] + 20 * np.log10(np.clip(since_s / ATTACK_S, 1e-6, 1)) \
        - FALL_DB_PER_S * np.maximum(since_s - held_s, 0)
    return f0_hz, np.ones(n_frames), np.maximum(loudness_db, -120), np.zeros((n_frames, len(card["axes"])))


def main() -> None:
    card = json.loads((FOLDER / "instrument.json").read_text(encoding="utf-8"))
    audio = play(FOLDER, *scale(card))
    out = sys.argv[1] if len(sys.argv) > 1 else "scale.wav"
    with wave.open(out, "wb") as file:
        file.setparams((1, 2, card["sample_rate"], len(audio), "NONE", ""))
        file.writeframes((audio.clip(-1, 1) * 32767).astype("<i2").tobytes())
    print(f"{out}: {len(audio) / card['sample_rate']:.1f} s of {card['name']}")


if __name__ == "__main__":
    main()
