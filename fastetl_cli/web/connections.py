"""Connections that ask for nothing keep nobody out."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["Connection"]


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
