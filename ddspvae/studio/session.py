"""One open project: edits applied, sounds rendered, and what the page is shown. Lives in the worker's process."""

from __future__ import annotations

import shutil
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddspvae.instrument.instrument import Instrument
from ddspvae.instrument.loading import load_to_play
from ddspvae.instrument.mix import balance, place
from ddspvae.signals import Performance, Steps
from ddspvae.signals.checks import InputError
from ddspvae.studio import shown
from ddspvae.studio.arrangement import Arrangement, Part
from ddspvae.studio.canvas import REST_DB, THERE, Canvas, changed_span
from ddspvae.studio.edits import Edit, apply, apply_all, played
from ddspvae.studio.project import Project

SPARE_S = 30.0  # of a canvas, for notes that are moved beyond the end
HEARD_FIRST_S = 0.5  # of a change, from where it is listened to, rendered before it is answered
MOST_FIRST_S = 3.0
SNAPSHOTS = 24  # arrangements that undo finds without beginning anew
PLAYERS = 12
PIECE_TILES = 40  # that are rendered between two questions
MOST_GIVEN_UP = 4  # pieces in a row, so that who asks and asks hears something in the end


class GivenUp(Exception):
    """Somebody asks for something, and what is rendered in the background can wait."""


class Session:
    """A project with its sounds.

    Args:
        folder: of the project.
        is_asked: whether somebody waits, so that a piece in the background is given up.
    """

    def __init__(self, folder: Path, is_asked: Callable[[], bool] = lambda: False) -> None:
        self.project = Project(folder)
        self.is_asked = is_asked
        self._may_give_up, self._given_up = False, 0
        self.sounds = folder / ".sounds"
        shutil.rmtree(self.sounds, ignore_errors=True)
        self.sounds.mkdir()
        self._players: OrderedDict[str, Instrument] = OrderedDict()
        self._opened = Arrangement.opened(self.project, self.player)
        self._past: list[Arrangement] = []
        self.skipped: list[str] = []
        self.now = self._folded(len(self.project.done))
        self.canvases: dict[str, Canvas] = {}
        self.generation = 0
        self.cursor_s = 0.0
        self._lay_out()

    def player(self, preset: str) -> Instrument:
        """An instrument, kept open."""
        if preset not in self._players:
            self._players[preset] = load_to_play(preset)
            if len(self._players) > PLAYERS:
                self._players.popitem(last=False)
        self._players.move_to_end(preset)
        return self._players[preset]

    def _folded(self, n: int) -> Arrangement:
        """All edits up to the n-th."""
        now, self.skipped = apply_all(self._opened, self.project.edits[:n], self.player)
        return now

    def _lay_out(self) -> None:
        """Canvases for everything, empty."""
        self.generation += 1
        old, self.canvases = self.canvases, {}
        for part in self.now.parts:
            self._new_canvas(self._key(part), self._length_s(), self.player(part.preset))
        for take in self.now.takes:
            self._new_canvas(f"take-{take.number}", played(take, self.player(take.preset)).duration_s + 1.0,
                             self.player(take.preset))
        for canvas in old.values():
            canvas.path.unlink(missing_ok=True)
            canvas.path.with_suffix(".ready").unlink(missing_ok=True)

    def _new_canvas(self, key: str, length_s: float, player: Instrument) -> None:
        config = player.config
        path = self.sounds / f"{key}-{self.generation}.f32"
        self.canvases[key] = Canvas(path, round(length_s * config.sample_rate), config.sample_rate, config.hop_size)

    def _length_s(self) -> float:
        longest = max((line.base.duration_s for part in self.now.parts for line in part.lines), default=0.0)
        return longest + SPARE_S

    @staticmethod
    def _key(part: Part) -> str:
        return f"part-{part.number}"

    def add_score(self, source: str, name: str) -> dict[str, Any]:
        """A score into the project: its parts come after those there are."""
        path = self.project.take_in(Path(source), name)
        try:
            self.project.scores.append(path.name)
            opened = Arrangement.opened(self.project, self.player)
        except InputError as error:
            self.project.scores.remove(path.name)
            path.unlink(missing_ok=True)
            raise InputError(str(error).replace(str(path), name)) from error
        self.project.save()
        self._open_anew(opened)
        return self.view()

    def add_take(self, source: str | None, name: str, preset: str, performance: str) -> dict[str, Any]:
        """A recording that was analyzed, or a saved performance alone, into the project."""
        heard = Performance.load(performance)
        path = None if source is None else self.project.take_in(Path(source), name)
        kept = self.project.take_in(Path(performance), f"{Path(name).stem}.npz")
        self.project.takes.append({"file": (path or kept).name, "performance": kept.name, "preset": preset})
        del heard
        self.project.save()
        self._open_anew(Arrangement.opened(self.project, self.player))
        return self.view()

    def _open_anew(self, opened: Arrangement) -> None:
        self._opened, self._past = opened, []
        self.now = self._folded(self.project.n_done)
        self._lay_out()

    def edit(self, edit: Edit, hear_s: float | None = None) -> dict[str, Any]:
        """Apply one edit, keep it, and render what it changes.

        Args:
            edit: see `edits.apply`.
            hear_s: where it is listened to; a long change is rendered up to a little after that, the rest afterwards.
        """
        after = apply(self.now, edit, self.player)
        self.project.add_edit(edit)
        self._past = [*self._past, self.now][-SNAPSHOTS:]
        return self._go_to(after, hear_s)

    def undo(self) -> dict[str, Any]:
        """Take the last edit back."""
        if not self.project.move(-1):
            return self.view()
        return self._go_to(self._past.pop() if self._past else self._folded(self.project.n_done))

    def redo(self) -> dict[str, Any]:
        """Apply again what was taken back."""
        if not self.project.move(1):
            return self.view()
        self._past = [*self._past, self.now][-SNAPSHOTS:]
        return self._go_to(apply(self.now, self.project.edits[self.project.n_done - 1], self.player))

    def _go_to(self, after: Arrangement, hear_s: float | None = None) -> dict[str, Any]:
        before, self.now, generation = self.now, after, self.generation
        changed: list[dict[str, Any]] = []
        for old, new in zip(before.parts, after.parts):
            if old.lines == new.lines and old.preset == new.preset:
                continue
            canvas, player = self.canvases[self._key(new)], self.player(new.preset)
            longest_s = max(line.base.duration_s for line in new.lines)
            if longest_s > len(canvas.audio) / canvas.sample_rate or canvas.sample_rate != player.config.sample_rate:
                self._lay_out()
                return {**self.view(), "changed": [{"part": new.number, "from_s": 0.0, "to_s": longest_s}]}
            span: tuple[int, int] | None = (0, round(longest_s * player.config.frame_rate_hz))
            if old.preset == new.preset:
                span = changed_span([line.final for line in old.lines], [line.final for line in new.lines], player.tail_s())
            changed += self._render_change(self._key(new), new.number, span, "part", hear_s)
        for was, take in zip(before.takes, after.takes):
            if was is take:
                continue
            player = self.player(take.preset)
            ours, theirs = played(was, self.player(was.preset)), played(take, player)
            key = f"take-{take.number}"
            if theirs.n_frames != ours.n_frames or was.preset != take.preset:
                self.generation += 1
                self.canvases[key].path.unlink(missing_ok=True)
                self._new_canvas(key, theirs.duration_s + 1.0, player)
                changed.append({"take": take.number, "from_s": 0.0, "to_s": theirs.duration_s})
            else:
                span = changed_span([ours], [theirs], player.tail_s())
                changed += self._render_change(key, take.number, span, "take", hear_s)
        only = {new.number for old, new in zip(before.parts, after.parts) if old is not new}
        is_same = self.generation == generation and all(
            old.preset == new.preset for old, new in zip(before.parts, after.parts))  # gains depend on who plays
        return {**self.view(only if is_same else None), "changed": changed}

    def _render_change(self, key: str, number: int, span: tuple[int, int] | None, kind: str, hear_s: float | None
                       ) -> list[dict[str, Any]]:
        """What is heard first at once, the rest when its turn comes, which is next."""
        if span is None:
            return []
        canvas, (first, last) = self.canvases[key], span
        rate_hz = canvas.sample_rate / canvas.hop_size
        heard = first if hear_s is None else max(first, round(hear_s * rate_hz))
        until = min(last, round(min(heard + HEARD_FIRST_S * rate_hz, first + MOST_FIRST_S * rate_hz)))
        tiles = canvas.tiles_of(first, last)
        if (canvas.ready[slice(*tiles)] == THERE).all():
            canvas.change(first, last, until, lambda a, b: self._render(key, a, b))
        else:
            canvas.forget(first, last)
            canvas.render_tiles(*canvas.tiles_of(first, until), lambda a, b: self._render(key, a, b))
        self.cursor_s = first / rate_hz
        return [{kind: number, "from_s": first / rate_hz, "to_s": last / rate_hz}]

    def _render(self, key: str, first: int, last: int) -> NDArray[np.float32]:
        kind, number = key.split("-")
        if kind == "take":
            take = self.now.takes[int(number)]
            player = self.player(take.preset)
            performances, seed, voice = [played(take, player)], 0, 0
            volume: Steps = ()
        else:
            part = self.now.parts[int(number)]
            player = self.player(part.preset)
            performances, seed, voice = [line.final for line in part.lines], part.seed or 0, part.first_voice
            volume = part.written.controllers.get("volume", ())
        longest = max(one.n_frames for one in performances)
        n_samples = (min(last, longest) - first) * player.config.hop_size
        if n_samples <= 0 or all((one.loudness_db[max(0, first - 400) : last] <= REST_DB).all() for one in performances):
            return np.zeros(max(0, (last - first) * player.config.hop_size), np.float32)
        blocks = player.resynthesize_blocks(performances, seed=seed, voice=voice, span=(first, min(last, longest)))
        placed = place(blocks, {"volume": volume}, player.config.sample_rate, stereo=False,
                       first=first * player.config.hop_size)
        pieces = []
        for piece in placed:
            pieces.append(piece)
            if self._may_give_up and self.is_asked():
                raise GivenUp
        return np.concatenate(pieces)

    def work(self) -> bool:
        """Render one piece that is missing, the nearest to where a person listens; False where nothing is."""
        found = [(key, canvas.missing(round(self.cursor_s * canvas.sample_rate))) for key, canvas in self.canvases.items()]
        waiting = [(span, key) for key, span in found if span is not None]
        if not waiting:
            return False

        def distance(one: tuple[tuple[int, int], str]) -> tuple[bool, int]:
            ahead = one[0][0] - self.cursor_s / 0.1
            return ahead < -1, int(abs(ahead))

        (first, last), key = min(waiting, key=distance)
        try:
            self._may_give_up = self._given_up < MOST_GIVEN_UP
            self.canvases[key].render_tiles(first, min(last, first + PIECE_TILES), lambda a, b: self._render(key, a, b))
            self._given_up = 0
        except GivenUp:
            self._given_up += 1
        finally:
            self._may_give_up = False
        return True

    def look(self, at_s: float) -> None:
        """Render what comes after a time first."""
        self.cursor_s = at_s

    def view(self, only: set[int] | None = None) -> dict[str, Any]:
        """What the page is shown: the whole, or of the parts only some, where it knows the others."""
        players = {part.preset: self.player(part.preset).statistics for part in self.now.parts}
        return shown.view(self.project, self.now, self.canvases, balance(players), self.player, self.skipped,
                          only)

    def curves(self, **asked: Any) -> dict[str, Any]:
        """See `shown.curves`."""
        return shown.curves(self.now, self.player, **asked)

    def controls(self, note: str) -> Mapping[str, float]:
        """See `shown.controls`."""
        return shown.controls(self.now, self.player, note)

    def table(self, part: int, line: int) -> list[dict[str, Any]]:
        """See `shown.table`."""
        return shown.table(self.now, self.player, part, line)

    def export(self, kind: str, to: str, take: int = 0) -> list[str]:
        """See `taken.export`."""
        from ddspvae.studio.taken import export

        return export(self.now, self.player, kind, Path(to), take)

