"""What the page may ask of recordings and trainings."""

from __future__ import annotations

import json
import os
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ddspvae.signals.checks import InputError, check_range
from ddspvae.studio.folders import check_name, inside
from ddspvae.studio.jobs import HEARD, command_line
from ddspvae.studio.shared import Studio, answered, uploaded
from ddspvae.studio.versions import SAMPLE_RATE, matching_gains_db

RECORDINGS = (".wav", ".flac", ".ogg", ".mp3", ".aif", ".aiff")


def training_routes(studio: Studio) -> list[Route]:
    """Recordings in, the doctor, start, stop, progress."""
    async def trainings(request: Request) -> Response:
        return JSONResponse(studio.trainings.list())

    async def add_recording(request: Request) -> Response:
        folder = studio.trainings.recordings(request.path_params["name"])
        path = inside(folder, check_name("file", request.query_params["name"]))
        if path.suffix.lower() not in RECORDINGS:
            raise InputError(f"studio: {path.name} is no recording ({', '.join(RECORDINGS)}).")
        async with uploaded(request, path.suffix) as file:
            part = path.with_name(f".{path.name}.part")
            part.write_bytes(file.read_bytes())
            os.replace(part, path)
        return JSONResponse(studio.trainings.list())

    async def remove_recording(request: Request) -> Response:
        path = inside(studio.trainings.recordings(request.path_params["name"]), request.query_params["name"])
        path.unlink(missing_ok=True)
        return JSONResponse(studio.trainings.list())

    async def examine(request: Request) -> Response:
        folder = studio.trainings.recordings(request.path_params["name"])
        report: dict[str, Any] = json.loads(await command_line(["train", str(folder), "--examine", "--json"],
                                                               {f"{folder}/": "", str(folder): folder.name}))
        for row in (*report["files"], *report["left_out"]):
            row["path"] = os.path.basename(row["path"])
        report["advice"] = [sentence.replace(f"{folder}/", "") for sentence in report["advice"]]
        return JSONResponse(report)

    async def start(request: Request) -> Response:
        asked, name = await request.json(), request.path_params["name"]
        if asked.get("go_on"):
            studio.trainings.go_on(name)
            return JSONResponse(studio.trainings.progress(name))
        minutes, steps = asked.get("minutes"), asked.get("steps")
        if minutes is not None:
            check_range("studio", "minutes", float(minutes), 0.05, 100_000)
        if (minutes is None) == (steps is None):
            raise InputError("studio: say how many minutes to train.")
        studio.trainings.start(name, minutes=minutes, steps=steps, start_from=str(asked.get("start_from") or ""))
        return JSONResponse(studio.trainings.progress(name))

    async def stop(request: Request) -> Response:
        studio.trainings.stop(request.path_params["name"])
        return JSONResponse({"stopping": True})

    async def progress(request: Request) -> Response:
        after = max(0, int(request.query_params.get("after", 0)))
        return JSONResponse(studio.trainings.progress(request.path_params["name"], after))

    async def sounds(request: Request) -> Response:
        paths = [studio.trainings.sound(request.path_params["name"], which) for which in HEARD]
        gains = matching_gains_db([await run_in_threadpool(studio.sounds.loudness_db, path) for path in paths])
        duration_s = studio.sounds.read(paths[0]).shape[1] / SAMPLE_RATE
        return JSONResponse({"duration_s": duration_s, "gain_db": dict(zip(HEARD, gains))})

    own = "/api/trainings/{name}"
    return [Route("/api/trainings", answered(trainings)),
            Route(f"{own}/files", answered(add_recording), methods=["POST"]),
            Route(f"{own}/remove", answered(remove_recording), methods=["POST"]),
            Route(f"{own}/examine", answered(examine), methods=["POST"]),
            Route(f"{own}/start", answered(start), methods=["POST"]), Route(f"{own}/stop", answered(stop), methods=["POST"]),
            Route(f"{own}/progress", answered(progress)), Route(f"{own}/sounds", answered(sounds))]
