"""The 16 channels of one port, and the MPE zones among them: channels that carry one note each and make one part."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from ddspvae.midi.channels import (
    ALL_NOTES_OFF,
    ALL_SOUND_OFF,
    BRIGHTNESS,
    DATA_ENTRY,
    MPE_CONFIGURATION,
    PARAMETER_NUMBERS,
    RESET,
    Channel,
)
from ddspvae.midi.held_keys import Keys, Sounding
from ddspvae.midi.tuning import Pitches, Tunings

MANAGER_BEND_RANGE, MEMBER_BEND_RANGE = 2.0, 48.0  # semitones, when a zone is made
LOWER, UPPER = 0, 15  # the managers, counted from 0
OWN_CONTROLLERS = (*PARAMETER_NUMBERS, BRIGHTNESS, ALL_SOUND_OFF, RESET, ALL_NOTES_OFF)  # the others are the zone's


class Port:
    """What arrives on one port goes to the channel it is meant for.

    In a zone, a member's pitch wheel, pressure and brightness (controller 74) belong to its own notes. All else that
    comes on a member is taken for the whole zone, and what the manager sends counts for all notes, beside their own.

    Args:
        tuning: the pitches of all keys, until messages change them; None is equal temperament.
        keeps_older: see `Keys`.
    Source: MIDI Polyphonic Expression 1.0 (RP-053).
    """

    def __init__(self, tuning: Pitches | None = None, *, keeps_older: bool = False) -> None:
        self.channels = [Channel(keys=Keys(keeps_older=keeps_older)) for _ in range(16)]
        self._tunings = Tunings() if tuning is None else Tunings(tuning)
        self._sizes = {LOWER: 0, UPPER: 0}
        self._had_zone = False
        self._managers = list(range(16))  # of each channel; a table, since every event asks

    def configure(self, manager: int, n_members: int) -> None:
        """Make a zone, change its size, or with 0 members end it; the other zone gives way.

        Args:
            manager: 0 or 15.
            n_members: 0 to 15; from channel 1 up in the lower zone, from 14 down in the upper.
        """
        self._had_zone = True
        other = LOWER + UPPER - manager
        self._sizes[manager] = min(n_members, 15)
        # 14 channels are neither's manager; a zone of 15 takes the other manager as well
        self._sizes[other] = max(min(self._sizes[other], 14 - self._sizes[manager]), 0)
        if n_members:
            self.channels[manager].bend_range = MANAGER_BEND_RANGE
        for member in self.members(manager):
            self.channels[member].bend_range = MEMBER_BEND_RANGE
        self._managers = [next((one for one in self._sizes if number in self.members(one)), number) for number in range(16)]

    def members(self, manager: int) -> range:
        """The members of a manager's zone; none where there is no zone."""
        size = self._sizes.get(manager, 0)
        return range(1, size + 1) if manager == LOWER else range(UPPER - size, UPPER)

    def manager(self, number: int) -> int:
        """Whose zone a channel is a member of; its own where it is not a member."""
        return self._managers[number]

    def is_zone(self, number: int) -> bool:
        """Whether a channel is in a zone, as a member or as the manager."""
        return bool(self._sizes.get(self.manager(number)))

    def home(self, number: int) -> Channel:
        """The channel that keys and controllers sent to a number belong to."""
        return self.channels[self.manager(number)]

    def press(self, part: Hashable, number: int, pitch: int, velocity: int, time_s: float, last_s: float
              ) -> Sounding | None:
        """Note on; it ends at last_s if nothing ends it. None where the tuning has no note for the key."""
        tuned = self._tuned(number, pitch)
        if tuned is None:
            return None
        note = Sounding(part, number, pitch, velocity, time_s, last_s, tuned)
        if self._had_zone:
            self._tell(number, [note], time_s)
            for keys in self._left_behind(number):
                keys.silence(time_s, number, pitch)
        self.home(number).keys.press(note)
        if note.glide_from is not None:
            source = self._tuned(number, int(note.glide_from))
            note.glide_from = note.glide_from if source is None else float(source)
        return note

    def retune(self, data: Sequence[int], time_s: float) -> bool:
        """A system exclusive message, without F0 and F7; False where it says nothing about tuning."""
        at_once = self._tunings.receive(data)
        for note in [note for channel in self.channels for note in channel.keys.sounding] if at_once else ():
            pitch = self._tuned(note.channel, note.pitch)
            if pitch is not None:
                note.retune(time_s, pitch)
        return at_once is not None

    def forget(self) -> None:
        """Keep what is, and nothing of what was."""
        for channel in self.channels:
            channel.forget()

    def _tuned(self, number: int, key: int) -> float | None:
        return self._tunings.pitch(number, self.home(number).tuning, key)

    def release(self, part: Hashable, number: int, pitch: int, time_s: float) -> None:
        """Note off; it may end a note that began before its channel went into a zone or out of it."""
        home = self.home(number).keys
        left = (keys for keys in self._left_behind(number) if keys.is_down(number, pitch))
        (home if home.is_down(number, pitch) else next(left, home)).release(part, number, pitch, time_s)

    def _left_behind(self, number: int) -> list[Keys]:
        """Where notes of a channel may still sound that began when it belonged elsewhere."""
        if not self._had_zone:
            return []
        home = self.home(number)
        others = (self.channels[other] for other in dict.fromkeys((number, LOWER, UPPER)))
        return [channel.keys for channel in others if channel is not home]

    def turn_wheel(self, number: int, wheel: int, time_s: float) -> None:
        """Pitch wheel, -8192 to 8191."""
        self.channels[number].turn_wheel(wheel, time_s)
        self._tell(number, self.home(number).keys.on(number), time_s)

    def press_all(self, number: int, pressure: int, time_s: float) -> None:
        """Channel pressure, 0 to 127."""
        self.channels[number].press_all(pressure, time_s)
        self._tell(number, self.home(number).keys.on(number), time_s)

    def press_key(self, number: int, pitch: int, pressure: int, time_s: float) -> None:
        """Polyphonic pressure, 0 to 127."""
        for note in self.home(number).keys.on(number, pitch):
            note.follow(time_s, pressure=pressure / 127)

    def control(self, number: int, controller: int, value: int, time_s: float) -> bool:
        """Control change; False where the controller means nothing here."""
        channel, home = self.channels[number], self.home(number)
        if channel is not home and channel.keys.sounding and controller not in PARAMETER_NUMBERS:
            channel.control(controller, value, time_s)  # for notes that began before the zone
        for keys in self._left_behind(number) if controller in (ALL_SOUND_OFF, ALL_NOTES_OFF) else ():
            (keys.silence if controller == ALL_SOUND_OFF else keys.all_up)(time_s, number)
        if channel is not home and controller not in OWN_CONTROLLERS:
            return home.control(controller, value, time_s)
        known = channel.control(controller, value, time_s)
        if number in self._sizes and controller == DATA_ENTRY and channel.parameter == MPE_CONFIGURATION:
            self.configure(number, value)
        elif channel is not home:
            if controller == ALL_SOUND_OFF:
                home.keys.silence(time_s, number)
            elif controller == ALL_NOTES_OFF:
                home.keys.all_up(time_s, number)
            for member in self.members(self.manager(number)):
                self.channels[member].bend_range = channel.bend_range  # sent to one, it is that of all
                self._tell(member, home.keys.on(member), time_s)
        return known

    def _tell(self, number: int, notes: list[Sounding], time_s: float) -> None:
        """Let notes follow the member they came on; a channel that is no member speaks for all."""
        member = self.channels[number]
        if member is self.home(number):
            return
        for note in notes:
            note.bend(time_s, member.bend_now_semitones)
            note.follow(time_s, pressure=member.value("pressure"),
                        brightness=2 * member.value("brightness") - 1)
