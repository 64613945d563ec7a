"""What a request must be before it is looked at: its host, its origin, its token, its rate.

A page of another site that knows the port could otherwise draw on it, and through a host name of its own that
suddenly means 127.0.0.1 (DNS rebinding) read what is kept.
"""

from __future__ import annotations

import hmac
import ipaddress
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["HEADERS", "POLICY", "Guard", "Limits", "Rates", "is_loopback"]

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


@dataclass(frozen=True)
class Limits:
    """Bounds on what one address may ask."""

    requests: float = 120
    """A second, on average."""
    burst: float = 600
    """At once."""
    pictures: int = 64
    """In one request."""
    seconds: float = 10
    """Until the body of a request must have come."""


class Rates:
    """A bucket of tokens for each address; the addresses longest unseen are forgotten."""

    MOST = 1024

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, address: str) -> bool:
        """Whether this request may be answered."""
        now = time.monotonic()
        tokens, last = self._buckets.pop(address, (self._limits.burst, now))
        tokens = min(self._limits.burst, tokens + (now - last) * self._limits.requests)
        allowed = tokens >= 1
        self._buckets[address] = (tokens - allowed, now)
        while len(self._buckets) > self.MOST:
            self._buckets.popitem(last=False)
        return allowed


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
        if not self._known(host):
            return 421, "this host is not served here: use the address that fastetl pad printed"
        origin = headers.get("origin")
        if origin is not None and origin != f"http://{host}":
            return 403, "requests from other pages are not answered"
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return 403, "requests from other pages are not answered"
        if needs_token and self.token:
            authorization = headers.get("authorization", "")
            if not hmac.compare_digest(authorization.encode(), f"Bearer {self.token}".encode()):
                return 401, "the token is missing or wrong: use the whole address that fastetl pad printed"
        return None

    def _known(self, host: str) -> bool:
        name, _, port = host.rpartition(":") if not host.endswith("]") else (host, "", "")
        if not name:
            name, port = host, "80"
        if port and port != str(self.port):
            return False
        name = name.lower()
        if name == "localhost":
            return True
        try:
            address = ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return name == self.host.lower()
        # A name can be made to mean this machine; an address cannot.
        return address.is_loopback if is_loopback(self.host) else True
