"""The server of `fastetl pad`: the page's files, answers of the network, and the folder of samples."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
from h11 import LocalProtocolError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from export.names import LABELS
from fastetl import __version__
from fastetl.errors import FastetlError
from fastetl.ink.drawings import Drawing, rasterize
from fastetl.ink.samples import MOST_BYTES
from fastetl.synth.practice import practice
from fastetl_cli.base import note
from fastetl_cli.web.about import TYPES, Package, page_files
from fastetl_cli.web.reading import BusyError, Reader
from fastetl_cli.web.safety import HEADERS, Guard, Limits, Rates
from fastetl_cli.web.store import FullError, Store

__all__ = ["make_app"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Handler = Callable[[Request], Awaitable[Response]]


def _fault(status: int, text: str) -> Response:
    """One line, whatever was sent."""
    return PlainTextResponse(" ".join(text.split())[:300] + "\n", status)


class _Guarded:
    """Turns away what does not come from the page, and adds the headers that every answer has."""

    def __init__(self, app: App, guard: Guard, limits: Limits) -> None:
        self._app, self._guard, self._rates = app, guard, Rates(limits)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        begun = False

        async def with_headers(message: MutableMapping[str, Any]) -> None:
            nonlocal begun
            begun = True
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._answer(scope, receive, with_headers)
        except (ClientDisconnect, LocalProtocolError):
            pass  # who breaks the protocol within a body has had uvicorn's answer, and takes no other
        except Exception as error:
            note(f"fastetl pad: a fault in fastetl: {type(error).__name__}: {error}")
            if not begun:
                await _fault(500, "a fault in fastetl; the terminal says which")(scope, receive, with_headers)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        public = scope["path"] == "/" or scope["path"].removeprefix("/") in page_files()
        fault = self._guard.fault(Headers(scope=scope), not public)
        if fault is None and not self._rates.take((scope.get("client") or ("", 0))[0]):
            fault = 429, "too many requests: wait a second"
        await (self._app if fault is None else _fault(*fault))(scope, receive, send)


async def _body(request: Request, most: int, seconds: float) -> bytes:
    """The body, if it is at most `most` bytes and comes in time."""
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared[:12]) > most:
        raise HTTPException(413, f"at most {most:,} bytes")
    parts, size = [], 0
    try:
        async with asyncio.timeout(seconds):
            async for part in request.stream():
                size += len(part)
                if size > most:
                    raise HTTPException(413, f"at most {most:,} bytes")
                parts.append(part)
    except TimeoutError as error:
        raise HTTPException(408, f"the body did not come within {seconds:g} seconds") from error
    return b"".join(parts)


def _require_type(request: Request, kind: str) -> None:
    # A form of another site can send neither of the two types without asking first.
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != kind:
        raise HTTPException(415, f"expected content of type {kind}")


class _Pages:
    """The handlers."""

    def __init__(self, package: Package, reader: Reader, store: Store | None, limits: Limits) -> None:
        self.package, self.reader, self.store, self.limits = package, reader, store, limits
        self.side = package.recognizer.side
        self.about = package.about(engine="server", samples=store is not None)
        self.labels = (package.recognizer.path / LABELS).read_bytes()
        self.line_files = package.line_files()

    async def page(self, request: Request) -> Response:
        name = request.url.path.removeprefix("/") or "index.html"
        content = page_files().get(name)
        if content is None:
            raise HTTPException(404, "no such page")
        return Response(content, headers={"content-type": TYPES["." + name.rpartition(".")[2]]})

    async def said(self, request: Request) -> Response:
        return JSONResponse(self.about)

    async def listed_labels(self, request: Request) -> Response:
        return Response(self.labels, media_type="application/json")

    async def line_file(self, request: Request) -> Response:
        name = request.url.path.removeprefix("/")
        return Response(self.line_files[name], headers={"content-type": TYPES["." + name.rpartition(".")[2]]})

    async def kana(self, request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(practice))

    async def read(self, request: Request) -> Response:
        """N × side × side bytes of pictures → N × labels probabilities, float32, little-endian."""
        _require_type(request, "application/octet-stream")
        picture_bytes = self.side**2
        body = await _body(request, self.limits.pictures * picture_bytes, self.limits.seconds)
        if not body or len(body) % picture_bytes:
            raise HTTPException(400, f"expected 1 to {self.limits.pictures} pictures of {picture_bytes:,} bytes")
        pictures = np.frombuffer(body, np.uint8).reshape(-1, self.side, self.side)
        try:
            probabilities = await self.reader.ask(pictures)
        except BusyError as error:
            raise HTTPException(429, "too many pictures wait: ask again in a second") from error
        return Response(probabilities.astype("<f4").tobytes(), media_type="application/octet-stream")

    def _require_store(self) -> Store:
        if self.store is None:
            raise HTTPException(404, "no samples are kept: start fastetl pad with --samples DIR")
        return self.store

    async def keep(self, request: Request) -> Response:
        store = self._require_store()
        _require_type(request, "application/json")
        body = await _body(request, MOST_BYTES // 2, self.limits.seconds)
        try:
            values = json.loads(body)
            if not isinstance(values, dict):
                raise HTTPException(400, "expected a JSON object")
            sample = await run_in_threadpool(store.add, values, f"pad {__version__}")
        except (ValueError, RecursionError, FastetlError) as error:
            raise HTTPException(400, str(error) or "nested too deeply") from error
        except FullError as error:
            raise HTTPException(409, "the folder of samples is full: empty it, or name another") from error
        except OSError as error:
            raise HTTPException(409, f"the sample cannot be written: {error.strerror or error}") from error
        return JSONResponse({"id": sample.id, "file": f"{sample.time[:10]}.jsonl"}, 201)

    async def listed(self, request: Request) -> Response:
        return JSONResponse({"files": await run_in_threadpool(self._require_store().listed)})

    async def shown(self, request: Request) -> Response:
        try:
            listing = await run_in_threadpool(self._require_store().shown, request.path_params["name"])
        except (FastetlError, OSError) as error:
            raise HTTPException(409, str(error)) from error
        if listing is None:
            raise HTTPException(404, "no such file")
        return JSONResponse(listing)

    async def remove(self, request: Request) -> Response:
        names = request.path_params
        try:
            removed = await run_in_threadpool(self._require_store().remove, names["name"], names["identity"])
        except (FastetlError, OSError) as error:
            raise HTTPException(409, str(error)) from error
        if not removed:
            raise HTTPException(404, "no such sample")
        return Response(status_code=204)


async def _fault_of(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    response = _fault(error.status_code, error.detail)
    response.headers.update(error.headers or {})
    if error.status_code in (408, 413):
        response.headers["connection"] = "close"  # the rest of the body is not read
    return response


def make_app(package: Package, guard: Guard, store: Store | None = None, limits: Limits = Limits()) -> App:
    """The application, for uvicorn or a test client. Corrections are kept in `store`, without one they are not."""
    # Connections that break off are no news, and what is wrong in fastetl is told above.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    reader = Reader(package.recognizer)
    pages = _Pages(package, reader, store, limits)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        # The first drawing would otherwise wait for the compiled rasterizer to be loaded.
        warming = [asyncio.create_task(run_in_threadpool(rasterize, Drawing(1, 1, ())))] if store is not None else []
        yield
        await asyncio.gather(*warming)
        reader.close()

    routes = [
        Route("/about.json", pages.said, methods=["GET"]),
        Route("/labels.json", pages.listed_labels, methods=["GET"]),
        Route("/kana.json", pages.kana, methods=["GET"]),
        *(Route(f"/{name}", pages.line_file, methods=["GET"]) for name in pages.line_files),
        Route("/read", pages.read, methods=["POST"]),
        Route("/samples", pages.listed, methods=["GET"]),
        Route("/samples", pages.keep, methods=["POST"]),
        Route("/samples/{name}", pages.shown, methods=["GET"]),
        Route("/samples/{name}/{identity}", pages.remove, methods=["DELETE"]),
        Route("/{path:path}", pages.page, methods=["GET"]),
    ]
    app = Starlette(routes=routes, lifespan=lifespan, exception_handlers={HTTPException: _fault_of})
    return _Guarded(app, guard, limits)
