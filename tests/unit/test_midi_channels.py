import pytest

from ddspvae.midi.channels import CURVES
from ddspvae.midi.notes import read_midi
from ddspvae.signals import CONTROLLERS, Note, Notes
from ddspvae.signals.checks import InputError
from tests.midi_bytes import END, part_of, spans, write


def steps(part: Notes, name: str) -> list[tuple[float, float]]:
    return [(round(time_s, 6), round(value, 6)) for time_s, value in part.controllers[name]]


def bends(part: Notes) -> list[tuple[float, float]]:
    return [(round(time_s, 6), round(value, 6)) for time_s, value in part.bend_semitones]


def test_every_controller_has_its_curve(tmp_path):
    part = part_of(tmp_path, """
        00  B0 01 7F     # modulation 127
        00  B0 02 00     # breath 0
        00  B0 07 64     # volume 100
        00  B0 0A 40     # pan 64
        00  B0 0B 60     # expression 96
        00  B0 43 7F     # soft pedal down
        00  B0 4A 7F     # brightness 127
        00  D0 20        # channel pressure 32
        00  90 3C 40
        83 74  80 3C 00  # 500 ms
    """)
    assert {name: value for name, ((_, value),) in part.controllers.items()} == {
        "modulation": 1.0, "breath": 0.0, "volume": 100 / 127, "pan": 0.5, "expression": 96 / 127, "soft": 1.0,
        "brightness": 1.0, "pressure": 32 / 127}


def test_what_was_never_sent_is_absent(tmp_path):
    part = part_of(tmp_path, """
        00     B0 79 00   # reset all controllers
        00     90 3C 40
        83 74  80 3C 00
    """)
    assert part.controllers == {}
    assert part.bend_semitones == ()


def test_steps_are_written_when_they_change(tmp_path):
    part = part_of(tmp_path, """
        00     90 3C 40
        64     B0 0B 7F   # 100 ms: expression 127
        64     0B 7F      # 200 ms: the same, running status
        64     0B 00      # 300 ms: 0
        64     80 3C 00
    """)
    assert steps(part, "expression") == [(0.1, 1.0), (0.3, 0.0)]


def test_fine_bits_lie_above_their_coarse_ones(tmp_path):
    part = part_of(tmp_path, """
        00     90 3C 40
        64     B0 0B 40   # 100 ms: expression 64
        00     B0 2B 40   # and 64 / 128 more
        64     B0 0B 20   # 200 ms: 32; a coarse value sets the fine one to 0
        00     B0 21 40   # modulation, fine only: 0 and a half
        64     B0 27 00   # 300 ms: volume, fine only
        64     B0 0A 7F   # 400 ms: pan, hard right
        00     B0 2A 40   # and not beyond
        64     80 3C 00
    """)
    assert steps(part, "expression") == [(0.1, round(64 / 127, 6)), (0.1, round(64.5 / 127, 6)), (0.2, round(32 / 127, 6))]
    assert steps(part, "modulation") == [(0.2, round(0.5 / 127, 6))]
    assert steps(part, "volume") == [(0.3, 0.0)]
    assert steps(part, "pan") == [(0.4, 1.0)]


@pytest.mark.parametrize("number", [10, 74])
def test_64_is_the_middle_of_what_has_one(number):
    curve = CURVES[number]
    assert [curve.to_unit(value) for value in (0, 1, 64, 127)] == [0, 0, 0.5, 1]
    assert CONTROLLERS[curve.name] == 0.5


