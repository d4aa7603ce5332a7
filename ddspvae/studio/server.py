"""The studio: a server on this machine for one page, bound to 127.0.0.1, and nothing of it comes from elsewhere."""

from __future__ import annotations

import contextlib
import logging
import socket
import sys
import threading
import webbrowser
from collections.abc import AsyncIterator
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from ddspvae.signals.checks import InputError
from ddspvae.studio.folders import Home
from ddspvae.studio.live import open_instrument
from ddspvae.studio.routes import routes
from ddspvae.studio.safety import Guard
from ddspvae.studio.shared import Studio
from ddspvae.studio.worker import Worker

HOST = "127.0.0.1"
FIRST = "violin"
MOST_MESSAGE_BYTES = 1_000_000  # over a websocket


def make_app(home: Home, port: int, token: str, worker: Worker, *, warm: bool = True) -> Guard:
    """The application, guarded; warm, it gets ready for the first key and the first score at once."""
    @contextlib.asynccontextmanager
    async def living(app: Starlette) -> AsyncIterator[None]:
        if warm:
            worker.start()
            threading.Thread(target=wake_up, daemon=True).start()
        yield
        worker.stop()

    return Guard(Starlette(routes=routes(Studio(home, worker)), lifespan=living), port, token)


def wake_up() -> None:
    """Open the instrument that the page begins with, before a key waits for it."""
    with contextlib.suppress(InputError):
        open_instrument(FIRST)


def open_socket(port: int) -> socket.socket:
    """Listen on 127.0.0.1.

    Args:
        port: 0 takes a free one.
    Raises:
        InputError: somebody has it.
    """
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((HOST, port))
        sock.listen(128)  # who comes before the server is ready waits
    except (OSError, OverflowError) as error:
        sock.close()
        raise InputError(f"studio: port {port} of this machine cannot be had ({error}); choose another --port, or 0 for a "
                         "free one.") from error
    return sock


def serve(folder: str | Path, port: int = 8765, *, browser: bool = True) -> None:
    """Serve the studio until it is ended.

    Args:
        folder: of projects, instruments and recordings; made where it is missing.
        port: 0 takes a free one.
        browser: open the page.
    Raises:
        InputError: the folder or the port cannot be had.
    """
    home = Home(folder)
    sock = open_socket(port)
    port = sock.getsockname()[1]
    token = home.token()
    address = f"http://{HOST}:{port}/?token={token}"
    print(f"The studio is at {address}\nIts files are in {home.root}. Control-C ends it.", flush=True)
    if browser:
        threading.Timer(0.7, webbrowser.open, [address]).start()
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # a page that was closed while it listened is nothing to warn of
    sys.setswitchinterval(0.0005)  # what plays live waits no longer for another thread
    config = uvicorn.Config(make_app(home, port, token, Worker()), log_level="critical", ws="websockets-sansio",
                            access_log=False, ws_max_size=MOST_MESSAGE_BYTES, ws_per_message_deflate=False,
                            timeout_graceful_shutdown=2, server_header=False)
    uvicorn.Server(config).run(sockets=[sock])
