"""A project: one folder with readable files, whole after every edit, that the command line renders too."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ddspvae.audio import FORMATS
from ddspvae.scores.read import NOTATION
from ddspvae.signals.checks import InputError
from ddspvae.signals.files import clear_leftovers, new_file
from ddspvae.studio.folders import inside, read_json, write_json, write_rows

FILE_FORMAT = "ddspvae studio 1"
PROJECT_FILE = "project.json"
SCORES, TAKES = (".mid", ".midi", ".kar", ".rmi", ".csv", *NOTATION), (*FORMATS, ".npz")


class Project:
    """What is kept of a project: the files that were given, and the edits of them in order.

    Args:
        folder: of the project; `project.json` in it holds names of scores and takes, and the edits.
    Raises:
        InputError: not a project, or one of a newer version.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if not (self.folder / PROJECT_FILE).is_file():
            raise InputError(f"studio: {self.folder} is not a project (it has no {PROJECT_FILE}).")
        content = read_json(self.folder / PROJECT_FILE)
        if not isinstance(content, dict) or content.get("format") != FILE_FORMAT:
            raise InputError(f"studio: {self.folder} was written by a newer ddspvae; upgrade with pip install -U ddspvae.")
        self.scores: list[str] = list(content["scores"])
        self.takes: list[dict[str, Any]] = list(content["takes"])
        self.edits: list[dict[str, Any]] = list(content["edits"])
        self.n_done = int(content["done"])  # the edits after it were undone

    @staticmethod
    def create(folder: Path) -> Project:
        """A new, empty project.

        Raises:
            InputError: there is one of that name.
        """
        try:
            folder.mkdir()
        except FileExistsError as error:
            raise InputError(f"studio: there is a project {folder.name} already; open it, or take another name.") from error
        except OSError as error:
            raise InputError(f"studio: cannot make {folder} ({error.strerror}).") from error
        write_json(folder / PROJECT_FILE, {"format": FILE_FORMAT, "scores": [], "takes": [], "edits": [], "done": 0})
        return Project(folder)

    @property
    def done(self) -> list[dict[str, Any]]:
        """The edits that hold."""
        return self.edits[: self.n_done]

    def save(self) -> None:
        """Write project.json whole."""
        try:
            write_rows(self.folder / PROJECT_FILE, {"format": FILE_FORMAT, "scores": self.scores, "takes": self.takes,
                                                    "done": self.n_done}, "edits", self.edits)
        except OSError as error:
            raise InputError(f"studio: cannot write {self.folder} ({error.strerror}); has its disk room?") from error

    def add_edit(self, edit: Mapping[str, Any]) -> None:
        """One more edit; what was undone before is forgotten."""
        del self.edits[self.n_done :]
        self.edits.append(dict(edit))
        self.n_done += 1
        self.save()

    def move(self, by: int) -> bool:
        """Undo (-1) or redo (+1); False where there is nothing to."""
        if not 0 <= self.n_done + by <= len(self.edits):
            return False
        self.n_done += by
        self.save()
        return True

    def take_in(self, source: Path, name: str) -> Path:
        """Copy a file into the project, under a name that is free."""
        path = inside(self.folder, name)
        stem, number = path.stem, 2
        while path.exists():
            path = inside(self.folder, f"{stem} {number}{path.suffix}")
            number += 1
        clear_leftovers(self.folder)
        try:
            with new_file(path) as part:
                shutil.copyfile(source, part)
        except OSError as error:
            raise InputError(f"studio: cannot write {path} ({error.strerror}); has its disk room?") from error
        return path
