"""What a MIDI channel remembers between events: controllers, pitch wheel, tuning, pedals and keys."""

from __future__ import annotations

from dataclasses import dataclass, field

from ddspvae.midi.held_keys import Keys
from ddspvae.signals import CONTROLLERS, Steps

NO_PARAMETER = (127, 127)
# registered parameters
BEND_RANGE, FINE_TUNING, COARSE_TUNING, TUNING_PROGRAM, TUNING_BANK, MPE_CONFIGURATION = ((0, n) for n in (0, 1, 2, 3, 4, 6))
LONGEST_PORTAMENTO_S = 2.0  # at the highest portamento time, as its square; MIDI leaves the scale open
PARAMETERS = (BEND_RANGE, FINE_TUNING, COARSE_TUNING, TUNING_PROGRAM, TUNING_BANK, MPE_CONFIGURATION)
DATA_ENTRY, BRIGHTNESS, ALL_SOUND_OFF, RESET, ALL_NOTES_OFF = 6, 74, 120, 121, 123
PARAMETER_NUMBERS = (6, 38, 98, 99, 100, 101)


@dataclass(frozen=True)
class Controller:
    """How a controller becomes a curve of `Notes.controllers`.

    Args:
        name: in signals.CONTROLLERS.
        fine: number of the controller that carries 7 more bits.
        centred: 64 is the middle and 1 as low as 0 (RP-036).
        reset: reset all controllers sets it back (RP-015).
    """

    name: str
    fine: int | None = None
    centred: bool = False
    reset: bool = False

    def to_unit(self, coarse: int, fine: int = 0) -> float:
        """The value, 0 to 1; fine bits lie above their coarse ones, so that 127 alone is 1.

        >>> CURVES[10].to_unit(64), CURVES[11].to_unit(127)
        (0.5, 1.0)
        """
        value = coarse + fine / 128
        return min(max((value - 1) / 126, 0.0) if self.centred else value / 127, 1.0)


CURVES = {
    1: Controller("modulation", fine=33, reset=True),
    2: Controller("breath", fine=34),
    7: Controller("volume", fine=39),
    10: Controller("pan", fine=42, centred=True),
    11: Controller("expression", fine=43, reset=True),
    67: Controller("soft", reset=True),
    74: Controller("brightness", centred=True),
}
COARSE_OF_FINE = {curve.fine: number for number, curve in CURVES.items() if curve.fine is not None}


