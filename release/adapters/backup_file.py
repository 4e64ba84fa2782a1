"""A backup as a file: lines of records, sealed."""

import secrets
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from pathlib import Path

import anyio
import anyio.to_thread
import msgspec

from bundles.adapters.files import creating
from bundles.core.errors import Failed
from release.core.backup import (
    CHUNK_BYTES,
    COST,
    HEADER_BYTES,
    SALT_BYTES,
    SEALED_CHUNK_BYTES,
    Chunks,
    make_header,
)
from release.ports import Record

MAX_BACKUP_BYTES = 16 * 1024**3
MAX_RECORD_BYTES = 64 * 1024**2


class BackupFile:
    """One file, written once and as a whole, for its owner's eyes alone."""

    def __init__(self, path: Path, secret: bytes, cost: int = COST) -> None:
        self._path = path
        self._secret = secret
        self._cost = cost

    async def write(self, records: AsyncIterator[Record]) -> int:
        """Put the records there; how many they are. Raises `Refused` where there is a file already."""
        header = make_header(self._cost, secrets.token_bytes(SALT_BYTES))
        chunks = await anyio.to_thread.run_sync(Chunks, header, self._secret)
        count, written, waiting = 0, len(header), bytearray()
        with creating(self._path, mode=0o600) as file:
            file.write(header)
            async for record in records:
                count += 1
                waiting += msgspec.json.encode(record) + b"\n"
                while len(waiting) > CHUNK_BYTES:
                    written += file.write(chunks.seal(bytes(waiting[:CHUNK_BYTES]), last=False))
                    del waiting[:CHUNK_BYTES]
                if written > MAX_BACKUP_BYTES:
                    raise Failed(
                        f"the backup would have more than {MAX_BACKUP_BYTES} bytes, the most that is kept"
                    )
            file.write(chunks.seal(bytes(waiting), last=True))
        return count

    async def read(self) -> AsyncGenerator[Record, None]:
        """The records, each once it is known to be as it was written. Raises `Failed` where one is not."""
        waiting = b""
        async with aclosing(self._opened()) as chunks:
            async for chunk in chunks:
                *lines, waiting = (waiting + chunk).split(b"\n")
                if len(waiting) > MAX_RECORD_BYTES:
                    raise self._failed(f"it has a record of more than {MAX_RECORD_BYTES} bytes")
                for line in lines:
                    yield self._record(line)

    def _record(self, line: bytes) -> Record:
        try:
            record: Record = msgspec.json.decode(line, type=Record)
        except msgspec.MsgspecError as error:
            raise self._failed(f"it has a record that is not understood ({error})") from None
        return record

    async def _opened(self) -> AsyncGenerator[bytes, None]:
        """The chunks, with every fault as one of this backup."""
        try:
            async with aclosing(self._chunks()) as chunks:
                async for chunk in chunks:
                    yield chunk
        except OSError as error:
            raise Failed(f"can't read the backup {self._path}: {error.strerror}") from None
        except Failed as fault:
            raise self._failed(str(fault)) from None

    async def _chunks(self) -> AsyncGenerator[bytes, None]:
        async with await anyio.open_file(self._path, "rb") as file:
            chunks = await anyio.to_thread.run_sync(Chunks, await file.read(HEADER_BYTES), self._secret)
            sealed, read, following = await file.read(SEALED_CHUNK_BYTES), 0, b"?"
            while following:
                following = await file.read(SEALED_CHUNK_BYTES)
                yield chunks.open(sealed, last=not following)
                read, sealed = read + len(sealed), following
                if read > MAX_BACKUP_BYTES:
                    raise Failed(f"it has more than {MAX_BACKUP_BYTES} bytes")

    def _failed(self, why: str) -> Failed:
        return Failed(f"the backup {self._path} can't be restored: {why}")
