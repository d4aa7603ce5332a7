"""Plucked and struck notes: measured, modelled, given to strings, played."""

from __future__ import annotations

import mido
import numpy as np
import pytest
import soundfile
import torch

from ddspvae.features.extract import extract
from ddspvae.features.weighting import a_weighting
from ddspvae.instrument.loading import load
from ddspvae.kernels import plucks as kernel
from ddspvae.midi.rules import perform
from ddspvae.model.config import ModelConfig
from ddspvae.plucked.curves import Rings, pluck_curves
from ddspvae.plucked.learn import Heard, learn_plucks, played_statistics
from ddspvae.plucked.model import Plucks
from ddspvae.plucked.partials import fit_decay, measure_ringing
from ddspvae.plucked.play import Player, play_score
from ddspvae.plucked.recognise import is_ringing, plucked_share
from ddspvae.plucked.stiffness import fit_stiffness
from ddspvae.plucked.stream import PluckedStream
from ddspvae.plucked.strings import Fingering
from ddspvae.plucked.surface import fit_surface
from ddspvae.signals import Note, Notes
from ddspvae.signals.checks import InputError
from ddspvae.signals.units import hz_to_pitch, pitch_to_hz
from ddspvae.synth.stretched import stretch_ratios, stretched
from ddspvae.training.loop import train
from ddspvae.training.recordings import read_manifest

from ..conftest import tone

RATE = 16_000
SMALL = ModelConfig(sample_rate=RATE, hop_size=80, n_z=7, encoder_channels=8, decoder_channels=16)
SIX = [40.0, 45.0, 50.0, 55.0, 59.0, 64.0]


def string(pitch: float, seconds: float = 2.0, stiffness: float = 3e-4, lead_s: float = 0.1, rate: int = RATE) -> np.ndarray:
    """A string whose partial at f Hz falls by 10 + f / 50 dB/s."""
    f0_hz = float(pitch_to_hz(pitch))
    t = np.arange(round(seconds * rate)) / rate
    audio = np.zeros(len(t))
    for k in range(1, 25):
        hz = k * f0_hz * np.sqrt(1 + stiffness * k * k)
        if hz < 0.45 * rate:
            audio += 0.2 / k * 10 ** (-(10 + hz / 50) * t / 20) * np.sin(2 * np.pi * hz * t)
    return np.concatenate([np.zeros(round(lead_s * rate)), audio]).astype(np.float32)


@pytest.fixture(scope="module")
def plucks() -> Plucks:
    takes = [Heard(audio, extract(audio, RATE, 80)) for audio in (string(pitch) for pitch in (45, 49, 52, 56, 60, 64, 69))]
    model = learn_plucks(takes, RATE, 65)
    assert model is not None
    return model


def test_stiffness_and_pitch_are_read_from_the_partials():
    audio = string(45.13, stiffness=4e-4)
    f0_hz, stiffness, numbers, _ = fit_stiffness(audio, RATE, float(pitch_to_hz(45.0)), 0.1)
    assert f0_hz == pytest.approx(float(pitch_to_hz(45.13)), rel=2e-4)
    assert stiffness == pytest.approx(4e-4, rel=0.03) and len(numbers) > 12
    assert fit_stiffness(audio[:1700], RATE, 110.0, 0.1)[2].size == 0, "too short to tell"


def test_every_partial_is_followed_as_it_falls():
    note = measure_ringing(string(45), RATE, 110.0, (0.1, 2.1))
    assert note is not None and note.onset_s == pytest.approx(0.1, abs=0.01)
    hz = note.f0_hz * note.ratios[:10]
    assert note.fall_db_per_s[:10] == pytest.approx(10 + hz / 50, rel=0.05)
    assert note.level_db[:10] == pytest.approx(20 * np.log10(0.2 / np.arange(1, 11)), abs=0.7)
    assert measure_ringing(string(45), RATE, 110.0, (0.1, 0.2)) is None


def test_a_partial_that_does_not_fall_has_no_decay():
    assert np.isnan(fit_decay(np.full(300, -20.0), 200.0)[2])


