"""uvicorn side by side with other tasks: it logs nothing by itself, and leaves signals to its caller."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import uvicorn
from starlette.types import ASGIApp

_DRAIN_SECONDS = 10


class QuietServer(uvicorn.Server):
    """A server of an application, with a protocol's class for its connections; `options` are uvicorn's.

    The proxies, by address, are believed whom they speak for.
    """

    def __init__(
        self, app: ASGIApp, protocol: type[asyncio.Protocol], *, proxies: Sequence[str] = (), **options: Any
    ) -> None:
        config = uvicorn.Config(
            app,
            http=protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="error",
            access_log=False,
            server_header=False,
            proxy_headers=bool(proxies),
            forwarded_allow_ips=list(proxies),
            timeout_graceful_shutdown=_DRAIN_SECONDS,
            **options,
        )
        super().__init__(config)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.contextmanager
def stopping(servers: Sequence[uvicorn.Server]) -> Iterator[Callable[[], None]]:
    """Within it, SIGINT, SIGTERM and what it yields let the servers finish what they have begun."""
    loop = asyncio.get_running_loop()

    def stop() -> None:
        for server in servers:
            server.should_exit = True

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    try:
        yield stop
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
