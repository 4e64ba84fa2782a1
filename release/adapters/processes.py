"""Programs in process groups of their own: killed as a whole, with bounded output, and with few things to know."""

import contextlib
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
from anyio.abc import Process

from bundles.core.errors import Failed
from release.core.smoke import MAX_OUTPUT

_HEAD = MAX_OUTPUT // 4
_TAIL = MAX_OUTPUT - _HEAD - 100
_CHUNK = 64 * 1024
_DRAIN_SECONDS = 1


class BoundedOutput:
    """The beginning and the end of what a program writes, however much that is."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._tail = bytearray()
        self._left_out = 0

    def add(self, data: bytes) -> None:
        """Take what came next."""
        room = _HEAD - len(self._head)
        self._head += data[:room]
        self._tail += data[room:]
        self._left_out += max(0, len(self._tail) - _TAIL)
        del self._tail[:-_TAIL]

    def text(self) -> str:
        """What is kept, with a word on what is not."""
        gap = f"\n[… {self._left_out} bytes left out …]\n".encode() if self._left_out else b""
        return (self._head + gap + self._tail).decode("utf-8", "replace")


class Running:
    """A program that runs, and what it has written so far."""

    def __init__(self, process: Process, output: BoundedOutput) -> None:
        self._process = process
        self.output = output

    async def wait(self) -> int:
        """Its exit code; negative for the signal that ended it."""
        return await self._process.wait()


@asynccontextmanager
async def running(argv: Sequence[str], folder: Path, environment: Mapping[str, str]) -> AsyncIterator[Running]:
    """The program, in this folder, which is its home too. At the end its whole group is killed.

    It reads nothing, and what it and its children write is read to the end. It knows nothing of this process's
    environment but the search path. Who of its children begins a session of their own is not in the group.
    """
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    output = BoundedOutput()
    try:
        try:
            process = await anyio.open_process(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=writer,
                stderr=writer,
                cwd=folder,
                env={**_surroundings(folder), **environment},
                start_new_session=True,
            )
        except OSError as error:
            raise Failed(f"can't run {argv[0]}: {error.strerror}") from None
        finally:
            os.close(writer)
        async with anyio.create_task_group() as group:
            ended = anyio.Event()
            group.start_soon(_read, reader, output, ended)
            try:
                yield Running(process, output)
            finally:
                with anyio.CancelScope(shield=True):
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
                    await process.wait()
            # Who has left the group may hold the pipe for as long as they like.
            with anyio.move_on_after(_DRAIN_SECONDS):
                await ended.wait()
            group.cancel_scope.cancel()
    finally:
        os.close(reader)


async def _read(reader: int, output: BoundedOutput, ended: anyio.Event) -> None:
    while True:
        await anyio.wait_readable(reader)
        data = os.read(reader, _CHUNK)
        if not data:
            ended.set()
            return
        output.add(data)


def _surroundings(folder: Path) -> dict[str, str]:
    home = str(folder)
    return {"PATH": os.environ.get("PATH", os.defpath), "HOME": home, "TMPDIR": home, "LANG": "C.UTF-8"}
