"""Who may ask: only the page that this server served, to the person who started it."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qs

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]]

MOST_JSON_BYTES = 8_000_000
MOST_UPLOAD_BYTES = 400_000_000  # half an hour of stereo at 48 kHz in 24 bits is 520 MB; a take is minutes
UPLOADS = "/files"  # the end of paths that take whole files


class Guard:
    """Refuses before anything is read: foreign hosts and origins, requests without the token, bodies that are too large.

    Args:
        app: what answers those that pass.
        port: of this server.
        token: that the address or the cookie must hold.
    """

    def __init__(self, app: App, port: int, token: str) -> None:
        self._app, self._token = app, token
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        self._origins = {f"http://{host}" for host in self._hosts}
        self.cookie = f"ddspvae-{port}"
        sockets = " ".join(f"ws://{host}" for host in sorted(self._hosts))
        policy = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
                  f"media-src 'self' blob:; connect-src 'self' {sockets}; worker-src 'self'; font-src 'self'; "
                  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
        self._headers = [(name.encode(), value.encode()) for name, value in (
            ("content-security-policy", policy), ("x-content-type-options", "nosniff"), ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"), ("cross-origin-resource-policy", "same-origin"),
            ("x-frame-options", "DENY"), ("cache-control", "no-store"))]

    async def __call__(self, scope: Scope, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
                       ) -> None:
        """As ASGI has it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        asked = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        status, sentence = self._fault(scope, headers, asked)
        if status:
            await _refuse(scope, receive, send, status, sentence, self._headers)
            return
        if scope["type"] == "http" and scope["path"] == "/" and "token" in asked:
            cookie = f"{self.cookie}={self._token}; HttpOnly; SameSite=Strict; Path=/"
            start = {"type": "http.response.start", "status": 303, "headers": [
                *self._headers, (b"set-cookie", cookie.encode()), (b"location", b"/"), (b"content-length", b"0")]}
            await send(start)
            await send({"type": "http.response.body", "body": b""})
            return
        if scope["type"] == "websocket":
            await self._app(scope, receive, send)
            return

        left = MOST_UPLOAD_BYTES if scope["path"].endswith(UPLOADS) else MOST_JSON_BYTES

        async def counted() -> Any:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise TooLarge
            return message

        async def headed(message: Any) -> None:
            if message["type"] == "http.response.start":
                own = {name.lower() for name, _ in message.get("headers", ())}
                message = {**message, "headers": [*message.get("headers", ()), *(
                    (name, value) for name, value in self._headers if name not in own)]}
            await send(message)

        try:
            await self._app(scope, counted, headed)
        except TooLarge:
            await _refuse(scope, receive, send, 413, _too_large(scope["path"]), self._headers)

    def _fault(self, scope: Scope, headers: dict[str, str], asked: dict[str, list[str]]) -> tuple[int, str]:
        if headers.get("host", "") not in self._hosts:
            return 421, "studio: this server answers only to its own address, 127.0.0.1."
        changes = scope["type"] == "websocket" or scope["method"] not in ("GET", "HEAD")
        origin = headers.get("origin")
        if (origin is not None and origin not in self._origins) or (changes and origin is None):
            return 403, "studio: only the studio's own page may ask this."
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return 403, "studio: only the studio's own page may ask this."
        cookie: SimpleCookie = SimpleCookie()
        try:
            cookie.load(headers.get("cookie", ""))
        except Exception:  # whatever a broken cookie raises
            cookie = SimpleCookie()
        given = cookie[self.cookie].value if self.cookie in cookie else asked.get("token", [""])[0]
        if not hmac.compare_digest(given.encode(), self._token.encode()):
            return 403, "studio: the address lacks its token; open the one that ddspvae studio printed."
        length = headers.get("content-length", "0")
        most = MOST_UPLOAD_BYTES if scope["path"].endswith(UPLOADS) else MOST_JSON_BYTES
        if not length.isdecimal() or int(length) > most:
            return 413, _too_large(scope["path"])
        return 0, ""


class TooLarge(Exception):
    """More came than may."""


def _too_large(path: str) -> str:
    most = MOST_UPLOAD_BYTES if path.endswith(UPLOADS) else MOST_JSON_BYTES
    return f"studio: that is larger than the {most // 1_000_000} MB that may come at once; cut the file in pieces."


async def _refuse(scope: Scope, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]], status: int,
                  sentence: str, headers: list[tuple[bytes, bytes]]) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 4403, "reason": sentence[:120]})
        return
    body = sentence.encode()
    await send({"type": "http.response.start", "status": status, "headers": [
        *headers, (b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode()),
        (b"connection", b"close")]})
    await send({"type": "http.response.body", "body": body})
