from __future__ import annotations

import pytest

from ddspvae.checks import InputError
from ddspvae.midi.programs import INSTRUMENTS, KIN, PROGRAMS, choose_preset, find_instrument, program_of
from ddspvae.signals import Note, Notes

PRESETS = ("violin", "cello", "double-bass", "flute", "clarinet", "bassoon", "trumpet", "trombone", "tuba",
           "saxophone-alto", "saxophone-tenor", "saxophone-baritone", "oboe", "guitar-electric", "voice")
ALL = {name: {"statistics": {"pitch_low": INSTRUMENTS[name][1], "pitch_high": INSTRUMENTS[name][2]}} for name in PRESETS}
THREE = {name: ALL[name] for name in ("violin", "flute", "trombone")}


def part(program: int, *pitches: int, name: str = "") -> Notes:
    return Notes(tuple(Note(pitch, 80, index, index + 1) for index, pitch in enumerate(pitches)), name, 0, program)


def test_every_program_has_a_family_and_a_compass():
    assert len(PROGRAMS) == 128
    for program in PROGRAMS:
        assert program.family in KIN and 0 <= program.low < program.high <= 127
    families = {family for family, *_ in INSTRUMENTS.values()}
    for family, kin in KIN.items():
        assert kin[0] == family and families <= set(kin) and len(set(kin)) == len(kin)


@pytest.mark.parametrize("program, name", [
    (40, "violin"), (42, "cello"), (43, "double-bass"), (56, "trumpet"), (57, "trombone"), (58, "tuba"),
    (65, "saxophone-alto"), (66, "saxophone-tenor"), (67, "saxophone-baritone"), (68, "oboe"), (70, "bassoon"),
    (71, "clarinet"), (73, "flute"), (29, "guitar-electric"), (53, "voice")])
def test_a_program_that_names_an_instrument_gets_it(program, name):
    middle = sum(INSTRUMENTS[name][1:3]) // 2
    assert choose_preset(part(program, middle - 3, middle, middle + 3), ALL) == name


@pytest.mark.parametrize("program, pitches, name", [
    (41, (50, 55, 60), "cello"),  # viola: the strings that reach it
    (41, (60, 72, 80), "violin"),
    (74, (72, 80), "flute"),  # recorder
    (60, (50, 57), "trombone"),  # horn: the brass whose compass is nearest to its own
    (48, (30, 33), "double-bass"), (48, (40, 45), "cello"), (48, (76, 84), "violin"),  # string ensemble
    (69, (58, 70), "oboe"),  # english horn
    (0, (60, 64), "guitar-electric"),  # a piano, which is struck too
])
def test_what_there_is_not_goes_to_the_nearest_in_family_and_register(program, pitches, name):
    assert choose_preset(part(program, *pitches), ALL) == name


def test_a_range_that_does_not_hold_the_part_gives_way_to_another_family():
    assert choose_preset(part(42, 40, 45, 50), THREE) == "trombone"
    assert choose_preset(part(42, 60, 64, 67), THREE) == "violin"
    assert choose_preset(part(42, 60, 64, 67), THREE, transpose=-24) == "trombone"
    assert choose_preset(part(43, 28, 30, 32, 35, 40), THREE) == "trombone", "nobody holds enough: who holds the most"
    assert choose_preset(part(43, 10, 11), THREE) == "violin", "nobody holds anything: the family decides"


def test_a_track_name_speaks_where_the_program_says_little():
    assert program_of(part(0, 60, name="Flute 1")).instrument == "flute"
    assert program_of(part(48, 60, name="2. Violoncelli")).instrument == ""
    assert program_of(part(48, 60, name="Violoncello")).instrument == "cello"
    assert program_of(part(71, 60, name="Flute")).instrument == "clarinet"
    assert choose_preset(part(48, 60, 62, name="Cellos"), ALL) == "cello"


@pytest.mark.parametrize("name, instrument", [
    ("Violins 1", "violin"), ("2 Flutes", "flute"), ("my_tenor-sax.v2", "saxophone-tenor"), ("Alto Sax", "saxophone-alto"),
    ("cor anglais", "oboe"), ("Cor 2", "horn"), ("guitar-electric", "guitar-electric"), ("ALTO", "voice"),
    ("celloish", ""), ("", "")])
def test_names_are_understood(name, instrument):
    assert find_instrument(name) == instrument


def test_a_preset_of_ones_own_is_known_by_its_name_or_else_comes_last():
    mine = {"grandpas-violin": ALL["violin"], "thing": ALL["violin"]}
    assert choose_preset(part(40, 60, 70), mine) == "grandpas-violin"
    assert choose_preset(part(40, 60, 70), {"thing": ALL["violin"]}) == "thing"


def test_there_must_be_a_preset():
    with pytest.raises(InputError, match="choose_preset: there are no presets to choose from; name one with --preset"):
        choose_preset(part(40, 60), {})
