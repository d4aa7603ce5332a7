"""Between which bounds performances are drawn: a small TOML file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from ddspvae.signals.checks import InputError, check_choice, check_range, fail

# name -> the widest bounds that it may have
RANGES: Mapping[str, tuple[float, float]] = {
    "parts": (1, 16), "seconds": (1, 600), "tempo": (20, 400), "speed": (0.25, 4), "range": (0, 127), "transpose": (-24, 24),
    "expression": (0, 2), "level_db": (-40, 0), "wet_db": (-60, 20), "decay": (0.05, 20),
}


@dataclass(frozen=True)
class Bounds:
    """What labelled performances are drawn from; each pair is the least and the most.

    Args:
        performances: how many.
        seed: of everything random; a performance depends on it and on its own number alone.
        per_shard: performances in a shard.
        presets: instruments to choose from; none are all that are shipped.
        songs: a folder of MIDI files to play stretches of; "" makes melodies up.
        parts: instruments together.
        seconds: from the first note to the end of the last, about.
        tempo: beats a minute of made-up melodies.
        speed: of songs, times as fast as written.
        range: MIDI numbers that made-up melodies keep to, inside of what an instrument has learned.
        transpose: semitones, of songs; what leaves the learned range is folded back by octaves.
        expression: 0 deadpan, 1 as recorded, 2 exaggerated.
        level_db: of each part in the mix.
        wet_db, decay: the learned room's tail.
        axes: standard deviations by axis of timbre.
        splits: share of the performances by split.
        room: whether there is any.
    """

    performances: int = 100
    seed: int = 0
    per_shard: int = 25
    presets: tuple[str, ...] = ()
    songs: str = ""
    parts: tuple[float, float] = (1, 1)
    seconds: tuple[float, float] = (5, 15)
    tempo: tuple[float, float] = (60, 160)
    speed: tuple[float, float] = (1, 1)
    range: tuple[float, float] = (0, 127)
    transpose: tuple[float, float] = (0, 0)
    expression: tuple[float, float] = (0.5, 1.5)
    level_db: tuple[float, float] = (-6, 0)
    wet_db: tuple[float, float] = (-6, 6)
    decay: tuple[float, float] = (0.5, 2)
    room: bool = True
    axes: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    splits: Mapping[str, float] = field(default_factory=lambda: {"train": 0.8, "validation": 0.1, "test": 0.1})

    def __post_init__(self) -> None:
        check_range("corpus", "performances", self.performances, 1, 100_000_000)
        check_range("corpus", "per_shard", self.per_shard, 1, 10_000)
        check_range("corpus", "seed", self.seed, 0, 2**31 - 1)
        for name, (low, high) in RANGES.items():
            _check_pair(name, getattr(self, name), low, high)
        for name, pair in self.axes.items():
            _check_pair(f"axes.{name}", pair, -4, 4)
        if not self.splits or abs(sum(self.splits.values()) - 1) > 1e-6 or min(self.splits.values()) < 0:
            raise fail("corpus", "splits", "be shares that add up to 1", dict(self.splits))

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def _check_pair(name: str, pair: Any, low: float, high: float) -> None:
    is_pair = isinstance(pair, tuple) and len(pair) == 2 and all(isinstance(one, (int, float)) for one in pair)
    if not is_pair or not low <= pair[0] <= pair[1] <= high:
        raise fail("corpus", name, f"be [least, most] between {low:g} and {high:g}",
                   list(pair) if isinstance(pair, tuple) else pair)


def read_bounds(path: str | Path) -> Bounds:
    """Read a TOML file; what it leaves out keeps its default.

    Raises:
        InputError: missing, no TOML, an unknown name, or a value of the wrong kind or out of bounds.
    """
    try:
        import tomllib
    except ImportError:  # Python 3.10
        import tomli as tomllib  # type: ignore[import-not-found,no-redef]

    try:
        values = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"corpus: cannot read {path} ({error.strerror}).") from error
    except (tomllib.TOMLDecodeError, UnicodeError) as error:
        raise InputError(f"corpus: {path} is no TOML ({error}).") from error
    known = {one.name: one for one in fields(Bounds)}
    given: dict[str, Any] = {}
    for name, told in values.items():
        check_choice("corpus", f"a name in {path}", name, known)
        kind = type(getattr(Bounds(), name))
        value = tuple(told) if isinstance(told, list) else told
        if name == "axes" and isinstance(value, dict):
            value = {axis: tuple(pair) if isinstance(pair, list) else pair for axis, pair in value.items()}
        if not isinstance(value, kind) or isinstance(value, bool) != (kind is bool):
            raise fail("corpus", f"{name} in {path}", f"be a {'list' if kind is tuple else kind.__name__}", repr(value))
        given[name] = value
    if any(not isinstance(preset, str) for preset in given.get("presets", ())):
        raise fail("corpus", f"presets in {path}", "be a list of names", list(given["presets"]))
    if any(not isinstance(share, (int, float)) for share in given.get("splits", {}).values()):
        raise fail("corpus", f"splits in {path}", "be shares", given["splits"])
    bounds = Bounds(**given)
    if bounds.songs:
        songs = (Path(path).parent / bounds.songs).absolute()
        if not songs.is_dir():
            raise InputError(f"corpus: songs in {path} names {songs}, which is no folder.")
        bounds = Bounds(**{**given, "songs": str(songs)})
    return bounds