def test_what_rings_by_itself_is_told_from_what_is_held():
    time_s = np.arange(400) / 200
    assert is_ringing(-20 - 15 * time_s, 200) is True
    assert is_ringing(-20 - 8 * time_s + 2 * np.sin(40 * time_s), 200) is True, "beats"
    assert is_ringing(np.where(time_s < 1.8, -20.0, -20 - 200 * (time_s - 1.8)), 200) is False, "held, then released"
    assert is_ringing(-30 + 10 * np.minimum(time_s, 1), 200) is False, "a swell"
    assert is_ringing(-20 - 30 * time_s[:40], 200) is None
    assert plucked_share([extract(string(50), RATE, 80)]) == 1
    assert plucked_share([extract(tone(220.0, 1.5, RATE), RATE, 80)]) == 0


def test_a_surface_goes_through_what_was_measured_and_on_along_its_trend():
    x = np.linspace(-2, 2, 30)
    trends = np.stack([np.ones(30), x], axis=1)
    surface = fit_surface(x[:, None] / 0.5, trends, 3 - 2 * x + np.sin(3 * x), 1.0, 0.05)
    assert surface.at(np.array([[0.5 / 0.5]]), np.array([[1.0, 0.5]]))[0] == pytest.approx(2 + np.sin(1.5), abs=0.1)
    far = surface.at(np.array([[100.0]]), np.array([[1.0, 10.0]]))[0]
    assert far == pytest.approx(3 - 20, abs=6)


def test_a_note_of_many_partials_counts_as_one_note():
    note = np.repeat(np.arange(6), [40, 2, 2, 2, 2, 2])
    values, places = np.where(note == 0, 1.0, 0.0), np.zeros((len(note), 1))
    same = 0.5 * (note[:, None] == np.arange(6))
    at = [float(fit_surface(places, np.ones((len(note), 1)), values, 0.1, 0.1, common=common).at(np.zeros((1, 1)),
                np.ones((1, 1)))[0]) for common in (None, same)]
    assert at[0] > 0.7 and at[1] == pytest.approx(1 / 6, abs=0.05)


def test_an_unheard_pitch_decays_as_the_law_has_it(plucks):
    pluck = plucks.strike(54, 80)
    hz = pluck.f0_hz * pluck.ratios[:8]
    assert pluck.fall_db_per_s[:8] == pytest.approx(10 + hz / 50, rel=0.15)
    assert pluck.ratios[7] / 8 == pytest.approx(np.sqrt(1 + 3e-4 * 64), rel=2e-3)
    assert np.diff(pluck.loudness_db(np.linspace(0.05, 3, 60))).max() < 0, "nothing is sustained"


def test_velocity_is_level_and_damping_ends_a_note(plucks):
    at = np.array([0.1])
    levels = [float(plucks.strike(54, velocity).loudness_db(at)[0]) for velocity in (40, 80)]
    assert levels[1] - levels[0] == pytest.approx(40 * np.log10(2), abs=0.05)
    pluck = plucks.strike(54, 80)
    damped = pluck.loudness_db(np.array([1.0, 1.3]), damped_s=1.0)
    assert damped[0] - damped[1] > 0.29 * plucks.damp_db_per_s
    with pytest.raises(InputError, match="velocity must lie between 1 and 127"):
        plucks.strike(54, 0)


def test_a_file_keeps_the_model(plucks):
    arrays = {name: array.astype(np.float16).astype(np.float32) for name, array in plucks.to_arrays().items()}
    others, again = Plucks.split({**arrays, "decoder.x": np.zeros(1)})
    assert list(others) == ["decoder.x"] and list(again) == [""]
    assert again[""].strike(50, 90).level_db[:8] == pytest.approx(plucks.strike(50, 90).level_db[:8], abs=0.3)
    assert Plucks.split({"decoder.x": 1}) == ({"decoder.x": 1}, {})
    others, several = Plucks.split({**plucks.to_arrays("harp"), **plucks.to_arrays("a.b")})
    assert not others and list(several) == ["a.b", "harp"]
    arrays.pop("plucked.fall.trend")
    with pytest.raises(InputError, match="the decay model of this instrument is damaged"):
        Plucks.split(arrays)


