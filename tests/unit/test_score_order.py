"""Which bar is played after which, and when: repeats, brackets, leaps, tempi."""

from __future__ import annotations

import pytest

from ddspvae.scores.order import play_order, runs
from ddspvae.scores.tempo import HELD, TempoMap
from ddspvae.scores.words import find_kind, find_tempo
from ddspvae.scores.written import Bar, Tempo, TempoChange


def bars(*signs: dict) -> list[Bar]:
    return [Bar(4.0 * at, 4.0 * at + 4, str(at + 1), **sign) for at, sign in enumerate(signs)]


@pytest.mark.parametrize("signs, order", [
    ([{}, {}], [0, 1]),
    ([{}, {"repeats": 2}, {}], [0, 1, 0, 1, 2]),
    ([{}, {"starts_repeat": True}, {"repeats": 3}], [0, 1, 2, 1, 2, 1, 2]),
    ([{"repeats": 2}, {"repeats": 2}], [0, 0, 1, 1]),  # the second begins where the first ends
    ([{}, {"endings": (1,), "repeats": 2}, {"endings": (2,)}, {}], [0, 1, 0, 2, 3]),
    ([{}, {"endings": (1, 2), "repeats": 2}, {"endings": (3,)}], [0, 1, 0, 1, 0, 2]),
    ([{}, {"endings": (1,)}, {"endings": (1,), "repeats": 2}, {"endings": (2,), "repeats": 2}, {}], [0, 1, 2, 0, 3, 4]),
    ([{}, {"endings": (1,), "repeats": 2}, {"endings": (2,)}, {"repeats": 2}], [0, 1, 0, 2, 3, 3]),
    ([{"fine": True}, {"da_capo": True}], [0, 1, 0]),
    ([{}, {"segno": True}, {"fine": True}, {"dal_segno": True}], [0, 1, 2, 3, 1, 2]),
    ([{}, {"to_coda": True}, {"da_capo": True}, {"coda": True}, {}], [0, 1, 2, 0, 1, 3, 4]),
    ([{"repeats": 2}, {"fine": True}, {"da_capo": True}], [0, 0, 1, 2, 0, 1]),  # no repeats after a leap
    ([{}, {"endings": (1,), "repeats": 2}, {"endings": (2,)}, {"da_capo": True}, {}], [0, 1, 0, 2, 3, 0, 2, 3, 4]),
    ([{"dal_segno": True}, {}], [0, 0, 1]),  # without a segno from the beginning
])
def test_bars_are_played_as_the_signs_say(signs, order):
    assert play_order(bars(*signs)) == order


def test_stretches_that_stand_together_are_played_together():
    assert runs([0, 1, 2, 0, 3]) == [(0, 2), (0, 0), (3, 3)] and runs([]) == []


def test_places_to_seconds_and_back():
    tempo = TempoMap([Tempo(0, 60), Tempo(4, 120)], [], [(2, 3)], 8)
    assert [tempo(at) for at in (0, 1, 2, 3, 4, 6)] == pytest.approx([0, 1, 2, 2 + HELD, 3 + HELD, 4 + HELD])
    assert tempo.inverse(tempo(5.5)) == pytest.approx(5.5) and tempo(10) == pytest.approx(tempo(8) + 1)


def test_a_fermata_of_all_parts_holds_once():
    assert TempoMap([Tempo(0, 60)], [], [(2, 4), (3, 4), (3, 4)], 4)(4) == pytest.approx(3 + HELD)


def test_a_ritardando_ends_where_its_dashes_do_and_a_tempo_goes_back():
    change = TempoChange(4, 6, 0.5)
    tempo = TempoMap([Tempo(0, 120), Tempo(8, 0)], [change], [], 12)
    assert tempo.per_minute(4) == pytest.approx(120) and tempo.per_minute(5) == pytest.approx(90)
    assert tempo.per_minute(7) == pytest.approx(60) and tempo.per_minute(9) == pytest.approx(120)
    assert TempoMap([], [], [], 4)(4) == pytest.approx(2)


@pytest.mark.parametrize("text, kind", [("poco a poco rit.", "slower"), ("accel.", "faster"), ("a tempo", "a_tempo"),
                                        ("Tempo I", "first_tempo"), ("cresc. molto", "louder"), ("decresc.", "softer"),
                                        ("pizz.", "plucked"), ("arco", "bowed"), ("D.S. al Coda", "dal_segno"),
                                        ("Fine", "fine"), ("Presto ma non troppo", "tempo"), ("espressivo", "")])
def test_words(text, kind):
    assert find_kind(text) == kind


def test_numbers_in_words_count_more_than_the_words():
    assert find_tempo("Andante (♪ = 96)") == 48 and find_tempo("♩. = 60") == 90 and find_tempo("Andante") == 80
