"""A browser's connection: one that sends no complete request within a time is closed, however slowly it drips."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio


class Connection(H11Protocol):
    """Uvicorn's connection with a deadline for the request's head; the body's is :mod:`console.routing`'s."""

    request_seconds = 20
    _deadline: asyncio.TimerHandle | None = None

    @classmethod
    def within(cls, request_seconds: int) -> type[Connection]:
        """Connections whose requests must have arrived in that time."""
        return type("ConnectionWithin", (cls,), {"request_seconds": request_seconds})

    def connection_made(self, transport: Any) -> None:
        """Start the clock."""
        super().connection_made(transport)
        self._await_head()

    def handle_events(self) -> None:
        """Read what came; the clock stops when a request is being answered."""
        super().handle_events()
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_waiting()
        elif self._deadline is None:
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        self._deadline = self.loop.call_later(self.request_seconds, self._close)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _close(self) -> None:
        self._deadline = None
        if not self.transport.is_closing():
            self.transport.close()
