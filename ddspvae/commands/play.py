"""`ddspvae play`: a keyboard or a voice in, an instrument out, now."""

from __future__ import annotations

import argparse
import json
import sys
from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ddspvae.commands.options import add_axes, add_preset, add_room, add_tuning, read_tuning_options
from ddspvae.commands.sounds import check_output, check_room_options, read_ir, say
from ddspvae.devices.lead import MOST_BLOCKS
from ddspvae.signals.checks import InputError, check_range, fail, printable

if TYPE_CHECKING:
    from ddspvae.devices.session import Driver, Session
    from ddspvae.devices.warmth import Warmth
    from ddspvae.instrument.instrument import Instrument
    from ddspvae.live.playable import LiveStream

SUMMARY = "play live, from a MIDI keyboard"
EXAMPLES = (
    "ddspvae play --preset violin",
    "ddspvae play --preset flute --midi-in keys --audio-out speakers --record take.wav --record-midi take.mid",
    "ddspvae play --list",
)
BAR = 20  # characters of the level, from -60 dB


def add_options(sub: argparse.ArgumentParser) -> None:
    """Give the verb its options."""
    add_preset(sub, required=False)
    sub.add_argument("--list", action="store_true", help="say which MIDI inputs and sound cards there are, and stop")
    wires = sub.add_argument_group("what is connected")
    wires.add_argument("--midi-in", metavar="NAME", help="a part of the name of a MIDI input (default: the first that is no "
                       "loop); 'virtual' opens a port for other programs")
    wires.add_argument("--mic", nargs="?", const="", metavar="NAME", help="in place of MIDI: a microphone, whose sung or "
                       "played notes are followed (default: the system's)")
    wires.add_argument("--audio-out", metavar="NAME", help="a part of the name of a sound card (default: the system's)")
    wires.add_argument("--block", type=int, default=128, metavar="N", help="samples between a key and its sound, beside "
                       "what the card adds; more is safer")
    wires.add_argument("--ready", type=int, default=1, metavar="N", help="blocks that lie ready at least: each is a delay, "
                       "and bridges a pause of the system of that length")
    how = sub.add_argument_group("how it plays")
    how.add_argument("--voices", type=int, default=8, metavar="N", help="notes at once")
    how.add_argument("--mono", action="store_true", help="one line, with legato")
    how.add_argument("--transpose", type=float, default=0.0, metavar="N", help="semitones")
    how.add_argument("--controllers", choices=["usual", "breath"], default="usual", help="usual: as in files; breath: 2 or "
                     "11 is the level, 1 vibrato, 19 its rate, 5 glides, and velocity how fast notes begin")
    how.add_argument("--stereo", action="store_true", help="two channels: hear the pan")
    how.add_argument("--expression", type=float, default=1.0, metavar="X",
                     help="0 deadpan, 1 as recorded, 2 exaggerated")
    add_axes(how)
    add_tuning(how)
    add_room(sub)
    keep = sub.add_argument_group("what is kept")
    keep.add_argument("--record", metavar="take.wav", help="the sound: .wav, .flac or .ogg")
    keep.add_argument("--record-midi", metavar="take.mid", help="what was played")
    sub.add_argument("--seconds", type=float, metavar="S", help="stop after so long; default: at Control-C")
    sub.add_argument("--seed", type=int, default=0, metavar="N", help="of the noise")


def run(args: Namespace) -> None:
    """Open what is connected, play, and say how it went."""
    if args.list:
        _list(args)
        return
    _check(args)
    from ddspvae.devices.cards import Card, find_card
    from ddspvae.devices.session import Session
    from ddspvae.devices.takes import MidiTake, SoundTake
    from ddspvae.devices.undisturbed import undisturbed
    from ddspvae.instrument.loading import load_to_play

    instrument = load_to_play(args.preset, args.room)
    rate = instrument.config.sample_rate
    find_card(args.audio_out, rate)  # before the seconds that a stream takes to open
    driver = _driver(instrument, args)
    stream = _open_stream(instrument, args, args.voices)
    warmth = _warmth(instrument, args)
    with undisturbed():
        driver.open()
        card = Card(args.audio_out, rate, args.block, ready=args.ready, alone=not driver.needs_portaudio)
        session = Session(stream, driver, card, args.block,
                          sound=SoundTake(args.record, rate) if args.record else None,
                          midi=MidiTake(args.record_midi) if args.record_midi else None,
                          warmth=warmth)
        shown = _Shown(f"{args.preset}, {driver.name} to {card.name}; {_delay(session)}Control-C ends it.")
        try:
            session.play(shown, args.seconds)
        except KeyboardInterrupt:  # the usual way to end it
            pass
        finally:
            shown.clear()
    say(args, _result(session), _sentence(session))


def _check(args: Namespace) -> None:
    if args.preset is None:
        raise InputError("play: name the instrument with --preset; see `ddspvae presets`.")
    check_range("play", "block", args.block, 16, 8192)
    check_range("play", "ready", args.ready, 1, MOST_BLOCKS)
    check_range("play", "voices", args.voices, 1, 128)
    check_range("play", "expression", args.expression, 0, 2)
    check_range("play", "seed", args.seed, 0, 2**31 - 1)
    if args.seconds is not None:
        check_range("play", "seconds", args.seconds, 0, 1e6)
    check_range("play", "transpose", args.transpose, -60, 60)
    check_room_options(args)
    if args.mic is not None:
        unheard = [option for option, value in (
            ("--midi-in", args.midi_in), ("--record-midi", args.record_midi), ("--mono", args.mono),
            ("--tuning", args.tuning), ("--a4", args.a4)) if value]
        if unheard:
            raise InputError(f"play: with --mic there is no MIDI; leave out {', '.join(unheard)}.")
    if args.record:
        from ddspvae.audio import FORMATS

        check_output(args.record, FORMATS)
    if args.record_midi:
        check_output(args.record_midi, [".mid", ".midi"])


