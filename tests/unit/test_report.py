import base64
import io
import json
import math
import re
import sys
from dataclasses import replace
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from ddspvae.audio import write_audio
from ddspvae.evaluation.edits import Edit, try_recording
from ddspvae.evaluation.judges_page import judge_table
from ddspvae.evaluation.page import describe
from ddspvae.evaluation.perceptual import Judgement
from ddspvae.evaluation.plots import plot_comparison, plot_performance, plot_training_curve
from ddspvae.evaluation.report import evaluate
from ddspvae.evaluation.summary import summarize
from ddspvae.features.extract import extract
from ddspvae.signals import Performance
from ddspvae.signals.checks import InputError
from ddspvae.signals.curves import resample_curve
from ddspvae.signals.units import db_to_amplitude, pitch_to_hz

RATE, HOP = 16_000, 80
N_PLAYERS = 2 + 3 + 2 + 2 * 2  # recording and resynthesis, transpositions, loudness, two axes each way


class Organ:
    """A small honest instrument: harmonics that follow f0 and loudness; z0 makes it bright, z1 does nothing."""

    name = "organ <& friends>"
    room = "nave"
    tracker = "swift"
    config = SimpleNamespace(sample_rate=RATE, hop_size=HOP, rooms=("nave",))

    def analyze(self, audio, sample_rate, tracker=None):
        if not np.abs(audio).max() > 1e-5:
            raise InputError("analyze: the take is silent.")
        features = extract(audio, sample_rate, HOP, tracker or self.tracker)
        z = np.zeros((-(-len(features.f0_hz) // 8), 2))
        return Performance(features.f0_hz, features.periodicity, features.loudness_db, z, ("z0", "z1"), RATE / HOP, 8)

    def resynthesize(self, performance, *, dry=False, seed=0):
        n_samples = performance.n_frames * HOP
        f0_hz = resample_curve(np.array(performance.f0_hz), n_samples)
        level = db_to_amplitude(resample_curve(np.array(performance.loudness_db), n_samples))
        voiced = resample_curve(np.array(performance.periodicity), n_samples) > 0.5
        tilt = 2.0 ** np.repeat(np.repeat(performance.z[:, 0], 8)[: performance.n_frames], HOP)
        weights = np.stack([tilt / h**1.5 if h > 1 else np.ones(n_samples) for h in range(1, 6)])
        weights /= np.sqrt((weights**2).sum(0) / 2)
        phase = 2 * np.pi * np.cumsum(f0_hz.astype(float)) / RATE
        return (level * voiced * sum(w * np.sin(h * phase) for h, w in enumerate(weights, 1))).astype(np.float32)

    def likely_z(self, f0_hz, periodicity, loudness_db):
        z = np.zeros((-(-len(f0_hz) // 8), 2))
        z[:, 0] = 8.0  # shrill, so that what z carries is heard
        return z

    def rate(self, audio, sample_rate):
        return {"bits_per_second": 12.5, "axes_in_use": 1, "per_axis": [12.0, 0.5]}


class Page(HTMLParser):
    """Counts tags and looks for anything that is not inside the file."""

    VOID = ("meta", "img", "br", "link", "input", "hr")

    def __init__(self, text):
        super().__init__()
        self.open, self.counts, self.sources, self.links = [], {}, [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.counts[tag] = self.counts.get(tag, 0) + 1
        self.open += [] if tag in self.VOID else [tag]
        self.sources += [value for name, value in attrs if name in ("src", "srcset", "poster")]
        self.links += [value for name, value in attrs if name in ("href", "action", "data")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes another tag"


def take(path, pitches=(60, 64, 67), note_s=0.7):
    """A played scale with a swell on each note."""
    time_s = np.arange(int(note_s * RATE)) / RATE
    swell = 0.2 * np.sin(np.pi * time_s / note_s) ** 0.5
    sound = np.concatenate([swell * sum(np.sin(2 * np.pi * h * pitch_to_hz(pitch) * time_s) / h for h in range(1, 6))
                            for pitch in pitches])
    write_audio(path, np.concatenate([np.zeros(RATE // 5), sound, np.zeros(RATE // 5)]).astype(np.float32), RATE)
    return path


def in_own_room(path):
    """An organ that says where it stands."""
    organ = Organ()
    organ.room = path.stem
    return organ


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    broken = folder / "broken.wav"
    broken.write_bytes(b"RIFF, but no more")
    write_audio(folder / "silent.wav", np.zeros(RATE, np.float32), RATE)
    words = []
    # "autocorrelation" is exact on plain tones and quick
    paths = [take(folder / "one.wav"), broken, take(folder / "two.wav", (57, 62)), folder / "silent.wav"]
    metrics = evaluate(Organ(), paths, folder / "new" / "out", tracker="autocorrelation", progress=words.append,
                       moved=in_own_room)
    return SimpleNamespace(folder=folder, out=folder / "new" / "out", metrics=metrics, words=words)


def test_the_page_parses_and_holds_everything_itself(report):
    text = (report.out / "index.html").read_text(encoding="utf-8")
    page = Page(text)
    assert page.open == []
    assert page.counts["audio"] == 2 * N_PLAYERS
    assert page.counts["img"] == 2 * 2 + 1
    assert page.links == []
    assert len(page.sources) == 2 * (N_PLAYERS + 2) + 1
    inside = re.compile(r"data:(audio/(mpeg|ogg)|image/png);base64,[A-Za-z0-9+/]+=*$")
    assert all(inside.match(source) for source in page.sources)
    assert not re.search(r"(https?:)?//[a-z]|@import|url\(|<script|<link", re.sub(r"base64,[A-Za-z0-9+/=]+", "", text))
    assert "<title>organ &lt;&amp; friends&gt;</title>" in text
    assert "prefers-color-scheme: dark" in text
    assert "broken.wav" in text and "silent.wav" in text and "try_recording: the resynthesis must sound" in text
    assert "nan" not in re.sub(r"base64,[A-Za-z0-9+/=]+", "", text).lower().replace("resonan", "")


def test_each_recording_is_played_in_its_room(report):
    assert [row["room"] for row in report.metrics["recordings"]] == ["one", "two"]
    assert report.metrics["independence"]["swaps"]  # by the same players


@pytest.fixture(scope="module")
def recording(report):
    audio, _ = soundfile.read(report.folder / "one.wav", dtype="float32")
    return try_recording(Organ(), "one.wav", audio, "autocorrelation", lambda words: None)


def test_a_recording_without_an_answer_leaves_the_mean_to_the_others(recording):
    assert recording.harmonics_db >= 0
    unknown = replace(recording, harmonics_db=math.nan)
    assert summarize([unknown, recording])["resynthesis"]["harmonics_db"] == recording.harmonics_db
    assert math.isnan(summarize([unknown])["resynthesis"]["harmonics_db"])


def test_players_play_what_was_measured(report):
    text = (report.out / "index.html").read_text(encoding="utf-8")
    sources = [source for source in Page(text).sources if source.startswith("data:audio")]
    seconds = report.metrics["recordings"][0]["duration_s"]
    players = [soundfile.read(io.BytesIO(base64.b64decode(source.partition(",")[2]))) for source in sources[:7]]
    for audio, rate in players:
        assert rate == RATE
        assert len(audio) / rate == pytest.approx(seconds, abs=0.15)  # MP3 pads
    softer, louder = (np.sqrt((audio**2).mean()) for audio, _ in players[5:])
    assert 20 * np.log10(louder / softer) == pytest.approx(12, abs=0.3)


def test_metrics_json_is_what_evaluate_returns(report):
    text = (report.out / "metrics.json").read_text(encoding="utf-8")
    assert json.loads(text, parse_constant=pytest.fail) == report.metrics
    assert report.metrics["preset"] == Organ.name
    assert [entry["file"] for entry in report.metrics["recordings"]] == ["one.wav", "two.wav"]
    assert [entry["file"] for entry in report.metrics["skipped"]] == ["broken.wav", "silent.wav"]
    assert report.metrics["measured_with"] == "autocorrelation"
    assert report.metrics["floor_with"] == "swift"
    total = report.metrics["total"]
    assert total["duration_s"] == pytest.approx((0.4 + 3 * 0.7) + (0.4 + 2 * 0.7), abs=0.01)
    assert total["rate"] == {"bits_per_second": 12.5, "axes_in_use": 1, "per_axis": [12.0, 0.5]}
    assert total["sizes"]["wav_bytes"] == 2 * round(total["duration_s"] * RATE)


def test_an_organ_that_obeys_measures_so(report):
    total = report.metrics["total"]
    plain = total["resynthesis"]
    assert plain["pitch"]["median_cents"] < plain["floor"]["median_cents"] + 2
    assert plain["pitch"]["heard"] > 0.97
    assert plain["loudness"]["mean_abs_db"] < 1.5  # no A-weighting in this organ: higher notes come out louder
    rows = {(row["kind"], row["axis"], row["amount"]): row for row in total["edits"]}
    assert len(rows) == 3 + 2 + 4
    for semitones in (-5, 3, 7):
        assert rows["transpose", "", semitones]["pitch"]["median_cents"] < plain["floor"]["median_cents"] + 2
    for db in (-6, 6):
        row = rows["loudness", "", db]
        assert row["loudness"]["mean_difference_db"] == pytest.approx(db, abs=0.1)
        assert row["pitch"]["median_cents"] < 1
    bright, dead = rows["axis", "z0", 2.0], rows["axis", "z1", 2.0]
    assert bright["spectral_distance"] > 1
    assert dead["spectral_distance"] == 0
    assert dead["pitch"]["median_cents"] == dead["loudness"]["mean_difference_db"] == 0


def test_the_judges_hear_what_z_carries(report):
    total, text = report.metrics["total"]["judges"], (report.out / "index.html").read_text(encoding="utf-8")
    heard, typical, ceiling = total["resynthesis"], total["typical_z"], total["ceiling"]
    assert ceiling["zimtohrli"] > heard["zimtohrli"] and ceiling["visqol"] > 1
    assert 1 <= typical["zimtohrli"] < heard["zimtohrli"] - 0.1 < 5
    assert 1 <= heard["visqol"] < 4.8 and typical["visqol"] is None
    each = [entry["judges"]["resynthesis"]["zimtohrli"] for entry in report.metrics["recordings"]]
    seconds = [entry["duration_s"] for entry in report.metrics["recordings"]]
    assert heard["zimtohrli"] == pytest.approx(np.average(each, weights=seconds))
    assert f"<td>{heard['zimtohrli']:.2f}</td><td>{typical['zimtohrli']:.2f}</td><td>{ceiling['zimtohrli']:.2f}</td>" in text
    assert "the first 15 s of each recording" in text and report.metrics["judges_left_out"] == ""


def test_without_the_judges_the_rest_is_there(report, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "zimtohrli", None)
    metrics = evaluate(Organ(), report.folder / "two.wav", tmp_path / "out", tracker="autocorrelation", max_seconds=1)
    assert metrics["total"]["judges"] == {} and metrics["total"]["resynthesis"]["spectral_distance"] > 0
    assert metrics["judges_left_out"].startswith("zimtohrli not installed, what Zimtohrli and ViSQOL say is left out")
    assert "zimtohrli not installed" in (tmp_path / "out" / "index.html").read_text(encoding="utf-8")


def test_the_command_says_in_a_line_what_is_left_out(report, tmp_path, monkeypatch, capsys):
    from ddspvae.commands.main import main

    monkeypatch.setattr("ddspvae.instrument.loading.load", lambda preset, room: Organ())
    monkeypatch.setitem(sys.modules, "visqol", None)
    main(["evaluate", "organ", str(report.folder / "two.wav"), "--out", str(tmp_path / "out"), "--max-seconds", "1",
          "--tracker", "autocorrelation"])
    assert capsys.readouterr().err.splitlines()[-1] == (
        "evaluate: visqol-python not installed, what ViSQOL says is left out; pip install 'ddspvae[evaluation]'.")
    judges = json.loads((tmp_path / "out" / "metrics.json").read_text())["total"]["judges"]
    assert judges["resynthesis"]["visqol"] is None and judges["resynthesis"]["zimtohrli"] > 1


def test_another_sound_that_is_judged_is_another_column(recording):
    more = replace(recording, judges={**recording.judges, "organ <pipe>": Judgement(4.2, 4.5)})
    judges = summarize([recording, more])["judges"]
    assert list(judges) == ["resynthesis", "typical_z", "ceiling", "organ <pipe>"]
    assert judges["organ <pipe>"] == {"zimtohrli": 4.2, "visqol": 4.5}
    headings, rows = judge_table(judges)
    assert headings[-2:] == ["ceiling", "organ <pipe>"] and [row[-1] for row in rows] == ["4.20", "4.50"]
    assert judge_table({"typical_z": {"zimtohrli": 3.0, "visqol": None}})[1][1][1] == "–"


def test_what_cannot_be_compared_is_null_and_a_dash(report, tmp_path):
    class Hiss(Organ):
        """No pitch, no timbre axes."""

        def analyze(self, audio, sample_rate, tracker=None):
            heard = super().analyze(audio, sample_rate, tracker)
            return replace(heard, z=heard.z[:, :0], axis_names=())

        def resynthesize(self, performance, *, dry=False, seed=0):
            return np.random.default_rng(seed).normal(size=performance.n_frames * HOP).astype(np.float32) * 0.01

        def rate(self, audio, sample_rate):
            return {"bits_per_second": 0.0, "axes_in_use": 0, "per_axis": []}

    metrics = evaluate(Hiss(), [report.folder / "two.wav"], tmp_path / "out", tracker="autocorrelation")
    pitch = metrics["total"]["resynthesis"]["pitch"]
    assert pitch["heard"] == 0
    assert pitch["median_cents"] is None
    assert json.loads((tmp_path / "out" / "metrics.json").read_text(), parse_constant=pytest.fail) == metrics
    text = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "<td>pitch error, median</td><td>–</td>" in text
    assert Page(text).counts["audio"] == 2 + 3 + 2


def test_every_piece_of_work_is_announced(report):
    assert report.words[0] == "1 of 4, one.wav: listening"
    assert "3 of 4, two.wav: transpose +3" in report.words
    assert "1 of 4, one.wav: axis z1 -2" in report.words
    assert report.words[-1] == "writing the report"


def test_nothing_else_is_left_behind(report):
    assert sorted(path.name for path in report.out.iterdir()) == ["index.html", "metrics.json"]
    assert [path.name for path in report.out.parent.iterdir()] == ["out"]


def test_a_failure_leaves_the_old_report_alone(report, tmp_path, monkeypatch):
    out = tmp_path / "out"
    out.mkdir()
    (out / "metrics.json").write_text("old")

    def fail(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("ddspvae.evaluation.report.write_page", fail)
    with pytest.raises(KeyboardInterrupt):
        evaluate(Organ(), [report.folder / "two.wav"], out, tracker="autocorrelation", max_seconds=1)
    assert (out / "metrics.json").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_the_default_tracker_is_the_other_one(monkeypatch, report, tmp_path):
    asked = []
    monkeypatch.setattr("ddspvae.evaluation.report.try_recording",
                        lambda instrument, file, audio, tracker, step: asked.append(tracker) or (_ for _ in ()).throw(
                            InputError("enough")))
    with pytest.raises(InputError, match=r"none of the 1 recordings can be used\. enough"):
        evaluate(Organ(), report.folder / "one.wav", tmp_path / "out")
    assert asked == ["crepe"]


def test_inputs_at_fault(report, tmp_path):
    with pytest.raises(InputError, match="evaluate: paths must name at least one recording"):
        evaluate(Organ(), [], tmp_path / "out")
    with pytest.raises(InputError, match=r"none of the 1 recordings can be used. read_audio: no file .*gone.wav"):
        evaluate(Organ(), [tmp_path / "gone.wav"], tmp_path / "out")
    with pytest.raises(InputError, match="max_seconds must lie between 1 and 600"):
        evaluate(Organ(), [report.folder / "one.wav"], tmp_path / "out", max_seconds=0)
    with pytest.raises(InputError, match=r"tracker must be one of .*, got 'praat'"):
        evaluate(Organ(), [report.folder / "one.wav"], tmp_path / "out", tracker="praat")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"evaluate: cannot write .*file"):
        evaluate(Organ(), [report.folder / "one.wav"], tmp_path / "file", tracker="autocorrelation", max_seconds=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


@pytest.mark.parametrize(("edit", "words"), [
    (Edit("transpose", 3), "3 semitones higher"), (Edit("loudness", -6), "6 dB softer"),
    (Edit("resynthesis"), "resynthesis")])
def test_edits_in_words(edit, words):
    assert describe(edit) == words


# --- pictures


def read_png(file):
    import matplotlib.image

    file.seek(0)
    return matplotlib.image.imread(file, format="png")


def test_the_pitch_is_drawn_where_it_is(report):
    audio = np.sin(2 * np.pi * 880 * np.arange(RATE) / RATE).astype(np.float32)
    periodicity = np.r_[np.ones(100), np.zeros(100)]
    with_pitch, without = io.BytesIO(), io.BytesIO()
    for target, voicing in ((with_pitch, periodicity), (without, np.zeros(200))):
        performance = Performance(np.full(200, 880.0), voicing, np.full(200, -20.0), np.zeros((25, 1)), ("a",), 200, 8)
        plot_performance(audio, RATE, performance, target)
    rows, columns = np.nonzero(np.abs(read_png(with_pitch) - read_png(without)).max(-1) > 0.3)
    # the drawn pixels differ only in one line, in the first half of the second
    height, width = read_png(without).shape[:2]
    assert rows.max() - rows.min() < 0.02 * height
    assert 0.3 * width < columns.max() - columns.min() < 0.5 * width


def test_the_same_picture_is_the_same_bytes_and_files_are_written(tmp_path):
    audio = np.random.default_rng(0).normal(size=RATE).astype(np.float32) * 0.1
    for name in ("a.png", "b.png"):
        plot_comparison(audio, 0.5 * audio, RATE, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    plot_comparison(audio, audio, RATE, tmp_path / "c.png")
    assert (tmp_path / "c.png").read_bytes() != (tmp_path / "a.png").read_bytes()
    plot_comparison(audio, audio, RATE, tmp_path / "d.svg")
    assert (tmp_path / "d.svg").read_text().lstrip().startswith("<?xml")


def test_training_curve(tmp_path):
    rows = [{"minutes": minutes, "validation_loss": 10 / minutes, "pitch_median_cents": cents}
            for minutes, cents in ((1, float("inf")), (1.5, None), (2, 30), (3, 5))]
    plot_training_curve(rows, tmp_path / "curve.png")
    assert (tmp_path / "curve.png").stat().st_size > 5000
    with pytest.raises(InputError, match="rows must hold at least one validation"):
        plot_training_curve([], tmp_path / "no.png")
    with pytest.raises(InputError, match=r"row 1 must have minutes, .*, got no validation_loss"):
        plot_training_curve([rows[0], {"minutes": 1, "pitch_median_cents": 3}], tmp_path / "no.png")
    with pytest.raises(InputError, match=r"plot: cannot write .*does the folder exist"):
        plot_training_curve(rows, tmp_path / "missing" / "curve.png")
    with pytest.raises(InputError, match=r"plot: cannot write .*is it .png, .svg or .pdf"):
        plot_training_curve(rows, tmp_path / "curve.docx")


@pytest.mark.slow
def test_no_window_system_is_touched():
    import subprocess
    import sys

    code = ("import numpy, io, sys, ddspvae.evaluation.report; assert 'matplotlib' not in sys.modules;"
            "from ddspvae.evaluation.plots import plot_comparison as p; "
            "p(numpy.ones(9000), numpy.ones(9000), 16000, io.BytesIO());"
            "assert 'matplotlib' in sys.modules and 'matplotlib.pyplot' not in sys.modules")
    subprocess.run([sys.executable, "-c", code], check=True)
