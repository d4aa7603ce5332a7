from __future__ import annotations

import pytest

from ddspvae.instrument.presets import read_cards
from ddspvae.midi.programs import (
    INSTRUMENTS,
    KIN,
    PROGRAMS,
    choose_preset,
    find_instrument,
    program_of,
    told_replacement,
)
from ddspvae.signals import Note, Notes
from ddspvae.signals.checks import InputError

PRESETS = ("violin", "cello", "double-bass", "flute", "clarinet", "bassoon", "trumpet", "trombone", "tuba",
           "saxophone-alto", "saxophone-tenor", "saxophone-baritone", "oboe", "guitar-electric", "voice")
ALL = {name: {"statistics": {"pitch_low": INSTRUMENTS[name][1], "pitch_high": INSTRUMENTS[name][2]}} for name in PRESETS}
THREE = {name: ALL[name] for name in ("violin", "flute", "trombone")}
TEN = {name: {"statistics": {"pitch_low": low, "pitch_high": high}} for name, low, high in (
    ("violin", 55, 96), ("cello", 36, 77), ("double-bass", 24, 69), ("flute", 60, 96), ("clarinet", 50, 93),
    ("bassoon", 34, 74), ("trumpet", 52, 86), ("trombone", 34, 67), ("tuba", 29, 55), ("saxophone-alto", 49, 81))}

# who plays each program with ten presets, low, in the middle and high in the compass it is written for: judged one by one
JUDGED = (
    (range(0, 8), "double-bass violin violin"),  # pianos, clavi: the strings by register
    (range(8, 16), "flute flute flute"),  # celesta to dulcimer: bright and pure
    (range(16, 24), "bassoon clarinet clarinet"),  # organs, accordions: free reeds and pipes
    (range(24, 32), "cello violin violin"),  # guitars
    (range(32, 40), "double-bass double-bass cello"),  # basses
    (range(40, 41), "violin violin violin"),
    (range(41, 42), "cello violin violin"),  # viola
    (range(42, 43), "cello cello cello"),
    (range(43, 44), "double-bass double-bass double-bass"),
    (range(44, 47), "double-bass violin violin"),  # tremolo, pizzicato, harp
    (range(47, 48), "double-bass double-bass cello"),  # timpani
    (range(48, 52), "double-bass violin violin"),  # string ensembles
    (range(52, 55), "cello violin violin"),  # choirs: men and women
    (range(55, 56), "cello cello violin"),  # orchestra hit
    (range(56, 57), "trumpet trumpet trumpet"),
    (range(57, 58), "trombone trombone trombone"),
    (range(58, 59), "tuba tuba tuba"),
    (range(59, 60), "trumpet trumpet trumpet"),  # muted
    (range(60, 61), "trombone trombone trumpet"),  # horn
    (range(61, 64), "trombone trumpet trumpet"),  # brass sections
    (range(64, 65), "saxophone-alto saxophone-alto clarinet"),  # soprano saxophone
    (range(65, 67), "saxophone-alto saxophone-alto saxophone-alto"),
    (range(67, 68), "bassoon saxophone-alto saxophone-alto"),  # baritone saxophone
    (range(68, 70), "clarinet clarinet clarinet"),  # oboe, english horn
    (range(70, 71), "bassoon bassoon bassoon"),
    (range(71, 72), "clarinet clarinet clarinet"),
    (range(72, 80), "flute flute flute"),  # piccolo to ocarina
    (range(80, 81), "clarinet clarinet clarinet"),  # square lead
    (range(81, 82), "cello violin violin"),  # sawtooth lead
    (range(82, 84), "flute flute flute"),  # calliope, chiff
    (range(84, 87), "cello violin violin"),
    (range(87, 88), "double-bass double-bass cello"),  # bass and lead
    (range(88, 104), "cello violin violin"),  # pads and effects
    (range(104, 109), "cello violin violin"),  # sitar to kalimba
    (range(109, 110), "clarinet clarinet clarinet"),  # bagpipe
    (range(110, 111), "violin violin violin"),
    (range(111, 112), "clarinet clarinet clarinet"),  # shanai
    (range(112, 116), "flute flute flute"),  # bells, steel drums
    (range(116, 119), "double-bass double-bass cello"),  # low drums
)


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
    (60, (50, 57), "trombone"),  # horn: the brass in whose home register it lies
    (48, (30, 33), "double-bass"), (48, (48, 55), "cello"), (48, (76, 84), "violin"),  # string ensemble
    (69, (58, 70), "oboe"),  # english horn
    (0, (60, 64), "guitar-electric"),  # a piano, which is struck too
    (60, (65, 72), "trumpet"),  # a horn that is higher than trombones are at home
])
def test_what_there_is_not_goes_to_the_nearest_in_family_and_register(program, pitches, name):
    assert choose_preset(part(program, *pitches), ALL) == name


@pytest.mark.parametrize("programs, expected", JUDGED)
def test_every_melodic_program_goes_to_the_preset_that_an_orchestrator_would_take(programs, expected):
    for program in programs:
        low, high = PROGRAMS[program].low, PROGRAMS[program].high
        registers = [(low + high) // 2 + offset for offset in (-(high - low) // 4, 0, (high - low) // 4)]
        chosen = [choose_preset(part(program, *(middle + step for step in (-5, -3, 0, 3, 5))), TEN) for middle in registers]
        assert " ".join(chosen) == expected, f"program {program}"


def test_the_judged_table_leaves_out_sound_effects_alone():
    assert [program for programs, _ in JUDGED for program in programs] == list(range(119))


def test_a_part_without_notes_goes_by_its_compass():
    assert choose_preset(part(48), TEN) == "violin" and choose_preset(part(58), TEN) == "tuba"


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


@pytest.mark.parametrize("program, pitches, preset, near", [
    (66, (50, 57, 62), "saxophone-tenor", ""), (67, (45, 50, 57), "saxophone-baritone", ""), (68, (62, 70), "oboe", ""),
    (52, (45, 50, 57), "voice-male-hum", ": one man who hums, without vowels or words"),
    (53, (62, 69, 76), "violin", ": the nearest there is, of another family"),
    (24, (50, 57, 62), "guitar-electric", ": its nearest relative here")])
def test_what_is_shipped_plays_and_says_how_near_it_is(program, pitches, preset, near):
    notes = part(program, *pitches)
    assert choose_preset(notes, read_cards()) == preset
    assert (told_replacement(notes, preset) or "").endswith(near) and bool(told_replacement(notes, preset)) == bool(near)


def test_there_must_be_a_preset():
    with pytest.raises(InputError, match="choose_preset: there are no presets to choose from; name one with --preset"):
        choose_preset(part(40, 60), {})