def test_strings_are_taken_as_a_player_would():
    e_major = Fingering(SIX)
    assert sorted(e_major.take(pitch, 0.0) for pitch in (40, 47, 52, 56, 59, 64)) == [0, 1, 2, 3, 4, 5]
    line = Fingering(SIX)
    assert line.take(64, 0.0) == 5, "an open string"
    assert line.take(64, 0.5) != 5, "which still rings"
    line.free(5)
    assert Fingering(()).take(61.2, 0.0) == 61, "every pitch has a string of its own"
    assert Fingering(SIX).take(20, 0.0) == 0


def test_stretched_partials_compiled_are_the_bank_in_torch():
    rng = np.random.default_rng(0)
    f0, heights = 100 + 10 * rng.random(30), rng.random((30, 12))
    ratios = stretch_ratios(torch.tensor([1e-3], dtype=torch.float64), 12).numpy()
    slow = stretched(torch.tensor(f0)[None, :, None], torch.tensor(heights)[None], torch.full((1, 1, 1), 1e-3,
                     dtype=torch.float64), RATE, 80)[0].numpy()
    whole = np.append(f0, f0[-1]), np.vstack([heights, heights[-1:]]).astype(np.float32)
    for play in (kernel.play_partials, _played_plainly):
        phases = np.zeros(12)
        assert play(*whole, ratios, phases, RATE, 80) == pytest.approx(slow, abs=3e-6)
        pieces = [play(whole[0][:11], whole[1][:11], ratios, phases := np.zeros(12), RATE, 80),
                  play(whole[0][10:], whole[1][10:], ratios, phases, RATE, 80)]
        assert np.concatenate(pieces) == pytest.approx(slow, abs=3e-6)
    assert not kernel.play_partials(np.full(3, 9000.0), np.ones((3, 1), np.float32), np.ones(1), np.zeros(1), RATE, 80).any()


def _played_plainly(f0_hz, heights, ratios, phases, rate, length):
    audio = np.zeros((len(f0_hz) - 1) * length, np.float32)
    kernel._ring_plainly(f0_hz[:, None] * ratios, heights, phases, rate, length, audio)
    return audio


def test_stretched_partials_are_differentiable_in_everything():
    f0 = torch.tensor([[[110.0], [112.0]]], dtype=torch.float64, requires_grad=True)
    heights = torch.rand(1, 2, 3, dtype=torch.float64, requires_grad=True)
    stiffness = torch.full((1, 1, 1), 2e-3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda *given: stretched(*given, 2000, 8), (f0, heights, stiffness), atol=1e-4)
    with pytest.raises(InputError, match="stiffness"):
        stretched(f0, heights, stiffness[0], 2000, 8)


