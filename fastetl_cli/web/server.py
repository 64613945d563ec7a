"""The server of `fastetl pad`: the page's files, the network's answers, and the folder of samples.

A page of another site could send requests here, and with a host name that it points to 127.0.0.1 (DNS rebinding) read
the samples. So host and origin are checked, and requests from other machines need a token.
"""

import asyncio
import hmac
import logging
import mimetypes
from functools import partial

import numpy as np
import uvicorn
from anyio import CapacityLimiter, to_thread
from h11 import LocalProtocolError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from export.recognizer import Recognizer
from fastetl import __version__
from fastetl.building.kept_drawings import LINE_BYTES
from fastetl.errors import FastetlError, MissingFileError, scarcity
from fastetl.files.untrusted import parse_json
from fastetl.ink import SIDE
from fastetl_cli.base import error_line, note
from fastetl_cli.web.sample_files import SampleFolder
from fastetl_cli.web.static import PAGE, POLICY, documents

LOOPBACK = ("localhost", "127.0.0.1", "::1")
"""Host names and addresses by which a machine reaches itself, and no other does."""
HEADERS = {
    "content-security-policy": f"{POLICY}; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cache-control": "no-store",
}
MAX_PICTURES = 64  # most pictures in one request
BODY_SECONDS = 10.0  # time limit for receiving the body of a request
_OCTETS = "application/octet-stream"
_PUBLIC = {"/", *(f"/{path.name}" for path in PAGE.iterdir())}

mimetypes.add_type("text/javascript", ".js")  # the system's table may say otherwise


def _one_line(status: int, text: str) -> Response:
    """A response whose body is the text in one line of at most 300 characters."""
    return PlainTextResponse(" ".join(text.split())[:300] + "\n", status)


async def _body(request: Request, kind: str, max_bytes: int) -> bytes:
    """The body of a request. Raises HTTPException if it is of another type, longer than `max_bytes`, or too slow."""
    # A page of another site cannot send JSON or an octet stream without a preflight request.
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != kind:
        raise HTTPException(415, f"expected content of type {kind}")
    if not 0 <= int(request.headers.get("content-length", "-1")) <= max_bytes:  # h11 accepts digits alone
        raise HTTPException(413, f"expected content-length, at most {max_bytes:,} bytes")
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await request.body()
    except TimeoutError as error:
        raise HTTPException(408, f"the body did not come within {BODY_SECONDS:g} seconds") from error


def _network_routes(recognizer: Recognizer, keeps_samples: bool) -> list[Route]:
    limiter = CapacityLimiter(1)  # one request is computed at a time
    contents = documents(recognizer, engine="server", keeps_samples=keeps_samples)

    async def document(request: Request) -> Response:
        name = request.url.path.removeprefix("/")
        return Response(contents[name], media_type="application/json" if name.endswith(".json") else _OCTETS)

    async def read(request: Request) -> Response:
        """Body: N pictures of SIDE × SIDE bytes. Answer: N × labels probabilities, float32, little-endian."""
        body = await _body(request, _OCTETS, MAX_PICTURES * SIDE**2)
        if not body or len(body) % SIDE**2:
            raise HTTPException(400, f"expected 1 to {MAX_PICTURES} pictures of {SIDE**2:,} bytes")
        pictures = np.frombuffer(body, np.uint8).reshape(-1, SIDE, SIDE)
        probabilities = await to_thread.run_sync(recognizer.probabilities, pictures, limiter=limiter)
        return Response(probabilities.astype("<f4").tobytes(), media_type=_OCTETS)

    return [*(Route(f"/{name}", document) for name in contents), Route("/read", read, methods=["POST"])]


