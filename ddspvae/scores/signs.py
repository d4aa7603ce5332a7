"""What directions of both formats are gathered in, so that each means the same whichever file it came from."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from ddspvae.scores.dynamics import SFORZATI, TWOFOLD, VELOCITIES
from ddspvae.scores.words import FASTER, SLOWER, find_kind, find_tempo
from ddspvae.scores.written import Dynamic, Hairpin, Tempo, TempoChange

LEAPS = ("da_capo", "dal_segno", "to_coda", "fine")
LONGEST_WORDS = 30  # characters of a direction that is quoted


@dataclass
class Signs:
    """The signs of one part, and those that it has for all."""

    dynamics: list[Dynamic] = field(default_factory=list)
    hairpins: list[Hairpin] = field(default_factory=list)
    tempi: list[Tempo] = field(default_factory=list)
    worded_tempi: list[Tempo] = field(default_factory=list)  # which count where no number stands
    tempo_changes: list[TempoChange] = field(default_factory=list)
    sforzati: set[float] = field(default_factory=set)
    plucks: list[tuple[float, bool]] = field(default_factory=list)  # from a place on: plucked, or bowed again
    left_out: Counter[str] = field(default_factory=Counter)

    def add_dynamic(self, at: float, name: str) -> bool:
        """A dynamic by its letters; whether it is one."""
        if name in VELOCITIES:
            self.dynamics.append(Dynamic(at, VELOCITIES[name]))
        elif name in TWOFOLD:
            first, then = TWOFOLD[name]
            self.dynamics.append(Dynamic(at, VELOCITIES[then], VELOCITIES[first]))
        elif name in SFORZATI:
            self.sforzati.add(round(at, 6))
        else:
            return False
        return True

    def add_words(self, at: float, text: str) -> tuple[str, list[Any], int] | None:
        """A direction in words.

        Returns:
            what it is and where it was put, (kind, list, index), so that dashes can end it; None for what has no length.
        """
        kind = find_kind(text)
        if kind in ("louder", "softer"):
            self.hairpins.append(Hairpin(at, None, 1 if kind == "louder" else -1))
            return kind, self.hairpins, len(self.hairpins) - 1
        if kind in ("slower", "faster"):
            self.tempo_changes.append(TempoChange(at, None, SLOWER if kind == "slower" else FASTER))
            return kind, self.tempo_changes, len(self.tempo_changes) - 1
        if kind in ("a_tempo", "first_tempo"):
            self.tempi.append(Tempo(at, 0 if kind == "a_tempo" else -1))
        elif kind == "tempo":
            self.worded_tempi.append(Tempo(at, find_tempo(text)))
        elif kind in ("plucked", "bowed"):
            self.plucks.append((at, kind == "plucked"))
        elif kind not in LEAPS and text.strip() and not self.add_dynamic(at, text.strip().lower().rstrip(".")):
            quoted = " ".join(text.split())[:LONGEST_WORDS]
            self.left_out[f'the words "{quoted}"'] += 1
        return None

    def plucked(self, end: float) -> list[tuple[float, float]]:
        """Spans of pizzicato, to the end of the score where nothing ends one."""
        spans: list[tuple[float, float]] = []
        since: float | None = None
        for at, is_plucked in sorted(self.plucks):
            if is_plucked and since is None:
                since = at
            elif not is_plucked and since is not None:
                spans.append((since, at))
                since = None
        return spans if since is None else [*spans, (since, end)]

    def all_tempi(self) -> list[Tempo]:
        """Numbers, and words where no number stands."""
        said = {round(tempo.at, 3) for tempo in self.tempi}
        return [*self.tempi, *(tempo for tempo in self.worded_tempi if round(tempo.at, 3) not in said)]
