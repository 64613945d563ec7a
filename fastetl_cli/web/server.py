"""The server of `fastetl pad`: the page's files, answers of the network, and the folder of samples.

A page of another site that knows the port could draw here, and by a host name of its own that suddenly means 127.0.0.1
(DNS rebinding) read what is kept: host and origin are checked, and whoever comes from another machine needs a token.
"""

import asyncio
import hmac
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
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from uvicorn.protocols.http.h11_impl import H11Protocol

from export.recognizer import Recognizer
from fastetl import __version__
from fastetl.errors import FastetlError
from fastetl.ink.drawings import Drawing, rasterize
from fastetl.ink.samples import MOST_BYTES
from fastetl_cli.base import note
from fastetl_cli.web.static import PAGE, POLICY, documents
from fastetl_cli.web.store import Store

LOOPBACK = ("localhost", "127.0.0.1", "::1")
"""Hosts by which only this machine reaches itself."""
HEADERS = {
    "content-security-policy": f"{POLICY}; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cache-control": "no-store",
}
PICTURES = 64
"""Most pictures of one request."""
SECONDS = 10.0
"""Until the body of a request must have come."""
_OCTETS = "application/octet-stream"
_PUBLIC = {"/", *(f"/{path.name}" for path in PAGE.iterdir())}

mimetypes.add_type("text/javascript", ".js")  # whatever the system's table says


class Connection(H11Protocol):
    """uvicorn's, but few for each address, and closed where no request begins: a slow head, or none."""

    MOST = 64
    """Connections of one address; uvicorn's own limit counts those of all."""
    SECONDS = 10.0
    """Between two looks at what has come."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        address = (self.client or ("", 0))[0]
        if sum((getattr(other, "client", None) or ("", 0))[0] == address for other in self.connections) > self.MOST:
            transport.abort()
        self._look(self)

    def _look(self, earlier: object) -> None:
        """earlier: the last request, if it had been answered when looked at before."""
        is_idle = self.cycle is None or self.cycle.response_complete
        if is_idle and self.cycle is earlier:
            self.transport.close()
        elif not self.transport.is_closing():
            self.loop.call_later(self.SECONDS, self._look, self.cycle if is_idle else self)


def _line(status: int, text: str) -> Response:
    """One line, whatever was sent."""
    return PlainTextResponse(" ".join(text.split())[:300] + "\n", status)


async def _body(request: Request, kind: str, most: int) -> bytes:
    """The body, if it is of this type, at most `most` bytes, and comes in time."""
    # A form of another site can send neither of the two types without asking first.
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != kind:
        raise HTTPException(415, f"expected content of type {kind}")
    if not 0 <= int(request.headers.get("content-length", "-1")) <= most:  # h11 lets no other than digits through
        raise HTTPException(413, f"expected content-length, at most {most:,} bytes")
    try:
        async with asyncio.timeout(SECONDS):
            return await request.body()
    except TimeoutError as error:
        raise HTTPException(408, f"the body did not come within {SECONDS:g} seconds") from error


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


def make_app(recognizer: Recognizer, store: Store | None = None, token: str = "") -> Starlette:
    """The application, for uvicorn or a test client. Corrections are kept in `store`, without one they are not.

    token: what requests for anything but the page's own files must carry; without one the host must be this machine.

    Raises FastetlError if the package's `labels.json` cannot be read.
    """
    # Connections that break off are no news, and what is wrong in fastetl is told above.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)

    if store is not None:  # the first drawing would otherwise wait for the compiled rasterizer to be loaded
        threading.Thread(target=rasterize, args=[Drawing(1, 1, ())]).start()

    async def guarded(request: Request, answer: RequestResponseEndpoint) -> Response:
        headers, own = request.headers, f"http://{request.headers.get('host', '')}"
        authorization = headers.get("authorization", "").encode()
        if headers.get("origin", own) != own or headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            response = _line(403, "requests from other pages are not answered")
        elif (
            request.scope["path"] in _PUBLIC
            or not token
            or hmac.compare_digest(authorization, f"Bearer {token}".encode())
        ):
            response = await answer(request)
        else:
            response = _line(401, "the token is missing or wrong: use the whole address that fastetl pad printed")
        response.headers.update({name: value for name, value in HEADERS.items() if name not in response.headers})
        return response

    return Starlette(
        routes=[
            *_network_routes(recognizer, samples=store is not None),
            *(_sample_routes(store) if store else ()),
            Mount("/", StaticFiles(directory=PAGE, html=True)),
        ],
        middleware=[
            Middleware(BaseHTTPMiddleware, dispatch=guarded),
            Middleware(TrustedHostMiddleware, allowed_hosts=["*"] if token else LOOPBACK),
        ],
        exception_handlers=dict.fromkeys((HTTPException, FastetlError, OSError, Exception), _answer_fault),
    )
