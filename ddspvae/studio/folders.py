"""Where the studio keeps things: projects, instruments and recordings, each name checked, each path inside."""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ddspvae.signals.checks import InputError, printable
from ddspvae.signals.files import new_file

NAME = re.compile(r"\w[\w .,+()&'#-]*")
LONGEST_NAME = 80
FREE_BYTES = 200_000_000  # of the disk, that uploads leave


def check_name(what: str, name: Any) -> str:
    """A name that a person gave, as one of a file or a folder.

    Raises:
        InputError: empty, too long, hidden, or with anything that a path could be made of.
    """
    if not isinstance(name, str) or not NAME.fullmatch(name.strip()) or len(name.strip().encode()) > LONGEST_NAME:
        shown = printable(str(name)[:40])
        raise InputError(f"studio: the name of a {what} must be letters, digits and spaces, {LONGEST_NAME} at most, "
                         f"got '{shown}'.")
    return name.strip().rstrip(".")


def inside(folder: Path, name: str) -> Path:
    """A path of one name right inside a folder, links followed.

    Raises:
        InputError: it would lie elsewhere.
    """
    path = folder / check_name("file", name)
    if path.resolve().parent != folder.resolve():
        raise InputError(f"studio: {printable(name)} lies outside of its folder.")
    return path


def write_json(path: Path, content: Any) -> None:
    """Write it whole, and have it on the disk before going on."""
    with new_file(path) as part, part.open("w", encoding="utf-8") as file:
        json.dump(content, file, ensure_ascii=False, indent=1)
        file.flush()
        os.fsync(file.fileno())


def write_rows(path: Path, head: dict[str, Any], name: str, rows: Sequence[Any]) -> None:
    """As `write_json`, quicker for what grows: a list at the end, a row a line."""
    begin = json.dumps(head, ensure_ascii=False, indent=1)[:-2]
    lines = ",\n".join(f"  {json.dumps(row, ensure_ascii=False)}" for row in rows)
    with new_file(path) as part, part.open("w", encoding="utf-8") as file:
        file.write(f'{begin},\n "{name}": [\n{lines}\n ]\n}}\n')
        file.flush()
        os.fsync(file.fileno())


def read_json(path: Path, otherwise: Any = None) -> Any:
    """What `write_json` wrote; `otherwise` where there is nothing."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return otherwise
    except (ValueError, OSError) as error:
        raise InputError(f"studio: {path} cannot be read ({error}).") from error


class Home:
    """The folder of the studio.

    Args:
        root: made where it is missing; holds projects/, instruments/ and recordings/.
    Raises:
        InputError: it cannot be made or written.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root).expanduser().absolute()
        self.projects, self.instruments = self.root / "projects", self.root / "instruments"
        self.recordings = self.root / "recordings"
        try:
            for folder in (self.projects, self.instruments, self.recordings):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"studio: cannot make {self.root} ({error.strerror}); choose another --folder.") from error

    def token(self) -> str:
        """What must stand in the address: kept, so that a page finds its server again after that was ended."""
        path = self.root / ".token"
        try:
            kept = path.read_text(encoding="ascii").strip()
            if len(kept) >= 32:
                return kept
        except (OSError, ValueError):
            pass
        token = secrets.token_urlsafe(32)
        path.unlink(missing_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(token)
        return token

    def list_projects(self) -> list[dict[str, Any]]:
        """Name and time of each, the latest first."""
        found = [(path.parent.name, path.stat().st_mtime) for path in self.projects.glob("*/project.json")]
        return [{"name": name, "changed": changed} for name, changed in sorted(found, key=lambda one: -one[1])]

    def list_instruments(self) -> list[dict[str, Any]]:
        """What can play: the shipped ones, one between two of the many, and one's own."""
        from ddspvae.instrument.presets import find_preset, list_presets, read_card

        rows = []
        for name in [*list_presets(), *sorted(str(path) for path in self.instruments.glob("*.safetensors"))]:
            try:
                card = read_card(find_preset(name))
            except InputError:
                continue  # being written, or of another version; the library says so when it is opened
            statistics, own = card["statistics"], os.sep in name
            rows.append({"preset": name, "name": Path(name).stem if own else name, "own": own,
                         "low": statistics["pitch_low"], "high": statistics["pitch_high"],
                         "minutes": statistics["minutes"], "licence": card["licence"],
                         "timbres": sorted(card.get("timbres") or ()), "metrics": card["metrics"].get("validation", {}),
                         "axes": [axis for axis in card.get("axes", {}) if not re.fullmatch(r"z\d+|timbre\d+", axis)]})
        return rows
