"""A stream that gets anything in any blocks: finite, within full scale, silent in the end, and the offline render."""

from __future__ import annotations

import functools
from typing import Any

import mido
import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from ddspvae import Instrument, Performance, load

BLOCKS = (1, 7, 64, 128, 240, 241, 1000)
KEYS, SEVEN_BITS, CHANNELS = st.integers(0, 127), st.integers(0, 127), st.integers(0, 15)
ALIKE = 2e-5  # as `test_stream` has it, at the worst sample


@functools.lru_cache(maxsize=1)
def instrument() -> Instrument:
    """One for all streams, so that its networks are exported once."""
    return load("flute")


class LiveMidi(RuleBasedStateMachine):
    """MIDI in, sound out; a second stream gets the same in other blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.sounds: list[np.ndarray] = []
        self.waiting: list[tuple[int, mido.Message]] = []

    @initialize(voices=st.integers(1, 5), mono=st.booleans())
    def open(self, voices: int, mono: bool) -> None:
        self.stream, self.other = (instrument().stream(voices, mono=mono, dry=True) for _ in range(2))

    def send(self, kind: str, offset: int = 0, **values: Any) -> None:
        message = mido.Message(kind, **values)
        self.stream.send(message, offset=offset)
        self.other.send(message, offset=self.stream.sample + offset - self.other.sample)

    @rule(note=KEYS, velocity=SEVEN_BITS, channel=CHANNELS, offset=st.integers(0, 2000))
    def note_on(self, note: int, velocity: int, channel: int, offset: int) -> None:
        self.send("note_on", offset, note=note, velocity=velocity, channel=channel)

    @rule(note=KEYS, channel=CHANNELS, offset=st.integers(0, 2000))
    def note_off(self, note: int, channel: int, offset: int) -> None:
        self.send("note_off", offset, note=note, channel=channel)

    @rule(control=SEVEN_BITS, value=SEVEN_BITS, channel=CHANNELS, offset=st.integers(0, 500))
    def control(self, control: int, value: int, channel: int, offset: int) -> None:
        self.send("control_change", offset, control=control, value=value, channel=channel)

    @rule(pedal=st.sampled_from((64, 66, 67, 68)), down=st.booleans())
    def pedal(self, pedal: int, down: bool) -> None:
        self.send("control_change", control=pedal, value=127 * down)

    @rule(control=st.sampled_from((120, 121, 123, 124, 125, 126, 127)), channel=CHANNELS)
    def mode(self, control: int, channel: int) -> None:
        self.send("control_change", control=control, channel=channel)

    @rule(parameter=st.integers(0, 7), value=SEVEN_BITS, channel=CHANNELS)
    def registered_parameter(self, parameter: int, value: int, channel: int) -> None:
        """Range of the wheel, tunings, and MPE zones (6)."""
        for control, now in ((101, 0), (100, parameter), (6, value), (38, value)):
            self.send("control_change", control=control, value=now, channel=channel)

    @rule(pitch=st.integers(-8192, 8191), channel=CHANNELS, offset=st.integers(0, 500))
    def wheel(self, pitch: int, channel: int, offset: int) -> None:
        self.send("pitchwheel", offset, pitch=pitch, channel=channel)

    @rule(kind=st.sampled_from(("reset", "clock", "start", "stop", "tune_request", "aftertouch", "polytouch",
                                "program_change", "sysex", "songpos")))
    def other_message(self, kind: str) -> None:
        self.send(kind)

    @rule(n=st.one_of(st.sampled_from(BLOCKS), st.integers(0, 3000)))
    def read(self, n: int) -> None:
        self._take(n)

    @rule(seconds=st.floats(0.2, 1.0))
    def jump(self, seconds: float) -> None:
        """Nothing is read for long, then much at once."""
        self._take(round(seconds * instrument().config.sample_rate))

    def _take(self, n: int) -> None:
        sound = self.stream.read(n)
        assert sound.shape == (n,) and np.isfinite(sound).all(), "not finite"
        assert np.abs(sound).max(initial=0.0) <= 1, "beyond full scale"
        self.sounds.append(sound)

    @invariant()
    def the_clock_is_what_was_read(self) -> None:
        if hasattr(self, "stream"):
            assert self.stream.sample == sum(map(len, self.sounds))

    def teardown(self) -> None:
        if not hasattr(self, "stream"):
            return
        self._take(2001)  # all that was sent has come
        for channel in range(16):
            for control in (64, 66, 123):  # the pedals up, then the keys
                self.send("control_change", control=control, channel=channel)
        rate = instrument().config.sample_rate
        self._take(round(rate * (instrument().tail_s(dry=True) + 0.5)))
        assert np.abs(self.sounds[-1][-4800:]).max() < 1e-4, "a note is left"
        assert not self.stream._voices.sounding.any(), "a voice is left"
        whole = np.concatenate(self.sounds)
        again = np.concatenate([self.other.read(min(4321, len(whole) - at)) for at in range(0, len(whole), 4321)])
        assert np.abs(whole - again).max() <= ALIKE, "other blocks sound otherwise"


class FedTakes(RuleBasedStateMachine):
    """Performances in, piece by piece, and read in any blocks: the offline render of the whole."""

    def __init__(self) -> None:
        super().__init__()
        self.sounds: list[np.ndarray] = []

    @initialize(seed=st.integers(0, 2**16), n_rows=st.integers(2, 60))
    def open(self, seed: int, n_rows: int) -> None:
        flute, random = instrument(), np.random.default_rng(seed)
        step = flute.config.frames_per_z
        n = n_rows * step
        f0_hz = 440 * 2 ** np.cumsum(random.normal(0, 0.02, n))
        loudness_db = np.where(random.random(n) < 0.1, -120, -30 + np.cumsum(random.normal(0, 0.5, n)))
        z = random.normal(0, 1, (n_rows, flute.config.n_z))
        self.take = Performance(f0_hz, random.random(n), loudness_db.clip(-120, -10), z, flute.axis_names,
                                flute.config.frame_rate_hz, step, flute.identity)
        self.stream = flute.stream(1, dry=True, limit=False)
        self.stream.feed(self.take)

    @rule(n=st.one_of(st.sampled_from(BLOCKS), st.integers(0, 3000)))
    def read(self, n: int) -> None:
        self.sounds.append(self.stream.read(n))

    def teardown(self) -> None:
        if not hasattr(self, "stream"):
            return
        whole = instrument().resynthesize(self.take, dry=True)
        n_read = sum(map(len, self.sounds))
        if n_read < len(whole):
            self.sounds.append(self.stream.read(len(whole) - n_read))
        sound = np.concatenate(self.sounds)
        assert np.abs(sound[: len(whole)] - whole).max() <= ALIKE, "not the offline render"
        assert not sound[len(whole):].any(), "sounds on after the end"


def attack_streams(n_examples: int, n_steps: int = 40, *, is_repeatable: bool = False) -> list[str]:
    """Run both; what was found, each with the steps that lead there. Drawn anew each time, unless repeatable."""
    found = []
    for machine in (LiveMidi, FedTakes):
        how = settings(max_examples=n_examples, stateful_step_count=n_steps, deadline=None, database=None,
                       derandomize=is_repeatable, report_multiple_bugs=False,
                       suppress_health_check=list(HealthCheck))
        try:
            run_state_machine_as_test(machine, settings=how)
        except Exception as error:  # that is what is looked for
            notes = "\n".join(getattr(error, "__notes__", ()))
            found.append(f"{machine.__name__}: {type(error).__name__}: {error}\n{notes}")
    return found
