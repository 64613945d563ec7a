"""The server of `fastetl pad`: the page's files, answers of the network, and the folder of samples."""

import asyncio
import json
import logging
import mimetypes
import threading

import numpy as np
from anyio import CapacityLimiter, to_thread
from h11 import LocalProtocolError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from export.recognizer import Recognizer
from fastetl import __version__
from fastetl.errors import FastetlError
from fastetl.ink.drawings import Drawing, rasterize
from fastetl.ink.samples import MOST_BYTES
from fastetl_cli.base import note
from fastetl_cli.web.about import PAGE, documents
from fastetl_cli.web.guard import HEADERS, Guard
from fastetl_cli.web.store import Store

PICTURES = 64
"""Most pictures of one request."""
SECONDS = 10.0
"""Until the body of a request must have come."""
_OCTETS = "application/octet-stream"
_PUBLIC = {"/", *(f"/{path.name}" for path in PAGE.iterdir())}

mimetypes.add_type("text/javascript", ".js")  # whatever the system's table says


def _line(status: int, text: str) -> Response:
    """One line, whatever was sent."""
    return PlainTextResponse(" ".join(text.split())[:300] + "\n", status)


async def _body(request: Request, kind: str, most: int) -> bytes:
    """The body, if it is of this type, at most `most` bytes, and comes in time."""
    # A form of another site can send neither of the two types without asking first.
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != kind:
        raise HTTPException(415, f"expected content of type {kind}")
    body = bytearray()
    try:
        async with asyncio.timeout(SECONDS):
            if int(request.headers.get("content-length", "0")[:12]) <= most:  # h11 lets no other than digits through
                async for part in request.stream():
                    body += part
                    if len(body) > most:
                        break
                else:
                    return bytes(body)
    except TimeoutError as error:
        raise HTTPException(408, f"the body did not come within {SECONDS:g} seconds") from error
    raise HTTPException(413, f"at most {most:,} bytes")


def _network_routes(recognizer: Recognizer, samples: bool) -> list[Route]:
    side, one_at_a_time = recognizer.side, CapacityLimiter(1)
    contents = documents(recognizer, engine="server", samples=samples)

    async def document(request: Request) -> Response:
        name = request.url.path.removeprefix("/")
        return Response(contents[name], media_type="application/json" if name.endswith(".json") else _OCTETS)

    async def read(request: Request) -> Response:
        """N × side × side bytes of pictures → N × labels probabilities, float32, little-endian."""
        body = await _body(request, _OCTETS, PICTURES * side**2)
        if not body or len(body) % side**2:
            raise HTTPException(400, f"expected 1 to {PICTURES} pictures of {side**2:,} bytes")
        pictures = np.frombuffer(body, np.uint8).reshape(-1, side, side)
        probabilities = await to_thread.run_sync(recognizer.probabilities, pictures, limiter=one_at_a_time)
        return Response(probabilities.astype("<f4").tobytes(), media_type=_OCTETS)

    return [*(Route(f"/{name}", document) for name in contents), Route("/read", read, methods=["POST"])]


def _sample_routes(store: Store) -> list[Route]:
    async def keep(request: Request) -> Response:
        body = await _body(request, "application/json", MOST_BYTES // 2)
        try:
            values = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise HTTPException(400, str(error) or "nested too deeply") from error
        if not isinstance(values, dict):
            raise HTTPException(400, "expected a JSON object")
        sample = await run_in_threadpool(store.add, values, f"pad {__version__}")
        return JSONResponse({"id": sample.id, "file": f"{sample.time[:10]}.jsonl"}, 201)

    async def listed(request: Request) -> Response:
        return JSONResponse({"files": await run_in_threadpool(store.listed)})

    async def shown(request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(store.shown, request.path_params["name"]))

    async def remove(request: Request) -> Response:
        await run_in_threadpool(store.remove, request.path_params["name"], request.path_params["identity"])
        return Response(status_code=204)

    return [
        Route("/samples", listed),
        Route("/samples", keep, methods=["POST"]),
        Route("/samples/{name}", shown),
        Route("/samples/{name}/{identity}", remove, methods=["DELETE"]),
    ]


async def _answer_fault(request: Request, error: Exception) -> Response:
    """One line for what a request, a sample or the disk is at fault for, and for what fastetl is."""
    if isinstance(error, HTTPException):
        response = _line(error.status_code, error.detail)
        response.headers.update(error.headers or {})
        if error.status_code in (408, 413):
            response.headers["connection"] = "close"  # the rest of the body is not read
        return response
    if isinstance(error, FastetlError):
        return _line(400, str(error))
    if isinstance(error, FileNotFoundError):
        return _line(404, str(error))
    if isinstance(error, OSError):
        return _line(409, f"the samples cannot be written or read: {error.strerror or error}")
    # Who breaks the protocol within a body has had uvicorn's answer, and takes no other.
    if not isinstance(error, ClientDisconnect | LocalProtocolError):
        note(f"fastetl pad: a fault in fastetl: {type(error).__name__}: {error}")
    response = _line(500, "a fault in fastetl; the terminal says which")
    response.headers.update(HEADERS)
    return response


def make_app(recognizer: Recognizer, guard: Guard, store: Store | None = None) -> Starlette:
    """The application, for uvicorn or a test client. Corrections are kept in `store`, without one they are not.

    Raises FastetlError if the package's `labels.json` cannot be read.
    """
    # Connections that break off are no news, and what is wrong in fastetl is told above.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)

    if store is not None:  # the first drawing would otherwise wait for the compiled rasterizer to be loaded
        threading.Thread(target=rasterize, args=[Drawing(1, 1, ())]).start()

    async def guarded(request: Request, answer: RequestResponseEndpoint) -> Response:
        fault = guard.fault(request.headers, request.scope["path"] not in _PUBLIC)
        response = await answer(request) if fault is None else _line(*fault)
        response.headers.update({name: value for name, value in HEADERS.items() if name not in response.headers})
        return response

    return Starlette(
        routes=[
            *_network_routes(recognizer, samples=store is not None),
            *(_sample_routes(store) if store else ()),
            Mount("/", StaticFiles(directory=PAGE, html=True)),
        ],
        middleware=[Middleware(BaseHTTPMiddleware, dispatch=guarded)],
        exception_handlers=dict.fromkeys((HTTPException, FastetlError, OSError, Exception), _answer_fault),
    )
