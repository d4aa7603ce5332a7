import math

import numpy as np
import pytest
import torch

from ddspvae.signals import units


@pytest.mark.parametrize("convert", [np.float64, lambda x: torch.tensor(x, dtype=torch.float64)])
def test_conversions_worked_by_hand(convert):
    assert float(units.hz_to_pitch(convert(880.0))) == 81
    assert float(units.pitch_to_hz(convert(57.0))) == pytest.approx(220)
    assert float(units.hz_to_cents(convert(466.1637615), convert(440.0))) == pytest.approx(100, abs=1e-6)
    assert float(units.power_to_db(convert(0.5))) == pytest.approx(-3.0103, abs=1e-4)
    assert float(units.amplitude_to_db(convert(2.0))) == pytest.approx(6.0206, abs=1e-4)
    assert float(units.db_to_power(convert(3.0))) == pytest.approx(1.99526, abs=1e-5)
    assert float(units.semitones_to_ratio(convert(7.0))) == pytest.approx(1.498307, abs=1e-6)


def test_silence_has_a_floor():
    assert float(units.power_to_db(np.float64(0.0))) == -120
    assert float(units.amplitude_to_db(torch.tensor(0.0))) == pytest.approx(-120, abs=1e-3)


def test_frames_cover_every_sample():
    assert [units.samples_to_frames(n, 240) for n in (1, 240, 241)] == [1, 1, 2]


def test_a_bit_is_ln_2_nats():
    assert units.nats_to_bits(math.log(8)) == pytest.approx(3)
