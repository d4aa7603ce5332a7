"""What controllers and velocities mean to a voice that plays now: as in files, or as players of modelled winds know them."""

from __future__ import annotations

from dataclasses import dataclass

from ddspvae.features.statistics import Statistics
from ddspvae.midi.channels import Channel
from ddspvae.midi.closed_forms import velocity_to_level_db
from ddspvae.midi.expression import BRIGHTNESS_RANGE, MODULATION_CENTS, to_gain_db, to_vibrato_cents
from ddspvae.midi.held_keys import Sounding
from ddspvae.midi.rules import LONGEST_ATTACK_S, LONGEST_GLIDE_S
from ddspvae.signals.checks import check_choice

USUAL, BREATH = "usual", "breath"
VIBRATO_RATE = 19  # controller
SLOWEST_HZ, FASTEST_HZ = 3.0, 9.0  # that it spans
FARTHEST = 4.0  # times as long, or as short, as an attack or a glide gets by its velocity
NOTHING_DB = -90.0  # of a breath of 0
MIDDLE_VELOCITY = 64


@dataclass(frozen=True)
class Shape:
    """What controllers ask of a voice.

    Args:
        bend_semitones, gain_db, vibrato_cents: beside what the note does by itself.
        rate_hz: of the vibrato; None is the instrument's.
        brightness: standard deviations.
    """

    bend_semitones: float = 0.0
    gain_db: float = 0.0
    vibrato_cents: float = 0.0
    rate_hz: float | None = None
    brightness: float = 0.0


@dataclass(frozen=True)
class Start:
    """How a note begins.

    Args:
        velocity: that its level is taken from.
        attack_s: of a detached note; glide_s: of its pitch; None is as the instrument has it.
        glide_from: where its pitch comes from; None is the note before, if it is bound.
    """

    velocity: int
    attack_s: float | None = None
    glide_s: float | None = None
    glide_from: float | None = None


class ControllerMap:
    """What controllers and velocities mean.

    - "usual": as in files (`midi.expression`): velocity is the level, expression and breath turn it down, modulation and
      pressure add vibrato, and portamento is as the channel says.
    - "breath": expression or breath, whichever moved last, is the level, from the softest to the loudest of the recordings,
      and 0 is silence. Modulation is all the vibrato there is, controller 19 its rate, 3 to 9 Hz. Velocity says how fast:
      the attack of a detached note, the glide of a bound one, up to four times as long as usual or as short; controller 5 is
      how long glides are at velocity 64.

    Pitch wheel, MPE, brightness, pressure, pedals and modes are the same in both.

    Args:
        name: "usual" or "breath".
        statistics: of the instrument.
    """

    def __init__(self, name: str, statistics: Statistics) -> None:
        check_choice("stream", "controllers", name, (USUAL, BREATH))
        self.is_breath = name == BREATH
        self._statistics = statistics
        self._loudest_db = float(velocity_to_level_db(127, statistics))
        self._breaths: dict[int, str] = {}  # by channel: which controller moved last
        self._rates_hz: dict[int, float] = {}

    def hear(self, channel: int, control: int, value: int) -> None:
        """A control change, on the channel that it belongs to."""
        if control in (2, 11):
            self._breaths[channel] = "breath" if control == 2 else "expression"
        elif control == VIBRATO_RATE:
            self._rates_hz[channel] = SLOWEST_HZ * (FASTEST_HZ / SLOWEST_HZ) ** (value / 127)

    def reset(self) -> None:
        """As if nothing had been sent."""
        self._breaths.clear()
        self._rates_hz.clear()

    def start(self, note: Sounding, velocity: int, glide_s: float) -> Start:
        """How a note begins that is struck, or gone back to.

        Args:
            glide_s: that its channel says; 0 where it says nothing.
        """
        if not self.is_breath:
            return Start(velocity, None, note.glide_s or None, note.glide_from)
        slower = FARTHEST ** ((MIDDLE_VELOCITY - velocity) / (MIDDLE_VELOCITY - 1))
        usual_s = glide_s or min(self._statistics.glide_s, LONGEST_GLIDE_S)
        return Start(127, min(self._statistics.attack_s, LONGEST_ATTACK_S) * slower, usual_s * slower)

    def shape(self, number: int, channel: Channel, note: Sounding) -> Shape:
        """What a note's channel, or its zone's manager, and its own bends and pressures ask for."""
        pressure = min(channel.value("pressure") + note.now("pressure"), 1.0)
        brightness = 2 * channel.value("brightness") - 1 + note.now("brightness")
        bend = channel.bend_now_semitones + note.now("bend_semitones")
        soft = float(channel.value("soft") >= 0.5)
        if self.is_breath:
            breath = channel.value(self._breaths.get(number, "expression"))
            level_db = float(velocity_to_level_db(1 + 126 * breath, self._statistics)) if breath else NOTHING_DB
            gain_db = max(level_db - self._loudest_db, NOTHING_DB) + float(to_gain_db(1.0, pressure, soft))
            vibrato_cents = MODULATION_CENTS * channel.value("modulation")
        else:
            gain_db = float(to_gain_db(channel.value("expression") * channel.value("breath"), pressure, soft))
            vibrato_cents = float(to_vibrato_cents(channel.value("modulation"), pressure))
        return Shape(bend, gain_db, vibrato_cents, self._rates_hz.get(number) if self.is_breath else None,
                     BRIGHTNESS_RANGE * min(max(brightness, -1.0), 1.0))
