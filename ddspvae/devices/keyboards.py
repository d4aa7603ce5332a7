"""MIDI inputs: which there are, and one that is listened to, also after it was unplugged and plugged in again."""

from __future__ import annotations

import os
import re
import threading
from dataclasses import dataclass
from typing import Any

from ddspvae.devices.quiet import library, quiet
from ddspvae.signals.checks import InputError

VIRTUAL = "virtual"  # in place of a name: a port of our own, for other programs to connect to
THROUGH = re.compile(r"through|thru|ddspvae|rtmidi", re.IGNORECASE)  # what plays nothing by itself
NUMBER = re.compile(r"[\s:0-9-]+$")  # of an ALSA client and its port, which changes when a cable is pulled
MOST_MESSAGES = 4096  # at once; a keyboard sends a thousand a second


@dataclass(frozen=True)
class PortName:
    """A MIDI input.

    Args:
        name: as the system has it.
        api: of rtmidi: LINUX_ALSA, UNIX_JACK, MACOSX_CORE, WINDOWS_MM.
    """

    name: str
    api: str

    @property
    def lasting(self) -> str:
        """The part of the name that stays when a cable is pulled and put back."""
        return NUMBER.sub("", self.name)


class _Watch:
    """One client per interface, which only looks: opening one takes milliseconds, and all Python waits for it."""

    def __init__(self, rtmidi: Any, api: str) -> None:
        self.api = api
        self._client = rtmidi.MidiIn(rtapi=getattr(rtmidi, f"API_{api}"), name="ddspvae watch")

    def names(self) -> list[PortName]:
        return [PortName(name, self.api) for name in self._client.get_ports()]

    def close(self) -> None:
        self._client.delete()


def _watches() -> list[_Watch]:
    """Of the interfaces that work here; $MIDO_BACKEND (mido.backends.rtmidi/UNIX_JACK) chooses one."""
    rtmidi, backend = library("rtmidi"), library("mido.backends.rtmidi")
    chosen = os.environ.get("MIDO_BACKEND", "").partition("/")[2]
    watches = []
    for api in [chosen] if chosen else backend.get_api_names():
        try:
            with quiet():
                watches.append(_Watch(rtmidi, api))
        except (OSError, AttributeError):  # no driver, no server
            continue
    return watches


def _open_input(name: str, api: str, **how: Any) -> Any:
    """A port of mido that is asked for its messages.

    As mido has it, the system's thread calls Python for each message and waits for the interpreter meanwhile; that thread
    may be JACK's, which waits for nobody and would lose what comes then. So they stay in rtmidi's own queue until `poll`.
    """
    backend, message = library("mido.backends.rtmidi"), library("mido").Message

    class Polled(backend.Input):  # type: ignore[misc, name-defined]
        callback = None

        def poll(self) -> Any:
            while (found := self._rt.get_message()) is not None:
                try:
                    return message.from_bytes(found[0])
                except ValueError:  # no message
                    continue
            return None

        def leave(self) -> None:
            """Close the port and the client behind it."""
            self.close()
            self._rt.delete()

    return Polled(name, api=api, **how)


def list_inputs() -> list[PortName]:
    """The MIDI inputs of all interfaces that work here."""
    return [name for watch in _watches() for name in watch.names()]


class Keyboard:
    """A MIDI input that is listened to, through mido.

    Args:
        wanted: name or part of one; None takes the first that is not a loop of the system's; "virtual" is a port of our
            own.
    Raises:
        InputError: nothing is connected, or nothing of that name.
    """

    def __init__(self, wanted: str | None = None) -> None:
        self._wanted = wanted
        self._port: Any = None
        self._found: PortName | None = None
        self._moving = threading.Lock()  # one thread watches, while another may let go
        self._watches = _watches()
        if wanted == VIRTUAL:
            if not self._watches:
                raise InputError("play: this system has no MIDI; is its sequencer loaded (Linux: modprobe snd-seq)?")
            self.name = "ddspvae"
            return
        self._found = self._find()
        if self._found is None:
            raise self._nothing()
        self.name = self._found.lasting or self._found.name

    def open(self) -> None:
        """Listen. The threads that do get the priority of the one that calls."""
        self._watches = _watches()
        if self._found is None:
            self._open_virtual()
        else:
            self._open(self._found)

    @property
    def is_there(self) -> bool:
        """Whether it is plugged in."""
        return self._port is not None

    def poll(self) -> list[Any]:
        """The messages (mido.Message) that have come since; may be called by another thread than `watch`."""
        port, messages = self._port, list[Any]()
        while port is not None and len(messages) < MOST_MESSAGES and (message := port.poll()) is not None:
            messages.append(message)
        return messages

    def watch(self) -> bool:
        """See whether it is still plugged in, or again, and open it then; True if that has changed."""
        with self._moving:
            return self._watch()

    def _watch(self) -> bool:
        if self._found is None:
            return False
        if self._port is None:
            found = self._find()
            if found is not None and found.lasting == self._found.lasting:
                try:
                    self._open(found)
                except (OSError, InputError):  # it has just appeared, and opens the next time
                    return False
                return True
            return False
        if any(name == self._found for watch in self._watches for name in watch.names()):
            return False
        self.close()
        return True

    def let_go(self) -> None:
        """Close all that this process has opened to listen and to watch, as what ends with a server must be."""
        with self._moving, quiet():
            self.close()
            watches, self._watches = self._watches, []
            for watch in watches:
                watch.close()

    def come_back(self) -> None:
        """Listen again; a keyboard that is not there yet is found by `watch`."""
        with self._moving:
            self._watches = _watches()
            found = self._found and self._find()
            if self._found is None:
                self._open_virtual()
            elif found is not None:
                self._open(found)

    def close(self) -> None:
        """Stop listening."""
        port, self._port = self._port, None
        if port is not None:
            with quiet():
                port.leave()

    def _find(self) -> PortName | None:
        names = [name for watch in self._watches for name in watch.names()]
        if self._found is not None:
            return next((name for name in names if name.lasting == self._found.lasting), None)  # type: ignore[union-attr]
        if self._wanted is None:
            return next((name for name in names if not THROUGH.search(name.name)), None)
        exact = [name for name in names if name.name == self._wanted]
        return next(iter(exact or [name for name in names if self._wanted.lower() in name.name.lower()]), None)

    def _open(self, name: PortName) -> None:
        with quiet():
            self._port = _open_input(name.name, name.api)
        self._found = name

    def _open_virtual(self) -> None:
        try:
            with quiet():
                self._port = _open_input("in", self._watches[0].api, client_name="ddspvae", virtual=True)
        except (OSError, NotImplementedError, RuntimeError) as error:
            raise InputError("play: this system has no virtual MIDI ports; connect a keyboard, or a loop such as "
                             "loopMIDI.") from error

    def _nothing(self) -> InputError:
        names = [name.name for watch in self._watches for name in watch.names()]
        if self._wanted is not None and names:
            return InputError(f"play: no MIDI input is called '{self._wanted}'; there are {', '.join(names)}.")
        return InputError("play: no MIDI keyboard is connected; plug one in, or open a port for other programs with "
                          f"--midi-in {VIRTUAL}.")
