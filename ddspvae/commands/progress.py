"""How far a verb is: a bar on terminals, nothing in a pipe."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.progress import Progress


class Quiet:
    """A progress bar that nobody sees, for pipes: what draws on a terminal takes its time to load."""

    def __enter__(self) -> Quiet:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def add_task(self, description: str, total: float | None = None) -> Any:
        """Something to do."""

    def advance(self, task: Any, advance: float = 1) -> None:
        """Some of it is done."""

    def update(self, task: Any, **news: Any) -> None:
        """How it is called now, and how far it is."""


def progress_bar() -> Progress | Quiet:
    """On a terminal; quiet in a pipe."""
    if not sys.stderr.isatty():
        return Quiet()
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)
