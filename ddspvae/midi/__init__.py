"""MIDI to the curves of a performance: `read_midi`, `to_one_voice`, `perform`."""
