"""Files on a local disk. What is acknowledged survives a power cut; nobody reads half a file."""

import os
import secrets
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import anyio

from bundles.core.errors import Failed, Refused
from bundles.core.span import Span

_CHUNK_BYTES = 256 * 1024
_STAGED = ".tmp"


async def read_chunks(path: Path, span: Span | None = None) -> AsyncIterator[bytes]:
    """The file, or that span of it, in chunks of 256 KiB. Raises `OSError`."""
    async with await anyio.open_file(path, "rb") as file:
        left = sys.maxsize if span is None else span.size
        if span is not None:
            await file.seek(span.start)
        while chunk := await file.read(min(_CHUNK_BYTES, left)):
            left -= len(chunk)
            yield chunk


def read_at_most(path: Path, most: int) -> bytes:
    """The whole file. Raises `OSError`, and `Failed` for one of more bytes, of which nothing is read."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            raise Failed(f"{path} has {size} bytes; the most that is read is {most}")
        return file.read(most)


def write_atomically(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Put the file there, in place of an older one; readers see the one or the other."""
    with _staged(path, data, mode) as staged:
        staged.replace(path)


def create_exclusively(path: Path, data: bytes, mode: int = 0o644) -> bool:
    """Put the file there unless one is there already, which gives False and changes nothing."""
    with _staged(path, data, mode) as staged:
        try:
            os.link(staged, path)
        except FileExistsError:
            return False
        return True


@contextmanager
def creating(path: Path, mode: int = 0o644) -> Iterator[BinaryIO]:
    """A new file to write to, put there as a whole and durably at the end; where it raises, nothing is.

    Raises `Refused` where there is a file already.
    """
    taken = Refused(f"{path} is there already: name a file that is not")
    if path.exists():
        raise taken
    staged = path.parent / f".{path.name}.{secrets.token_hex(8)}{_STAGED}"
    try:
        _make_folder(path.parent)
        try:
            descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
            with os.fdopen(descriptor, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.link(staged, path)
        finally:
            staged.unlink(missing_ok=True)
        _sync_folder(path.parent)
    except FileExistsError:
        raise taken from None
    except OSError as error:
        raise Failed(f"can't write {path}: {error.strerror}") from error


def remove(path: Path) -> None:
    """Take the file away, durably; harmless where it is gone already."""
    try:
        path.unlink(missing_ok=True)
        _sync_folder(path.parent)
    except OSError as error:
        raise Failed(f"can't remove {path}: {error.strerror}") from error


def move(path: Path, target: Path) -> None:
    """Rename the file, durably; readers see it in the one place or in the other. Harmless where it is gone."""
    try:
        _make_folder(target.parent)
        path.replace(target)
        _sync_folder(target.parent)
        _sync_folder(path.parent)
    except FileNotFoundError:
        return
    except OSError as error:
        raise Failed(f"can't move {path} to {target}: {error.strerror}") from error


@contextmanager
def opened_for_lock(path: Path) -> Iterator[int]:
    """The descriptor of a file that is there only to be locked, made where it is missing."""
    try:
        _make_folder(path.parent)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise Failed(f"can't write {path}: {error.strerror}") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def leftovers(folder: Path) -> Iterator[Path]:
    """What writers that were killed left below a folder; those that are at work have such files too."""
    return folder.rglob(f".*{_STAGED}")


@contextmanager
def _staged(path: Path, data: bytes, mode: int) -> Iterator[Path]:
    """The data, synced, under a name of its own beside `path`; gone afterwards, with the folder synced."""
    staged = path.parent / f".{path.name}.{secrets.token_hex(8)}{_STAGED}"
    try:
        _make_folder(path.parent)
        try:
            _write_synced(staged, data, mode)
            yield staged
        finally:
            staged.unlink(missing_ok=True)
        _sync_folder(path.parent)
    except OSError as error:
        raise Failed(f"can't write {path}: {error.strerror}") from error


def _write_synced(path: Path, data: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _make_folder(folder: Path) -> None:
    """Make the folder and each missing one above it, and sync the parent of each that was made."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