def test_reset_all_controllers_is_that_of_rp_015(tmp_path):
    track = """
        00     B0 01 40   # modulation
        00     B0 0B 40   # expression
        00     B0 43 7F   # soft
        00     B0 07 40   # volume
        00     B0 0A 00   # pan
        00     B0 4A 00   # brightness
        00     B0 02 40   # breath
        00     D0 40      # pressure
        00     B0 65 00   # RPN 0: range
        00     B0 64 00
        00     B0 06 0C   # 12 semitones
        00     E0 00 60   # half way up: 6 semitones
        00     B0 40 7F   # sustain
        00     90 3C 40
        00     A0 3C 40   # pressure of this key
        64     80 3C 00   # 100 ms
        64     B0 79 00   # 200 ms: reset
        00     B0 06 18   # data entry: no parameter is chosen any more
        64     90 3E 40   # 300 ms
        00     E0 00 60   # the range is still 12
        64     80 3E 00
    """
    with pytest.warns(UserWarning, match=r"1 message of other controllers \(6\)"):
        part = part_of(tmp_path, track)
    back = {"modulation": 0.0, "expression": 1.0, "soft": 0.0, "pressure": 0.0}
    for name, value in back.items():
        assert steps(part, name)[1:] == [(0.2, value)]
    for name in ("volume", "pan", "brightness", "breath"):
        assert len(part.controllers[name]) == 1
    assert bends(part) == [(0.0, 6.0), (0.2, 0.0), (0.3, 6.0)]
    assert spans(part) == [(60, 0.0, 0.2), (62, 0.3, 0.4)]  # the pedal came up
    assert part.notes[0].pressure == ((0.0, 64 / 127),)


def test_tuning_enters_as_semitones(tmp_path):
    part = part_of(tmp_path, """
        00     90 3C 40
        64     B0 65 00   # 100 ms: RPN 1, fine tuning
        00     B0 64 01
        00     B0 06 60   # 96: half way up, 50 cents
        00     B0 26 40   # 64 / 8192 of a semitone more
        64     B0 64 02   # 200 ms: RPN 2, coarse tuning
        00     B0 06 3D   # 61: three semitones down
        00     B0 26 55   # which has no fine part
        64     E0 00 00   # 300 ms: wheel all the way down, range 2
        64     80 3C 00
    """)
    fine = 0.5 + 64 / 8192
    assert bends(part) == [(0.1, 0.5), (0.1, round(fine, 6)), (0.2, round(fine - 3, 6)), (0.3, round(fine - 5, 6))]


def test_pressure_of_a_key_is_its_notes_own(tmp_path):
    part = part_of(tmp_path, """
        00     90 3C 40
        00     90 40 40
        64     A0 40 7F   # 100 ms: E4 pressed
        64     A0 40 00   # 200 ms
        64     80 3C 00   # 300 ms
        00     80 40 00
        00     A0 40 50   # nobody is there any more
    """)
    low, high = part.notes
    assert low.pressure == ()
    assert high.pressure == ((0.1, 1.0), (0.2, 0.0))
    assert part.controllers == {}


def test_a_channel_is_shared_by_its_tracks(tmp_path):
    one, other = read_midi(write(tmp_path / "a.mid", "00 01  00 02  01 F4", """
        00     B0 07 40   # volume
        00     B0 40 7F   # sustain
        00     90 3C 40
        64     80 3C 00
    """ + END, """
        00     90 40 40
        64     80 40 00
        64     B0 40 00   # 200 ms
    """ + END))
    assert spans(one) == [(60, 0.0, 0.2)]
    assert spans(other) == [(64, 0.0, 0.2)]
    assert one.controllers == other.controllers == {"volume": ((0.0, 64 / 127),)}


@pytest.mark.parametrize(("make", "match"), [
    (lambda: Notes((), controllers={"wah": ()}), "Notes: controller must be one of"),
    (lambda: Notes((), controllers={"pan": ((0.0, 64.0),)}), "Notes: pan must lie between 0 and 1, got 64"),
    (lambda: Notes((), bend_semitones=((1.0, 1.0), (0.5, 0.0))), "times of bend_semitones must be 0 or more and"),
    (lambda: Note(60, 80, 0.0, 1.0, glide_from=200.0), "Note: glide_from must lie between 0 and 127"),
    (lambda: Note(60, 80, 0.0, 1.0, pressure=((0.0, 2.0),)), "Note: pressure must lie between 0 and 1"),
])
def test_curves_of_notes_are_checked(make, match):
    with pytest.raises(InputError, match=match):
        make()
