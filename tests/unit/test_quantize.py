import copy
import math

import pytest
import torch

from ddspvae.model.bottlenecks import make_bottleneck
from ddspvae.model.code_usage import code_usage
from ddspvae.model.quantize import choose_sizes
from ddspvae.signals import Latents
from ddspvae.signals.checks import InputError
from tests.unit.test_bottleneck import Z_RATE_HZ, latents_of, short_training, started

DISCRETE = ("vq", "rvq", "fsq")


@pytest.mark.parametrize("z_rate_hz", [25.0, 44_100 / 220 / 8])
@pytest.mark.parametrize("n_z", [1, 4, 8])
@pytest.mark.parametrize("name", DISCRETE)
def test_sizes_give_the_rate_that_was_asked_for(name, n_z, z_rate_hz):
    for bitrate in (100, 250, 300, 500, 1000, 2000):
        if (name == "vq" and bitrate > 300) or (name == "fsq" and bitrate > 16 * z_rate_hz * n_z):
            continue
        sizes = choose_sizes(name, n_z, z_rate_hz, bitrate)
        assert z_rate_hz * sum(math.log2(size) for size in sizes) == pytest.approx(bitrate, rel=0.03)
        assert min(sizes) >= 2


def test_a_rate_that_codes_cannot_have_is_refused():
    for name, bitrate, limit in (("vq", 301, "300"), ("fsq", 1700, "1600"), ("rvq", 7000, "6400"), ("rvq", 20, "25")):
        with pytest.raises(InputError, match=f"bitrate must lie between 25 and.*got {bitrate}; {name} sends 1 to"):
            make_bottleneck(name, 4, Z_RATE_HZ, bitrate)
        assert make_bottleneck(name, 4, Z_RATE_HZ, float(limit)).discrete
    with pytest.raises(InputError, match=r"4096 codes, residual codebooks \(rvq\) add up"):
        make_bottleneck("vq", 4, Z_RATE_HZ, 500)
    with pytest.raises(InputError, match="n_z must lie between 1 and 256.*nothing can be quantized without an axis"):
        make_bottleneck("fsq", 0, Z_RATE_HZ, 100)


def test_the_entropy_of_known_sequences():
    # column 0: four codes of eight, equally often, 2 bits; column 1: always the same; column 2: 1/4 and 3/4
    codes = torch.tensor([[0, 2, 4, 6], [5, 5, 5, 5], [0, 1, 1, 1]]).T[None]
    usage = code_usage(codes, (8, 8, 2), z_rate_hz=25.0)
    assert usage.nominal_bits.tolist() == pytest.approx([75, 75, 25])
    assert usage.entropy_bits.tolist() == pytest.approx([50, 0, 25 * (2 - 0.75 * math.log2(3))])
    assert usage.perplexity.tolist() == pytest.approx([4, 1, 2 ** (2 - 0.75 * math.log2(3))])
    assert usage.used.tolist() == pytest.approx([0.5, 0.125, 1.0])


def test_codes_in_silence_are_not_counted():
    codes = torch.tensor([[[0], [1]], [[2], [3]]])
    usage = code_usage(codes, (4,), 25.0, weight=torch.tensor([[1.0, 0.0], [1.0, 0.0]]))
    assert usage.entropy_bits.tolist() == pytest.approx([25]) and usage.used.tolist() == [0.5]
    with pytest.raises(InputError, match="weight must count at least one row, got none"):
        code_usage(codes, (4,), 25.0, weight=torch.zeros(2, 2))
    with pytest.raises(InputError, match="codes must lie between 0 and 2, got 0 to 3; do they belong"):
        code_usage(codes, (3,), 25.0)


@pytest.mark.parametrize("name", DISCRETE)
def test_codes_decode_to_the_z_that_was_sent(name):
    bottleneck, latents = started(name)
    for mode in (True, False):
        bottled = bottleneck.train(mode)(latents)
    torch.testing.assert_close(bottleneck.decode(bottled.codes), bottled.z)
    torch.testing.assert_close(bottleneck.deterministic(latents), bottled.z)
    assert torch.equal(bottleneck.encode(latents.z_mean), bottled.codes)
    assert all(int(column.max()) < size for column, size in zip(bottled.codes.unbind(-1), bottleneck.sizes))


def test_levels_are_evenly_spaced_from_end_to_end():
    bottleneck = make_bottleneck("fsq", 1, Z_RATE_HZ, 25 * math.log2(5))
    z = bottleneck.deterministic(latents_of(torch.linspace(-9, 9, 2001)[None, :, None]))
    assert torch.unique(z).tolist() == pytest.approx([-1, -0.5, 0, 0.5, 1])


def test_axes_beyond_the_rate_stay_at_0():
    bottleneck = make_bottleneck("fsq", 4, Z_RATE_HZ, 50)
    bottled = bottleneck(latents_of(torch.randn(1, 50, 4)))
    assert bottleneck.sizes == (2, 2) and not bool(bottled.z[..., 2:].any()) and bool(bottled.z[..., :2].all())


