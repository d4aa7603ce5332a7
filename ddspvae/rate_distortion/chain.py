"""The trainings of a rate-distortion curve, all continuing one, and the folder that keeps what is done."""

from __future__ import annotations

import json
import math
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ddspvae.evaluation.metrics import other_tracker
from ddspvae.features.f0 import TRACKERS
from ddspvae.instrument.presets import find_preset, read_card
from ddspvae.model.config import ModelConfig
from ddspvae.rate_distortion.measure import Yardstick, listen
from ddspvae.rate_distortion.plan import Plan
from ddspvae.rate_distortion.points import FREE, NONE, SIDE, Codec, Point, average, is_missing, read_points, write_points
from ddspvae.signals.checks import InputError
from ddspvae.signals.files import new_file
from ddspvae.training.loop import train
from ddspvae.training.prepare import Prepared, prepare
from ddspvae.training.recordings import find_recordings
from ddspvae.training.validation import TrainingStopped

# free bits charge nothing up to the target, and no axis comes near an eighth of this one
FREE_OF_CHARGE: dict[str, Any] = {"controller": "free-bits", "bitrate": 20_000.0}
MEASURING_SHARE = 0.2  # of the time of a point, for the progress bar

Progress = Callable[[str, float], None]


class Chain:
    """The points so far, and how one is added.

    Args:
        plan: what to train.
    Raises:
        InputError: no such recordings, preset or tracker; a folder with a curve of other settings, or that cannot be
            written.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan, self.folder = plan, plan.out.resolve()  # a checkpoint knows what it continues by its path
        self.base = None if plan.start_from is None else find_preset(plan.start_from).resolve()
        card = None if self.base is None else read_card(self.base)
        self.model = (plan.model or ModelConfig()) if card is None else ModelConfig.from_dict(card["config"])
        if not self.model.n_z or self.model.bottleneck != "gaussian":
            lacks = f"codes ({self.model.bottleneck})" if self.model.n_z else "no z"
            raise InputError(f"curve: {plan.start_from or 'the model'} has {lacks}; start from one with Gaussian axes.")
        self.tracker = plan.tracker or ("swift" if card is None else str(card["tracker"]))
        self.measured_with = plan.measured_with or other_tracker(self.tracker)
        TRACKERS.check("curve", self.tracker)
        TRACKERS.check("curve", self.measured_with, "tracker to measure with")
        paths = find_recordings([Path(path) for path in plan.recordings])
        sizes = {key: value for key, value in self.model.to_dict().items() if key not in ("rooms", "n_harmonics")}
        sizes["by_room"] = self.model.by_room
        self.settings: dict[str, Any] = {
            "files": ["/".join(path.resolve().parts[-2:]) for path in paths],
            "holdout": sorted(Path(path).name for path in plan.holdout), "base": str(plan.start_from or ""),
            "budget": plan.budget(), "budget of the base": plan.budget(base=True) if card is None else {},
            "tracker": self.tracker, "tracker to measure with": self.measured_with, "max_seconds": plan.max_seconds,
            "model": sizes}
        self._yardstick: Yardstick | None = None
        self._prepared: Prepared | None = None
        self.points = {(point.seed, point.point): point for point in self._read()}
        self.write()

    def _read(self) -> list[Point]:
        kept = self.folder / "curve.json"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            before = json.loads(kept.read_text(encoding="utf-8"))["settings"] if kept.is_file() else {}
        except OSError as error:
            raise InputError(f"curve: cannot write to {self.plan.out} ({error.strerror}); choose another --out.") from error
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"curve: {self.plan.out}/curve.json is not what curve writes; choose another --out.") from error
        table = self.folder / "curve.csv"
        if not table.is_file():
            return []
        changed = [key for key, value in self.settings.items() if before.get(key) != value]
        if changed:
            raise InputError(f"curve: {self.plan.out} holds a curve with another {', '.join(changed)}; "
                             "choose another --out, or delete that folder to start anew.")
        return read_points(table)

    def ordered(self) -> list[Point]:
        """By seed, from no z to free."""
        return sorted(self.points.values(), key=lambda point: (point.seed, height(point.point)))

    def write(self, codecs: Sequence[Codec] = ()) -> dict[str, Any]:
        """Write curve.csv and curve.json, each whole or not at all; returns the content of curve.json."""
        points = self.ordered()
        side = next((_plain(vars(point)) for point in points if not point.note), {})
        wall_s = [point.wall_s for point in points if not math.isnan(point.wall_s)]
        result = {"out": str(self.plan.out), "wall_s": round(sum(wall_s), 1),
                  "side_information": {name: side.get(name) for name in SIDE},
                  "mean": [_plain(row) for row in average(points)], "points": [_plain(vars(point)) for point in points],
                  "codecs": [_plain(vars(codec)) for codec in codecs], "settings": self.settings}
        try:
            with new_file(self.folder / "curve.json") as part:
                part.write_text(json.dumps(result, indent=2, allow_nan=False) + "\n", encoding="utf-8")
        except OSError as error:
            raise InputError(f"curve: cannot write to {self.plan.out} ({error.strerror}); choose another --out.") from error
        write_points(self.folder / "curve.csv", points)
        return result

    def add(self, seed: int, name: str, tell: Progress) -> None:
        """Train and measure one point, and keep it; a training that stops by itself leaves a note."""
        began = time.perf_counter()
        where = f"seed {seed}, " + {NONE: "no z", FREE: "free"}.get(name, f"{name} bit/s")
        asked = math.nan if name in (NONE, FREE) else float(name)
        point, path = Point(name, seed, asked), self._path(seed, name)
        tell(f"{where}: listening", 0.0)
        yardstick = self.yardstick()
        source, model, budget = self._base(seed, tell), self.model, self.plan.budget()
        minutes = minutes_done(source)
        is_first = self.base is None and not any(other.seed == seed for other in self.points.values())
        clock_s = 60 * minutes if is_first else 0.0
        if name == NONE:
            model = replace(self.model, n_z=0)
            budget = {unit: 2 * amount for unit, amount in budget.items()}
        try:
            self._train(path, seed, source, model, lambda share: tell(f"{where}: training", (1 - MEASURING_SHARE) * share),
                        **budget, **(FREE_OF_CHARGE if math.isnan(asked) else {"bitrate": asked}))
        except TrainingStopped as stopped:
            point = replace(point, note=str(stopped))
        else:
            tell(f"{where}: measuring", 1 - MEASURING_SHARE)
            clock_s += 60 * minutes_done(path)
            point = replace(yardstick.measure(point, path), trained_minutes=minutes + minutes_done(path))
        # what was trained before a kill is on the training's own clock
        self.points[seed, name] = replace(point, wall_s=max(time.perf_counter() - began, clock_s))
        self.write()

    def _path(self, seed: int, name: str) -> Path:
        return self.folder / f"seed{seed}" / f"{name}.safetensors"

    def _base(self, seed: int, tell: Progress) -> Path:
        """What all points of a seed continue, trained first if it was not given."""
        if self.base is not None:
            return self.base
        path = self._path(seed, "base")
        self._train(path, seed, None, self.model, lambda share: tell(f"seed {seed}, base: training", 0.0),
                    **self.plan.budget(base=True), **FREE_OF_CHARGE)
        return path

    def _train(self, path: Path, seed: int, source: Path | None, model: ModelConfig, tell: Callable[[float], None],
               **options: Any) -> None:
        path.parent.mkdir(exist_ok=True)
        prepared = self._listened()
        prepared = replace(prepared, model=replace(prepared.model, n_z=model.n_z))
        train(self.plan.recordings, path, holdout=self.plan.holdout, tracker=self.tracker, start_from=source,
              device=self.plan.device, seed=seed, model=model, prepared=prepared,
              progress=lambda row: tell(row["progress"]), **options)

    def _listened(self) -> Prepared:
        if self._prepared is None:
            self._prepared = prepare(self.plan.recordings, self.plan.holdout, self.tracker, self.model)
        return self._prepared

    def yardstick(self) -> Yardstick:
        """What to measure with; everything is listened to once."""
        if self._yardstick is None:
            prepared = self._listened()
            if self.base is not None and prepared.model.n_harmonics != self.model.n_harmonics:
                warnings.warn(f"curve: {self.plan.start_from} has {self.model.n_harmonics} harmonics, these recordings need "
                              f"{prepared.model.n_harmonics}; what makes them starts anew.", stacklevel=2)
            unheard = listen(self.plan.recordings, self.plan.holdout, self.tracker, self.model)
            self._yardstick = Yardstick(prepared.training, [*prepared.validation, *unheard], self.measured_with,
                                        self.plan.max_seconds)
        return self._yardstick


def height(name: str) -> float:
    """Where a point stands: none at -1, free above all.

    >>> sorted(["free", "500", "none", "1000"], key=height)
    ['none', '500', '1000', 'free']
    """
    return {NONE: -1.0, FREE: math.inf}.get(name) or float(name)


def minutes_done(path: Path) -> float:
    """What a card says on the length of its training."""
    return float(read_card(path)["training"].get("minutes_done", 0.0))


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """JSON knows no NaN: what could not be measured is null there."""
    return {key: None if is_missing(value) else value for key, value in values.items()}
