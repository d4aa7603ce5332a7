"""What the routes share: open projects, answers whose sentences reach the page, and files that come in."""

from __future__ import annotations

import contextlib
import tempfile
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from ddspvae.signals.checks import InputError
from ddspvae.studio.folders import Home, check_name, inside
from ddspvae.studio.jobs import Trainings
from ddspvae.studio.safety import TooLarge
from ddspvae.studio.versions import Sounds, kept
from ddspvae.studio.worker import Worker

Handler = Callable[[Request], Awaitable[Response]]


class Studio:
    """What the routes share.

    Args:
        home: the folder of everything.
        worker: performs and renders.
    """

    def __init__(self, home: Home, worker: Worker) -> None:
        self.home, self.worker, self.trainings = home, worker, Trainings(home)
        self._views: dict[str, dict[str, Any]] = {}
        self.sounds = Sounds()

    def folder(self, project: str) -> Path:
        """Of a project that is there."""
        path = inside(self.home.projects, check_name("project", project))
        if not path.is_dir():
            raise InputError(f"studio: there is no project {check_name('project', project)}.")
        return path

    def view(self, project: str) -> dict[str, Any]:
        """What was shown last."""
        if project not in self._views:
            raise InputError(f"studio: the project {project} is not open.")
        return self._views[project]

    async def ask(self, project: str, method: str, **arguments: Any) -> dict[str, Any]:
        """A method that shows the project, whose view is kept; or shows of its parts only those that have changed."""
        view: dict[str, Any] = await self.worker.call(method, self.folder(project), **arguments)
        if not view.get("partial"):
            self._views[project] = view
        elif project in self._views:
            changed = {part["number"]: part for part in view["parts"]}
            parts = [changed.get(part["number"], part) for part in self._views[project]["parts"]]
            self._views[project] = {**view, "parts": parts, "partial": False}
        return view

    async def opened(self, project: str) -> dict[str, Any]:
        """What was shown last, or now."""
        return self.view(project) if project in self._views else await self.ask(project, "open")

    def sound_file(self, project: str, source: dict[str, Any]) -> Path:
        """The file of a sound that is heard as it is: a version, the recording of a take, or of a training.

        Raises:
            InputError: there is none.
        """
        if source["kind"] == "training":
            return self.trainings.sound(source["name"], source["which"])
        if source["kind"] == "take":
            return self.folder(project) / self.view(project)["takes"][source["take"]]["name"]
        return kept(self.folder(project))[int(source["id"])].path


def answered(handler: Handler) -> Handler:
    """A handler whose sentences reach the page: 400 and the command line's words."""
    async def run(request: Request) -> Response:
        try:
            return await handler(request)
        except InputError as error:
            return PlainTextResponse(str(error), 400)
        except (KeyError, ValueError, TypeError, IndexError) as error:
            return PlainTextResponse(f"studio: the page asked for what cannot be ({error}).", 400)
        except TooLarge:
            raise  # to the guard
        except Exception as error:  # our own bug: told here in full, and there in a sentence
            traceback.print_exc()
            kind = type(error).__name__
            return PlainTextResponse(f"studio: a fault of its own ({kind}); what was saved is not lost.", 500)

    return run


@contextlib.asynccontextmanager
async def uploaded(request: Request, ending: str) -> AsyncIterator[Path]:
    """The body of a request as a file, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="ddspvae-studio-") as folder:
        path = Path(folder) / f"upload{ending}"
        with path.open("wb") as file:
            async for chunk in request.stream():
                file.write(chunk)
        if not path.stat().st_size:
            raise InputError("studio: the file is empty.")
        yield path