def _driver(instrument: Instrument, args: Namespace) -> Driver:
    from ddspvae.devices.keyboards import Keyboard
    from ddspvae.devices.microphone import MicrophoneDriver
    from ddspvae.devices.session import KeyboardDriver

    if args.mic is None:
        return KeyboardDriver(Keyboard(args.midi_in))
    return MicrophoneDriver(args.mic or None, instrument.statistics, instrument.config.sample_rate, args.block,
                            args.transpose)


def _delay(session: Session) -> str:
    """How late a voice is followed."""
    from ddspvae.devices.microphone import MicrophoneDriver

    driver = session.driver
    if not isinstance(driver, MicrophoneDriver):
        return ""
    heard_s, made_s = driver.delay_s, session.stream.follow_delay_s
    total_s = heard_s + made_s + session.card.delay_s
    return (f"what is sung sounds {1000 * total_s:.0f} ms later ({1000 * heard_s:.0f} to hear its pitch, "
            f"{1000 * made_s:.0f} for frames made ahead, {1000 * session.card.delay_s:.0f} for the card); ")


def _open_stream(instrument: Instrument, args: Namespace, voices: int) -> LiveStream:
    if args.mic is not None and instrument.plucks is not None:
        raise InputError(f"play: {instrument.name} is plucked, and cannot follow a voice; leave out --mic.")
    stream = instrument.stream(voices, mono=args.mono, seed=args.seed, dry=args.dry,
                               ir=read_ir(args, instrument.config.sample_rate), wet_db=args.wet, decay=args.decay,
                               expression=args.expression, controllers=args.controllers, stereo=args.stereo,
                               tuning=_pitches(args))
    for option in args.offsets:
        axis, _, value = option.partition("=")
        try:
            stream.turn(axis, float(value))
        except ValueError as error:
            if isinstance(error, InputError):
                raise
            raise fail("play", "--set", "look like brightness=+1.5", f"'{option}'") from error
    return stream


def _warmth(instrument: Instrument, args: Namespace) -> Warmth | None:
    """For keys; a voice that is followed has no notes that come suddenly."""
    from ddspvae.devices.warmth import Warmth

    if args.mic is not None:
        return None
    return Warmth(_open_stream(instrument, args, 1), args.block, 1 if args.mono else args.voices)


def _pitches(args: Namespace) -> Sequence[float | None] | None:
    """Of the keys: tuned and transposed."""
    from ddspvae.midi.tuning import equal_temperament

    pitches = read_tuning_options(args)
    if not args.transpose:
        return pitches
    return [None if pitch is None else pitch + args.transpose for pitch in pitches or equal_temperament()]


def _list(args: Namespace) -> None:
    from ddspvae.devices.cards import list_cards
    from ddspvae.devices.keyboards import list_inputs

    found: dict[str, Any] = {"midi_in": [port.name for port in list_inputs()], "audio_out": list_cards(),
                             "microphones": list_cards(inputs=True)}
    if args.json:
        print(json.dumps(found))
        return
    for title, names in (("MIDI inputs", found["midi_in"]), *((title, [
            f"{card['name']} ({card['interface']}{', the default' if card['default'] else ''})" for card in found[kind]])
            for title, kind in (("sound cards", "audio_out"), ("microphones", "microphones")))):
        print(printable(f"{title}:" + "".join(f"\n  {name}" for name in names or ["none"])))


class _Shown:
    """One line about the session on a terminal; elsewhere only what changes."""

    def __init__(self, title: str) -> None:
        self._on_terminal = sys.stderr.isatty()
        print(printable(title), file=sys.stderr)

    def __call__(self, session: Session, sentence: str) -> None:
        from ddspvae.devices.quiet import aloud

        with aloud():
            if sentence:
                self.clear()
                print(printable(sentence), file=sys.stderr, flush=True)
            if self._on_terminal:
                print(f"\r\x1b[K{_line(session)}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Take the line away."""
        if self._on_terminal:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _line(session: Session) -> str:
    state, card = session.state, session.card
    if state.lost:
        return f"waiting for {state.lost}"
    bar = "#" * max(0, min(BAR, round((state.level_db + 60) / 60 * BAR)))
    return (f"[{bar:<{BAR}}] {max(state.level_db, -99):4.0f} dB  voices {state.voices}  load {100 * state.load:3.0f} %  "
            f"missed {card.n_missed + card.n_card_missed}  delay {1000 * card.delay_s:.1f} ms")


def _result(session: Session) -> dict[str, Any]:
    state, card = session.state, session.card
    return {"seconds": round(session.played_s, 3), "blocks": state.n_blocks, "missed": card.n_missed,
            "held_up": card.n_held_up, "card_missed": card.n_card_missed, "load": round(state.load, 4),
            "most_load": round(state.most_load, 4), "delay_ms": round(1000 * card.delay_s, 2), "card": card.name}


def _sentence(session: Session) -> str:
    result = _result(session)
    held_up = f" ({result['held_up']} of them since the system let other work go first)" if result["held_up"] else ""
    return (f"{result['seconds']:.1f} s played on {result['card']}, {result['missed']} of {result['blocks']} blocks missed"
            f"{held_up}, load {100 * result['load']:.0f} %.")
