"""An archive on its way to a server: in chunks, and from its beginning each time that it is sent."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import msgspec

from api.core.operation import NO_TERMS
from api.operations.publishing import PublishBuild
from bundles.adapters.archive import kind_of
from headrace.client.retries import RETRIES
from headrace.client.wire import request_of

Sent = Callable[[int], None]
"""Is told how many bytes of the archive are on their way; fewer than before where it is sent again."""

UPLOAD_RETRIES: dict[str, Any] = {**RETRIES, "timeout": None}
"""As often as all else, and however long an attempt has taken."""
_WRITE_SECONDS = 60.0
_WORK_SECONDS = 1800.0
"""A server answers once the build is made: all of its files are compressed by then."""
_CHUNK_BYTES = 256 * 1024


class Upload(msgspec.Struct, frozen=True):
    """A build that is asked for, and the archive that it is made of."""

    archive: Path
    request: dict[str, Any]
    sent: Sent

    def again(self) -> dict[str, Any]:
        """The parts of a request that sends the archive, for plain code."""
        return {**self.request, "content": self._chunks()}

    def again_async(self) -> dict[str, Any]:
        """The same for asyncio."""
        return {**self.request, "content": self._async_chunks()}

    def _chunks(self) -> Iterator[bytes]:
        done = 0
        with self.archive.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                yield chunk
                done += len(chunk)
                self.sent(done)

    async def _async_chunks(self) -> AsyncIterator[bytes]:
        done = 0
        async with await anyio.open_file(self.archive, "rb") as file:
            while chunk := await file.read(_CHUNK_BYTES):
                yield chunk
                done += len(chunk)
                self.sent(done)


def upload_of(asked: PublishBuild, archive: Path, sent: Sent, timeout: float) -> Upload:
    """What sends the archive; `timeout` is in seconds, for a connection. Raises `Invalid` for what is none."""
    headers = {"content-type": str(kind_of(archive)), "content-length": str(archive.stat().st_size)}
    patience = httpx.Timeout(timeout, write=_WRITE_SECONDS, read=_WORK_SECONDS)
    return Upload(archive, {**request_of(asked, NO_TERMS), "headers": headers, "timeout": patience}, sent)


def unseen(_: int) -> None:
    """Nobody looks on."""