@pytest.mark.parametrize("name", DISCRETE)
def test_a_saved_state_gives_the_same_z(name):
    bottleneck, latents = started(name)
    again = make_bottleneck(name, 3, Z_RATE_HZ, 200.0).eval()
    again.load_state_dict(bottleneck.eval().state_dict())
    assert torch.equal(bottleneck.deterministic(latents), again.deterministic(latents))
    # as an instrument's file does: every tensor to half precision, and back
    halved = make_bottleneck(name, 3, Z_RATE_HZ, 200.0).eval()
    halved.load_state_dict({key: value.half().float() for key, value in bottleneck.state_dict().items()})
    z = halved.deterministic(latents)
    same = (halved.encode(latents.z_mean) == bottleneck.encode(latents.z_mean)).all(-1)
    assert float(same.float().mean()) > 0.97  # rows half-way between two codes may fall to the other
    torch.testing.assert_close(z[same], bottleneck.deterministic(latents)[same], atol=3e-3, rtol=0)


@pytest.mark.parametrize("name", DISCRETE)
def test_training_goes_on_from_a_saved_state_as_if_nothing_had_happened(name):
    bottleneck, latents = started(name)
    again = make_bottleneck(name, 3, Z_RATE_HZ, 200.0)
    again.load_state_dict(copy.deepcopy(bottleneck.state_dict()))
    for each in (bottleneck, again):
        torch.manual_seed(1)
        for _ in range(3):
            each.train()(latents)
    assert torch.equal(bottleneck.eval().deterministic(latents), again.eval().deterministic(latents))
    copied = copy.deepcopy(bottleneck)
    assert torch.equal(bottleneck.deterministic(latents), copied.deterministic(latents))


@pytest.mark.parametrize("name, bitrate, most_error", [("vq", 200, 0.03), ("rvq", 300, 0.03), ("fsq", 300, 0.2)])
def test_a_short_training_uses_most_of_the_codes(name, bitrate, most_error):
    bottleneck, latents, error = short_training(name, bitrate)
    usage = bottleneck.usage(bottleneck.encode(latents.z_mean))
    assert float(usage.used.min()) > 0.8
    assert float(usage.entropy_bits.sum()) > 0.8 * float(usage.nominal_bits.sum())
    assert error < most_error  # of the power


def test_codes_that_nobody_uses_are_moved():
    bottleneck, _ = started("vq")
    elsewhere = latents_of(20 + torch.randn(2, 300, 3))
    before = bottleneck.usage(bottleneck.encode(elsewhere.z_mean)).used
    for _ in range(150):
        bottleneck.train()(latents_of(20 + torch.randn(2, 300, 3)))
    after = bottleneck.usage(bottleneck.encode(elsewhere.z_mean)).used
    assert float(before) < 0.1 and float(after) > 0.7


def test_a_codebook_larger_than_a_batch_fills_up():
    torch.manual_seed(0)
    bottleneck = make_bottleneck("vq", 2, Z_RATE_HZ, 250)  # 1024 codes
    for _ in range(60):
        bottleneck.train()(latents_of(torch.randn(2, 80, 2)))
    assert float(bottleneck.usage(bottleneck.encode(torch.randn(1, 20_000, 2))).used) > 0.8


@pytest.mark.parametrize("name", ["vq", "rvq"])
def test_codebooks_learn_nothing_from_silence(name):
    rows = torch.randn(2, 300, 3)
    silent = rows.clone()
    silent[:, 150:] = 50.0
    weight = torch.ones(2, 300)
    weight[:, 150:] = 0
    books = []
    for content in (rows, silent):
        torch.manual_seed(0)
        bottleneck = make_bottleneck(name, 3, Z_RATE_HZ, 100)
        bottled = bottleneck.train()(latents_of(content), weight)
        books.append((bottleneck.state_dict(), bottled.loss))
    assert all(torch.equal(books[0][0][key], books[1][0][key]) for key in books[0][0])
    assert float(books[0][1]) == pytest.approx(float(books[1][1]))


def test_an_untrained_codebook_says_so():
    bottleneck = make_bottleneck("rvq", 3, Z_RATE_HZ, 200).eval()
    with pytest.raises(InputError, match="the codebooks must be trained before they are used; train on a batch that sounds"):
        bottleneck.deterministic(latents_of(torch.randn(1, 5, 3)))
    with pytest.raises(InputError, match="must be trained before"):
        bottleneck(latents_of(torch.randn(1, 50, 3)))  # listening to a take is not training
    assert make_bottleneck("fsq", 3, Z_RATE_HZ, 200).deterministic(latents_of(torch.randn(1, 5, 3))).shape == (1, 5, 3)


def test_the_commitment_is_a_quarter_of_the_distance_to_the_code():
    bottleneck, _ = started("vq", 25)  # two codes
    code = bottleneck.decode(torch.tensor([[[0], [1]]]))
    moved = Latents(code + 1e-3, torch.zeros_like(code))
    assert float(bottleneck.eval()(moved).loss) == pytest.approx(0.25 * 3 * 1e-6, rel=0.01)


@pytest.mark.parametrize("name", DISCRETE)
def test_the_gradient_of_the_codes_is_that_of_one_stage(name):
    bottleneck, latents = started(name, 300)
    z_mean = (0.01 * latents.z_mean).requires_grad_()  # where squeezing is the identity
    bottleneck.eval()(latents_of(z_mean)).z.sum().backward()
    torch.testing.assert_close(z_mean.grad, torch.ones_like(z_mean), atol=0.01, rtol=0)
