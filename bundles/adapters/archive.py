"""An archive as a source of artifacts: tar, tar.gz (npm's .tgz among them) or zip, by its first bytes."""

import gzip
import tempfile
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

from bundles.adapters.source_files import MAX_BUILD_BYTES, SourceFiles
from bundles.adapters.tar_archive import unpack_tar
from bundles.adapters.unpacking import Unpacked
from bundles.adapters.zip_archive import unpack_zip
from bundles.core.errors import Failed, Invalid
from bundles.core.names import ArtifactPath

_GZIP, _ZIP, _ZIP_EMPTY, _TAR = b"\x1f\x8b", b"PK\x03\x04", b"PK\x05\x06", b"ustar"
_TAR_MAGIC_AT = 257
# Headers and padding beside the files: a member has 512 bytes of each, and may have a long name's.
_MAX_TAR_BYTES = MAX_BUILD_BYTES + 256 * 1024 * 1024
_CHUNK_BYTES = 1024 * 1024
_NPM_MANIFEST = "package.json"


class Kind(StrEnum):
    """What archives there are, by their media types."""

    ZIP = "application/zip"
    GZIP = "application/gzip"
    TAR = "application/x-tar"


def kind_of(archive: Path) -> Kind:
    """Of which kind the archive is, by its first bytes. Raises `Invalid` for what is none."""
    try:
        with archive.open("rb") as file:
            start = file.read(_TAR_MAGIC_AT + len(_TAR))
    except OSError as error:
        raise Failed(f"can't read {archive}: {error.strerror or error}") from None
    if start.startswith((_ZIP, _ZIP_EMPTY)):
        return Kind.ZIP
    if start.startswith(_GZIP):
        return Kind.GZIP
    if start.endswith(_TAR) and len(start) > _TAR_MAGIC_AT:
        return Kind.TAR
    raise Invalid(f"{archive} is neither a folder nor a tar, tar.gz or zip archive")


def npm_folder(paths: Collection[ArtifactPath]) -> str | None:
    """The one folder that all files are below, where it has a `package.json`, as in a package that npm makes."""
    tops = {path.partition("/")[0] for path in paths}
    if len(tops) != 1 or f"{(top := tops.pop())}/{_NPM_MANIFEST}" not in paths:
        return None
    return top


@contextmanager
def unpacked(archive: Path, include: Sequence[str] = ()) -> Iterator[SourceFiles]:
    """The archive's files, in a private folder that is gone at the end.

    Of a package as npm makes it (all below one folder with a `package.json`), that folder is left out. Raises
    `Invalid` for what holds anything but files and folders, and for all that a directory is refused for.
    """
    with tempfile.TemporaryDirectory(prefix="headrace-") as scratch:
        found = Unpacked(str(archive), Path(scratch))
        try:
            _unpack(archive, Path(scratch), found)
        except OSError as error:
            raise Failed(f"can't read {archive}: {error.strerror or error}") from None
        yield SourceFiles(str(archive), _without_npm_folder(found.files), include)


def _unpack(archive: Path, scratch: Path, found: Unpacked) -> None:
    match kind_of(archive):
        case Kind.ZIP:
            unpack_zip(archive, found)
        case Kind.GZIP:
            unpack_tar(_decompressed(archive, scratch / "archive.tar"), str(archive), found)
        case Kind.TAR:
            unpack_tar(archive, str(archive), found)


def _decompressed(archive: Path, target: Path) -> Path:
    """The tar inside, on disk and no larger than a build may make it: nothing is read into memory whole."""
    total = 0
    with gzip.open(archive, "rb") as source, target.open("xb") as file:
        try:
            while chunk := source.read(_CHUNK_BYTES):
                total += len(chunk)
                if total > _MAX_TAR_BYTES:
                    raise Invalid(f"{archive} unpacks to more than {_MAX_TAR_BYTES} bytes, the most that is taken")
                file.write(chunk)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise Invalid(f"{archive} is damaged: {error}") from None
    return target


def _without_npm_folder(files: Mapping[ArtifactPath, Path]) -> Mapping[ArtifactPath, Path]:
    top = npm_folder(files.keys())
    if top is None:
        return files
    return {ArtifactPath(path.removeprefix(f"{top}/")): file for path, file in files.items()}
