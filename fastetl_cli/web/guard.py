"""What a request must be before it is looked at: its host, its origin, its token; and how long a connection may wait.

A page of another site that knows the port could otherwise draw on it, and through a host name of its own that
suddenly means 127.0.0.1 (DNS rebinding) read what is kept. Connections that ask for nothing would keep others out.
"""

import asyncio
import hmac
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from uvicorn.protocols.http.h11_impl import H11Protocol

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'"
)
"""The content security policy of the page: nothing from elsewhere, nothing inline."""

HEADERS = {
    "content-security-policy": f"{POLICY}; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cache-control": "no-store",
}


def is_loopback(host: str) -> bool:
    """Whether an address to listen on is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


@dataclass(frozen=True)
class Guard:
    """Which requests come from the page itself.

    host: the address that is listened on. port: as the user sees it. token: what requests for anything but the page's
    own files must carry, or "" where only this machine can ask.
    """

    host: str
    port: int
    token: str = ""

    def fault(self, headers: Mapping[str, str], needs_token: bool) -> tuple[int, str] | None:
        """Status and one line for a request that is not answered, or None."""
        host = headers.get("host", "")
        if not self._knows(host):
            return 421, "this host is not served here: use the address that fastetl pad printed"
        same_origin = headers.get("origin", f"http://{host}") == f"http://{host}"
        if not same_origin or headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return 403, "requests from other pages are not answered"
        if needs_token and self.token:
            authorization = headers.get("authorization", "")
            if not hmac.compare_digest(authorization.encode(), f"Bearer {self.token}".encode()):
                return 401, "the token is missing or wrong: use the whole address that fastetl pad printed"
        return None

    def _knows(self, host: str) -> bool:
        try:
            parts = urlsplit(f"//{host}")
            name, port = parts.hostname or "", parts.port or 80
        except ValueError:
            return False
        if port != self.port:
            return False
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            # A name can be made to mean this machine; an address cannot.
            return name in ("localhost", self.host.lower())
        return address.is_loopback or not is_loopback(self.host)


class Connection(H11Protocol):
    """uvicorn's, but with a limit for each address, and a time until the head of a request must have come."""

    MOST = 64
    """Connections of one address; uvicorn's own limit counts those of all."""
    SECONDS = 10.0

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        address = (self.client or ("", 0))[0]
        if sum((getattr(other, "client", None) or ("", 0))[0] == address for other in self.connections) > self.MOST:
            transport.abort()
        else:
            self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._deadline is not None:
            self._deadline.cancel()

    def _watch(self) -> None:
        """Begin to wait for a head, which more bytes of it do not prolong, or cease to."""
        waits = self.cycle is None or self.cycle.response_complete
        if waits and self._deadline is None:
            self._deadline = self.loop.call_later(self.SECONDS, self.transport.close)
        elif not waits and self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
