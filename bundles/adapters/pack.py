"""Packs a build's files into a tar.gz whose bytes depend on these files alone."""

import gzip
import io
import tarfile
from pathlib import Path

from bundles.adapters.archive import npm_folder
from bundles.core.digest import Digest, digest_of
from bundles.core.errors import Failed, Invalid
from bundles.core.names import ArtifactPath
from bundles.ports import ArtifactSource

_MODE = 0o644


def pack(source: ArtifactSource, archive: Path) -> dict[ArtifactPath, Digest]:
    """Write the archive, which says nothing of who packed it, where and when; the digest of each file in it.

    Raises `Invalid` for files of which `unpacked` would make others: those that look like a package of npm's.
    """
    if (folder := npm_folder(source.paths)) is not None:
        raise Invalid(
            f"all files are below {folder!r}, which has a package.json: in an archive that folder would be left"
            f" out, as of a package. Publish {folder!r} itself, or something beside it"
        )
    packed: dict[ArtifactPath, Digest] = {}
    try:
        with (
            archive.open("xb") as file,
            gzip.GzipFile("", "wb", fileobj=file, mtime=0) as compressed,
            tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as members,
        ):
            for path in source.paths:
                data = source.read(path)
                member = tarfile.TarInfo(path)
                member.size, member.mode = len(data), _MODE
                members.addfile(member, io.BytesIO(data))
                packed[path] = digest_of(data)
    except OSError as error:
        raise Failed(f"can't pack {archive.name}: {error.strerror or error}") from None
    return packed
