"""The demonstration melody, as an independent tracker hears it."""

import pytest

from ddspvae import limit_peak, load, read_midi
from ddspvae.evaluation.transcription import audio_to_notes, note_scores

from ..conftest import ROOT


@pytest.mark.parametrize("tracker", [pytest.param("crepe", marks=pytest.mark.slow), "swift"])
def test_every_note_is_found_at_its_pitch_and_time(tracker):
    violin = load("violin")
    part, = read_midi(ROOT / "examples" / "melody.mid")
    audio, _ = limit_peak(violin.render(part))
    scores = note_scores(part, audio_to_notes(audio, violin.config.sample_rate, tracker))
    assert scores.f_measure >= 0.99, scores


@pytest.mark.parametrize("name", ["ode_to_joy", "trad_hornpipe_type0", "trad_perth_fife_1799_type0"])
def test_real_scores_are_found_too(shared_dir, name):
    violin = load("violin")
    part, = read_midi(shared_dir / "midi" / f"{name}.mid")
    scores = note_scores(part, audio_to_notes(violin.render(part), violin.config.sample_rate, "swift"))
    assert scores.f_measure >= 0.97, scores
