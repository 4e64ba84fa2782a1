"""An export on a local disk.

export.json        what to answer to which URL; all that it names is there
tree/{file}        the bodies
.headrace-export   says whose folder this is, and is locked by who writes in it
"""

import fcntl
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio.to_thread

from bundles.adapters.files import opened_for_lock, write_atomically
from bundles.core.digest import Digest, digest_of
from bundles.core.errors import Conflict, Failed, Refused

LIST_NAME = "export.json"
_MARK = ".headrace-export"


class DiskTree:
    """A folder that holds one export and nothing else. A file is the same for ever, so one that is sound stays."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tree = folder / "tree"

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keeps other writers out. Raises `Conflict` where one is at work, `Refused` where others' files are."""
        mark = self._folder / _MARK
        try:
            if not mark.exists() and self._folder.exists() and any(self._folder.iterdir()):
                raise Refused(
                    f"{self._folder} holds other files than an export: name an empty folder or a new one"
                )
        except OSError as error:
            raise Failed(f"can't read {self._folder}: {error.strerror}") from None
        with opened_for_lock(mark) as descriptor:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Conflict(f"another export into {self._folder} is at work: wait for it") from None
            yield

    async def holds(self, file: str, digest: Digest) -> bool:
        """True where the file is there with the bytes of this digest."""
        return await anyio.to_thread.run_sync(self._holds, file, digest)

    async def write(self, file: str, body: bytes) -> None:
        """Put the file there, durably and in one step."""
        await anyio.to_thread.run_sync(write_atomically, self._tree / file, body)

    async def finish(self, document: bytes, files: Collection[str]) -> None:
        """Replace the list in one step, then take all other files away."""
        await anyio.to_thread.run_sync(write_atomically, self._folder / LIST_NAME, document)
        await anyio.to_thread.run_sync(self._sweep, files)

    def _holds(self, file: str, digest: Digest) -> bool:
        try:
            return digest_of((self._tree / file).read_bytes()) == digest
        except OSError:
            return False

    def _sweep(self, files: Collection[str]) -> None:
        kept = {self._tree / file for file in files}
        try:
            for name, folders, names in os.walk(self._tree, topdown=False):
                folder = Path(name)
                for path in {folder / each for each in names} - kept:
                    path.unlink()
                for path in (folder / each for each in folders):
                    if not any(path.iterdir()):
                        path.rmdir()
        except OSError as error:
            raise Failed(f"can't remove {error.filename}: {error.strerror}") from None
