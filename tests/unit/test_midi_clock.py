import pytest

from ddspvae.midi.clock import Clock


def test_120_bpm_until_the_file_says_otherwise():
    clock = Clock([], 480)
    assert clock(0) == 0
    assert clock(480) == 0.5


def test_every_tempo_holds_from_its_tick_on():
    clock = Clock([(0, 1_000_000), (200, 250_000), (200, 2_000_000), (300, 500_000)], 100)
    # 100 ticks: 1 s each until 200, then of two in one tick the last, 2 s, then half a second
    assert [clock(tick) for tick in (50, 200, 250, 300, 400)] == pytest.approx([0.5, 2.0, 3.0, 4.0, 4.5])


def test_a_piece_without_a_tick_at_0_has_no_hole_before_its_first_tempo():
    clock = Clock([(96, 1_000_000)], 96)
    assert [clock(48), clock(96), clock(144)] == pytest.approx([0.25, 0.5, 1.0])


@pytest.mark.parametrize(("byte", "frames_per_s"), [(0xE8, 24), (0xE7, 25), (0xE3, 30_000 / 1001), (0xE2, 30)])
def test_smpte_counts_frames_and_no_tempo(byte, frames_per_s):
    division = int.from_bytes(bytes([byte, 80]), "big", signed=True)
    clock = Clock([(0, 1_000_000)], division)
    assert clock(80 * 300) == pytest.approx(300 / frames_per_s)


def test_many_tempos_do_not_add_up_errors():
    clock = Clock([(tick, 333_333 + tick % 2) for tick in range(0, 100_000, 10)], 480)
    want = sum(10 * (333_333 + tick % 2) * 1e-6 / 480 for tick in range(0, 100_000, 10))
    assert clock(100_000) == pytest.approx(want, abs=1e-8)
