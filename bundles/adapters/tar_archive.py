"""Unpacks a tar archive."""

import tarfile
from pathlib import Path
from typing import BinaryIO, cast

from bundles.adapters.unpacking import Unpacked
from bundles.core.errors import Invalid

# tarfile reads an extended header into memory whole, by the size that the archive claims.
_MAX_READ_BYTES = 1024 * 1024
_KINDS = {
    tarfile.LNKTYPE: "a hard link",
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a pipe",
}


def unpack_tar(file: Path, archive: str, found: Unpacked) -> None:
    """Unpack the tar in this file, which the user knows as `archive`. Raises `Invalid`."""
    with file.open("rb") as opened:
        try:
            with tarfile.TarFile(fileobj=cast("BinaryIO", _Guarded(opened, archive)), errorlevel=2) as members:
                for member in members:
                    _unpack_member(members, member, archive, found)
                end = members.offset
        except (tarfile.TarError, ValueError, OverflowError, EOFError) as error:
            if isinstance(error, Invalid):
                raise
            raise Invalid(f"{archive} is damaged: {error}") from None
        # tarfile takes a cut or broken header for the end: what comes after it would be left out in silence.
        opened.seek(end)
        if opened.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            raise Invalid(f"{archive} is damaged: it breaks off, or has a broken header, at byte {end}")


def _unpack_member(members: tarfile.TarFile, member: tarfile.TarInfo, archive: str, found: Unpacked) -> None:
    members.members = []  # type: ignore[attr-defined]  # tarfile would keep all of them
    name = member.name.removeprefix("./")
    if member.isdir() and name in ("", "."):
        return
    path = found.count(name.rstrip("/") if member.isdir() else name)
    if member.isdir():
        return
    if not member.isreg() or member.issparse():
        kind = _KINDS.get(member.type, "a sparse file" if member.issparse() else "of an unknown kind")
        raise Invalid(f"{path!r} in {archive} is {kind}: a build holds files and folders only")
    body = members.extractfile(member)
    if body is None:
        raise Invalid(f"{path!r} in {archive} is no file")
    with body:
        found.add(path, cast("BinaryIO", body))


class _Guarded:
    """A file from which no more is read at a time than a header or a chunk may have."""

    def __init__(self, file: BinaryIO, archive: str) -> None:
        self._file = file
        self._archive = archive
        self.name = archive
        self.mode = "rb"

    def read(self, size: int) -> bytes:
        """At most `size` bytes."""
        if not 0 <= size <= _MAX_READ_BYTES:
            raise Invalid(f"{self._archive} has a header of {size} bytes; the most is {_MAX_READ_BYTES}")
        return self._file.read(size)

    def seek(self, offset: int) -> int:
        """Go to this place."""
        return self._file.seek(offset)

    def tell(self) -> int:
        """The present place."""
        return self._file.tell()
