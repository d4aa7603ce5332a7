"""What a user holds: an instrument that listens, plays a score, and plays back what it heard."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ddspvae import live
from ddspvae.audio import Audio, resample, resample_blocks
from ddspvae.engine.ability import can_listen
from ddspvae.features.extract import extract
from ddspvae.features.reach import within_reach
from ddspvae.features.statistics import Statistics
from ddspvae.instrument.blocks import play_blocks
from ddspvae.instrument.presets import fingerprint
from ddspvae.instrument.rates import to_rates
from ddspvae.instrument.rooms import Rooms
from ddspvae.instrument.stored import Stored, hear_z, weights_of, with_torch
from ddspvae.midi.expression import add_offsets
from ddspvae.midi.rules import Curves
from ddspvae.midi.rules import perform as perform_by_rules
from ddspvae.midi.trained_range import tongue_far
from ddspvae.midi.voices import MOST_VOICES, to_one_voice
from ddspvae.model.form import axis_names
from ddspvae.performer.controls import CARD_KEY, ControlRanges, typical_ranges
from ddspvae.performer.gestures import Gestures
from ddspvae.performer.learned import play as play_as_learned
from ddspvae.plucked.curves import Rings, first_partial
from ddspvae.signals import Features, Notes, Performance
from ddspvae.signals.checks import InputError, check_choice, check_range
from ddspvae.signals.curves import on_the_way

if TYPE_CHECKING:
    from ddspvae.engine.live import LiveNetwork
    from ddspvae.live.networks import LiveNetworks
    from ddspvae.live.stream import Stream
    from ddspvae.model.autoencoder import Autoencoder
    from ddspvae.plucked.stream import PluckedStream
    from ddspvae.signals import Latents

LEAST_TAIL_S, RELEASED_DB = 1.0, 60.0  # after the last note of a score


class Instrument:
    """A learned instrument.

    Args:
        model: the network, or the file's numbers, of which it is built when something else is asked for than to play.
        card: what the file says: config, statistics, tracker, metrics, credits, licence, training.
        name: for messages and reports.
        room: the learned room to play in, one of config.rooms; None takes the first.
        gestures: what the learned performer remembers; None where the file holds none.
        codes: [2, G], for a model of many instruments: the timbre codes that scores and takes begin and end with; with None
            a score is played by the mean of all instruments, and a take keeps the code that is heard in it.
        rings: how its notes ring, of one that is plucked or struck, or so in part.
    """

    def __init__(self, model: Autoencoder | Stored, card: Mapping[str, Any], name: str, room: str | None = None,
                 gestures: Gestures | None = None, codes: np.ndarray | None = None, rings: Rings | None = None) -> None:
        self.rings = rings or Rings()
        self.plucks = self.rings.whole
        self.core = model if isinstance(model, Stored) else model.eval()  # numbers, until a network is needed
        self.room = model.config.rooms[0] if room is None else room
        check_choice("load", "room", self.room, model.config.rooms)
        self.card, self.name, self.config = dict(card), name, model.config
        self.statistics = Statistics.from_dict(card["statistics"])
        self.tracker = str(card["tracker"])
        self.axis_names = axis_names(model.config.n_z, model.config.n_timbre)
        self.codes, self.trimmed_axes = codes, tuple(card.get("trimmed_axes", ()))
        self._kept = np.array([name not in self.trimmed_axes for name in self.axis_names], dtype=np.float32)
        self.gestures = Gestures.nothing(model.config.n_z) if gestures is None else gestures
        if (n_known := self.gestures.z.shape[1]) != (n_z := model.config.n_z):
            raise InputError(f"load: the gestures of {name} have {n_known} axes and its network {n_z}; the file is damaged.")
        self.performers = ("learned", "rules") if len(self.gestures) else ("rules",)
        self.rooms = Rooms(self.config, lambda: weights_of(self.core), self.room)
        self.identity = fingerprint(weights_of(self.core)) if model.config.n_z else ""

    @property
    def model(self) -> Autoencoder:
        """The network."""
        if isinstance(self.core, Stored):
            self.core = self.core.build()
        return self.core

    @property
    def control_ranges(self) -> ControlRanges:
        """What 0 and 1 of each note control stand for: from the card, or the usual where it has none."""
        saved = self.card.get(CARD_KEY)
        return typical_ranges(self.statistics) if saved is None else ControlRanges.from_dict(saved)

    def encode(self, features: Features, audio: Audio | None = None) -> Latents:
        """The posterior of z for a take, [1, M, Z]; `audio` [F * hop_size] is for encoders of waveforms."""
        kept = self._kept[: self.config.n_running] if self.trimmed_axes else None
        return with_torch().encode(self.model, features, audio, kept)  # type: ignore[no-any-return]

    def analyze(self, audio: Audio, sample_rate: int, tracker: str | Path | None = None, *, foreign: bool = False
                ) -> Performance:
        """Write down how a take was played.

        Args:
            audio, sample_rate: [T], full scale +-1, and its Hz; resampled to the instrument's.
            tracker: of f0; None takes the one the instrument was trained with.
            foreign: another instrument plays; its pitch is looked for wherever the tracker hears one. Else it is looked for
                where this instrument plays, unless more than a quarter of the take lies elsewhere.
        Raises:
            InputError: silence.
        """
        from ddspvae.instrument.long_takes import analyze_in_stretches, is_long

        if not self.config.n_timbre and is_long(len(audio) / sample_rate, tracker):
            rate = self.config.sample_rate
            return analyze_in_stretches(lambda piece: self.analyze(piece, rate, tracker, foreign=foreign),
                                        resample_blocks([audio], sample_rate, rate), self.config)
        if can_listen(self.config):
            audio = resample(audio, sample_rate, self.config.sample_rate)
            features = self.listen(audio, self.config.sample_rate, tracker, foreign=foreign)
            z = hear_z(self.core, features) * self._kept
            return self._written(first_partial(features, audio, self.config.sample_rate, self.plucks), z)
        features, latents = self._hear(audio, sample_rate, tracker, foreign)
        return self._written(features, self._turn(self.model.to_z(latents)[0].numpy()))

    def _written(self, curves: Features | Curves, z: np.ndarray) -> Performance:
        return Performance(curves.f0_hz, curves.periodicity, curves.loudness_db, z, self.axis_names,
                           self.config.frame_rate_hz, self.config.frames_per_z, self.identity)

    def _turn(self, z: np.ndarray, duration_s: float | None = None) -> np.ndarray:
        """z [M, Z] of the instrument that this one is to become on the way, over its own length or duration_s."""
        if self.codes is None:
            return z
        n_rows = len(z) if duration_s is None else duration_s * self.config.z_rate_hz
        return np.concatenate([z[:, : self.config.n_running], on_the_way(self.codes, len(z), n_rows)], axis=1)

    def _hear(self, audio: Audio, sample_rate: int, tracker: str | Path | None = None, foreign: bool = False
              ) -> tuple[Features, Latents]:
        audio = resample(audio, sample_rate, self.config.sample_rate)
        features = self.listen(audio, self.config.sample_rate, tracker, foreign=foreign)
        latents = self.encode(features, np.pad(audio, (0, len(features.f0_hz) * self.config.hop_size - len(audio))))
        return first_partial(features, audio, self.config.sample_rate, self.plucks), latents

    def listen(self, audio: Audio, sample_rate: int, tracker: str | Path | None = None, *, foreign: bool = False
               ) -> Features:
        """The features of a take at the instrument's own rates; arguments as in `analyze`."""
        audio = resample(audio, sample_rate, self.config.sample_rate)
        if not len(audio) or np.abs(audio).max() < 1e-5:
            raise InputError("analyze: the take is silent (its peak is below -100 dBFS); is it the right channel?")
        return extract(audio, self.config.sample_rate, self.config.hop_size, tracker or self.tracker,
                       range_hz=None if foreign else self.statistics.range_hz)

    def perform(self, notes: Notes, *, expression: float = 1.0, performer: str | None = None, seed: int | None = None,
                score_s: float | None = None, tail_s: float = LEAST_TAIL_S) -> Performance:
        """Play one part of a score, one note at a time; the newest note wins.

        Args:
            notes: a part.
            expression: 0 deadpan, 1 as the recordings, 2 exaggerated.
            performer: "learned" plays every note as the most fitting one of the recordings was, "rules" by the
                instrument's habits; None takes the learned one where the file holds one.
            seed: None takes what is likeliest; a number another performance of the same notes, the same each time.
            score_s: of the whole score, for an instrument that turns into another on the way; None is the part's own.
            tail_s: seconds after the last note, for its release; `tail_s()` says how long a room rings.
        """
        check_range("perform", "expression", expression, 0, 2)
        performer = performer or self.performers[0]
        check_choice("perform", f"performer of {self.name}", performer, self.performers)
        line = tongue_far(to_one_voice(notes).notes, self.statistics)
        rate_hz, step = self.config.frame_rate_hz, self.config.frames_per_z
        if performer == "learned":
            curves, z = play_as_learned(line, self.statistics, self.gestures, rate_hz, step, expression=expression,
                                        seed=seed, tail_s=tail_s)
        else:
            curves = perform_by_rules(line, self.statistics, rate_hz, expression=expression, tail_s=tail_s)
            z = self.likely_z(curves.f0_hz, curves.periodicity, curves.loudness_db, seed)
        curves = self.rings.play(line, curves, rate_hz, len(curves.f0_hz) if score_s is None else score_s * rate_hz)
        return self._written(curves, self._turn(self._kept * add_offsets(z, curves.offsets, self.axis_names, step), score_s))

    def likely_z(self, f0_hz: np.ndarray, periodicity: np.ndarray, loudness_db: np.ndarray, seed: int | None = None,
                 temperature: float = 1.0) -> np.ndarray:
        """The z that goes with these curves, [M, Z]: 0, what is typical; or a sample around it where a seed is given.

        Args:
            f0_hz, periodicity, loudness_db: [F].
            seed: the same gives the same z.
            temperature: of the sample; 1 wanders as far as the recordings do, 0 not at all.
        """
        check_range("likely_z", "temperature", temperature, 0, 10)
        step, n_running, n_z = self.config.frames_per_z, self.config.n_running, self.config.n_z
        z = np.zeros((-(-len(f0_hz) // step), n_z), dtype=np.float32)
        if seed is not None:
            sampled = with_torch().sample_z(self.model, (f0_hz, periodicity, loudness_db), step, seed, temperature)
            z[:, :n_running] = sampled[:, :n_running]
        return self._turn(z * self._kept)

    def resynthesize(self, performance: Performance | Sequence[Performance], *, dry: bool = False, seed: int = 0,
                     voice: int = 0, ir: Audio | None = None, wet_db: float = 0.0, decay: float = 1.0) -> Audio:
        """Play a performance, or several as the voices of one instrument in one room.

        Args:
            performance: from `analyze`, `perform` or a file; one made with another preset keeps its pitch,
                loudness and timing and takes this instrument's likeliest z.
            dry: without the room.
            seed, voice: of the noise; several voices are numbered from `voice` on.
            ir: a room of one's own instead of the learned one: an impulse response [L], or [2, L] for stereo, at the
                instrument's sample rate.
            wet_db, decay: the learned room's tail so many dB louder, ringing so many times as long, at the same loudness.
        Returns:
            audio [F * hop_size] at config.sample_rate, where an ir is given L - 1 longer; [2, T] in a stereo room.
        """
        return np.concatenate(list(self.resynthesize_blocks(
            performance, dry=dry, seed=seed, voice=voice, ir=ir, wet_db=wet_db, decay=decay)), axis=-1)

    def resynthesize_blocks(self, performance: Performance | Sequence[Performance], *, dry: bool = False, seed: int = 0,
                            voice: int = 0, ir: Audio | None = None, wet_db: float = 0.0, decay: float = 1.0,
                            span: tuple[int, int] | None = None) -> Iterator[Audio]:
        """`resynthesize` piece by piece, so that length costs no memory; of a `span` of frames, as within the whole."""
        takes = [performance] if isinstance(performance, Performance) else list(performance)
        if not takes:
            raise InputError("resynthesize: there is no performance to play.")
        takes = [self.adapt(take) for take in takes]
        after_samples = 0 if ir is None else np.shape(ir)[-1] - 1  # a learned room's tail is within the performance
        return play_blocks(self.core, takes, *self.rooms.response(dry, ir, wet_db, decay), after_samples, seed=seed,
                           first_voice=voice, span=span, stiffness=self.plucks.stiffness_at if self.plucks else None)

    @cached_property
    def live_networks(self) -> LiveNetwork | LiveNetworks:
        """What streams run once a frame, made once for all of them."""
        return live.networks_of(self.config, lambda: weights_of(self.core), lambda: self.model)

    def tail_s(self, dry: bool = False, ir: Audio | None = None, wet_db: float = 0.0, decay: float = 1.0) -> float:
        """Seconds after the end of a last note until it and the learned room have fallen by 60 dB; an ir adds its own."""
        released_s = RELEASED_DB / self.statistics.release_db_per_s
        return max(LEAST_TAIL_S, released_s + self.rooms.ringing_s(dry, ir, wet_db, decay))

    def stream(self, voices: int = 8, *, mono: bool = False, seed: int = 0, dry: bool = False, ir: Audio | None = None,
               wet_db: float = 0.0, decay: float = 1.0, expression: float = 1.0, start_s: float = 0.0, limit: bool = True,
               controllers: str = "usual", tuning: Sequence[float | None] | None = None, stereo: bool = False
               ) -> Stream | PluckedStream:
        """Play live: MIDI or frames in, audio in blocks of any size out.

        Args:
            voices: how many notes can sound at once.
            mono: one line with legato instead of chords; voices above the first then serve `feed` alone.
            seed, dry, ir, wet_db, decay: as in `resynthesize`.
            expression: 0 deadpan, 1 as the recordings, 2 exaggerated; start_s: where on the clock to begin (fed takes: 0).
            limit: bend samples above 0.9 so that none reaches 1, and leave all others alone; stereo: hear the pan.
            controllers: "usual" or "breath", see `midi.controller_map`; tuning: of all keys, see `midi.read_tuning`.
        """
        if self.codes is not None:
            raise InputError(f"stream: {self.name} turns from one instrument into another over a score, whose end a stream "
                             "does not know; open the whole model, and turn its timbre axes by hand.")
        if self.plucks is not None:
            from ddspvae.instrument.plucking import open_stream
            return open_stream(self.plucks, self.rooms, mono, seed, start_s, limit, (dry, ir, wet_db, decay), tuning, stereo)
        if self.rings.plucks:
            warnings.warn(f"stream: {self.name} is plucked in part; live it holds its notes.", stacklevel=2)
        return live.Stream(self, voices, mono=mono, seed=seed, dry=dry, ir=ir, wet_db=wet_db, decay=decay, limit=limit,
                           start_s=start_s, expression=expression, controllers=controllers, tuning=tuning, stereo=stereo)

    def adapt(self, performance: Performance) -> Performance:
        """Bring a performance to this instrument's rates and axes, and far below its range to what it can do there."""
        performance = self._to_axes(performance)
        loudness_db = within_reach(performance.f0_hz, performance.loudness_db, self.statistics)
        return performance if loudness_db is performance.loudness_db else replace(performance, loudness_db=loudness_db)

    def _to_axes(self, performance: Performance) -> Performance:
        if performance.axis_names == self.axis_names and performance.instrument in ("", self.identity):
            z = performance.z * self._kept if self.trimmed_axes else performance.z
            is_same = self.codes is None and not self.trimmed_axes
            return to_rates(performance if is_same else replace(performance, z=self._turn(z)), self.config)
        if performance.axis_names:
            warnings.warn(f"{self.name} cannot read the z of another instrument and plays its own likeliest.", stacklevel=2)
        curves = to_rates(performance, self.config)
        z = self.likely_z(curves.f0_hz, curves.periodicity, curves.loudness_db)
        return replace(curves, z=z, axis_names=self.axis_names, instrument=self.identity)

    def render(self, notes: Notes | Sequence[Notes], *, voices: int = MOST_VOICES, expression: float = 1.0,
               performer: str | None = None, seed: int | None = None, dry: bool = False, ir: Audio | None = None,
               wet_db: float = 0.0, decay: float = 1.0) -> Audio:
        """Play a score, all parts with this instrument in one room; volume and pan are left to a mix.

        Args:
            notes: a part or several; two with the same notes are two players, who do not play them alike.
            voices: notes at once in a part; 1 plays one line with legato.
            expression, performer, seed: as in `perform`.
            dry, ir, wet_db, decay: as in `resynthesize`.
        Returns:
            audio [T] at config.sample_rate; may exceed full scale, see ddspvae.audio.limit_peak.
        """
        from ddspvae.instrument.scores import render_score
        return render_score(self, [notes] if isinstance(notes, Notes) else list(notes), voices, seed, {
            "expression": expression, "performer": performer}, {"dry": dry, "ir": ir, "wet_db": wet_db, "decay": decay})

    def rate(self, audio: Audio, sample_rate: int) -> dict[str, Any]:
        """What z costs on a take, over its sounding seconds: bits_per_second, per_axis (bit/s each), axes_in_use."""
        return with_torch().count_bits(self.model, *self._hear(audio, sample_rate))
