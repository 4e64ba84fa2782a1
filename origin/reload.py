"""Reload: a socket below the data folder, on which an operator has the supervisor renew its workers."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import structlog

from bundles.core.errors import Failed

_log = structlog.get_logger()

_RENEWED, _NOT_RENEWED = b"renewed", b"not renewed"
_PATIENCE_SECONDS = 120.0
_OWNER_ONLY = 0o177


@asynccontextmanager
async def reload_socket(path: Path, renew: Callable[[], Awaitable[bool]]) -> AsyncIterator[None]:
    """Within it, whoever connects has `renew` called, and is told whether it could.

    Where there can be no socket, as on a path that is too long for one, the log says so: SIGHUP does the same.
    """

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            writer.write(_RENEWED if await renew() else _NOT_RENEWED)
            await writer.drain()
        writer.close()

    try:
        server = await asyncio.start_unix_server(answer, sock=_listen(path))
    except OSError as error:
        _log.warning("no reload socket", path=str(path), why=str(error))
        yield
        return
    try:
        yield
    finally:
        _end(server, path)


def _listen(path: Path) -> socket.socket:
    """A socket that its owner alone can connect to. One that a killed supervisor left behind is replaced."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(_OWNER_ONLY)
    try:
        listener.bind(str(path))
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(before)
    return listener


def _end(server: asyncio.Server, path: Path) -> None:
    server.close()
    path.unlink(missing_ok=True)


async def ask_to_reload(path: Path) -> None:
    """Have the supervisor on this socket renew its workers, and return once they answer.

    Raises `Failed` where there is none, and where the new workers could not start: the old ones then go on.
    """
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            reader, writer = await asyncio.open_unix_connection(path)
            told = await reader.read()
            writer.close()
    except TimeoutError:
        raise Failed(f"the origin did not say within {_PATIENCE_SECONDS:.0f} seconds that it is renewed") from None
    except OSError:
        raise Failed(
            f"no origin with --workers can be asked at {path}: start it, or name its --data, --host and --port"
        ) from None
    if told != _RENEWED:
        raise Failed("the new workers could not start, and the old ones go on: the origin's log says why")