def level_db(audio: np.ndarray, at_s: float) -> float:
    piece = audio[round(at_s * RATE) :][: RATE // 20]
    return float(10 * np.log10(np.square(piece).mean() + 1e-12))


def test_a_score_rings_is_damped_and_struck_again(plucks):
    notes = Notes((Note(52, 80, 0.1, 0.9), Note(52, 80, 1.5, 1.9), Note(59, 80, 1.6, 1.9)))
    audio = np.concatenate(list(play_score(plucks, notes, RATE)))
    levels = [level_db(audio, at) for at in (0.15, 0.5, 0.85, 1.3, 1.51)]
    assert levels[0] > levels[1] + 2 and levels[1] > levels[2] + 1, "falls from its first instant on"
    assert levels[3] < levels[2] - 40, "damped"
    assert levels[4] > levels[2] + 3, "struck again"
    assert len(audio) == round(2.9 * RATE)
    soft = Notes(notes.notes, controllers={"expression": ((0.0, 0.5),)})
    quiet = np.concatenate(list(play_score(plucks, soft, RATE)))
    assert level_db(quiet, 0.15) - levels[0] == pytest.approx(40 * np.log10(0.5), abs=0.5)


def test_pitches_of_a_chord_and_a_bend(plucks):
    audio = np.concatenate(list(play_score(plucks, Notes((Note(52, 80, 0, 1.5), Note(59, 80, 0, 1.5)),
                                                         bend_semitones=((0.0, 1.0),)), RATE)))
    spectrum = np.abs(np.fft.rfft(audio[RATE // 2 : RATE * 3 // 2] * np.hanning(RATE)))
    for pitch in (53, 60):
        hz = float(pitch_to_hz(pitch)) * plucks.strike(pitch, 80).ratios[0]
        around = spectrum[round(hz) - 8 : round(hz) + 9]
        assert abs(int(around.argmax()) - 8) <= 1 and around.max() > 20 * np.median(around)


def test_a_stream_is_the_render_whatever_the_blocks(plucks):
    notes = (Note(52, 80, 0.1, 0.6), Note(59, 70, 0.3003, 0.9), Note(52, 100, 0.71, 1.1))
    whole = np.concatenate(list(play_score(plucks, Notes(notes), RATE)))
    stream = PluckedStream(plucks, RATE, 80, None, 1.0, limit=False)
    told = [(round(at * RATE), on, note) for note in notes for at, on in ((note.onset_s, 1), (note.offset_s, 0))]
    for sample, on, note in sorted(told, key=lambda one: one[:2]):
        stream.send(mido.Message("note_on" if on else "note_off", note=int(note.pitch), velocity=note.velocity), sample)
    rng, parts = np.random.default_rng(1), []
    while sum(map(len, parts)) < len(whole):
        parts.append(stream.read(int(rng.integers(1, 500))))
    assert np.concatenate(parts)[: len(whole)] == pytest.approx(whole, abs=1e-6)


def test_a_stream_knows_its_pedal_and_says_what_it_cannot(plucks):
    stream = PluckedStream(plucks, RATE, 80, None, 1.0, limit=False)
    stream.send(mido.Message("control_change", control=64, value=127))
    stream.send(mido.Message("note_on", note=52, velocity=80))
    stream.send(mido.Message("note_off", note=52), 1000)
    held = stream.read(RATE)
    stream.send(mido.Message("control_change", control=64, value=0))
    after = stream.read(RATE)
    assert level_db(held, 0.9) > level_db(held, 0.1) - 30 and level_db(after, 0.3) < level_db(held, 0.9) - 40
    stream.send(mido.Message("note_on", note=52, velocity=80))
    stream.turn("brightness", 2.0)
    stream.read(100)
    stream.send(mido.Message("control_change", control=120, value=0))
    assert level_db(stream.read(RATE), 0.5) < -100
    for wrong, match in ((lambda: stream.feed(None), "plucked"), (lambda: stream.send("x"), "be a mido.Message"),
                         (lambda: stream.turn("z9", 1.0), "axis")):
        with pytest.raises(InputError, match=match):
            wrong()


def test_tones_change_timbre_and_not_level(plucks):
    spectra, loudness = [], []
    for tones in ({}, {"brightness": 2.0}, {"hollowness": -2.0, "bite": 1.0}):
        player = Player(plucks, RATE, tones=tones)
        pluck = player.strike(52, 80).pluck
        spectra.append(pluck.level_db)
        loudness.append(pluck.loudness_db(np.linspace(0.02, 0.79, 90)).mean())
    assert np.ptp(loudness) < 0.3, "on average; what is brighter begins louder, and falls faster"
    assert spectra[1][8] - spectra[1][0] > spectra[0][8] - spectra[0][0] + 5
    assert spectra[2][1] - spectra[2][0] > spectra[0][1] - spectra[0][0] + 5


def test_curves_of_a_score_fall_without_vibrato_or_glide(plucks):
    takes = [extract(string(pitch), RATE, 80) for pitch in (50, 57)]
    from ddspvae.features.statistics import measure

    statistics = played_statistics(measure(takes), plucks)
    assert np.diff(statistics.loudness_quantiles_db).min() >= 0 and statistics.vibrato_extent_cents == 0
    line = Notes((Note(52, 80, 0.1, 1.0), Note(57, 80, 1.0, 2.0)))
    curves = pluck_curves(line, plucks, perform(line, statistics, 200), 200)
    first = curves.loudness_db[24:200]
    assert np.diff(first).max() < 0.01 and first[0] - first[-1] > 5
    cents = 100 * (hz_to_pitch(curves.f0_hz[[40, 190, 210, 390]].astype(float)) - [52, 52, 57, 57])
    assert np.abs(cents).max() < 0.1
    assert a_weighting(1000.0) == pytest.approx(1.0, rel=0.01)


def test_half_a_plucked_instrument_falls_half_as_fast(plucks):
    statistics = load("violin").statistics
    line = Notes((Note(57, 80, 0.0, 1.9), Note(57, 80, 2.0, 3.9)))
    held = perform(line, statistics, 200)

    def falls(begins: float, ends: float) -> list[float]:
        """dB per second in the middle of each note."""
        curves = Rings((plucks,), np.array([[begins], [ends]])).play(line, held, 200, 800)
        return [float(curves.loudness_db[at] - curves.loudness_db[at + 200]) for at in (60, 460)]

    none, half, whole = falls(0, 0), falls(0.5, 0.5), falls(1, 1)
    assert whole[0] > none[0] + 8, "a pluck falls, a bow does not"
    assert half == pytest.approx([(a + b) / 2 for a, b in zip(none, whole)], abs=0.01)
    shares = [Rings((plucks,), np.array(ends, float)[:, None]).play(line, held, 200, 801).loudness_db[400]
              for ends in ((0, 1), (0.5, 0.5))]
    assert shares[0] == pytest.approx(shares[1], abs=1e-4), "half way it is half"
    turning = falls(0, 1)
    assert none[0] < turning[0] < turning[1] and turning[1] > half[1], "the second note rings more than the first"
    assert Rings().play(line, held, 200, 800) is held


def test_a_manifest_may_name_the_string(tmp_path):
    (tmp_path / "manifest.csv").write_text("file,kind,f0_hz,string\na.wav,note,110,A2\nb.wav,note,220,\n", encoding="utf-8")
    rows = read_manifest(tmp_path)
    assert rows[tmp_path / "a.wav"].string_hz == pytest.approx(110.0) and rows[tmp_path / "b.wav"].string_hz == 0
    (tmp_path / "manifest.csv").write_text("file,string\na.wav,low E\n", encoding="utf-8")
    with pytest.raises(InputError, match="string must be a note such as A4 or F#2, got 'low E'"):
        read_manifest(tmp_path)


def test_notes_of_one_string_share_its_stiffness():
    takes = []
    for opened, constant in ((40.0, 2e-8), (45.0, 6e-9)):
        for fret in (0, 5, 12):
            hz = float(pitch_to_hz(opened + fret))
            audio = string(opened + fret, stiffness=constant * hz**2)
            takes.append(Heard(audio, extract(audio, RATE, 80), float(pitch_to_hz(opened))))
    model = learn_plucks(takes, RATE, 65)
    assert model is not None and model.strings[:, 0].tolist() == [40, 45]
    for at, constant in ((0, 2e-8), (1, 6e-9)):
        hz = float(pitch_to_hz(48))
        ratio = model.strike(48, 80, at).ratios[9] / 10
        assert 1200 * np.log2(ratio / np.sqrt(1 + constant * hz**2 * 100)) == pytest.approx(0, abs=2)
    assert learn_plucks(takes[:2], RATE, 65) is None


@pytest.mark.slow
def test_a_guitarist_who_trains_hears_plucks(tmp_path):
    for pitch in (45, 49, 52, 56, 60, 64, 69):
        soundfile.write(tmp_path / f"{pitch}.wav", string(pitch), RATE)
    reports = []
    out = train(tmp_path, tmp_path / "guitar.safetensors", steps=12, model=SMALL, report=reports.append)
    assert any("plucked or struck" in line for line in reports[0].advice)
    guitar = load(out)
    assert guitar.plucks is not None and guitar.card["plucked"]["notes"] >= 5
    for performer in guitar.performers:
        take = guitar.perform(Notes((Note(52, 80, 0.1, 2.0),)), performer=performer)
        assert take.loudness_db[50] - take.loudness_db[350] > 10 and np.ptp(take.f0_hz[50:350]) < 1e-3
    audio = guitar.render(Notes((Note(52, 80, 0.1, 2.0), Note(59, 80, 0.1, 2.0))))
    assert level_db(audio, 0.2) > level_db(audio, 1.0) + 6 > level_db(audio, 1.9) + 10


def test_a_plucked_instrument_is_not_exported(tmp_path):
    from ddspvae.export.folder import check_instrument

    with pytest.raises(InputError, match="is plucked, and rings by a model of its own"):
        check_instrument(load("guitar-electric"))
