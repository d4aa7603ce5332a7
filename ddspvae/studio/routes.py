"""What the page may ask: every answer is a call of the package, and nothing is worked out here."""

from __future__ import annotations

import base64
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket

import ddspvae
from ddspvae.performer.transcribe import write_midi
from ddspvae.signals import Note, Notes
from ddspvae.signals.checks import InputError
from ddspvae.studio.folders import check_name, inside
from ddspvae.studio.jobs import command_line
from ddspvae.studio.listen import Canvases, listen, mixed, rendered_share
from ddspvae.studio.live import play
from ddspvae.studio.picture import picture
from ddspvae.studio.project import SCORES, TAKES, Project
from ddspvae.studio.routes_training import training_routes
from ddspvae.studio.shared import Handler, Studio, answered, uploaded
from ddspvae.studio.taken import KINDS, preset_file
from ddspvae.studio.versions import SAMPLE_RATE, forget, keep, kept, loudness_of, matching_gains_db

PAGE = Path(__file__).parent / "page"
SOUNDS = ("wav", "flac", "ogg")
UNREADY = "studio: it is still being rendered; keep it when the bar is full."


def routes(studio: Studio) -> list[Any]:
    """All of them."""
    async def index(request: Request) -> Response:
        return FileResponse(PAGE / "index.html")

    async def home(request: Request) -> Response:
        rows = await run_in_threadpool(studio.home.list_instruments)
        return JSONResponse({"instruments": rows, "projects": studio.home.list_projects(), "folder": str(studio.home.root),
                             "version": ddspvae.__version__, "trainings": studio.trainings.list()})

    async def alive(request: Request) -> Response:
        return JSONResponse({"version": ddspvae.__version__})

    async def create(request: Request) -> Response:
        name = check_name("project", (await request.json())["name"])
        Project.create(inside(studio.home.projects, name))
        return JSONResponse(await studio.ask(name, "open"))

    async def show(request: Request) -> Response:
        project = request.path_params["project"]
        return JSONResponse(await studio.ask(project, "open"))

    async def progress(request: Request) -> Response:
        project = request.path_params["project"]
        share = await run_in_threadpool(rendered_share, studio.folder(project), await studio.opened(project))
        return JSONResponse({"rendered": share})

    async def files(request: Request) -> Response:
        project, name = request.path_params["project"], check_name("file", request.query_params["name"])
        ending = Path(name).suffix.lower()
        async with uploaded(request, ending) as path:
            if ending in SCORES:
                return JSONResponse(await studio.ask(project, "add_score", source=str(path), name=name))
            if ending not in TAKES:
                raise InputError(f"studio: {name} is no score ({', '.join(SCORES)}) and no sound ({', '.join(TAKES)}).")
            preset = request.query_params.get("preset", "violin")
            performance = path
            if ending != ".npz":
                performance = path.with_name("performance.npz")
                await command_line(["analyze", str(path), "--preset", preset, "--out", str(performance)], {str(path): name})
            return JSONResponse(await studio.ask(project, "add_take", source=None if ending == ".npz" else str(path),
                                                 name=name, preset=preset, performance=str(performance)))

    async def edits(request: Request) -> Response:
        began = time.perf_counter()
        asked = await request.json()
        hear_s = asked.pop("hear_s", None)
        view = await studio.ask(request.path_params["project"], "edit", edit=asked,
                                hear_s=None if hear_s is None else float(hear_s))
        return JSONResponse({**view, "took_s": time.perf_counter() - began})

    async def undo(request: Request) -> Response:
        return JSONResponse(await studio.ask(request.path_params["project"], "undo"))

    async def redo(request: Request) -> Response:
        return JSONResponse(await studio.ask(request.path_params["project"], "redo"))

    async def curves(request: Request) -> Response:
        asked = {name: (float if name.endswith("_s") else int)(value) for name, value in request.query_params.items()}
        folder = studio.folder(request.path_params["project"])
        return JSONResponse(await studio.worker.call("curves", folder, **asked))

    async def controls(request: Request) -> Response:
        folder = studio.folder(request.path_params["project"])
        return JSONResponse(await studio.worker.call("controls", folder, note=request.query_params["note"]))

    async def table(request: Request) -> Response:
        folder = studio.folder(request.path_params["project"])
        asked = {name: int(request.query_params[name]) for name in ("part", "line")}
        return JSONResponse(await studio.worker.call("table", folder, **asked))

    async def played(request: Request) -> Response:
        rows = (await request.json())["notes"]
        notes = Notes(tuple(sorted((Note(row["pitch"], row["velocity"], row["onset_s"], row["offset_s"]) for row in rows),
                                   key=lambda note: note.onset_s)), name="played")
        if not notes.notes:
            raise InputError("studio: nothing was played; press keys while it records.")
        with tempfile.TemporaryDirectory() as folder:
            write_midi(notes, Path(folder) / "played.mid")
            return JSONResponse(await studio.ask(request.path_params["project"], "add_score",
                                                 source=str(Path(folder) / "played.mid"), name="played.mid"))

    async def match(request: Request) -> Response:
        project, number = request.path_params["project"], int(request.path_params["take"])
        take = (await studio.opened(project))["takes"][number]
        own = {"parts": [{**take, "mute": False, "solo": False, "gain_db": 0, "level_db": 0, "pans": [[0.0, 0.5]]}]}
        length = round(take["duration_s"] * SAMPLE_RATE)
        sound, whole = await run_in_threadpool(mixed, studio.folder(project), own, 0, length, Canvases())
        if not whole:
            raise InputError(UNREADY)
        recording = studio.sound_file(project, {"kind": "take", "take": number})
        gains = matching_gains_db([await run_in_threadpool(studio.sounds.loudness_db, recording),
                                   await run_in_threadpool(loudness_of, sound * np.sqrt(2))])
        return JSONResponse(dict(zip(("recording", "result"), gains)))

    async def versions(request: Request) -> Response:
        project = request.path_params["project"]
        view, folder = await studio.opened(project), studio.folder(project)
        found = await run_in_threadpool(kept, folder)
        if request.method == "POST":
            asked = await request.json()
            if "forget" in asked:
                found = await run_in_threadpool(forget, folder, int(asked["forget"]))
            else:
                length = round((view["duration_s"] + 2.0) * SAMPLE_RATE)
                sound, whole = await run_in_threadpool(mixed, folder, view, 0, length, Canvases())
                if not whole:
                    raise InputError(UNREADY)
                found = await run_in_threadpool(keep, folder, asked["label"], sound)
        gains = matching_gains_db([version.loudness_db for version in found])
        return JSONResponse([{"id": number, "label": one.label, "loudness_db": round(one.loudness_db, 2), "gain_db": gain}
                             for number, (one, gain) in enumerate(zip(found, gains))])

    async def picture_of(request: Request) -> Response:
        project, take = request.path_params["project"], int(request.path_params["take"])
        await studio.opened(project)
        recording = studio.sound_file(project, {"kind": "take", "take": take})
        drawn = await run_in_threadpool(lambda: picture(studio.sounds.read(recording)[0], SAMPLE_RATE))
        return JSONResponse({**drawn, "levels": base64.b64encode(drawn["levels"]).decode("ascii")})

    async def export(request: Request) -> Response:
        project, asked = request.path_params["project"], await request.json()
        folder, kind = studio.folder(project), asked["kind"]
        exports = folder / "exports"
        exports.mkdir(exist_ok=True)
        if kind in KINDS:
            names = await studio.worker.call("export", folder, kind=kind, to=str(exports), take=int(asked.get("take", 0)))
            return JSONResponse({"files": names})
        if kind not in (*SOUNDS, "stems"):
            raise InputError(f"studio: nothing is exported as {kind!r}.")
        out = exports / f"{project}.{'wav' if kind == 'stems' else kind}"
        arguments = ["render", str(folder), "--out", str(out)]
        if "take" in asked:
            number = int(asked["take"])
            names = await studio.worker.call("export", folder, kind="take-performance", to=str(exports), take=number)
            take = studio.view(project)["takes"][number]
            out = exports / f"{Path(take['name']).stem} edited.{kind}"
            arguments = ["render", str(exports / names[0]), "--preset", take["preset"], "--out", str(out)]
        if kind == "stems":
            arguments += ["--stems", str(exports / "stems")]
        if kind in ("wav", "flac") and asked.get("bit_depth") in ("16", "24", "float"):
            arguments += ["--bit-depth", asked["bit_depth"]]
        await command_line(arguments)
        stems = sorted(f"stems/{path.name}" for path in (exports / "stems").glob("*.wav")) if kind == "stems" else []
        return JSONResponse({"files": [out.name, *stems]})

    async def exported(request: Request) -> Response:
        exports = studio.folder(request.path_params["project"]) / "exports"
        names = request.path_params["name"].split("/")
        folder = exports / "stems" if names[0] == "stems" and len(names) == 2 else exports
        path = inside(folder, names[-1])
        if len(names) > 2 or not path.is_file():
            raise InputError("studio: there is no such file to take away.")
        return FileResponse(path, filename=path.name)

    async def preset(request: Request) -> Response:
        known = {row["preset"] for row in await run_in_threadpool(studio.home.list_instruments)}
        if request.query_params["preset"] not in known:
            raise InputError("studio: there is no such instrument.")
        path = preset_file(request.query_params["preset"])
        return FileResponse(path, filename=path.name)

    async def listening(socket: WebSocket) -> None:
        await listen(socket, studio, studio.worker)

    own = "/api/projects/{project}"
    asked: list[tuple[str, Handler, str]] = [
        ("/api/home", home, "GET"), ("/api/alive", alive, "GET"), ("/api/projects", create, "POST"),
        (own, show, "GET"), (f"{own}/progress", progress, "GET"), (f"{own}/files", files, "POST"),
        (f"{own}/edits", edits, "POST"), (f"{own}/undo", undo, "POST"),
        (f"{own}/redo", redo, "POST"), (f"{own}/curves", curves, "GET"), (f"{own}/controls", controls, "GET"),
        (f"{own}/table", table, "GET"), (f"{own}/played", played, "POST"), (f"{own}/versions", versions, "POST"),
        (f"{own}/versions", versions, "GET"), (f"{own}/takes/{{take:int}}/match", match, "GET"),
        (f"{own}/takes/{{take:int}}/picture", picture_of, "GET"), (f"{own}/export", export, "POST"),
        (f"{own}/exports/{{name:path}}", exported, "GET"), ("/api/preset", preset, "GET")]
    return [Route("/", index), *(Route(path, answered(handler), methods=[method]) for path, handler, method in asked),
            *training_routes(studio), WebSocketRoute("/api/play", play), WebSocketRoute("/api/listen", listening),
            Mount("/page", StaticFiles(directory=PAGE))]