@dataclass
class Channel:
    """One of 16 channels of a port; every event says when it comes.

    Bend, range and tuning are remembered as they were sent; `bend_semitones` and `controllers` collect what follows.
    """

    program: int = 0
    tuning: tuple[int, int] = (0, 0)  # bank and program
    bend_range: float = 2.0  # semitones, General MIDI
    keys: Keys = field(default_factory=Keys)
    bend_semitones: list[tuple[float, float]] = field(default_factory=list)
    parameter: tuple[int, int] = NO_PARAMETER  # that data entry sets
    _wheel: int = 0  # -8192 to 8191
    _fine_tuning: tuple[int, int] = (64, 0)  # 14 bits
    _coarse_tuning: int = 0  # semitones
    _coarse: dict[int, int] = field(default_factory=dict)  # last value by controller number
    _steps: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    @property
    def controllers(self) -> dict[str, Steps]:
        """All that was sent so far."""
        return {name: tuple(steps) for name, steps in self._steps.items()}

    @property
    def bend_now_semitones(self) -> float:
        """Where the pitch wheel and the tuning are; 64 0 of fine tuning is 0, its 14 bits span -1 to 1 semitone."""
        coarse, fine = self._fine_tuning
        return self._wheel / 8192 * self.bend_range + (coarse * 128 + fine - 8192) / 8192 + self._coarse_tuning

    def value(self, name: str) -> float:
        """Where a controller is, 0 to 1."""
        return self._steps[name][-1][1] if name in self._steps else CONTROLLERS[name]

    def turn_wheel(self, wheel: int, time_s: float) -> None:
        """Pitch wheel, -8192 to 8191."""
        self._wheel = wheel
        self._write_bend(time_s)

    def press_all(self, pressure: int, time_s: float) -> None:
        """Channel pressure, 0 to 127."""
        self._write("pressure", pressure / 127, time_s)

    def control(self, number: int, value: int, time_s: float) -> bool:
        """Control change; False where the controller means nothing here."""
        if number in CURVES:
            self._coarse[number] = value
            self._write(CURVES[number].name, CURVES[number].to_unit(value), time_s)
            return True
        if number in COARSE_OF_FINE:
            coarse = COARSE_OF_FINE[number]
            self._write(CURVES[coarse].name, CURVES[coarse].to_unit(self._coarse.get(coarse, 0), value), time_s)
            return True
        if number in PARAMETER_NUMBERS:
            return self._set_parameter(number, value, time_s)
        return self._switch(number, value, time_s)

    def forget(self) -> None:
        """Keep what is, and nothing of what was: for streams, which may play for days."""
        self.bend_semitones.clear()
        for steps in self._steps.values():
            del steps[:-1]
        self.keys.forget()

    def _switch(self, number: int, value: int, time_s: float) -> bool:
        keys, down = self.keys, value >= 64
        match number:
            case 0 | 32:
                pass  # the bank: programs are those of General MIDI
            case 5 | 37:
                self._coarse[number] = value
                if number == 5:
                    self._coarse[37] = 0
                time = (self._coarse.get(5, 0) + self._coarse.get(37, 0) / 128) / 127
                keys.glide_s = LONGEST_PORTAMENTO_S * min(time, 1.0) ** 2
            case 64:
                keys.sustain(down, time_s)
            case 65:
                keys.portamento = down
            case 66:
                keys.sostenuto(down, time_s)
            case 68:
                keys.legato(down, time_s)
            case 84:
                keys.glide_source = value
            case 120:
                keys.silence(time_s)
            case 121:
                self._reset(time_s)
            case 123 | 124 | 125 | 126 | 127:  # omni and mono modes end the notes, too
                keys.all_up(time_s)
                keys.mono = number == 126 or (keys.mono and number != 127)
            case _:
                return False
        return True

    def _set_parameter(self, number: int, value: int, time_s: float) -> bool:
        if number in (98, 99):  # a non-registered parameter is chosen instead
            self.parameter = NO_PARAMETER
            return False
        if number in (100, 101):
            self.parameter = (value, self.parameter[1]) if number == 101 else (self.parameter[0], value)
            return True
        is_coarse = number == DATA_ENTRY
        if self.parameter == BEND_RANGE:  # semitones, then hundredths of one
            self.bend_range = float(value) if is_coarse else int(self.bend_range) + value / 100
        elif self.parameter == FINE_TUNING:
            self._fine_tuning = (value, 0) if is_coarse else (self._fine_tuning[0], value)
        elif self.parameter == COARSE_TUNING:
            self._coarse_tuning = value - 64 if is_coarse else self._coarse_tuning
        elif self.parameter in (TUNING_PROGRAM, TUNING_BANK) and is_coarse:
            bank, program = self.tuning
            self.tuning = (bank, value) if self.parameter == TUNING_PROGRAM else (value, program)
        self._write_bend(time_s)
        return self.parameter in PARAMETERS

    def _reset(self, time_s: float) -> None:
        """Reset all controllers. Volume, pan, brightness, breath, range and tuning stay.

        Source: MIDI recommended practice RP-015.
        """
        for curve in CURVES.values():
            if curve.reset and curve.name in self._steps:
                self._write(curve.name, CONTROLLERS[curve.name], time_s)
        if "pressure" in self._steps:
            self._write("pressure", 0.0, time_s)
        for note in self.keys.sounding:
            note.follow(time_s, pressure=0.0)
        self.parameter = NO_PARAMETER
        self.turn_wheel(0, time_s)
        self.keys.portamento, self.keys.glide_source = False, None
        self.keys.sustain(False, time_s)
        self.keys.sostenuto(False, time_s)

    def _write(self, name: str, value: float, time_s: float) -> None:
        steps = self._steps.setdefault(name, [])
        if not steps or steps[-1][1] != value:
            steps.append((time_s, value))

    def _write_bend(self, time_s: float) -> None:
        semitones = self.bend_now_semitones
        if semitones != (self.bend_semitones[-1][1] if self.bend_semitones else 0.0):
            self.bend_semitones.append((time_s, semitones))