def _sample_routes(sample_folder: SampleFolder) -> list[Route]:
    async def keep(request: Request) -> Response:
        values = parse_json(await _body(request, "application/json", LINE_BYTES // 2), "the sample")
        sample = await run_in_threadpool(sample_folder.add, values, f"pad {__version__}")
        return JSONResponse({"id": sample.id, "file": f"{sample.time[:10]}.jsonl"}, 201)

    async def list_files(request: Request) -> Response:
        return JSONResponse({"files": await run_in_threadpool(sample_folder.list_files)})

    async def list_samples(request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(sample_folder.list_samples, request.path_params["name"]))

    async def remove(request: Request) -> Response:
        await run_in_threadpool(sample_folder.remove, request.path_params["name"], request.path_params["identity"])
        return Response(status_code=204)

    return [
        Route("/samples", list_files),
        Route("/samples", keep, methods=["POST"]),
        Route("/samples/{name}", list_samples),
        Route("/samples/{name}/{identity}", remove, methods=["DELETE"]),
    ]


async def _answer_error(request: Request, error: Exception) -> Response:
    """The response to an error, of a request, a sample or a disk, or of fastetl itself."""
    if isinstance(error, HTTPException):
        response = _one_line(error.status_code, error.detail)
        response.headers.update(error.headers or {})
        if error.status_code in (408, 413):
            response.headers["connection"] = "close"  # the rest of the body is not read
        return response
    if isinstance(error, FastetlError):
        return _one_line(404 if isinstance(error, MissingFileError) else 400, str(error))
    if isinstance(error, OSError):
        return _one_line(409, f"the samples cannot be written or read: {error.strerror or error}")
    # To a client that broke the protocol, uvicorn has answered already.
    if not isinstance(error, ClientDisconnect | LocalProtocolError):
        note(f"fastetl pad: {error_line(error, 'pad')}")
    response = _one_line(500, "a fault in fastetl; the terminal says which")
    if scarcity(error):
        response = _one_line(503, error_line(error, "pad"))
    response.headers.update(HEADERS)
    return response


async def _guard(token: str, request: Request, answer: RequestResponseEndpoint) -> Response:
    """The answer to a request of the pad's own page that has the token; to others why there is none."""
    headers = request.headers
    host = headers.get("host", "")
    is_own_page = headers.get("sec-fetch-site", "none") in ("none", "same-origin")
    is_open = not token or request.scope["path"] in _PUBLIC
    if headers.get("origin", f"//{host}").partition("//")[2] != host or not is_own_page:  # a proxy's scheme is https
        response = _one_line(403, "requests from other pages are not answered")
    elif is_open or hmac.compare_digest(headers.get("authorization", "").encode(), f"Bearer {token}".encode()):
        response = await answer(request)
    else:
        response = _one_line(401, "the token is missing or wrong: use the whole address that fastetl pad printed")
    response.headers.update({name: value for name, value in HEADERS.items() if name not in response.headers})
    return response


def make_app(recognizer: Recognizer, sample_folder: SampleFolder | None = None, token: str = "") -> Starlette:
    """The application, for uvicorn or a test client.

    sample_folder: keeps corrections; without it they are not kept. token: what all requests but those for the page's
    own files must carry; without it, requests must be addressed to this machine by one of `LOOPBACK`.
    """
    # asyncio logs every connection that breaks off. Errors of fastetl are printed by `_answer_error`.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    return Starlette(
        routes=[
            *_network_routes(recognizer, keeps_samples=sample_folder is not None),
            *(_sample_routes(sample_folder) if sample_folder else ()),
            Mount("/", StaticFiles(directory=PAGE, html=True)),
        ],
        middleware=[
            Middleware(BaseHTTPMiddleware, dispatch=partial(_guard, token)),
            Middleware(TrustedHostMiddleware, allowed_hosts=["*"] if token else [*LOOPBACK, "[::1]"]),
        ],
        exception_handlers=dict.fromkeys((HTTPException, FastetlError, OSError, Exception), _answer_error),
    )


def make_server(app: Starlette) -> uvicorn.Server:
    """The server of an application; `run` takes the sockets that it listens on."""
    return uvicorn.Server(uvicorn.Config(app, log_level="critical", http="h11", ws="none", limit_concurrency=256))
